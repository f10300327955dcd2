/*
 * DNS against a server of the test's own: a thread with a UDP socket on
 * loopback that knows a few names, fails for one, and is silent about others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

#include "io/io_internal.h"

enum { PACKET_BYTES_MAX = 1232, HEADER_BYTES = 12, LATE_MS = 200 };

struct zone_entry {
	const char *name; /* as on the wire, without the root's length */
	uint16_t type; /* 0: any; rcode tells all */
	uint8_t rcode;
	const char *rdata;
	size_t rdata_bytes;
};

#define RDATA(literal) literal, sizeof(literal) - 1

static const struct zone_entry zone[] = {
    {"\4host\7example", 1, 0, RDATA("\300\0\2\1")},
    {"\4host\7example", 1, 0, RDATA("\300\0\2\2")},
    /* The exchanger's name points into the question: it must come out whole. */
    {"\7example", 15, 0, RDATA("\0\12\2mx\300\14")},
    {"\4none\7example", 0, 3, NULL, 0},
    {"\4fail\7example", 0, 2, NULL, 0},
    {"\5a\\b c\7example", 16, 0, RDATA("\2hi")},
    {"\4late\7example", 1, 0, RDATA("\300\0\2\1")},
    {"\4host\4test", 1, 0, RDATA("\300\0\2\3")},
};

struct server {
	int fd;
	struct net_addr at;
	pthread_t thread;
};

struct world {
	struct io *io;
	struct server server;
};

struct asked {
	struct io_op op;
	unsigned done;
	struct io_dns_answer answer;
	struct buf records; /* one after the other */
};

static void
put_u16(char *at, size_t value)
{
	at[0] = (char)(value >> 8);
	at[1] = (char)value;
}

/*
 * Answers of a server that is out of its mind, by the first label; 0: it is another one's.  The
 * packet is the query, of which the question ends at "end".
 */
static size_t
respond_madly(char *packet, size_t end)
{
	static const char mx[] = "\300\14\0\17\0\1\0\0\1\54";
	const char *label = packet + HEADER_BYTES + 1;

	packet[2] = (char)0x84;
	packet[3] = (char)0x80;
	put_u16(packet + 6, 1);
	memset(packet + 8, 0, 4);
	if (strncmp(label, "brief", 5) == 0)
		return HEADER_BYTES + 3;
	if (strncmp(label, "flood", 5) == 0) {
		put_u16(packet + 6, 65535);
		return end;
	}
	if (strncmp(label, "cut", 3) == 0) {
		packet[2] = (char)0x86; /* more by TCP, where nobody is */
		put_u16(packet + 6, 0);
		return end;
	}
	if (strncmp(label, "else", 4) == 0)
		packet[HEADER_BYTES + 2] = 'x'; /* the answer to another question */
	else if (strncmp(label, "forge", 5) == 0)
		packet[0] ^= 1; /* the answer to another query */
	memcpy(packet + end, mx, 10);
	if (strncmp(label, "ring", 4) == 0)
		put_u16(packet + end, 0xc000 | end); /* a name that points to itself */
	/* "huge" has more bytes of data than there are. */
	put_u16(packet + end + 10, strncmp(label, "huge", 4) == 0 ? 65535 : 4);
	memcpy(packet + end + 12, "\0\12\300\14", 4);
	if (strncmp(label, "self", 4) == 0) {
		packet[end + 3] = 5; /* a CNAME of itself */
		put_u16(packet + end + 10, 2);
		memcpy(packet + end + 12, "\300\14", 2);
		return end + 14;
	}
	return end + 16;
}

/* The bytes of the answer to a query; 0: none is sent. */
static size_t
respond(char *packet, size_t bytes)
{
	char *name = packet + HEADER_BYTES;
	size_t name_bytes = strnlen(name, bytes - HEADER_BYTES), end, answers = 0;
	uint16_t type = (uint16_t)(name[name_bytes + 2] | name[name_bytes + 1] << 8);
	unsigned char rcode = 0;
	bool known = false;

	if (name_bytes == 0 || strncmp(name, "\6silent", 7) == 0)
		return 0;
	end = HEADER_BYTES + name_bytes + 5;
	if (strcmp(name + name_bytes - 4, "\3mad") == 0)
		return respond_madly(packet, end);
	for (size_t i = 0; i < LEN(zone); i++) {
		const struct zone_entry *entry = &zone[i];

		if (strcmp(entry->name, name) != 0)
			continue;
		known = true;
		rcode = entry->rcode;
		if (entry->type != type)
			continue;
		memcpy(packet + end, "\300\14", 2);
		put_u16(packet + end + 2, type);
		memcpy(packet + end + 4, "\0\1\0\0\1\54", 6);
		put_u16(packet + end + 10, entry->rdata_bytes);
		memcpy(packet + end + 12, entry->rdata, entry->rdata_bytes);
		end += 12 + entry->rdata_bytes;
		answers++;
	}
	packet[2] = (char)0x84; /* a response, authoritative */
	packet[3] = (char)(0x80 | (known ? rcode : 0));
	put_u16(packet + 6, answers);
	put_u16(packet + 8, 0);
	put_u16(packet + 10, 0);
	return end;
}

