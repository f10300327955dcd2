/*
 * What operators call destinations, held against those that there are: which the words mean, and
 * which name is the nearest where they mean none.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "providers/providers.h"
#include "route/name.h"

enum {
	LOOKS = 5000, /* at destinations, for the nearest name: nobody else waits for long */
	ECHO_BYTES = 100,
};

bool
names_fit(const struct queue *queue, struct span selector,
    const struct sched_destination *known)
{
	struct sched_site space;
	const struct sched_site *site = schedule_site(queue, known, &space);

	return route_name_fits(selector, known->key, site ? site->name : SPAN(""));
}

size_t
names_waiting(const struct queue *queue, struct span selector)
{
	struct sched *sched = queue->sched;
	size_t count = 0;

	for (uint32_t at = sched_destination_next(sched, SCHED_NONE); at != SCHED_NONE;
	     at = sched_destination_next(sched, at)) {
		struct sched_destination known;

		sched_destination_get(sched, at, &known);
		count += known.rcpt_count > 0 && names_fit(queue, selector, &known);
	}
	return count;
}

/* The key of what leads to a server that is named, or to a socket; nothing for other routes. */
static void
write_way_key(struct buf *key, const struct conf_route *route)
{
	bool lmtp = route->kind == CONF_ROUTE_LMTP;

	buf_reset(key);
	if (route->host.len == 0 || (!lmtp && route->kind != CONF_ROUTE_SMTP))
		return;
	buf_add_str(key, lmtp ? "lmtp:" : "host:");
	buf_add(key, route->host);
	if (!conf_route_is_socket(route))
		buf_addf(key, ":%u", route->port);
}

/* The keys of all that the configuration names, each into key; at begins with zeros. */
struct configured {
	struct conf_ways ways;
	const struct conf_pipe *pipe;
	enum { WAYS, MAILBOXES, PIPES, NONE_LEFT } next;
};

static bool
next_configured(const struct conf *conf, struct configured *at, struct buf *key)
{
	const struct conf_route *route;

	while (at->next == WAYS) {
		route = conf_ways_next(conf, &at->ways);
		if (!route) {
			at->next = MAILBOXES;
			break;
		}
		write_way_key(key, route);
		if (key->len > 0)
			return true;
	}
	if (at->next == MAILBOXES) {
		at->next = PIPES;
		at->pipe = conf->pipes;
		write_way_key(key, &conf->lmtp);
		if (key->len == 0)
			buf_add_str(key, "mailbox");
		return true;
	}
	if (at->next == NONE_LEFT || !at->pipe) {
		at->next = NONE_LEFT;
		return false;
	}
	buf_reset(key);
	buf_addf(key, "pipe:%.*s", SPAN_ARGS(at->pipe->name));
	at->pipe = at->pipe->next;
	return true;
}

bool
names_configured(const struct queue *queue, struct span selector, struct buf *key)
{
	struct configured at = {0};

	while (next_configured(queue->conf, &at, key))
		if (route_name_fits(selector, buf_span(key), SPAN("")))
			return true;
	buf_reset(key);
	return false;
}

/* The best name so far. */
struct nearest {
	struct span words, rest;
	struct buf name, best;
	unsigned distance;
};

static void
consider(struct nearest *nearest, struct span wrong, struct span right)
{
	unsigned distance;

	if (!conf_near(wrong, right, &distance) || distance == 0 ||
	    (nearest->best.len > 0 && distance >= nearest->distance))
		return;
	nearest->distance = distance;
	buf_reset(&nearest->best);
	buf_add(&nearest->best, buf_span(&nearest->name));
}

/* The name is held against the words, or what is behind its kind, where they have none. */
static void
offer(struct nearest *nearest)
{
	struct span name = buf_span(&nearest->name), rest = route_name_rest(name);

	consider(nearest, nearest->words, name);
	if (nearest->rest.len == nearest->words.len && rest.len < name.len)
		consider(nearest, nearest->words, rest);
	buf_reset(&nearest->name);
}

static void
offer_key(struct nearest *nearest, struct span key)
{
	struct span user_and_title = key;

	route_name_write(&nearest->name, key);
	offer(nearest);
	/* Few say whose program it is. */
	if (!span_starts(key, SPAN("pipe:")))
		return;
	user_and_title = span_skip(key, 5);
	buf_addf(&nearest->name, "program %.*s",
	    SPAN_ARGS(span_skip(user_and_title, span_find(user_and_title, ':') + 1)));
	offer(nearest);
}

static void
find_nearest(const struct queue *queue, struct nearest *nearest)
{
	struct sched *sched = queue->sched;
	struct configured configured = {0};
	const struct provider *provider;
	unsigned looks = 0;
	struct buf key;

	for (size_t i = 0; (provider = provider_at(i)) != NULL; i++) {
		buf_addf(&nearest->name, "provider %s", provider->name);
		offer(nearest);
	}
	buf_init(&key, ROUTE_NAME_BYTES_MAX + 20);
	for (; looks < LOOKS && next_configured(queue->conf, &configured, &key); looks++)
		offer_key(nearest, buf_span(&key));
	buf_fini(&key);
	looks = 0;
	for (uint32_t at = sched_destination_next(sched, SCHED_NONE);
	     at != SCHED_NONE && looks < LOOKS; at = sched_destination_next(sched, at)) {
		struct sched_destination known;

		sched_destination_get(sched, at, &known);
		if (known.rcpt_count == 0)
			continue;
		offer_key(nearest, known.key);
		looks++;
	}
}

