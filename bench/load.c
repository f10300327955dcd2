/*
 * load: an SMTP client that loads a server, as fast as it goes or at a given rate, and says how
 * long the server took to answer the end of each message.
 *
 *   load PORT [-s sessions] [-m messages] [-l bytes] [-d] [-D domains] [-f first]
 *       [-r per-second] [-t seconds] [-R] [-S]
 *
 * -d: sessions go on after a message; -D: recipients are spread over so many domains, from d1.test
 * or from that of -f on; -r: a message begins each 1/r seconds whether or not earlier ones are done,
 * and waits for a free session where there is none; -t: gives up after so long; -R: a recipient of
 * its own for each message, u0@, u1@ and so on; -S: a sender of its own, s123@, where 123 is the
 * time in ns at which the message begins, as "sink" reads it.  Talks to 127.0.0.1 only.  One thread,
 * one line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

enum { LINE_MAX_BYTES = 2048, EVENTS = 256, SESSIONS_MAX = 10000 };

enum step { OFF, REST, GREETING, EHLO, MAIL, RCPT, DATA, DOT, QUIT };

struct session {
	int fd;
	enum step step;
	long number; /* of the message under way */
	uint64_t begun_ns, dot_ns;
	size_t body_sent;
	bool writing;
	char in[LINE_MAX_BYTES];
	size_t in_bytes;
};

struct load {
	int port, epoll;
	long session_count, message_count, body_bytes, domain_count, domain_first;
	bool reuse, numbered, stamped;
	double rate, seconds_max;
	struct session *sessions;
	struct session **resting;
	long rest_count;
	char *body; /* with its final dot */
	size_t body_len;
	long begun, ok, failed, quitting;
	uint64_t *reply_ns, *whole_ns; /* one for each that went well */
	uint64_t start_ns, end_ns;
};

static void advance(struct load *load, struct session *session);

static void
die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
watch(struct load *load, struct session *session, int operation, bool writing)
{
	struct epoll_event event = {
	    .events = writing ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = session};

	session->writing = writing;
	if (epoll_ctl(load->epoll, operation, session->fd, &event))
		die("epoll_ctl");
}

/* Nothing is left to say on it. */
static void
hang_up(struct load *load, struct session *session)
{
	close(session->fd);
	session->fd = -1;
	session->step = OFF;
	load->resting[load->rest_count++] = session;
}

static void
fail(struct load *load, struct session *session)
{
	if (session->step != QUIT)
		load->failed++;
	else
		load->quitting--;
	hang_up(load, session);
}