static void *
serve(void *argument)
{
	struct server *server = argument;

	for (;;) {
		char packet[PACKET_BYTES_MAX + 1] = {0};
		struct sockaddr_storage from;
		socklen_t from_bytes = sizeof(from);
		ssize_t got = recvfrom(server->fd, packet, PACKET_BYTES_MAX, 0,
		    (struct sockaddr *)&from, &from_bytes);
		size_t bytes;

		/* One byte tells it to end. */
		if (got == 1)
			return NULL;
		if (got < HEADER_BYTES + 5)
			continue;
		bytes = respond(packet, (size_t)got);
		if (strncmp(packet + HEADER_BYTES, "\4late", 5) == 0)
			usleep(LATE_MS * 1000);
		if (bytes > 0)
			sendto(server->fd, packet, bytes, 0, (struct sockaddr *)&from,
			    from_bytes);
	}
}

static int
setup(void **state)
{
	struct world *world = mem_alloc(sizeof(*world));
	struct sockaddr_in in = {.sin_family = AF_INET};

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	world->server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(world->server.fd, (struct sockaddr *)&in, sizeof(in)), 0);
	world->server.at = io_addr_local(world->server.fd);
	pthread_create(&world->server.thread, NULL, serve, &world->server);
	world->io = io_create();
	assert_int_equal(io_dns_servers(world->io, &world->server.at, 1), OK);
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	struct world *world = *state;
	struct sockaddr_in in = {.sin_family = AF_INET};

	io_destroy(world->io);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in.sin_port = htons(world->server.at.port);
	sendto(world->server.fd, "", 1, 0, (struct sockaddr *)&in, sizeof(in));
	pthread_join(world->server.thread, NULL);
	close(world->server.fd);
	mem_free(world);
	return 0;
}

static void
on_answer(struct io_op *op)
{
	struct asked *asked = op->owner;

	asked->done++;
	if (op->err) {
		assert_null(op->answer);
		return;
	}
	asked->answer = *op->answer;
	for (size_t i = 0; i < op->answer->record_count; i++)
		buf_add(&asked->records, op->answer->records[i]);
}

static void
ask(struct io *io, struct asked *asked, struct span name, enum io_dns_type type)
{
	*asked = (struct asked){.op = {.done = on_answer, .owner = asked}};
	buf_init(&asked->records, 4096);
	io_dns(io, &asked->op, name, type);
	assert_int_equal(asked->done, 0);
}

static void
answers(void **state)
{
	static const struct {
		const char *name;
		enum io_dns_type type;
		enum err err;
		unsigned rcode;
		size_t record_count;
		const char *records;
		size_t bytes;
	} cases[] = {
	    {"host.example", IO_DNS_A, OK, 0, 2, RDATA("\300\0\2\1\300\0\2\2")},
	    {"host.example.", IO_DNS_A, OK, 0, 2, RDATA("\300\0\2\1\300\0\2\2")},
	    {"example", IO_DNS_MX, OK, 0, 1, RDATA("\0\12\2mx\7example\0")},
	    {"none.example", IO_DNS_A, OK, 3, 0, RDATA("")},
	    {"host.example", IO_DNS_AAAA, OK, 0, 0, RDATA("")},
	    {"fail.example", IO_DNS_A, ERR_DNS, 0, 0, RDATA("")},
	    {"a\\b c.example", IO_DNS_TXT, OK, 0, 1, RDATA("\2hi")},
	    {"host.test", IO_DNS_A, OK, 0, 1, RDATA("\300\0\2\3")},
	};
	struct world *world = *state;

	/* All at once, as a busy server asks. */
	struct asked asked[LEN(cases)];

	for (size_t i = 0; i < LEN(cases); i++)
		ask(world->io, &asked[i], span_str(cases[i].name), cases[i].type);
	io_run(world->io);
	for (size_t i = 0; i < LEN(cases); i++) {
		assert_int_equal(asked[i].done, 1);
		assert_int_equal(asked[i].op.err, cases[i].err);
		assert_int_equal(asked[i].answer.rcode, cases[i].rcode);
		assert_int_equal(asked[i].answer.record_count, cases[i].record_count);
		assert_int_equal(asked[i].records.len, cases[i].bytes);
		/* Records of a set come in no order. */
		if (cases[i].record_count <= 1)
			assert_memory_equal(buf_span(&asked[i].records).ptr,
			    cases[i].records, cases[i].bytes);
		assert_false(asked[i].answer.secure);
		assert_false(asked[i].answer.bogus);
		if (asked[i].answer.record_count > 0)
			assert_in_range(asked[i].answer.ttl_s, 299, 300);
		buf_fini(&asked[i].records);
	}
}

