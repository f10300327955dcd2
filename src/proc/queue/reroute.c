/*
 * Mail that an operator sends another way: its destination has a key of its own, "via:HOST:PORT",
 * and a mark of each recipient says so over restarts.  What waits is gone through a part at a time;
 * what is under way ends as it is.  The operator is answered when the marks are durable.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "base/sim_point.h"
#include "route/name.h"

enum {
	LOOKS = 5000, /* at recipients, before others have their turn */
	READ_LOOKS = 20, /* what reading an envelope counts for */
	WORDS_BYTES = 2048,
};

struct reroute {
	struct queue *queue;
	struct list node; /* in queue->reroutes; none: nobody listens */
	uint64_t query, newest_wall_ms;
	uint32_t slot; /* the message that is next; SCHED_NONE: none is */
	bool one, normal;
	struct buf words; /* what the spans are of */
	struct span match, from, key, who;
	uint64_t messages, rcpts, under_way;
	struct io_timer timer;
	struct store_op flush;
};

/* A message that is gone through. */
struct looking {
	uint32_t slot;
	struct sched_message known;
	struct envelope *envelope; /* NULL: not read yet, or not to be read */
	bool read;
	uint32_t looks;
};

static bool
read_envelope(const struct reroute *reroute, struct looking *looking)
{
	struct queue *queue = reroute->queue;
	struct buf bytes;

	if (looking->read)
		return looking->envelope != NULL;
	looking->read = true;
	looking->looks += READ_LOOKS;
	buf_init(&bytes, STORE_ENVELOPE_BYTES_MAX);
	if (store_read_envelope(queue->store, looking->known.id, &bytes) != OK ||
	    envelope_read(&bytes, &looking->envelope) != OK)
		looking->envelope = NULL;
	buf_fini(&bytes);
	if (looking->envelope && looking->envelope->rcpt_count != looking->known.rcpt_count) {
		envelope_free(looking->envelope);
		looking->envelope = NULL;
	}
	return looking->envelope != NULL;
}

/* "ann@home.example" or "@home.example" */
static bool
is_from(const struct reroute *reroute, struct span reverse_path)
{
	struct span from = reroute->from;

	if (from.ptr[0] == '@' && from.len < reverse_path.len)
		reverse_path = span_skip(reverse_path, reverse_path.len - from.len);
	return span_eq_nocase(reverse_path, from);
}

/* The key that it has without an operator, into usual; false: its envelope cannot be read. */
static bool
usual_key(const struct reroute *reroute, struct looking *looking, uint32_t index,
    struct buf *usual)
{
	buf_reset(usual);
	if (!read_envelope(reroute, looking))
		return false;
	schedule_key(reroute->queue, usual, looking->envelope->reverse_path,
	    looking->envelope->rcpts[index].kind, looking->envelope->rcpts[index].address);
	return true;
}

/* Whether it is asked for, and goes another way so far.  key: where it goes then. */
static bool
is_asked_for(const struct reroute *reroute, struct looking *looking,
    const struct sched_rcpt *rcpt, struct buf *usual, struct span *key)
{
	struct sched_destination to;
	struct span site;

	sched_destination_get(reroute->queue->sched, rcpt->destination, &to);
	if (to.kind != IPC_TARGET_REMOTE)
		return false;
	*key = reroute->key;
	if (schedule_is_rerouted(to.key)) {
		if (!usual_key(reroute, looking, rcpt->index, usual))
			return false;
		if (reroute->normal)
			*key = buf_span(usual);
	} else if (reroute->normal) {
		return false;
	}
	site = sites_of(&reroute->queue->sites, usual->len > 0 ? buf_span(usual) : to.key);
	return !span_eq(*key, to.key) &&
	    (route_name_fits(reroute->match, to.key, site) ||
	        (usual->len > 0 && route_name_fits(reroute->match, buf_span(usual), site)));
}

static void
send_by(struct reroute *reroute, uint32_t at, const struct looking *looking, struct span key)
{
	struct queue *queue = reroute->queue;
	struct mark mark = {
	    .kind = MARK_REROUTED, .wall_ms = io_wall_ms(queue->env->io), .text = key};
	struct sched_rcpt rcpt;

	sched_rcpt_get(queue->sched, at, &rcpt);
	mark.index = rcpt.index;
	outcome_mark(queue, looking->known.id, &mark);
	sched_rcpt_reroute(
	    queue->sched, at, schedule_kind(queue, key, IPC_TARGET_REMOTE), key);
	/* Nothing speaks against the new way; what is not to be sent yet waits all the same. */
	if (rcpt.state == SCHED_WAITING && rcpt.tries > 0 &&
	    !(looking->known.flags & SCHED_PARKED))
		sched_rcpt_ready(queue->sched, at, true);
	SIM_MARK("queue.rerouted");
}

static void
say(const struct reroute *reroute, uint64_t id, uint64_t rcpts)
{
	struct event event;

	queue_event_begin(&event, reroute->queue, "rerouted", id);
	event_span(&event, "who", reroute->who);
	event_span(&event, "via",
	    reroute->normal ? SPAN("normal") : span_skip(reroute->key, 4));
	event_u64(&event, "recipients", rcpts);
	event_end(&event);
}

