/*
 * Any bytes as a block, and any bytes as its entries: what is taken keeps its bounds, and entries
 * that are written again are read as the same.
 */
#include "base/check.h"
#include "ledger/ledger_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_bounds(const struct ledger_entry *entry)
{
	check(entry->rcpt_count <= LEDGER_RCPTS_MAX);
	for (uint32_t i = 0; i < entry->rcpt_count; i++) {
		check(entry->rcpts[i].address.len <= 2 * LEDGER_ADDRESS_MAX + 1);
		check(entry->rcpts[i].original.len <= 2 * LEDGER_ADDRESS_MAX + 1);
		check(entry->rcpts[i].mailbox.len <= LEDGER_ADDRESS_MAX);
	}
	check(entry->status.len <= LEDGER_STATUS_MAX);
	check(entry->host.len <= LEDGER_HOST_MAX);
	check(entry->text.len <= LEDGER_TEXT_MAX);
	check(entry->kind >= LEDGER_ACCEPTED && entry->kind < LEDGER_KIND_END);
}

/* Counts what can be read, and adds it to the builder if there is one. */
static size_t
read_all(struct span payload, struct ledger_builder *builder)
{
	struct ledger_parser *parser = ledger_parser_create();
	struct ledger_entry entry;
	size_t count = 0;

	ledger_parser_begin(parser, payload);
	while (ledger_parser_next(parser, &entry) == OK) {
		check_bounds(&entry);
		if (builder && entry.rcpt_count < 1000)
			ledger_builder_add(builder, &entry);
		count += entry.rcpt_count < 1000;
	}
	ledger_parser_destroy(parser);
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t seed[2] = {1, 2};
	struct ledger_builder *builder = ledger_builder_create(seed);
	struct span bytes = {(const char *)data, size}, filter;
	struct ledger_block_head head;
	struct ledger_file_head file;
	struct buf out;

	err_ignore(ledger_file_read(bytes, &file), "either way nothing more is read");
	if (size < 4096 && read_all(bytes, builder) > 0) {
		buf_init(&out, 64 << 20);
		ledger_builder_seal(builder, 0, 0, &out);
		ledger_block_place(&out, 1, 64, 0);
		check(ledger_block_read(buf_span(&out), 64, &head, &filter) == OK);
		check(read_all(span_first(span_skip(buf_span(&out),
					      LEDGER_HEADER_BYTES + head.filter_bytes),
				   head.payload_bytes),
			  NULL) == head.entry_count);
		buf_fini(&out);
	}
	if (ledger_block_read(bytes, 64, &head, &filter) == OK) {
		check(filter.len == head.filter_bytes);
		check(ledger_block_bytes(&head) <= (32 << 20));
	}
	ledger_builder_destroy(builder);
	return 0;
}
