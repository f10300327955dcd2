/*
 * Destinations: who may start an attempt, and who is down.
 *
 * sched_destination_look() is the one place that says whether a destination has a turn, and until
 * when it is left alone; everything that changes something about it ends with it.
 */
#include "sched/sched_internal.h"

#include "base/arena.h"
#include "base/check.h"

struct destination_key {
	uint32_t hash;
	unsigned kind;
	struct span key;
};

static uint32_t
destination_hash(const void *owner, uint32_t slot)
{
	return destination_at(owner, slot)->hash;
}

static bool
is_destination(const void *owner, uint32_t slot, const void *wanted)
{
	const struct destination *destination = destination_at(owner, slot);
	const struct destination_key *key = wanted;

	return destination->hash == key->hash && destination->turn.kind == key->kind &&
	    span_eq(span_of(destination->key, destination->key_bytes), key->key);
}

void
sched_destination_init(struct sched *sched)
{
	sched_pool_init(&sched->destinations, sizeof(struct destination));
	sched_index_init(&sched->destination_index, sched, destination_hash);
}

void
sched_destination_fini(struct sched *sched)
{
	for (uint32_t at = 0; at < sched_pool_end(&sched->destinations); at++)
		if (sched_pool_has_slot(&sched->destinations, at))
			mem_free(destination_at(sched, at)->key);
	sched_pool_fini(&sched->destinations);
	sched_index_fini(&sched->destination_index);
}

uint32_t
sched_destination_find(const struct sched *sched, unsigned kind, struct span key)
{
	const struct destination_key wanted = {name_hash(sched, kind, key), kind, key};

	return sched_index_find(&sched->destination_index, wanted.hash, is_destination, &wanted);
}

static void
ask_limits(struct sched *sched, struct destination *destination)
{
	destination->limits_age = sched->limits_age;
	sched->options.limits(sched->options.owner, destination->turn.kind,
	    span_of(destination->key, destination->key_bytes), &destination->limits);
	check(destination->limits.concurrency_max > 0);
}

static uint32_t
window_max(const struct destination *destination)
{
	const struct sched_limits *limits = &destination->limits;

	return destination->far && limits->concurrency_far_max > 0 ? limits->concurrency_far_max
								   : limits->concurrency_max;
}

static struct span
site_of(const struct sched *sched, const struct destination *destination)
{
	if (!sched->options.site)
		return SPAN("");
	return sched->options.site(sched->options.owner, destination->turn.kind,
	    span_of(destination->key, destination->key_bytes));
}

static uint32_t
new_destination(struct sched *sched, unsigned kind, struct span key)
{
	uint32_t at = sched_pool_take(&sched->destinations);
	struct destination *destination = destination_at(sched, at);
	struct span site;

	*destination = (struct destination){
	    .key = mem_copy(key),
	    .key_bytes = (uint32_t)key.len,
	    .hash = name_hash(sched, kind, key),
	    .site = SCHED_NONE,
	    .turn = {.kind = (uint8_t)kind, .began = RING_ALL},
	};
	for (unsigned i = 0; i < LINE_COUNT; i++)
		destination->lines[i].first = destination->lines[i].last = SCHED_NONE;
	sched_index_add(&sched->destination_index, at);
	ask_limits(sched, destination);
	window_init(&destination->window, destination->limits.concurrency_start,
	    destination->limits.concurrency_max);
	site = site_of(sched, destination);
	if (site.len > 0)
		destination->site = sched_site_join(sched, kind, site);
	return at;
}

uint32_t
sched_destination_join(struct sched *sched, unsigned kind, struct span key)
{
	uint32_t at = sched_destination_find(sched, kind, key);

	check(kind < SCHED_KINDS);
	if (at == SCHED_NONE)
		at = new_destination(sched, kind, key);
	destination_at(sched, at)->rcpt_count++;
	return at;
}

/* So many attempts more, or fewer, are under way. */
static void
count_active(struct sched *sched, uint32_t at, int64_t change)
{
	struct destination *destination = destination_at(sched, at);

	if (destination->site == SCHED_NONE) {
		sched_room_count(sched, at, change);
		return;
	}
	destination->turn.active = (uint32_t)(destination->turn.active + change);
	sched_room_count(sched, destination->site | RING_SITE, change);
}

