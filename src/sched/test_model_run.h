/* The operations of test_model.h, and what is compared after each. */
#pragma once

#include "sched/test_model_turn.h"

static inline uint32_t
model_reply(struct model *model)
{
	static const char *const texts[] = {"", "no", "later", "not today"};
	const struct sched_reply reply = {.code = 400 + model_below(model, 3),
	    .status = SPAN("4.0.0"),
	    .remote = SPAN("mx"),
	    .text = span_str(texts[model_below(model, 4)])};

	return sched_reply_keep(model->sched, &reply);
}

static inline void
model_note(struct model *model, struct model_rcpt *rcpt, uint32_t slot, bool reply)
{
	struct sched_rcpt noted;

	sched_rcpt_get(model->sched, slot, &noted);
	noted.tries = rcpt->tries;
	sched_rcpt_note(model->sched, slot, &noted);
	if (!reply)
		return;
	sched_rcpt_reply(model->sched, slot, model_reply(model));
	rcpt->has_reply = true;
}

static inline uint64_t
model_due(struct model *model)
{
	static const unsigned scales[] = {1, 7, 300, 70000};
	uint64_t offset = (uint64_t)model_byte(model) * scales[model_below(model, 4)];

	return model->now_wall_ms + offset > 500 ? model->now_wall_ms + offset - 500 : 0;
}

static inline void
model_start(struct model *model, struct model_message *message)
{
	sched_message_start(model->sched, message->slot);
	for (unsigned i = 0; i < message->rcpt_count; i++) {
		struct model_rcpt *rcpt = &message->rcpts[i];

		if (!rcpt->used)
			continue;
		if (message->flags & SCHED_PARKED || rcpt->due_ms > model->now_wall_ms)
			rcpt->state = SCHED_WAITING;
		else
			model_make_ready(model, message, rcpt, false, i);
		model_look(model, i);
	}
}

static inline void
model_add(struct model *model)
{
	struct model_message *message = model->messages;
	struct sched_message added;

	while (message < model->messages + MODEL_MESSAGES_MAX && message->used)
		message++;
	if (message == model->messages + MODEL_MESSAGES_MAX)
		return;
	*message = (struct model_message){.used = true,
	    .id = ++model->next_id,
	    .arrival_wall_ms = model->now_wall_ms,
	    .sender = model_below(model, MODEL_SENDERS),
	    .flags = model_below(model, 8) == 0 ? SCHED_HELD : 0,
	    .priority = (int)(model_below(model, 5) * model_below(model, 3)) - 2,
	    .rcpt_count = 1 + model_below(model, MODEL_RCPTS)};
	added = (struct sched_message){.id = message->id,
	    .arrival_wall_ms = message->arrival_wall_ms,
	    .body_bytes = message->id * 3,
	    .sender = message->sender,
	    .rcpt_count = message->rcpt_count,
	    .flags = message->flags,
	    .priority = message->priority};
	message->slot = sched_message_add(model->sched, &added);
	for (unsigned i = 0; i < message->rcpt_count; i++) {
		struct model_rcpt *rcpt = &message->rcpts[i];
		unsigned at = model_below(model, MODEL_DESTINATIONS);
		struct model_destination *destination = &model->destinations[at];
		struct sched_limits limits = model_limits(model, at);
		uint32_t slot;

		*rcpt = (struct model_rcpt){true, SCHED_NEW, at, 0, 0, 0, {0}, false};
		if (!destination->known) {
			*destination = (struct model_destination){.known = true, .kind = at > 0};
			window_init(&destination->window, limits.concurrency_start,
			    limits.concurrency_max);
			if (model->site_of[at] < MODEL_SITES)
				model_join_site(model, model->site_of[at]);
		}
		slot = sched_rcpt_add(model->sched, message->slot, i, at > 0, model_key(at));
		rcpt->tries = model_below(model, 3) == 0;
		if (rcpt->tries == 0 && model_below(model, 4) > 0)
			continue;
		rcpt->due_ms = model_due(model);
		model_note(model, rcpt, slot, false);
		sched_rcpt_due(model->sched, slot, rcpt->due_ms);
	}
	model_start(model, message);
}

