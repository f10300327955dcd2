/*
 * The recipients of a transaction: whose they are, where they lead to, and what RCPT is answered.
 */
#include "proc/reception/reception_internal.h"

#include "base/check.h"
#include "route/route.h"
#include "table/resolve.h"

/*
 * Whether the address is in none of our domains: it leads to itself then, as lookup would say
 * (resolve_address), which need not be asked.
 */
static bool
is_elsewhere(const struct session *session, struct span address)
{
	const struct conf *conf = session->reception->conf;
	const struct resolve_tables tables = {
	    .domains = conf->domains, .domain_count = conf->domain_count};
	size_t at = span_find_last(address, '@');

	return at > 0 && at < address.len && conf->domain_count <= TRANSACTION_DOMAINS_MAX &&
	    !resolve_is_ours(&tables, span_skip(address, at + 1));
}

static struct span
domain_of(struct span address)
{
	return span_skip(address, span_find_last(address, '@') + 1);
}

/* What lookup says of such an address; the caller frees it. */
static void
write_elsewhere(struct span address, struct buf *targets)
{
	const struct ipc_target_entry target = {.kind = IPC_TARGET_REMOTE, .address = address};

	buf_init(targets, ADDRESS_BYTES_MAX + 100);
	ipc_target_write(targets, &target);
	check(buf_finish(targets) == OK);
}

static void
rcpt_elsewhere(struct session *session, struct span address)
{
	struct ipc_lx_resolved resolved = {.verdict = IPC_REMOTE};
	struct buf targets;

	write_elsewhere(address, &targets);
	resolved.targets = buf_span(&targets);
	transaction_rcpt_resolved(session, &resolved);
	buf_fini(&targets);
}

static void
refuse_rcpt(struct session *session, enum reply_id id)
{
	struct reply reply = {.id = id, .args = {session->transaction.rcpt_pending}};

	transaction_say_refused(session, id, session->transaction.rcpt_pending);
	session_reply(session, &reply);
}

void
transaction_rcpt(struct session *session, const struct smtp_server_event *event)
{
	struct transaction *transaction = &session->transaction;
	enum reply_id refusal;
	struct buf canonical;
	bool room;

	check(transaction->active);
	buf_init(&canonical, ADDRESS_BYTES_MAX);
	address_write_canonical(&canonical, &event->address);
	room = buf_finish(&canonical) == OK &&
	    arena_copy(&transaction->arena, buf_span(&canonical), &transaction->rcpt_pending) &&
	    arena_copy(&transaction->arena, event->rcpt.orcpt, &transaction->orcpt_pending);
	transaction->notify_pending = event->rcpt.notify;
	buf_fini(&canonical);
	if (!room) {
		session_reply_id(session, REPLY_TOO_MANY_RECIPIENTS);
		return;
	}
	refusal = session_may(session, LIMIT_RATE_RECIPIENTS);
	if (refusal != REPLY_COUNT)
		refuse_rcpt(session, refusal);
	else if (is_elsewhere(session, transaction->rcpt_pending))
		rcpt_elsewhere(session, transaction->rcpt_pending);
	else
		ask_lookup(session, transaction->rcpt_pending);
}

static bool
add_target(struct transaction *transaction, const struct ipc_target_entry *target, unsigned notify)
{
	struct reception_rcpt *rcpt = arena_alloc(&transaction->arena, sizeof(*rcpt));

	if (!rcpt ||
	    !arena_copy(&transaction->arena, target->address, &rcpt->target.address) ||
	    !arena_copy(&transaction->arena, target->mailbox, &rcpt->target.mailbox))
		return false;
	rcpt->target.kind = target->kind;
	rcpt->original = transaction->rcpt_pending;
	rcpt->notify = notify;
	rcpt->orcpt = transaction->orcpt_pending;
	rcpt->number = transaction->rcpt_count;
	*transaction->rcpts_end = rcpt;
	transaction->rcpts_end = &rcpt->next;
	return true;
}

/*
 * An alias for several, whose sender asked to be told of success: told is that it was expanded, and
 * nobody tells of success any more (RFC 3461 section 5.2.7.3).
 */
