/*
 * Who is next, and when.  Recipients wait in a heap by time, or are ready in the list of their
 * destination; destinations with something to do take turns.  Nothing here talks to anybody.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"

enum {
	DOWN_MS_MIN = 30 * 1000,
	DOWN_MS_MAX = 600 * 1000,
	EXPIRE_PART = 1000,
	AHEAD_MAX = 1000
};

static void
heap_put(struct queue *queue, size_t at, struct recipient *rcpt)
{
	queue->heap[at] = rcpt;
	rcpt->timer = at;
}

static void
heap_up(struct queue *queue, size_t at)
{
	struct recipient *rcpt = queue->heap[at];

	while (at > 1 && queue->heap[at / 2]->next_wall_ms > rcpt->next_wall_ms) {
		heap_put(queue, at, queue->heap[at / 2]);
		at /= 2;
	}
	heap_put(queue, at, rcpt);
}

static void
heap_down(struct queue *queue, size_t at)
{
	struct recipient *rcpt = queue->heap[at];
	size_t child;

	while ((child = 2 * at) <= queue->heap_count) {
		if (child < queue->heap_count && queue->heap[child + 1]->next_wall_ms <
						     queue->heap[child]->next_wall_ms)
			child++;
		if (queue->heap[child]->next_wall_ms >= rcpt->next_wall_ms)
			break;
		heap_put(queue, at, queue->heap[child]);
		at = child;
	}
	heap_put(queue, at, rcpt);
}

static void
heap_add(struct queue *queue, struct recipient *rcpt)
{
	if (queue->heap_count + 2 > queue->heap_room) {
		queue->heap_room = queue->heap_room ? queue->heap_room * 2 : 1024;
		queue->heap = mem_realloc(
		    queue->heap, queue->heap_room * sizeof(struct recipient *));
	}
	heap_put(queue, ++queue->heap_count, rcpt);
	heap_up(queue, queue->heap_count);
}

static void
heap_remove(struct queue *queue, struct recipient *rcpt)
{
	size_t at = rcpt->timer;
	struct recipient *last;

	if (at == 0)
		return;
	rcpt->timer = 0;
	last = queue->heap[queue->heap_count--];
	if (last == rcpt)
		return;
	heap_put(queue, at, last);
	heap_up(queue, at);
	heap_down(queue, last->timer);
}

static struct span
domain_of(struct span address)
{
	return span_skip(address, span_find_last(address, '@') + 1);
}

const struct conf_route *
schedule_route(const struct conf *conf, struct span address)
{
	for (size_t i = 0; i < conf->route_count; i++)
		if (route_matches(conf->routes[i].domain, domain_of(address)))
			return &conf->routes[i];
	return NULL;
}

/*
 * The key of a destination: "mailbox", "mx:DOMAIN" or "host:HOST:PORT".  Mail through one smart
 * host takes turns together; it shares an attempt only where its routes lead the same way.
 */
static void
write_key(struct buf *key, const struct queue *queue, const struct recipient *rcpt)
{
	struct span domain = domain_of(rcpt->address);
	const struct conf_route *route;

	if (rcpt->kind == IPC_TARGET_MAILBOX) {
		buf_add_str(key, "mailbox");
		return;
	}
	route = schedule_route(queue->conf, rcpt->address);
	if (route && route->host.len > 0) {
		buf_add_str(key, "host:");
		buf_add(key, route->host);
		buf_addf(key, ":%u", route->port);
		return;
	}
	buf_add_str(key, "mx:");
	for (size_t i = 0; i < domain.len; i++)
		buf_add_char(key, ascii_lower(domain.ptr[i]));
}

static void
join_destination(struct queue *queue, struct recipient *rcpt)
{
	struct destination *destination;
	struct span domain = domain_of(rcpt->address);
	struct buf key;

	buf_init(&key, 2 * IPC_PATH_MAX);
	write_key(&key, queue, rcpt);
	destination = map_get(&queue->destination_map, buf_span(&key));
	if (!destination) {
		char *memory;

		destination = mem_alloc(sizeof(*destination) + key.len + domain.len);
		memory = (char *)(destination + 1);
		memcpy(memory, key.ptr, key.len);
		if (domain.len)
			memcpy(memory + key.len, domain.ptr, domain.len);
		destination->key = span_of(memory, key.len);
		destination->domain = span_of(memory + key.len, domain.len);
		destination->kind = rcpt->kind;
		list_init(&destination->ready);
		map_set(&queue->destination_map, destination->key, destination);
	}
	destination->rcpt_count++;
	rcpt->destination = destination;
	buf_fini(&key);
}

