/*
 * How a provider stands, for operators, or the MX hosts that are a site: what binds all that its
 * servers take mail for, how much of it waits, for which domains most, and when that will be gone.
 */
#include "proc/queue/queue_internal.h"

#include "base/arena.h"
#include "base/check.h"
#include "proc/queue/queue_limits.h"
#include "route/name.h"

enum { SITES_TOLD_MAX = 20, MEMBERS_MAX = 20 };

/* What waits for a site, of all its destinations. */
struct share_of_site {
	uint32_t site;
	size_t destinations, rcpts, ready;
	uint64_t left, left_ms; /* in the longest time of which one knows */
	struct {
		uint32_t destination;
		size_t rcpts;
	} most[MEMBERS_MAX]; /* the largest first */
	size_t most_count;
};

static void
add_most(struct share_of_site *share, uint32_t destination, size_t rcpts)
{
	size_t at = share->most_count;

	if (at == MEMBERS_MAX && share->most[at - 1].rcpts >= rcpts)
		return;
	if (at < MEMBERS_MAX)
		share->most_count++;
	else
		at--;
	for (; at > 0 && share->most[at - 1].rcpts < rcpts; at--)
		share->most[at] = share->most[at - 1];
	share->most[at].destination = destination;
	share->most[at].rcpts = rcpts;
}

static void
add(struct share_of_site *share, uint32_t destination, const struct sched_destination *known)
{
	uint64_t left_ms = known->left_ms > share->left_ms ? known->left_ms : share->left_ms;

	share->destinations++;
	share->rcpts += known->rcpt_count;
	share->ready += known->ready_count;
	if (share->left_ms > 0)
		share->left = share->left * left_ms / share->left_ms;
	if (known->left_ms > 0)
		share->left += known->left_count * left_ms / known->left_ms;
	share->left_ms = left_ms;
	add_most(share, destination, known->rcpt_count);
}

/* The sites that are meant and have mail; gives how many. */
static size_t
gather(const struct queue *queue, struct span wanted, struct share_of_site *shares)
{
	struct sched *sched = queue->sched;
	size_t count = 0, i;

	for (uint32_t at = sched_destination_next(sched, SCHED_NONE); at != SCHED_NONE;
	     at = sched_destination_next(sched, at)) {
		struct sched_destination known;
		struct sched_site site;

		sched_destination_get(sched, at, &known);
		if (known.rcpt_count == 0 || !schedule_site(queue, &known, &site) ||
		    !route_name_fits_site(wanted, site.name))
			continue;
		for (i = 0; i < count && shares[i].site != known.site; i++)
			;
		if (i == SITES_TOLD_MAX)
			continue;
		if (i == count)
			shares[count++] = (struct share_of_site){.site = known.site};
		add(&shares[i], at, &known);
	}
	return count;
}

/* As of a destination, but for what is that one's own. */
static struct summary_standing
standing_of(const struct sched_site *site, const struct share_of_site *share, bool suspended,
    uint64_t now_ms)
{
	if (suspended)
		return (struct summary_standing){
		    IPC_DESTINATION_SUSPENDED, IPC_WHY_SUSPENDED, 0};
	if (site->limits.pause_until_ms > now_ms)
		return (struct summary_standing){
		    IPC_DESTINATION_PAUSED, IPC_WHY_PAUSE, site->limits.pause_until_ms};
	if (share->ready > 0 && site->active >= site->window)
		return (struct summary_standing){IPC_DESTINATION_LIMITED, IPC_WHY_SITE, 0};
	if (share->ready > 0 && site->token_ms > now_ms)
		return (struct summary_standing){
		    IPC_DESTINATION_LIMITED, IPC_WHY_SITE_RATE, site->token_ms};
	return (struct summary_standing){
	    IPC_DESTINATION_OK, share->ready > 0 ? IPC_WHY_TURN : IPC_WHY_TIME, 0};
}

