/*
 * DNS by libunbound, whose resolver runs on a thread of its own and tells by a
 * descriptor that answers are there.  Answers are validated with the root's
 * keys where those are installed; servers that are named are the operator's
 * own (or a test's), and are believed.
 *
 * A question ends exactly once: by its answer, which stops its timer, or by
 * its timer, which cancels it.
 */
#include "io/io_internal.h"

#include <stdio.h>
#include <unbound.h>
#include <unistd.h>

enum {
	DNS_NAME_BYTES_MAX = 253,
	DNS_RECORDS_MAX = 1024,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
};

#define TRUST_ANCHOR "/usr/share/dns/root.key"

struct io_dns {
	uv_poll_t poll;
	struct io *io;
	struct ub_ctx *ub;
	struct list questions;
	size_t question_count;
};

struct question {
	struct list link;
	struct io_dns *dns;
	struct io_op *op;
	struct io_timer timer;
	int id;
};

static void
question_free(struct question *question)
{
	struct io_dns *dns = question->dns;

	io_timer_stop(dns->io, &question->timer);
	list_remove(&question->link);
	if (--dns->question_count == 0)
		uv_unref((uv_handle_t *)&dns->poll);
	mem_free(question);
}

static void
question_late(struct io_timer *timer)
{
	struct question *question = container_of(timer, struct question, timer);
	struct io_op *op = question->op;

	ub_cancel(question->dns->ub, question->id);
	question_free(question);
	op->err = ERR_TIMEOUT;
	op->done(op);
}

/* Where aliases led, without the dot at the end; "" where there were none. */
static struct span
canonical(const struct ub_result *result)
{
	struct span name = span_str(result->canonname), asked = span_str(result->qname);

	if (name.len > 0 && name.ptr[name.len - 1] == '.')
		name.len--;
	if (asked.len > 0 && asked.ptr[asked.len - 1] == '.')
		asked.len--;
	return span_eq_nocase(name, asked) ? SPAN("") : name;
}

/* Completes with the answer; what it points to lives until done returns. */
static void
answer(struct io_op *op, const struct ub_result *result)
{
	struct span records[DNS_RECORDS_MAX];
	struct io_dns_answer found = {
	    .rcode = (unsigned)result->rcode,
	    .secure = result->secure,
	    .bogus = result->bogus,
	    .ttl_s = result->ttl > 0 ? (uint32_t)result->ttl : 0,
	    .canonical = canonical(result),
	    .records = records,
	};

	if (!found.bogus && found.rcode != 0 && found.rcode != RCODE_NXDOMAIN) {
		op->err = ERR_DNS;
		op->done(op);
		return;
	}
	/* What fails validation is as good as no record. */
	for (size_t i = 0; !found.bogus && result->data && result->data[i]; i++) {
		if (i == LEN(records))
			break;
		records[i] = span_of(result->data[i], (size_t)result->len[i]);
		found.record_count++;
	}
	if (found.bogus)
		found.rcode = RCODE_SERVFAIL;
	op->answer = &found;
	op->done(op);
}

static enum err
err_from_ub(int status)
{
	return status == UB_SYNTAX ? ERR_SYNTAX : ERR_DNS;
}

static void
on_answer(void *owner, int failed, struct ub_result *result)
{
	struct question *question = owner;
	struct io_op *op = question->op;

	question_free(question);
	if (failed || !result) {
		op->err = err_from_ub(failed);
		op->done(op);
	} else {
		answer(op, result);
	}
	ub_resolve_free(result);
}

static void
on_dns_poll(uv_poll_t *poll, int status, int events)
{
	struct io_dns *dns = poll->data;

	(void)status;
	(void)events;
	ub_process(dns->ub);
}

/* Sets an option; libunbound knows them all, or this is a bug of ours. */
static void
set(struct ub_ctx *ub, const char *option, const char *value)
{
	check(ub_ctx_set_option(ub, option, value) == 0);
}

static enum err
forward_to(struct ub_ctx *ub, const struct net_addr *servers, size_t count)
{
	enum err err = OK;

	for (size_t i = 0; i < count && !err; i++) {
		struct buf text;

		buf_init(&text, NET_TEXT_MAX);
		net_addr_write(&text, &servers[i]);
		buf_addf(&text, "@%u", servers[i].port ? servers[i].port : 53U);
		buf_add_char(&text, '\0');
		err = buf_finish(&text);
		if (!err && ub_ctx_set_fwd(ub, text.ptr) != 0)
			err = ERR_DNS;
		buf_fini(&text);
	}
	return err;
}

static enum err
configure(
    struct ub_ctx *ub, const struct net_addr *servers, size_t count, const char *anchor)
{
	/* Zones that the library answers by itself; our servers know better. */
	static const char *const own[] = {"test.", "localhost.", "127.in-addr.arpa."};
	enum err err;

