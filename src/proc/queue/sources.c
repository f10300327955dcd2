/*
 * Which address an attempt leaves from: chosen here, where all attempts begin, so that what a new
 * address has sent today is known whatever process sends it.  The counts are in a file beside
 * the spool's, replaced as a whole, at most once a second.
 *
 *   start: an address of each family is chosen, and a place of its share is kept for each
 *          recipient; where its pool has none for the servers, the recipients wait
 *   result: what a server was asked about has used its place
 *   end:   places that were not used are free again
 */
#include "proc/queue/queue_internal.h"

#include <stdio.h>

#include "base/check.h"
#include "base/sim_point.h"
#include "providers/providers.h"
#include "route/source.h"
#include "route/warmup.h"

const uint8_t sources_families[ATTEMPT_FAMILIES] = {4, 6};

static uint64_t
day_of(uint64_t wall_ms)
{
	return wall_ms / WARMUP_DAY_MS;
}

const struct conf_warmup *
sources_warmup(const struct conf *conf, const struct share *share)
{
	for (size_t i = 0; i < conf->warmup_count; i++)
		if (net_addr_same_host(&conf->warmups[i].addr, &share->addr) &&
		    span_eq(conf->warmups[i].provider, span_str(share->provider)))
			return &conf->warmups[i];
	return NULL;
}

/* What each may send on that day. */
static void
set_shares(struct queue *queue)
{
	struct shares *shares = &queue->shares;
	const struct conf *conf = queue->conf;

	for (size_t i = 0; i < shares->count; i++) {
		shares->rows[i].max = WARMUP_NO_LIMIT;
		shares->rows[i].promised = 0;
	}
	for (size_t i = 0; i < conf->warmup_count; i++) {
		struct share *share =
		    shares_take(shares, &conf->warmups[i].addr, conf->warmups[i].provider);

		if (share)
			share->max = warmup_share(&conf->warmups[i], shares->day);
	}
}

struct share_time
sources_time(struct queue *queue)
{
	const struct share_time time = {io_wall_ms(queue->env->io), io_now_ms(queue->env->io)};

	if (shares_begin(&queue->shares, day_of(time.wall_ms)))
		set_shares(queue);
	return time;
}

static void
index_sources(struct queue *queue)
{
	const struct conf *conf = queue->conf;

	mem_free(queue->source_shares);
	queue->source_shares =
	    mem_alloc((conf->source_count + 1) * sizeof(*queue->source_shares));
	for (size_t i = 0; i < conf->source_count; i++)
		queue->source_shares[i] =
		    shares_take(&queue->shares, &conf->sources[i].addr, SPAN(""));
	set_shares(queue);
}

static void
save(struct queue *queue)
{
	struct buf bytes;

	if (!queue->shares.is_changed || queue->conf->warmup_count == 0)
		return;
	buf_init(&bytes, SHARES_BYTES_MAX);
	shares_write(&queue->shares, &bytes);
	check(buf_finish(&bytes) == OK);
	queue->shares.is_changed = kept_replace(queue, KEPT_SOURCES, buf_span(&bytes)) != OK;
	buf_fini(&bytes);
}

void
sources_load(struct queue *queue)
{
	struct buf bytes;
	enum err err;

	buf_init(&bytes, SHARES_BYTES_MAX);
	err = kept_read(queue, KEPT_SOURCES, &bytes);
	if (!err)
		err = shares_read(&queue->shares, buf_span(&bytes),
		    day_of(io_wall_ms(queue->env->io)));
	buf_fini(&bytes);
	(void)sources_time(queue);
	index_sources(queue);
	kept_loaded(queue, KEPT_SOURCES, err);
}

void
sources_reload(struct queue *queue)
{
	index_sources(queue);
	sources_wake(queue);
}

void
sources_sweep(struct queue *queue)
{
	if (queue->conf->source_count == 0)
		return;
	(void)sources_time(queue);
	save(queue);
}

void
sources_stop(struct queue *queue)
{
	save(queue);
}

