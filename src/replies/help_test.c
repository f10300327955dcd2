/* No refusal without a tag, no tag without a topic, no topic without a refusal. */
#include "replies/help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"
#include "replies/catalogue.h"
#include "replies/page.h"
#include "replies/reply.h"

static const char *const texts[REPLY_COUNT] = {
#define REPLY_ENUM(name, code, enhanced, text) [name] = text,
#include "replies/reply_list.h"
#undef REPLY_ENUM
};

/* What is said of a tag, as one text; the caller frees it. */
static struct buf
topic(struct span tag)
{
	struct buf text;

	buf_init(&text, HELP_BYTES_MAX);
	if (!help_add_topic(&text, tag))
		assert_int_equal(text.len, 0);
	return text;
}

static bool
explains(struct span tag)
{
	struct buf text = topic(tag);
	bool there = text.len > 0;

	buf_fini(&text);
	return there;
}

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
		if (!explains(tag)) {
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

/* Each line is a reply line as it is, and plain; there are few. */
static void
check_lines(struct buf *out, bool there)
{
	struct span text = buf_span(out), line;
	size_t count = 0;

	assert_true(there);
	assert_false(out->full);
	for (; span_cut(&text, '\n', &line); count++) {
		assert_in_range(line.len, 1, PAGE_WIDTH_MAX);
		for (size_t k = 0; k < line.len; k++)
			assert_in_range(line.ptr[k], ' ', '~');
	}
	assert_in_range(count, 1, HELP_LINES_MAX);
	buf_reset(out);
}

static void
texts_fit_into_reply_lines(void **state)
{
	const struct catalogue_entry *entry;
	struct buf text;

	(void)state;
	buf_init(&text, HELP_BYTES_MAX);
	for (size_t i = 0; help_tag_at(i).len > 0; i++)
		check_lines(&text, help_add_topic(&text, help_tag_at(i)));
	for (size_t i = 0; (entry = catalogue_at(i)) != NULL; i++)
		check_lines(&text, help_add_code(&text, span_str(entry->code)));
	buf_fini(&text);
}

/* One source says it: the catalogue. */
static void
topics_say_what_the_catalogue_says(void **state)
{
	(void)state;
	for (size_t i = 0; help_tag_at(i).len > 0; i++) {
		struct buf text = topic(help_tag_at(i));
		struct span keys = help_keys_at(i), key;

		while (span_cut(&keys, ' ', &key)) {
			const struct catalogue_entry *entry = catalogue_find(key);
			const struct catalogue_topic *known = catalogue_topic_find(key);
			struct span first, found;

			assert_true(entry || known);
			/* Up to where the first line may end. */
			first = span_first(
			    span_str(entry ? entry->meaning : known->meaning), 40);
			assert_true(span_seek(buf_span(&text), first, &found));
		}
		buf_fini(&text);
	}
}

static const char *
code(struct buf *text, const char *which)
{
	buf_reset(text);
	if (!help_add_code(text, span_str(which)))
		return "no";
	buf_add_char(text, '\0');
	return text->ptr;
}

static void
codes_are_explained(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, HELP_BYTES_MAX);
	assert_non_null(strstr(code(&text, "252"), "Neither yes nor no."));
	assert_non_null(strstr(code(&text, "5.7.1"), "5.7.1 "));
	assert_non_null(strstr(code(&text, "5.7.1"), "Administrator: "));
	/* By its digits. */
	assert_non_null(strstr(code(&text, "599"), "5xx "));
	assert_non_null(strstr(code(&text, "4.7.999"), "X.7.x "));
	assert_non_null(strstr(code(&text, "5xx"), "5xx "));
	assert_string_equal(code(&text, "999"), "no");
	assert_string_equal(code(&text, "25"), "no");
	assert_string_equal(code(&text, "5.7.1000000"), "no");
	assert_string_equal(code(&text, "STARTTLS"), "no");
	assert_string_equal(code(&text, "..."), "no");
	assert_string_equal(code(&text, ""), "no");
	buf_fini(&text);
}

static void
tags_are_found(void **state)
{
	(void)state;
	assert_true(explains(SPAN("LIMITS")));
	assert_false(explains(SPAN("limit")));
	assert_false(explains(SPAN("")));
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
	    cmocka_unit_test(texts_fit_into_reply_lines),
	    cmocka_unit_test(topics_say_what_the_catalogue_says),
	    cmocka_unit_test(codes_are_explained),
	    cmocka_unit_test(tags_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
