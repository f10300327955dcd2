/*
 * The queue: it alone touches the spool.  What reception gives is durable before reception may
 * say 250; what is durable is scheduled from memory; every recipient ends exactly once.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "base/id.h"
#include "base/sim_point.h"
#include "proc/queue/ledger_feed.h"
#include "store/store_spool.h"

enum {
	GRANT_BITS = 20, /* ids of one grant */
	RETIRE_MS = 1000,
};

void
queue_grant_ids(struct queue *queue, uint64_t *first, uint64_t *end)
{
	/* An opening of the spool has an epoch of its own, so no id is ever given twice. */
	*first = (SIM_BUG(IDS_AGAIN) ? 1 : store_epoch(queue->store)) << STORE_ID_EPOCH_SHIFT |
	    queue->id_grant++ << GRANT_BITS;
	*end = *first + (1u << GRANT_BITS);
}

uint64_t
queue_own_id(struct queue *queue)
{
	if (queue->own_id_next == queue->own_id_end)
		queue_grant_ids(queue, &queue->own_id_next, &queue->own_id_end);
	return queue->own_id_next++;
}

void
queue_event_begin(struct event *event, struct queue *queue, const char *name,
    uint64_t id)
{
	event_begin(event, &queue->env->log, name);
	event_id(event, id);
}

static void
set_pressure(struct queue *queue, enum ipc_commit pressure, const char *text)
{
	if (queue->pressure == pressure)
		return;
	queue->pressure = pressure;
	event_note(&queue->env->log, pressure == IPC_COMMIT_OK ? "pressure_over" : "pressure",
	    text);
	intake_say_pressure(queue, NULL);
}

void
queue_check_pressure(struct queue *queue, enum err err)
{
	if (store_is_broken(queue->store))
		set_pressure(queue, IPC_COMMIT_BROKEN,
		    "the spool could not be written: no more mail is accepted until a restart; "
		    "what is durable is still delivered; check the disk");
	else if (err == ERR_NO_SPACE)
		set_pressure(queue, IPC_COMMIT_DISK_FULL,
		    "the disk of the spool is full: new mail gets 452 until there is room");
	else if (err == ERR_LIMIT)
		set_pressure(queue, IPC_COMMIT_QUEUE_FULL,
		    "the queue holds as many messages as it may: new mail gets 452");
}

/* Once a second: may mail come in again? */
static void
ease_pressure(struct queue *queue)
{
	uint64_t bytes_free = 0;

	if (queue->pressure == IPC_COMMIT_QUEUE_FULL &&
	    sched_message_count(queue->sched) < queue->conf->queue_messages_max)
		set_pressure(queue, IPC_COMMIT_OK, "there is room in the queue");
	if (queue->pressure == IPC_COMMIT_DISK_FULL &&
	    io_dir_space(queue->dir, &bytes_free) == OK &&
	    bytes_free > queue->conf->disk_reserve_bytes + queue->conf->segment_bytes)
		set_pressure(queue, IPC_COMMIT_OK, "there is room on the disk");
	if (store_is_broken(queue->store))
		queue_check_pressure(queue, ERR_BROKEN);
}

static void
time_passed(struct io_timer *timer)
{
	struct queue *queue = timer->owner;

	schedule_arm(queue);
	dispatch(queue);
}

static void
second_passed(struct io_timer *timer)
{
	struct queue *queue = timer->owner;

	ease_pressure(queue);
	schedule_expire(queue);
	watch_sweep(queue);
	bounce_retry(queue);
	suspend_expire(queue);
	polite_expire(queue);
	polite_keep(queue, false);
	suppress_sweep(queue);
	sources_sweep(queue);
	io_timer_start(queue->env->io, &queue->retire, RETIRE_MS);
}

static void
say_damaged(struct queue *queue, uint64_t id)
{
	struct event event;

	queue_event_begin(&event, queue, "message_damaged", id);
	event_str(&event, "text", "its envelope cannot be read; it stays in the spool");
	event_end(&event);
}

static void
found_count(void *owner, uint64_t messages)
{
	const struct queue *queue = owner;

	sched_message_reserve(queue->sched, messages);
}

static void
found_message(void *owner, uint64_t id, struct span bytes, uint64_t body_bytes)
{
	struct queue *queue = owner;
	struct envelope *envelope;
	struct buf copy;

	buf_init(&copy, STORE_ENVELOPE_BYTES_MAX);
	buf_add(&copy, bytes);
	if (buf_finish(&copy) || envelope_read(&copy, &envelope)) {
		buf_fini(&copy);
		say_damaged(queue, id);
		return;
	}
	message_add(queue, id, envelope, body_bytes);
	if (SIM_BUG(FORGET_RCPT) && envelope->rcpt_count > 1)
		message_forget(queue, id, envelope->rcpt_count - 1);
	envelope_free(envelope);
}