struct span
sources_provider(const struct attempt *attempt)
{
	struct sched_destination to;
	const struct sched_site *site;
	struct sched_site space;

	sched_destination_get(attempt->queue->sched, attempt->destination, &to);
	site = schedule_site(attempt->queue, &to, &space);
	return site && provider_named(site->name) ? site->name : SPAN("");
}

void
sources_shares(const struct queue *queue, const struct conf_source *source, struct span provider,
    struct share *shares[ATTEMPT_SHARES])
{
	shares[0] = queue->source_shares[source - queue->conf->sources];
	shares[1] = provider.len > 0 && queue->conf->warmup_count > 0
	    ? shares_find(&queue->shares, &source->addr, provider)
	    : NULL;
}

/* Who is choosing. */
struct choice {
	const struct queue *queue;
	struct span provider;
	const struct share_time *time;
};

static bool
may(const void *owner, const struct conf_source *source)
{
	const struct choice *choice = owner;
	struct share *shares[ATTEMPT_SHARES];

	sources_shares(choice->queue, source, choice->provider, shares);
	for (size_t i = 0; i < ATTEMPT_SHARES; i++)
		if (shares[i] && share_left(shares[i], choice->time) == 0)
			return false;
	/* One that there is no room to count for has none. */
	return !shares[0] || !share_is_failed(shares[0], choice->time->now_ms);
}

struct route_source_asked
sources_asked(const struct attempt *attempt, uint8_t family)
{
	const struct envelope *envelope = attempt->message->envelope;
	const struct span sender = envelope->reverse_path;
	const size_t at = span_find_last(sender, '@');

	return (struct route_source_asked){
	    .pool = envelope->extras.pool,
	    .sender_domain = span_skip(sender, at < sender.len ? at + 1 : sender.len),
	    .family = family,
	};
}

static bool
stays_in_house(const struct attempt *attempt)
{
	const struct queue *queue = attempt->queue;
	const struct envelope *envelope = attempt->message->envelope;
	struct sched_destination to;
	struct conf_route way;

	if (attempt->peer->proc != PROC_DELIVERY)
		return true;
	sched_destination_get(queue->sched, attempt->destination, &to);
	schedule_way(queue->conf, to.key, envelope->reverse_path,
	    &envelope->rcpts[attempt->rcpts[0]], &way);
	return way.kind == CONF_ROUTE_LMTP;
}

/* The pool that the message names is no more: it goes as if it had named none. */
static void
say_pool_gone(const struct attempt *attempt)
{
	const struct span pool = attempt->message->envelope->extras.pool;
	struct event event;

	if (pool.len == 0 || route_pool_is_known(attempt->queue->conf, pool))
		return;
	queue_event_begin(&event, attempt->queue, "pool_unknown", attempt->message->id);
	event_span(&event, "pool", pool);
	event_str(&event, "text",
	    "the configuration has no such pool any more; it leaves as mail without one");
	event_end(&event);
}

static void
choose(struct attempt *attempt, size_t family, const struct share_time *time)
{
	struct queue *queue = attempt->queue;
	struct route_source_asked asked = sources_asked(attempt, sources_families[family]);
	const struct choice choice = {queue, sources_provider(attempt), time};
	const struct conf_source *source;
	enum route_source_found found;

	asked.may = may;
	asked.owner = &choice;
	io_random(queue->env->io, &asked.chance, sizeof(asked.chance));
	found = route_source(queue->conf, &asked, &source);
	attempt->sources[family] = source;
	if (found == ROUTE_SOURCE_NONE || found == ROUTE_SOURCE_MAY_NOT)
		attempt->avoid |= (uint8_t)(1u << family);
}

static void
reserve_of(struct attempt *attempt, size_t family, const struct share_time *time, uint64_t *places)
{
	const struct conf_source *source = attempt->sources[family];
	struct share *shares[ATTEMPT_SHARES];

	if (!source)
		return;
	sources_shares(attempt->queue, source, sources_provider(attempt), shares);
	for (size_t i = 0; i < ATTEMPT_SHARES; i++) {
		attempt->places[family][i].share = shares[i];
		if (shares[i] && share_left(shares[i], time) < *places)
			*places = share_left(shares[i], time);
	}
}

