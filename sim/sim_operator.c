/*
 * Somebody at the control socket: asks how many messages there are, holds, releases, retries,
 * reroutes, suspends and deletes.  One question at a time; one that gets no answer is given up.
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/id.h"
#include "sim_actors.h"

enum { ANSWER_BYTES_MAX = 1 << 20, ANSWER_MS_MAX = 20000 };

struct operator {
	struct oracle *oracle;
	struct io *io;
	struct sim_server *server;
	struct io_stream *stream;
	bool connecting;
	struct io_op connect, read;
	struct io_timer timer;
	const char *verb; /* what is done to one message, by that id; NULL: something else */
	uint64_t id;
	char request[200];
	char said[2000]; /* the beginning of the last answer */
	struct buf answer;
	int64_t total;
};

static void
over(struct operator *operator)
{
	io_timer_stop(operator->io, &operator->timer);
	if (operator->connecting)
		io_abort(operator->connect.stream);
	io_close(operator->stream);
	operator->stream = NULL;
	operator->connecting = false;
	buf_reset(&operator->answer);
}

/*
 * What the answer promises is durable now.  Recipients of a deleted message that were under way may
 * still get it.
 */
static void
take_promise(struct operator *operator)
{
	struct witness *witness = oracle_witness(operator->oracle);
	const char *said = operator->said;

	if (!operator->verb || !strstr(said, "\"count\":1,") || strstr(said, "\"lost\":true"))
		return;
	if (strcmp(operator->verb, "hold") == 0)
		witness_kept(witness, operator->server, operator->id, false);
	else if (strcmp(operator->verb, "delete") == 0 && !strstr(said, "\"recipients\":"))
		witness_kept(witness, operator->server, operator->id, true);
	else
		return;
	sim_faults_at_answer(operator->server);
}

static void
take_answer(struct operator *operator)
{
	struct span all = buf_span(&operator->answer);
	const char *total = memmem(all.ptr, all.len, "\"total\":", 8);
	uint64_t number = 0;
	size_t digits = 0;
	struct span rest;

	snprintf(operator->said, sizeof(operator->said), "%.*s", SPAN_ARGS(all));
	take_promise(operator);
	if (!total)
		return;
	rest = span_skip(all, (size_t)(total - all.ptr) + 8);
	while (digits < rest.len && ascii_is_digit(rest.ptr[digits]))
		digits++;
	if (span_u64(span_first(rest, digits), INT32_MAX, &number))
		operator->total = (int64_t)number;
}

static void
read_done(struct io_op *op)
{
	struct operator *operator = op->owner;

	if (op->err) {
		over(operator);
		return;
	}
	buf_add(&operator->answer, op->bytes);
	if (buf_finish(&operator->answer)) {
		over(operator);
		return;
	}
	if (memmem(operator->answer.ptr, operator->answer.len, "\"done\"", 6) ||
	    memmem(operator->answer.ptr, operator->answer.len, "\"error\"", 7)) {
		take_answer(operator);
		over(operator);
		return;
	}
	io_read(operator->stream, &operator->read);
}

static void
connected(struct io_op *op)
{
	struct operator *operator = op->owner;

	operator->connecting = false;
	if (op->err) {
		over(operator);
		return;
	}
	operator->stream = op->stream;
	io_send(operator->stream, span_str(operator->request));
	io_read(operator->stream, &operator->read);
}

static void
late(struct io_timer *timer)
{
	over(timer->owner);
}

static void
ask(struct operator *operator)
{
	struct net_addr to = sim_server_control(operator->server);

	operator->connecting = true;
	operator->connect = (struct io_op){.done = connected, .owner = operator};
	operator->read = (struct io_op){.done = read_done, .owner = operator};
	io_timer_start(operator->io, &operator->timer, ANSWER_MS_MAX);
	io_connect(operator->io, &operator->connect, &to);
}

struct operator *
operator_create(struct oracle *oracle, struct io *io, struct sim_server *server)
{
	struct operator *operator = mem_alloc(sizeof(*operator));

	operator->oracle = oracle;
	operator->io = io;
	operator->server = server;
	operator->total = -1;
	operator->timer = (struct io_timer){.fired = late, .owner = operator};
	buf_init(&operator->answer, ANSWER_BYTES_MAX);
	return operator;
}

void
operator_destroy(struct operator *operator)
{
	buf_fini(&operator->answer);
	mem_free(operator);
}

void
operator_do(struct operator *operator, const char *verb, uint64_t id)
{
	char text[ID_TEXT_MAX];

	over(operator);
	operator->verb = id ? verb : NULL;
	operator->id = id;
	if (strcmp(verb, "release") == 0)
		witness_releases(oracle_witness(operator->oracle), operator->server, id);
	snprintf(operator->request, sizeof(operator->request),
	    "{\"do\": \"%s\", \"id\": \"%.*s\", \"who\": \"operator\"}\n", verb,
	    SPAN_ARGS(id ? id_text(text, id) : SPAN("all")));
	sim_trace(oracle_sim(operator->oracle), "operator: %s", operator->request);
	ask(operator);
}

void
operator_reroute(struct operator *operator, const char *domain, const char *host)
{
	over(operator);
	operator->verb = NULL;
	snprintf(operator->request, sizeof(operator->request),
	    "{\"do\": \"reroute\", \"id\": \"all\", \"for\": \"%s\"%s%s%s, "
	    "\"who\": \"operator\"}\n",
	    domain, host ? ", \"host\": \"" : "", host ? host : "", host ? "\"" : "");
	sim_trace(oracle_sim(operator->oracle), "operator: %s", operator->request);
	ask(operator);
}

void
operator_suspend(struct operator *operator, const char *destination, unsigned seconds)
{
	over(operator);
	operator->verb = NULL;
	snprintf(operator->request, sizeof(operator->request),
	    "{\"do\": \"suspend\", \"for\": \"%s\", \"seconds\": %u, "
	    "\"who\": \"operator\"}\n",
	    destination, seconds);
	sim_trace(oracle_sim(operator->oracle), "operator: %s", operator->request);
	ask(operator);
}

void
operator_ask_total(struct operator *operator)
{
	over(operator);
	operator->verb = NULL;
	operator->total = -1;
	snprintf(operator->request, sizeof(operator->request),
	    "{\"do\": \"list\", \"limit\": 1}\n");
	ask(operator);
}

const char *
operator_said(const struct operator *operator)
{
	return operator->said;
}

int64_t
operator_total(const struct operator *operator)
{
	return operator->total;
}