static enum err
found_digest(void *owner, uint64_t id, struct span digest, uint64_t body_bytes)
{
	return digest_read(owner, id, digest, body_bytes);
}

static void
give_digest(void *owner, uint64_t id, struct buf *out)
{
	struct queue *queue = owner;
	uint32_t slot = sched_message_find(queue->sched, id);

	if (slot != SCHED_NONE)
		digest_write(queue, slot, out);
}

static void
found_mark(void *owner, uint64_t id, struct span mark)
{
	struct queue *queue = owner;
	uint32_t slot = sched_message_find(queue->sched, id);
	struct event event;

	if (SIM_BUG(FORGET_MARK) || slot == SCHED_NONE ||
	    message_apply(queue, slot, mark) == OK)
		return;
	queue_event_begin(&event, queue, "mark_damaged", id);
	event_end(&event);
}

static void
found_damage(void *owner, const char *segment, uint64_t offset, uint64_t id)
{
	struct queue *queue = owner;
	struct event event;

	event_begin(&event, &queue->env->log, "spool_damaged");
	event_str(&event, "segment", segment);
	event_u64(&event, "offset", offset);
	if (id)
		event_id(&event, id);
	event_str(&event, "text", "a record does not match its checksum and is left out");
	event_end(&event);
}

static void
say_cannot_open(struct queue *queue, const char *path, enum err err)
{
	struct event event;

	event_begin(&event, &queue->env->log, "spool_not_opened");
	event_str(&event, "path", path);
	event_err(&event, err);
	event_str(&event, "text", err == ERR_BUSY
	        ? "another server has it; two servers cannot share one spool"
	        : err == ERR_VERSION
	        ? "it was written by a newer version of postrider, which is needed to read it; "
	          "nothing was changed"
	        : err == ERR_DENIED ? "it must belong to the user that the queue runs as"
	                            : "it cannot be used");
	event_end(&event);
}

static void
init_lists(struct queue *queue)
{
	uint64_t seed[2];

	io_random(queue->env->io, seed, sizeof(seed));
	map_init(&queue->message_map, seed);
	map_init(&queue->attempt_map, seed);
	list_init(&queue->fresh);
	list_init(&queue->bounces);
	list_init(&queue->listings);
	list_init(&queue->summaries);
	list_init(&queue->reroutes);
	list_init(&queue->acts);
	transcripts_init(&queue->transcripts);
	poison_init(queue, seed);
	watch_init(queue, seed);
	backoffs_init(&queue->backoffs, seed);
	sites_init(&queue->sites, seed);
	suppressions_init(&queue->suppressions, seed);
	queue->routes = digest_routes(queue->conf);
	schedule_init(queue);
	for (unsigned i = 0; i < QUEUE_PEERS_MAX; i++)
		dispatch_peer_init(queue, &queue->deliveries[i], PROC_DELIVERY);
	dispatch_peer_init(queue, &queue->mailbox, PROC_MAILBOX);
	pipes_init(queue);
	queue->timer = (struct io_timer){.fired = time_passed, .owner = queue};
	queue->retire = (struct io_timer){.fired = second_passed, .owner = queue};
}

static void *
queue_create(struct proc_env *env)
{
	struct queue *queue = mem_alloc(sizeof(*queue));
	const char *path = env->conf->spool_path.ptr;
	enum err err;

	queue->env = env;
	queue->conf = env->conf;
	init_lists(queue);
	err = proc_make_dir(path, proc_user(PROC_QUEUE, 0, env->conf));
	if (!err)
		err = io_dir_open(env->io, path, &queue->dir);
	if (err) {
		say_cannot_open(queue, path, err);
		return NULL;
	}
	return queue;
}

