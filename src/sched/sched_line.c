/*
 * Who is next at a destination.  A line is lanes in turns, a lane is one sender's recipients in
 * the order in which they became ready.
 *
 * Fresh recipients of a sender who has only few that are ready, wherever they go, are light:
 * they have a line of their own, so that a letter need not wait for a newsletter.
 */
#include "sched/sched_internal.h"

#include "base/check.h"

struct lane_key {
	uint32_t destination, sender;
	unsigned line;
};

static struct lane *
lane_at(const struct sched *sched, uint32_t lane)
{
	return sched_pool_at(&sched->lanes, lane);
}

static uint32_t
hash_key(const struct sched *sched, const struct lane_key *key)
{
	return sched_index_mix(sched->options.seed[0],
	    (uint64_t)key->destination << 3 | key->line, key->sender);
}

static uint32_t
lane_hash(const void *owner, uint32_t slot)
{
	const struct sched *sched = owner;
	const struct lane *lane = lane_at(sched, slot);
	const struct lane_key key = {lane->destination, lane->sender, lane->line};

	return hash_key(sched, &key);
}

static bool
is_lane(const void *owner, uint32_t slot, const void *wanted)
{
	const struct lane *lane = lane_at(owner, slot);
	const struct lane_key *key = wanted;

	return lane->destination == key->destination && lane->sender == key->sender &&
	    lane->line == key->line;
}

void
sched_line_init(struct sched *sched)
{
	sched_pool_init(&sched->lanes, sizeof(struct lane));
	sched_index_init(&sched->lane_index, sched, lane_hash);
}

void
sched_line_fini(struct sched *sched)
{
	sched_pool_fini(&sched->lanes);
	sched_index_fini(&sched->lane_index);
}

static uint32_t
find_lane(const struct sched *sched, const struct rcpt *rcpt, unsigned line)
{
	const struct lane_key key = {
	    rcpt->destination, message_at(sched, rcpt->message)->sender, line};

	return sched_index_find(&sched->lane_index, hash_key(sched, &key), is_lane, &key);
}

static struct line *
line_of(const struct sched *sched, const struct lane *lane)
{
	return &destination_at(sched, lane->destination)->lines[lane->line];
}

/* To the end of its line. */
static void
link_lane(struct sched *sched, uint32_t at)
{
	struct lane *lane = lane_at(sched, at);
	struct line *line = line_of(sched, lane);

	lane->prev = line->last;
	lane->next = SCHED_NONE;
	if (line->last != SCHED_NONE)
		lane_at(sched, line->last)->next = at;
	else
		line->first = at;
	line->last = at;
	line->lane_count++;
}

static void
unlink_lane(struct sched *sched, uint32_t at)
{
	struct lane *lane = lane_at(sched, at);
	struct line *line = line_of(sched, lane);

	if (lane->prev != SCHED_NONE)
		lane_at(sched, lane->prev)->next = lane->next;
	else
		line->first = lane->next;
	if (lane->next != SCHED_NONE)
		lane_at(sched, lane->next)->prev = lane->prev;
	else
		line->last = lane->prev;
	line->lane_count--;
}

static uint32_t
new_lane(struct sched *sched, const struct rcpt *rcpt, unsigned line)
{
	uint32_t at = sched_pool_take(&sched->lanes);
	struct lane *lane = lane_at(sched, at);

	*lane = (struct lane){
	    .destination = rcpt->destination,
	    .sender = message_at(sched, rcpt->message)->sender,
	    .first = SCHED_NONE,
	    .last = SCHED_NONE,
	    .line = line,
	};
	sched_index_add(&sched->lane_index, at);
	link_lane(sched, at);
	return at;
}

static uint32_t *
sender_ready(struct sched *sched, const struct rcpt *rcpt)
{
	uint32_t sender = message_at(sched, rcpt->message)->sender;

	return &sched->sender_ready[sender & ((1u << SENDER_BITS) - 1)];
}

void
sched_line_add(struct sched *sched, uint32_t at, bool tried)
{
	struct rcpt *rcpt = rcpt_at(sched, at);
	uint32_t ready = ++*sender_ready(sched, rcpt);
	int priority = message_priority(message_at(sched, rcpt->message));
	unsigned line = tried || priority < 0        ? LINE_TRIED
	    : priority >= SCHED_PRIORITY_HIGH    ? LINE_HIGH
	    : priority > 0                       ? LINE_RAISED
	    : ready <= sched->options.light_max  ? LINE_LIGHT
	                                         : LINE_FRESH;
	uint32_t lane_slot = find_lane(sched, rcpt, line);
	struct lane *lane;

	if (lane_slot == SCHED_NONE)
		lane_slot = new_lane(sched, rcpt, line);
	lane = lane_at(sched, lane_slot);
	rcpt->line = line & 7;
	rcpt->node = (struct wheel_node){lane->last, SCHED_NONE, lane->place++};
	if (lane->last != SCHED_NONE)
		rcpt_at(sched, lane->last)->node.next = at;
	else
		lane->first = at;
	lane->last = at;
	lane->count++;
	line_of(sched, lane)->ready_count++;
}

