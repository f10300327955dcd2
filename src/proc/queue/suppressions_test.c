#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/check.h"
#include "proc/queue/suppressions.h"

static const uint64_t seed[2] = {1, 2};

static enum err
add(struct suppressions *is, const char *sender, const char *address, uint64_t until_wall_ms)
{
	return suppressions_add(is, &(struct suppression_told){.since_wall_ms = 5,
	    .until_wall_ms = until_wall_ms,
	    .code = 550,
	    .sender = span_str(sender),
	    .address = span_str(address),
	    .who = SPAN("mx.far.example"),
	    .reply = SPAN("5.1.1 No such\r\nuser")});
}

static bool
has(const struct suppressions *is, const char *sender, const char *address, uint64_t now_wall_ms)
{
	return suppressions_find(is, span_str(sender), span_str(address), now_wall_ms) != NULL;
}

static void
each_domain_of_senders_has_its_own(void **state)
{
	struct suppressions is;

	(void)state;
	suppressions_init(&is, seed);
	assert_int_equal(add(&is, "home.example", "Ann@Far.example", 0), OK);
	assert_int_equal(add(&is, "*", "bob@far.example", 100), OK);
	assert_true(has(&is, "HOME.example", "ann@far.EXAMPLE", 50));
	assert_false(has(&is, "other.example", "ann@far.example", 50));
	assert_true(has(&is, "other.example", "bob@far.example", 99));
	assert_false(has(&is, "other.example", "bob@far.example", 100));
	assert_false(has(&is, "", "ann@far.example", 50));
	/* The same again takes its place. */
	assert_int_equal(add(&is, "*", "bob@far.example", 200), OK);
	assert_int_equal(is.count, 2);
	assert_true(has(&is, "other.example", "bob@far.example", 199));
	assert_int_equal(suppressions_expire(&is, 200, 10), 1);
	assert_true(suppressions_remove(&is, SPAN("home.example"), SPAN("ANN@far.example")));
	assert_false(suppressions_remove(&is, SPAN("home.example"), SPAN("ann@far.example")));
	assert_int_equal(is.count, 0);
	suppressions_fini(&is);
}

static void
what_is_no_address_is_refused(void **state)
{
	static const char *const wrong[] = {"", "ann", "@far.example", "ann@", "a\tb@far.example"};
	struct suppressions is;

	(void)state;
	suppressions_init(&is, seed);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(add(&is, "home.example", wrong[i], 0), ERR_SYNTAX);
	assert_int_equal(add(&is, "", "ann@far.example", 0), ERR_SYNTAX);
	assert_int_equal(add(&is, "a\nb", "ann@far.example", 0), ERR_SYNTAX);
	suppressions_fini(&is);
}

/* What was written is read, in pieces too; a torn end is left out, and so is what is over. */
static void
the_file_is_read_as_it_was_written(void **state)
{
	struct suppressions is, again;
	struct span text;
	struct buf out;

	(void)state;
	suppressions_init(&is, seed);
	assert_int_equal(add(&is, "home.example", "ann@far.example", 0), OK);
	buf_init(&out, 10000);
	suppressions_write(&is, &out, true);
	assert_int_equal(is.unwritten, 0);
	assert_int_equal(add(&is, "home.example", "bob@far.example", 100), OK);
	assert_int_equal(add(&is, "*", "eve@far.example", 10), OK);
	suppressions_write(&is, &out, false);
	text = buf_span(&out);
	for (size_t cut = 0; cut <= text.len; cut++) {
		enum err err;

		suppressions_init(&again, seed);
		err = suppressions_read(&again, span_first(text, cut), 20);
		assert_int_equal(err, cut < 25 ? ERR_SYNTAX : OK);
		assert_true(again.count <= 2);
		if (cut == text.len) {
			const struct suppression *row = suppressions_find(
			    &again, SPAN("home.example"), SPAN("ann@far.example"), 20);

			assert_int_equal(again.count, 2);
			assert_non_null(row);
			assert_int_equal(row->code, 550);
			assert_true(span_eq(row->reply, SPAN("5.1.1 No such  user")));
			assert_true(span_eq(row->who, SPAN("mx.far.example")));
		}
		suppressions_fini(&again);
	}
	buf_fini(&out);
	suppressions_fini(&is);
}

static void
there_are_only_so_many(void **state)
{
	struct suppressions is;
	char address[40];

	(void)state;
	suppressions_init(&is, seed);
	for (unsigned i = 0; i < SUPPRESSIONS_MAX + 5; i++) {
		snprintf(address, sizeof(address), "a%u@far.example", i);
		assert_int_equal(add(&is, "home.example", address, 0), OK);
	}
	assert_int_equal(is.count, SUPPRESSIONS_MAX);
	assert_false(has(&is, "home.example", "a4@far.example", 1));
	assert_true(has(&is, "home.example", "a5@far.example", 1));
	suppressions_fini(&is);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_domain_of_senders_has_its_own),
	    cmocka_unit_test(what_is_no_address_is_refused),
	    cmocka_unit_test(the_file_is_read_as_it_was_written),
	    cmocka_unit_test(there_are_only_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
