/* The model's turns: whose it is, and what an attempt begins and ends with. */
#pragma once

#include "sched/test_model.h"

static inline unsigned
model_level(unsigned active, bool is_down)
{
	unsigned level = active > 0 ? 1 : is_down;

	for (; active > 0; active /= 2)
		level++;
	return level;
}

/* In turns or not; whoever has another level than before goes to the end. */
static inline void
model_set_turn(struct model *model, bool in[2], const bool may[2], struct moment entered[2],
    unsigned *level, unsigned now_level, uint64_t rank)
{
	for (unsigned ring = 0; ring < 2; ring++) {
		if (may[ring] && (!in[ring] || *level != now_level))
			entered[ring] = (struct moment){model->operation, rank};
		in[ring] = may[ring];
	}
	*level = now_level;
}

/* Whoever may start now and could not before goes to the end of the turns. */
static inline void
model_look(struct model *model, uint64_t rank)
{
	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++) {
		struct model_destination *destination = &model->destinations[at];
		struct sched_limits limits = model_limits(model, at);
		unsigned level;
		bool may[2];

		if (destination->known && destination->active == 0 &&
		    model_count(model, at, SCHED_STATE_COUNT, MODEL_LINES, MODEL_SENDERS) ==
		        0 &&
		    (limits.rate.count == 0 || rate_is_full(&destination->rate, model->now_ms)))
			*destination = (struct model_destination){0};
		may[1] = model_may(model, at);
		may[0] = may[1] && model_light(model, at) > 0;
		level = model->site_of[at] < MODEL_SITES
		    ? 0
		    : model_level(destination->active, destination->down_count > 0);
		model_set_turn(model, destination->in, may, destination->entered,
		    &destination->level, level, rank);
		destination->began_light &=
		    destination->active > 0 && model->site_of[at] == MODEL_SITES;
	}
	for (unsigned at = 0; at < MODEL_SITES; at++) {
		struct model_site *site = &model->sites[at];
		struct sched_site_limits limits = model_site_limits(model, at);
		bool may[2] = {false, false};

		if (site->known && model_site_members(model, at) == 0 &&
		    (limits.rate.count == 0 || rate_is_full(&site->rate, model->now_ms)))
			*site = (struct model_site){.pause_until_ms = site->pause_until_ms};
		for (unsigned ring = 0; ring < 2; ring++)
			for (unsigned i = 0; i < MODEL_DESTINATIONS; i++)
				may[ring] |= site->known &&
				    model_site_why(model, at) == SCHED_WHY_TURN &&
				    model->site_of[i] == at && model->destinations[i].in[ring];
		model_set_turn(model, site->in, may, site->entered, &site->level,
		    model_level(model_site_active(model, at), false), rank);
		site->began_light &= model_site_active(model, at) > 0;
	}
}

/* Whether there is anything in a ring that a destination, alone or with its site, is in. */
static inline bool
model_has_turn(const struct model *model, unsigned at, unsigned ring)
{
	unsigned site = model->site_of[at];

	return model->destinations[at].in[ring] &&
	    (site == MODEL_SITES || model->sites[site].in[ring]);
}

/* The level at which it, or its site, is among the others. */
static inline unsigned
model_turn_level(const struct model *model, unsigned at)
{
	unsigned site = model->site_of[at];

	return site == MODEL_SITES ? model->destinations[at].level : model->sites[site].level;
}

/* Attempts of a kind. */
static inline int64_t
model_active(const struct model *model, unsigned kind)
{
	int64_t active = 0;

	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++)
		if (model->destinations[at].kind == kind)
			active += model->destinations[at].active;
	return active;
}

/* Destinations by themselves, and sites, that have something under way, by where it began. */
static inline int64_t
model_firsts(const struct model *model, unsigned kind, bool light)
{
	int64_t count = 0;

	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++) {
		const struct model_destination *destination = &model->destinations[at];

		count += model->site_of[at] == MODEL_SITES && destination->kind == kind &&
		    destination->active > 0 && destination->began_light == light;
	}
	for (unsigned at = 0; at < MODEL_SITES; at++)
		count += kind == 1 && model_site_active(model, at) > 0 &&
		    model->sites[at].began_light == light;
	return count;
}

