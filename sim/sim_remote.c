/*
 * Another server.  It takes mail for its domains and tells the oracle of each message; in a mood
 * it is slow, answers nonsense, refuses, or ends the connection, at any step, even after
 * it has taken a message and before it has said so.  Here are its connections, and what goes wrong
 * on them.
 */
#include "sim_remote.h"

#include <stdio.h>

enum { LINE_BYTES_MAX = 4096, MESSAGE_BYTES_MAX = 8 << 20, DRIP_BYTES = 250, FORGETS_MS = 400 };

static void take_input(struct visit *visit);

void
remote_visit_over(struct visit *visit, bool reset)
{
	io_timer_stop(visit->remote->options.io, &visit->timer);
	if (reset)
		io_abort(visit->stream);
	else
		io_close(visit->stream);
	list_remove(&visit->node);
	buf_fini(&visit->input);
	buf_fini(&visit->output);
	buf_fini(&visit->body);
	mem_free(visit);
}

uint64_t
remote_chance(const struct visit *visit, uint64_t below)
{
	return sim_chance(visit->remote->sim, below);
}

static void read_done(struct io_op *op);

static void
read_more(struct visit *visit)
{
	if (visit->reading || (visit->waiting && !visit->forgetting))
		return;
	visit->reading = true;
	visit->read = (struct io_op){.done = read_done, .owner = visit};
	io_read(visit->stream, &visit->read);
}

void
remote_forget(struct visit *visit)
{
	visit->input_used = visit->input.len;
	visit->forgetting = visit->waiting = true;
	io_timer_start(visit->remote->options.io, &visit->timer,
	    FORGETS_MS / 2 + remote_chance(visit, FORGETS_MS));
	read_more(visit);
}

bool
remote_flush(struct visit *visit)
{
	size_t bytes = visit->output.len;

	if (visit->half_closed) {
		buf_reset(&visit->output);
		return true;
	}
	if (visit->output_piece && bytes > visit->output_piece)
		bytes = visit->output_piece;
	io_send(visit->stream, span_of(visit->output.ptr, bytes));
	buf_consume(&visit->output, bytes);
	if (visit->output.len > 0) {
		visit->waiting = true;
		io_timer_start(
		    visit->remote->options.io, &visit->timer, 500 + remote_chance(visit, 3000));
		return true;
	}
	visit->output_piece = 0;
	visit->waiting = false;
	if (visit->closing) {
		remote_visit_over(visit, false);
		return false;
	}
	return true;
}

static void
waited(struct io_timer *timer)
{
	struct visit *visit = timer->owner;

	visit->forgetting = false;
	if (remote_flush(visit) && !visit->waiting)
		take_input(visit);
}

void
remote_say(struct visit *visit, const char *format, ...)
{
	va_list arguments;
	char text[600];

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	buf_addf(&visit->output, "%s\r\n", text);
}

/* What goes wrong instead of a reply. */
enum fault {
	FAULT_NONE,
	FAULT_LATER,    /* 4xx */
	FAULT_NEVER,    /* 5xx */
	FAULT_GARBAGE,
	FAULT_LONG,
	FAULT_DROP,     /* reset */
	FAULT_CLOSE,
	FAULT_HALF,     /* no more to say, still listening */
	FAULT_SILENT,   /* never a word again */
	FAULT_CLOSING,  /* 421 */
	FAULT_NUL,      /* 4xx, with what no text has */
	FAULT_CUT,      /* a part of a reply, then the end */
	FAULT_DRIP,     /* a 4xx that takes longer than anybody waits, a byte at a time */
	FAULT_COUNT,
};

bool
remote_errs(const struct visit *visit)
{
	const struct mood *mood = visit->remote->options.mood;

	return !mood->healed && sim_happens(visit->remote->sim, mood->remote_ppm);
}

/* "Not now" in words of which some ask for more than to come again. */
static const char *const later[] = {"4.3.0 not now", "4.3.0 not now",
    "4.2.0 greylisted for 20 seconds", "4.7.0 too many connections",
    "4.7.1 rate limit exceeded", "4.7.1 blocked using bl.example"};

