/*
 * Poison: messages that end the process that handles them, and messages that cannot be read.
 * They are set aside, and the rest goes on.
 *
 * A process of delivery or mailbox that ends takes its attempts with it, and nobody knows
 * which was the cause.  The messages of all of them are suspects: parked (SCHED_SUSPECT), and
 * tried again one at a time in each process.  One whose next loss would decide is tried
 * while its process does nothing else, so that it is set aside for nobody else's doing.
 * Recipients whose attempt ends in any other way are cleared.
 *
 * A queue process that ends leaves no memory behind.  So one that takes the place of such a
 * process is careful: a mark in the spool (MARK_BEGUN) says that an attempt is about to be
 * made, until the attempt, and the bounce that it may lead to, have ended.  That is for
 * messages that it found at its start, and only until each recipient was tried once; mail
 * that comes in has no such mark, and costs nothing more.  Who has a mark at the next start
 * is a suspect, tried when no other of them is; its marks count how often it went wrong.
 *
 * What is set aside has a mark (MARK_ASIDE) with the reason, and waits for an operator.
 */
#include "base/check.h"
#include "base/sim_point.h"
#include "proc/queue/queue_internal.h"

enum {
	/* With the first death of the queue all that was under way is marked: one is too few. */
	BEGUN_MIN = 2,
	TEXT_BYTES = 200,
};

struct suspect {
	struct list node; /* in poison->suspects */
	uint64_t id;
	unsigned lost;     /* attempts, one after the other, that ended with a process */
	uint64_t loss;     /* which of these ends it was the last time */
	bool alone;        /* and it had that process for itself */
	enum proc proc;    /* which that was */
	bool of_queue;     /* the process was the queue: lost is from marks */
	struct peer *peer; /* where it is being tried; NULL: it waits */
};

struct aside {
	size_t len;
	char text[];
};

void
poison_init(struct queue *queue, const uint64_t seed[2])
{
	struct poison *poison = &queue->poison;

	list_init(&poison->suspects);
	map_init(&poison->suspect_map, seed);
	map_init(&poison->begun_map, seed);
	map_init(&poison->aside_map, seed);
}

void
poison_fini(struct queue *queue)
{
	struct map *maps[] = {&queue->poison.suspect_map, &queue->poison.aside_map};

	for (size_t i = 0; i < LEN(maps); i++) {
		size_t at = 0;
		void *value;

		while ((value = map_next(maps[i], &at)) != NULL)
			mem_free(value);
		map_fini(maps[i]);
	}
	map_fini(&queue->poison.begun_map);
}

/* Those that were lost more often are tried later. */
static void
put_in_line(struct poison *poison, struct suspect *suspect)
{
	struct list *before;

	list_remove(&suspect->node);
	before = poison->suspects.prev;
	while (before != &poison->suspects &&
	       container_of(before, struct suspect, node)->lost > suspect->lost)
		before = before->prev;
	list_push_front(before, &suspect->node);
}

static struct suspect *
suspect_add(struct poison *poison, uint64_t id)
{
	struct suspect *suspect = map_get_u64(&poison->suspect_map, id);

	if (suspect)
		return suspect;
	suspect = mem_alloc(sizeof(*suspect));
	suspect->id = id;
	map_set_u64(&poison->suspect_map, id, suspect);
	return suspect;
}

static void
leave_peer(struct peer *peer, const struct suspect *suspect)
{
	if (peer->suspect == suspect)
		peer->suspect = NULL;
	if (peer->reserved == suspect)
		peer->reserved = NULL;
}

static void
leave_peers(struct queue *queue, struct suspect *suspect)
{
	for (unsigned i = 0; i < QUEUE_PEERS_MAX; i++)
		leave_peer(&queue->deliveries[i], suspect);
	leave_peer(&queue->mailbox, suspect);
	for (unsigned i = 0; i < QUEUE_PIPES_MAX; i++)
		leave_peer(&queue->pipes[i], suspect);
	suspect->peer = NULL;
	if (queue->poison.trying == suspect)
		queue->poison.trying = NULL;
}