static inline void
model_end_rcpt(struct model *model, struct model_message *message, unsigned index)
{
	sched_rcpt_end(model->sched, model_slot(model, message, index));
	message->rcpts[index].used = false;
}

static inline void
model_wait(struct model *model, struct model_message *message, unsigned index)
{
	struct model_rcpt *rcpt = &message->rcpts[index];
	uint32_t slot = model_slot(model, message, index);

	rcpt->tries++;
	rcpt->due_ms = model_due(model);
	model_note(model, rcpt, slot, true);
	sched_rcpt_wait(model->sched, slot, rcpt->due_ms);
	rcpt->state = SCHED_WAITING;
}

static inline void
model_settle_rcpt(struct model *model, struct model_message *message, unsigned index,
    uint64_t rank)
{
	struct model_rcpt *rcpt = &message->rcpts[index];
	uint32_t slot = model_slot(model, message, index);

	check(rcpt->state == SCHED_ACTIVE);
	switch (model_below(model, 4)) {
	case 0:
		model_end_rcpt(model, message, index);
		return;
	case 1:
		model_wait(model, message, index);
		return;
	case 2:
		sched_rcpt_bounce(model->sched, slot);
		rcpt->state = SCHED_BOUNCING;
		return;
	default:
		if (message->flags & SCHED_PARKED) {
			model_wait(model, message, index);
			return;
		}
		sched_rcpt_ready(model->sched, slot, false);
		model_make_ready(model, message, rcpt, false, rank);
	}
}

static inline void
model_attempt_over(struct model *model)
{
	struct model_attempt attempt;
	struct model_message *message;
	enum sched_feedback feedback;
	uint32_t slot, reply;

	if (model->attempt_count == 0)
		return;
	slot = model_below(model, model->attempt_count);
	attempt = model->attempts[slot];
	model->attempts[slot] = model->attempts[--model->attempt_count];
	message = &model->messages[attempt.message];
	for (unsigned i = 0; i < attempt.rcpt_count; i++) {
		model_settle_rcpt(model, message, attempt.rcpts[i], i);
		model_look(model, i);
	}
	feedback = (enum sched_feedback)model_below(model, 4);
	reply = model_reply(model);
	slot = sched_destination_find(
	    model->sched, attempt.destination > 0, model_key(attempt.destination));
	if (model_below(model, 4) == 0)
		model_measure(model, &attempt);
	if (attempt.yields)
		model_yield(model, &attempt);
	sched_attempt_over(model->sched, slot, feedback, reply, model->now_ms);
	sched_reply_drop(model->sched, reply);
	model_feedback(model, attempt.destination, feedback);
	model_look(model, MODEL_RCPTS);
}

/* The recipient that is due next, in the order of time; NULL: none is. */
static inline struct model_rcpt *
model_next_due(struct model *model, uint64_t was_wall_ms, struct model_message **of,
    uint64_t *rank)
{
	struct model_rcpt *next = NULL;

	for (unsigned i = 0; i < MODEL_MESSAGES_MAX; i++)
		for (unsigned k = 0; k < MODEL_RCPTS; k++) {
			struct model_message *message = &model->messages[i];
			struct model_rcpt *rcpt = &message->rcpts[k];
			uint64_t due_ms = rcpt->due_ms > was_wall_ms ? rcpt->due_ms : was_wall_ms;

			if (!message->used || !rcpt->used || rcpt->state != SCHED_WAITING ||
			    message->flags & SCHED_PARKED || rcpt->due_ms > model->now_wall_ms ||
			    (next && due_ms >= *rank))
				continue;
			next = rcpt;
			*of = message;
			*rank = due_ms;
		}
	return next;
}

