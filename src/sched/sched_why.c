/* Why a recipient waits, and which have waited too long. */
#include "sched/sched_internal.h"

static uint64_t
wall_of(const struct sched *sched, uint64_t at_ms)
{
	return sched->now_wall_ms + (at_ms > sched->now_ms ? at_ms - sched->now_ms : 0);
}

static void
why_ready(const struct sched *sched, uint32_t at, struct sched_why *why)
{
	const struct destination *destination =
	    destination_at(sched, rcpt_at(sched, at)->destination);
	uint64_t token_ms =
	    rate_next_ms(&destination->rate, &destination->limits.rate, sched->now_ms);
	uint64_t site_ms = 0, pause_ms = destination->limits.pause_until_ms;
	enum sched_reason site = SCHED_WHY_TURN;

	if (destination->site != SCHED_NONE)
		sched_site_may(sched, site_at(sched, destination->site), &site, &site_ms);
	if (site == SCHED_WHY_PAUSE && site_ms > pause_ms)
		pause_ms = site_ms;
	why->ahead = sched_line_ahead(sched, at);
	if (destination->limits.suspended) {
		why->reason = SCHED_WHY_SUSPENDED;
		why->at_wall_ms = destination->limits.suspended_until_wall_ms;
	} else if (pause_ms > sched->now_ms) {
		why->reason = SCHED_WHY_PAUSE;
		why->at_wall_ms = wall_of(sched, pause_ms);
	} else if (destination->down_count > 0) {
		bool waits = destination->down_until_ms > sched->now_ms;

		why->reason = !waits && destination->turn.active > 0 ? SCHED_WHY_PROBE
		                                                : SCHED_WHY_DOWN;
		if (why->reason == SCHED_WHY_DOWN)
			why->at_wall_ms = wall_of(sched, destination->down_until_ms);
	} else if (!window_has_room(&destination->window, turn_places(&destination->turn))) {
		why->reason = SCHED_WHY_WINDOW;
	} else if (site == SCHED_WHY_SITE) {
		why->reason = SCHED_WHY_SITE;
	} else if (token_ms > sched->now_ms) {
		why->reason = SCHED_WHY_RATE;
		why->at_wall_ms = wall_of(sched, token_ms);
	} else if (site == SCHED_WHY_SITE_RATE) {
		why->reason = SCHED_WHY_SITE_RATE;
		why->at_wall_ms = wall_of(sched, site_ms);
	} else {
		why->reason = sched_room_lacks(sched, rcpt_at(sched, at)->destination)
		    ? SCHED_WHY_FULL
		    : SCHED_WHY_TURN;
	}
}

void
sched_why(const struct sched *sched, uint32_t at, struct sched_why *why)
{
	const struct rcpt *rcpt = rcpt_at(sched, at);
	unsigned flags = (unsigned)message_at(sched, rcpt->message)->flags;

	*why = (struct sched_why){.reason = SCHED_WHY_TURN};
	switch ((enum sched_state)rcpt->state) {
	case SCHED_NEW:
	case SCHED_WAITING:
		why->reason = flags & SCHED_ASIDE            ? SCHED_WHY_ASIDE
		    : flags & (SCHED_HELD | SCHED_HELD_ALL) ? SCHED_WHY_HELD
		    : flags & SCHED_SUSPECT                 ? SCHED_WHY_SUSPECT
		                                            : SCHED_WHY_TIME;
		if (why->reason != SCHED_WHY_TIME)
			return;
		why->at_wall_ms = rcpt->node.due_ms;
		if (rcpt->tries == 0)
			why->reason = SCHED_WHY_UNTIL;
		return;
	case SCHED_READY:
		why_ready(sched, at, why);
		return;
	case SCHED_ACTIVE:
		why->reason = SCHED_WHY_ACTIVE;
		return;
	case SCHED_BOUNCING:
		why->reason = SCHED_WHY_BOUNCING;
		return;
	case SCHED_ENDED:
	case SCHED_STATE_COUNT:
		return;
	}
}

static bool
has_expired(const struct sched *sched, const struct rcpt *rcpt)
{
	const struct destination *destination;

	if (!rcpt->used || rcpt->state != SCHED_READY)
		return false;
	destination = destination_at(sched, rcpt->destination);
	if (destination->down_count == 0)
		return false;
	return sched->now_wall_ms >=
	    message_at(sched, rcpt->message)->arrival_wall_ms + destination->limits.expire_ms;
}

uint32_t
sched_expired(struct sched *sched, unsigned *budget)
{
	uint32_t end = sched_pool_end(&sched->rcpts), passed = 0;

	/* Once round is enough. */
	while (*budget > 0 && passed < end) {
		uint32_t at = sched->sweep < end ? sched->sweep : 0;

		--*budget;
		if (!sched_pool_has_slot(&sched->rcpts, at)) {
			sched->sweep = ((at >> POOL_CHUNK_BITS) + 1) << POOL_CHUNK_BITS;
			passed += sched->sweep - at;
			continue;
		}
		sched->sweep = at + 1;
		passed++;
		if (has_expired(sched, rcpt_at(sched, at)))
			return at;
	}
	*budget = 0;
	return SCHED_NONE;
}
