/* The whole, and how time passes in it. */
#include "sched/sched_internal.h"

#include "base/arena.h"

/* A wall clock that goes back by so much was set, not steered. */
enum { SET_BACK_MS = 1000 };

struct sched *
sched_create(const struct sched_options *options, uint64_t now_ms, uint64_t now_wall_ms)
{
	struct sched *sched = mem_alloc(sizeof(*sched));

	sched->options = *options;
	sched->now_ms = now_ms;
	sched->now_wall_ms = now_wall_ms;
	sched_message_init(sched);
	sched_line_init(sched);
	sched_room_init(sched);
	sched_destination_init(sched);
	sched_site_init(sched);
	sched_reply_init(sched);
	sched_wheel_init(&sched->rcpt_wheel, &sched->rcpts, now_wall_ms);
	sched_wheel_init(&sched->destination_wheel, &sched->destinations, now_ms);
	sched_wheel_init(&sched->site_wheel, &sched->sites, now_ms);
	return sched;
}

void
sched_destroy(struct sched *sched)
{
	if (!sched)
		return;
	sched_message_fini(sched);
	sched_line_fini(sched);
	sched_destination_fini(sched);
	sched_site_fini(sched);
	sched_reply_fini(sched);
	mem_free(sched);
}

void
sched_reload(struct sched *sched)
{
	sched->limits_age++;
	for (uint32_t at = 0; at < sched_pool_end(&sched->destinations); at++)
		if (sched_pool_has_slot(&sched->destinations, at) &&
		    destination_at(sched, at)->key)
			sched_destination_look(sched, at);
	for (uint32_t at = 0; at < sched_pool_end(&sched->sites); at++)
		if (sched_pool_has_slot(&sched->sites, at) && site_at(sched, at)->name)
			sched_site_look(sched, at);
}

bool
sched_advance(struct sched *sched, uint64_t now_ms, uint64_t now_wall_ms, unsigned budget)
{
	bool is_back = now_wall_ms + SET_BACK_MS <= sched->now_wall_ms;
	uint32_t at;

	if (now_ms > sched->now_ms)
		sched->now_ms = now_ms;
	sched->now_wall_ms = now_wall_ms;
	if (is_back)
		sched_rcpts_set_back(sched);
	while ((at = sched_wheel_pop(&sched->destination_wheel, sched->now_ms, &budget)) !=
	    SCHED_NONE) {
		destination_at(sched, at)->turn.in_wheel = false;
		sched_destination_look(sched, at);
	}
	while ((at = sched_wheel_pop(&sched->site_wheel, sched->now_ms, &budget)) !=
	    SCHED_NONE) {
		site_at(sched, at)->turn.in_wheel = false;
		sched_site_look(sched, at);
	}
	while ((at = sched_wheel_pop(&sched->rcpt_wheel, now_wall_ms, &budget)) != SCHED_NONE)
		sched_rcpt_wake(sched, at);
	return budget == 0;
}

void
sched_ask(struct sched *sched, uint32_t destination)
{
	destination_at(sched, destination)->limits_age = sched->limits_age - 1;
	sched_destination_look(sched, destination);
}

void
sched_ask_site(struct sched *sched, uint32_t site)
{
	site_at(sched, site)->limits_age = sched->limits_age - 1;
	sched_site_look(sched, site);
}

static uint64_t
until(uint64_t at_ms, uint64_t now_ms)
{
	return at_ms > now_ms ? at_ms - now_ms : 0;
}

uint64_t
sched_idle_ms(const struct sched *sched, uint64_t now_ms, uint64_t now_wall_ms,
    uint64_t max_ms)
{
	uint64_t recipient_ms =
	    until(sched_wheel_next_ms(&sched->rcpt_wheel), now_wall_ms);
	uint64_t destination_ms =
	    until(sched_wheel_next_ms(&sched->destination_wheel), now_ms);
	uint64_t site_ms = until(sched_wheel_next_ms(&sched->site_wheel), now_ms);

	if (recipient_ms < max_ms)
		max_ms = recipient_ms;
	if (site_ms < max_ms)
		max_ms = site_ms;
	return destination_ms < max_ms ? destination_ms : max_ms;
}