static inline void
model_advance(struct model *model, uint64_t ms, uint64_t wall_ms)
{
	uint64_t was_wall_ms = model->now_wall_ms, rank = 0;
	unsigned budget = 1 + model_byte(model);
	struct model_message *message = NULL;
	struct model_rcpt *rcpt;

	model->now_ms += ms;
	model->now_wall_ms = wall_ms;
	if (was_wall_ms > wall_ms)
		was_wall_ms = wall_ms;
	while (sched_advance(model->sched, model->now_ms, model->now_wall_ms, budget))
		;
	model_look(model, 0);
	while ((rcpt = model_next_due(model, was_wall_ms, &message, &rank)) != NULL) {
		model_make_ready(model, message, rcpt, false, rank);
		model_look(model, rank);
	}
}

static inline void
model_park(struct model *model, struct model_message *message)
{
	bool park = !(message->flags & SCHED_PARKED);

	message->flags = park ? SCHED_HELD : SCHED_RELEASED;
	sched_message_flags(model->sched, message->slot, park ? SCHED_HELD : SCHED_RELEASED,
	    park ? SCHED_RELEASED : SCHED_HELD);
	for (unsigned i = 0; i < message->rcpt_count; i++) {
		struct model_rcpt *rcpt = &message->rcpts[i];

		if (!rcpt->used || (rcpt->state != SCHED_READY && rcpt->state != SCHED_WAITING))
			continue;
		if (park && rcpt->state == SCHED_READY)
			rcpt->due_ms = 0;
		if (park || (rcpt->tries == 0 && rcpt->due_ms > model->now_wall_ms))
			rcpt->state = SCHED_WAITING;
		else
			model_make_ready(model, message, rcpt, true, i);
		model_look(model, i);
	}
}

/* Something is done about one recipient from outside. */
static inline void
model_act(struct model *model, struct model_message *message, unsigned index)
{
	struct model_rcpt *rcpt = &message->rcpts[index];
	uint32_t slot;

	if (index >= message->rcpt_count || !rcpt->used)
		return;
	slot = model_slot(model, message, index);
	switch (model_below(model, 4)) {
	case 0:
		if (rcpt->state != SCHED_ACTIVE)
			model_end_rcpt(model, message, index);
		return;
	case 1:
		if (rcpt->state != SCHED_WAITING && rcpt->state != SCHED_READY)
			return;
		sched_rcpt_bounce(model->sched, slot);
		rcpt->state = SCHED_BOUNCING;
		return;
	case 2:
		if (rcpt->state != SCHED_WAITING || message->flags & SCHED_PARKED)
			return;
		sched_rcpt_ready(model->sched, slot, true);
		model_make_ready(model, message, rcpt, true, 0);
		return;
	default:
		if (rcpt->state == SCHED_WAITING || rcpt->state == SCHED_READY)
			model_wait(model, message, index);
	}
}

static inline void
model_up(struct model *model)
{
	unsigned at = model_below(model, MODEL_DESTINATIONS);
	uint32_t slot = sched_destination_find(model->sched, at > 0, model_key(at));
	struct model_destination *destination = &model->destinations[at];
	struct sched_limits limits = model_limits(model, at);

	check((slot != SCHED_NONE) == destination->known);
	if (slot == SCHED_NONE)
		return;
	sched_destination_up(model->sched, slot);
	if (destination->down_count > 0)
		window_init(&destination->window, limits.concurrency_start,
		    limits.concurrency_max);
	destination->down_count = 0;
	destination->down_until_ms = 0;
}

static inline bool
model_has_expired(const struct model *model, const struct model_message *message,
    const struct model_rcpt *rcpt)
{
	return message->used && rcpt->used && rcpt->state == SCHED_READY &&
	    model->destinations[rcpt->destination].down_count > 0 &&
	    model->now_wall_ms >= message->arrival_wall_ms +
	        model_limits(model, rcpt->destination).expire_ms;
}