static void
say(struct load *load, struct session *session, const char *text, size_t bytes)
{
	if (send(session->fd, text, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
		fail(load, session);
}

static void
send_body(struct load *load, struct session *session)
{
	ssize_t sent = 0;

	while (session->body_sent < load->body_len && sent >= 0) {
		sent = send(session->fd, load->body + session->body_sent,
		    load->body_len - session->body_sent, MSG_NOSIGNAL);
		if (sent > 0)
			session->body_sent += (size_t)sent;
	}
	if (sent < 0 && errno != EAGAIN) {
		fail(load, session);
		return;
	}
	if (session->body_sent == load->body_len)
		session->dot_ns = now_ns();
	if (session->writing != (session->body_sent < load->body_len))
		watch(load, session, EPOLL_CTL_MOD, session->body_sent < load->body_len);
}

static void
say_mail(struct load *load, struct session *session)
{
	char line[100] = "MAIL FROM:<s@bench.example>\r\n";

	if (load->stamped)
		snprintf(line, sizeof(line), "MAIL FROM:<s%llu@bench.example>\r\n",
		    (unsigned long long)session->begun_ns);
	session->step = MAIL;
	say(load, session, line, strlen(line));
}

/* A message begins, on a session that rests or on a new connection. */
static void
begin(struct load *load, uint64_t begun_ns)
{
	struct session *session = load->resting[--load->rest_count];
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)load->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int on = 1;

	session->number = load->begun++;
	session->begun_ns = begun_ns;
	session->body_sent = 0;
	if (session->step == REST) {
		say_mail(load, session);
		return;
	}
	session->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (session->fd < 0)
		die("socket");
	session->step = GREETING;
	session->in_bytes = 0;
	if (connect(session->fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fcntl(session->fd, F_SETFL, O_NONBLOCK);
	watch(load, session, EPOLL_CTL_ADD, false);
}

static void
message_done(struct load *load, struct session *session)
{
	uint64_t now = now_ns();

	load->reply_ns[load->ok] = now - session->dot_ns;
	load->whole_ns[load->ok++] = now - session->begun_ns;
	load->end_ns = now;
	if (load->reuse) {
		session->step = REST;
		load->resting[load->rest_count++] = session;
		return;
	}
	session->step = QUIT;
	load->quitting++;
	say(load, session, "QUIT\r\n", 6);
}

static void
say_rcpt(struct load *load, struct session *session)
{
	char line[100], name[30] = "u";

	if (load->numbered)
		snprintf(name, sizeof(name), "u%ld", session->number);
	snprintf(line, sizeof(line), "RCPT TO:<%s@d%ld.test>\r\n", name,
	    load->domain_first + session->number % load->domain_count);
	session->step = RCPT;
	say(load, session, line, strlen(line));
}

/* A reply came whole and well. */
static void
advance(struct load *load, struct session *session)
{
	switch (session->step) {
	case GREETING:
		session->step = EHLO;
		say(load, session, "EHLO load.example\r\n", 19);
		break;
	case EHLO:
		say_mail(load, session);
		break;
	case MAIL:
		say_rcpt(load, session);
		break;
	case RCPT:
		session->step = DATA;
		say(load, session, "DATA\r\n", 6);
		break;
	case DATA:
		session->step = DOT;
		send_body(load, session);
		break;
	case DOT:
		message_done(load, session);
		break;
	case QUIT:
		load->quitting--;
		hang_up(load, session);
		break;
	case OFF:
	case REST:
		fail(load, session);
		break;
	}
}

/* Takes the whole lines that are there. */
static void
take_lines(struct load *load, struct session *session)
{
	char *end;

	while (session->step != OFF &&
	    (end = memchr(session->in, '\n', session->in_bytes)) != NULL) {
		size_t bytes = (size_t)(end + 1 - session->in);
		char code = session->in[0];
		bool more = bytes > 3 && session->in[3] == '-';

		session->in_bytes -= bytes;
		memmove(session->in, end + 1, session->in_bytes);
		if (more)
			continue;
		if (code == '2' || (code == '3' && session->step == DATA))
			advance(load, session);
		else
			fail(load, session);
	}
}

static void
take(struct load *load, struct session *session, uint32_t events)
{
	ssize_t got;

	if (session->step == DOT && (events & EPOLLOUT))
		send_body(load, session);
	if (session->step == OFF || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	got = recv(session->fd, session->in + session->in_bytes,
	    sizeof(session->in) - session->in_bytes, 0);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		if (session->step == REST) {
			/* It is among the resting; the next message finds a closed one. */
			fprintf(stderr, "load: a resting session was closed\n");
			exit(1);
		}
		fail(load, session);
		return;
	}
	session->in_bytes += (size_t)got;
	take_lines(load, session);
}

/* Begins what is due; how many ms until more is. */
static int
begin_due(struct load *load)
{
	uint64_t now = now_ns();

	while (load->begun < load->message_count && load->rest_count > 0) {
		uint64_t due_ns = now;

		if (load->rate > 0)
			due_ns = load->start_ns + (uint64_t)((double)load->begun / load->rate * 1e9);
		if (due_ns > now)
			return (int)((due_ns - now) / 1000000) ? (int)((due_ns - now) / 1000000) : 0;
		begin(load, due_ns);
	}
	return 1000;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double
ms_at(const uint64_t *sorted, long count, double part)
{
	long index = (long)((double)count * part);

	return count ? (double)sorted[index < count ? index : count - 1] / 1e6 : 0;
}

static void
report(struct load *load)
{
	double seconds = (double)(load->end_ns - load->start_ns) / 1e9;

	qsort(load->reply_ns, (size_t)load->ok, sizeof(uint64_t), compare);
	qsort(load->whole_ns, (size_t)load->ok, sizeof(uint64_t), compare);
	printf("{\"ok\": %ld, \"failed\": %ld, \"seconds\": %.3f, \"rate\": %.1f, "
	       "\"reply_p50_ms\": %.3f, \"reply_p99_ms\": %.3f, \"reply_max_ms\": %.3f, "
	       "\"whole_p50_ms\": %.3f, \"whole_p99_ms\": %.3f}\n",
	    load->ok, load->failed, seconds, (double)load->ok / seconds,
	    ms_at(load->reply_ns, load->ok, 0.5), ms_at(load->reply_ns, load->ok, 0.99),
	    ms_at(load->reply_ns, load->ok, 1), ms_at(load->whole_ns, load->ok, 0.5),
	    ms_at(load->whole_ns, load->ok, 0.99));
}

/* A header, and lines of 72 and CRLF up to the size. */
static void
make_body(struct load *load)
{
	static const char head[] = "From: s@bench.example\r\nSubject: load\r\n\r\n";
	size_t at = sizeof(head) - 1, bytes = (size_t)load->body_bytes;

	if (bytes < at + 2)
		bytes = at + 2;
	load->body = malloc(bytes + 10);
	memcpy(load->body, head, at);
	for (size_t column = 0; at < bytes - 2; at++, column = (column + 1) % 74)
		load->body[at] = column == 72 && at < bytes - 3 ? '\r' : column == 73 ? '\n' : 'x';
	if (load->body[at - 1] == '\r')
		load->body[at - 1] = 'x';
	memcpy(load->body + at, "\r\n.\r\n", 5);
	load->body_len = at + 5;
}

static void
run(struct load *load)
{
	struct epoll_event events[EVENTS];
	uint64_t last_ns;

	load->start_ns = load->end_ns = now_ns();
	last_ns = load->start_ns + (uint64_t)(load->seconds_max * 1e9);
	while (load->ok + load->failed < load->message_count || load->quitting > 0) {
		int wait_ms = begin_due(load);
		int count = epoll_wait(load->epoll, events, EVENTS, wait_ms);

		for (int i = 0; i < count; i++)
			take(load, events[i].data.ptr, events[i].events);
		if (now_ns() > last_ns)
			break;
	}
}

static void
options(struct load *load, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "s:m:l:dD:f:r:t:RS")) >= 0) {
		switch (option) {
		case 's': load->session_count = strtol(optarg, NULL, 10); break;
		case 'm': load->message_count = strtol(optarg, NULL, 10); break;
		case 'l': load->body_bytes = strtol(optarg, NULL, 10); break;
		case 'd': load->reuse = true; break;
		case 'D': load->domain_count = strtol(optarg, NULL, 10); break;
		case 'f': load->domain_first = strtol(optarg, NULL, 10); break;
		case 'R': load->numbered = true; break;
		case 'S': load->stamped = true; break;
		case 'r': load->rate = strtod(optarg, NULL); break;
		case 't': load->seconds_max = strtod(optarg, NULL); break;
		default: exit(64);
		}
	}
	if (optind + 1 != argc || load->session_count < 1 || load->session_count > SESSIONS_MAX ||
	    load->message_count < 1 || load->domain_count < 1)
		exit(64);
	load->port = (int)strtol(argv[optind], NULL, 10);
}

int
main(int argc, char **argv)
{
	struct load load = {.session_count = 10, .message_count = 1000, .body_bytes = 4096,
	    .domain_count = 1, .domain_first = 1, .seconds_max = 3600};

	options(&load, argc, argv);
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	load.sessions = calloc((size_t)load.session_count, sizeof(*load.sessions));
	load.resting = calloc((size_t)load.session_count, sizeof(*load.resting));
	load.reply_ns = calloc((size_t)load.message_count, sizeof(uint64_t));
	load.whole_ns = calloc((size_t)load.message_count, sizeof(uint64_t));
	make_body(&load);
	for (long i = 0; i < load.session_count; i++)
		load.resting[load.rest_count++] = &load.sessions[i];
	run(&load);
	report(&load);
	return load.ok == load.message_count ? 0 : 1;
}
