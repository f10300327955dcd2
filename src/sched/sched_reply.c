/* Replies by their content, counted by who holds them. */
#include "sched/sched_internal.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"

/* Beyond what has been used for texts, so much may go to replies without one. */
enum { SHORT_BYTES_MAX = 1 << 20, OVERHEAD_BYTES = sizeof(struct reply) + 16 + 8 };

static struct reply *
reply_at(const struct sched *sched, uint32_t reply)
{
	return sched_pool_at(&sched->replies, reply - 1);
}

static struct sched_reply
content(const struct reply *reply)
{
	return (struct sched_reply){
	    .code = reply->code,
	    .status = span_of(reply->bytes, reply->status_bytes),
	    .remote = span_of(reply->bytes + reply->status_bytes, reply->remote_bytes),
	    .text = span_of(reply->bytes + reply->status_bytes + reply->remote_bytes,
	        reply->text_bytes),
	};
}

static uint32_t
hash_of(const struct sched *sched, const struct sched_reply *reply)
{
	uint64_t parts = map_hash(sched->options.seed, reply->text) * 3 +
	    map_hash(sched->options.seed, reply->remote);

	return sched_index_mix(parts, map_hash(sched->options.seed, reply->status), reply->code);
}

static uint32_t
reply_hash(const void *owner, uint32_t slot)
{
	return reply_at(owner, slot + 1)->hash;
}

static bool
is_reply(const void *owner, uint32_t slot, const void *wanted)
{
	const struct sched_reply *reply = wanted;
	const struct sched_reply kept = content(reply_at(owner, slot + 1));

	return kept.code == reply->code && span_eq(kept.status, reply->status) &&
	    span_eq(kept.remote, reply->remote) && span_eq(kept.text, reply->text);
}

void
sched_reply_init(struct sched *sched)
{
	sched_pool_init(&sched->replies, sizeof(struct reply));
	sched_index_init(&sched->reply_index, sched, reply_hash);
}

void
sched_reply_fini(struct sched *sched)
{
	for (uint32_t at = 0; at < sched_pool_end(&sched->replies); at++)
		if (sched_pool_has_slot(&sched->replies, at))
			mem_free(reply_at(sched, at + 1)->bytes);
	sched_pool_fini(&sched->replies);
	sched_index_fini(&sched->reply_index);
}

static size_t
cost_of(const struct sched_reply *reply)
{
	return OVERHEAD_BYTES + reply->status.len + reply->remote.len + reply->text.len;
}

static char *
append(char *at, struct span bytes)
{
	if (bytes.len)
		memcpy(at, bytes.ptr, bytes.len);
	return at + bytes.len;
}

static uint32_t
add(struct sched *sched, uint32_t hash, const struct sched_reply *from)
{
	uint32_t at = sched_pool_take(&sched->replies) + 1;
	struct reply *reply = reply_at(sched, at);
	size_t bytes = from->status.len + from->remote.len + from->text.len;
	char *end;

	*reply = (struct reply){
	    .bytes = mem_alloc(bytes),
	    .hash = hash,
	    .holds = 1,
	    .code = (uint16_t)from->code,
	    .status_bytes = (uint8_t)from->status.len,
	    .remote_bytes = (uint16_t)from->remote.len,
	    .text_bytes = (uint16_t)from->text.len,
	};
	end = append(append(append(reply->bytes, from->status), from->remote), from->text);
	check(end == reply->bytes + bytes);
	sched->reply_bytes += cost_of(from);
	sched_index_add(&sched->reply_index, at - 1);
	return at;
}

/* One that is there already, or that there is room for up to so many bytes in all. */
static uint32_t
keep(struct sched *sched, const struct sched_reply *reply, size_t bytes_max)
{
	uint32_t hash = hash_of(sched, reply);
	uint32_t slot = sched_index_find(&sched->reply_index, hash, is_reply, reply);

	if (slot != POOL_NONE) {
		sched_reply_hold(sched, slot + 1);
		return slot + 1;
	}
	if (sched->reply_bytes + cost_of(reply) > bytes_max)
		return 0;
	return add(sched, hash, reply);
}

uint32_t
sched_reply_keep(struct sched *sched, const struct sched_reply *reply)
{
	const size_t bytes_max = sched->options.reply_bytes_max;
	struct sched_reply cut = {
	    .code = reply->code <= UINT16_MAX ? reply->code : 0,
	    .status = span_first(reply->status, SCHED_REPLY_STATUS_MAX),
	    .remote = span_first(reply->remote, SCHED_REPLY_REMOTE_MAX),
	    .text = span_first(reply->text, SCHED_REPLY_TEXT_MAX),
	};
	uint32_t kept;

	if (cut.code == 0 && cut.status.len + cut.remote.len + cut.text.len == 0)
		return 0;
	kept = keep(sched, &cut, bytes_max);
	if (kept)
		return kept;
	cut.text = cut.remote = span_of("", 0);
	return keep(sched, &cut, bytes_max + SHORT_BYTES_MAX);
}

void
sched_reply_hold(struct sched *sched, uint32_t reply)
{
	if (reply == 0)
		return;
	check(reply_at(sched, reply)->holds > 0 && reply_at(sched, reply)->holds < UINT32_MAX);
	reply_at(sched, reply)->holds++;
}

void
sched_reply_drop(struct sched *sched, uint32_t at)
{
	struct reply *reply;
	struct sched_reply was;

	if (at == 0)
		return;
	reply = reply_at(sched, at);
	check(reply->holds > 0);
	if (--reply->holds > 0)
		return;
	was = content(reply);
	check(sched->reply_bytes >= cost_of(&was));
	sched->reply_bytes -= cost_of(&was);
	sched_index_remove(&sched->reply_index, at - 1);
	mem_free(reply->bytes);
	sched_pool_give(&sched->replies, at - 1);
}

struct sched_reply
sched_reply_get(const struct sched *sched, uint32_t reply)
{
	if (reply == 0)
		return (struct sched_reply){
		    .status = SPAN(""), .remote = SPAN(""), .text = SPAN("")};
	return content(reply_at(sched, reply));
}

size_t
sched_reply_bytes(const struct sched *sched)
{
	return sched->reply_bytes;
}