static inline void
model_expire(struct model *model)
{
	unsigned budget = 10000;
	uint32_t slot;

	while ((slot = sched_expired(model->sched, &budget)) != SCHED_NONE) {
		struct model_message *message;
		struct model_rcpt *rcpt = model_find(model, slot, &message);

		check(model_has_expired(model, message, rcpt));
		sched_rcpt_bounce(model->sched, slot);
		rcpt->state = SCHED_BOUNCING;
		model->expired++;
	}
	for (unsigned i = 0; i < MODEL_MESSAGES_MAX; i++)
		for (unsigned k = 0; k < MODEL_RCPTS; k++)
			check(!model_has_expired(
			    model, &model->messages[i], &model->messages[i].rcpts[k]));
}

static inline void
model_remove(struct model *model, struct model_message *message)
{
	for (unsigned i = 0; i < MODEL_RCPTS; i++)
		if (message->rcpts[i].used && message->rcpts[i].state == SCHED_ACTIVE)
			return;
	sched_message_remove(model->sched, message->slot);
	*message = (struct model_message){0};
}

static inline void
model_reload(struct model *model)
{
	model->limits_set = !model->limits_set;
	sched_reload(model->sched);
	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++)
		if (model->destinations[at].known)
			window_limit(&model->destinations[at].window,
			    model_window_max(model, at));
	for (unsigned at = 0; at < MODEL_SITES; at++)
		if (model->sites[at].known)
			window_limit(&model->sites[at].window,
			    model_site_limits(model, at).concurrency_max);
}

/* A destination asks for a pause, or takes that back. */
static inline void
model_pause(struct model *model)
{
	unsigned at = model_below(model, MODEL_DESTINATIONS);
	unsigned ms = 100 * model_below(model, 20);
	uint32_t slot = sched_destination_find(model->sched, at > 0, model_key(at));

	model->pause_until_ms[at] = model->now_ms + ms;
	if (slot != SCHED_NONE)
		sched_ask(model->sched, slot);
}

/* A whole site does. */
static inline void
model_pause_site(struct model *model)
{
	unsigned at = model_below(model, MODEL_SITES);
	uint32_t slot = sched_site_find(model->sched, 1, model_site_name(at));

	model->sites[at].pause_until_ms = model->now_ms + 100 * model_below(model, 10);
	check((slot != SCHED_NONE) == model->sites[at].known);
	if (slot != SCHED_NONE)
		sched_ask_site(model->sched, slot);
}

/* Who serves a destination becomes known, or changes, or is forgotten. */
static inline void
model_learn(struct model *model)
{
	unsigned at = 1 + model_below(model, MODEL_DESTINATIONS - 1);
	unsigned site = model_below(model, MODEL_SITES + 1);
	struct model_destination *destination = &model->destinations[at];
	uint32_t slot = sched_destination_find(model->sched, 1, model_key(at));

	if (site != model->site_of[at])
		destination->in[0] = destination->in[1] = false;
	model->site_of[at] = site;
	if (slot == SCHED_NONE)
		return;
	if (site < MODEL_SITES)
		model_join_site(model, site);
	sched_ask(model->sched, slot);
}