/* It is a suspect no more. */
static void
drop(struct queue *queue, struct suspect *suspect)
{
	leave_peers(queue, suspect);
	list_remove(&suspect->node);
	map_remove_u64(&queue->poison.suspect_map, suspect->id);
	mem_free(suspect);
}

/* And what was parked for that alone goes on. */
static void
clear(struct queue *queue, struct suspect *suspect)
{
	uint32_t slot = sched_message_find(queue->sched, suspect->id);

	drop(queue, suspect);
	if (slot != SCHED_NONE)
		sched_message_flags(queue->sched, slot, 0, SCHED_SUSPECT);
}

void
poison_keep_text(struct queue *queue, uint64_t id, struct span text)
{
	struct aside *aside = mem_alloc(sizeof(*aside) + text.len);

	aside->len = text.len;
	if (text.len)
		memcpy(aside->text, text.ptr, text.len);
	mem_free(map_remove_u64(&queue->poison.aside_map, id));
	map_set_u64(&queue->poison.aside_map, id, aside);
}

struct span
poison_text(const struct queue *queue, uint64_t id)
{
	const struct aside *aside = map_get_u64(&queue->poison.aside_map, id);

	return aside ? span_of(aside->text, aside->len) : SPAN("");
}

static void
set_aside(struct queue *queue, uint32_t slot, struct span text)
{
	struct mark mark = {
	    .kind = MARK_ASIDE, .wall_ms = io_wall_ms(queue->env->io), .text = text};
	struct sched_message known;
	struct suspect *suspect;
	struct event event;

	sched_message_get(queue->sched, slot, &known);
	outcome_mark(queue, known.id, &mark);
	poison_keep_text(queue, known.id, text);
	sched_message_flags(queue->sched, slot, SCHED_ASIDE, SCHED_SUSPECT);
	suspect = map_get_u64(&queue->poison.suspect_map, known.id);
	if (suspect)
		drop(queue, suspect);
	queue_event_begin(&event, queue, "set_aside", known.id);
	event_span(&event, "text", text);
	event_end(&event);
}

static void
set_aside_deadly(struct queue *queue, uint32_t slot, const struct suspect *suspect)
{
	struct buf text;

	buf_init(&text, TEXT_BYTES);
	buf_addf(&text, "%s ended %u time%s in a row while it had this message",
	    suspect->of_queue			  ? "the queue's process"
	    : suspect->proc == PROC_MAILBOX ? "a process of mailbox"
	    : suspect->proc == PROC_PIPE    ? "a process that runs programs"
					    : "a process of delivery",
	    suspect->lost, suspect->lost == 1 ? "" : "s");
	set_aside(queue, slot, buf_span(&text));
	buf_fini(&text);
}

bool
poison_may_pass(enum err err)
{
	return err == ERR_MEMORY || err == ERR_DESCRIPTORS || err == ERR_AGAIN ||
	       err == ERR_BUSY || err == ERR_LIMIT || err == ERR_CLOSED;
}

void
poison_unreadable(struct message *message, enum err err)
{
	struct buf text;

	buf_init(&text, TEXT_BYTES);
	buf_addf(&text, "it cannot be read from the spool: %s", err_text(err));
	set_aside(message->queue, message->slot, buf_span(&text));
	buf_fini(&text);
}

void
poison_forget(struct queue *queue, uint64_t id)
{
	struct suspect *suspect = map_get_u64(&queue->poison.suspect_map, id);

	if (suspect)
		clear(queue, suspect);
	map_remove_u64(&queue->poison.begun_map, id);
	mem_free(map_remove_u64(&queue->poison.aside_map, id));
}

/* Losses of delivery and mailbox. */

void
poison_peer_ended(struct peer *peer)
{
	struct poison *poison = &peer->queue->poison;
	const struct message *message = NULL;

	poison->losses++;
	poison->proc = peer->proc;
	poison->alone = true;
	list_for_each (node, &peer->attempts) {
		const struct attempt *attempt = container_of(node, struct attempt, node);

		if (!attempt->ordered)
			continue;
		if (message && message != attempt->message)
			poison->alone = false;
		message = attempt->message;
	}
	if (peer->suspect)
		peer->suspect->peer = NULL;
	if (poison->trying && poison->trying == peer->suspect)
		poison->trying = NULL;
	peer->suspect = peer->reserved = NULL;
}

