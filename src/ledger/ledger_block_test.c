/* Entries come back from a block as they were added; what is damaged or cut off is refused. */
#include "ledger/ledger_block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"

enum { BLOCK_BYTES_MAX = 1 << 20, AT = 4096, SALT = 77 };

static const struct ledger_rcpt two_rcpts[] = {
    {SPAN("bob@example.org"), SPAN("bob@example.org"), SPAN("bob")},
    {SPAN("carol@example.net"), SPAN("team@example.org"), SPAN("")},
};
static const struct ledger_rcpt odd_rcpts[] = {
    {SPAN("postmaster"), SPAN("\"a@b\"@Example.NET"), SPAN("")},
    {SPAN("x@"), SPAN("x@"), SPAN("")},
};

static const struct ledger_entry entries[] = {
    {.kind = LEDGER_ACCEPTED,
	.id = 1ull << 40 | 5,
	.wall_ms = 1795000000000,
	.reverse_path = SPAN("ann@example.org"),
	.client = SPAN("192.0.2.1"),
	.login = SPAN("ann"),
	.body_bytes = 12345,
	.rcpts = two_rcpts,
	.rcpt_count = 2},
    {.kind = LEDGER_ACCEPTED,
	.id = 3,
	.wall_ms = 1795000000100,
	.reverse_path = SPAN(""),
	.flags = LEDGER_IS_BOUNCE | LEDGER_ADOPTED,
	.rcpts = odd_rcpts,
	.rcpt_count = 2},
    {.kind = LEDGER_DEFERRED,
	.id = UINT64_MAX,
	.wall_ms = 1794999999999,
	.index = 1,
	.in_doubt = true,
	.tries = UINT32_MAX,
	.next_wall_ms = 1795000600000,
	.code = 451,
	.status = SPAN("4.3.0"),
	.host = SPAN("mx.example.net[192.0.2.9]:25"),
	.text = SPAN("come again\nlater")},
    {.kind = LEDGER_ENDED,
	.id = 1ull << 40 | 5,
	.wall_ms = 1795000000200,
	.end = LEDGER_RELAYED,
	.code = 250,
	.status = SPAN("2.0.0"),
	.host = SPAN("mx.example.net[192.0.2.9]:25"),
	.text = SPAN("ok")},
    {.kind = LEDGER_ENDED,
	.id = 1ull << 40 | 5,
	.wall_ms = 1795000000200,
	.index = 1,
	.end = LEDGER_BOUNCED,
	.in_doubt = true,
	.code = 550,
	.host = SPAN("mx.example.net[192.0.2.9]:25"),
	.bounce_id = 99},
    {.kind = LEDGER_HELD, .id = 3, .wall_ms = 1, .text = SPAN("root")},
    {.kind = LEDGER_RELEASED, .id = 3, .wall_ms = 2, .text = SPAN("root")},
    {.kind = LEDGER_ASIDE, .id = 3, .wall_ms = 3, .text = SPAN("three crashes")},
    {.kind = LEDGER_REMOVED, .id = 3, .wall_ms = 4, .flags = LEDGER_ADOPTED},
};

static void
assert_same(const struct ledger_entry *a, const struct ledger_entry *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_true(a->id == b->id && a->wall_ms == b->wall_ms);
	assert_true(span_eq(a->reverse_path, b->reverse_path));
	assert_true(span_eq(a->client, b->client));
	assert_true(span_eq(a->login, b->login));
	assert_true(a->body_bytes == b->body_bytes);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->rcpt_count, b->rcpt_count);
	for (uint32_t i = 0; i < a->rcpt_count; i++) {
		assert_true(span_eq(a->rcpts[i].address, b->rcpts[i].address));
		assert_true(span_eq(a->rcpts[i].original, b->rcpts[i].original));
		assert_true(span_eq(a->rcpts[i].mailbox, b->rcpts[i].mailbox));
	}
	assert_int_equal(a->index, b->index);
	assert_int_equal(a->end, b->end);
	assert_int_equal(a->in_doubt, b->in_doubt);
	assert_true(a->tries == b->tries && a->next_wall_ms == b->next_wall_ms);
	assert_int_equal(a->code, b->code);
	assert_true(span_eq(a->status, b->status));
	assert_true(span_eq(a->host, b->host));
	assert_true(span_eq(a->text, b->text));
	assert_true(a->bounce_id == b->bounce_id);
}