static void
forget_destination(struct queue *queue, struct destination *destination)
{
	map_remove(&queue->destination_map, destination->key);
	list_remove(&destination->node);
	list_remove(&destination->down_node);
	mem_free(destination);
}

static void
leave_destination(struct queue *queue, struct recipient *rcpt)
{
	struct destination *destination = rcpt->destination;

	if (!destination)
		return;
	rcpt->destination = NULL;
	if (--destination->rcpt_count > 0 || destination->active > 0)
		return;
	forget_destination(queue, destination);
}

/* Puts the destination among those that may start an attempt, or takes it out. */
static void
take_turn(struct queue *queue, struct destination *destination)
{
	uint64_t now_ms = io_now_ms(queue->env->io);
	unsigned active_max = destination->kind == IPC_TARGET_MAILBOX
				  ? QUEUE_MAILBOX_ATTEMPTS_MAX
				  : (unsigned)queue->conf->limits.connections_max;
	bool may = destination->ready_count > 0 && destination->active < active_max;

	/* While it is down one attempt in a time probes it. */
	if (destination->down_until_ms > now_ms)
		may = false;
	else if (destination->down_count > 0 && destination->active > 0)
		may = false;
	if (!may)
		list_remove(&destination->node);
	else if (!list_linked(&destination->node))
		list_push(&queue->turns[destination->kind], &destination->node);
}

struct destination *
schedule_next(struct queue *queue, enum ipc_target kind)
{
	struct list *node = list_pop(&queue->turns[kind]);

	return node ? container_of(node, struct destination, node) : NULL;
}

void
recipient_move(struct queue *queue, struct recipient *rcpt, enum recipient_state state)
{
	static const unsigned next[RECIPIENT_STATE_COUNT] = {
	    [RECIPIENT_WAITING] = 1 << RECIPIENT_READY | 1 << RECIPIENT_WAITING |
				  1 << RECIPIENT_BOUNCING | 1 << RECIPIENT_ENDED,
	    [RECIPIENT_READY] = 1 << RECIPIENT_ACTIVE | 1 << RECIPIENT_WAITING |
				1 << RECIPIENT_BOUNCING | 1 << RECIPIENT_ENDED,
	    [RECIPIENT_ACTIVE] = 1 << RECIPIENT_READY | 1 << RECIPIENT_WAITING |
				 1 << RECIPIENT_BOUNCING | 1 << RECIPIENT_ENDED,
	    [RECIPIENT_BOUNCING] = 1 << RECIPIENT_ENDED,
	};

	check(next[rcpt->state] & 1u << state);
	heap_remove(queue, rcpt);
	if (rcpt->state == RECIPIENT_READY) {
		list_remove(&rcpt->node);
		rcpt->destination->ready_count--;
	}
	rcpt->state = state;
	switch (state) {
	case RECIPIENT_WAITING:
		if (!rcpt->message->held)
			heap_add(queue, rcpt);
		break;
	case RECIPIENT_READY:
		list_push(&rcpt->destination->ready, &rcpt->node);
		rcpt->destination->ready_count++;
		break;
	case RECIPIENT_ENDED:
		check(rcpt->message->open_count > 0);
		rcpt->message->open_count--;
		break;
	case RECIPIENT_ACTIVE:
	case RECIPIENT_BOUNCING:
	case RECIPIENT_STATE_COUNT:
		break;
	}
	if (rcpt->destination)
		take_turn(queue, rcpt->destination);
	if (state == RECIPIENT_ENDED)
		leave_destination(queue, rcpt);
}

