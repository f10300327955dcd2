/*
 * Another server.  It takes mail for its domains and tells the oracle of each message; in a mood
 * it is slow, answers nonsense, refuses, or ends the connection, at any step, even after
 * it has taken a message and before it has said so.
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/list.h"
#include "sim_actors.h"

enum {
	REMOTE_RCPTS_MAX = 100,
	LINE_BYTES_MAX = 4096,
	MESSAGE_BYTES_MAX = 8 << 20,
};

struct remote {
	struct remote_options options;
	struct sim *sim;
	struct io_listener *listener;
	struct io_op accept;
	struct list visits;
	uint64_t faults;
};

/* One connection to it. */
struct visit {
	struct list node;
	struct remote *remote;
	struct io_stream *stream;
	struct io_op read;
	struct io_timer timer;
	struct buf input, output, body;
	size_t input_used; /* bytes of input that were taken */
	bool seven_bits; /* nobody was told of 8BITMIME */
	bool hello, mail, in_body, reading, waiting, closing, half_closed;
	size_t output_piece; /* a tarpit's: so many bytes at a time; 0: all */
	bool line_is_new;
	char from[LETTER_ADDRESS_BYTES];
	char rcpts[REMOTE_RCPTS_MAX][LETTER_ADDRESS_BYTES];
	size_t rcpt_count;
};

/* Where something can go wrong. */
enum step {
	STEP_GREET,
	STEP_HELLO,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_BODY,
	STEP_END,
	STEP_QUIT
};

static void take_input(struct visit *visit);

static void
visit_over(struct visit *visit, bool reset)
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

static uint64_t
chance(const struct visit *visit, uint64_t below)
{
	return sim_chance(visit->remote->sim, below);
}

static void read_done(struct io_op *op);

static void
read_more(struct visit *visit)
{
	if (visit->reading || visit->waiting)
		return;
	visit->reading = true;
	visit->read = (struct io_op){.done = read_done, .owner = visit};
	io_read(visit->stream, &visit->read);
}

/* Sends what is to be said now; false where the visit is over. */
static bool
flush(struct visit *visit)
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
		io_timer_start(visit->remote->options.io, &visit->timer, 500 + chance(visit, 3000));
		return true;
	}
	visit->output_piece = 0;
	visit->waiting = false;
	if (visit->closing) {
		visit_over(visit, false);
		return false;
	}
	return true;
}

static void
waited(struct io_timer *timer)
{
	struct visit *visit = timer->owner;

	if (flush(visit) && !visit->waiting)
		take_input(visit);
}

static void
say(struct visit *visit, const char *format, ...)
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
	FAULT_COUNT,
};

static enum fault
choose_fault(struct visit *visit)
{
	const struct remote *remote = visit->remote;

	if (remote->options.mood->healed ||
	    !sim_happens(remote->sim, remote->options.mood->remote_ppm))
		return FAULT_NONE;
	return (enum fault)(1 + chance(visit, FAULT_COUNT - 1));
}

/* "Not now" in words of which some ask for more than to come again. */
static const char *const later[] = {"4.3.0 not now", "4.3.0 not now",
    "4.2.0 greylisted for 20 seconds", "4.7.0 too many connections",
    "4.7.1 rate limit exceeded", "4.7.1 blocked using bl.example"};

