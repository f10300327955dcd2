#include "replies/topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"

static void
each_topic_is_a_page(void **state)
{
	const struct topic *topic;

	(void)state;
	for (size_t i = 0; (topic = topic_at(i)) != NULL; i++) {
		struct buf out;
		struct span rest, line;
		size_t lines = 0;

		assert_ptr_equal(topic_find(span_str(topic->tag)), topic);
		assert_true(reply_code(topic->reply) >= 400);
		buf_init(&out, 4096);
		topic_write(&out, topic);
		assert_int_equal(buf_finish(&out), OK);
		assert_true(span_starts(buf_span(&out), span_str(topic->tag)));
		rest = buf_span(&out);
		while (span_cut(&rest, '\n', &line)) {
			assert_true(line.len > 0);
			assert_true(lines++ == 0 || line.len <= 76);
		}
		assert_true(lines >= 3);
		buf_fini(&out);
	}
	assert_true(topic_find(SPAN("RELAY")) == topic_at(0));
	assert_null(topic_find(SPAN("")));
	assert_null(topic_find(SPAN("relays")));
}

/* A tag that a refusal shows is a topic. */
static void
what_is_shown_is_there(void **state)
{
	size_t shown = 0;

	(void)state;
	for (enum reply_id id = 0; id < REPLY_COUNT; id++) {
		struct buf out;
		const char *at;

		buf_init(&out, 1024);
		reply_text(&out, &(struct reply){.id = id});
		buf_add_char(&out, '\0');
		at = strstr(out.ptr, "(HELP ");
		if (at) {
			size_t bytes = strcspn(at + 6, ")");

			assert_non_null(topic_find(span_of(at + 6, bytes)));
			assert_string_equal(at + 6 + bytes, ")");
			shown++;
		}
		buf_fini(&out);
	}
	assert_true(shown >= 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_topic_is_a_page),
	    cmocka_unit_test(what_is_shown_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