void
schedule_message(struct queue *queue, struct message *message)
{
	if (queue->conf->hold_all && !message->released)
		message->held = true;
	for (uint32_t i = 0; i < message->rcpt_count; i++) {
		struct recipient *rcpt = &message->rcpts[i];

		if (rcpt->state == RECIPIENT_ENDED)
			continue;
		join_destination(queue, rcpt);
		rcpt->state = RECIPIENT_WAITING;
		if (message->held)
			continue;
		if (rcpt->next_wall_ms > 0)
			heap_add(queue, rcpt);
		else
			recipient_move(queue, rcpt, RECIPIENT_READY);
	}
}

void
schedule_attempt_over(struct queue *queue, struct destination *destination)
{
	check(destination->active > 0);
	destination->active--;
	if (destination->rcpt_count > 0) {
		take_turn(queue, destination);
		return;
	}
	if (destination->active > 0)
		return;
	forget_destination(queue, destination);
}

void
schedule_down(struct queue *queue, struct destination *destination)
{
	uint64_t now_ms = io_now_ms(queue->env->io), wait_ms = DOWN_MS_MIN;

	/* Attempts that were under way together tell of one failure, not of many. */
	if (destination->down_until_ms > now_ms)
		return;
	/* Never longer than the shortest wait for a retry that is configured. */
	for (unsigned i = 0; i < destination->down_count && wait_ms < DOWN_MS_MAX; i++)
		wait_ms *= 2;
	if (wait_ms > queue->conf->limits.retry_ms[0])
		wait_ms = queue->conf->limits.retry_ms[0];
	destination->down_count++;
	destination->down_until_ms = now_ms + wait_ms;
	if (!list_linked(&destination->down_node))
		list_push(&queue->downs, &destination->down_node);
	take_turn(queue, destination);
}

void
schedule_expire(struct queue *queue)
{
	uint64_t now_wall_ms = io_wall_ms(queue->env->io);
	unsigned left = EXPIRE_PART;

	list_for_each_safe (node, &queue->downs) {
		struct destination *destination =
		    container_of(node, struct destination, down_node);

		/* A destination goes with its last recipient: none is looked at after that. */
		for (size_t count = destination->ready_count; count > 0 && left > 0;
		     count--) {
			struct recipient *rcpt =
			    container_of(destination->ready.next, struct recipient, node);
			bool last = destination->rcpt_count == 1;

			left--;
			if (now_wall_ms <
			    rcpt->message->arrival_wall_ms + queue->conf->limits.expire_ms)
				break;
			outcome_expire(queue, rcpt);
			if (last)
				break;
		}
	}
}

void
schedule_up(struct queue *queue, struct destination *destination)
{
	destination->down_count = 0;
	destination->down_until_ms = 0;
	list_remove(&destination->down_node);
	take_turn(queue, destination);
}

/* Destinations whose back-off is over may be probed. */
static void
wake_destinations(struct queue *queue)
{
	uint64_t now_ms = io_now_ms(queue->env->io);

	list_for_each_safe (node, &queue->downs) {
		struct destination *destination =
		    container_of(node, struct destination, down_node);

		if (destination->down_until_ms > now_ms)
			continue;
		list_remove(node);
		take_turn(queue, destination);
	}
}

void
schedule_arm(struct queue *queue)
{
	uint64_t now_wall_ms = io_wall_ms(queue->env->io);
	uint64_t wait_ms = 1000;

	wake_destinations(queue);
	while (queue->heap_count > 0 && queue->heap[1]->next_wall_ms <= now_wall_ms)
		recipient_move(queue, queue->heap[1], RECIPIENT_READY);
	/* A wall clock may jump: look again at least so often. */
	if (queue->heap_count > 0 && queue->heap[1]->next_wall_ms - now_wall_ms < wait_ms)
		wait_ms = queue->heap[1]->next_wall_ms - now_wall_ms;
	io_timer_start(queue->env->io, &queue->timer, wait_ms);
}

size_t
schedule_ahead(const struct recipient *rcpt)
{
	size_t ahead = 0;

	if (rcpt->state != RECIPIENT_READY)
		return 0;
	list_for_each (node, &rcpt->destination->ready) {
		if (node == &rcpt->node || ahead == AHEAD_MAX)
			break;
		ahead++;
	}
	return ahead;
}