/* Whether the attempts that others have leave one for somebody of that ring and level. */
static inline bool
model_has_room(const struct model *model, unsigned kind, unsigned ring, unsigned level)
{
	int64_t max = model->attempts_max[kind], spare = model->spare[kind];
	int64_t light = model_firsts(model, kind, true), heavy = model_firsts(model, kind, false);
	int64_t left = max - spare - light - heavy, kept = left < spare ? left : spare;
	int64_t free = max - model_active(model, kind);
	bool is_light = ring == 0 && level == 0;

	if (kept < 0)
		kept = 0;
	if (level < 2 && (left <= 0 || (is_light ? light : heavy) >= max - 2 * spare))
		return false;
	if (is_light)
		return free > 0;
	if (level == 0 ||
	    (level >= 2 && (1 << (level - 1)) - 1 < max / (light + heavy)))
		return free > kept / 2;
	return free > kept;
}

static inline bool
model_has_level(const struct model *model, unsigned kind, unsigned ring, unsigned level)
{
	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++)
		if (model->destinations[at].kind == kind && model_has_turn(model, at, ring) &&
		    model_turn_level(model, at) == level)
			return true;
	return false;
}

/* Which level has its turn in a ring; MODEL_LEVELS: none may. */
static inline unsigned
model_next_level(const struct model *model, unsigned kind, unsigned ring)
{
	bool idle = model_has_level(model, kind, ring, 0) && model_has_room(model, kind, ring, 0);
	bool probe = model_has_level(model, kind, ring, 1) && model_has_room(model, kind, ring, 1);
	unsigned level = 2;

	if (idle && probe)
		return model->idle_run[kind][ring] == 3;
	if (idle || probe)
		return probe;
	while (level < MODEL_LEVELS && !model_has_level(model, kind, ring, level))
		level++;
	return level < MODEL_LEVELS && model_has_room(model, kind, ring, level) ? level
	                                                                         : MODEL_LEVELS;
}

/* Since when it, or its site, waits for its turn among the others. */
static inline struct moment
model_entered(const struct model *model, unsigned at, unsigned ring)
{
	unsigned site = model->site_of[at];

	return site == MODEL_SITES ? model->destinations[at].entered[ring]
	                           : model->sites[site].entered[ring];
}

static inline unsigned
model_choose_line(struct model *model, const struct model_message *message, bool tried)
{
	unsigned ready = 1;

	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++)
		ready += model_count(model, at, SCHED_READY, MODEL_LINES, message->sender);
	if (tried || message->priority < 0)
		return 4;
	if (message->priority > 0)
		return message->priority < SCHED_PRIORITY_HIGH;
	return ready > MODEL_LIGHT_MAX ? 3 : 2;
}

static inline void
model_make_ready(struct model *model, const struct model_message *message,
    struct model_rcpt *rcpt, bool urgent, uint64_t rank)
{
	unsigned line = model_choose_line(model, message, rcpt->tries > 0 && !urgent);

	if (model_count(model, rcpt->destination, SCHED_READY, line, message->sender) == 0)
		model->destinations[rcpt->destination].lanes[line][message->sender] =
		    (struct moment){model->operation, rank};
	rcpt->state = SCHED_READY;
	rcpt->line = line;
	rcpt->ready = (struct moment){model->operation, rank};
}

static inline bool
model_goes_first(unsigned *run, unsigned max)
{
	*run = *run == max ? 0 : *run + 1;
	return *run > 0;
}

/* The line whose turn it is at a destination. */
static inline unsigned
model_turn_of(struct model *model, unsigned at)
{
	struct model_destination *destination = &model->destinations[at];
	unsigned counts[MODEL_LINES];

	for (unsigned line = 0; line < MODEL_LINES; line++)
		counts[line] = model_count(model, at, SCHED_READY, line, MODEL_SENDERS);
	if (counts[4] > 0 && (counts[0] + counts[1] + counts[2] + counts[3] == 0 ||
	        !model_goes_first(&destination->fresh_run, 7)))
		return 4;
	if (counts[0] + counts[1] > 0 && (counts[2] + counts[3] == 0 ||
	        model_goes_first(&destination->priority_run, 7)))
		return counts[1] > 0 &&
		    (counts[0] == 0 || !model_goes_first(&destination->high_run, 3));
	return counts[3] > 0 && (counts[2] == 0 || !model_goes_first(&destination->light_run, 3))
	    ? 3
	    : 2;
}

static inline unsigned
model_turn_ring(struct model *model, unsigned kind)
{
	bool light = model_next_level(model, kind, 0) < MODEL_LEVELS;
	bool all = model_next_level(model, kind, 1) < MODEL_LEVELS;

	return light && all ? !model_goes_first(&model->light_run[kind], 3) : !light;
}