static void
tell_members(struct queue *queue, uint64_t query, const struct share_of_site *share,
    const struct sched_site *site)
{
	for (size_t i = 0; i < share->most_count; i++) {
		struct ipc_qa_member answer = {.query = query};
		struct summary_standing standing;
		struct sched_destination known;

		sched_destination_get(queue->sched, share->most[i].destination, &known);
		standing = summary_standing(&known, site, io_now_ms(queue->env->io));
		answer.destination = span_first(known.key, IPC_DOMAIN_MAX);
		answer.rcpt_count = known.rcpt_count;
		answer.ready = known.ready_count;
		answer.state = (uint8_t)standing.state;
		answer.why = (uint8_t)standing.why;
		ipc_qa_member_send(queue->admin, &answer);
	}
}

static void
tell(struct queue *queue, uint64_t query, const struct share_of_site *share,
    const struct sched_site *site)
{
	uint64_t now_ms = io_now_ms(queue->env->io), now_wall_ms = io_wall_ms(queue->env->io);
	const struct suspension *suspended =
	    suspensions_find(&queue->suspensions, SPAN("mx:"), site->name);
	struct summary_standing standing = standing_of(site, share, suspended != NULL, now_ms);
	struct ipc_qa_standing answer = {.query = query};
	struct buf name, limit, rule;

	buf_init(&name, IPC_DOMAIN_MAX);
	buf_init(&limit, IPC_LIMIT_MAX);
	buf_init(&rule, IPC_RULE_MAX);
	buf_addf(&name, "provider:%.*s", SPAN_ARGS(span_first(site->name, IPC_DOMAIN_MAX - 10)));
	standing_tell_site(site, &answer);
	answer.destination = buf_span(&name);
	answer.state = (uint8_t)standing.state;
	answer.why = (uint8_t)standing.why;
	if (standing.at_ms > 0)
		answer.at_wall_ms = now_wall_ms + standing.at_ms - now_ms;
	if (suspended)
		answer.at_wall_ms = suspended->until_wall_ms;
	if (standing.state != IPC_DESTINATION_OK)
		queue_limits_write(
		    &limit, queue->conf, SPAN("mx:"), site->name, false, standing.why);
	answer.limit = buf_span(&limit);
	answer.site_destinations = (uint32_t)share->destinations;
	answer.rcpt_count = share->rcpts;
	answer.ready = share->ready;
	answer.active = site->active;
	answer.window = site->window;
	answer.connections_max = site->limits.concurrency_max;
	answer.interval_ms = answer.site_interval_ms;
	answer.left = share->left;
	answer.left_ms = share->left_ms;
	if (!suspended || answer.at_wall_ms > 0)
		answer.empty_wall_ms = standing_empty_wall_ms(share->rcpts, share->left,
		    share->left_ms,
		    answer.at_wall_ms > now_wall_ms ? answer.at_wall_ms : now_wall_ms);
	standing_tell_backoff(queue, SPAN("mx:"), site, &answer, &rule);
	answer.rule = buf_span(&rule);
	ipc_qa_standing_send(queue->admin, &answer);
	tell_members(queue, query, share, site);
	buf_fini(&rule);
	buf_fini(&limit);
	buf_fini(&name);
}

/* No mail waits for it: what new mail would meet. */
static void
tell_empty(struct queue *queue, uint64_t query, struct span name)
{
	const struct share_of_site nothing = {0};
	struct sched_site site = {.name = name};

	schedule_site_limits(queue, name, &site.limits);
	site.window = site.limits.concurrency_start;
	tell(queue, query, &nothing, &site);
}

size_t
standing_tell_sites(struct queue *queue, uint64_t query, struct span wanted)
{
	struct share_of_site *shares = mem_alloc(SITES_TOLD_MAX * sizeof(*shares));
	size_t count = gather(queue, wanted, shares);

	for (size_t i = 0; i < count; i++) {
		struct sched_site site;

		sched_site_get(queue->sched, shares[i].site, &site);
		tell(queue, query, &shares[i], &site);
	}
	mem_free(shares);
	if (count > 0)
		return count;
	tell_empty(queue, query, wanted);
	return 1;
}