static void
take_out(struct sched *sched, uint32_t lane_slot, struct rcpt *rcpt)
{
	struct lane *lane = lane_at(sched, lane_slot);

	if (rcpt->node.prev != SCHED_NONE)
		rcpt_at(sched, rcpt->node.prev)->node.next = rcpt->node.next;
	else
		lane->first = rcpt->node.next;
	if (rcpt->node.next != SCHED_NONE)
		rcpt_at(sched, rcpt->node.next)->node.prev = rcpt->node.prev;
	else
		lane->last = rcpt->node.prev;
	rcpt->node = (struct wheel_node){SCHED_NONE, SCHED_NONE, 0};
	check(lane->count > 0 && *sender_ready(sched, rcpt) > 0);
	--*sender_ready(sched, rcpt);
	line_of(sched, lane)->ready_count--;
	if (--lane->count > 0)
		return;
	sched_index_remove(&sched->lane_index, lane_slot);
	unlink_lane(sched, lane_slot);
	sched_pool_give(&sched->lanes, lane_slot);
}

void
sched_line_remove(struct sched *sched, uint32_t at)
{
	struct rcpt *rcpt = rcpt_at(sched, at);
	uint32_t lane_slot = find_lane(sched, rcpt, rcpt->line);

	check(lane_slot != SCHED_NONE);
	take_out(sched, lane_slot, rcpt);
}

uint32_t
sched_line_next(struct sched *sched, uint32_t destination, unsigned line)
{
	uint32_t lane_slot = destination_at(sched, destination)->lines[line].first;
	uint32_t at;

	check(lane_slot != SCHED_NONE);
	at = lane_at(sched, lane_slot)->first;
	unlink_lane(sched, lane_slot);
	link_lane(sched, lane_slot);
	take_out(sched, lane_slot, rcpt_at(sched, at));
	return at;
}

static uint64_t
at_most(uint64_t value, uint64_t max)
{
	return value < max ? value : max;
}

/* In its own line: those before it, and as many turns of each other sender. */
static uint64_t
ahead_in_line(const struct sched *sched, const struct rcpt *rcpt, const struct line *line)
{
	const struct lane *lane = lane_at(sched, find_lane(sched, rcpt, rcpt->line));
	uint64_t mine;

	/* Places of those that left from the middle count, so it may be fewer. */
	mine = (uint32_t)(rcpt->node.due_ms - rcpt_at(sched, lane->first)->node.due_ms);
	mine = at_most(mine, lane->count - 1);
	return mine + at_most(mine * (line->lane_count - 1), line->ready_count - lane->count);
}

/* Of those that are ready in a line, how many go before one that has so many in front of it. */
static uint64_t
ahead_at(uint64_t ahead, unsigned run, bool goes_first, uint64_t ready)
{
	return at_most(goes_first ? ahead / run : (ahead + 1) * run, ready);
}

uint64_t
sched_line_ahead(const struct sched *sched, uint32_t at)
{
	const struct rcpt *rcpt = rcpt_at(sched, at);
	const struct line *lines = destination_at(sched, rcpt->destination)->lines;
	uint64_t high = lines[LINE_HIGH].ready_count, raised = lines[LINE_RAISED].ready_count;
	uint64_t light = lines[LINE_LIGHT].ready_count, fresh = lines[LINE_FRESH].ready_count;
	uint64_t ahead = ahead_in_line(sched, rcpt, &lines[rcpt->line]);
	unsigned line = rcpt->line;

	if (line == LINE_TRIED)
		return ahead + ahead_at(ahead, FRESH_RUN, false, high + raised + light + fresh);
	if (line == LINE_HIGH || line == LINE_RAISED) {
		ahead += ahead_at(ahead, HIGH_RUN, line == LINE_HIGH,
		    line == LINE_HIGH ? raised : high);
		ahead += ahead_at(ahead, PRIORITY_RUN, true, light + fresh);
	} else {
		ahead += ahead_at(ahead, LIGHT_RUN, line == LINE_LIGHT,
		    line == LINE_LIGHT ? fresh : light);
		ahead += ahead_at(ahead, PRIORITY_RUN, false, high + raised);
	}
	return ahead + ahead_at(ahead, FRESH_RUN, true, lines[LINE_TRIED].ready_count);
}