	ub_ctx_debugout(ub, NULL);
	if (ub_ctx_async(ub, 1) != 0)
		return ERR_DNS;
	set(ub, "outgoing-range:", "256");
	set(ub, "msg-cache-size:", "8m");
	set(ub, "rrset-cache-size:", "16m");
	set(ub, "outgoing-num-tcp:", "16");
	set(ub, "do-not-query-localhost:", "no");
	set(ub, "unblock-lan-zones:", "yes");
	set(ub, "insecure-lan-zones:", "yes");
	if (count > 0) {
		err = forward_to(ub, servers, count);
		if (!err && anchor && ub_ctx_add_ta_file(ub, anchor) != 0)
			err = ERR_NOT_FOUND;
		if (err)
			return err;
	} else {
		int status = ub_ctx_resolvconf(ub, NULL);

		if (status != 0)
			return status == UB_READFILE ? ERR_NOT_FOUND : ERR_DNS;
		if (!anchor && access(TRUST_ANCHOR, R_OK) == 0)
			anchor = TRUST_ANCHOR;
		if (anchor && ub_ctx_add_ta_file(ub, anchor) != 0)
			return ERR_DNS;
	}
	/* This also reads the files, so that none is opened after the start. */
	for (size_t i = 0; i < LEN(own); i++)
		if (ub_ctx_zone_remove(ub, own[i]) != 0)
			return ERR_DNS;
	return OK;
}

void
io_dns_anchor(struct io *io, const char *path)
{
	check(!io->dns);
	io->dns_anchor = path;
}

enum err
io_dns_servers(struct io *io, const struct net_addr *servers, size_t count)
{
	struct io_dns *dns;
	struct ub_ctx *ub;
	enum err err;

	check(!io->dns);
	ub = ub_ctx_create();
	if (!ub)
		return ERR_MEMORY;
	err = configure(ub, servers, count, io->dns_anchor);
	if (err) {
		ub_ctx_delete(ub);
		return err;
	}
	dns = mem_alloc(sizeof(*dns));
	dns->io = io;
	dns->ub = ub;
	list_init(&dns->questions);
	check(uv_poll_init(&io->loop, &dns->poll, ub_fd(ub)) == 0);
	dns->poll.data = dns;
	uv_poll_start(&dns->poll, UV_READABLE, on_dns_poll);
	uv_unref((uv_handle_t *)&dns->poll);
	io->dns = dns;
	return OK;
}

/*
 * The presentation form that libunbound takes: every byte that means something
 * in it is escaped, so that a name means what its bytes say.
 */
static enum err
name_text(struct buf *text, struct span name)
{
	if (name.len == 0 || name.len > DNS_NAME_BYTES_MAX)
		return ERR_SYNTAX;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		if (c > ' ' && c < 0x7f && c != '\\')
			buf_add_char(text, (char)c);
		else
			buf_addf(text, "\\%03u", c);
	}
	buf_add_char(text, '\0');
	return buf_finish(text);
}

static enum err
ask(struct io *io, struct io_op *op, const char *name, enum io_dns_type type)
{
	struct io_dns *dns = io->dns;
	struct question *question = mem_alloc(sizeof(*question));
	int status;

	status = ub_resolve_async(
	    dns->ub, name, (int)type, 1 /* IN */, question, on_answer, &question->id);
	if (status != 0) {
		mem_free(question);
		return err_from_ub(status);
	}
	question->dns = dns;
	question->op = op;
	question->timer.fired = question_late;
	io_timer_start(io, &question->timer, io->dns_timeout_ms);
	list_push(&dns->questions, &question->link);
	if (dns->question_count++ == 0)
		uv_ref((uv_handle_t *)&dns->poll);
	return OK;
}

void
io_dns(struct io *io, struct io_op *op, struct span name, enum io_dns_type type)
{
	struct buf text;
	enum err err = OK;

	check(op->done != NULL);
	io_op_start(op);
	buf_init(&text, 4 * (DNS_NAME_BYTES_MAX + 1));
	if (!io->dns)
		err = io_dns_servers(io, NULL, 0);
	if (!err)
		err = name_text(&text, name);
	if (!err)
		err = ask(io, op, text.ptr, type);
	if (err)
		io_op_end(io, op, err);
	buf_fini(&text);
}

static void
dns_closed(uv_handle_t *handle)
{
	struct io_dns *dns = handle->data;

	ub_ctx_delete(dns->ub);
	mem_free(dns);
}

void
io_dns_destroy(struct io *io)
{
	struct io_dns *dns = io->dns;

	if (!dns)
		return;
	while (!list_empty(&dns->questions)) {
		struct question *question =
		    container_of(dns->questions.next, struct question, link);

		ub_cancel(dns->ub, question->id);
		question_free(question);
	}
	io->dns = NULL;
	uv_close((uv_handle_t *)&dns->poll, dns_closed);
}
