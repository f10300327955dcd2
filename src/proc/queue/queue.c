/*
 * The queue: it alone touches the spool.  What reception gives is durable before reception may
 * say 250; what is durable is scheduled from memory; every recipient ends exactly once.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "base/id.h"

enum {
	GRANT_BITS = 20, /* ids of one grant */
	EPOCH_SHIFT = 40,
	RETIRE_MS = 1000,
};

void
queue_grant_ids(struct queue *queue, uint64_t *first, uint64_t *end)
{
	/* An opening of the spool has an epoch of its own, so no id is ever given twice. */
	*first = spool_epoch(queue->spool) << EPOCH_SHIFT | queue->id_grant++ << GRANT_BITS;
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
    const struct message *message)
{
	event_begin(event, &queue->env->log, name);
	event_id(event, message->id);
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
	if (spool_is_broken(queue->spool))
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
	    queue->message_map.count < queue->conf->queue_messages_max)
		set_pressure(queue, IPC_COMMIT_OK, "there is room in the queue");
	if (queue->pressure == IPC_COMMIT_DISK_FULL &&
	    io_dir_space(queue->dir, &bytes_free) == OK &&
	    bytes_free > queue->conf->disk_reserve_bytes + queue->conf->segment_bytes)
		set_pressure(queue, IPC_COMMIT_OK, "there is room on the disk");
	if (spool_is_broken(queue->spool))
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
	bounce_retry(queue);
	io_timer_start(queue->env->io, &queue->retire, RETIRE_MS);
}

static void
found_message(void *owner, uint64_t id, struct span envelope, uint64_t body_bytes)
{
	struct queue *queue = owner;
	struct message *message;
	struct event event;

	if (message_create(queue, id, envelope, body_bytes, &message) == OK)
		return;
	event_begin(&event, &queue->env->log, "message_damaged");
	event_id(&event, id);
	event_str(&event, "text", "its envelope cannot be read; it stays in the spool");
	event_end(&event);
}

static void
found_mark(void *owner, uint64_t id, struct span mark)
{
	struct queue *queue = owner;
	struct message *message = map_get_u64(&queue->message_map, id);
	struct event event;

	if (!message || mark_apply(message, mark) == OK)
		return;
	event_begin(&event, &queue->env->log, "mark_damaged");
	event_id(&event, id);
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
	map_init(&queue->destination_map, seed);
	map_init(&queue->attempt_map, seed);
	list_init(&queue->messages);
	for (unsigned i = 0; i < IPC_TARGET_COUNT; i++)
		list_init(&queue->turns[i]);
	list_init(&queue->downs);
	list_init(&queue->bounces);
	for (unsigned i = 0; i < QUEUE_PEERS_MAX; i++)
		dispatch_peer_init(queue, &queue->deliveries[i], PROC_DELIVERY);
	dispatch_peer_init(queue, &queue->mailbox, PROC_MAILBOX);
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
	err = proc_make_dir(path, proc_user(PROC_QUEUE, env->conf));
	if (!err)
		err = io_dir_open(env->io, path, &queue->dir);
	if (err) {
		say_cannot_open(queue, path, err);
		return NULL;
	}
	return queue;
}

static bool
open_spool(struct queue *queue)
{
	const struct spool_options options = {
	    .segment_bytes = queue->conf->segment_bytes,
	    .disk_reserve_bytes = queue->conf->disk_reserve_bytes,
	};
	const struct spool_scan scan = {
	    .owner = queue,
	    .message = found_message,
	    .mark = found_mark,
	    .damaged = found_damage,
	};
	struct event event;
	enum err err = spool_open(queue->env->io, queue->dir, &options, &scan, &queue->spool);

	if (err) {
		say_cannot_open(queue, queue->conf->spool_path.ptr, err);
		return false;
	}
	event_begin(&event, &queue->env->log, "spool_opened");
	event_u64(&event, "messages", queue->message_map.count);
	event_u64(&event, "epoch", spool_epoch(queue->spool));
	event_end(&event);
	return true;
}

/* The spool is opened without rights, through its directory: files belong to the queue's user. */
static bool
queue_start(void *role)
{
	struct queue *queue = role;

	if (!open_spool(queue))
		return false;
	/* A peer may still be busy with attempts that a queue before this one gave it. */
	queue->next_attempt = spool_epoch(queue->spool) << EPOCH_SHIFT;
	list_for_each_safe(node, &queue->messages)
	{
		struct message *message = container_of(node, struct message, node);

		schedule_message(queue, message);
		if (message->open_count == 0)
			outcome_settle(queue, message);
	}
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
	else if (peer == PROC_LOOKUP)
		bounce_lookup_link(queue, stream);
	else if (peer == PROC_ADMIN)
		control_link(queue, stream);
	else
		io_close(stream);
}

static void
flushed(struct spool_op *op)
{
	struct queue *queue = op->owner;

	proc_stopped(queue->env);
}

static void
queue_stop(void *role)
{
	struct queue *queue = role;

	if (queue->stopping)
		return;
	queue->stopping = true;
	queue->flush = (struct spool_op){.done = flushed, .owner = queue};
	spool_flush(queue->spool, &queue->flush);
}

static void
queue_reload(void *role, const struct conf *conf)
{
	struct queue *queue = role;

	queue->conf = conf;
	dispatch(queue);
}

const struct proc_role queue_role = {
    .create = queue_create,
    .start = queue_start,
    .link = queue_link,
    .stop = queue_stop,
    .reload = queue_reload,
};