static inline void
model_check_why(struct model *model, const struct model_message *message,
    const struct model_rcpt *rcpt, uint32_t slot)
{
	const struct model_destination *destination = &model->destinations[rcpt->destination];
	struct sched_limits limits = model_limits(model, rcpt->destination);
	unsigned of = model->site_of[rcpt->destination];
	enum sched_reason site = of < MODEL_SITES ? model_site_why(model, of) : SCHED_WHY_TURN;
	uint64_t pause_ms = limits.pause_until_ms;
	enum sched_reason reason = SCHED_WHY_TURN;
	struct sched_why why;

	if (site == SCHED_WHY_PAUSE && pause_ms < model->sites[of].pause_until_ms)
		pause_ms = model->sites[of].pause_until_ms;
	sched_why(model->sched, slot, &why);
	if (rcpt->state == SCHED_WAITING)
		reason = message->flags & SCHED_PARKED ? SCHED_WHY_HELD
		    : rcpt->tries == 0             ? SCHED_WHY_UNTIL
		                                   : SCHED_WHY_TIME;
	else if (rcpt->state == SCHED_ACTIVE)
		reason = SCHED_WHY_ACTIVE;
	else if (rcpt->state == SCHED_BOUNCING)
		reason = SCHED_WHY_BOUNCING;
	else if (pause_ms > model->now_ms)
		reason = SCHED_WHY_PAUSE;
	else if (destination->down_count > 0)
		reason = destination->down_until_ms <= model->now_ms && destination->active > 0
		    ? SCHED_WHY_PROBE
		    : SCHED_WHY_DOWN;
	else if (model_places(model, rcpt->destination) >= destination->window.size)
		reason = SCHED_WHY_WINDOW;
	else if (site == SCHED_WHY_SITE)
		reason = site;
	else if (rate_next_ms(&destination->rate, &limits.rate, model->now_ms) > model->now_ms)
		reason = SCHED_WHY_RATE;
	else if (site == SCHED_WHY_TURN && model_lacks_room(model, rcpt->destination))
		reason = SCHED_WHY_FULL;
	else
		reason = site;
	model->site_waits += reason == SCHED_WHY_SITE;
	model->full_waits += reason == SCHED_WHY_FULL;
	check(why.reason == reason);
	check(why.ahead < model_ready(model, rcpt->destination) ||
	    (why.ahead == 0 && rcpt->state != SCHED_READY));
	check(reason != SCHED_WHY_PAUSE ||
	    why.at_wall_ms == model->now_wall_ms + pause_ms - model->now_ms);
	check((reason != SCHED_WHY_TIME && reason != SCHED_WHY_UNTIL) ||
	    why.at_wall_ms == rcpt->due_ms);
}

static inline void
model_check_messages(struct model *model)
{
	size_t message_count = 0, rcpt_count = 0;

	for (unsigned i = 0; i < MODEL_MESSAGES_MAX; i++) {
		struct model_message *message = &model->messages[i];
		uint32_t open = 0;
		struct sched_message is;

		if (!message->used)
			continue;
		message_count++;
		check(sched_message_find(model->sched, message->id) == message->slot);
		for (unsigned k = 0; k < message->rcpt_count; k++) {
			uint32_t slot = model_slot(model, message, k);
			struct sched_rcpt rcpt;

			if (slot == SCHED_NONE)
				continue;
			open++;
			sched_rcpt_get(model->sched, slot, &rcpt);
			check(rcpt.state == message->rcpts[k].state && rcpt.index == k);
			check(rcpt.tries == message->rcpts[k].tries);
			check((rcpt.reply != 0) == message->rcpts[k].has_reply);
			model_check_why(model, message, &message->rcpts[k], slot);
		}
		sched_message_get(model->sched, message->slot, &is);
		check(is.id == message->id && is.open_count == open);
		check(is.flags == message->flags && is.body_bytes == message->id * 3);
		rcpt_count += open;
	}
	check(sched_message_count(model->sched) == message_count);
	check(sched_rcpt_count(model->sched) == rcpt_count);
}

static inline void
model_check_destinations(const struct model *model)
{
	size_t count = 0;

	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++) {
		const struct model_destination *destination = &model->destinations[at];
		uint32_t slot = sched_destination_find(model->sched, at > 0, model_key(at));
		struct sched_destination is;

		check((slot != SCHED_NONE) == destination->known);
		if (slot == SCHED_NONE)
			continue;
		count++;
		sched_destination_get(model->sched, slot, &is);
		check(is.ready_count == model_ready(model, at));
		check(is.rcpt_count ==
		    model_count(model, at, SCHED_STATE_COUNT, MODEL_LINES, MODEL_SENDERS));
		check(is.active == model_places(model, at));
		check(is.window_max == model_window_max(model, at));
		check(is.window == destination->window.size);
		check(is.down_count == destination->down_count);
		check(is.down_until_ms == destination->down_until_ms);
	}
	check(sched_destination_count(model->sched) == count);
}

