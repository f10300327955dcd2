/*
 * Messages and their recipients.  move() is the one place that changes a recipient's state: a
 * recipient is in the wheel exactly while it waits for a time, and in a line exactly while it is
 * ready.
 */
#include "sched/sched_internal.h"

#include "base/arena.h"
#include "base/check.h"

enum { TRIES_MAX = 0xffff, CODE_MAX = 0x3fff };
#define BODY_BYTES_MAX ((UINT64_C(1) << 40) - 1)

static uint32_t
id_hash(const struct sched *sched, uint64_t id)
{
	return sched_index_mix(sched->options.seed[1], id, 0);
}

static uint32_t
message_hash(const void *owner, uint32_t slot)
{
	return id_hash(owner, message_at(owner, slot)->id);
}

static bool
has_id(const void *owner, uint32_t slot, const void *wanted)
{
	const uint64_t *id = wanted;

	return message_at(owner, slot)->id == *id;
}

void
sched_message_init(struct sched *sched)
{
	sched_pool_init(&sched->messages, sizeof(struct message));
	sched_pool_init(&sched->rcpts, sizeof(struct rcpt));
	sched_index_init(&sched->message_index, sched, message_hash);
	sched->oldest = sched->newest = SCHED_NONE;
}

void
sched_message_fini(struct sched *sched)
{
	for (uint32_t at = sched->oldest; at != SCHED_NONE; at = message_at(sched, at)->next)
		if (message_at(sched, at)->rcpt_count > 1)
			mem_free(message_at(sched, at)->many);
	sched_pool_fini(&sched->messages);
	sched_pool_fini(&sched->rcpts);
	sched_index_fini(&sched->message_index);
}

void
sched_message_reserve(struct sched *sched, size_t count)
{
	sched_index_reserve(&sched->message_index, count);
}

uint32_t
sched_message_find(const struct sched *sched, uint64_t id)
{
	return sched_index_find(&sched->message_index, id_hash(sched, id), has_id, &id);
}

static uint64_t
at_most(uint64_t value, uint64_t max)
{
	return value < max ? value : max;
}

static uint32_t *
slots_of(struct message *message)
{
	return message->rcpt_count > 1 ? message->many : &message->one;
}

uint32_t
sched_message_add(struct sched *sched, const struct sched_message *from)
{
	uint32_t at = sched_pool_take(&sched->messages);
	struct message *message = message_at(sched, at);

	check(from->rcpt_count > 0 && from->rcpt_count <= SCHED_RCPTS_MAX);
	check(from->priority >= SCHED_PRIORITY_MIN && from->priority <= SCHED_PRIORITY_MAX);
	check(sched_message_find(sched, from->id) == SCHED_NONE);
	*message = (struct message){
	    .id = from->id,
	    .arrival_wall_ms = at_most(from->arrival_wall_ms, WHEEL_TIME_MAX) & WHEEL_TIME_MAX,
	    .flags = from->flags & 0xff,
	    .urgency = (unsigned)(from->priority - SCHED_PRIORITY_MIN) & 0xff,
	    .body_bytes = at_most(from->body_bytes, BODY_BYTES_MAX) & BODY_BYTES_MAX,
	    .rcpt_count = from->rcpt_count & 0xffffff,
	    .prev = sched->newest,
	    .next = SCHED_NONE,
	    .sender = from->sender,
	};
	if (from->rcpt_count > 1)
		message->many = mem_alloc(from->rcpt_count * sizeof(*message->many));
	memset(slots_of(message), 0xff, from->rcpt_count * sizeof(uint32_t));
	if (sched->newest != SCHED_NONE)
		message_at(sched, sched->newest)->next = at;
	else
		sched->oldest = at;
	sched->newest = at;
	sched_index_add(&sched->message_index, at);
	return at;
}

void
sched_message_get(const struct sched *sched, uint32_t at, struct sched_message *into)
{
	const struct message *message = message_at(sched, at);

	*into = (struct sched_message){
	    .id = message->id,
	    .arrival_wall_ms = message->arrival_wall_ms,
	    .body_bytes = message->body_bytes,
	    .sender = message->sender,
	    .rcpt_count = (uint32_t)message->rcpt_count,
	    .open_count = message->open_count,
	    .flags = (unsigned)message->flags,
	    .priority = message_priority(message),
	};
}

