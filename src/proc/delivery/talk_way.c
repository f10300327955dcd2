/*
 * Which way an attempt goes: on a connection that is kept, behind what another one is at, or on one
 * that is made for it.
 */
#include "proc/delivery/delivery_internal.h"

#include <stdio.h>

#include "base/check.h"
#include "base/sim_point.h"

struct key {
	size_t len;
	char bytes[TALK_KEY_BYTES_MAX];
};

static void
key_add(struct key *key, const void *bytes, size_t count)
{
	check(count <= sizeof(key->bytes) - key->len);
	if (count > 0)
		memcpy(key->bytes + key->len, bytes, count);
	key->len += count;
}

/*
 * The way that an attempt goes: where it comes from, and by which name; SMTP or LMTP, address,
 * port, mode of TLS, the credential, and the host's name, which is asked for by SNI, and verified.
 */
static struct key
key_of(const struct attempt *attempt, const struct attempt_addr *to)
{
	const struct attempt_source *from = &attempt->source;
	const uint16_t port = attempt_port(attempt);
	const uint8_t head[4] = {to->addr.family, (uint8_t)to->tls,
	    (uint8_t)attempt->credential.len, attempt->lmtp};
	struct key key = {.len = 0};

	check(attempt->credential.len <= UINT8_MAX);
	key_add(&key, head, sizeof(head));
	key_add(&key, to->addr.bytes, 16);
	key_add(&key, &port, sizeof(port));
	key_add(&key, attempt->credential.ptr, attempt->credential.len);
	key_add(&key, &from->addr.family, sizeof(from->addr.family));
	key_add(&key, from->addr.bytes, 16);
	key_add(&key, from->helo.ptr, from->helo.len);
	key_add(&key, to->host.ptr, to->host.len);
	if (attempt_tls_is_for_domain(to))
		key_add(&key, attempt->domain.ptr, attempt->domain.len);
	return key;
}

/*
 * Among servers that are as good as the one at hand, one that a connection to is free or has room
 * comes first, where that one has none; of the same family, for which the source is chosen.
 */
static void
prefer_room(struct attempt *attempt)
{
	const struct pool *pool = &attempt->delivery->pool;
	const size_t first = attempt->addr_index;
	const struct attempt_addr was = attempt->addrs[first];

	if (pool->room_count == 0 || attempt->want.alone)
		return;
	for (size_t i = first; i < attempt->addr_count; i++) {
		const struct attempt_addr *to = &attempt->addrs[i];
		struct key key;
		const struct pool_way *way;

		if (to->preference != was.preference || to->addr.family != was.addr.family)
			continue;
		key = key_of(attempt, to);
		way = pool_find(pool, span_of(key.bytes, key.len));
		if (!way || (list_empty(&way->kept) && list_empty(&way->rooms)))
			continue;
		attempt->addrs[first] = *to;
		attempt->addrs[i] = was;
		return;
	}
}

static struct pool_way *
way_of(struct attempt *attempt)
{
	const struct key key = key_of(attempt, &attempt->addrs[attempt->addr_index]);

	return pool_way(&attempt->delivery->pool, span_of(key.bytes, key.len));
}

static void
go_on_with(struct attempt *attempt, struct talk *talk)
{
	talk_have(talk, attempt);
	recorder_address(attempt, "on a kept connection to ", attempt_port(attempt));
	recorder_source(attempt);
	if (talk->tls)
		recorder_fact(attempt, "TLS: ", buf_span(&attempt->tls_text));
	talk_mail(talk);
}

void
talk_serve(struct delivery *delivery, struct pool_way *way)
{
	struct pool_entry *entry;
	struct pool_want *want;
	enum pool_by by;

	while ((want = pool_next(&delivery->pool, way, &by, &entry)) != NULL) {
		struct attempt *attempt = container_of(want, struct attempt, want);
		struct talk *talk = entry ? container_of(entry, struct talk, entry) : NULL;

		if (by == POOL_KEPT) {
			go_on_with(attempt, talk);
		} else if (by == POOL_NEW) {
			talk_connect(attempt, way);
		} else if (!talk_go_behind(talk, attempt)) {
			pool_room(&delivery->pool, entry);
			pool_unsend(way, want);
		}
	}
}

/* True: the address let time run out for other mail just now, and nobody waits for it again. */
static bool
is_silent(struct attempt *attempt, const struct pool_way *way)
{
	struct delivery *delivery = attempt->delivery;
	const struct net_addr to = attempt_to(attempt, attempt->addr_index);
	uint64_t ms = health_wait_ms(&delivery->health, &to, io_now_ms(delivery->env->io));
	char text[120];

	if (ms == 0 || way->open > 0)
		return false;
	snprintf(text, sizeof(text),
	    "it did not answer in time to earlier mail, and is tried again in %llu s",
	    (unsigned long long)(ms + 999) / 1000);
	attempt_fail(attempt, IPC_DEFERRED, 0, "4.4.1", text);
	attempt->failure.host_level = attempt->failure.down = true;
	return true;
}

void
talk_start(struct attempt *attempt)
{
	struct pool_way *way;

	if (!attempt_choose_source(attempt)) {
		attempt_finish(attempt);
		return;
	}
	prefer_room(attempt);
	way = way_of(attempt);
	attempt->state = ATTEMPT_CONNECTING;
	if (is_silent(attempt, way)) {
		SIM_MARK("delivery.silent_address");
		attempt_next(attempt);
		return;
	}
	if (attempt->without_kept || attempt->without_tls) {
		talk_connect(attempt, way);
		return;
	}
	attempt->want.site = attempt->site;
	attempt->want.site_max = attempt->connections_max;
	pool_queue(way, &attempt->want);
	talk_serve(attempt->delivery, way);
}

void
talk_fail_queued(struct talk *talk)
{
	struct pool_way *way = talk->entry.way;
	const struct attempt *failed = talk->attempt;
	struct pool_want *want;

	if (way->open > 0 || failed->failure.outcome != IPC_DEFERRED)
		return;
	while ((want = pool_first(way)) != NULL) {
		struct attempt *attempt = container_of(want, struct attempt, want);

		attempt_fail_as(attempt, failed);
		attempt_next(attempt);
	}
}