static uint32_t
look_at(struct reroute *reroute, uint32_t slot)
{
	struct sched *sched = reroute->queue->sched;
	struct looking looking = {.slot = slot, .looks = 1};
	uint64_t rcpts = 0;
	struct buf usual;

	sched_message_get(sched, slot, &looking.known);
	if (looking.known.flags & SCHED_DELETING ||
	    looking.known.arrival_wall_ms > reroute->newest_wall_ms)
		return looking.looks;
	if (reroute->from.len > 0 && (!read_envelope(reroute, &looking) ||
	        !is_from(reroute, looking.envelope->reverse_path))) {
		envelope_free(looking.envelope);
		return looking.looks;
	}
	buf_init(&usual, 2 * IPC_PATH_MAX);
	for (uint32_t i = 0; i < looking.known.rcpt_count; i++) {
		uint32_t at = sched_rcpt_find(sched, slot, i);
		struct sched_rcpt rcpt;
		struct span key;

		looking.looks++;
		if (at == SCHED_NONE)
			continue;
		buf_reset(&usual);
		sched_rcpt_get(sched, at, &rcpt);
		if (rcpt.state == SCHED_BOUNCING ||
		    !is_asked_for(reroute, &looking, &rcpt, &usual, &key))
			continue;
		if (rcpt.state == SCHED_ACTIVE) {
			reroute->under_way++;
			continue;
		}
		send_by(reroute, at, &looking, key);
		rcpts++;
	}
	buf_fini(&usual);
	envelope_free(looking.envelope);
	reroute->messages += rcpts > 0;
	reroute->rcpts += rcpts;
	if (rcpts > 0)
		say(reroute, looking.known.id, rcpts);
	return looking.looks;
}

static void
free_reroute(struct reroute *reroute)
{
	list_remove(&reroute->node);
	io_timer_stop(reroute->queue->env->io, &reroute->timer);
	buf_fini(&reroute->words);
	mem_free(reroute);
}

static void
flushed(struct store_op *op)
{
	struct reroute *reroute = op->owner;
	const struct ipc_qa_done done = {.query = reroute->query,
	    .count = reroute->messages,
	    .total = reroute->under_way,
	    .rcpts = reroute->rcpts,
	    .lost = op->err != OK};

	if (list_linked(&reroute->node))
		ipc_qa_done_send(reroute->queue->admin, &done);
	free_reroute(reroute);
}

static void
go_on(struct io_timer *timer)
{
	struct reroute *reroute = timer->owner;
	struct queue *queue = reroute->queue;
	uint32_t looks = 0;

	while (reroute->slot != SCHED_NONE && looks < LOOKS) {
		uint32_t slot = reroute->slot;

		reroute->slot =
		    reroute->one ? SCHED_NONE : sched_message_next(queue->sched, slot);
		looks += look_at(reroute, slot);
	}
	dispatch(queue);
	if (reroute->slot != SCHED_NONE) {
		io_timer_start(queue->env->io, &reroute->timer, 0);
		return;
	}
	reroute->flush = (struct store_op){.done = flushed, .owner = reroute};
	store_flush(queue->store, &reroute->flush);
}

/* The words of the operator, kept while it lasts. */
static void
keep_words(struct reroute *reroute, const struct ipc_aq_reroute *asked, struct span selector)
{
	struct buf *words = &reroute->words;
	struct span all;

	buf_add(words, selector);
	buf_add(words, asked->from);
	buf_add(words, asked->who);
	if (!asked->normal) {
		buf_add_str(words, "via:");
		buf_add_lower(words, asked->host);
		buf_addf(words, ":%u", (unsigned)asked->port);
	}
	check(buf_finish(words) == OK);
	all = buf_span(words);
	reroute->match = span_first(all, selector.len);
	all = span_skip(all, selector.len);
	reroute->from = span_first(all, asked->from.len);
	all = span_skip(all, asked->from.len);
	reroute->who = span_first(all, asked->who.len);
	reroute->key = span_skip(all, asked->who.len);
}

void
reroute_start(struct queue *queue, const struct ipc_aq_reroute *asked)
{
	uint64_t now_wall_ms = io_wall_ms(queue->env->io);
	struct reroute *reroute;
	struct buf selector;

	buf_init(&selector, IPC_NAME_MAX);
	if (!names_take(queue, asked->query, asked->match, &selector)) {
		buf_fini(&selector);
		return;
	}
	reroute = mem_alloc(sizeof(*reroute));
	reroute->queue = queue;
	reroute->query = asked->query;
	reroute->one = asked->id != 0;
	reroute->normal = asked->normal;
	reroute->newest_wall_ms = asked->older_ms == 0 ? UINT64_MAX
	    : asked->older_ms < now_wall_ms            ? now_wall_ms - asked->older_ms
	                                               : 0;
	reroute->slot = asked->id ? sched_message_find(queue->sched, asked->id)
	                          : sched_message_first(queue->sched);
	buf_init(&reroute->words, WORDS_BYTES);
	keep_words(reroute, asked, buf_span(&selector));
	buf_fini(&selector);
	reroute->timer = (struct io_timer){.fired = go_on, .owner = reroute};
	list_push(&queue->reroutes, &reroute->node);
	io_timer_start(queue->env->io, &reroute->timer, 0);
}

void
reroute_forget(struct queue *queue, uint32_t slot)
{
	list_for_each (node, &queue->reroutes) {
		struct reroute *reroute = container_of(node, struct reroute, node);

		if (reroute->slot == slot)
			reroute->slot = reroute->one ? SCHED_NONE
			                             : sched_message_next(queue->sched, slot);
	}
}

void
reroute_stop(struct queue *queue)
{
	list_for_each_safe (node, &queue->reroutes) {
		struct reroute *reroute = container_of(node, struct reroute, node);

		if (reroute->flush.done)
			list_remove(&reroute->node);
		else
			free_reroute(reroute);
	}
}
