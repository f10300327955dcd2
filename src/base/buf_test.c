/* Buffers: what fits exactly is taken, what does not leaves all as it was. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"

static void
assert_holds(const struct buf *buf, const char *text)
{
	assert_int_equal(buf->len, strlen(text));
	assert_memory_equal(buf_span(buf).ptr, text, strlen(text));
}

static void
additions_are_joined(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 4096);
	assert_int_equal(buf_span(&buf).len, 0);
	assert_non_null(buf_span(&buf).ptr);
	buf_add(&buf, SPAN("one"));
	buf_add_char(&buf, ' ');
	buf_add_str(&buf, "two");
	buf_add_u64(&buf, 0);
	buf_add_u64(&buf, UINT64_MAX);
	buf_addf(&buf, "-%s-%d", "x", -5);
	buf_addf(&buf, "%s", "");
	assert_holds(&buf, "one two018446744073709551615-x--5");
	assert_int_equal(buf_finish(&buf), OK);
	buf_fini(&buf);
	buf_fini(NULL);
}

static void
room_is_given_and_bounded(void **state)
{
	struct buf buf;
	char *into;

	(void)state;
	buf_init(&buf, 8);
	assert_null(buf_room(&buf, 0));
	buf_add(&buf, SPAN("one"));
	into = buf_room(&buf, 5);
	assert_non_null(into);
	memcpy(into, " two!", 5);
	assert_holds(&buf, "one");
	buf.len += 4;
	assert_holds(&buf, "one two");
	assert_null(buf_room(&buf, 2));
	assert_int_equal(buf_finish(&buf), ERR_TOO_LONG);
	buf_fini(&buf);
}

static void
add_word(struct buf *buf)
{
	buf_add(buf, SPAN("word"));
}

static void
addf_word(struct buf *buf)
{
	buf_addf(buf, "%s", "word");
}

static void
addf_nothing_then_word(struct buf *buf)
{
	buf_addf(buf, "%s", "");
	buf_add_u64(buf, 2025);
}

static void
what_fits_exactly_is_taken(void **state)
{
	static void (*const adds[])(struct buf * buf) = {
	    add_word, addf_word, addf_nothing_then_word};

	(void)state;
	for (size_t i = 0; i < LEN(adds); i++) {
		struct buf buf;

		buf_init(&buf, 4);
		adds[i](&buf);
		assert_int_equal(buf_finish(&buf), OK);
		assert_int_equal(buf.len, 4);
		assert_int_equal(buf_space(&buf), 0);
		buf_fini(&buf);

		buf_init(&buf, 3);
		adds[i](&buf);
		assert_int_equal(buf_finish(&buf), ERR_TOO_LONG);
		assert_int_equal(buf.len, 0);
		buf_fini(&buf);
	}
}

static void
fullness_sticks_until_reset(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 8);
	buf_add_str(&buf, "12345");
	buf_add_str(&buf, "6789");
	buf_add_str(&buf, "x");
	assert_holds(&buf, "12345");
	assert_int_equal(buf_finish(&buf), ERR_TOO_LONG);
	buf_reset(&buf);
	assert_int_equal(buf_finish(&buf), OK);
	buf_add_str(&buf, "12345678");
	assert_holds(&buf, "12345678");
	assert_int_equal(buf_finish(&buf), OK);
	buf_fini(&buf);
	assert_int_equal(buf.bytes_max, 8);
	assert_int_equal(buf.room, 0);
}

static void
consuming_keeps_the_rest(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 8);
	buf_add_str(&buf, "12345678");
	buf_consume(&buf, 0);
	buf_consume(&buf, 5);
	assert_holds(&buf, "678");
	buf_add_str(&buf, "abcde");
	assert_holds(&buf, "678abcde");
	buf_consume(&buf, 8);
	assert_holds(&buf, "");
	assert_int_equal(buf_finish(&buf), OK);
	buf_fini(&buf);
}

static void
growth_keeps_every_byte_and_stays_below_the_maximum(void **state)
{
	enum { BYTES = 10000 };
	struct buf buf;

	(void)state;
	buf_init(&buf, BYTES);
	for (int i = 0; i < BYTES; i++) {
		buf_add_char(&buf, (char)(i * 7));
		assert_true(buf.room <= BYTES);
	}
	assert_int_equal(buf_finish(&buf), OK);
	for (int i = 0; i < BYTES; i++)
		assert_int_equal(buf.ptr[i], (char)(i * 7));
	buf_add_char(&buf, 'x');
	assert_int_equal(buf_finish(&buf), ERR_TOO_LONG);
	assert_int_equal(buf.len, BYTES);
	buf_fini(&buf);
}

static void
a_buffer_of_no_bytes_takes_only_nothing(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 0);
	buf_add_str(&buf, "");
	buf_addf(&buf, "%s", "");
	assert_int_equal(buf_finish(&buf), OK);
	buf_add_char(&buf, 'x');
	assert_int_equal(buf_finish(&buf), ERR_TOO_LONG);
	buf_fini(&buf);
}

/* What is consumed or reset is gone from the memory, which the buffer still has. */
static void
a_secret_buffer_wipes(void **state)
{
	struct buf buf;

	(void)state;
	buf_init_secret(&buf, 1000);
	buf_add_str(&buf, "password, and more");
	buf_consume(&buf, 10);
	assert_memory_equal(buf.ptr, "and more\0\0\0\0\0\0\0\0\0\0", 18);
	for (int i = 0; i < 100; i++)
		buf_add_str(&buf, "12345");
	assert_memory_equal(buf.ptr, "and more12345", 13);
	assert_int_equal(buf_finish(&buf), OK);
	buf_reset(&buf);
	for (size_t i = 0; i < 508; i++)
		assert_int_equal(buf.ptr[i], 0);
	buf_add_str(&buf, "x");
	buf_fini(&buf);
	assert_true(buf.secret);
	assert_null(buf.ptr);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(additions_are_joined),
	    cmocka_unit_test(room_is_given_and_bounded),
	    cmocka_unit_test(what_fits_exactly_is_taken),
	    cmocka_unit_test(fullness_sticks_until_reset),
	    cmocka_unit_test(consuming_keeps_the_rest),
	    cmocka_unit_test(growth_keeps_every_byte_and_stays_below_the_maximum),
	    cmocka_unit_test(a_buffer_of_no_bytes_takes_only_nothing),
	    cmocka_unit_test(a_secret_buffer_wipes),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
