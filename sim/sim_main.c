/* A first scenario: one server, one client, one message, a power cut. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/sim_internal.h"

static const char conf[] = "hostname mx.example.org\n"
			   "accept mail for example.org\n"
			   "mailboxes from mailboxes\n"
			   "deliver to maildir /mail as vmail\n"
			   "spool /spool\n"
			   "listen smtp on *:25\n"
			   "reception processes 1\n"
			   "delivery processes 1\n"
			   "queue { segment size 1 MB }\n";

static const char *const lines[] = {NULL, "EHLO client.example.net\r\n",
    "MAIL FROM:<a@example.net>\r\n", "RCPT TO:<bob@example.org>\r\n", "DATA\r\n",
    "Subject: hello\r\n\r\nworld\r\n.\r\n", "QUIT\r\n"};

struct client {
	struct io *io;
	struct io_op op;
	struct io_timer again;
	struct io_stream *stream;
	struct buf in;
	size_t next;
	bool accepted;
};

static void
start(struct io_timer *timer)
{
	struct client *client = timer->owner;
	struct net_addr to = {.family = 4, .bytes = {192, 0, 2, 1}, .port = 25};

	io_connect(client->io, &client->op, &to);
}

static void
give_up(struct client *client)
{
	io_close(client->stream);
	client->stream = NULL;
	client->next = 0;
	buf_reset(&client->in);
	if (!client->accepted)
		io_timer_start(client->io, &client->again, 1000);
}

static bool
has_reply(struct buf *in, char *code)
{
	struct span rest = buf_span(in), line;

	while (span_find(rest, '\n') < rest.len && span_cut(&rest, '\n', &line))
		if (line.len > 4 && line.ptr[3] == ' ') {
			*code = line.ptr[0];
			return true;
		}
	return false;
}

static void read_done(struct io_op *op);

static void
done(struct io_op *op)
{
	struct client *client = op->owner;

	client->stream = op->stream;
	if (op->err) {
		give_up(client);
		return;
	}
	client->op.done = read_done;
	client->next = 1;
	io_read(client->stream, &client->op);
}

static void
read_done(struct io_op *op)
{
	struct client *client = op->owner;
	char code;

	if (op->err) {
		client->op.done = done;
		give_up(client);
		return;
	}
	buf_add(&client->in, op->bytes);
	if (has_reply(&client->in, &code)) {
		buf_reset(&client->in);
		if (client->next == LEN(lines) - 1 && code == '2')
			client->accepted = true;
		if (code > '3' || client->next == LEN(lines)) {
			client->op.done = done;
			give_up(client);
			return;
		}
		io_send(client->stream, span_str(lines[client->next++]));
	}
	io_read(client->stream, &client->op);
}

static void
show(void *owner, const char *name, struct span bytes)
{
	size_t *count = owner;

	(void)bytes;
	if (strstr(name, "/new/"))
		++*count;
}

static uint64_t
run(uint64_t seed, bool verbose)
{
	struct sim_options options = sim_options_from_seed(seed);
	struct net_addr addr = {.family = 4, .bytes = {192, 0, 2, 1}};
	struct net_addr client_addr = {.family = 4, .bytes = {198, 51, 100, 1}};
	const struct sim_file file = {
	    "/etc/postrider/mailboxes", SPAN("bob@example.org: bob\n")};
	struct sim_server *server;
	struct client client = {0};
	size_t files = 0;
	struct sim *sim;
	uint64_t hash, steps;

	options.verbose = verbose;
	sim = sim_create(&options);
	server = sim_server_add(sim, "mx", &addr, span_str(conf), &file, 1);
	client.io = sim_actor_io(sim, &client_addr);
	client.op = (struct io_op){.done = done, .owner = &client};
	client.again = (struct io_timer){.fired = start, .owner = &client};
	buf_init(&client.in, 1 << 16);
	io_timer_start(client.io, &client.again, 1000);
	for (int i = 0; i < 1000000 && !client.accepted && sim_now_ms(sim) < 86400000; i++)
		if (!sim_step(sim))
			break;
	sim_server_power_cut(server);
	sim_heal(sim);
	for (uint64_t until = sim_now_ms(sim) + 86400000; sim_now_ms(sim) < until && sim_step(sim);)
		;
	sim_server_each_file(server, "/mail", true, show, &files);
	hash = sim_trace_hash(sim);
	steps = sim_steps(sim);
	if (client.accepted && files == 0)
		sim_fail(sim, "accepted and lost");
	if (verbose)
		printf("seed %" PRIu64 " accepted %d files %zu steps %" PRIu64 " hash %016" PRIx64 "\n",
		    seed, client.accepted, files, steps, hash);
	buf_fini(&client.in);
	sim_destroy(sim);
	return hash;
}

int
main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

	for (uint64_t seed = first; seed < first + count; seed++) {
		uint64_t hash = run(seed, count == 1);

		printf("%" PRIu64 " %016" PRIx64 "\n", seed, hash);
	}
	return 0;
}