/* Keeps a place for each recipient; there may be fewer than recipients, who then go later. */
static void
reserve(struct attempt *attempt, const struct share_time *time)
{
	uint64_t places = attempt->rcpt_count;

	for (size_t f = 0; f < ATTEMPT_FAMILIES; f++)
		reserve_of(attempt, f, time, &places);
	check(places > 0);
	dispatch_trim(attempt, (uint32_t)places);
	for (size_t f = 0; f < ATTEMPT_FAMILIES; f++)
		for (size_t i = 0; i < ATTEMPT_SHARES; i++) {
			struct place *place = &attempt->places[f][i];

			if (!place->share)
				continue;
			place->reserved = (uint32_t)places;
			share_keep(place->share, places, time);
			share_try(place->share, time->now_ms);
		}
}

bool
sources_attempt(struct attempt *attempt)
{
	struct share_time time;

	if (attempt->queue->conf->source_count == 0 || stays_in_house(attempt))
		return false;
	time = sources_time(attempt->queue);
	say_pool_gone(attempt);
	for (size_t f = 0; f < ATTEMPT_FAMILIES; f++)
		choose(attempt, f, &time);
	if (attempt->avoid == (ATTEMPT_AVOID_4 | ATTEMPT_AVOID_6)) {
		for (uint32_t i = 0; i < attempt->rcpt_count; i++)
			if (!attempt->told[i])
				sources_put_off(attempt, i);
		return true;
	}
	reserve(attempt, &time);
	return false;
}

void
sources_unsent(struct attempt *attempt, uint32_t index)
{
	struct sched_message known;

	sched_message_get(attempt->queue->sched, attempt->message->slot, &known);
	if (attempt->source_failed && !(known.flags & SCHED_DELETING)) {
		/* Others of the pool are there, or it is put off when its turn comes. */
		attempt->told[index] = true;
		dispatch_again(attempt, index);
	} else {
		sources_put_off(attempt, index);
	}
}

static void
say_works(struct queue *queue, const struct share *share)
{
	struct event event;

	event_begin(&event, &queue->env->log, "source_works");
	event_addr(&event, "source", &share->addr);
	event_end(&event);
}

/* Who served it is known only now, where no mail went there before. */
static struct share *
share_by_answer(const struct attempt *attempt, const struct net_addr *addr,
    const struct outcome *outcome)
{
	const struct provider *provider = provider_of_host(backoffs_host(outcome->remote));

	return provider && attempt->queue->conf->warmup_count > 0
	    ? shares_find(&attempt->queue->shares, addr, span_str(provider->name))
	    : NULL;
}

static void
use(struct attempt *attempt, struct place *place)
{
	if (!place->share)
		return;
	if (place->reserved > 0) {
		place->reserved--;
	} else {
		const struct share_time time = sources_time(attempt->queue);

		share_keep(place->share, 1, &time);
	}
	place->share->pending--;
	place->share->used++;
	attempt->queue->shares.is_changed = true;
}

void
sources_used(struct attempt *attempt, const struct outcome *outcome)
{
	struct net_addr addr;

	if (outcome->source.len == 0 || net_addr_parse(outcome->source, &addr))
		return;
	for (size_t f = 0; f < ATTEMPT_FAMILIES; f++) {
		struct place *all = &attempt->places[f][0], *some = &attempt->places[f][1];

		if (!all->share || !net_addr_same_host(&all->share->addr, &addr))
			continue;
		if (all->share->failures > 0)
			say_works(attempt->queue, all->share);
		all->share->failures = 0;
		/* What no server was asked about does not count. */
		if (outcome->kind != IPC_DELIVERED && outcome->code == 0 && !outcome->in_doubt)
			continue;
		if (!some->share)
			some->share = share_by_answer(attempt, &addr, outcome);
		use(attempt, all);
		use(attempt, some);
	}
}

