/* What is added comes back, cleaned and cut; of too much the start and the end are kept. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "ipc/transcript.h"

enum { OUT_BYTES_MAX = 48 << 10 };

/* One step a line: "12 > text". */
static void
show(const struct transcript *transcript, struct buf *lines, size_t out_bytes_max)
{
	static const char signs[TRANSCRIPT_KIND_COUNT] = {'-', '>', '<', '~'};
	struct transcript_step step;
	struct reader reader;
	struct buf out;

	buf_init(&out, out_bytes_max);
	buf_init(lines, 1 << 20);
	transcript_write(transcript, &out);
	reader = reader_init(buf_span(&out));
	while (transcript_next(&reader, &step))
		buf_addf(lines, "%llu %c %.*s\n", (unsigned long long)step.ms,
		    signs[step.kind], SPAN_ARGS(step.text));
	assert_int_equal(reader_finish(&reader), OK);
	buf_add_char(lines, '\0');
	buf_fini(&out);
}

static void
assert_shows(const struct transcript *transcript, const char *wanted)
{
	struct buf lines;

	show(transcript, &lines, OUT_BYTES_MAX);
	assert_string_equal(lines.ptr, wanted);
	buf_fini(&lines);
}

static void
steps_come_back_in_order_with_their_times(void **state)
{
	struct transcript transcript;

	(void)state;
	transcript_init(&transcript, 16 << 10, 1000);
	transcript_fact(&transcript, 1000, "connecting to %s", "192.0.2.1");
	transcript_add(&transcript, TRANSCRIPT_GOT, SPAN("220 hello"), 1042);
	transcript_add(&transcript, TRANSCRIPT_SENT, SPAN("EHLO a"), 1042);
	/* A clock that is behind makes no step before the start. */
	transcript_add(&transcript, TRANSCRIPT_GOT, SPAN(""), 999);
	assert_shows(&transcript, "0 - connecting to 192.0.2.1\n42 < 220 hello\n"
	                          "42 > EHLO a\n0 < \n");
	transcript_fini(&transcript);
}

static void
control_characters_are_spelled(void **state)
{
	struct transcript transcript;

	(void)state;
	transcript_init(&transcript, 16 << 10, 0);
	transcript_add(&transcript, TRANSCRIPT_GOT, SPAN("250 a\x1b[2J\0b\x7f\r\xc3\xa9"), 1);
	assert_shows(&transcript, "1 < 250 a\\x1b[2J\\x00b\\x7f\\x0d\xc3\xa9\n");
	transcript_fini(&transcript);
}

static void
long_lines_are_cut_between_characters(void **state)
{
	char line[3 * TRANSCRIPT_LINE_MAX], wanted[2 * TRANSCRIPT_LINE_MAX];
	struct transcript transcript;
	struct buf lines;

	(void)state;
	transcript_init(&transcript, 16 << 10, 0);
	memset(line, 'x', sizeof(line));
	transcript_add(&transcript, TRANSCRIPT_GOT, span_of(line, TRANSCRIPT_LINE_MAX), 0);
	transcript_add(&transcript, TRANSCRIPT_GOT, span_of(line, TRANSCRIPT_LINE_MAX + 1), 0);
	/* The cut falls into a character of two bytes. */
	memcpy(line + TRANSCRIPT_LINE_MAX - 1, "\xc3\xa9", 2);
	transcript_add(&transcript, TRANSCRIPT_GOT, span_of(line, sizeof(line)), 0);
	show(&transcript, &lines, OUT_BYTES_MAX);
	memset(line, 'x', sizeof(line));
	snprintf(wanted, sizeof(wanted), "0 < %.*s\n", TRANSCRIPT_LINE_MAX, line);
	assert_memory_equal(lines.ptr, wanted, strlen(wanted));
	snprintf(wanted, sizeof(wanted), "\n0 < %.*s...\n", TRANSCRIPT_LINE_MAX, line);
	assert_non_null(strstr(lines.ptr, wanted));
	snprintf(wanted, sizeof(wanted), "\n0 < %.*s...\n", TRANSCRIPT_LINE_MAX - 1, line);
	assert_non_null(strstr(lines.ptr, wanted));
	buf_fini(&lines);
	transcript_fini(&transcript);
}

static void
of_too_much_the_start_and_the_end_are_kept(void **state)
{
	struct transcript transcript;
	unsigned gaps = 0, kept = 0;
	struct span rest, line;
	struct buf lines;
	size_t sign;

	(void)state;
	transcript_init(&transcript, 4096, 0);
	for (unsigned i = 0; i < 5000; i++)
		transcript_fact(&transcript, i, "step %u", i);
	assert_true(transcript.first.len <= 2048 && transcript.last.len <= 2048);
	show(&transcript, &lines, OUT_BYTES_MAX);
	assert_memory_equal(lines.ptr, "0 - step 0\n1 - step 1\n", 22);
	assert_non_null(strstr(lines.ptr, "\n4998 - step 4998\n4999 - step 4999\n"));
	rest = span_first(buf_span(&lines), lines.len - 1);
	while (span_cut(&rest, '\n', &line)) {
		uint64_t count = 0;

		sign = span_find(line, '~');
		if (line.len > 0 && sign == line.len)
			kept++;
		else if (line.len > 0 && span_u64(span_skip(line, sign + 2), 5000, &count))
			gaps += (unsigned)count;
	}
	/* Every step is there, or counted as left out. */
	assert_true(gaps > 0);
	assert_int_equal(gaps + kept, 5000);
	buf_fini(&lines);
	transcript_fini(&transcript);
}

static void
what_grows_by_cleaning_fits_all_the_same(void **state)
{
	char line[100];
	struct transcript transcript;
	struct buf lines;

	(void)state;
	memset(line, 1, sizeof(line));
	transcript_init(&transcript, 4096, 0);
	for (unsigned i = 0; i < 60; i++)
		transcript_add(&transcript, TRANSCRIPT_GOT, span_of(line, sizeof(line)), i);
	show(&transcript, &lines, 4096);
	assert_non_null(strstr(lines.ptr, " ~ "));
	buf_fini(&lines);
	transcript_fini(&transcript);
}

static void
without_room_nothing_is_kept(void **state)
{
	struct transcript transcript;

	(void)state;
	transcript_init(&transcript, 0, 0);
	transcript_add(&transcript, TRANSCRIPT_GOT, SPAN("220"), 1);
	transcript_fact(&transcript, 1, "x");
	assert_shows(&transcript, "");
	transcript_fini(&transcript);
}

static void
what_was_not_written_so_is_refused(void **state)
{
	static const struct span wrong[] = {SPAN("\x01"), SPAN("\x01\x04\x01x"),
	    SPAN("\x01\x00\x02x"), SPAN("\xff\xff\xff\xff\x1f\x00\x00")};

	(void)state;
	for (size_t i = 0; i < LEN(wrong); i++) {
		struct reader reader = reader_init(wrong[i]);
		struct transcript_step step;

		while (transcript_next(&reader, &step))
			;
		assert_int_equal(reader_finish(&reader), ERR_SYNTAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(steps_come_back_in_order_with_their_times),
	    cmocka_unit_test(control_characters_are_spelled),
	    cmocka_unit_test(long_lines_are_cut_between_characters),
	    cmocka_unit_test(of_too_much_the_start_and_the_end_are_kept),
	    cmocka_unit_test(what_grows_by_cleaning_fits_all_the_same),
	    cmocka_unit_test(without_room_nothing_is_kept),
	    cmocka_unit_test(what_was_not_written_so_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
