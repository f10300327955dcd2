/*
 * VRFY, EXPN and ETRN of clients that may relay; nobody else's come here (smtp_server.h).
 * The answers to the first two are lookup's, about the same tables that decide RCPT.
 */
#include "proc/reception/reception_internal.h"

#include "base/check.h"

enum { EXPANSION_BYTES_MAX = 12 << 10 };

/* "user", "user@example.org" or "<user@example.org>"; a user alone is of our first domain. */
static bool
write_address(const struct session *session, struct span query, struct buf *out)
{
	const struct conf *conf = session->reception->conf;
	struct address address;
	const char *why;

	if (query.len > 2 && query.ptr[0] == '<' && query.ptr[query.len - 1] == '>')
		query = span_of(query.ptr + 1, query.len - 2);
	if (address_parse(query, &address, &why) == OK) {
		address_write_canonical(out, &address);
		return buf_finish(out) == OK;
	}
	if (span_find(query, '@') < query.len || conf->domain_count == 0)
		return false;
	buf_add(out, query);
	buf_add_char(out, '@');
	buf_add(out, conf->domains[0]);
	return buf_finish(out) == OK && address_parse(buf_span(out), &address, &why) == OK;
}

void
query_address(struct session *session, struct span query, bool expand)
{
	struct buf address;

	buf_init(&address, ADDRESS_BYTES_MAX);
	session->expands = expand;
	if (write_address(session, query, &address))
		ask_lookup(session, buf_span(&address));
	else
		session_reply_id(session, REPLY_VRFY_UNKNOWN);
	buf_fini(&address);
}

/* All targets, one a line, as far as a reply can hold them; gives how many there are. */
static size_t
write_targets(struct span blob, struct buf *out, struct ipc_target_entry *first)
{
	struct reader reader = reader_init(blob);
	struct ipc_target_entry target;
	size_t count = 0;

	while (ipc_target_next(&reader, &target)) {
		if (count++ == 0)
			*first = target;
		if (buf_space(out) < target.address.len + 3)
			continue;
		buf_addf(out, "%s<%.*s>", out->len > 0 ? "\n" : "", SPAN_ARGS(target.address));
	}
	return count;
}

static enum reply_id
judge(const struct session *session, size_t count, const struct ipc_target_entry *first)
{
	if (count == 0)
		return REPLY_VRFY_UNKNOWN;
	if (session->expands)
		return REPLY_EXPANDED;
	if (count > 1)
		return REPLY_AMBIGUOUS;
	return first->kind == IPC_TARGET_MAILBOX ? REPLY_VERIFIED : REPLY_VERIFIED_ELSEWHERE;
}

void
query_resolved(struct session *session, const struct ipc_lx_resolved *resolved)
{
	struct ipc_target_entry first = {0};
	struct reply reply = {.id = REPLY_LOOKUP_FAILED};
	struct buf list;

	buf_init(&list, EXPANSION_BYTES_MAX);
	if (resolved->verdict == IPC_LOCAL) {
		reply.id = judge(session, write_targets(resolved->targets, &list, &first), &first);
		reply.args[0] = reply.id == REPLY_EXPANDED ? buf_span(&list) : first.address;
	} else if (resolved->verdict == IPC_REMOTE) {
		write_targets(resolved->targets, &list, &first);
		reply.id = REPLY_NOT_LOCAL;
		reply.args[0] = first.address;
	} else if (resolved->verdict == IPC_UNKNOWN) {
		reply.id = REPLY_VRFY_UNKNOWN;
	}
	session_reply(session, &reply);
	buf_fini(&list);
}

void
query_retry(struct session *session, struct span domain)
{
	struct reply reply = {.id = REPLY_RETRY_STARTED, .args = {domain}};

	if (!session->may_relay && smtp_server_login(session->smtp).len == 0)
		reply.id = REPLY_RETRY_REFUSED;
	else if (!session->reception->queue)
		reply.id = REPLY_RETRY_IMPOSSIBLE;
	else
		ipc_rq_retry_send(
		    session->reception->queue, &(struct ipc_rq_retry){.domain = domain});
	session_reply(session, &reply);
}
