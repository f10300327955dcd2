/* What will happen, in the order of time, then of being asked for: a binary heap. */
#include "sim/sim_internal.h"

static bool
earlier(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->number < b->number;
}

static void
put(struct sim *sim, size_t place, struct sim_event *event)
{
	sim->heap[place] = event;
	event->place = place;
}

static void
rise(struct sim *sim, size_t place, struct sim_event *event)
{
	while (place > 1 && earlier(event, sim->heap[place / 2])) {
		put(sim, place, sim->heap[place / 2]);
		place /= 2;
	}
	put(sim, place, event);
}

static void
sink(struct sim *sim, size_t place, struct sim_event *event)
{
	for (;;) {
		size_t below = place * 2;

		if (below > sim->heap_count)
			break;
		if (below < sim->heap_count && earlier(sim->heap[below + 1], sim->heap[below]))
			below++;
		if (!earlier(sim->heap[below], event))
			break;
		put(sim, place, sim->heap[below]);
		place = below;
	}
	put(sim, place, event);
}

bool
sim_event_waits(const struct sim_event *event)
{
	return event->place > 0;
}

void
sim_event_start_at(struct sim *sim, struct sim_event *event, uint64_t at_us)
{
	check(event->place == 0 && event->fire);
	event->at_us = at_us > sim->now_us ? at_us : sim->now_us;
	event->number = ++sim->number;
	if (sim->heap_count + 2 > sim->heap_room) {
		sim->heap_room = sim->heap_room ? 2 * sim->heap_room : 256;
		sim->heap = sim_grow(sim, sim->heap, sim->heap_room * sizeof(struct sim_event *));
	}
	rise(sim, ++sim->heap_count, event);
	if (event->io)
		list_push(&event->io->events, &event->link);
}

void
sim_event_start(struct sim *sim, struct sim_event *event, uint64_t delay_us)
{
	sim_event_start_at(sim, event, sim->now_us + delay_us);
}

static void
take_out(struct sim *sim, struct sim_event *event)
{
	size_t place = event->place;
	struct sim_event *last = sim->heap[sim->heap_count--];

	event->place = 0;
	list_remove(&event->link);
	if (last == event)
		return;
	if (place > 1 && earlier(last, sim->heap[place / 2]))
		rise(sim, place, last);
	else
		sink(sim, place, last);
}

void
sim_event_stop(struct sim *sim, struct sim_event *event)
{
	if (event->place > 0)
		take_out(sim, event);
}

struct sim_event *
sim_event_next(struct sim *sim)
{
	struct sim_event *event;

	if (sim->heap_count == 0)
		return NULL;
	event = sim->heap[1];
	take_out(sim, event);
	return event;
}

void
sim_events_drop(struct io *io)
{
	while (!list_empty(&io->events)) {
		struct sim_event *event = container_of(io->events.next, struct sim_event, link);

		take_out(io->sim, event);
		if (event->drop)
			event->drop(event);
	}
}
