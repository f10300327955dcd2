/* Back-offs as bytes and back: over a restart, by another clock, and out of damaged files. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "proc/queue/backoffs_file.h"

static const uint64_t seed[2] = {1, 2}, other_seed[2] = {3, 4};

enum { MINUTE = 60000 };

static const struct backoffs_clock before = {10 * MINUTE, UINT64_C(1764000000000)};

struct kit {
	struct backoffs backoffs, again;
	struct sites sites;
	struct buf out;
};

static void
kit_init(struct kit *kit)
{
	backoffs_init(&kit->backoffs, seed);
	backoffs_init(&kit->again, other_seed);
	sites_init(&kit->sites, other_seed);
	buf_init(&kit->out, BACKOFFS_BYTES_MAX);
}

static void
kit_fini(struct kit *kit)
{
	buf_fini(&kit->out);
	sites_fini(&kit->sites);
	backoffs_fini(&kit->again);
	backoffs_fini(&kit->backoffs);
}

static struct backoff *
add(struct kit *kit, uint64_t id, const char *name, enum ease_kind kind)
{
	struct backoff *row = backoffs_take(&kit->backoffs, id, span_str(name));

	assert_true(ease_strike(&row->ease, kind, 3, 0, before.now_ms));
	row->rule = rules_at(3);
	row->since_wall_ms = 77;
	return row;
}

static void
what_was_asked_for_outlives_a_restart(void **state)
{
	/* A minute later, by a clock that began anew. */
	const struct backoffs_clock later = {5000, before.now_wall_ms + MINUTE / 2};
	const struct backoff *row;
	struct kit kit;

	(void)state;
	kit_init(&kit);
	backoffs_said(add(&kit, backoffs_site_id(&kit.backoffs, SPAN("Microsoft 365")),
	                  "Microsoft 365", EASE_SLOW),
	    451, SPAN("4.7.500"), SPAN("mx.example"), SPAN("Server\tbusy.\nGo away \x1b now"));
	add(&kit, backoffs_destination_id(&kit.backoffs, SPAN("host:far.example:25")),
	    "host:far.example:25", EASE_PAUSE);
	backoffs_write(&kit.backoffs, before, &kit.out);
	backoffs_write_of(&kit.out, SPAN("Microsoft 365"), SPAN("mx:a.example"));
	backoffs_write_of(&kit.out, SPAN("Microsoft 365"), SPAN("mx:b\t.example"));
	assert_int_equal(backoffs_read(&kit.again, &kit.sites, later, buf_span(&kit.out)), OK);
	assert_int_equal(kit.again.count, 2);
	row = backoffs_find(&kit.again, backoffs_site_id(&kit.again, SPAN("Microsoft 365")));
	assert_non_null(row);
	assert_true(row->is_site && row->rule == rules_at(3) && row->since_wall_ms == 77);
	assert_int_equal(row->ease.kind, EASE_SLOW);
	assert_int_equal(row->ease.strikes, 1);
	assert_int_equal(row->ease.connections, 2);
	assert_int_equal(row->ease.pause_until_ms, later.now_ms + MINUTE / 2);
	assert_int_equal(row->ease.until_ms, later.now_ms + 10 * MINUTE + MINUTE / 2);
	assert_int_equal(row->code, 451);
	assert_string_equal(row->status, "4.7.500");
	assert_string_equal(row->host, "mx.example");
	assert_string_equal(row->text, "Server?busy.?Go away ? now");
	row = backoffs_find(
	    &kit.again, backoffs_destination_id(&kit.again, SPAN("host:far.example:25")));
	assert_true(row && !row->is_site);
	assert_int_equal(row->ease.kind, EASE_PAUSE);
	assert_true(span_eq(sites_of(&kit.sites, SPAN("mx:a.example")), SPAN("Microsoft 365")));
	assert_int_equal(sites_of(&kit.sites, SPAN("mx:b\t.example")).len, 0);
	kit_fini(&kit);
}

/* Whatever the clock did meanwhile, nobody waits longer than words may make him. */
static void
clocks_that_jump_hold_nobody_up(void **state)
{
	const struct backoffs_clock early = {5000, before.now_wall_ms - UINT64_C(40000000000)};
	const struct backoffs_clock late = {5000, before.now_wall_ms + UINT64_C(40000000000)};
	struct backoff *row;
	struct kit kit;

	(void)state;
	kit_init(&kit);
	add(&kit, backoffs_site_id(&kit.backoffs, SPAN("QQ")), "QQ", EASE_PAUSE);
	backoffs_write(&kit.backoffs, before, &kit.out);
	assert_int_equal(backoffs_read(&kit.again, &kit.sites, early, buf_span(&kit.out)), OK);
	row = backoffs_find(&kit.again, backoffs_site_id(&kit.again, SPAN("QQ")));
	assert_int_equal(row->ease.pause_until_ms, early.now_ms + EASE_PAUSE_MS_MAX);
	assert_int_equal(row->ease.until_ms, early.now_ms + 2 * EASE_PAUSE_MS_MAX);
	backoffs_remove(&kit.again, row);
	assert_int_equal(backoffs_read(&kit.again, &kit.sites, late, buf_span(&kit.out)), OK);
	row = backoffs_find(&kit.again, backoffs_site_id(&kit.again, SPAN("QQ")));
	assert_int_equal(row->ease.pause_until_ms, 0);
	assert_true(ease_pass(&row->ease, late.now_ms));
	assert_int_equal(row->ease.strikes, 0);
	kit_fini(&kit);
}