/* And so many of them yield their places. */
static void
count_yielding(struct sched *sched, uint32_t at, int64_t change)
{
	struct destination *destination = destination_at(sched, at);

	turn_yields(&destination->turn, change);
	if (destination->site != SCHED_NONE)
		turn_yields(&site_at(sched, destination->site)->turn, change);
}

static void
forget(struct sched *sched, uint32_t at)
{
	struct destination *destination = destination_at(sched, at);

	sched_ring_set(sched, at, false, false);
	sched_ring_wake(sched, at, 0);
	if (destination->site != SCHED_NONE)
		sched_site_leave(sched, destination->site);
	sched_reply_drop(sched, destination->reply);
	sched_index_remove(&sched->destination_index, at);
	mem_free(destination->key);
	destination->key = NULL;
	sched_pool_give(&sched->destinations, at);
}

/* It may have another site than it had. */
static void
refresh(struct sched *sched, uint32_t at)
{
	struct destination *destination = destination_at(sched, at);
	uint32_t was = destination->site, site = SCHED_NONE, active = destination->turn.active;
	uint32_t yielding = destination->turn.yielding;
	struct span name;

	if (destination->limits_age == sched->limits_age)
		return;
	ask_limits(sched, destination);
	window_limit(&destination->window, window_max(destination));
	name = site_of(sched, destination);
	if (name.len > 0)
		site = sched_site_join(sched, destination->turn.kind, name);
	if (site != was) {
		sched_ring_set(sched, at, false, false);
		count_yielding(sched, at, -(int64_t)yielding);
		count_active(sched, at, -(int64_t)active);
		destination->site = site;
		count_active(sched, at, active);
		count_yielding(sched, at, yielding);
	}
	if (was != SCHED_NONE)
		sched_site_leave(sched, was);
}

static uint32_t
ready_count(const struct destination *destination)
{
	uint32_t count = 0;

	for (unsigned i = 0; i < LINE_COUNT; i++)
		count += destination->lines[i].ready_count;
	return count;
}

static bool
has_light(const struct destination *destination)
{
	return destination->lines[LINE_HIGH].ready_count +
	    destination->lines[LINE_RAISED].ready_count +
	    destination->lines[LINE_LIGHT].ready_count > 0;
}

/* May it start an attempt?  If not, *wake_ms is when that changes by itself, if it does. */
static bool
may_start(const struct sched *sched, const struct destination *destination, uint64_t *wake_ms)
{
	uint64_t token_ms;

	if (ready_count(destination) == 0 || destination->limits.suspended)
		return false;
	if (destination->limits.pause_until_ms > sched->now_ms) {
		*wake_ms = destination->limits.pause_until_ms;
		return false;
	}
	if (destination->down_count > 0) {
		if (destination->down_until_ms > sched->now_ms)
			*wake_ms = destination->down_until_ms;
		if (destination->down_until_ms > sched->now_ms || destination->turn.active > 0)
			return false;
	} else if (!window_has_room(&destination->window, turn_places(&destination->turn))) {
		return false;
	}
	token_ms =
	    rate_next_ms(&destination->rate, &destination->limits.rate, sched->now_ms);
	if (token_ms > sched->now_ms)
		*wake_ms = token_ms;
	return token_ms <= sched->now_ms;
}

void
sched_destination_look(struct sched *sched, uint32_t at)
{
	struct destination *destination = destination_at(sched, at);
	uint64_t wake_ms = 0;
	bool may;

	refresh(sched, at);
	if (destination->rcpt_count == 0 && destination->turn.active == 0) {
		/* Whoever has had its share for now is not forgotten before that is over. */
		if (destination->limits.rate.count == 0 ||
		    rate_is_full(&destination->rate, sched->now_ms)) {
			forget(sched, at);
			return;
		}
		wake_ms = rate_full_ms(&destination->rate);
	}
	may = may_start(sched, destination, &wake_ms);
	sched_ring_set(sched, at, may && has_light(destination), may);
	sched_ring_wake(sched, at, wake_ms);
	if (destination->site != SCHED_NONE)
		sched_site_look(sched, destination->site);
}

