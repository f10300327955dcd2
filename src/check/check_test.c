#include "base/arena.h"
#include "check/test_check.h"

static void
every_finding_has_its_entry(void **state)
{
	const struct catalogue_topic *topic;
	size_t topics = 0;

	(void)state;
	for (int i = 0; i < FINDING_COUNT; i++)
		assert_string_equal(check_topic((enum finding)i)->key, check_key((enum finding)i));
	for (size_t i = 0; (topic = catalogue_topic_at(i)) != NULL; i++)
		topics += topic->kind == CATALOGUE_FINDING;
	assert_int_equal(topics, FINDING_COUNT);
}

static void
the_worst_is_the_verdict(void **state)
{
	struct check_report *report = check_report_create();

	(void)state;
	assert_int_equal(check_verdict(report), CHECK_GOOD);
	check_add(report, FINDING_GREETING_GOOD, SPAN("a"), WORD_COUNT, NULL);
	assert_int_equal(check_verdict(report), CHECK_GOOD);
	check_add(report, FINDING_PIPELINING_MISSING, SPAN("a"), WORD_COUNT, NULL);
	assert_int_equal(check_verdict(report), CHECK_INFO);
	check_add(report, FINDING_PORT_REFUSED, SPAN("a"), WORD_COUNT, NULL);
	check_add(report, FINDING_VRFY_LEAKS, SPAN("a"), WORD_COUNT, NULL);
	assert_int_equal(check_verdict(report), CHECK_ERROR);
	assert_int_equal(check_count(report, CHECK_WARNING), 1);
	assert_true(check_has(report, FINDING_VRFY_LEAKS));
	assert_false(check_has(report, FINDING_EXPN_LEAKS));
	check_report_destroy(report);
}

static void
the_same_is_said_once(void **state)
{
	struct check_report *report = check_report_create();
	const struct word_fields one = {.text = SPAN("x")}, two = {.text = SPAN("y")};

	(void)state;
	check_add(report, FINDING_SPF_MALFORMED, SPAN("a"), WORD_CHECK_FOUND, &one);
	check_add(report, FINDING_SPF_MALFORMED, SPAN("a"), WORD_CHECK_FOUND, &one);
	assert_int_equal(report->finding_count, 1);
	check_add(report, FINDING_SPF_MALFORMED, SPAN("a"), WORD_CHECK_FOUND, &two);
	check_add(report, FINDING_SPF_MALFORMED, SPAN("b"), WORD_CHECK_FOUND, &one);
	assert_int_equal(report->finding_count, 3);
	check_report_destroy(report);
}

static void
what_a_peer_said_is_cleaned_and_cut(void **state)
{
	struct check_report *report = check_report_create();
	struct span shown = SPAN("Found: a?[2Jb"), start = SPAN("Found: ");
	char text[1000];
	struct buf out;

	(void)state;
	buf_init(&out, 4000);
	check_add(report, FINDING_SPF_MALFORMED, SPAN("a\x1b[31m\r\n"), WORD_CHECK_FOUND,
	    &(struct word_fields){.text = SPAN("a\x1b[2Jb")});
	assert_string_equal(report->findings[0].subject, "a?[31m??");
	check_words_write(&out, NULL, &report->findings[0].fact);
	assert_true(span_eq(buf_span(&out), shown));

	for (size_t i = 0; i < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	check_add(report, FINDING_SPF_MALFORMED, SPAN("b"), WORD_CHECK_FOUND,
	    &(struct word_fields){.text = span_of(text, 999)});
	buf_reset(&out);
	check_words_write(&out, NULL, &report->findings[1].fact);
	assert_true(out.len <= start.len + CHECK_TEXT_BYTES_MAX + 3);
	assert_true(span_ends_nocase(buf_span(&out), SPAN("\xc3\xa4...")));
	buf_fini(&out);
	check_report_destroy(report);
}

static void
a_report_is_bounded(void **state)
{
	struct check_report *report = check_report_create();
	char subject[32];

	(void)state;
	for (int i = 0; i < CHECK_FINDINGS_MAX + 10; i++) {
		snprintf(subject, sizeof(subject), "%d", i);
		check_add(report, FINDING_PORT_REFUSED, span_str(subject), WORD_COUNT, NULL);
	}
	assert_int_equal(report->finding_count, CHECK_FINDINGS_MAX);
	for (int i = 0; i < CHECK_STEPS_MAX + 10; i++) {
		struct check_step step = {
		    .what = check_words_of(
			WORD_CHECK_ASKING, &(struct word_fields){.name = SPAN("x")}),
		    .result = check_words_of(WORD_CHECK_FINE, NULL)};

		check_step(report, SPAN("x"), &step);
	}
	assert_int_equal(report->step_count, CHECK_STEPS_MAX);
	check_report_destroy(report);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_finding_has_its_entry),
	    cmocka_unit_test(the_worst_is_the_verdict),
	    cmocka_unit_test(the_same_is_said_once),
	    cmocka_unit_test(what_a_peer_said_is_cleaned_and_cut),
	    cmocka_unit_test(a_report_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
