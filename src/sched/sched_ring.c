/*
 * Turns: rings of destinations, and of sites, which stand for theirs.  The first one goes next, and
 * then to the end.
 */
#include "sched/sched_internal.h"

void
sched_ring_init(struct ring rings[RING_COUNT])
{
	for (unsigned which = 0; which < RING_COUNT; which++)
		rings[which] = (struct ring){SCHED_NONE, SCHED_NONE};
}

static struct ring_node *
node_of(struct sched *sched, uint32_t turn, unsigned which)
{
	return turn & RING_SITE ? &site_at(sched, turn & ~RING_SITE)->rings[which]
	                        : &destination_at(sched, turn)->rings[which];
}

void
sched_ring_set(
    struct sched *sched, struct ring *ring, uint32_t turn, unsigned which, bool may)
{
	struct ring_node *node = node_of(sched, turn, which);

	if (node->in == may)
		return;
	if (may) {
		*node = (struct ring_node){ring->last, SCHED_NONE, true};
		*(ring->last != SCHED_NONE ? &node_of(sched, ring->last, which)->next
		                           : &ring->first) = turn;
		ring->last = turn;
		return;
	}
	*(node->prev != SCHED_NONE ? &node_of(sched, node->prev, which)->next
	                           : &ring->first) = node->next;
	*(node->next != SCHED_NONE ? &node_of(sched, node->next, which)->prev
	                           : &ring->last) = node->prev;
	node->in = false;
}