/* True where the fault took the place of the reply; the visit may be over, then it is NULL. */
static bool
apply_fault(struct visit **at, enum step step)
{
	struct visit *visit = *at;
	enum fault fault = choose_fault(visit);

	if (fault == FAULT_NONE)
		return false;
	visit->remote->faults++;
	sim_trace(visit->remote->sim, "%s fault %d at %d", visit->remote->options.name, (int)fault,
	    (int)step);
	switch (fault) {
	case FAULT_LATER:
		say(visit, "4%u1 %s", (unsigned)chance(visit, 6), later[chance(visit, LEN(later))]);
		return true;
	case FAULT_NEVER:
		if (step == STEP_QUIT)
			return false;
		say(visit, "5%u0 5.%u.0 never", (unsigned)(5 * chance(visit, 2)),
		    (unsigned)chance(visit, 8));
		return true;
	case FAULT_GARBAGE:
		say(visit, "%s", chance(visit, 2) ? "HTTP/1.1 200 OK" : "2x\x01\xff");
		return true;
	case FAULT_LONG:
		for (unsigned i = 0; i < 2000; i++)
			say(visit, "250-and on and on and on and on and on and on and on and on");
		return true;
	case FAULT_CLOSING:
		say(visit, "421 4.3.2 going down");
		visit->closing = true;
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
	visit_over(visit, fault == FAULT_DROP);
	*at = NULL;
	return true;
}

static bool
is_for_here(const struct remote *remote, struct span address)
{
	struct span domain = span_skip(address, span_find_last(address, '@') + 1);

	for (size_t i = 0; i < remote->options.domain_count; i++)
		if (span_eq_nocase(domain, span_str(remote->options.domains[i])))
			return true;
	return false;
}

/* What stands between "<" and ">". */
static struct span
path_of(struct span line)
{
	struct span rest = span_skip(line, span_find(line, '<') + 1);

	return span_first(rest, span_find(rest, '>'));
}

static void
forget(struct visit *visit)
{
	visit->mail = visit->in_body = false;
	visit->rcpt_count = 0;
	buf_reset(&visit->body);
}

static void
take_mail(struct visit *visit, struct span line)
{
	forget(visit);
	visit->mail = true;
	snprintf(visit->from, sizeof(visit->from), "%.*s", SPAN_ARGS(path_of(line)));
	say(visit, "250 2.1.0 ok");
}

static void
take_rcpt(struct visit *visit, struct span line)
{
	const struct remote *remote = visit->remote;
	struct span address = path_of(line);

	if (!visit->mail)
		say(visit, "503 5.5.1 no MAIL");
	else if (!is_for_here(remote, address))
		say(visit, "550-5.7.1 no\r\n550 5.7.1 relay");
	else if (span_starts(address, SPAN("nobody")))
		say(visit, "550 5.1.1 nobody here of that name");
	else if (visit->rcpt_count >= remote->options.rcpt_max)
		say(visit, "452 4.5.3 too many recipients");
	else {
		snprintf(visit->rcpts[visit->rcpt_count++], LETTER_ADDRESS_BYTES, "%.*s",
		    SPAN_ARGS(address));
		say(visit, "250 2.1.5 ok");
	}
}

static void
take_hello(struct visit *visit, bool extended)
{
	const struct remote *remote = visit->remote;

	visit->hello = true;
	visit->seven_bits = !extended || remote->options.seven_bits;
	forget(visit);
	if (!extended) {
		say(visit, "250 %s", remote->options.name);
		return;
	}
	say(visit, "250-%s", remote->options.name);
	if (remote->options.pipelining)
		say(visit, "250-PIPELINING");
	if (!visit->seven_bits)
		say(visit, "250-8BITMIME");
	say(visit, "250-ENHANCEDSTATUSCODES\r\n250 SIZE 0");
}

/* The message is here: it is taken before anybody is told. */
static void
take_end(struct visit **at)
{
	struct visit *visit = *at;
	const struct remote *remote = visit->remote;
	bool silent = !remote->options.mood->healed &&
	    sim_happens(remote->sim, remote->options.mood->remote_ppm);
	struct span rcpts[REMOTE_RCPTS_MAX];
	struct oracle_mail mail = {
	    .from = span_str(visit->from),
	    .bytes = buf_span(&visit->body),
	    .rcpts = rcpts,
	    .rcpt_count = visit->rcpt_count,
	    .where = remote->options.name,
	    .replied = !silent,
	    .seven_bits = visit->seven_bits,
	};

	if (!silent && apply_fault(at, STEP_END)) {
		if (*at)
			forget(visit);
		return;
	}
	if (buf_finish(&visit->body))
		sim_fail(remote->sim, "property 3: a message without end at %s",
		    remote->options.name);
	for (size_t i = 0; i < visit->rcpt_count; i++)
		rcpts[i] = span_str(visit->rcpts[i]);
	oracle_remote_took(remote->options.oracle, &mail);
	forget(visit);
	if (!silent) {
		say(visit, "250 2.0.0 taken");
		return;
	}
	sim_trace(remote->sim, "%s takes and says nothing", remote->options.name);
	visit->remote->faults++;
	if (chance(visit, 3) == 0) {
		visit->waiting = true;
		return;
	}
	visit_over(visit, chance(visit, 2));
	*at = NULL;
}

/* A line of the message. */
static void
take_body_line(struct visit **at, struct span line)
{
	struct visit *visit = *at;

	if (span_eq(line, SPAN("."))) {
		take_end(at);
		return;
	}
	if (line.len > 0 && line.ptr[0] == '.')
		line = span_skip(line, 1);
	buf_add(&visit->body, line);
	buf_add_str(&visit->body, "\r\n");
	if (visit->body.len % 50 == 7 && !visit->remote->options.mood->healed &&
	    sim_happens(visit->remote->sim, visit->remote->options.mood->remote_ppm / 50)) {
		sim_trace(visit->remote->sim, "%s drops a body", visit->remote->options.name);
		visit->remote->faults++;
		visit_over(visit, true);
		*at = NULL;
	}
}

static void
take_data(struct visit *visit)
{
	if (visit->rcpt_count == 0) {
		say(visit, "554 5.5.1 nobody to give it to");
		return;
	}
	visit->in_body = true;
	buf_reset(&visit->body);
	say(visit, "354 go on");
}

static void
take_command(struct visit **at, struct span line)
{
	struct visit *visit = *at;

	if (span_starts_nocase(line, SPAN("EHLO")) || span_starts_nocase(line, SPAN("HELO"))) {
		if (!apply_fault(at, STEP_HELLO))
			take_hello(visit, span_starts_nocase(line, SPAN("EHLO")));
	} else if (span_starts_nocase(line, SPAN("MAIL FROM:"))) {
		if (!apply_fault(at, STEP_MAIL))
			take_mail(visit, line);
	} else if (span_starts_nocase(line, SPAN("RCPT TO:"))) {
		if (!apply_fault(at, STEP_RCPT))
			take_rcpt(visit, line);
	} else if (span_starts_nocase(line, SPAN("DATA"))) {
		if (!apply_fault(at, STEP_DATA))
			take_data(visit);
	} else if (span_starts_nocase(line, SPAN("RSET"))) {
		forget(visit);
		say(visit, "250 2.0.0 ok");
	} else if (span_starts_nocase(line, SPAN("NOOP"))) {
		say(visit, "250 2.0.0 ok");
	} else if (span_starts_nocase(line, SPAN("QUIT"))) {
		if (apply_fault(at, STEP_QUIT))
			return;
		say(visit, "221 2.0.0 bye");
		visit->closing = true;
	} else {
		say(visit, "500 5.5.1 what?");
	}
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
			take_body_line(&visit, span_of(line, bytes));
		else
			take_command(&visit, span_of(line, bytes));
		if (!visit)
			return;
		if (visit->waiting || visit->in_body)
			continue;
		if (!remote->options.mood->healed &&
		    sim_happens(remote->sim, remote->options.slow_ppm)) {
			visit->output_piece = 1 + chance(visit, 20);
			visit->waiting = true;
			io_timer_start(remote->options.io, &visit->timer, chance(visit, 200000));
		}
	}
	if (visit->waiting)
		return;
	if (!flush(visit) || visit->waiting)
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
		visit_over(visit, false);
		return;
	}
	if (visit->half_closed) {
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
	if (!apply_fault(&visit, STEP_GREET))
		say(visit, "220 %s ESMTP", remote->options.name);
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