/* A block of all entries, in its place. */
static void
make(struct buf *out)
{
	static const uint64_t seed[2] = {1, 2};
	struct ledger_builder *builder = ledger_builder_create(seed);

	buf_init(out, BLOCK_BYTES_MAX);
	for (size_t i = 0; i < LEN(entries); i++)
		ledger_builder_add(builder, &entries[i]);
	assert_int_equal(ledger_builder_count(builder), LEN(entries));
	ledger_builder_seal(builder, 10, 20, out);
	ledger_builder_destroy(builder);
	ledger_block_place(out, SALT, AT, 5);
	assert_int_equal(out->len % LEDGER_ALIGN, 0);
}

static struct span
payload_of(const struct buf *block, const struct ledger_block_head *head)
{
	return span_first(
	    span_skip(buf_span(block), LEDGER_HEADER_BYTES + head->filter_bytes),
	    head->payload_bytes);
}

static void
entries_come_back(void **state)
{
	struct ledger_parser *parser = ledger_parser_create();
	struct ledger_block_head head;
	struct ledger_entry entry;
	struct span filter;
	struct buf block;

	(void)state;
	make(&block);
	assert_int_equal(ledger_block_read(buf_span(&block), AT, &head, &filter), OK);
	assert_int_equal(ledger_block_bytes(&head), block.len);
	assert_true(head.salt == SALT && head.from == 10 && head.reached == 20);
	assert_true(head.durable == 5);
	assert_true(head.time_min == 1 && head.time_max == 1795000000200);
	assert_true(head.id_min == 3 && head.id_max == UINT64_MAX);
	assert_int_equal(head.entry_count, LEN(entries));
	assert_true(ledger_block_is_whole(&head, payload_of(&block, &head)));
	ledger_parser_begin(parser, payload_of(&block, &head));
	for (size_t i = 0; i < LEN(entries); i++) {
		assert_int_equal(ledger_parser_next(parser, &entry), OK);
		assert_same(&entry, &entries[i]);
	}
	assert_int_equal(ledger_parser_next(parser, &entry), ERR_END);
	ledger_parser_destroy(parser);
	buf_fini(&block);
}

static void
the_filter_knows_ids_and_domains(void **state)
{
	struct ledger_block_head head;
	struct span filter;
	struct buf block;
	unsigned wrong = 0;

	(void)state;
	make(&block);
	assert_int_equal(ledger_block_read(buf_span(&block), AT, &head, &filter), OK);
	for (size_t i = 0; i < LEN(entries); i++)
		assert_true(ledger_block_may_hold_id(&head, filter, entries[i].id));
	assert_true(ledger_block_may_hold_domain(&head, filter, SPAN("EXAMPLE.org")));
	assert_true(ledger_block_may_hold_domain(&head, filter, SPAN("example.net")));
	for (uint64_t id = 1000; id < 2000; id++)
		wrong += ledger_block_may_hold_id(&head, filter, id);
	assert_true(wrong < 200);
	buf_fini(&block);
}

static void
a_block_that_is_changed_is_noticed(void **state)
{
	struct ledger_block_head head;
	struct span filter;
	struct buf block;

	(void)state;
	make(&block);
	assert_int_equal(ledger_block_read(buf_span(&block), AT, &head, &filter), OK);
	for (size_t i = 0; i < LEDGER_HEADER_BYTES + head.filter_bytes + head.payload_bytes;
	     i++) {
		struct ledger_block_head again;
		enum err err;

		block.ptr[i] = (char)(block.ptr[i] ^ 0x10);
		err = ledger_block_read(buf_span(&block), AT, &again, &filter);
		if (err == OK)
			assert_false(
			    ledger_block_is_whole(&again, payload_of(&block, &again)));
		if (i < LEDGER_HEADER_BYTES + head.filter_bytes)
			assert_int_not_equal(err, OK);
		block.ptr[i] = (char)(block.ptr[i] ^ 0x10);
	}
	assert_int_equal(
	    ledger_block_read(buf_span(&block), AT + LEDGER_ALIGN, &head, &filter),
	    ERR_CORRUPT);
	for (size_t len = 0; len < LEDGER_HEADER_BYTES + LEDGER_FILTER_BYTES_MIN; len++)
		assert_int_equal(ledger_block_read(span_first(buf_span(&block), len), AT,
				     &head, &filter),
		    ERR_AGAIN);
	buf_fini(&block);
}