uint32_t
sched_message_first(const struct sched *sched)
{
	return sched->oldest;
}

uint32_t
sched_message_next(const struct sched *sched, uint32_t at)
{
	return message_at(sched, at)->next;
}

size_t
sched_message_count(const struct sched *sched)
{
	return sched->messages.count;
}

size_t
sched_rcpt_count(const struct sched *sched)
{
	return sched->rcpts.count;
}

uint32_t
sched_rcpt_add(struct sched *sched, uint32_t message_slot, uint32_t index, unsigned kind,
    struct span key)
{
	struct message *message = message_at(sched, message_slot);
	uint32_t at = sched_pool_take(&sched->rcpts);
	struct rcpt *rcpt = rcpt_at(sched, at);

	check(index < message->rcpt_count && slots_of(message)[index] == SCHED_NONE);
	slots_of(message)[index] = at;
	message->open_count++;
	*rcpt = (struct rcpt){
	    .node = {SCHED_NONE, SCHED_NONE, 0},
	    .message = message_slot,
	    .destination = sched_destination_join(sched, kind, key),
	    .used = 1,
	    .index = index & 0x1ffff,
	    .state = SCHED_NEW,
	};
	return at;
}

uint32_t
sched_rcpt_find(const struct sched *sched, uint32_t message, uint32_t index)
{
	check(index < message_at(sched, message)->rcpt_count);
	return slots_of(message_at(sched, message))[index];
}

enum sched_state
sched_rcpt_state(const struct sched *sched, uint32_t rcpt)
{
	return (enum sched_state)rcpt_at(sched, rcpt)->state;
}

void
sched_rcpt_get(const struct sched *sched, uint32_t at, struct sched_rcpt *into)
{
	const struct rcpt *rcpt = rcpt_at(sched, at);

	check(rcpt->used);
	*into = (struct sched_rcpt){
	    .message = rcpt->message,
	    .index = rcpt->index,
	    .destination = rcpt->destination,
	    .state = (enum sched_state)rcpt->state,
	    .tries = rcpt->tries,
	    .code = rcpt->code,
	    .reply = rcpt->reply,
	    .tried_wall_s = rcpt->tried_wall_s,
	    .next_wall_ms = rcpt->state == SCHED_WAITING || rcpt->state == SCHED_NEW
	        ? rcpt->node.due_ms
	        : 0,
	    .lost = rcpt->lost,
	    .begun = rcpt->begun,
	    .in_doubt = rcpt->in_doubt,
	    .expired = rcpt->expired,
	    .unsaid = rcpt->unsaid,
	    .succeeded = rcpt->succeeded,
	};
}

void
sched_rcpt_note(struct sched *sched, uint32_t at, const struct sched_rcpt *from)
{
	struct rcpt *rcpt = rcpt_at(sched, at);

	rcpt->tries = at_most(from->tries, TRIES_MAX) & TRIES_MAX;
	rcpt->code = at_most(from->code, CODE_MAX) & CODE_MAX;
	rcpt->tried_wall_s = from->tried_wall_s;
	rcpt->lost = at_most(from->lost, SCHED_LOST_MAX) & 3;
	rcpt->begun = at_most(from->begun, SCHED_BEGUN_MAX) & 7;
	rcpt->in_doubt = from->in_doubt;
	rcpt->expired = from->expired;
	rcpt->unsaid = from->unsaid;
	rcpt->succeeded = from->succeeded;
}

void
sched_rcpt_reply(struct sched *sched, uint32_t at, uint32_t reply)
{
	struct rcpt *rcpt = rcpt_at(sched, at);

	sched_reply_drop(sched, rcpt->reply);
	rcpt->reply = reply;
}

void
sched_rcpt_due(struct sched *sched, uint32_t at, uint64_t next_wall_ms)
{
	check(rcpt_at(sched, at)->state == SCHED_NEW);
	rcpt_at(sched, at)->node.due_ms = next_wall_ms;
}

static bool
is_parked(const struct sched *sched, const struct rcpt *rcpt)
{
	return message_at(sched, rcpt->message)->flags & SCHED_PARKED;
}