static void
count_left(const struct sched *sched, struct destination *destination)
{
	uint64_t ms = sched->now_ms - destination->left_ms;

	if (destination->left_ms == 0 || ms >= LEFT_MS) {
		destination->left_before =
		    destination->left_ms > 0 && ms < 2 * LEFT_MS ? destination->left_count : 0;
		destination->left_count = 0;
		destination->left_ms = sched->now_ms;
	}
	destination->left_count++;
}

void
sched_destination_leave(struct sched *sched, uint32_t at)
{
	struct destination *destination = destination_at(sched, at);

	check(destination->rcpt_count > 0);
	destination->rcpt_count--;
	count_left(sched, destination);
	sched_destination_look(sched, at);
}

static unsigned
choose_line(struct destination *destination)
{
	bool high = destination->lines[LINE_HIGH].ready_count > 0;
	bool raised = destination->lines[LINE_RAISED].ready_count > 0;
	bool light = destination->lines[LINE_LIGHT].ready_count > 0;
	bool fresh = destination->lines[LINE_FRESH].ready_count > 0;
	bool tried = destination->lines[LINE_TRIED].ready_count > 0;

	if (tried && (!(high || raised || light || fresh) ||
	        !goes_first(&destination->fresh_run, FRESH_RUN)))
		return LINE_TRIED;
	if ((high || raised) && (!(light || fresh) ||
	        goes_first(&destination->priority_run, PRIORITY_RUN))) {
		if (raised && (!high || !goes_first(&destination->high_run, HIGH_RUN)))
			return LINE_RAISED;
		return LINE_HIGH;
	}
	if (fresh && (!light || !goes_first(&destination->light_run, LIGHT_RUN)))
		return LINE_FRESH;
	return LINE_LIGHT;
}

uint32_t
sched_take(struct sched *sched, unsigned kind, uint64_t now_ms)
{
	struct destination *destination;
	uint32_t turn, at, rcpt;
	unsigned which;

	turn = sched_room_next(sched, kind, &which);
	if (turn == SCHED_NONE)
		return SCHED_NONE;
	if (now_ms > sched->now_ms)
		sched->now_ms = now_ms;
	at = turn & RING_SITE ? site_at(sched, turn & ~RING_SITE)->turns[which].first : turn;
	destination = destination_at(sched, at);
	rate_take(&destination->rate, &destination->limits.rate, sched->now_ms);
	if (turn & RING_SITE) {
		struct site *site = site_at(sched, turn & ~RING_SITE);

		rate_take(&site->rate, &site->limits.rate, sched->now_ms);
	}
	rcpt = sched_line_next(sched, at, choose_line(destination));
	rcpt_at(sched, rcpt)->state = SCHED_ACTIVE;
	/* To the end of the turns, in both rings. */
	sched_ring_set(sched, at, false, false);
	sched_ring_set(sched, turn, false, false);
	count_active(sched, at, 1);
	sched_destination_look(sched, at);
	return rcpt;
}

void
sched_take_this(struct sched *sched, uint32_t rcpt)
{
	check(rcpt_at(sched, rcpt)->state == SCHED_READY);
	count_active(sched, rcpt_at(sched, rcpt)->destination, 1);
	sched_join(sched, rcpt);
}

static void
come_up(struct destination *destination)
{
	if (destination->down_count == 0)
		return;
	destination->down_count = 0;
	destination->down_until_ms = 0;
	window_init(&destination->window, destination->limits.concurrency_start,
	    destination->limits.concurrency_max);
}

static void
keep_reply(struct sched *sched, struct destination *destination, uint32_t reply)
{
	sched_reply_hold(sched, reply);
	sched_reply_drop(sched, destination->reply);
	destination->reply = reply;
	destination->reply_wall_s = reply > 0 ? (uint32_t)(sched->now_wall_ms / 1000) : 0;
}

void
sched_destination_up(struct sched *sched, uint32_t at)
{
	struct destination *destination = destination_at(sched, at);

	come_up(destination);
	keep_reply(sched, destination, 0);
	sched_destination_look(sched, at);
}

