/* No refusal without a tag, no tag without a topic, no topic without a refusal. */
#include "replies/help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"
#include "replies/reply.h"

static const char *const texts[REPLY_COUNT] = {
#define REPLY_ENUM(name, code, enhanced, text) [name] = text,
#include "replies/reply_list.h"
#undef REPLY_ENUM
};

static void
each_refusal_has_a_topic(void **state)
{
	unsigned missing = 0;

	(void)state;
	for (enum reply_id id = 0; id < REPLY_COUNT; id++) {
		struct span tag = help_tag_of(span_str(texts[id]));

		if (reply_code(id) < 400) {
			assert_int_equal(tag.len, 0);
			continue;
		}
		if (tag.len == 0 || help_text(tag).len == 0) {
			missing++;
			print_error("no \"(HELP topic)\" of help_list.h: %u %s\n", reply_code(id),
			    texts[id]);
		}
	}
	assert_int_equal(missing, 0);
}

static bool
is_used(struct span tag)
{
	for (enum reply_id id = 0; id < REPLY_COUNT; id++)
		if (span_eq(help_tag_of(span_str(texts[id])), tag))
			return true;
	return false;
}

static void
each_topic_is_of_a_refusal(void **state)
{
	struct span last = SPAN("");

	(void)state;
	for (size_t i = 0; help_tag_at(i).len > 0; i++) {
		struct span tag = help_tag_at(i);

		if (!is_used(tag))
			fail_msg("nothing is refused with \"(HELP %.*s)\"", SPAN_ARGS(tag));
		/* In order, so that each is there once and HELP lists them readably. */
		assert_true(span_compare(last, tag) < 0);
		last = tag;
	}
}

/* Each line is a reply line as it is, and plain. */
static void
topics_fit_into_reply_lines(void **state)
{
	(void)state;
	for (size_t i = 0; help_tag_at(i).len > 0; i++) {
		struct span text = help_text(help_tag_at(i)), line;

		while (span_cut(&text, '\n', &line)) {
			assert_in_range(line.len, 10, 140);
			for (size_t k = 0; k < line.len; k++)
				assert_in_range(line.ptr[k], ' ', '~');
		}
	}
}

static void
tags_are_found(void **state)
{
	(void)state;
	assert_true(help_text(SPAN("LIMITS")).len > 0);
	assert_int_equal(help_text(SPAN("limit")).len, 0);
	assert_int_equal(help_text(SPAN("")).len, 0);
	assert_true(span_eq(help_tag_of(SPAN("No (HELP loop)")), SPAN("loop")));
	assert_int_equal(help_tag_of(SPAN("(HELP loop)")).len, 0);
	assert_int_equal(help_tag_of(SPAN("No (HELP loop) more")).len, 0);
	assert_int_equal(help_tag_of(SPAN("No (loop)")).len, 0);
	assert_int_equal(help_tag_of(SPAN(")")).len, 0);
	assert_int_equal(help_tag_of(SPAN("")).len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_refusal_has_a_topic),
	    cmocka_unit_test(each_topic_is_of_a_refusal),
	    cmocka_unit_test(topics_fit_into_reply_lines),
	    cmocka_unit_test(tags_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
