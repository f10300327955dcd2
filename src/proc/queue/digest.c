/*
 * What the scheduler knows of a message, for the spool's checkpoints: with it a message is
 * scheduled again without its envelope and marks.
 *
 * u8 version, u32 routes, var arrival, u8 flags, u32 sender, var recipients, var open ones; then
 * for each that is open: var index, u8 bits, and where the bits say so its destination's key
 * (else it is that of the one before), its tries (var tries, var time in s, var next in ms, var
 * code), its last reply (status, remote, text).  At the end, where the message is set aside, why.
 *
 * Keys of destinations come from the routes of the configuration, so a digest is understood
 * only under the same ones ("routes" is a hash of them).
 *
 * Version 2 is for the few messages with a priority, or with something due at a time: after the
 * open ones it has u8 priority (from 0 on), var time until which those are held that were not
 * tried, var time to tell of delay, var time to be there, u8 whether it is given up then.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"

enum {
	VERSION_PLAIN = 1,
	VERSION_ASKS = 2,
	KEY_BYTES_MAX = 2 * IPC_PATH_MAX,
	REPLY_BYTES_MAX = 200, /* of a reply; its text is cut to it */
	FLAGS_KEPT = SCHED_HELD | SCHED_ASIDE | SCHED_RELEASED,
};

enum bits { LOCAL = 1, KEY = 2, TRIED = 4, REPLY = 8, DOUBT = 16, BEGUN_SHIFT = 5 };

uint32_t
digest_routes(const struct conf *conf)
{
	static const uint64_t seed[2] = {0x726f75746573, 1};
	uint64_t hash = conf->route_count;

	if (conf->lmtp.kind == CONF_ROUTE_LMTP)
		hash += map_hash(seed, conf->lmtp.host) + conf->lmtp.port;
	if (conf->mailbox_pipe)
		hash += map_hash(seed, conf->mailbox_pipe->name);
	for (size_t i = 0; i < conf->route_count; i++) {
		const struct conf_route *route = &conf->routes[i];

		if (route->table)
			hash = hash * 0x9e3779b97f4a7c15 + conf_table_hash(route->table) +
			    conf_table_is_by_sender(route->table);
		if (route->sender.len > 0)
			hash = hash * 0x9e3779b97f4a7c15 + map_hash(seed, route->sender);
		hash = hash * 0x9e3779b97f4a7c15 + map_hash(seed, route->domain);
		hash = hash * 0x9e3779b97f4a7c15 + map_hash(seed, route->host);
		hash = hash * 0x9e3779b97f4a7c15 + route->port + ((uint64_t)route->kind << 16);
		if (route->pipe)
			hash = hash * 0x9e3779b97f4a7c15 + map_hash(seed, route->pipe->name);
	}
	/* Tables name them; as whom they run is part of the key. */
	for (const struct conf_pipe *pipe = conf->pipes; pipe; pipe = pipe->next)
		if (pipe->title.len > 0)
			hash = hash * 0x9e3779b97f4a7c15 + map_hash(seed, pipe->name);
	return (uint32_t)(hash ^ hash >> 32);
}

static void
write_reply(struct buf *out, const struct sched_reply *reply)
{
	size_t room = REPLY_BYTES_MAX - reply->status.len;
	struct span remote = span_first(reply->remote, room);

	wire_var_bytes(out, reply->status);
	wire_var_bytes(out, remote);
	wire_var_bytes(out, span_first(reply->text, room - remote.len));
}

static void
write_rcpt(const struct queue *queue, struct buf *out, uint32_t at, uint32_t *destination)
{
	struct sched_destination to;
	struct sched_rcpt rcpt;
	unsigned bits;

	sched_rcpt_get(queue->sched, at, &rcpt);
	sched_destination_get(queue->sched, rcpt.destination, &to);
	bits = (to.kind == IPC_TARGET_MAILBOX ? LOCAL : 0) |
	    (rcpt.destination != *destination ? KEY : 0) |
	    (rcpt.tries > 0 ? TRIED : 0) | (rcpt.tries > 0 && rcpt.reply ? REPLY : 0) |
	    (rcpt.in_doubt ? DOUBT : 0) | rcpt.begun << BEGUN_SHIFT;
	wire_var(out, rcpt.index);
	wire_u8(out, (uint8_t)bits);
	if (bits & KEY)
		wire_var_bytes(out, to.key);
	*destination = rcpt.destination;
	if (bits & TRIED) {
		wire_var(out, rcpt.tries);
		wire_var(out, rcpt.tried_wall_s);
		wire_var(out, rcpt.next_wall_ms);
		wire_var(out, rcpt.code);
	}
	if (bits & REPLY) {
		struct sched_reply reply = sched_reply_get(queue->sched, rcpt.reply);

		write_reply(out, &reply);
	}
}

