/*
 * I/O of "postrider check": each call starts one operation and runs the loop
 * until it is done or its time is over.  Whatever comes is bounded.
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/list.h"
#include "cli/cli_check_internal.h"

/* A question; one that was given up stays until the end, since it may still be answered. */
struct question {
	struct list link;
	struct cli_check *check;
	struct io_op op;
	struct cli_check_answer *answer; /* NULL: nobody waits */
	bool done;
};

struct cli_check_late {
	struct list questions;
};

struct cli_check_link {
	struct cli_check *check;
	struct io_op connect, read;
	struct io_stream *stream;
	struct tls *tls;
	struct buf in;
	enum err ended; /* OK: more may come */
	bool connected, reading, was_read;
};

struct alarm {
	struct io_timer timer;
	struct io *io;
	bool rung;
};

static void
ring(struct io_timer *timer)
{
	struct alarm *alarm = timer->owner;

	alarm->rung = true;
	io_stop(alarm->io);
}

/* Runs until *done; false where the time was over before. */
static bool
wait_for(struct cli_check *check, const bool *done, uint64_t timeout_ms)
{
	struct alarm alarm = {.timer = {.fired = ring}, .io = check->io};
	uint64_t left = check->began_ms + CLI_CHECK_WAITS * check->options->timeout_ms;
	uint64_t now = io_now_ms(check->io);

	left = left > now ? left - now : 1;
	alarm.timer.owner = &alarm;
	io_timer_start(check->io, &alarm.timer, timeout_ms < left ? timeout_ms : left);
	while (!*done && !alarm.rung)
		io_run(check->io);
	io_timer_stop(check->io, &alarm.timer);
	return *done;
}

uint64_t
cli_check_now(struct cli_check *check)
{
	const bool never = false;

	/* The loop's clock stands still between its turns. */
	wait_for(check, &never, 0);
	return io_now_ms(check->io);
}

bool
cli_check_is_over(struct cli_check *check)
{
	uint64_t end = check->began_ms + CLI_CHECK_WAITS * check->options->timeout_ms;

	if (io_now_ms(check->io) < end)
		return false;
	check_add(check->report, FINDING_CHECK_STOPPED, span_of("", 0), WORD_COUNT, NULL);
	return true;
}

static void
keep_answer(struct cli_check_answer *answer, const struct io_dns_answer *found)
{
	answer->rcode = found->rcode;
	answer->secure = found->secure;
	answer->bogus = found->bogus;
	for (size_t i = 0; i < found->record_count; i++) {
		struct span record = found->records[i];

		if (answer->count == CLI_CHECK_RECORDS_MAX ||
		    record.len > sizeof(answer->bytes) - answer->used)
			return;
		memcpy(answer->bytes + answer->used, record.ptr, record.len);
		answer->records[answer->count++] =
		    span_of(answer->bytes + answer->used, record.len);
		answer->used += record.len;
	}
}

static void
answered(struct io_op *op)
{
	struct question *question = op->owner;

	question->done = true;
	if (!question->answer)
		return;
	question->answer->err = op->err;
	if (!op->err)
		keep_answer(question->answer, op->answer);
	io_stop(question->check->io);
}

static void
tell_answer(struct cli_check *check, const struct cli_check_answer *answer)
{
	char text[64];

	snprintf(text, sizeof(text), "%zu", answer->count);
	if (answer->err)
		cli_check_end(check, WORD_CHECK_NO_ANSWER, NULL);
	else if (answer->bogus)
		cli_check_end(check, WORD_CHECK_BOGUS, NULL);
	else if (answer->rcode == 3)
		cli_check_end(check, WORD_CHECK_NO_NAME, NULL);
	else if (answer->count == 0)
		cli_check_end(check, WORD_CHECK_NOTHING, NULL);
	else
		cli_check_end(check, WORD_CHECK_TEXT,
		    &(struct word_fields){.text = span_str(text)});
}

static const char *
type_name(enum io_dns_type type)
{
	switch (type) {
	case IO_DNS_A:
		return "A";
	case IO_DNS_CNAME:
		return "CNAME";
	case IO_DNS_PTR:
		return "PTR";
	case IO_DNS_MX:
		return "MX";
	case IO_DNS_TXT:
		return "TXT";
	case IO_DNS_AAAA:
		return "AAAA";
	case IO_DNS_TLSA:
		return "TLSA";
	}
	return "?";
}

