/*
 * sink: an SMTP server that keeps nothing, answers late, and puts off some recipients.
 *
 *   sink ADDRESS PORT [-d delay-ms] [-p percent]
 *
 * -d: each reply leaves so long after its command came, as over a long line: replies to pipelined
 * commands leave together.  -p: so many of a hundred recipients get a 450 the first time that they
 * are named; which ones follows from the number in the address (u123@...), so "load -R" names them.
 * Where the sender is s123@... ("load -S"), 123 is the time in ns at which the message began, and
 * how long it took to come here is kept.  Standard output must be a file: it has one line of JSON,
 * written anew while mail comes, and with percentiles at the end (SIGTERM).  One thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

enum {
	IN_MAX_BYTES = 64 << 10,
	EVENTS = 256,
	CONNECTIONS_MAX = 20000,
	NUMBERS_MAX = 1 << 25,
	LINE_BYTES = 300,
	REPORT_EVERY_MS = 10
};

struct connection {
	int fd;
	uint32_t life; /* so that a late reply does not go to who came after */
	bool in_body, has_recipient;
	uint64_t begun_ns; /* of the message, where its sender says so */
	size_t in_bytes;
	char *in;
};

/* A reply that waits for its time. */
struct reply {
	uint64_t due_ns;
	uint32_t connection, life;
	const char *text;
};

struct sink {
	int listener, epoll;
	uint64_t delay_ns;
	unsigned percent;
	struct connection *connections;
	uint32_t *unused;
	size_t unused_count;
	struct reply *replies; /* a ring; the delay is one for all, so the oldest is due first */
	size_t reply_first, reply_count, replies_max;
	uint8_t *seen; /* a bit for each number of a recipient that was put off */
	uint64_t *took_ns;
	size_t took_count, took_max;
	long taken, deferred, connected, open, open_most;
	bool changed;
	uint64_t reported_ns;
};

static volatile sig_atomic_t stopping;

static void
stop(int signal_number)
{
	(void)signal_number;
	stopping = 1;
}