static void
entries_that_are_cut_off_are_refused(void **state)
{
	struct ledger_parser *parser = ledger_parser_create();
	struct ledger_block_head head;
	struct span filter, payload;
	struct buf block;

	(void)state;
	make(&block);
	assert_int_equal(ledger_block_read(buf_span(&block), AT, &head, &filter), OK);
	payload = payload_of(&block, &head);
	for (size_t len = 0; len < payload.len; len++) {
		struct ledger_entry entry;
		size_t count = 0;
		enum err err;

		ledger_parser_begin(parser, span_first(payload, len));
		while ((err = ledger_parser_next(parser, &entry)) == OK)
			assert_same(&entry, &entries[count++]);
		assert_true(count < LEN(entries));
		assert_true(err == ERR_SYNTAX || err == ERR_END);
	}
	ledger_parser_destroy(parser);
	buf_fini(&block);
}

static void
an_ordinary_message_takes_less_than_a_hundred_bytes(void **state)
{
	static const uint64_t seed[2] = {1, 2};
	struct ledger_builder *builder = ledger_builder_create(seed);
	char local[32], text[64];
	struct ledger_rcpt rcpt = {.mailbox = SPAN("")};
	struct ledger_entry accepted = {.kind = LEDGER_ACCEPTED,
	    .client = SPAN("192.0.2.10"),
	    .body_bytes = 4321,
	    .rcpts = &rcpt,
	    .rcpt_count = 1};
	struct ledger_entry ended = {.kind = LEDGER_ENDED,
	    .end = LEDGER_RELAYED,
	    .code = 250,
	    .status = SPAN("2.0.0"),
	    .host = SPAN("mx1.example.net[192.0.2.77]:25")};
	struct buf block;
	unsigned count = 0;

	(void)state;
	for (; ledger_builder_bytes(builder) < LEDGER_BLOCK_BYTES; count++) {
		(void)snprintf(local, sizeof(local), "person.%u@domain%u.example", count,
		    count % 50);
		(void)snprintf(text, sizeof(text), "Ok: queued as 4Qz%08xABC", count * 77);
		accepted.id = (1ull << 40) + count;
		accepted.wall_ms = 1795000000000 + count * 3;
		accepted.reverse_path = SPAN("newsletter@example.org");
		rcpt.address = rcpt.original = span_str(local);
		ledger_builder_add(builder, &accepted);
		ended.id = accepted.id - (count > 20 ? 20 : 0);
		ended.wall_ms = accepted.wall_ms + 40;
		ended.text = span_str(text);
		ledger_builder_add(builder, &ended);
	}
	buf_init(&block, BLOCK_BYTES_MAX);
	ledger_builder_seal(builder, 1, 2, &block);
	print_message("%zu bytes a message\n", block.len / count);
	assert_true(block.len / count <= 100);
	buf_fini(&block);
	ledger_builder_destroy(builder);
}

static void
heads_of_files_come_back(void **state)
{
	const struct ledger_file_head head = {.version = LEDGER_VERSION,
	    .flags = LEDGER_BEGAN_ANEW,
	    .number = 7,
	    .salt = 8,
	    .created_ms = 9,
	    .from = 10};
	struct ledger_file_head again;
	char bytes[LEDGER_FILE_BYTES];

	(void)state;
	ledger_file_write(bytes, &head);
	assert_int_equal(ledger_file_read(span_of(bytes, sizeof(bytes)), &again), OK);
	assert_memory_equal(&head, &again, sizeof(head));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] ^= 1;
		assert_int_equal(
		    ledger_file_read(span_of(bytes, sizeof(bytes)), &again), ERR_CORRUPT);
		bytes[i] ^= 1;
	}
	again.version = LEDGER_VERSION + 1;
	ledger_file_write(bytes, &again);
	assert_int_equal(
	    ledger_file_read(span_of(bytes, sizeof(bytes)), &again), ERR_VERSION);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entries_come_back),
	    cmocka_unit_test(the_filter_knows_ids_and_domains),
	    cmocka_unit_test(a_block_that_is_changed_is_noticed),
	    cmocka_unit_test(entries_that_are_cut_off_are_refused),
	    cmocka_unit_test(an_ordinary_message_takes_less_than_a_hundred_bytes),
	    cmocka_unit_test(heads_of_files_come_back),
	};

	return cmocka_run_group_tests_name("ledger_block", tests, NULL, NULL);
}
