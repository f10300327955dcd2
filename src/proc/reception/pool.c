/*
 * The pool of addresses that a message is to leave from, which a client that may relay names in a
 * field of the header (docs/sources.md).  The field is for us, and nobody else sees it.
 */
#include "proc/reception/reception_internal.h"

#include "base/check.h"
#include "ipc/extras.h"
#include "route/source.h"

void
pool_begin(struct transaction *transaction)
{
	transaction->may_choose = true;
	transaction->pool = header_cut_init(SPAN("X-Postrider-Pool"));
}

bool
pool_is_open(const struct transaction *transaction)
{
	return transaction->may_choose && !header_cut_is_over(&transaction->pool);
}

/* The pool that the message names, as far as its header is known, is for the queue. */
void
pool_add(struct transaction *transaction)
{
	struct ipc_extras extras;
	struct buf bytes;
	char name[HEADER_CUT_VALUE_MAX];
	const struct span value = header_cut_value(&transaction->pool);

	if (value.len == 0)
		return;
	check(ipc_extras_read(transaction->extras, &extras) == OK);
	extras.pool = span_lower(name, value);
	buf_init(&bytes, IPC_EXTRAS_MAX);
	ipc_extras_write(&bytes, &extras);
	check(buf_finish(&bytes) == OK &&
	    arena_copy(&transaction->arena, buf_span(&bytes), &transaction->extras));
	buf_fini(&bytes);
}

static const char *
problem_of(const struct session *session)
{
	const struct transaction *transaction = &session->transaction;
	const struct span value = header_cut_value(&transaction->pool);
	struct ipc_extras extras;

	if (value.len == 0)
		return NULL;
	if (transaction->pool.count > 1)
		return "there are two X-Postrider-Pool fields";
	if (transaction->pool.value_is_cut ||
	    !route_pool_is_known(session->reception->conf, value))
		return "X-Postrider-Pool names a pool that this server does not have";
	/* The queue was told long before it was seen. */
	if (transaction->begun && (ipc_extras_read(transaction->extras, &extras) ||
				      extras.pool.len == 0))
		return "X-Postrider-Pool stands too far down";
	return NULL;
}

bool
pool_refused(struct session *session)
{
	const char *problem = problem_of(session);
	const struct reply reply = {
	    .id = REPLY_HEADER_MALFORMED, .args = {span_str(problem)}};
	struct event event;

	if (!problem)
		return false;
	session_event_begin(session, &event, "pool_refused");
	event_span(&event, "pool", header_cut_value(&session->transaction.pool));
	event_str(&event, "text", problem);
	event_end(&event);
	transaction_refuse(session, &reply);
	return true;
}