static void
die(const char *what)
{
	fprintf(stderr, "sink: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *
more(void *from, size_t count, size_t bytes)
{
	void *found = realloc(from, count * bytes);

	if (!found)
		die("memory");
	return found;
}

static void
hang_up(struct sink *sink, struct connection *connection)
{
	close(connection->fd);
	connection->fd = -1;
	connection->life++;
	sink->unused[sink->unused_count++] = (uint32_t)(connection - sink->connections);
	sink->open--;
}

static void
say(struct sink *sink, struct connection *connection, const char *text)
{
	size_t bytes = strlen(text);

	if (send(connection->fd, text, bytes, MSG_NOSIGNAL) != (ssize_t)bytes ||
	    strncmp(text, "221", 3) == 0)
		hang_up(sink, connection);
}

/* Replies that wait are in a ring, which is unrolled where it grows. */
static void
say_later(struct sink *sink, struct connection *connection, const char *text)
{
	struct reply *reply;

	if (sink->delay_ns == 0) {
		say(sink, connection, text);
		return;
	}
	if (sink->reply_count == sink->replies_max) {
		size_t old = sink->replies_max;

		sink->replies_max = old ? old * 2 : 1024;
		sink->replies = more(sink->replies, sink->replies_max, sizeof(*sink->replies));
		memcpy(sink->replies + old, sink->replies,
		    sink->reply_first * sizeof(*sink->replies));
	}
	reply = &sink->replies[(sink->reply_first + sink->reply_count++) % sink->replies_max];
	*reply = (struct reply){.due_ns = now_ns() + sink->delay_ns,
	    .connection = (uint32_t)(connection - sink->connections),
	    .life = connection->life,
	    .text = text};
}

/* Says what is due; how many ms until more is, or -1. */
static int
say_due(struct sink *sink)
{
	uint64_t now = now_ns();

	while (sink->reply_count > 0) {
		struct reply *reply = &sink->replies[sink->reply_first];
		struct connection *connection = &sink->connections[reply->connection];

		if (reply->due_ns > now)
			return (int)((reply->due_ns - now + 999999) / 1000000);
		sink->reply_first = (sink->reply_first + 1) % sink->replies_max;
		sink->reply_count--;
		if (connection->life == reply->life)
			say(sink, connection, reply->text);
	}
	return -1;
}

/* Whether this recipient, by its number, is to come again, and has not yet. */
static bool
puts_off(struct sink *sink, uint64_t number)
{
	uint8_t bit = (uint8_t)(1U << (number & 7));
	uint64_t mixed = number * 0x9e3779b97f4a7c15;

	if (number >= NUMBERS_MAX || (mixed >> 32) % 100 >= sink->percent ||
	    (sink->seen[number >> 3] & bit))
		return false;
	sink->seen[number >> 3] |= bit;
	return true;
}

/* The number in "MAIL FROM:<s123@..." or "RCPT TO:<u123@...". */
static uint64_t
number_in(const char *line)
{
	const char *at = strchr(line, '<');

	return at && at[1] ? strtoull(at + 2, NULL, 10) : 0;
}

static void
take_message(struct sink *sink, struct connection *connection)
{
	sink->taken++;
	sink->changed = true;
	if (connection->begun_ns > 0) {
		if (sink->took_count == sink->took_max) {
			sink->took_max = sink->took_max ? sink->took_max * 2 : 1 << 16;
			sink->took_ns = more(sink->took_ns, sink->took_max, sizeof(uint64_t));
		}
		sink->took_ns[sink->took_count++] = now_ns() - connection->begun_ns;
	}
	connection->in_body = connection->has_recipient = false;
	say_later(sink, connection, "250 2.0.0 Ok\r\n");
}

static void
take_recipient(struct sink *sink, struct connection *connection, const char *line)
{
	if (sink->percent > 0 && puts_off(sink, number_in(line))) {
		sink->deferred++;
		sink->changed = true;
		say_later(sink, connection, "450 4.2.0 Mailbox busy, come again\r\n");
		return;
	}
	connection->has_recipient = true;
	say_later(sink, connection, "250 2.1.5 Ok\r\n");
}

static void
take_line(struct sink *sink, struct connection *connection, const char *line)
{
	if (strncasecmp(line, "RCPT", 4) == 0) {
		take_recipient(sink, connection, line);
	} else if (strncasecmp(line, "DATA", 4) == 0 && connection->has_recipient) {
		connection->in_body = true;
		say_later(sink, connection, "354 Go on\r\n");
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		say_later(sink, connection, "554 5.5.1 No recipients\r\n");
	} else if (strncasecmp(line, "EHLO", 4) == 0) {
		say_later(sink, connection,
		    "250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
		    "250-ENHANCEDSTATUSCODES\r\n250 DSN\r\n");
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		say_later(sink, connection, "221 2.0.0 Bye\r\n");
	} else {
		connection->has_recipient = false;
		if (strncasecmp(line, "MAIL", 4) == 0)
			connection->begun_ns = number_in(line);
		say_later(sink, connection, "250 2.0.0 Ok\r\n");
	}
}

/* Takes what is there whole; what stays is the beginning of a line, or of the end of a body. */
static void
take_input(struct sink *sink, struct connection *connection)
{
	size_t at = 0;
	uint32_t life = connection->life;

	while (connection->life == life && at < connection->in_bytes) {
		char *from = connection->in + at;
		size_t left = connection->in_bytes - at;
		char *end = connection->in_body ? memmem(from, left, "\r\n.\r\n", 5)
		                                : memchr(from, '\n', left);

		if (!end) {
			if (connection->in_body && left > 4)
				at = connection->in_bytes - 4;
			break;
		}
		at = (size_t)(end - connection->in) + (connection->in_body ? 5 : 1);
		if (connection->in_body) {
			take_message(sink, connection);
		} else {
			*end = '\0';
			take_line(sink, connection, from);
		}
	}
	connection->in_bytes -= at;
	memmove(connection->in, connection->in + at, connection->in_bytes);
}

static void
take(struct sink *sink, struct connection *connection)
{
	ssize_t got;

	if (connection->fd < 0)
		return;
	got = recv(connection->fd, connection->in + connection->in_bytes,
	    IN_MAX_BYTES - connection->in_bytes, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		hang_up(sink, connection);
		return;
	}
	connection->in_bytes += (size_t)got;
	take_input(sink, connection);
}

static void
welcome(struct sink *sink)
{
	const int on = 1;
	int fd;

	while (sink->unused_count > 0 && (fd = accept4(sink->listener, NULL, NULL,
	                                      SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		uint32_t index = sink->unused[--sink->unused_count];
		struct connection *connection = &sink->connections[index];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		*connection = (struct connection){
		    .fd = fd, .life = connection->life, .in = connection->in};
		if (!connection->in)
			connection->in = more(NULL, IN_MAX_BYTES, 1);
		if (epoll_ctl(sink->epoll, EPOLL_CTL_ADD, fd, &event))
			die("epoll_ctl");
		sink->connected++;
		sink->open++;
		if (sink->open > sink->open_most)
			sink->open_most = sink->open;
		say_later(sink, connection, "220 sink.example ESMTP\r\n");
	}
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double
ms_at(const struct sink *sink, double part)
{
	size_t index = (size_t)((double)sink->took_count * part);

	if (sink->took_count == 0)
		return 0;
	return (double)sink->took_ns[index < sink->took_count ? index : sink->took_count - 1] / 1e6;
}

/* The line has one length, so that a reader never sees parts of two. */
static void
report(struct sink *sink, bool last)
{
	char line[LINE_BYTES];
	int bytes;

	if (last && sink->took_count > 0)
		qsort(sink->took_ns, sink->took_count, sizeof(uint64_t), compare);
	bytes = snprintf(line, sizeof(line),
	    "{\"taken\": %ld, \"deferred\": %ld, \"connections\": %ld, \"open_most\": %ld, "
	    "\"timed\": %zu, \"p50_ms\": %.2f, \"p90_ms\": %.2f, \"p99_ms\": %.2f, "
	    "\"max_ms\": %.2f}",
	    sink->taken, sink->deferred, sink->connected, sink->open_most, sink->took_count,
	    last ? ms_at(sink, 0.5) : 0, last ? ms_at(sink, 0.9) : 0,
	    last ? ms_at(sink, 0.99) : 0, last ? ms_at(sink, 1) : 0);
	if (bytes < 0 || bytes >= LINE_BYTES)
		die("a report is too long");
	memset(line + bytes, ' ', (size_t)(LINE_BYTES - bytes));
	line[LINE_BYTES - 1] = '\n';
	if (pwrite(STDOUT_FILENO, line, LINE_BYTES, 0) != LINE_BYTES)
		die("standard output is no file");
	sink->changed = false;
	sink->reported_ns = now_ns();
}

static void
run(struct sink *sink)
{
	struct epoll_event events[EVENTS];

	report(sink, false);
	while (!stopping) {
		int wait_ms = say_due(sink), count;

		if (sink->changed && (wait_ms < 0 || wait_ms > REPORT_EVERY_MS))
			wait_ms = REPORT_EVERY_MS;
		count = epoll_wait(sink->epoll, events, EVENTS, wait_ms);
		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr)
				take(sink, events[i].data.ptr);
			else
				welcome(sink);
		}
		if (sink->changed && now_ns() - sink->reported_ns > REPORT_EVERY_MS * 1000000)
			report(sink, false);
	}
	report(sink, true);
}

/* Several sinks share a port: the one with the address that is asked for has the connection. */
static void
open_listener(struct sink *sink, const char *address, const char *port)
{
	struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	struct epoll_event event = {.events = EPOLLIN};
	const int on = 1;

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		exit(64);
	sink->epoll = epoll_create1(EPOLL_CLOEXEC);
	sink->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(sink->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(sink->listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (bind(sink->listener, (struct sockaddr *)&to, sizeof(to)) ||
	    listen(sink->listener, 4096) ||
	    epoll_ctl(sink->epoll, EPOLL_CTL_ADD, sink->listener, &event))
		die(address);
}

int
main(int argc, char **argv)
{
	struct sink sink = {0};
	struct sigaction action = {.sa_handler = stop};
	int option;

	while ((option = getopt(argc, argv, "d:p:")) >= 0) {
		switch (option) {
		case 'd': sink.delay_ns = strtoull(optarg, NULL, 10) * 1000000; break;
		case 'p': sink.percent = (unsigned)strtoul(optarg, NULL, 10); break;
		default: exit(64);
		}
	}
	if (optind + 2 != argc)
		exit(64);
	sigaction(SIGTERM, &action, NULL);
	sink.connections = calloc(CONNECTIONS_MAX, sizeof(*sink.connections));
	sink.unused = calloc(CONNECTIONS_MAX, sizeof(*sink.unused));
	sink.seen = calloc(NUMBERS_MAX / 8, 1);
	for (uint32_t i = CONNECTIONS_MAX; i-- > 0;)
		sink.unused[sink.unused_count++] = i;
	open_listener(&sink, argv[optind], argv[optind + 1]);
	run(&sink);
	return 0;
}