bool
remote_fault(struct visit **at, enum step step)
{
	struct visit *visit = *at;
	enum fault fault;

	if (!remote_errs(visit))
		return false;
	fault = (enum fault)(1 + remote_chance(visit, FAULT_COUNT - 1));
	visit->remote->faults++;
	sim_trace(visit->remote->sim, "%s fault %d at %d", visit->remote->options.name, (int)fault,
	    (int)step);
	switch (fault) {
	case FAULT_LATER:
		remote_say(visit, "4%u1 %s", (unsigned)remote_chance(visit, 6),
		    later[remote_chance(visit, LEN(later))]);
		return true;
	case FAULT_NEVER:
		if (step == STEP_QUIT)
			return false;
		remote_say(visit, "5%u0 5.%u.0 never", (unsigned)(5 * remote_chance(visit, 2)),
		    (unsigned)remote_chance(visit, 8));
		return true;
	case FAULT_GARBAGE:
		remote_say(visit, "%s", remote_chance(visit, 2) ? "HTTP/1.1 200 OK" : "2x\x01\xff");
		return true;
	case FAULT_LONG:
		for (unsigned i = 0; i < 2000; i++)
			remote_say(visit, "250-and on and on and on and on and on and on");
		return true;
	case FAULT_CLOSING:
		remote_say(visit, "421 4.3.2 going down");
		visit->closing = true;
		return true;
	case FAULT_NUL:
		buf_add(&visit->output, SPAN("451 4.3.0 o\0k\0\r\n"));
		return true;
	case FAULT_CUT:
		buf_add_str(&visit->output, "250-2.0.0 ok\r\n250 2.0");
		visit->closing = true;
		return true;
	case FAULT_DRIP:
		remote_say(visit, "451 %0*u", DRIP_BYTES, 0);
		visit->output_piece = 1;
		return true;
	case FAULT_HALF:
		sim_stream_shutdown(visit->stream);
		visit->half_closed = true;
		return true;
	case FAULT_SILENT:
		visit->waiting = true;
		return true;
	case FAULT_DROP:
	case FAULT_CLOSE:
	case FAULT_NONE:
	case FAULT_COUNT:
		break;
	}
	remote_visit_over(visit, fault == FAULT_DROP);
	*at = NULL;
	return true;
}

/* Takes what is there, line by line; waits where it is slow. */
static void
take_input(struct visit *visit)
{
	const struct remote *remote = visit->remote;

	while (!visit->waiting && !visit->closing) {
		struct span rest = span_skip(buf_span(&visit->input), visit->input_used);
		size_t end = span_find(rest, '\n');
		char line[LINE_BYTES_MAX];
		size_t bytes = end > 0 && end <= rest.len && rest.ptr[end - 1] == '\r' ? end - 1
		                                                                        : end;

		if (end == rest.len)
			break;
		if (bytes >= sizeof(line))
			sim_fail(remote->sim, "property 3: a line of %zu bytes at %s", bytes,
			    remote->options.name);
		memcpy(line, rest.ptr, bytes);
		visit->input_used += end + 1;
		if (visit->in_body)
			remote_take_body_line(&visit, span_of(line, bytes));
		else
			remote_take_command(&visit, span_of(line, bytes));
		if (!visit)
			return;
		if (visit->waiting || visit->in_body)
			continue;
		if (!remote->options.mood->healed &&
		    sim_happens(remote->sim, remote->options.slow_ppm)) {
			visit->output_piece = 1 + remote_chance(visit, 20);
			visit->waiting = true;
			io_timer_start(remote->options.io, &visit->timer,
			    remote_chance(visit, 200000));
		}
	}
	if (visit->waiting)
		return;
	if (!remote_flush(visit) || visit->waiting)
		return;
	buf_consume(&visit->input, visit->input_used);
	visit->input_used = 0;
	read_more(visit);
}

static void
read_done(struct io_op *op)
{
	struct visit *visit = op->owner;

	visit->reading = false;
	if (op->err) {
		remote_visit_over(visit, false);
		return;
	}
	if (visit->half_closed || visit->forgetting) {
		read_more(visit);
		return;
	}
	buf_add(&visit->input, op->bytes);
	take_input(visit);
}

static void
accepted(struct io_op *op)
{
	struct remote *remote = op->owner;
	struct visit *visit;

	if (op->err)
		sim_fail(remote->sim, "an actor cannot accept: %s", err_text(op->err));
	visit = mem_alloc(sizeof(*visit));
	visit->remote = remote;
	visit->stream = op->stream;
	visit->timer = (struct io_timer){.fired = waited, .owner = visit};
	buf_init(&visit->input, MESSAGE_BYTES_MAX);
	buf_init(&visit->output, 1 << 20);
	buf_init(&visit->body, MESSAGE_BYTES_MAX);
	list_push(&remote->visits, &visit->node);
	io_accept(remote->listener, &remote->accept);
	if (!remote_fault(&visit, STEP_GREET))
		remote_say(visit, "220 %s ESMTP", remote->options.name);
	if (visit)
		take_input(visit);
}

struct remote *
remote_create(const struct remote_options *options)
{
	struct remote *remote = mem_alloc(sizeof(*remote));
	int fd = sim_listen(options->io, &options->addr);

	remote->options = *options;
	remote->sim = oracle_sim(options->oracle);
	list_init(&remote->visits);
	check(io_listener_open(options->io, fd, &remote->listener) == OK);
	remote->accept = (struct io_op){.done = accepted, .owner = remote};
	io_accept(remote->listener, &remote->accept);
	return remote;
}

void
remote_destroy(struct remote *remote)
{
	while (!list_empty(&remote->visits)) {
		struct visit *visit = container_of(remote->visits.next, struct visit, node);

		list_remove(&visit->node);
		buf_fini(&visit->input);
		buf_fini(&visit->output);
		buf_fini(&visit->body);
		mem_free(visit);
	}
	mem_free(remote);
}

uint64_t
remote_faults(const struct remote *remote)
{
	return remote->faults;
}