bool
poison_lost(struct message *message)
{
	struct queue *queue = message->queue;
	struct poison *poison = &queue->poison;
	struct suspect *suspect = suspect_add(poison, message->id);

	/* It may have had several attempts there. */
	if (suspect->loss == poison->losses)
		return true;
	suspect->loss = poison->losses;
	/* What the queue itself may die of is counted for that. */
	suspect->lost += !suspect->of_queue;
	suspect->alone = poison->alone;
	suspect->proc = poison->proc;
	put_in_line(poison, suspect);
	if (queue->conf->crashes_max == 0 && suspect->lost > 1) {
		clear(queue, suspect);
		return false;
	}
	sched_message_flags(queue->sched, message->slot, SCHED_SUSPECT, 0);
	return true;
}

static bool
is_suspended(const struct queue *queue, uint32_t destination)
{
	struct sched_destination known;

	sched_destination_get(queue->sched, destination, &known);
	return known.limits.suspended;
}

/*
 * The first recipient for whose sake it is a suspect, before others one whose destination is not
 * suspended; SCHED_NONE: there is none.
 */
static uint32_t
blamed(const struct queue *queue, const struct suspect *suspect, uint32_t slot,
    struct sched_rcpt *rcpt)
{
	struct sched_message known;
	uint32_t suspended = SCHED_NONE;

	sched_message_get(queue->sched, slot, &known);
	for (uint32_t i = 0; i < known.rcpt_count; i++) {
		uint32_t at = sched_rcpt_find(queue->sched, slot, i);

		if (at == SCHED_NONE)
			continue;
		sched_rcpt_get(queue->sched, at, rcpt);
		if (rcpt->lost == 0 && !(suspect->of_queue && rcpt->begun > 0))
			continue;
		if (!is_suspended(queue, rcpt->destination))
			return at;
		if (suspended == SCHED_NONE)
			suspended = at;
	}
	if (suspended != SCHED_NONE)
		sched_rcpt_get(queue->sched, suspended, rcpt);
	return suspended;
}

/* The next loss would decide. */
static bool
needs_silence(const struct queue *queue, const struct suspect *suspect)
{
	return !suspect->of_queue && queue->conf->crashes_max > 0 &&
	       suspect->lost + 1 >= queue->conf->crashes_max;
}

static bool
takes_suspects(const struct peer *peer)
{
	return peer->channel && !peer->suspect && peer->attempt_count < peer->attempt_max;
}

/* The process with the fewest attempts of those that could try it; NULL: none could. */
static struct peer *
choose_peer(
    struct queue *queue, const struct suspect *suspect, unsigned kind)
{
	struct peer *only = dispatch_only_peer(queue, kind), *best = NULL;

	if (only)
		return takes_suspects(only) &&
			(!only->reserved || only->reserved == suspect)
		    ? only
		    : NULL;
	for (unsigned i = 0; i < QUEUE_PEERS_MAX; i++) {
		struct peer *peer = &queue->deliveries[i];

		if (peer->reserved == suspect && takes_suspects(peer))
			return peer;
		/* The others go on while one is kept free. */
		if (peer->reserved && needs_silence(queue, suspect))
			return NULL;
		if (takes_suspects(peer) && !peer->reserved &&
		    (!best || peer->attempt_count < best->attempt_count))
			best = peer;
	}
	return best;
}

static void
try(struct queue *queue, struct suspect *suspect, uint32_t slot, uint32_t at,
    struct peer *peer)
{
	struct event event;