struct cli_check_answer *
cli_check_ask(struct cli_check *check, const char *name, enum io_dns_type type)
{
	struct cli_check_answer *answer = mem_alloc(sizeof(*answer));
	struct question *question = mem_alloc(sizeof(*question));

	cli_check_begin(check, WORD_CHECK_ASKING,
	    &(struct word_fields){.a = span_str(type_name(type)), .name = span_str(name)});
	*question = (struct question){.check = check, .answer = answer};
	question->op = (struct io_op){.done = answered, .owner = question};
	io_dns(check->io, &question->op, span_str(name), type);
	if (wait_for(check, &question->done, check->options->timeout_ms)) {
		mem_free(question);
	} else {
		question->answer = NULL;
		answer->err = ERR_TIMEOUT;
		if (!check->late) {
			check->late = mem_alloc(sizeof(*check->late));
			list_init(&check->late->questions);
		}
		list_push(&check->late->questions, &question->link);
	}
	tell_answer(check, answer);
	return answer;
}

struct cli_check_answer *
cli_check_ask_txt(struct cli_check *check, const char *name)
{
	struct cli_check_answer *answer = cli_check_ask(check, name, IO_DNS_TXT);
	size_t kept = 0;

	for (size_t i = 0; i < answer->count; i++) {
		char *at = answer->bytes + (answer->records[i].ptr - answer->bytes);
		struct span joined;

		/* Joining only takes bytes away, so it may be done where they are. */
		if (answer->records[i].len > 0 &&
		    sts_txt_join(answer->records[i], at, answer->records[i].len, &joined) == OK)
			answer->records[kept++] = joined;
	}
	answer->count = kept;
	return answer;
}

static void
add_addrs(const struct cli_check_answer *answer, uint8_t family, struct net_addr *addrs,
    size_t *count)
{
	size_t bytes = family == 4 ? 4 : 16;

	for (size_t i = 0; i < answer->count && *count < CHECK_ADDRS_MAX; i++) {
		if (answer->records[i].len != bytes)
			continue;
		addrs[*count] = (struct net_addr){.family = family};
		memcpy(addrs[*count].bytes, answer->records[i].ptr, bytes);
		(*count)++;
	}
}

bool
cli_check_addresses(struct cli_check *check, const char *name, struct net_addr *addrs,
    size_t *count, struct cli_check_answer **a)
{
	struct cli_check_answer *v4 = cli_check_ask(check, name, IO_DNS_A);
	struct cli_check_answer *v6 = cli_check_ask(check, name, IO_DNS_AAAA);
	bool good = !v4->err && !v6->err;

	*count = 0;
	add_addrs(v4, 4, addrs, count);
	add_addrs(v6, 6, addrs, count);
	mem_free(v6);
	if (a)
		*a = v4;
	else
		mem_free(v4);
	return good;
}

static void
connected(struct io_op *op)
{
	struct cli_check_link *link = op->owner;

	link->connected = true;
	io_stop(link->check->io);
}

enum err
cli_check_connect(
    struct cli_check *check, const struct net_addr *addr, struct cli_check_link **made)
{
	struct cli_check_link *link = mem_alloc(sizeof(*link));
	enum err err = ERR_TIMEOUT;

	*made = NULL;
	link->check = check;
	buf_init(&link->in, CLI_CHECK_INPUT_BYTES_MAX);
	link->connect = (struct io_op){.done = connected, .owner = link};
	io_connect(check->io, &link->connect, addr);
	if (wait_for(check, &link->connected, check->options->timeout_ms))
		err = link->connect.err;
	else
		io_abort(link->connect.stream);
	if (err) {
		buf_fini(&link->in);
		mem_free(link);
		return err == ERR_REFUSED || err == ERR_TIMEOUT ? err : ERR_UNREACHABLE;
	}
	link->stream = link->connect.stream;
	*made = link;
	return OK;
}

void
cli_check_close(struct cli_check_link *link)
{
	if (!link)
		return;
	if (link->tls) {
		tls_shut_down(link->tls);
		io_send(link->stream, tls_output(link->tls));
	}
	io_close(link->stream);
	tls_destroy(link->tls);
	buf_fini(&link->in);
	mem_free(link);
}

