/* One field is taken out of a header. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "mime/header_cut.h"

static const struct {
	const char *message, *stays, *value;
	unsigned count;
} rows[] = {
    {"From: a\r\nPool: news\r\nTo: b\r\n\r\nPool: text\r\n",
	"From: a\r\nTo: b\r\n\r\nPool: text\r\n", "news", 1},
    {"pOOL:news\r\n\r\n", "\r\n", "news", 1},
    {"Pool \t : \t news \r\n\r\n", "\r\n", "news", 1},
    {"Pool:\r\n news\r\n\tand more\r\nTo: b\r\n\r\n", "To: b\r\n\r\n", "news\tand more", 1},
    {"Pool:\r\n\r\n", "\r\n", "", 1},
    {"Pool: a\r\nPool: b\r\n\r\n", "\r\n", "a b", 2},
    /* Others that begin or end like it, and lines that go on. */
    {"Pools: a\r\nPoo: b\r\nXPool: c\r\nPo ol: d\r\n\r\n",
	"Pools: a\r\nPoo: b\r\nXPool: c\r\nPo ol: d\r\n\r\n", "", 0},
    {"To: b\r\n Pool: c\r\n\r\n", "To: b\r\n Pool: c\r\n\r\n", "", 0},
    {" Pool: c\r\n\r\n", " Pool: c\r\n\r\n", "", 0},
    /* Without a body, without an end, or where there is no header. */
    {"To: b\r\nPool: c", "To: b\r\n", "c", 1},
    {"To: b\r\nPool", "To: b\r\nPool", "", 0},
    {"", "", "", 0},
    {"\r\nPool: c\r\n", "\r\nPool: c\r\n", "", 0},
    {"no field here\r\nPool: c\r\n", "no field here\r\nPool: c\r\n", "", 0},
    {"Gr\xc3\xbc\xc3\x9f: c\r\nPool: c\r\n", "Gr\xc3\xbc\xc3\x9f: c\r\nPool: c\r\n", "", 0},
    {"Pool\r\nPool: c\r\n", "Pool\r\nPool: c\r\n", "", 0},
    /* A line feed alone, or CR, ends nothing. */
    {"Pool: a\nTo: b\r\nCc: c\r\n\r\n", "Cc: c\r\n\r\n", "aTo: b", 1},
    {"To: a\rPool: b\r\n\r\n", "To: a\rPool: b\r\n\r\n", "", 0},
};

/* Gives the field's value, as it is known then. */
static struct span
run(struct header_cut *cut, struct span message, size_t piece_bytes, struct buf *out)
{
	*cut = header_cut_init(SPAN("Pool"));
	while (message.len > 0) {
		struct span piece = span_first(message, piece_bytes);

		buf_add(out, span_skip(piece, header_cut_take(cut, piece, out)));
		message = span_skip(message, piece.len);
	}
	header_cut_finish(cut, out);
	assert_int_equal(buf_finish(out), OK);
	return header_cut_value(cut);
}

static void
the_field_goes_and_all_else_stays(void **state)
{
	struct header_cut cut;
	struct buf out;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct span message = span_str(rows[i].message);

		for (size_t piece = 1; piece <= message.len + 1; piece++) {
			struct span value;

			buf_init(&out, 1000);
			value = run(&cut, message, piece, &out);
			if (!span_eq(buf_span(&out), span_str(rows[i].stays)) ||
			    !span_eq(value, span_str(rows[i].value)))
				fail_msg("row %zu in pieces of %zu: \"%.*s\", \"%.*s\"", i, piece,
				    SPAN_ARGS(buf_span(&out)), SPAN_ARGS(value));
			assert_int_equal(cut.count, rows[i].count);
			assert_false(cut.value_is_cut);
			buf_fini(&out);
		}
	}
}

static void
what_is_long_is_bounded(void **state)
{
	char message[600];
	struct header_cut cut;
	struct buf out;

	(void)state;
	memset(message, ' ', sizeof(message));
	memcpy(message, "Pool:", 5);
	message[300] = 'x';
	buf_init(&out, 1000);
	assert_true(span_eq(run(&cut, span_of(message, 500), 7, &out), SPAN("x")));
	assert_false(cut.value_is_cut);
	memset(message + 300, 'x', 200);
	assert_int_equal(run(&cut, span_of(message, 500), 7, &out).len, HEADER_CUT_VALUE_MAX);
	assert_true(cut.value_is_cut);
	assert_int_equal(out.len, 0);
	/* More blanks before the colon than anybody writes: it is left alone. */
	memset(message, ' ', sizeof(message));
	memcpy(message, "Pool", 4);
	memcpy(message + 400, ":x\r\n", 4);
	assert_int_equal(run(&cut, span_of(message, 404), 7, &out).len, 0);
	assert_int_equal(out.len, 404);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_field_goes_and_all_else_stays),
	    cmocka_unit_test(what_is_long_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