/* best is to be freed. */
static void
nearest_to(const struct queue *queue, struct span words, struct nearest *nearest)
{
	*nearest = (struct nearest){.words = words, .rest = route_name_rest(words)};
	buf_init(&nearest->name, 2 * ROUTE_NAME_BYTES_MAX);
	buf_init(&nearest->best, 2 * ROUTE_NAME_BYTES_MAX);
	find_nearest(queue, nearest);
	buf_fini(&nearest->name);
}

void
names_send_none(struct queue *queue, struct ipc_qa_done *done, struct span selector)
{
	struct nearest nearest;
	struct buf words;

	buf_init(&words, 2 * ROUTE_NAME_BYTES_MAX);
	route_name_write_selector(&words, selector);
	nearest_to(queue, buf_span(&words), &nearest);
	done->nearest = span_first(buf_span(&nearest.best), IPC_NAME_MAX);
	ipc_qa_done_send(queue->admin, done);
	buf_fini(&nearest.best);
	buf_fini(&words);
}

void
names_send_not_suspended(struct queue *queue, struct ipc_qa_done *done, struct span words)
{
	struct nearest nearest = {.words = words, .rest = route_name_rest(words)};

	buf_init(&nearest.name, 2 * ROUTE_NAME_BYTES_MAX);
	buf_init(&nearest.best, 2 * ROUTE_NAME_BYTES_MAX);
	for (size_t i = 0; i < queue->suspensions.count; i++) {
		route_name_write_selector(
		    &nearest.name, span_str(queue->suspensions.rows[i].pattern));
		offer(&nearest);
	}
	done->nearest = span_first(buf_span(&nearest.best), IPC_NAME_MAX);
	ipc_qa_done_send(queue->admin, done);
	buf_fini(&nearest.name);
	buf_fini(&nearest.best);
}

static bool
is_visible(struct span words)
{
	for (size_t i = 0; i < words.len; i++)
		if ((unsigned char)words.ptr[i] < ' ' || words.ptr[i] == 0x7f)
			return false;
	return true;
}

static void
refuse(struct queue *queue, uint64_t query, struct span words)
{
	struct ipc_qa_done done = {.query = query};
	struct nearest nearest;
	struct buf text;

	nearest_to(queue, words, &nearest);
	buf_init(&text, IPC_LIMIT_MAX);
	if (is_visible(words))
		buf_addf(&text, "there is no destination \"%.*s\"",
		    SPAN_ARGS(span_first(words, ECHO_BYTES)));
	else
		buf_add_str(&text, "that is no name of a destination");
	if (nearest.best.len > 0)
		buf_addf(&text, "; did you mean \"%.*s\"?", SPAN_ARGS(buf_span(&nearest.best)));
	else
		buf_add_str(&text,
		    "; \"postrider queue summary\" has the names of those with mail, "
		    "\"postrider providers\" those of providers, and a domain without a dot is "
		    "\"domain NAME\"");
	done.problem = buf_span(&text);
	ipc_qa_done_send(queue->admin, &done);
	buf_fini(&text);
	buf_fini(&nearest.best);
}

bool
names_take(struct queue *queue, uint64_t query, struct span words, struct buf *selector)
{
	if (words.len == 0)
		return true;
	if (route_name_read(selector, words, queue->conf) && buf_finish(selector) == OK)
		return true;
	refuse(queue, query, words);
	return false;
}

/* The name of an MX host is printed too; who types it means all that this takes mail for. */
static void
prefer_site(const struct queue *queue, struct buf *selector)
{
	struct span name = buf_span(selector);
	char small[ROUTE_NAME_BYTES_MAX];

	if (span_find(name, ':') < name.len || name.len > sizeof(small) ||
	    names_waiting(queue, name) > 0)
		return;
	name = span_lower(small, name);
	if (sched_site_find(queue->sched, IPC_TARGET_REMOTE, name) == SCHED_NONE)
		return;
	buf_reset(selector);
	buf_addf(selector, "provider:%.*s", SPAN_ARGS(name));
}

bool
names_take_known(struct queue *queue, uint64_t query, struct span words, struct buf *selector)
{
	struct buf key;
	bool known;

	if (!names_take(queue, query, words, selector))
		return false;
	prefer_site(queue, selector);
	buf_init(&key, 2 * ROUTE_NAME_BYTES_MAX);
	known = route_name_is_open(buf_span(selector)) ||
	    names_configured(queue, buf_span(selector), &key) ||
	    names_waiting(queue, buf_span(selector)) > 0;
	buf_fini(&key);
	if (!known)
		refuse(queue, query, words);
	return known;
}
