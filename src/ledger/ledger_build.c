/*
 * Writing entries.  An entry is its kind, what its id and time differ by from the entry before
 * it, and the fields of its kind; ledger_parse.c reads the same fields in the same order.
 */
#include "ledger/ledger_layout.h"

#include "base/check.h"
#include "ledger/ledger_filter.h"
#include "spool/crc32c.h"

struct ledger_builder {
	struct ledger_words words;
	struct buf payload;
	uint8_t filter[LEDGER_FILTER_BYTES_MAX];
	uint64_t last_id, last_ms;
	uint64_t time_min, time_max, id_min, id_max;
	uint32_t count;
};

struct ledger_builder *
ledger_builder_create(const uint64_t seed[2])
{
	struct ledger_builder *builder = mem_alloc(sizeof(*builder));

	memcpy(builder->words.seed, seed, sizeof(builder->words.seed));
	buf_init(&builder->payload, LEDGER_PAYLOAD_BYTES_MAX);
	ledger_builder_reset(builder);
	return builder;
}

void
ledger_builder_destroy(struct ledger_builder *builder)
{
	if (!builder)
		return;
	buf_fini(&builder->payload);
	mem_free(builder);
}

void
ledger_builder_reset(struct ledger_builder *builder)
{
	ledger_words_reset(&builder->words);
	buf_reset(&builder->payload);
	memset(builder->filter, 0, sizeof(builder->filter));
	builder->last_id = builder->last_ms = 0;
	builder->time_min = builder->id_min = UINT64_MAX;
	builder->time_max = builder->id_max = 0;
	builder->count = 0;
}

uint32_t
ledger_builder_count(const struct ledger_builder *builder)
{
	return builder->count;
}

size_t
ledger_builder_bytes(const struct ledger_builder *builder)
{
	return builder->payload.len;
}

static void
number(struct ledger_builder *builder, uint64_t value)
{
	wire_var(&builder->payload, value);
}

static void
word(struct ledger_builder *builder, struct span text, size_t bytes_max)
{
	ledger_words_write(&builder->words, &builder->payload, span_first(text, bytes_max));
}

/* A difference of either sign: 0, -1, 1, -2, 2 are 0, 1, 2, 3, 4. */
static void
difference(struct ledger_builder *builder, uint64_t value, uint64_t *last)
{
	uint64_t by = value - *last;

	number(builder, by >> 63 ? ~by << 1 | 1 : by << 1);
	*last = value;
}

static void
set_filter_domain(struct ledger_builder *builder, struct span address)
{
	ledger_filter_set(builder->filter, sizeof(builder->filter),
	    ledger_filter_domain(ledger_domain(address)));
}

static bool
has_at(struct span text)
{
	return span_find(text, '@') < text.len;
}

/* The part before the last "@" and the part after it; without one, one part. */
static void
address(struct ledger_builder *builder, struct span text)
{
	size_t at = span_find_last(text, '@');

	word(builder, span_first(text, at), LEDGER_ADDRESS_MAX);
	if (at < text.len)
		word(builder, span_skip(text, at + 1), LEDGER_ADDRESS_MAX);
}

static void
add_rcpt(struct ledger_builder *builder, const struct ledger_rcpt *rcpt)
{
	bool rewritten = !span_eq(rcpt->address, rcpt->original);
	unsigned flags = 0;

	flags |= has_at(rcpt->address) ? RCPT_HAS_AT : 0;
	flags |= rewritten ? RCPT_REWRITTEN : 0;
	flags |= rewritten && has_at(rcpt->original) ? RCPT_ORIGINAL_HAS_AT : 0;
	flags |= rcpt->mailbox.len ? RCPT_HAS_MAILBOX : 0;
	number(builder, flags);
	address(builder, rcpt->address);
	set_filter_domain(builder, rcpt->address);
	if (flags & RCPT_REWRITTEN) {
		address(builder, rcpt->original);
		set_filter_domain(builder, rcpt->original);
	}
	if (flags & RCPT_HAS_MAILBOX)
		word(builder, rcpt->mailbox, LEDGER_ADDRESS_MAX);
}