void
sources_failed(struct attempt *attempt, struct span address, struct span text)
{
	struct queue *queue = attempt->queue;
	uint64_t now_ms = io_now_ms(queue->env->io);
	struct share *share;
	struct net_addr addr;
	struct event event;
	char why[SHARE_WHY_MAX];

	SIM_MARK("queue.source_failed");
	share = net_addr_parse(address, &addr) ? NULL
					       : shares_find(&queue->shares, &addr, SPAN(""));
	/* One that cannot be left alone would be tried again and again. */
	attempt->source_failed |= share != NULL;
	snprintf(why, sizeof(why), "%.*s: %.*s", SPAN_ARGS(span_first(address, NET_TEXT_MAX)),
	    SPAN_ARGS(text));
	if (!share || !share_fail(share, now_ms, why))
		return;
	event_begin(&event, &queue->env->log, "source_failed");
	event_addr(&event, "source", &addr);
	event_span(&event, "error", text);
	event_u64(&event, "retry_ms", share->failed_until_ms - now_ms);
	event_str(&event, "text",
	    "no mail leaves from it for now; is the address on this host?");
	event_end(&event);
}

void
sources_over(struct attempt *attempt)
{
	for (size_t f = 0; f < ATTEMPT_FAMILIES; f++)
		for (size_t i = 0; i < ATTEMPT_SHARES; i++) {
			struct place *place = &attempt->places[f][i];

			if (place->share)
				share_give_back(place->share, place->reserved);
			*place = (struct place){0};
		}
}

static void
add_course(const struct queue *queue, const struct share *share, const struct share_time *time,
    struct ipc_qa_source *answer)
{
	const struct conf_warmup *warmup = sources_warmup(queue->conf, share);
	uint64_t next_day;

	answer->used = share->used;
	answer->pending = share->pending;
	if (!warmup)
		return;
	answer->warms = true;
	answer->share = warmup_share(warmup, queue->shares.day);
	answer->number = warmup_number(warmup, queue->shares.day);
	answer->free = share_left(share, time);
	if (share->max == 0)
		answer->free_wall_ms = warmup->from_day * WARMUP_DAY_MS;
	else if (answer->free == 0)
		answer->free_wall_ms = share_next_wall_ms(share, time);
	next_day = warmup_next_change(warmup, queue->shares.day);
	if (next_day == 0)
		return;
	answer->next_wall_ms = next_day * WARMUP_DAY_MS;
	answer->next_share = warmup_share(warmup, next_day);
}

/* An answer for all that it sends, and one for each provider that has a share of its own. */
static void
tell(struct queue *queue, uint64_t query, const struct conf_source *source,
    const struct share_time *time)
{
	const struct share *share = queue->source_shares[source - queue->conf->sources];
	const struct ipc_qa_source empty = {.query = query,
	    .pool = source->pool,
	    .sender = source->sender,
	    .helo = source->helo.len > 0 ? source->helo : queue->conf->hostname,
	    .weight = source->weight};
	struct ipc_qa_source answer = empty;
	struct buf addr;

	buf_init(&addr, NET_TEXT_MAX);
	net_addr_write(&addr, &source->addr);
	answer.address = buf_span(&addr);
	if (share) {
		add_course(queue, share, time, &answer);
		if (share->failures > 0)
			answer.why = span_str(share->why);
		if (share_is_failed(share, time->now_ms))
			answer.again_wall_ms =
			    time->wall_ms + share->failed_until_ms - time->now_ms;
	}
	ipc_qa_source_send(queue->admin, &answer);
	for (size_t i = 0; i < queue->shares.count; i++) {
		share = &queue->shares.rows[i];
		if (!net_addr_same_host(&share->addr, &source->addr) || !share->provider[0] ||
		    !sources_warmup(queue->conf, share))
			continue;
		answer = empty;
		answer.address = buf_span(&addr);
		answer.provider = span_str(share->provider);
		add_course(queue, share, time, &answer);
		ipc_qa_source_send(queue->admin, &answer);
	}
	buf_fini(&addr);
}

void
sources_tell(struct queue *queue, const struct ipc_aq_sources *asked)
{
	const struct conf *conf = queue->conf;
	const struct share_time time = sources_time(queue);
	struct ipc_qa_done done = {.query = asked->query, .total = conf->source_count};

	for (size_t i = 0; i < conf->source_count; i++) {
		tell(queue, asked->query, &conf->sources[i], &time);
		done.count++;
	}
	ipc_qa_done_send(queue->admin, &done);
}
