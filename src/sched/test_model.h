/*
 * A slow scheduler that is plainly right, and a driver that gives it and the real one the same
 * operations, made from bytes, and compares them after each.  For the model test and the fuzzer.
 *
 * The model keeps plain arrays and looks at all of them each time.  Where the order among
 * several is not promised (they became ready in the same moment) it takes any of them.
 */
#pragma once

#include "base/check.h"
#include "route/window.h"
#include "sched/sched_reply.h"
#include "sched/sched_turn.h"

enum {
	MODEL_MESSAGES_MAX = 40,
	MODEL_RCPTS = 3, /* of a message, at most */
	MODEL_DESTINATIONS = 6,
	MODEL_SITES = 2,
	MODEL_SENDERS = 3,
	MODEL_ATTEMPTS_MAX = 32,
	MODEL_LINES = 5, /* of a high priority, of one, light, fresh, tried */
	MODEL_LIGHT_MAX = 4,
};

/* When something got into a line: the operation, and which moment of it. */
struct moment {
	uint64_t operation, rank;
};

struct model_rcpt {
	bool used;
	enum sched_state state;
	unsigned destination;
	uint64_t due_ms;
	unsigned tries, line;
	struct moment ready;
	bool has_reply;
};

struct model_message {
	bool used;
	uint64_t id, arrival_wall_ms;
	uint32_t slot;
	unsigned sender, flags;
	int priority;
	unsigned rcpt_count;
	struct model_rcpt rcpts[MODEL_RCPTS];
};

struct model_destination {
	bool known, served;
	bool in[2]; /* the turns of light mail, and of all */
	struct moment entered[2];
	unsigned kind, active, light_run, fresh_run, priority_run, high_run, down_count;
	uint64_t down_until_ms;
	struct window window;
	struct rate rate;
	struct moment lanes[MODEL_LINES][MODEL_SENDERS]; /* since when each sender has its turn */
};

struct model_site {
	bool known, served;
	bool in[2];
	struct moment entered[2];
	struct window window;
	struct rate rate;
	uint64_t pause_until_ms;
};

struct model_attempt {
	unsigned message, destination, rcpt_count;
	unsigned rcpts[MODEL_RCPTS];
};

struct model {
	struct span input;
	struct sched *sched;
	uint64_t now_ms, now_wall_ms, operation;
	uint64_t next_id;
	unsigned light_run[SCHED_KINDS];
	unsigned limits_set; /* which of two sets of limits is in force */
	uint64_t pause_until_ms[MODEL_DESTINATIONS];
	struct model_message messages[MODEL_MESSAGES_MAX];
	struct model_destination destinations[MODEL_DESTINATIONS];
	unsigned site_of[MODEL_DESTINATIONS]; /* MODEL_SITES: none is known */
	struct model_site sites[MODEL_SITES];
	struct model_attempt attempts[MODEL_ATTEMPTS_MAX];
	unsigned attempt_count;
	uint64_t takes, expired; /* for tests: that something happened at all */
	uint64_t site_takes, site_waits;
};

static inline unsigned
model_byte(struct model *model)
{
	unsigned byte = model->input.len > 0 ? (unsigned char)model->input.ptr[0] : 0;

	model->input = span_skip(model->input, 1);
	return byte;
}

static inline unsigned
model_below(struct model *model, unsigned count)
{
	return model_byte(model) % count;
}

static inline struct span
model_key(unsigned destination)
{
	static const char *const keys[MODEL_DESTINATIONS] = {
	    "mailbox", "mx:a", "mx:b", "mx:c", "host:d:25", "mx:e"};

	return span_str(keys[destination]);
}

static inline struct sched_limits
model_limits(const struct model *model, unsigned destination)
{
	struct sched_limits limits = {
	    .concurrency_start = 1 + destination % 3,
	    .concurrency_max = 2 + destination + model->limits_set,
	    .down_ms_min = 300,
	    .down_ms_max = 1000,
	    .expire_ms = 20000,
	};

	limits.pause_until_ms = model->pause_until_ms[destination];
	if (destination == 2)
		limits.rate =
		    (struct rate_limit){.count = 5 + model->limits_set, .period_ms = 1000};
	return limits;
}

static inline void
model_give_limits(
    void *owner, unsigned kind, struct span key, struct sched_limits *limits)
{
	unsigned destination = 0;

	while (!span_eq(model_key(destination), key))
		destination++;
	check(kind == (destination > 0));
	*limits = model_limits(owner, destination);
}