/* The first attempt of those under way, at a destination by itself or at a site. */
static inline void
model_begin(struct model *model, unsigned at, unsigned ring, unsigned level)
{
	unsigned site = model->site_of[at];

	model->probe_turns += level == 1;
	model->light_firsts += level == 0 && ring == 0;
	if (level == 0 && site < MODEL_SITES)
		model->sites[site].began_light = ring == 0;
	else if (level == 0)
		model->destinations[at].began_light = ring == 0;
}

/* The real one chose this recipient: was it one whose turn it was? */
static inline void
model_check_turn(struct model *model, unsigned kind, const struct model_message *message,
    const struct model_rcpt *rcpt)
{
	struct model_destination *chosen = &model->destinations[rcpt->destination];
	unsigned ring = model_turn_ring(model, kind);
	unsigned level = model_next_level(model, kind, ring);
	unsigned *idle_run = &model->idle_run[kind][ring];

	check(rcpt->state == SCHED_READY && chosen->kind == kind);
	check(model_may(model, rcpt->destination));
	check(model_has_turn(model, rcpt->destination, ring));
	check(model_turn_level(model, rcpt->destination) == level);
	if (level == 1)
		*idle_run = 0;
	else if (level == 0 && *idle_run < 3)
		*idle_run += model_has_level(model, kind, ring, 1);
	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++) {
		if (!model_has_turn(model, at, ring) || model->destinations[at].kind != kind ||
		    model_turn_level(model, at) != level)
			continue;
		check(!moment_before(model_entered(model, at, ring),
		    model_entered(model, rcpt->destination, ring)));
		/* And within its site. */
		if (model->site_of[at] == model->site_of[rcpt->destination])
			check(!moment_before(
			    model->destinations[at].entered[ring], chosen->entered[ring]));
	}
	model_begin(model, rcpt->destination, ring, level);
	check(rcpt->line == model_turn_of(model, rcpt->destination));
	for (unsigned sender = 0; sender < MODEL_SENDERS; sender++)
		if (model_count(model, rcpt->destination, SCHED_READY, rcpt->line, sender) > 0)
			check(!moment_before(chosen->lanes[rcpt->line][sender],
			    chosen->lanes[rcpt->line][message->sender]));
	for (unsigned i = 0; i < MODEL_MESSAGES_MAX; i++)
		for (unsigned k = 0; k < MODEL_RCPTS; k++) {
			const struct model_message *other = &model->messages[i];
			const struct model_rcpt *before = &other->rcpts[k];

			if (other->used && before->used && before->state == SCHED_READY &&
			    before->destination == rcpt->destination &&
			    before->line == rcpt->line && other->sender == message->sender)
				check(!moment_before(before->ready, rcpt->ready));
		}
}

/* It waits for attempts of others to end. */
static inline bool
model_lacks_room(const struct model *model, unsigned at)
{
	unsigned site = model->site_of[at], kind = model->destinations[at].kind;
	unsigned level = model_turn_level(model, at);
	const bool *in = site < MODEL_SITES ? model->sites[site].in : model->destinations[at].in;

	return in[1] && model_active(model, kind) > 0 && !model_has_room(model, kind, 1, level) &&
	    !(in[0] && model_has_room(model, kind, 0, level));
}

static inline void
model_take_site(struct model *model, unsigned at)
{
	struct model_site *site = &model->sites[at];
	struct sched_site_limits limits = model_site_limits(model, at);

	rate_take(&site->rate, &limits.rate, model->now_ms);
	site->in[0] = site->in[1] = false;
	model->site_takes++;
}

static inline void
model_say_room(struct model *model, unsigned kind)
{
	unsigned free = 1 + model_below(model, 10), spare = model_below(model, 4);

	model->attempts_max[kind] = model_active(model, kind) + free;
	model->spare[kind] = spare;
	sched_room(model->sched, kind, free, spare);
}