static void
bad_names(void **state)
{
	static const char label[] =
	    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl.";
	struct world *world = *state;
	char name[260];
	struct asked asked;

	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 ? '.' : 'a';
	ask(world->io, &asked, span_of(name, 254), IO_DNS_A);
	io_run(world->io);
	assert_int_equal(asked.done, 1);
	assert_int_equal(asked.op.err, ERR_SYNTAX);
	ask(world->io, &asked, SPAN(""), IO_DNS_A);
	io_run(world->io);
	assert_int_equal(asked.op.err, ERR_SYNTAX);
	ask(world->io, &asked, SPAN("a..example"), IO_DNS_A);
	io_run(world->io);
	assert_int_equal(asked.op.err, ERR_SYNTAX);
	ask(world->io, &asked, span_of(label, 64), IO_DNS_A);
	io_run(world->io);
	assert_int_equal(asked.op.err, ERR_SYNTAX);
}

static void
silence_is_a_timeout(void **state)
{
	struct world *world = *state;
	struct asked silent, host;
	uint64_t start_ms = io_now_ms(world->io);

	ask(world->io, &host, SPAN("host.example"), IO_DNS_A);
	world->io->dns_timeout_ms = 150;
	ask(world->io, &silent, SPAN("silent.example"), IO_DNS_A);
	io_run(world->io);
	assert_int_equal(silent.done, 1);
	assert_int_equal(silent.op.err, ERR_TIMEOUT);
	assert_true(io_now_ms(world->io) - start_ms >= 150);
	assert_int_equal(host.done, 1);
	assert_int_equal(host.op.err, OK);
	buf_fini(&host.records);
}

/* What is no answer is none, once, and harms no other question. */
static void
answers_that_are_none(void **state)
{
	static const char *const names[] = {"brief.mad", "flood.mad", "cut.mad", "else.mad",
	    "forge.mad", "ring.mad", "huge.mad", "self.mad"};
	struct world *world = *state;
	struct asked mad[LEN(names)], host, sane;

	ask(world->io, &host, SPAN("host.example"), IO_DNS_A);
	ask(world->io, &sane, SPAN("sane.mad"), IO_DNS_MX);
	world->io->dns_timeout_ms = 400;
	for (size_t i = 0; i < LEN(names); i++)
		ask(world->io, &mad[i], span_str(names[i]), IO_DNS_MX);
	io_run(world->io);
	for (size_t i = 0; i < LEN(names); i++) {
		assert_int_equal(mad[i].done, 1);
		assert_true(mad[i].op.err == ERR_DNS || mad[i].op.err == ERR_TIMEOUT);
		buf_fini(&mad[i].records);
	}
	assert_int_equal(host.op.err, OK);
	assert_int_equal(host.answer.record_count, 2);
	/* So it is what is wrong with them that was refused. */
	assert_int_equal(sane.op.err, OK);
	assert_int_equal(sane.answer.record_count, 1);
	buf_fini(&host.records);
	buf_fini(&sane.records);
}

static void
fired_stop(struct io_timer *timer)
{
	io_stop(timer->owner);
}

static void
an_answer_after_the_timeout_is_nothing(void **state)
{
	struct world *world = *state;
	struct io_timer timer = {.fired = fired_stop, .owner = world->io};
	struct asked late;

	world->io->dns_timeout_ms = 50;
	ask(world->io, &late, SPAN("late.example"), IO_DNS_A);
	io_run(world->io);
	assert_int_equal(late.done, 1);
	assert_int_equal(late.op.err, ERR_TIMEOUT);
	io_timer_start(world->io, &timer, 3 * LATE_MS);
	io_run(world->io);
	assert_int_equal(late.done, 1);
}

static void
destroyed_while_asking(void **state)
{
	struct world *world = *state;
	struct io *io = io_create();
	struct asked asked;

	assert_int_equal(io_dns_servers(io, &world->server.at, 1), OK);
	ask(io, &asked, SPAN("silent.example"), IO_DNS_A);
	io_destroy(io);
	assert_int_equal(asked.done, 0);
}

struct chain {
	struct asked asked;
	struct io *io;
	unsigned left;
};

static void
on_chain(struct io_op *op)
{
	struct chain *chain = op->owner;

	assert_int_equal(op->err, OK);
	assert_int_equal(op->answer->record_count, 2);
	if (--chain->left > 0)
		io_dns(chain->io, op, SPAN("host.example"), IO_DNS_A);
}

static void
asking_again_inside_done(void **state)
{
	struct world *world = *state;
	struct chain chain = {.io = world->io, .left = 5};

	chain.asked.op = (struct io_op){.done = on_chain, .owner = &chain};
	io_dns(world->io, &chain.asked.op, SPAN("host.example"), IO_DNS_A);
	io_run(world->io);
	assert_int_equal(chain.left, 0);
}

static void
the_systems_servers(void **state)
{
	struct io *io = io_create();

	(void)state;
	if (access("/etc/resolv.conf", R_OK) == 0)
		assert_int_equal(io_dns_servers(io, NULL, 0), OK);
	io_destroy(io);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(answers),
	    TEST(bad_names),
	    TEST(silence_is_a_timeout),
	    TEST(answers_that_are_none),
	    TEST(an_answer_after_the_timeout_is_nothing),
	    TEST(destroyed_while_asking),
	    TEST(asking_again_inside_done),
	    cmocka_unit_test(the_systems_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
