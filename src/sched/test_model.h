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
	MODEL_LEVELS = 8, /* by what is under way: nothing; nothing, it is down; 1, 2 to 3, ... */
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
	unsigned level;   /* with which it is there */
	bool began_light; /* where its first attempt of those under way came from */
	bool far;
	unsigned yielding; /* attempts of the active ones that count for no window */
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
	unsigned level;
	bool began_light;
	struct window window;
	struct rate rate;
	uint64_t pause_until_ms;
};

struct model_attempt {
	unsigned message, destination, rcpt_count;
	unsigned rcpts[MODEL_RCPTS];
	bool yields;
};

struct model {
	struct span input;
	struct sched *sched;
	uint64_t now_ms, now_wall_ms, operation;
	uint64_t next_id;
	unsigned light_run[SCHED_KINDS], idle_run[SCHED_KINDS][2];
	int64_t attempts_max[2], spare[2]; /* what sched_room said */
	unsigned limits_set; /* which of two sets of limits is in force */
	uint64_t pause_until_ms[MODEL_DESTINATIONS];
	struct model_message messages[MODEL_MESSAGES_MAX];
	struct model_destination destinations[MODEL_DESTINATIONS];
	unsigned site_of[MODEL_DESTINATIONS]; /* MODEL_SITES: none is known */
	struct model_site sites[MODEL_SITES];
	struct model_attempt attempts[MODEL_ATTEMPTS_MAX];
	unsigned attempt_count;
	uint64_t takes, expired; /* for tests: that something happened at all */
	uint64_t yields, site_takes, site_waits, full_waits, probe_turns, light_firsts;
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
	    .concurrency_far_max = destination % 2 ? 6 + destination : 0,
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

static inline unsigned
model_window_max(const struct model *model, unsigned at)
{
	struct sched_limits limits = model_limits(model, at);

	return model->destinations[at].far && limits.concurrency_far_max > 0
	    ? limits.concurrency_far_max
	    : limits.concurrency_max;
}

/* Attempts that count for the window. */
static inline unsigned
model_places(const struct model *model, unsigned at)
{
	return model->destinations[at].active - model->destinations[at].yielding;
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
	} else if (model_places(model, at) >= destination->window.size) {
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
model_site_places(const struct model *model, unsigned site)
{
	unsigned places = 0;

	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++)
		if (model->destinations[at].known && model->site_of[at] == site)
			places += model_places(model, at);
	return places;
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
	if (model_site_places(model, at) >= site->window.size)
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