static inline struct span
model_site_name(unsigned site)
{
	static const char *const names[MODEL_SITES] = {"mx.provider", "mx.hoster"};

	return span_str(names[site]);
}

static inline struct span
model_give_site(void *owner, unsigned kind, struct span key)
{
	const struct model *model = owner;
	unsigned destination = 0;

	(void)kind;
	while (!span_eq(model_key(destination), key))
		destination++;
	return model->site_of[destination] < MODEL_SITES
	    ? model_site_name(model->site_of[destination])
	    : SPAN("");
}

static inline struct sched_site_limits
model_site_limits(const struct model *model, unsigned site)
{
	struct sched_site_limits limits = {
	    .concurrency_start = 1 + site,
	    .concurrency_max = 2 + 2 * site + model->limits_set,
	    .pause_until_ms = model->sites[site].pause_until_ms,
	};

	if (site == 1)
		limits.rate =
		    (struct rate_limit){.count = 8 + model->limits_set, .period_ms = 1000};
	return limits;
}

static inline void
model_give_site_limits(
    void *owner, unsigned kind, struct span name, struct sched_site_limits *limits)
{
	unsigned site = 0;

	while (!span_eq(model_site_name(site), name))
		site++;
	check(kind == 1);
	*limits = model_site_limits(owner, site);
}

static inline bool
moment_before(struct moment a, struct moment b)
{
	return a.operation < b.operation || (a.operation == b.operation && a.rank < b.rank);
}

static inline struct model_rcpt *
model_find(struct model *model, uint32_t slot, struct model_message **message)
{
	struct sched_rcpt rcpt;

	sched_rcpt_get(model->sched, slot, &rcpt);
	for (unsigned i = 0; i < MODEL_MESSAGES_MAX; i++) {
		*message = &model->messages[i];
		if ((*message)->used && (*message)->slot == rcpt.message) {
			check((*message)->rcpts[rcpt.index].used);
			return &(*message)->rcpts[rcpt.index];
		}
	}
	check(false);
	return NULL;
}

static inline uint32_t
model_slot(const struct model *model, const struct model_message *message, unsigned index)
{
	uint32_t slot = sched_rcpt_find(model->sched, message->slot, index);

	check((slot != SCHED_NONE) == message->rcpts[index].used);
	return slot;
}

/* Recipients at a destination, in a state; MODEL_LINES is any line, MODEL_SENDERS any sender. */
static inline unsigned
model_count(const struct model *model, unsigned destination, enum sched_state state,
    unsigned line, unsigned sender)
{
	unsigned count = 0;

	for (unsigned i = 0; i < MODEL_MESSAGES_MAX; i++)
		for (unsigned k = 0; k < MODEL_RCPTS; k++) {
			const struct model_message *message = &model->messages[i];
			const struct model_rcpt *rcpt = &message->rcpts[k];

			count += message->used && rcpt->used &&
			    rcpt->destination == destination &&
			    (state == SCHED_STATE_COUNT || rcpt->state == state) &&
			    (line == MODEL_LINES || rcpt->line == line) &&
			    (sender == MODEL_SENDERS || message->sender == sender);
		}
	return count;
}

static inline unsigned
model_ready(const struct model *model, unsigned destination)
{
	return model_count(model, destination, SCHED_READY, MODEL_LINES, MODEL_SENDERS);
}

static inline bool
model_may(const struct model *model, unsigned at)
{
	const struct model_destination *destination = &model->destinations[at];
	struct sched_limits limits = model_limits(model, at);

	if (!destination->known || model_ready(model, at) == 0 ||
	    limits.pause_until_ms > model->now_ms)
		return false;
	if (destination->down_count > 0) {
		if (destination->down_until_ms > model->now_ms || destination->active > 0)
			return false;
	} else if (destination->active >= destination->window.size) {
		return false;
	}
	return rate_next_ms(&destination->rate, &limits.rate, model->now_ms) == model->now_ms;
}

/* Attempts to all destinations of a site; and how many of them there are. */
static inline unsigned
model_site_active(const struct model *model, unsigned site)
{
	unsigned active = 0;

	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++)
		if (model->destinations[at].known && model->site_of[at] == site)
			active += model->destinations[at].active;
	return active;
}

static inline unsigned
model_site_members(const struct model *model, unsigned site)
{
	unsigned count = 0;

	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++)
		count += model->destinations[at].known && model->site_of[at] == site;
	return count;
}