	queue_event_begin(&event, queue, "suspect_tried", suspect->id);
	event_u64(&event, "lost", suspect->lost);
	event_end(&event);
	suspect->peer = peer;
	peer->suspect = suspect;
	if (suspect->of_queue)
		queue->poison.trying = suspect;
	/* For a moment all of its recipients are in line; this one leaves it at once. */
	sched_message_flags(queue->sched, slot, 0, SCHED_SUSPECT);
	sched_take_this(queue->sched, at);
	dispatch_start(queue, at, peer);
	sched_message_flags(queue->sched, slot, SCHED_SUSPECT, 0);
}

/*
 * While nothing is sent to where its suspected recipients go, the others need not wait.  True: it
 * is so.
 */
static bool
put_off(struct queue *queue, struct suspect *suspect, uint32_t slot,
    const struct sched_rcpt *rcpt)
{
	struct sched_message known;

	sched_message_get(queue->sched, slot, &known);
	if (is_suspended(queue, rcpt->destination)) {
		leave_peers(queue, suspect);
		sched_message_flags(queue->sched, slot, 0, SCHED_SUSPECT);
		return true;
	}
	if (!(known.flags & SCHED_SUSPECT))
		sched_message_flags(queue->sched, slot, SCHED_SUSPECT, 0);
	return false;
}

/* Tries it if it may be tried now, by a process of that kind. */
static void
consider(struct queue *queue, struct suspect *suspect, unsigned kind)
{
	uint32_t slot = sched_message_find(queue->sched, suspect->id), at;
	struct sched_destination destination;
	struct sched_message known;
	struct sched_rcpt rcpt;
	struct peer *peer;

	at = slot == SCHED_NONE ? SCHED_NONE : blamed(queue, suspect, slot, &rcpt);
	if (at == SCHED_NONE) {
		clear(queue, suspect);
		return;
	}
	sched_destination_get(queue->sched, rcpt.destination, &destination);
	if (destination.kind != kind || put_off(queue, suspect, slot, &rcpt))
		return;
	sched_message_get(queue->sched, slot, &known);
	if (sched_rcpt_state(queue->sched, at) != SCHED_WAITING ||
	    known.flags & (SCHED_PARKED & ~SCHED_SUSPECT) ||
	    (suspect->of_queue && queue->poison.trying))
		return;
	peer = choose_peer(queue, suspect, kind);
	if (!peer)
		return;
	if (needs_silence(queue, suspect)) {
		peer->reserved = suspect;
		if (peer->attempt_count > 0)
			return;
	}
	try(queue, suspect, slot, at, peer);
}

static bool
has_process(struct queue *queue, unsigned kind)
{
	const struct peer *only = dispatch_only_peer(queue, kind);

	if (only)
		return takes_suspects(only);
	for (unsigned i = 0; i < QUEUE_PEERS_MAX; i++)
		if (takes_suspects(&queue->deliveries[i]))
			return true;
	return false;
}

/* Its last loss decided, if it is one that a process of this kind may speak about. */
static bool
is_deadly(struct queue *queue, const struct suspect *suspect, unsigned kind)
{
	const struct peer *only = dispatch_only_peer(queue, kind);

	return !suspect->of_queue && suspect->alone && queue->conf->crashes_max > 0 &&
	       suspect->lost >= queue->conf->crashes_max &&
	       suspect->proc == (only ? only->proc : PROC_DELIVERY);
}

/*
 * Only while there is a process: when the server stops these end first, with what they have
 * under way, and nothing is to be set aside for that.
 */
void
poison_dispatch(struct queue *queue, unsigned kind)
{
	list_for_each_safe (node, &queue->poison.suspects) {
		struct suspect *suspect = container_of(node, struct suspect, node);
		uint32_t slot;

		if (!has_process(queue, kind))
			return;
		if (suspect->peer)
			continue;
		slot = sched_message_find(queue->sched, suspect->id);
		if (slot != SCHED_NONE && is_deadly(queue, suspect, kind))
			set_aside_deadly(queue, slot, suspect);
		else
			consider(queue, suspect, kind);
	}
}