/* Leaves the wheel, or its line. */
static void
leave(struct sched *sched, uint32_t at)
{
	struct rcpt *rcpt = rcpt_at(sched, at);

	if (rcpt->in_wheel) {
		sched_wheel_remove(&sched->rcpt_wheel, at);
		rcpt->in_wheel = 0;
	}
	if (rcpt->state == SCHED_READY)
		sched_line_remove(sched, at);
}

static void
move(struct sched *sched, uint32_t at, enum sched_state state)
{
	static const unsigned next[SCHED_STATE_COUNT] = {
	    [SCHED_NEW] = 1 << SCHED_WAITING | 1 << SCHED_READY | 1 << SCHED_BOUNCING |
	        1 << SCHED_ENDED,
	    [SCHED_WAITING] = 1 << SCHED_READY | 1 << SCHED_WAITING | 1 << SCHED_BOUNCING |
	        1 << SCHED_ENDED,
	    [SCHED_READY] = 1 << SCHED_ACTIVE | 1 << SCHED_WAITING | 1 << SCHED_READY |
	        1 << SCHED_BOUNCING | 1 << SCHED_ENDED,
	    [SCHED_ACTIVE] = 1 << SCHED_READY | 1 << SCHED_WAITING | 1 << SCHED_BOUNCING |
	        1 << SCHED_ENDED,
	    [SCHED_BOUNCING] = 1 << SCHED_WAITING | 1 << SCHED_ENDED,
	};
	struct rcpt *rcpt = rcpt_at(sched, at);

	check(rcpt->used && next[rcpt->state] & 1u << state);
	leave(sched, at);
	rcpt->state = state & 7;
}

void
sched_rcpt_wait(struct sched *sched, uint32_t at, uint64_t next_wall_ms)
{
	struct rcpt *rcpt = rcpt_at(sched, at);

	move(sched, at, SCHED_WAITING);
	rcpt->node.due_ms = next_wall_ms;
	if (!is_parked(sched, rcpt)) {
		sched_wheel_add(&sched->rcpt_wheel, at, next_wall_ms);
		rcpt->in_wheel = 1;
	}
	sched_destination_look(sched, rcpt->destination);
}

void
sched_rcpt_ready(struct sched *sched, uint32_t at, bool urgent)
{
	struct rcpt *rcpt = rcpt_at(sched, at);

	check(!is_parked(sched, rcpt));
	move(sched, at, SCHED_READY);
	sched_line_add(sched, at, rcpt->tries > 0 && !urgent);
	sched_destination_look(sched, rcpt->destination);
}

void
sched_rcpt_wake(struct sched *sched, uint32_t at)
{
	rcpt_at(sched, at)->in_wheel = 0;
	sched_rcpt_ready(sched, at, false);
}

void
sched_join(struct sched *sched, uint32_t at)
{
	move(sched, at, SCHED_ACTIVE);
	sched_destination_look(sched, rcpt_at(sched, at)->destination);
}

void
sched_rcpt_reroute(struct sched *sched, uint32_t at, unsigned kind, struct span key)
{
	struct rcpt *rcpt = rcpt_at(sched, at);
	uint32_t was = rcpt->destination;
	bool ready = rcpt->state == SCHED_READY, tried = ready && rcpt->line == LINE_TRIED;

	check(ready || rcpt->state == SCHED_NEW || rcpt->state == SCHED_WAITING);
	if (ready)
		sched_line_remove(sched, at);
	rcpt->destination = sched_destination_join(sched, kind, key);
	if (ready)
		sched_line_add(sched, at, tried);
	sched_destination_look(sched, rcpt->destination);
	sched_destination_leave(sched, was);
}

void
sched_rcpt_bounce(struct sched *sched, uint32_t at)
{
	move(sched, at, SCHED_BOUNCING);
	sched_destination_look(sched, rcpt_at(sched, at)->destination);
}

void
sched_rcpt_end(struct sched *sched, uint32_t at)
{
	struct rcpt *rcpt = rcpt_at(sched, at);
	struct message *message = message_at(sched, rcpt->message);
	uint32_t destination = rcpt->destination;

	move(sched, at, SCHED_ENDED);
	sched_reply_drop(sched, rcpt->reply);
	check(message->open_count > 0 && slots_of(message)[rcpt->index] == at);
	message->open_count--;
	slots_of(message)[rcpt->index] = SCHED_NONE;
	sched_pool_give(&sched->rcpts, at);
	sched_destination_leave(sched, destination);
}

