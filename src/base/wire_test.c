/* Wire numbers: one spelling for each value, and faults that stick. */
#include "base/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"

static void
write_one_of_each(struct buf *buf)
{
	wire_u8(buf, 0xfe);
	wire_u16(buf, 0x0102);
	wire_u32(buf, 0xfffefdfc);
	wire_u64(buf, 0x8877665544332211);
	wire_bytes(buf, SPAN("ab\0c"));
	wire_bytes(buf, SPAN(""));
}

static void
bytes_are_little_endian(void **state)
{
	static const uint8_t expected[] = {0xfe, 2, 1, 0xfc, 0xfd, 0xfe, 0xff, 0x11, 0x22,
	    0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 4, 0, 0, 0, 'a', 'b', 0, 'c', 0, 0, 0, 0};
	struct buf buf;

	(void)state;
	buf_init(&buf, 256);
	write_one_of_each(&buf);
	assert_int_equal(buf.len, sizeof(expected));
	assert_memory_equal(buf.ptr, expected, sizeof(expected));
	buf_fini(&buf);
}

/* Reads what write_one_of_each wrote. */
static enum err
read_one_of_each(struct span wire)
{
	struct reader reader = reader_init(wire);
	bool right = reader_u8(&reader) == 0xfe;

	right &= reader_u16(&reader) == 0x0102;
	right &= reader_u32(&reader) == 0xfffefdfc;
	right &= reader_u64(&reader) == 0x8877665544332211;
	right &= span_eq(reader_bytes(&reader, 4), SPAN("ab\0c"));
	right &= reader_bytes(&reader, 0).len == 0;
	assert_true(right || reader.failed);
	return reader_finish(&reader);
}

static void
only_the_whole_is_right(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 256);
	write_one_of_each(&buf);
	assert_int_equal(read_one_of_each(buf_span(&buf)), OK);
	for (size_t len = 0; len < buf.len; len++)
		assert_int_equal(
		    read_one_of_each(span_first(buf_span(&buf), len)), ERR_SYNTAX);
	wire_u8(&buf, 0);
	assert_int_equal(read_one_of_each(buf_span(&buf)), ERR_SYNTAX);
	buf_fini(&buf);
}

static void
after_a_fault_every_read_gives_nothing(void **state)
{
	struct reader reader = reader_init(SPAN("\1\2\3"));

	(void)state;
	assert_int_equal(reader_u32(&reader), 0);
	assert_true(reader.failed);
	assert_int_equal(reader_u8(&reader), 0);
	assert_int_equal(reader_u16(&reader), 0);
	assert_true(reader_u64(&reader) == 0);
	assert_int_equal(reader_raw(&reader, 1).len, 0);
	assert_int_equal(reader_bytes(&reader, 10).len, 0);
	assert_int_equal(reader_finish(&reader), ERR_SYNTAX);
}

static void
lengths_are_held_against_both_bounds(void **state)
{
	static const struct {
		struct span wire;
		size_t bytes_max;
		bool ok;
	} rows[] = {
	    {SPAN("\3\0\0\0abc"), 3, true},
	    {SPAN("\3\0\0\0abc"), 2, false},
	    {SPAN("\4\0\0\0abc"), 99, false},
	    {SPAN("\xff\xff\xff\xff"
		  "abc"),
		SIZE_MAX, false},
	    {SPAN("\0\0\0\0"), 0, true},
	    {SPAN("\0\0\0"), 99, false},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct reader reader = reader_init(rows[i].wire);
		struct span bytes = reader_bytes(&reader, rows[i].bytes_max);

		assert_int_equal(reader_finish(&reader), rows[i].ok ? OK : ERR_SYNTAX);
		assert_int_equal(bytes.len, rows[i].ok ? rows[i].wire.len - 4 : 0);
	}
}

static void
numbers_in_memory_are_as_on_the_wire(void **state)
{
	char bytes[8];

	(void)state;
	wire_put_u32(bytes, 0x80000001);
	assert_memory_equal(bytes, "\1\0\0\x80", 4);
	assert_true(wire_get_u32(bytes) == 0x80000001);
	wire_put_u64(bytes, 0x8000000000000001);
	assert_memory_equal(bytes, "\1\0\0\0\0\0\0\x80", 8);
	assert_true(wire_get_u64(bytes) == 0x8000000000000001);
}

static void
variable_numbers_have_one_spelling(void **state)
{
	static const struct {
		uint64_t value;
		struct span wire;
	} cases[] = {
	    {0, SPAN("\0")},
	    {127, SPAN("\x7f")},
	    {128, SPAN("\x80\x01")},
	    {300, SPAN("\xac\x02")},
	    {16384, SPAN("\x80\x80\x01")},
	    {UINT64_MAX >> 1, SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\x7f")},
	    {UINT64_MAX, SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
	};
	struct buf buf;

	(void)state;
	buf_init(&buf, 256);
	for (size_t i = 0; i < LEN(cases); i++) {
		struct reader reader = reader_init(cases[i].wire);

		buf_reset(&buf);
		wire_var(&buf, cases[i].value);
		assert_true(span_eq(buf_span(&buf), cases[i].wire));
		assert_true(reader_var(&reader, UINT64_MAX) == cases[i].value);
		assert_int_equal(reader_finish(&reader), OK);
		/* One byte less is a fault, and so is a smaller maximum. */
		reader = reader_init(span_first(cases[i].wire, cases[i].wire.len - 1));
		assert_int_equal(reader_var(&reader, UINT64_MAX), 0);
		assert_true(reader.failed);
		reader = reader_init(cases[i].wire);
		if (cases[i].value > 0) {
			assert_int_equal(reader_var(&reader, cases[i].value - 1), 0);
			assert_true(reader.failed);
		}
	}
	buf_fini(&buf);
}

static void
variable_numbers_of_another_spelling_are_faults(void **state)
{
	static const struct span cases[] = {
	    SPAN("\x80\0"), /* 0, in two bytes */
	    SPAN("\xff\x80\0"),
	    SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), /* 65 bits */
	    SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct reader reader = reader_init(cases[i]);

		assert_true(reader_var(&reader, UINT64_MAX) == 0);
		assert_true(reader.failed);
	}
}

static void
variable_bytes_are_held_against_both_bounds(void **state)
{
	struct reader reader = reader_init(SPAN("\3abc"));

	(void)state;
	assert_true(span_eq(reader_var_bytes(&reader, 3), SPAN("abc")));
	assert_int_equal(reader_finish(&reader), OK);
	reader = reader_init(SPAN("\3abc"));
	assert_int_equal(reader_var_bytes(&reader, 2).len, 0);
	assert_true(reader.failed);
	reader = reader_init(SPAN("\4abc"));
	assert_int_equal(reader_var_bytes(&reader, 10).len, 0);
	assert_true(reader.failed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_are_little_endian),
	    cmocka_unit_test(only_the_whole_is_right),
	    cmocka_unit_test(after_a_fault_every_read_gives_nothing),
	    cmocka_unit_test(lengths_are_held_against_both_bounds),
	    cmocka_unit_test(numbers_in_memory_are_as_on_the_wire),
	    cmocka_unit_test(variable_numbers_have_one_spelling),
	    cmocka_unit_test(variable_numbers_of_another_spelling_are_faults),
	    cmocka_unit_test(variable_bytes_are_held_against_both_bounds),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
