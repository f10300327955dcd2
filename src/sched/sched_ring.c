/*
 * Turns: rings of destinations, and of sites, which stand for theirs.  The first one goes next, and
 * then to the end.
 */
#include "sched/sched_internal.h"

void
sched_ring_init(struct ring *ring)
{
	*ring = (struct ring){SCHED_NONE, SCHED_NONE};
}

static bool
shares_site(const struct sched *sched, uint32_t turn)
{
	return !(turn & RING_SITE) && destination_at(sched, turn)->site != SCHED_NONE;
}

static unsigned
level_of(const struct sched *sched, uint32_t turn)
{
	uint32_t active = turn_at(sched, turn)->active;
	unsigned level = LEVEL_BUSY;

	if (shares_site(sched, turn))
		return LEVEL_IDLE;
	if (active == 0)
		return !(turn & RING_SITE) && destination_at(sched, turn)->down_count > 0
		    ? LEVEL_PROBE
		    : LEVEL_IDLE;
	while (active > 1 && level < LEVEL_COUNT - 1) {
		active /= 2;
		level++;
	}
	return level;
}

static struct ring_node *
node_of(const struct sched *sched, uint32_t turn, unsigned which)
{
	return &turn_at(sched, turn)->rings[which];
}

static struct ring *
ring_of(struct sched *sched, uint32_t turn, unsigned which)
{
	if (shares_site(sched, turn))
		return &site_at(sched, destination_at(sched, turn)->site)->turns[which];
	return &sched->turns[turn_at(sched, turn)->kind]
	            .rings[which][node_of(sched, turn, which)->level];
}

static void
put_in(struct sched *sched, uint32_t turn, unsigned which, unsigned level)
{
	struct ring_node *node = node_of(sched, turn, which);
	struct ring *ring;

	node->level = (uint8_t)level;
	ring = ring_of(sched, turn, which);
	*node = (struct ring_node){ring->last, SCHED_NONE, true, (uint8_t)level};
	*(ring->last != SCHED_NONE ? &node_of(sched, ring->last, which)->next
	                           : &ring->first) = turn;
	ring->last = turn;
	if (!shares_site(sched, turn))
		sched->turns[turn_at(sched, turn)->kind].filled[which] |=
		    (uint16_t)(1u << level);
}

static void
take_out(struct sched *sched, uint32_t turn, unsigned which)
{
	struct ring_node *node = node_of(sched, turn, which);
	struct ring *ring = ring_of(sched, turn, which);

	*(node->prev != SCHED_NONE ? &node_of(sched, node->prev, which)->next
	                           : &ring->first) = node->next;
	*(node->next != SCHED_NONE ? &node_of(sched, node->next, which)->prev
	                           : &ring->last) = node->prev;
	node->in = false;
	if (!shares_site(sched, turn) && ring->first == SCHED_NONE)
		sched->turns[turn_at(sched, turn)->kind].filled[which] &=
		    (uint16_t)~(1u << node->level);
}

static void
set(struct sched *sched, uint32_t turn, unsigned which, unsigned level, bool may)
{
	const struct ring_node *node = node_of(sched, turn, which);

	if (node->in && (!may || node->level != level))
		take_out(sched, turn, which);
	if (may && !node->in)
		put_in(sched, turn, which, level);
}

void
sched_ring_set(struct sched *sched, uint32_t turn, bool light, bool all)
{
	unsigned level = level_of(sched, turn);

	set(sched, turn, RING_LIGHT, level, light);
	set(sched, turn, RING_ALL, level, all);
}

void
sched_ring_wake(struct sched *sched, uint32_t turn, uint64_t wake_ms)
{
	struct wheel *wheel =
	    turn & RING_SITE ? &sched->site_wheel : &sched->destination_wheel;
	struct turn *of = turn_at(sched, turn);

	if (of->in_wheel) {
		if (wake_ms == of->node.due_ms)
			return;
		sched_wheel_remove(wheel, turn & ~RING_SITE);
	}
	of->in_wheel = wake_ms > 0;
	if (wake_ms > 0)
		sched_wheel_add(wheel, turn & ~RING_SITE, wake_ms);
}
