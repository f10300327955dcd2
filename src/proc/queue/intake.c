/*
 * Intake: what reception gives becomes durable here, and only then is reception told so.
 *
 * Reception is not trusted: the order of messages is checked for each transaction, ids must come
 * from the range that it was given, everything is bounded.  What breaks a rule ends its link.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "base/sim_point.h"

enum {
	TRANSACTIONS_MAX = 100000,
	RCPTS_BYTES_MAX = STORE_ENVELOPE_BYTES_MAX - 4096,
	IDS_MS_MIN = 1000,
};

/* A transaction that reception has begun. */
struct transaction {
	uint64_t number, id, body_bytes;
	uint8_t flags;
	bool committing;
	struct arena arena; /* reverse-path, login, helo, client */
	struct envelope_head envelope;
	struct buf rcpts;
	uint32_t rcpt_count;
	struct buf body;
	struct store_body *large;
	struct buf bytes; /* the envelope as it is put */
	struct intake *intake;
	struct store_op put;
};

static void
free_transaction(struct transaction *transaction)
{
	map_remove_u64(&transaction->intake->transactions, transaction->number);
	if (transaction->large)
		store_body_drop(
		    transaction->intake->queue->store, transaction->large);
	arena_fini(&transaction->arena);
	buf_fini(&transaction->rcpts);
	buf_fini(&transaction->body);
	buf_fini(&transaction->bytes);
	mem_free(transaction);
}

/*
 * A session keeps its id for as long as its transaction takes, in which other sessions may use up
 * the range that it is from.
 */
static bool
is_granted(const struct intake *intake, uint64_t id)
{
	for (size_t i = 0; i < INTAKE_GRANTS_MAX && intake->ids[i]; i++)
		if (id >= intake->ids[i] && id - intake->ids[i] < QUEUE_IDS)
			return true;
	return false;
}

static enum err
take_begin(struct intake *intake, const struct ipc_rq_begin *begin)
{
	struct transaction *transaction;
	struct ipc_extras extras;

	if (map_get_u64(&intake->transactions, begin->transaction) ||
	    intake->transactions.count >= TRANSACTIONS_MAX || !is_granted(intake, begin->id) ||
	    ipc_extras_read(begin->extras, &extras))
		return ERR_SYNTAX;
	transaction = mem_alloc(sizeof(*transaction));
	transaction->intake = intake;
	transaction->number = begin->transaction;
	transaction->id = begin->id;
	transaction->flags = begin->flags;
	transaction->envelope = (struct envelope_head){
	    .arrival_wall_ms = io_wall_ms(intake->queue->env->io),
	    .flags = begin->flags & IPC_MESSAGE_ASKED,
	};
	arena_init(&transaction->arena, 2 * IPC_CREDENTIAL_MAX + 1024 + IPC_EXTRAS_MAX);
	check(arena_copy(&transaction->arena, begin->reverse_path,
	          &transaction->envelope.reverse_path) &&
	    arena_copy(&transaction->arena, begin->login, &transaction->envelope.login) &&
	    arena_copy(&transaction->arena, begin->helo, &transaction->envelope.helo) &&
	    arena_copy(&transaction->arena, begin->client, &transaction->envelope.client) &&
	    arena_copy(&transaction->arena, begin->extras, &transaction->envelope.extras));
	buf_init(&transaction->rcpts, RCPTS_BYTES_MAX);
	buf_init(&transaction->body, STORE_INLINE_BYTES_MAX);
	buf_init(&transaction->bytes, STORE_ENVELOPE_BYTES_MAX);
	if (begin->flags & IPC_MESSAGE_LARGE)
		transaction->large = store_body_begin(intake->queue->store);
	map_set_u64(&intake->transactions, transaction->number, transaction);
	return OK;
}

/* The transaction that a message speaks of, if it may still grow; else NULL. */
static struct transaction *
growing(struct intake *intake, uint64_t number)
{
	struct transaction *transaction = map_get_u64(&intake->transactions, number);

	return transaction && !transaction->committing ? transaction : NULL;
}