/* What version 2 has. */
struct asks {
	uint64_t hold_wall_ms;
	struct watch_times times;
	int priority;
};

static bool
asks_any(const struct asks *asks)
{
	return asks->hold_wall_ms > 0 || asks->times.delay_wall_ms > 0 ||
	    asks->times.by_wall_ms > 0 || asks->priority != 0;
}

/* False: some recipient's sender is to be told that it has it, which marks alone say. */
static bool
find_asks(const struct queue *queue, uint32_t slot, const struct sched_message *message,
    struct asks *asks)
{
	*asks = (struct asks){.priority = message->priority};
	watch_get(queue, message->id, &asks->times);
	for (uint32_t i = 0; i < message->rcpt_count; i++) {
		uint32_t at = sched_rcpt_find(queue->sched, slot, i);
		struct sched_rcpt rcpt;

		if (at == SCHED_NONE)
			continue;
		sched_rcpt_get(queue->sched, at, &rcpt);
		if (rcpt.succeeded)
			return false;
		if (rcpt.tries == 0 && rcpt.next_wall_ms > asks->hold_wall_ms)
			asks->hold_wall_ms = rcpt.next_wall_ms;
	}
	return true;
}

static void
write_asks(struct buf *out, const struct asks *asks)
{
	wire_u8(out, (uint8_t)(asks->priority - SCHED_PRIORITY_MIN));
	wire_var(out, asks->hold_wall_ms);
	wire_var(out, asks->times.delay_wall_ms);
	wire_var(out, asks->times.by_wall_ms);
	wire_u8(out, asks->times.by_returns);
}

static void
read_asks(struct reader *reader, struct asks *asks)
{
	unsigned priority = reader_u8(reader), returns;

	asks->hold_wall_ms = reader_var(reader, UINT64_MAX);
	asks->times.delay_wall_ms = reader_var(reader, UINT64_MAX);
	asks->times.by_wall_ms = reader_var(reader, UINT64_MAX);
	returns = reader_u8(reader);
	asks->times.by_returns = returns;
	asks->priority = (int)priority + SCHED_PRIORITY_MIN;
	if (priority > SCHED_PRIORITY_MAX - SCHED_PRIORITY_MIN || returns > 1 || !asks_any(asks) ||
	    (returns && asks->times.by_wall_ms == 0)) {
		reader->failed = true;
		*asks = (struct asks){0};
	}
}

void
digest_write(struct queue *queue, uint32_t slot, struct buf *out)
{
	struct sched_message message;
	uint32_t destination = SCHED_NONE;
	struct asks asks;

	sched_message_get(queue->sched, slot, &message);
	/* Its keys are of other routes, or nothing is left to be scheduled. */
	if (message.flags & SCHED_OLD_ROUTES || message.open_count == 0 ||
	    !find_asks(queue, slot, &message, &asks))
		return;
	wire_u8(out, asks_any(&asks) ? VERSION_ASKS : VERSION_PLAIN);
	wire_u32(out, queue->routes);
	wire_var(out, message.arrival_wall_ms);
	wire_u8(out, message.flags & FLAGS_KEPT);
	wire_u32(out, message.sender);
	wire_var(out, message.rcpt_count);
	wire_var(out, message.open_count);
	if (asks_any(&asks))
		write_asks(out, &asks);
	for (uint32_t i = 0; i < message.rcpt_count; i++) {
		uint32_t at = sched_rcpt_find(queue->sched, slot, i);

		if (at != SCHED_NONE)
			write_rcpt(queue, out, at, &destination);
	}
	if (message.flags & SCHED_ASIDE)
		wire_var_bytes(out, poison_text(queue, message.id));
}

static void
read_reply(struct reader *reader, struct queue *queue, uint32_t at, uint32_t code)
{
	struct sched_reply reply = {.code = code};

	reply.status = reader_var_bytes(reader, MARK_STATUS_MAX);
	reply.remote = reader_var_bytes(reader, REPLY_BYTES_MAX);
	reply.text = reader_var_bytes(reader, REPLY_BYTES_MAX);
	if (!reader->failed)
		sched_rcpt_reply(queue->sched, at, sched_reply_keep(queue->sched, &reply));
}