static void
flush_tls(struct cli_check_link *link)
{
	struct span out = tls_output(link->tls);

	io_send(link->stream, out);
	tls_output_done(link->tls, out.len);
}

static void
take(struct cli_check_link *link, struct span bytes)
{
	buf_add(&link->in, bytes);
	if (link->in.full)
		link->ended = ERR_TOO_LONG;
}

static void
drive_tls(struct cli_check_link *link)
{
	struct span plain;
	enum err err = OK;

	while (!link->ended && (err = tls_next(link->tls, &plain)) == OK)
		take(link, plain);
	flush_tls(link);
	if (err == ERR_CRYPTO || err == ERR_END)
		link->ended = err == ERR_END ? ERR_CLOSED : ERR_CRYPTO;
}

static void
was_read(struct io_op *op)
{
	struct cli_check_link *link = op->owner;

	link->reading = false;
	link->was_read = true;
	if (op->err)
		link->ended = ERR_CLOSED;
	else if (!link->tls)
		take(link, op->bytes);
	else if (tls_input(link->tls, op->bytes) != OK)
		link->ended = ERR_TOO_LONG;
	else
		drive_tls(link);
	io_stop(link->check->io);
}

/* Waits until something was read, or the end. */
static enum err
more(struct cli_check_link *link, uint64_t timeout_ms)
{
	if (link->ended)
		return link->ended;
	if (!link->reading) {
		link->read = (struct io_op){.done = was_read, .owner = link};
		link->reading = true;
		link->was_read = false;
		io_read(link->stream, &link->read);
	}
	return wait_for(link->check, &link->was_read, timeout_ms) ? OK : ERR_TIMEOUT;
}

void
cli_check_send(struct cli_check_link *link, struct span bytes)
{
	if (link->ended)
		return;
	if (!link->tls)
		io_send(link->stream, bytes);
	else if (tls_write(link->tls, bytes) == OK)
		flush_tls(link);
	else
		link->ended = ERR_CLOSED;
}

enum err
cli_check_wait(struct cli_check_link *link, uint64_t timeout_ms)
{
	return link->in.len > 0 ? OK : more(link, timeout_ms);
}

struct span
cli_check_input(const struct cli_check_link *link)
{
	return buf_span(&link->in);
}

enum err
cli_check_reply(
    struct cli_check_link *link, struct check_reply *reply, uint64_t timeout_ms)
{
	uint64_t began = io_now_ms(link->check->io);

	for (;;) {
		size_t used;
		enum err err = check_reply_take(buf_span(&link->in), reply, &used);
		uint64_t spent = io_now_ms(link->check->io) - began;

		if (!err)
			buf_consume(&link->in, used);
		if (err != ERR_AGAIN)
			return err;
		err = spent < timeout_ms ? more(link, timeout_ms - spent) : ERR_TIMEOUT;
		if (err)
			return err;
	}
}

enum err
cli_check_handshake(struct cli_check_link *link, struct tls_context *context,
    const char *name, char *why, size_t why_bytes)
{
	uint64_t began = io_now_ms(link->check->io);
	enum err err = OK;

	/* What came in the clear before is nobody's word. */
	buf_reset(&link->in);
	link->tls = tls_connect(context, span_str(name));
	drive_tls(link);
	while (!err && !link->ended && !tls_is_ready(link->tls)) {
		uint64_t spent = io_now_ms(link->check->io) - began;

		err = spent < link->check->options->timeout_ms
			  ? more(link, link->check->options->timeout_ms - spent)
			  : ERR_TIMEOUT;
	}
	if (tls_is_ready(link->tls))
		return OK;
	if (link->ended == ERR_CRYPTO)
		snprintf(why, why_bytes, "%s", tls_failure(link->tls));
	else
		snprintf(why, why_bytes, "%s", err_text(link->ended ? link->ended : err));
	return ERR_CRYPTO;
}

const struct tls *
cli_check_tls(const struct cli_check_link *link)
{
	return link->tls;
}

void
cli_check_net_fini(struct cli_check *check)
{
	io_destroy(check->io);
	check->io = NULL;
	if (!check->late)
		return;
	list_for_each_safe(node, &check->late->questions)
	{
		list_remove(node);
		mem_free(container_of(node, struct question, link));
	}
	mem_free(check->late);
}