static inline void
model_take(struct model *model)
{
	unsigned kind = model_below(model, 2);
	struct model_destination *destination;
	struct model_attempt *attempt = &model->attempts[model->attempt_count];
	struct model_message *message;
	struct sched_limits limits;
	struct model_rcpt *rcpt;
	bool any = false;
	uint32_t slot;

	if (model_below(model, 4) == 0)
		model_say_room(model, kind);
	for (unsigned ring = 0; ring < 2; ring++)
		any |= model_next_level(model, kind, ring) < MODEL_LEVELS;
	check(any == sched_has_turn(model->sched, kind));
	if (model->attempt_count == MODEL_ATTEMPTS_MAX)
		return;
	slot = sched_take(model->sched, kind, model->now_ms);
	check(any == (slot != SCHED_NONE));
	if (!any)
		return;
	model->takes++;
	rcpt = model_find(model, slot, &message);
	model_check_turn(model, kind, message, rcpt);
	destination = &model->destinations[rcpt->destination];
	limits = model_limits(model, rcpt->destination);
	rate_take(&destination->rate, &limits.rate, model->now_ms);
	destination->active++;
	destination->in[0] = destination->in[1] = false;
	if (model->site_of[rcpt->destination] < MODEL_SITES)
		model_take_site(model, model->site_of[rcpt->destination]);
	destination->lanes[rcpt->line][message->sender] = (struct moment){model->operation, 0};
	rcpt->state = SCHED_ACTIVE;
	*attempt = (struct model_attempt){
	    .message = (unsigned)(message - model->messages),
	    .destination = rcpt->destination,
	    .rcpt_count = 1,
	    .rcpts = {(unsigned)(rcpt - message->rcpts)},
	};
	model->attempt_count++;
	for (unsigned i = 0; i < MODEL_RCPTS && model_below(model, 2); i++)
		if (message->rcpts[i].used && message->rcpts[i].state == SCHED_READY &&
		    message->rcpts[i].destination == attempt->destination) {
			sched_join(model->sched, model_slot(model, message, i));
			message->rcpts[i].state = SCHED_ACTIVE;
			attempt->rcpts[attempt->rcpt_count++] = i;
		}
	model_look(model, 1);
}

/* An attempt gives its place in the windows away, or takes one again. */
static inline void
model_yield(struct model *model, struct model_attempt *attempt)
{
	struct model_destination *destination = &model->destinations[attempt->destination];

	attempt->yields = !attempt->yields;
	destination->yielding += attempt->yields ? 1 : -1u;
	sched_attempt_yields(model->sched,
	    sched_destination_find(
		model->sched, attempt->destination > 0, model_key(attempt->destination)),
	    attempt->yields);
	model->yields++;
	model_look(model, 0);
}

/* The line to where an attempt goes is long, or short. */
static inline void
model_measure(struct model *model, const struct model_attempt *attempt)
{
	struct model_destination *destination = &model->destinations[attempt->destination];

	destination->far = model_below(model, 2);
	window_limit(&destination->window, model_window_max(model, attempt->destination));
	sched_destination_far(model->sched,
	    sched_destination_find(
		model->sched, attempt->destination > 0, model_key(attempt->destination)),
	    destination->far);
	model_look(model, 0);
}

static inline void
model_site_feedback(struct model *model, unsigned at, enum sched_feedback feedback, bool was_up)
{
	struct model_site *site = &model->sites[at];
	unsigned active = model_site_active(model, at);

	if (feedback == SCHED_SERVED)
		window_succeed(&site->window, model_site_limits(model, at).concurrency_max);
	if (feedback == SCHED_REFUSED ||
	    (feedback == SCHED_NO_ANSWER && was_up && site->served && active > 0))
		window_fail(&site->window, active);
	if (feedback == SCHED_SERVED || feedback == SCHED_REFUSED || was_up)
		site->served = feedback == SCHED_SERVED ||
		    (site->served && feedback == SCHED_UNTRIED);
}

static inline void
model_feedback(struct model *model, unsigned at, enum sched_feedback feedback)
{
	struct model_destination *destination = &model->destinations[at];
	struct sched_limits limits = model_limits(model, at);
	uint64_t wait_ms = limits.down_ms_min << destination->down_count;
	bool up = feedback == SCHED_SERVED || feedback == SCHED_REFUSED;

	destination->active--;
	if (model->site_of[at] < MODEL_SITES)
		model_site_feedback(
		    model, model->site_of[at], feedback, destination->down_count == 0);
	if (up && destination->down_count > 0) {
		destination->down_count = 0;
		destination->down_until_ms = 0;
		window_init(&destination->window, limits.concurrency_start,
		    limits.concurrency_max);
	}
	if (feedback == SCHED_SERVED)
		window_succeed(&destination->window, model_window_max(model, at));
	if (feedback == SCHED_REFUSED || (feedback == SCHED_NO_ANSWER && destination->served &&
	        destination->active > 0 && destination->down_count == 0)) {
		window_fail(&destination->window, destination->active);
	} else if (feedback == SCHED_NO_ANSWER &&
	    destination->down_until_ms <= model->now_ms) {
		if (wait_ms > limits.down_ms_max || destination->down_count > 4)
			wait_ms = limits.down_ms_max;
		destination->down_until_ms = model->now_ms + wait_ms;
		destination->down_count++;
	}
	if (feedback != SCHED_UNTRIED)
		destination->served = feedback == SCHED_SERVED;
}