static bool
expand(struct transaction *transaction, unsigned *notify)
{
	const struct ipc_target_entry alias = {
	    .kind = IPC_TARGET_ALIAS, .address = transaction->rcpt_pending};

	*notify &= ~(unsigned)SMTP_NOTIFY_SUCCESS;
	if (*notify == 0)
		*notify = SMTP_NOTIFY_NEVER;
	return transaction->reverse_path.len == 0 ||
	    add_target(transaction, &alias, SMTP_NOTIFY_SUCCESS);
}

/* Adds the targets that lookup found; false where there is no room. */
static bool
add_targets(struct transaction *transaction, struct span blob)
{
	struct reader reader = reader_init(blob);
	unsigned notify = transaction->notify_pending;
	struct ipc_target_entry target;
	size_t count = 0;

	while (ipc_target_next(&reader, &target))
		count++;
	if (count > 1 && notify & SMTP_NOTIFY_SUCCESS && !expand(transaction, &notify))
		return false;
	reader = reader_init(blob);
	while (ipc_target_next(&reader, &target))
		if (!add_target(transaction, &target, notify))
			return false;
	return reader_finish(&reader) == OK;
}

/*
 * Whether the queue may know that it does not exist: of what users and our networks send elsewhere,
 * as the queue sees it (suppress.c).
 */
static bool
may_be_suppressed(const struct session *session, const struct conf_route *route)
{
	const struct transaction *transaction = &session->transaction;

	return transaction->reverse_path.len > 0 &&
	    !(route && route->kind == CONF_ROUTE_DISCARD) &&
	    ask_may_be_suppressed(session->reception, domain_of(transaction->reverse_path),
	        transaction->rcpt_pending);
}

static void
refuse_by_rule(struct session *session, const struct conf_route *rule)
{
	const struct reply reply = {
	    .id = REPLY_REFUSED_BY_RULE, .args = {rule->status, rule->text}};

	transaction_say_refused(session, REPLY_REFUSED_BY_RULE, session->transaction.rcpt_pending);
	session_reply(session, &reply);
}

static void
take_rcpt(struct session *session, struct span targets)
{
	struct transaction *transaction = &session->transaction;

	if (!add_targets(transaction, targets)) {
		refuse_rcpt(session, REPLY_TOO_MANY_RECIPIENTS);
		return;
	}
	if (transaction->rcpt_count++ == 0)
		transaction->first_rcpt = transaction->rcpt_pending;
	session_reply_id(session, REPLY_RECIPIENT_OK);
}

void
transaction_rcpt_suppressed(struct session *session, struct span text)
{
	const struct reply reply = {.id = REPLY_SUPPRESSED, .args = {text}};
	struct buf targets;

	if (text.len == 0) {
		write_elsewhere(session->transaction.rcpt_pending, &targets);
		take_rcpt(session, buf_span(&targets));
		buf_fini(&targets);
		return;
	}
	transaction_say_refused(session, REPLY_SUPPRESSED, session->transaction.rcpt_pending);
	session_reply(session, &reply);
}

void
transaction_rcpt_resolved(struct session *session, const struct ipc_lx_resolved *resolved)
{
	const struct transaction *transaction = &session->transaction;
	/* "refuse mail": strangers learn of it only where we take mail. */
	const struct conf_route *route = route_find(session->reception->conf,
	    transaction->reverse_path, transaction->rcpt_pending);

	if (resolved->verdict == IPC_UNKNOWN) {
		refuse_rcpt(session, REPLY_USER_UNKNOWN);
	} else if (resolved->verdict == IPC_REMOTE && !transaction_may_relay(session)) {
		refuse_rcpt(session, REPLY_RELAY_DENIED);
	} else if (resolved->verdict != IPC_LOCAL && resolved->verdict != IPC_REMOTE) {
		refuse_rcpt(session, REPLY_LOOKUP_FAILED);
	} else if (route && route->kind == CONF_ROUTE_REFUSE) {
		refuse_by_rule(session, route);
	} else if (resolved->verdict == IPC_REMOTE && may_be_suppressed(session, route)) {
		ask_suppression(session, domain_of(transaction->reverse_path),
		    transaction->rcpt_pending);
	} else {
		take_rcpt(session, resolved->targets);
	}
}