void
poison_ended(struct message *message)
{
	struct queue *queue = message->queue;
	struct suspect *suspect;
	struct sched_rcpt rcpt;

	if (message->active_count > 0 || message->bounce)
		return;
	map_remove_u64(&queue->poison.begun_map, message->id);
	suspect = map_get_u64(&queue->poison.suspect_map, message->id);
	if (!suspect)
		return;
	leave_peers(queue, suspect);
	if (blamed(queue, suspect, message->slot, &rcpt) == SCHED_NONE)
		clear(queue, suspect);
}

/* Deaths of the queue. */

bool
poison_is_careful(const struct message *message, uint32_t index)
{
	struct queue *queue = message->queue;
	struct sched_rcpt rcpt;

	if (!queue->poison.careful || message->id >= queue->poison.first_id ||
	    map_get_u64(&queue->poison.begun_map, message->id))
		return false;
	sched_rcpt_get(queue->sched, sched_rcpt_find(queue->sched, message->slot, index),
	    &rcpt);
	return rcpt.tried_wall_s < queue->poison.start_wall_s;
}

void
poison_begin(struct message *message, uint32_t index, struct store_op *op)
{
	struct queue *queue = message->queue;
	uint32_t at = sched_rcpt_find(queue->sched, message->slot, index);
	struct mark mark = {.kind = MARK_BEGUN,
	    .wall_ms = io_wall_ms(queue->env->io),
	    .index = index};
	struct sched_rcpt rcpt;
	struct buf bytes;

	SIM_MARK("poison.begun");
	sched_rcpt_get(queue->sched, at, &rcpt);
	rcpt.begun++;
	sched_rcpt_note(queue->sched, at, &rcpt);
	mark.tries = rcpt.begun;
	map_set_u64(&queue->poison.begun_map, message->id, message);
	buf_init(&bytes, MARK_BYTES_MAX);
	mark_write(&bytes, &mark);
	check(buf_finish(&bytes) == OK);
	store_mark(queue->store, op, message->id, buf_span(&bytes));
	buf_fini(&bytes);
}

void
poison_found(struct queue *queue, uint32_t slot)
{
	struct sched_message known;
	struct suspect *suspect;

	sched_message_get(queue->sched, slot, &known);
	suspect = suspect_add(&queue->poison, known.id);
	suspect->of_queue = true;
}

static unsigned
begun_max(const struct queue *queue, uint32_t slot)
{
	struct sched_message known;
	unsigned most = 0;

	sched_message_get(queue->sched, slot, &known);
	for (uint32_t i = 0; i < known.rcpt_count; i++) {
		uint32_t at = sched_rcpt_find(queue->sched, slot, i);
		struct sched_rcpt rcpt;

		if (at == SCHED_NONE)
			continue;
		sched_rcpt_get(queue->sched, at, &rcpt);
		if (rcpt.begun > most)
			most = rcpt.begun;
	}
	return most;
}

static unsigned
begun_limit(const struct queue *queue)
{
	uint64_t limit = queue->conf->crashes_max;

	if (limit == 0)
		return UINT32_MAX;
	if (limit < BEGUN_MIN)
		return BEGUN_MIN;
	return limit < SCHED_BEGUN_MAX ? (unsigned)limit : SCHED_BEGUN_MAX;
}

/* Gives those that have marks their places; without a death before they are like all others. */
void
poison_start(struct queue *queue)
{
	struct poison *poison = &queue->poison;
	struct suspect *suspect;
	size_t at = 0;

	poison->careful = queue->env->died;
	poison->start_wall_s = io_wall_ms(queue->env->io) / 1000;
	while ((suspect = map_next(&poison->suspect_map, &at)) != NULL) {
		uint32_t slot = sched_message_find(queue->sched, suspect->id);

		suspect->lost = slot == SCHED_NONE ? 0 : begun_max(queue, slot);
		if (suspect->lost == 0 || !poison->careful) {
			drop(queue, suspect);
		} else if (suspect->lost >= begun_limit(queue)) {
			SIM_MARK("poison.aside_for_queue");
			set_aside_deadly(queue, slot, suspect);
		} else {
			SIM_MARK("poison.begun_found");
			put_in_line(poison, suspect);
			sched_message_flags(queue->sched, slot, SCHED_SUSPECT, 0);
		}
	}
}