static void
add_accepted(struct ledger_builder *builder, const struct ledger_entry *entry)
{
	unsigned at = has_at(entry->reverse_path) ? ACCEPTED_HAS_AT : 0;

	check(entry->rcpt_count <= LEDGER_RCPTS_MAX);
	number(builder, (unsigned)entry->flags << 1 | at);
	number(builder, entry->rcpt_count);
	number(builder, entry->body_bytes);
	address(builder, entry->reverse_path);
	word(builder, entry->client, LEDGER_ADDRESS_MAX);
	word(builder, entry->login, LEDGER_ADDRESS_MAX);
	for (uint32_t i = 0; i < entry->rcpt_count; i++)
		add_rcpt(builder, &entry->rcpts[i]);
}

static void
add_reply(struct ledger_builder *builder, const struct ledger_entry *entry)
{
	number(builder, entry->code <= CODE_MAX ? entry->code : 0);
	word(builder, entry->status, LEDGER_STATUS_MAX);
	word(builder, entry->host, LEDGER_HOST_MAX);
	word(builder, entry->text, LEDGER_TEXT_MAX);
}

void
ledger_builder_add(struct ledger_builder *builder, const struct ledger_entry *entry)
{
	wire_u8(&builder->payload, (uint8_t)entry->kind);
	difference(builder, entry->id, &builder->last_id);
	difference(builder, entry->wall_ms, &builder->last_ms);
	switch (entry->kind) {
	case LEDGER_ACCEPTED:
		add_accepted(builder, entry);
		break;
	case LEDGER_ENDED:
		check(entry->end >= LEDGER_DELIVERED && entry->end < LEDGER_END_END);
		number(builder, entry->index);
		number(builder, (unsigned)entry->end << 1 | entry->in_doubt);
		add_reply(builder, entry);
		if (entry->end == LEDGER_BOUNCED || entry->end == LEDGER_EXPIRED)
			number(builder, entry->bounce_id);
		break;
	case LEDGER_DEFERRED:
		number(builder, entry->index);
		number(builder, (uint64_t)entry->tries << 1 | entry->in_doubt);
		number(builder, entry->next_wall_ms > entry->wall_ms
				    ? entry->next_wall_ms - entry->wall_ms
				    : 0);
		add_reply(builder, entry);
		break;
	case LEDGER_HELD:
	case LEDGER_RELEASED:
	case LEDGER_ASIDE:
		word(builder, entry->text, LEDGER_TEXT_MAX);
		break;
	case LEDGER_REMOVED:
		number(builder, entry->flags);
		break;
	case LEDGER_KIND_END:
		check(false);
	}
	builder->count++;
	builder->time_min = entry->wall_ms < builder->time_min ? entry->wall_ms : builder->time_min;
	builder->time_max = entry->wall_ms > builder->time_max ? entry->wall_ms : builder->time_max;
	builder->id_min = entry->id < builder->id_min ? entry->id : builder->id_min;
	builder->id_max = entry->id > builder->id_max ? entry->id : builder->id_max;
	ledger_filter_set(
	    builder->filter, sizeof(builder->filter), ledger_filter_id(entry->id));
}

void
ledger_builder_seal(
    struct ledger_builder *builder, uint64_t from, uint64_t reached, struct buf *out)
{
	static const char zeros[LEDGER_ALIGN];
	size_t filter_bytes = ledger_filter_fold(
	    builder->filter, sizeof(builder->filter), LEDGER_FILTER_BYTES_MIN);
	size_t begin = out->len;

	check(builder->count > 0 && buf_finish(&builder->payload) == OK);
	buf_add(out, SPAN("PRlb"));
	wire_u32(out, 0);
	wire_u64(out, 0);
	wire_u64(out, from);
	wire_u64(out, reached);
	wire_u64(out, builder->time_min);
	wire_u64(out, builder->time_max);
	wire_u64(out, builder->id_min);
	wire_u64(out, builder->id_max);
	wire_u32(out, (uint32_t)filter_bytes);
	wire_u32(out, (uint32_t)builder->payload.len);
	wire_u32(out, crc32c(0, buf_span(&builder->payload)));
	wire_u32(out, builder->count);
	wire_u64(out, 0);
	wire_u64(out, 0);
	check(out->len - begin == LEDGER_HEADER_BYTES);
	buf_add(out, span_of((const char *)builder->filter, filter_bytes));
	buf_add(out, buf_span(&builder->payload));
	buf_add(out, span_of(zeros, (LEDGER_ALIGN - (out->len - begin) % LEDGER_ALIGN) %
					LEDGER_ALIGN));
}