static enum err
take_rcpt(struct intake *intake, const struct ipc_rq_rcpt *rcpt)
{
	struct transaction *transaction = growing(intake, rcpt->transaction);
	const struct envelope_rcpt target = {
	    .kind = (enum ipc_target)rcpt->kind,
	    .address = rcpt->address,
	    .mailbox = rcpt->mailbox,
	    .original = rcpt->original,
	    .notify = rcpt->notify,
	    .orcpt = rcpt->orcpt,
	};

	if (!transaction || transaction->body_bytes > 0 || rcpt->kind > IPC_TARGET_ALIAS ||
	    (rcpt->kind == IPC_TARGET_ALIAS && !(rcpt->notify & IPC_NOTIFY_SUCCESS)) ||
	    !ipc_notify_is_right(rcpt->notify))
		return ERR_SYNTAX;
	transaction->envelope.rcpts_ask |= envelope_rcpt_asks(&target);
	envelope_write_rcpt(&transaction->rcpts, &target);
	transaction->rcpt_count++;
	return OK;
}

static enum err
take_body(struct intake *intake, const struct ipc_rq_body *body)
{
	struct transaction *transaction = growing(intake, body->transaction);

	if (!transaction || transaction->rcpt_count == 0)
		return ERR_SYNTAX;
	transaction->body_bytes += body->bytes.len;
	if (transaction->body_bytes > intake->queue->conf->message_bytes_max + (1 << 20))
		return ERR_TOO_LONG;
	if (transaction->large) {
		store_body_add(
		    intake->queue->store, transaction->large, body->bytes);
		intake->large_pending = store_body_pending(
		    intake->queue->store, transaction->large);
	} else {
		buf_add(&transaction->body, body->bytes);
	}
	return OK;
}

static enum ipc_commit
commit_outcome(enum err err)
{
	switch ((int)err) {
	case OK:
		return IPC_COMMIT_OK;
	case ERR_NO_SPACE:
		return IPC_COMMIT_DISK_FULL;
	case ERR_BROKEN:
		return IPC_COMMIT_BROKEN;
	case ERR_IO:
		return IPC_COMMIT_IN_DOUBT;
	default:
		return IPC_COMMIT_ERROR;
	}
}

static void
free_intake_when_idle(struct intake *intake)
{
	if (!intake->closed || intake->writing > 0)
		return;
	map_fini(&intake->transactions);
	mem_free(intake);
}

/* The promise is kept from here on, whether or not reception is still there to pass it on. */
static void
put_done(struct store_op *op)
{
	struct transaction *transaction = op->owner;
	struct intake *intake = transaction->intake;
	struct queue *queue = intake->queue;
	struct envelope *envelope;
	const struct ipc_qr_committed committed = {
	    .transaction = transaction->number,
	    .outcome = (uint8_t)commit_outcome(op->err),
	};

	transaction->large = NULL;
	intake->writing--;
	if (!intake->channel)
		SIM_MARK("queue.durable_but_nobody_to_tell");
	if (op->err) {
		queue_check_pressure(queue, op->err);
	} else {
		uint32_t slot;

		check(envelope_read(&transaction->bytes, &envelope) == OK);
		slot = message_add(queue, transaction->id, envelope, transaction->body_bytes);
		message_keep_fresh(queue, slot, envelope, &transaction->body);
		schedule_message(queue, slot);
	}
	if (intake->channel)
		ipc_qr_committed_send(intake->channel, &committed);
	free_transaction(transaction);
	free_intake_when_idle(intake);
	dispatch(queue);
}

static void
refuse(struct transaction *transaction, enum ipc_commit outcome)
{
	const struct ipc_qr_committed committed = {
	    .transaction = transaction->number, .outcome = (uint8_t)outcome};

	ipc_qr_committed_send(transaction->intake->channel, &committed);
	free_transaction(transaction);
}