static bool
open_store(struct queue *queue)
{
	const struct store_spool_options spool = {
	    .segment_bytes = queue->conf->segment_bytes,
	    .disk_reserve_bytes = queue->conf->disk_reserve_bytes,
	};
	struct store_options options = {
	    .digest = give_digest,
	    .digest_owner = queue,
	};
	struct store_scan scan = {
	    .owner = queue,
	    .count = found_count,
	    .message = found_message,
	    .mark = found_mark,
	    .damaged = found_damage,
	    .digest = found_digest,
	};
	struct event event;
	enum err err;

	queue->ledger = ledger_feed_create(queue);
	if (!queue->ledger)
		return false;
	suspend_load(queue);
	polite_load(queue);
	suppress_load(queue);
	sources_load(queue);
	ledger_feed_spool(queue->ledger, &options, &scan);
	err = store_spool_open(
	    queue->env->io, queue->dir, &spool, &options, &scan, &queue->store);
	if (err) {
		say_cannot_open(queue, queue->conf->spool_path.ptr, err);
		return false;
	}
	event_begin(&event, &queue->env->log, "spool_opened");
	event_u64(&event, "messages", sched_message_count(queue->sched));
	event_u64(&event, "epoch", store_epoch(queue->store));
	event_end(&event);
	return true;
}

/* What was found is scheduled; one whose last recipient had ended is removed now. */
static void
start_messages(struct queue *queue)
{
	for (uint32_t slot = sched_message_first(queue->sched), next; slot != SCHED_NONE;
	     slot = next) {
		struct sched_message known;

		next = sched_message_next(queue->sched, slot);
		schedule_message(queue, slot);
		sched_message_get(queue->sched, slot, &known);
		if (known.open_count == 0) {
			struct message *message = message_open(queue, slot);

			outcome_settle(message);
			message_close(message);
		}
	}
}

/* The spool is opened without rights, through its directory: files belong to the queue's user. */
static bool
queue_start(void *role)
{
	struct queue *queue = role;

	if (!open_store(queue))
		return false;
	/* A peer may still be busy with attempts that a queue before this one gave it. */
	queue->next_attempt = store_epoch(queue->store) << STORE_ID_EPOCH_SHIFT;
	ledger_feed_run(queue->ledger);
	queue->poison.first_id = store_epoch(queue->store) << STORE_ID_EPOCH_SHIFT;
	poison_start(queue);
	start_messages(queue);
	sources_wake(queue);
	schedule_arm(queue);
	io_timer_start(queue->env->io, &queue->retire, RETIRE_MS);
	return true;
}

static void
queue_link(void *role, enum proc peer, unsigned instance, enum proc_link_kind kind,
    struct io_stream *stream)
{
	struct queue *queue = role;

	(void)kind;
	if (instance >= QUEUE_PEERS_MAX)
		io_close(stream);
	else if (peer == PROC_RECEPTION)
		intake_link(queue, instance, stream);
	else if (peer == PROC_DELIVERY)
		dispatch_peer_link(queue, &queue->deliveries[instance], stream);
	else if (peer == PROC_MAILBOX)
		dispatch_peer_link(queue, &queue->mailbox, stream);
	else if (peer == PROC_PIPE)
		pipes_link(queue, instance, stream);
	else if (peer == PROC_LOOKUP)
		bounce_lookup_link(queue, stream);
	else if (peer == PROC_ADMIN)
		control_link(queue, stream);
	else
		io_close(stream);
}

static void
ledger_flushed(void *owner, uint64_t query, enum err err)
{
	struct queue *queue = owner;

	(void)query;
	err_ignore(err, "what the ledger lacks is still in the spool");
	proc_stopped(queue->env);
}

static void
flushed(struct store_op *op)
{
	struct queue *queue = op->owner;

	ledger_feed_flush(queue->ledger, ledger_flushed, queue, 0);
}

static void
queue_stop(void *role)
{
	struct queue *queue = role;

	if (queue->stopping)
		return;
	queue->stopping = true;
	act_leave_off(queue);
	polite_keep(queue, true);
	sources_stop(queue);
	queue->flush = (struct store_op){.done = flushed, .owner = queue};
	store_flush(queue->store, &queue->flush);
}

/* What is queued stays with its destinations; only a new start finds others for it. */
static void
change_routes(struct queue *queue)
{
	uint32_t routes = digest_routes(queue->conf);

	if (routes == queue->routes)
		return;
	queue->routes = routes;
	for (uint32_t slot = sched_message_first(queue->sched); slot != SCHED_NONE;
	     slot = sched_message_next(queue->sched, slot))
		sched_message_flags(queue->sched, slot, SCHED_OLD_ROUTES, 0);
}

static void
queue_reload(void *role, const struct conf *conf)
{
	struct queue *queue = role;

	queue->conf = conf;
	ledger_feed_reload(queue->ledger);
	pipes_reload(queue);
	change_routes(queue);
	sched_reload(queue->sched);
	sources_reload(queue);
	dispatch(queue);
}

const struct proc_role queue_role = {
    .create = queue_create,
    .start = queue_start,
    .link = queue_link,
    .stop = queue_stop,
    .reload = queue_reload,
};