struct reading {
	struct queue *queue;
	uint32_t slot;
	uint32_t rcpt_count, next_index;
	uint64_t hold_wall_ms;
	struct span key;
	unsigned kind;
};

static void
read_rcpt(struct reader *reader, struct reading *reading)
{
	struct queue *queue = reading->queue;
	uint32_t index = (uint32_t)reader_var(reader, UINT32_MAX), at;
	unsigned bits = reader_u8(reader);
	struct sched_rcpt rcpt;

	if (bits & KEY) {
		reading->key = reader_var_bytes(reader, KEY_BYTES_MAX);
		reading->kind = schedule_kind(queue, reading->key,
		    bits & LOCAL ? IPC_TARGET_MAILBOX : IPC_TARGET_REMOTE);
	}
	if (index < reading->next_index || index >= reading->rcpt_count ||
	    reading->key.len == 0 || (bits & REPLY && !(bits & TRIED)))
		reader->failed = true;
	if (reader->failed)
		return;
	reading->next_index = index + 1;
	at = sched_rcpt_add(queue->sched, reading->slot, index, reading->kind, reading->key);
	sched_rcpt_get(queue->sched, at, &rcpt);
	rcpt.in_doubt = bits & DOUBT;
	rcpt.begun = bits >> BEGUN_SHIFT;
	if (bits & TRIED) {
		rcpt.tries = (uint32_t)reader_var(reader, UINT16_MAX);
		rcpt.tried_wall_s = (uint32_t)reader_var(reader, UINT32_MAX);
		sched_rcpt_due(queue->sched, at, reader_var(reader, UINT64_MAX));
		rcpt.code = (uint32_t)reader_var(reader, UINT16_MAX);
	} else {
		sched_rcpt_due(queue->sched, at, reading->hold_wall_ms);
	}
	sched_rcpt_note(queue->sched, at, &rcpt);
	if (rcpt.begun > 0)
		poison_found(queue, reading->slot);
	if (bits & REPLY)
		read_reply(reader, queue, at, rcpt.code);
}

enum err
digest_read(
    struct queue *queue, uint64_t id, struct span digest, uint64_t body_bytes)
{
	struct reader reader = reader_init(digest);
	struct sched_message message = {.id = id, .body_bytes = body_bytes};
	struct reading reading = {.queue = queue};
	struct span aside = SPAN("");
	unsigned version = reader_u8(&reader);
	struct asks asks = {0};
	uint32_t open_count;

	if ((version != VERSION_PLAIN && version != VERSION_ASKS) ||
	    reader_u32(&reader) != queue->routes)
		reader.failed = true;
	message.arrival_wall_ms = reader_var(&reader, UINT64_MAX);
	message.flags = reader_u8(&reader);
	message.sender = reader_u32(&reader);
	message.rcpt_count = (uint32_t)reader_var(&reader, SCHED_RCPTS_MAX);
	open_count = (uint32_t)reader_var(&reader, SCHED_RCPTS_MAX);
	if (version == VERSION_ASKS)
		read_asks(&reader, &asks);
	message.priority = asks.priority;
	if (reader.failed || message.flags & ~(unsigned)FLAGS_KEPT || open_count == 0 ||
	    open_count > message.rcpt_count ||
	    sched_message_find(queue->sched, id) != SCHED_NONE)
		return ERR_SYNTAX;
	reading.rcpt_count = message.rcpt_count;
	reading.hold_wall_ms = asks.hold_wall_ms;
	reading.slot = sched_message_add(queue->sched, &message);
	for (uint32_t i = 0; i < open_count && !reader.failed; i++)
		read_rcpt(&reader, &reading);
	if (message.flags & SCHED_ASIDE)
		aside = reader_var_bytes(&reader, MARK_TEXT_MAX);
	if (reader_finish(&reader) == OK) {
		if (message.flags & SCHED_ASIDE)
			poison_keep_text(queue, id, aside);
		watch_set(queue, id, &asks.times);
		return OK;
	}
	poison_forget(queue, id);
	sched_message_remove(queue->sched, reading.slot);
	return ERR_SYNTAX;
}