static void
a_damaged_file_says_nothing(void **state)
{
	static const char row[] = "row\tsite\t1\t1\t2\t0\t0\t0\t0\t0\t%llu\t451\t\th\tQQ\tt\n";
	static const char *const bad[] = {"", "postrider backoffs 1", "postrider backoffs 2\n",
	    "postrider backoffs 1\nrow\n", "postrider backoffs 1\nof\tQQ\n",
	    "postrider backoffs 1\nof\t\tmx:a\n", "postrider backoffs 1\nof\tQQ\tmx:\x01\n",
	    "postrider backoffs 1\nwhat\tQQ\tmx:a\n", "postrider backoffs 1\n\n",
	    "postrider backoffs 1\nrow\tsite\t3\t1\t2\t0\t0\t0\t0\t0\t1\t451\t\th\tQQ\tt\n",
	    "postrider backoffs 1\nrow\tsite\t1\t0\t2\t0\t0\t0\t0\t0\t1\t451\t\th\tQQ\tt\n",
	    "postrider backoffs 1\nrow\tsite\t1\t1\t0\t0\t0\t0\t0\t0\t1\t451\t\th\tQQ\tt\n",
	    "postrider backoffs 1\nrow\tsite\t1\t17\t2\t0\t0\t0\t0\t0\t1\t451\t\th\tQQ\tt\n",
	    "postrider backoffs 1\nrow\tcity\t1\t1\t2\t0\t0\t0\t0\t0\t1\t451\t\th\tQQ\tt\n",
	    "postrider backoffs 1\nrow\tsite\t1\t1\t2\t0\t0\t0\t0\t0\t1\t451\t\th\t\tt\n"};
	struct span good;
	struct kit kit;

	(void)state;
	kit_init(&kit);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		    backoffs_read(&kit.again, &kit.sites, before, span_str(bad[i])), ERR_SYNTAX);
		assert_int_equal(kit.again.count, 0);
	}
	/* A rule that this version does not have any more: the others are read. */
	buf_addf(&kit.out, "postrider backoffs 1\n");
	buf_addf(&kit.out, row, 12345ULL);
	assert_int_equal(backoffs_read(&kit.again, &kit.sites, before, buf_span(&kit.out)), OK);
	assert_int_equal(kit.again.count, 0);
	/* Nothing of a file is taken that is damaged at its end. */
	buf_reset(&kit.out);
	add(&kit, backoffs_site_id(&kit.backoffs, SPAN("QQ")), "QQ", EASE_SLOW);
	backoffs_write(&kit.backoffs, before, &kit.out);
	backoffs_write_of(&kit.out, SPAN("QQ"), SPAN("mx:a"));
	good = buf_span(&kit.out);
	for (size_t cut = 0; cut < good.len; cut++) {
		enum err err = backoffs_read(
		    &kit.again, &kit.sites, before, span_first(good, cut));

		/* A whole line less is a file as well; it is never written so. */
		assert_true(err == ERR_SYNTAX || (cut > 0 && good.ptr[cut - 1] == '\n'));
		while (kit.again.count > 0)
			backoffs_remove(&kit.again,
			    container_of(kit.again.rows.next, struct backoff, node));
	}
	kit_fini(&kit);
}

static void
the_largest_file_is_within_its_bound(void **state)
{
	char name[BACKOFF_NAME_MAX + 1], text[BACKOFF_TEXT_MAX + 50];
	struct kit kit;

	(void)state;
	kit_init(&kit);
	memset(text, 'x', sizeof(text));
	memset(name, 'n', sizeof(name));
	for (unsigned i = 0; i < BACKOFFS_MAX; i++) {
		int bytes = snprintf(name, sizeof(name), "%u", i);
		struct backoff *row;

		name[bytes] = 'n';
		row = backoffs_take(&kit.backoffs, (i + 1) * 2, span_of(name, BACKOFF_NAME_MAX));
		assert_true(ease_strike(&row->ease, EASE_SLOW, 3, 0, before.now_ms));
		row->rule = rules_at(0);
		backoffs_said(row, 451, span_of(text, 15), span_of(name, BACKOFF_NAME_MAX),
		    span_of(text, sizeof(text)));
	}
	backoffs_write(&kit.backoffs, before, &kit.out);
	for (unsigned i = 0; i < BACKOFFS_OF_MAX; i++)
		backoffs_write_of(&kit.out, span_of(name, BACKOFF_NAME_MAX),
		    span_of(name, BACKOFF_NAME_MAX));
	assert_int_equal(buf_finish(&kit.out), OK);
	assert_int_equal(backoffs_read(&kit.again, &kit.sites, before, buf_span(&kit.out)), OK);
	assert_int_equal(kit.again.count, BACKOFFS_MAX);
	kit_fini(&kit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_asked_for_outlives_a_restart),
	    cmocka_unit_test(clocks_that_jump_hold_nobody_up),
	    cmocka_unit_test(a_damaged_file_says_nothing),
	    cmocka_unit_test(the_largest_file_is_within_its_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