/*
 * Tried at a time that is yet to come: the clock was set back since.  It waits as long as it was
 * to wait then; else a clock that once was a year ahead would hold it for a year.
 */
static void
set_back(struct sched *sched, struct rcpt *rcpt)
{
	uint64_t tried_ms = rcpt->tried_wall_s * UINT64_C(1000);

	if (tried_ms <= sched->now_wall_ms || rcpt->node.due_ms <= tried_ms)
		return;
	rcpt->node.due_ms -= tried_ms - sched->now_wall_ms;
	rcpt->tried_wall_s = (uint32_t)(sched->now_wall_ms / 1000);
}

void
sched_rcpts_set_back(struct sched *sched)
{
	for (uint32_t at = 0; at < sched_pool_end(&sched->rcpts); at++) {
		struct rcpt *rcpt;

		if (!sched_pool_has_slot(&sched->rcpts, at))
			continue;
		rcpt = rcpt_at(sched, at);
		if (!rcpt->used || rcpt->state != SCHED_WAITING)
			continue;
		leave(sched, at);
		set_back(sched, rcpt);
		sched_rcpt_wait(sched, at, rcpt->node.due_ms);
	}
}

bool
sched_message_start(struct sched *sched, uint32_t message_slot)
{
	struct message *message = message_at(sched, message_slot);
	bool bouncing = false;

	for (uint32_t i = 0; i < message->rcpt_count; i++) {
		uint32_t at = slots_of(message)[i];
		uint64_t due_ms;

		if (at == SCHED_NONE)
			continue;
		set_back(sched, rcpt_at(sched, at));
		due_ms = rcpt_at(sched, at)->node.due_ms;
		if (rcpt_at(sched, at)->succeeded) {
			sched_rcpt_bounce(sched, at);
			bouncing = true;
		} else if (message->flags & SCHED_PARKED || due_ms > sched->now_wall_ms)
			sched_rcpt_wait(sched, at, due_ms);
		else
			sched_rcpt_ready(sched, at, false);
	}
	return bouncing;
}

void
sched_message_remove(struct sched *sched, uint32_t at)
{
	struct message *message = message_at(sched, at);

	for (uint32_t i = 0; message->open_count > 0; i++) {
		uint32_t rcpt = slots_of(message)[i];

		if (rcpt == SCHED_NONE)
			continue;
		check(rcpt_at(sched, rcpt)->state != SCHED_ACTIVE);
		sched_rcpt_end(sched, rcpt);
	}
	*(message->prev != SCHED_NONE ? &message_at(sched, message->prev)->next
	                              : &sched->oldest) = message->next;
	*(message->next != SCHED_NONE ? &message_at(sched, message->next)->prev
	                              : &sched->newest) = message->prev;
	sched_index_remove(&sched->message_index, at);
	if (message->rcpt_count > 1)
		mem_free(message->many);
	sched_pool_give(&sched->messages, at);
}

/* It is not to be sent yet; as opposed to what failed, and may be tried at any time. */
static bool
is_early(const struct sched *sched, const struct rcpt *rcpt)
{
	return rcpt->tries == 0 && rcpt->node.due_ms > sched->now_wall_ms;
}

void
sched_message_flags(struct sched *sched, uint32_t at, unsigned set, unsigned clear)
{
	struct message *message = message_at(sched, at);
	bool was_parked = message->flags & SCHED_PARKED, parked;

	message->flags = ((message->flags & ~clear) | set) & 0xff;
	parked = message->flags & SCHED_PARKED;
	if (was_parked == parked)
		return;
	for (uint32_t i = 0; i < message->rcpt_count; i++) {
		uint32_t rcpt = slots_of(message)[i];
		enum sched_state state;

		if (rcpt == SCHED_NONE)
			continue;
		state = sched_rcpt_state(sched, rcpt);
		if (state != SCHED_WAITING && state != SCHED_READY)
			continue;
		if (parked)
			sched_rcpt_wait(sched, rcpt,
			    state == SCHED_READY ? 0 : rcpt_at(sched, rcpt)->node.due_ms);
		else if (is_early(sched, rcpt_at(sched, rcpt)))
			sched_rcpt_wait(sched, rcpt, rcpt_at(sched, rcpt)->node.due_ms);
		else
			sched_rcpt_ready(sched, rcpt, true);
	}
}