static enum err
take_commit(struct intake *intake, uint64_t number)
{
	struct queue *queue = intake->queue;
	struct transaction *transaction = growing(intake, number);

	if (!transaction || transaction->rcpt_count == 0 ||
	    buf_finish(&transaction->rcpts) || buf_finish(&transaction->body))
		return ERR_SYNTAX;
	if (sched_message_count(queue->sched) >= queue->conf->queue_messages_max) {
		queue_check_pressure(queue, ERR_LIMIT);
		refuse(transaction, IPC_COMMIT_QUEUE_FULL);
		return OK;
	}
	transaction->committing = true;
	transaction->envelope.rcpt_count = transaction->rcpt_count;
	envelope_write_head(&transaction->bytes, &transaction->envelope);
	buf_add(&transaction->bytes, buf_span(&transaction->rcpts));
	if (buf_finish(&transaction->bytes))
		return ERR_TOO_LONG;
	intake->writing++;
	transaction->put = (struct store_op){.done = put_done, .owner = transaction};
	if (transaction->large)
		store_put_body(queue->store, &transaction->put, transaction->id,
		    buf_span(&transaction->bytes), transaction->large);
	else
		store_put(queue->store, &transaction->put, transaction->id,
		    buf_span(&transaction->bytes), buf_span(&transaction->body));
	return OK;
}

static enum err
take_abort(struct intake *intake, uint64_t number)
{
	struct transaction *transaction = growing(intake, number);

	/* One that is being committed has been promised to the spool; nobody waits for it. */
	if (transaction)
		free_transaction(transaction);
	return OK;
}

static void
give_ids(struct intake *intake)
{
	struct ipc_qr_ids ids;
	uint64_t first, end;

	queue_grant_ids(intake->queue, &first, &end);
	check(end - first == QUEUE_IDS);
	memmove(intake->ids + 1, intake->ids, sizeof(intake->ids) - sizeof(intake->ids[0]));
	intake->ids[0] = first;
	ids = (struct ipc_qr_ids){.first = first, .count = QUEUE_IDS};
	ipc_qr_ids_send(intake->channel, &ids);
}

/* A range is a million transactions: whoever wants the next within a second uses up numbers. */
static enum err
take_want_ids(struct intake *intake)
{
	uint64_t now_ms = io_now_ms(intake->queue->env->io);

	if (intake->ids_asked_ms > 0 && now_ms - intake->ids_asked_ms < IDS_MS_MIN)
		return ERR_LIMIT;
	intake->ids_asked_ms = now_ms;
	give_ids(intake);
	return OK;
}

static void
resume(struct io_timer *timer)
{
	struct intake *intake = timer->owner;

	/* Whoever was written meanwhile has made room; look again in a moment otherwise. */
	intake->large_pending = 0;
	if (intake->channel)
		ipc_channel_pause(intake->channel, false);
}

/* Large bodies that come faster than the disk writes wait in their socket, not in memory. */
static void
slow_down(struct intake *intake)
{
	if (intake->large_pending < QUEUE_INTAKE_PENDING_MAX || !intake->channel)
		return;
	ipc_channel_pause(intake->channel, true);
	io_timer_start(intake->queue->env->io, &intake->resume, 20);
}

/* Cheap whatever is asked for: one destination is looked up, and is not down from now on. */
static enum err
take_retry(struct intake *intake, const struct ipc_rq_retry *asked)
{
	struct queue *queue = intake->queue;
	struct buf address, key;
	uint32_t destination;

	buf_init(&address, IPC_DOMAIN_MAX + 2);
	buf_addf(&address, "x@%.*s", SPAN_ARGS(asked->domain));
	buf_init(&key, 2 * IPC_PATH_MAX);
	schedule_key(queue, &key, SPAN(""), IPC_TARGET_REMOTE, buf_span(&address));
	check(buf_finish(&address) == OK);
	destination =
	    sched_destination_find(queue->sched, IPC_TARGET_REMOTE, buf_span(&key));
	if (destination != SCHED_NONE)
		sched_destination_up(queue->sched, destination);
	dispatch(queue);
	buf_fini(&key);
	buf_fini(&address);
	return OK;
}