static inline void
model_check_sites(const struct model *model)
{
	size_t count = 0;

	for (unsigned at = 0; at < MODEL_SITES; at++) {
		const struct model_site *site = &model->sites[at];
		uint32_t slot = sched_site_find(model->sched, 1, model_site_name(at));
		struct sched_site is;

		check((slot != SCHED_NONE) == site->known);
		if (slot == SCHED_NONE)
			continue;
		count++;
		sched_site_get(model->sched, slot, &is);
		check(is.destination_count == model_site_members(model, at));
		check(is.active == model_site_places(model, at));
		check(is.window == site->window.size);
	}
	check(sched_site_count(model->sched) == count);
}

static inline void
model_step(struct model *model)
{
	unsigned operation = model_below(model, 16);
	struct model_message *message =
	    &model->messages[model_below(model, MODEL_MESSAGES_MAX)];

	model->operation++;
	if (operation < 4)
		model_add(model);
	else if (operation < 8)
		model_take(model);
	else if (operation < 10)
		model_attempt_over(model);
	else if (operation == 10)
		model_advance(model, 20 * model_below(model, 30),
		    model->now_wall_ms + 15 * model_below(model, 40));
	else if (operation == 11)
		model_advance(model, 1, model_due(model));
	else if (operation == 12)
		model_expire(model);
	else if (operation == 13 && model_below(model, 4) == 0)
		model_reload(model);
	else if (operation == 13 && model_below(model, 3) == 0)
		model_pause(model);
	else if (operation == 13 && model_below(model, 3) == 0)
		model_pause_site(model);
	else if (operation == 13 && model_below(model, 2) == 0)
		model_learn(model);
	else if (operation == 13)
		model_up(model);
	else if (model->attempt_count > 0 && operation == 14 && model_below(model, 3) == 0)
		model_yield(model, &model->attempts[model_below(model, model->attempt_count)]);
	else if (message->used && operation == 14)
		model_act(model, message, model_below(model, MODEL_RCPTS));
	else if (message->used && model_below(model, 3) > 0)
		model_park(model, message);
	else if (message->used)
		model_remove(model, message);
	model_look(model, UINT64_MAX);
	model_check_messages(model);
	model_check_destinations(model);
	model_check_sites(model);
}

/* All operations of the input; then everything ends, and nothing is left. */
static inline void
model_run(struct model *model, struct span input)
{
	const struct sched_options options = {.seed = {3, 4},
	    .reply_bytes_max = 1000,
	    .light_max = MODEL_LIGHT_MAX,
	    .owner = model,
	    .limits = model_give_limits,
	    .site = model_give_site,
	    .site_limits = model_give_site_limits};

	*model = (struct model){
	    .input = input, .now_ms = 1000, .now_wall_ms = UINT64_C(1764000000000)};
	model->attempts_max[0] = model->attempts_max[1] = UINT32_MAX;
	for (unsigned at = 0; at < MODEL_DESTINATIONS; at++)
		model->site_of[at] = at >= MODEL_DESTINATIONS - 2 ? 0 : MODEL_SITES;
	model->sched = sched_create(&options, model->now_ms, model->now_wall_ms);
	while (model->input.len > 0)
		model_step(model);
	while (model->attempt_count > 0)
		model_attempt_over(model);
	for (unsigned i = 0; i < MODEL_MESSAGES_MAX; i++)
		if (model->messages[i].used)
			model_remove(model, &model->messages[i]);
	model_advance(model, 1000000, model->now_wall_ms);
	model_check_messages(model);
	model_check_destinations(model);
	model_check_sites(model);
	check(sched_destination_count(model->sched) == 0 && sched_site_count(model->sched) == 0);
	check(sched_reply_bytes(model->sched) == 0);
	sched_destroy(model->sched);
}
