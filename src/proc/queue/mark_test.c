/* Marks come back as they were written; whatever else is refused. */
#include "proc/queue/mark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"

enum { BYTES_MAX = 64 << 10 };

static const struct mark marks[] = {
    {.kind = MARK_ENDED,
	.wall_ms = 1795000000000,
	.index = 3,
	.end = END_RELAYED,
	.in_doubt = true,
	.code = 250,
	.status = SPAN("2.0.0"),
	.remote = SPAN("mx.example.net[192.0.2.1]"),
	.text = SPAN("queued as \0 7")},
    {.kind = MARK_ENDED, .end = END_EXPIRED, .code = 451, .bounce_id = UINT64_MAX},
    {.kind = MARK_ENDED, .end = END_DELETED, .text = SPAN("uid 0: spam")},
    {.kind = MARK_DEFERRED,
	.wall_ms = UINT64_MAX,
	.index = UINT32_MAX,
	.in_doubt = true,
	.tries = UINT32_MAX,
	.next_wall_ms = UINT64_MAX,
	.code = MARK_CODE_MAX,
	.status = SPAN("4.999.999999999"),
	.text = SPAN("later")},
    {.kind = MARK_HELD, .wall_ms = 1, .text = SPAN("uid 1000")},
    {.kind = MARK_RELEASED, .wall_ms = 2},
    {.kind = MARK_BEGUN, .wall_ms = 3, .index = 1, .tries = 2},
    {.kind = MARK_SUCCEEDED,
	.wall_ms = 5,
	.index = 2,
	.in_doubt = true,
	.code = 250,
	.status = SPAN("2.0.0"),
	.remote = SPAN("mx.example.net[192.0.2.1]"),
	.text = SPAN("queued")},
    {.kind = MARK_TOLD, .wall_ms = 6, .told = 3},
    {.kind = MARK_ASIDE, .wall_ms = 4, .text = SPAN("its handler died 3 times")},
    {.kind = MARK_REROUTED, .wall_ms = 5, .index = 2, .text = SPAN("via:relay.example:25")},
};

static void
assert_same(const struct mark *a, const struct mark *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_true(a->wall_ms == b->wall_ms);
	assert_true(a->index == b->index);
	assert_int_equal(a->end, b->end);
	assert_int_equal(a->in_doubt, b->in_doubt);
	assert_true(a->tries == b->tries);
	assert_true(a->next_wall_ms == b->next_wall_ms);
	assert_int_equal(a->code, b->code);
	assert_true(span_eq(a->status, b->status));
	assert_true(span_eq(a->remote, b->remote));
	assert_true(span_eq(a->text, b->text));
	assert_true(a->bounce_id == b->bounce_id);
	assert_true(a->told == b->told);
}

static void
marks_come_back_one_after_the_other(void **state)
{
	struct reader reader;
	struct mark mark;
	struct buf out;

	(void)state;
	buf_init(&out, BYTES_MAX);
	for (size_t i = 0; i < LEN(marks); i++)
		mark_write(&out, &marks[i]);
	assert_int_equal(buf_finish(&out), OK);
	reader = reader_init(buf_span(&out));
	for (size_t i = 0; i < LEN(marks); i++) {
		assert_true(mark_read(&reader, &mark));
		assert_same(&mark, &marks[i]);
	}
	assert_int_equal(reader_finish(&reader), OK);
	assert_false(mark_read(&reader, &mark));
	assert_true(reader.failed);
	buf_fini(&out);
}

static void
a_mark_that_is_cut_off_is_refused(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, BYTES_MAX);
	for (size_t i = 0; i < LEN(marks); i++) {
		buf_reset(&out);
		mark_write(&out, &marks[i]);
		for (size_t len = 0; len < out.len; len++) {
			struct reader reader = reader_init(span_first(buf_span(&out), len));
			struct mark mark;

			assert_false(mark_read(&reader, &mark));
			assert_true(reader.failed);
		}
	}
	buf_fini(&out);
}

static void
what_is_too_long_is_cut(void **state)
{
	static const char many[2 * MARK_BYTES_MAX];
	struct span bytes = span_of(many, sizeof(many));
	struct mark mark = {.kind = MARK_ENDED,
	    .wall_ms = UINT64_MAX,
	    .index = UINT32_MAX,
	    .end = END_BOUNCED,
	    .in_doubt = true,
	    .code = MARK_CODE_MAX + 1,
	    .status = bytes,
	    .remote = bytes,
	    .text = bytes,
	    .bounce_id = UINT64_MAX};
	struct mark read;
	struct reader reader;
	struct buf out;

	(void)state;
	buf_init(&out, MARK_BYTES_MAX);
	mark_write(&out, &mark);
	assert_int_equal(buf_finish(&out), OK);
	reader = reader_init(buf_span(&out));
	assert_true(mark_read(&reader, &read));
	assert_int_equal(read.code, 0);
	assert_int_equal(read.status.len, MARK_STATUS_MAX);
	assert_int_equal(read.remote.len, MARK_REMOTE_MAX);
	assert_int_equal(read.text.len, MARK_TEXT_MAX);
	buf_reset(&out);
	mark.kind = MARK_DEFERRED;
	mark.tries = UINT32_MAX;
	mark.next_wall_ms = UINT64_MAX;
	mark_write(&out, &mark);
	assert_int_equal(buf_finish(&out), OK);
	buf_fini(&out);
}

static void
what_is_no_mark_is_refused(void **state)
{
	static const struct {
		const char *name;
		struct span wire;
	} cases[] = {
	    {"kind 0", SPAN("\0\1")},
	    {"a kind of the first format", SPAN("\1\0\0\0\0")},
	    {"a kind that there is not yet", SPAN("\x16\1\1\1\1\1\1\1")},
	    {"an end of no kind", SPAN("\x10\1\0\0\0\0\0\0\0\0")},
	    {"an end that there is not yet", SPAN("\x10\1\0\x08\0\0\0\0\0\0")},
	    {"a flag of 2", SPAN("\x10\1\0\1\2\0\0\0\0\0")},
	    {"a code over the maximum", SPAN("\x10\1\0\1\0\xe8\7\0\0\0\0")},
	    {"a number in two spellings", SPAN("\x13\x81\0\0")},
	    {"an index over 32 bits", SPAN("\x14\1\x80\x80\x80\x80\x10\0")},
	    {"a status over its maximum",
		SPAN("\x10\1\0\1\0\0\x10"
		     "4.999.9999999999\0\0\0")},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct reader reader = reader_init(cases[i].wire);
		struct mark mark;

		if (mark_read(&reader, &mark))
			fail_msg("%s is taken as a mark", cases[i].name);
		assert_true(reader.failed);
	}
}

static void
ends_have_names(void **state)
{
	(void)state;
	assert_string_equal(end_name(END_DELIVERED), "delivered");
	assert_string_equal(end_name(END_DELETED), "deleted");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(marks_come_back_one_after_the_other),
	    cmocka_unit_test(a_mark_that_is_cut_off_is_refused),
	    cmocka_unit_test(what_is_too_long_is_cut),
	    cmocka_unit_test(what_is_no_mark_is_refused),
	    cmocka_unit_test(ends_have_names),
	};

	return cmocka_run_group_tests_name("mark", tests, NULL, NULL);
}