static enum err
take(struct intake *intake, unsigned type, struct span payload)
{
	struct ipc_rq_begin begin;
	struct ipc_rq_rcpt rcpt;
	struct ipc_rq_body body;
	struct ipc_rq_commit commit;
	struct ipc_rq_abort abort;
	struct ipc_rq_retry retry;
	struct ipc_rq_is_suppressed is_suppressed;

	switch (type) {
	case IPC_rq_BEGIN:
		return ipc_rq_begin_decode(payload, &begin) ? ERR_SYNTAX
		                                            : take_begin(intake, &begin);
	case IPC_rq_RCPT:
		return ipc_rq_rcpt_decode(payload, &rcpt) ? ERR_SYNTAX
		                                          : take_rcpt(intake, &rcpt);
	case IPC_rq_BODY:
		return ipc_rq_body_decode(payload, &body) ? ERR_SYNTAX
		                                          : take_body(intake, &body);
	case IPC_rq_COMMIT:
		return ipc_rq_commit_decode(payload, &commit)
		    ? ERR_SYNTAX
		    : take_commit(intake, commit.transaction);
	case IPC_rq_ABORT:
		return ipc_rq_abort_decode(payload, &abort)
		    ? ERR_SYNTAX
		    : take_abort(intake, abort.transaction);
	case IPC_rq_RETRY:
		return ipc_rq_retry_decode(payload, &retry) ? ERR_SYNTAX
		                                            : take_retry(intake, &retry);
	case IPC_rq_IS_SUPPRESSED:
		if (ipc_rq_is_suppressed_decode(payload, &is_suppressed))
			return ERR_SYNTAX;
		suppress_answer(intake->queue, intake->channel, &is_suppressed);
		return OK;
	case IPC_rq_WANT_IDS:
		return take_want_ids(intake);
	default:
		return ERR_SYNTAX;
	}
}

static enum err
receive(void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct intake *intake = owner;
	enum err err;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	err = take(intake, type, payload);
	slow_down(intake);
	return err;
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct intake *intake = owner;
	struct queue *queue = intake->queue;
	struct transaction *transaction;
	size_t at = 0;

	if (err != ERR_CLOSED)
		proc_bad_peer(queue->env, PROC_RECEPTION, intake->instance, err);
	ipc_channel_destroy(channel);
	intake->channel = NULL;
	intake->closed = true;
	io_timer_stop(queue->env->io, &intake->resume);
	for (unsigned i = 0; i < QUEUE_PEERS_MAX; i++)
		if (queue->intakes[i] == intake)
			queue->intakes[i] = NULL;
	while ((transaction = map_next(&intake->transactions, &at)) != NULL)
		if (!transaction->committing)
			free_transaction(transaction);
	free_intake_when_idle(intake);
}

void
intake_say_pressure(struct queue *queue, struct intake *only)
{
	const struct ipc_qr_pressure pressure = {.outcome = (uint8_t)queue->pressure};

	for (unsigned i = 0; i < QUEUE_PEERS_MAX; i++)
		if (queue->intakes[i] && (!only || only == queue->intakes[i]))
			ipc_qr_pressure_send(queue->intakes[i]->channel, &pressure);
}

void
intake_link(struct queue *queue, unsigned instance, struct io_stream *stream)
{
	struct intake *intake = mem_alloc(sizeof(*intake));
	const struct ipc_handlers handlers = {intake, receive, closed};
	uint64_t seed[2];

	if (queue->intakes[instance])
		closed(queue->intakes[instance], queue->intakes[instance]->channel, ERR_CLOSED);
	io_random(queue->env->io, seed, sizeof(seed));
	map_init(&intake->transactions, seed);
	intake->queue = queue;
	intake->instance = instance;
	intake->resume = (struct io_timer){.fired = resume, .owner = intake};
	intake->channel = ipc_channel_create(stream, &handlers);
	queue->intakes[instance] = intake;
	suppress_tell(queue, intake->channel);
	give_ids(intake);
	intake_say_pressure(queue, intake);
}