static inline enum sched_reason
model_site_why(const struct model *model, unsigned at)
{
	const struct model_site *site = &model->sites[at];
	struct sched_site_limits limits = model_site_limits(model, at);

	if (limits.pause_until_ms > model->now_ms)
		return SCHED_WHY_PAUSE;
	if (model_site_active(model, at) >= site->window.size)
		return SCHED_WHY_SITE;
	if (rate_next_ms(&site->rate, &limits.rate, model->now_ms) > model->now_ms)
		return SCHED_WHY_SITE_RATE;
	return SCHED_WHY_TURN;
}

static inline void
model_join_site(struct model *model, unsigned at)
{
	struct model_site *site = &model->sites[at];
	struct sched_site_limits limits = model_site_limits(model, at);

	if (site->known)
		return;
	*site = (struct model_site){.known = true, .pause_until_ms = site->pause_until_ms};
	window_init(&site->window, limits.concurrency_start, limits.concurrency_max);
}

/* What counts as light among destinations: all of a priority, too. */
static inline unsigned
model_light(const struct model *model, unsigned at)
{
	unsigned count = 0;

	for (unsigned line = 0; line <= 2; line++)
		count += model_count(model, at, SCHED_READY, line, MODEL_SENDERS);
	return count;
}

/* Whoever may start now and could not before goes to the end of the turns. */
static inline void
model_look(struct model *model, uint64_t rank)
{
	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++) {
		struct model_destination *destination = &model->destinations[at];
		struct sched_limits limits = model_limits(model, at);
		bool may;

		if (destination->known && destination->active == 0 &&
		    model_count(model, at, SCHED_STATE_COUNT, MODEL_LINES, MODEL_SENDERS) ==
		        0 &&
		    (limits.rate.count == 0 || rate_is_full(&destination->rate, model->now_ms)))
			*destination = (struct model_destination){0};
		may = model_may(model, at);
		for (unsigned ring = 0; ring < 2; ring++) {
			bool in = may &&
			    (ring == 1 || model_light(model, at) > 0);

			if (in && !destination->in[ring])
				destination->entered[ring] =
				    (struct moment){model->operation, rank};
			destination->in[ring] = in;
		}
	}
	for (unsigned at = 0; at < MODEL_SITES; at++) {
		struct model_site *site = &model->sites[at];
		struct sched_site_limits limits = model_site_limits(model, at);
		bool may;

		if (site->known && model_site_members(model, at) == 0 &&
		    (limits.rate.count == 0 || rate_is_full(&site->rate, model->now_ms)))
			*site = (struct model_site){.pause_until_ms = site->pause_until_ms};
		may = site->known && model_site_why(model, at) == SCHED_WHY_TURN;
		for (unsigned ring = 0; ring < 2; ring++) {
			bool in = false;

			for (unsigned i = 0; i < MODEL_DESTINATIONS; i++)
				in |= may && model->site_of[i] == at &&
				    model->destinations[i].in[ring];
			if (in && !site->in[ring])
				site->entered[ring] = (struct moment){model->operation, rank};
			site->in[ring] = in;
		}
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

/* The real one chose this recipient: was it one whose turn it was? */
static inline void
model_check_turn(struct model *model, unsigned kind, const struct model_message *message,
    const struct model_rcpt *rcpt)
{
	struct model_destination *chosen = &model->destinations[rcpt->destination];
	unsigned ring = 1;

	check(rcpt->state == SCHED_READY && chosen->kind == kind);
	check(model_may(model, rcpt->destination));
	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++)
		if (model_has_turn(model, at, 0) && model->destinations[at].kind == kind)
			ring = 0;
	if (ring == 0)
		ring = !model_goes_first(&model->light_run[kind], 3);
	check(model_has_turn(model, rcpt->destination, ring));
	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++) {
		if (!model_has_turn(model, at, ring) || model->destinations[at].kind != kind)
			continue;
		check(!moment_before(model_entered(model, at, ring),
		    model_entered(model, rcpt->destination, ring)));
		/* And within its site. */
		if (model->site_of[at] == model->site_of[rcpt->destination])
			check(!moment_before(
			    model->destinations[at].entered[ring], chosen->entered[ring]));
	}
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

	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++)
		any |= model_has_turn(model, at, 1) && model->destinations[at].kind == kind;
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
		window_succeed(&destination->window, limits.concurrency_max);
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