static void
go_down(struct sched *sched, struct destination *destination)
{
	uint64_t wait_ms = destination->limits.down_ms_min;

	/* Attempts that were under way together tell of one failure, not of many. */
	if (destination->down_until_ms > sched->now_ms)
		return;
	for (uint32_t i = 0;
	     i < destination->down_count && wait_ms < destination->limits.down_ms_max; i++)
		wait_ms *= 2;
	if (wait_ms > destination->limits.down_ms_max)
		wait_ms = destination->limits.down_ms_max;
	destination->down_count++;
	destination->down_until_ms = sched->now_ms + wait_ms;
}

static void
take_feedback(
    struct sched *sched, struct destination *destination, enum sched_feedback feedback)
{
	switch (feedback) {
	case SCHED_SERVED:
		come_up(destination);
		destination->served = true;
		window_succeed(&destination->window, window_max(destination));
		return;
	case SCHED_REFUSED:
		come_up(destination);
		destination->served = false;
		window_fail(&destination->window, destination->turn.active);
		return;
	case SCHED_NO_ANSWER:
		/* While others get through it is rather that there are too many at a time. */
		if (destination->down_count == 0 && destination->served &&
		    destination->turn.active > 0)
			window_fail(&destination->window, destination->turn.active);
		else
			go_down(sched, destination);
		destination->served = false;
		return;
	case SCHED_UNTRIED:
		return;
	}
	check(false);
}

void
sched_attempt_over(struct sched *sched, uint32_t at, enum sched_feedback feedback,
    uint32_t reply, uint64_t now_ms)
{
	struct destination *destination = destination_at(sched, at);

	check(turn_places(&destination->turn) > 0);
	if (now_ms > sched->now_ms)
		sched->now_ms = now_ms;
	count_active(sched, at, -1);
	if (destination->site != SCHED_NONE)
		sched_site_over(
		    sched, destination->site, feedback, destination->down_count == 0);
	take_feedback(sched, destination, feedback);
	if (reply > 0 || destination->down_count > 0)
		keep_reply(sched, destination, reply);
	sched_destination_look(sched, at);
}

void
sched_attempt_yields(struct sched *sched, uint32_t at, bool yields)
{
	count_yielding(sched, at, yields ? 1 : -1);
	sched_destination_look(sched, at);
}

void
sched_destination_far(struct sched *sched, uint32_t at, bool far)
{
	struct destination *destination = destination_at(sched, at);

	if (destination->far == far)
		return;
	destination->far = far;
	window_limit(&destination->window, window_max(destination));
	sched_destination_look(sched, at);
}

void
sched_destination_get(
    const struct sched *sched, uint32_t at, struct sched_destination *into)
{
	const struct destination *destination = destination_at(sched, at);
	uint64_t left_ms = sched->now_ms - destination->left_ms;
	bool had_before = destination->left_before > 0;

	*into = (struct sched_destination){
	    .key = span_of(destination->key, destination->key_bytes),
	    .kind = destination->turn.kind,
	    .rcpt_count = destination->rcpt_count,
	    .ready_count = ready_count(destination),
	    .active = turn_places(&destination->turn),
	    .window = destination->window.size,
	    .window_max = window_max(destination),
	    .far = destination->far,
	    .down_count = destination->down_count,
	    .down_until_ms = destination->down_until_ms,
	    .token_ms = rate_next_ms(
	        &destination->rate, &destination->limits.rate, sched->now_ms),
	    .reply = destination->down_count > 0 ? destination->reply : 0,
	    .last_reply = destination->reply,
	    .last_reply_wall_s = destination->reply_wall_s,
	    .left_count = destination->left_count + (had_before ? destination->left_before : 0),
	    .left_ms = destination->left_ms == 0 ? 0 : left_ms + (had_before ? LEFT_MS : 0),
	    .site = destination->site,
	    .full = sched_room_lacks(sched, at),
	    .limits = destination->limits,
	};
}

size_t
sched_destination_count(const struct sched *sched)
{
	return sched->destinations.count;
}

uint32_t
sched_destination_next(const struct sched *sched, uint32_t destination)
{
	uint32_t end = sched_pool_end(&sched->destinations);

	for (uint32_t at = destination == SCHED_NONE ? 0 : destination + 1; at < end; at++)
		if (sched_pool_has_slot(&sched->destinations, at) &&
		    destination_at(sched, at)->key)
			return at;
	return SCHED_NONE;
}
