/*
 * Heads of files and blocks.  The checksum of a block's header covers its filter and its place
 * in the file; the payload has a checksum of its own, so that damage to it hides nothing else.
 */
#include "ledger/ledger_block.h"

#include "base/check.h"
#include "ledger/ledger_filter.h"
#include "spool/crc32c.h"

enum {
	CRC_AT = 4,
	SALT_AT = 8,
	DURABLE_AT = 80,
	FILE_CRC_AT = 12,
};

static const struct span file_magic = {"PRledgr\n", 8};

void
ledger_file_write(char bytes[LEDGER_FILE_BYTES], const struct ledger_file_head *head)
{
	memset(bytes, 0, LEDGER_FILE_BYTES);
	memcpy(bytes, file_magic.ptr, file_magic.len);
	wire_put_u32(bytes + 8, head->version);
	wire_put_u32(bytes + 16, head->flags);
	wire_put_u64(bytes + 24, head->number);
	wire_put_u64(bytes + 32, head->salt);
	wire_put_u64(bytes + 40, head->created_ms);
	wire_put_u64(bytes + 48, head->from);
	wire_put_u32(bytes + FILE_CRC_AT, crc32c(0, span_of(bytes, LEDGER_FILE_BYTES)));
}

enum err
ledger_file_read(struct span bytes, struct ledger_file_head *head)
{
	char copy[LEDGER_FILE_BYTES];

	if (bytes.len < LEDGER_FILE_BYTES || !span_starts(bytes, file_magic))
		return ERR_CORRUPT;
	memcpy(copy, bytes.ptr, sizeof(copy));
	wire_put_u32(copy + FILE_CRC_AT, 0);
	if (wire_get_u32(bytes.ptr + FILE_CRC_AT) != crc32c(0, span_of(copy, sizeof(copy))))
		return ERR_CORRUPT;
	*head = (struct ledger_file_head){
	    .version = wire_get_u32(bytes.ptr + 8),
	    .flags = wire_get_u32(bytes.ptr + 16),
	    .number = wire_get_u64(bytes.ptr + 24),
	    .salt = wire_get_u64(bytes.ptr + 32),
	    .created_ms = wire_get_u64(bytes.ptr + 40),
	    .from = wire_get_u64(bytes.ptr + 48),
	};
	return head->version > LEDGER_VERSION ? ERR_VERSION : OK;
}

uint64_t
ledger_block_bytes(const struct ledger_block_head *head)
{
	uint64_t bytes = (uint64_t)LEDGER_HEADER_BYTES + head->filter_bytes + head->payload_bytes;

	return (bytes + LEDGER_ALIGN - 1) / LEDGER_ALIGN * LEDGER_ALIGN;
}

/* Of the header after its checksum, and the filter; seeded with the place. */
static uint32_t
head_crc(struct span head_and_filter, uint64_t offset)
{
	char place[8];

	wire_put_u64(place, offset);
	return crc32c(crc32c(0, span_of(place, sizeof(place))),
	    span_skip(head_and_filter, SALT_AT));
}

static bool
is_power_of_two(uint32_t number)
{
	return number > 0 && (number & (number - 1)) == 0;
}

static bool
is_possible(const struct ledger_block_head *head)
{
	return is_power_of_two(head->filter_bytes) &&
	       head->filter_bytes >= LEDGER_FILTER_BYTES_MIN &&
	       head->filter_bytes <= LEDGER_FILTER_BYTES_MAX && head->payload_bytes > 0 &&
	       head->payload_bytes <= LEDGER_PAYLOAD_BYTES_MAX && head->entry_count > 0 &&
	       head->from <= head->reached;
}

enum err
ledger_block_read(
    struct span bytes, uint64_t offset, struct ledger_block_head *head, struct span *filter)
{
	const char *at = bytes.ptr;

	if (bytes.len < LEDGER_HEADER_BYTES)
		return ERR_AGAIN;
	if (memcmp(at, "PRlb", 4) != 0)
		return ERR_CORRUPT;
	*head = (struct ledger_block_head){
	    .salt = wire_get_u64(at + SALT_AT),
	    .from = wire_get_u64(at + 16),
	    .reached = wire_get_u64(at + 24),
	    .time_min = wire_get_u64(at + 32),
	    .time_max = wire_get_u64(at + 40),
	    .id_min = wire_get_u64(at + 48),
	    .id_max = wire_get_u64(at + 56),
	    .filter_bytes = wire_get_u32(at + 64),
	    .payload_bytes = wire_get_u32(at + 68),
	    .payload_crc = wire_get_u32(at + 72),
	    .entry_count = wire_get_u32(at + 76),
	    .durable = wire_get_u64(at + DURABLE_AT),
	};
	if (!is_possible(head))
		return ERR_CORRUPT;
	if (bytes.len < LEDGER_HEADER_BYTES + head->filter_bytes)
		return ERR_AGAIN;
	bytes = span_first(bytes, LEDGER_HEADER_BYTES + head->filter_bytes);
	if (wire_get_u32(at + CRC_AT) != head_crc(bytes, offset))
		return ERR_CORRUPT;
	*filter = span_skip(bytes, LEDGER_HEADER_BYTES);
	return OK;
}

bool
ledger_block_is_whole(const struct ledger_block_head *head, struct span payload)
{
	return payload.len == head->payload_bytes && crc32c(0, payload) == head->payload_crc;
}

bool
ledger_block_may_hold_id(
    const struct ledger_block_head *head, struct span filter, uint64_t id)
{
	return id >= head->id_min && id <= head->id_max &&
	       ledger_filter_has(
		   (const uint8_t *)filter.ptr, filter.len, ledger_filter_id(id));
}

bool
ledger_block_may_hold_domain(
    const struct ledger_block_head *head, struct span filter, struct span domain)
{
	(void)head;
	return ledger_filter_has(
	    (const uint8_t *)filter.ptr, filter.len, ledger_filter_domain(domain));
}

struct span
ledger_domain(struct span address)
{
	size_t at = span_find_last(address, '@');

	return at < address.len ? span_skip(address, at + 1) : SPAN("");
}

void
ledger_block_place(struct buf *block, uint64_t salt, uint64_t offset, uint64_t durable)
{
	size_t filter_bytes;

	check(block->len >= LEDGER_HEADER_BYTES);
	filter_bytes = wire_get_u32(block->ptr + 64);
	wire_put_u64(block->ptr + SALT_AT, salt);
	wire_put_u64(block->ptr + DURABLE_AT, durable);
	wire_put_u32(block->ptr + CRC_AT,
	    head_crc(span_first(buf_span(block), LEDGER_HEADER_BYTES + filter_bytes), offset));
}
