/* The table itself, and the parser against every row of it. */
#include <stdio.h>

#include "conf/conf_test_kit.h"

/* The statement of a row, in its block. */
static void
statement_write(struct buf *out, const struct conf_option *option, const char *words,
    struct span value)
{
	buf_reset(out);
	if (strcmp(option->words, "hostname") != 0)
		buf_add_str(out, KIT_BASE);
	if (option->block)
		buf_addf(out, "%s %s{ ", option->block,
		    !conf_option_is_limit(option)             ? ""
			: strcmp(option->block, "provider") == 0 ? "Gmail "
								 : "any ");
	buf_addf(out, "%s %.*s", words, SPAN_ARGS(value));
	buf_add_str(out, option->block ? " }\n" : "\n");
}

static bool
has_range(const struct conf_option *option)
{
	return option->type == CONF_COUNT || option->type == CONF_PROCESSES ||
	       option->type == CONF_SIZE || option->type == CONF_TIME ||
	       option->type == CONF_TIMES || option->type == CONF_PERCENT;
}

static void
every_row_is_whole(void **state)
{
	(void)state;
	assert_true(conf_option_count() <= CONF_OPTIONS_MAX);
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);
		struct span rest = span_str(option->words);
		struct span word;
		size_t words = 0;

		while (span_cut(&rest, ' ', &word)) {
			assert_true(word.len > 0);
			words++;
		}
		assert_in_range(words, 1, CONF_WORDS_MAX);
		assert_non_null(option->doc);
		assert_int_equal(option->doc[strlen(option->doc) - 1],
		    option->type == CONF_SEPARATOR ? '!' : '.');
		assert_non_null(option->syntax);
		/* Each row is the first of its words: no two are the same. */
		assert_ptr_equal(conf_option_find(option->block, option->words), option);
		if (has_range(option))
			assert_true(option->min < option->max);
		if (option->block)
			assert_true(
			    conf_option_is_block(conf_option_find(NULL, option->block)));
	}
}

static void
every_default_is_in_its_range(void **state)
{
	struct conf conf = {0};

	(void)state;
	conf_option_presets(&conf);
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);
		uint64_t number;

		if (!has_range(option) || option->type == CONF_TIMES ||
		    conf_option_is_limit(option))
			continue;
		number = conf_option_number(&conf, option);
		assert_int_equal(number, option->preset);
		if (number != 0 || !option->zero)
			assert_in_range(number, option->min, option->max);
	}
	assert_in_range(conf.limits.retry_count, 1, CONF_RETRIES_MAX);
}

static uint64_t
number_of(struct conf *conf, const struct conf_option *option)
{
	void *holder = conf;

	if (conf_option_is_limit(option)) {
		assert_int_equal(conf->destination_count + conf->provider_count, 1);
		holder = conf->destination_count > 0 ? &conf->destinations[0].limits
						     : &conf->providers[0].limits;
	}
	if (option->type == CONF_TIMES)
		return conf_option_limits(holder, option)->retry_ms[0];
	if (option->type == CONF_RATE)
		return conf_option_limits(holder, option)->rate_count;
	return conf_option_number(holder, option);
}

/* The smallest unit, so that one more or less can be said. */
static void
number_write(struct buf *out, const struct conf_option *option, uint64_t number)
{
	buf_reset(out);
	buf_add_u64(out, number);
	if (option->type == CONF_SIZE)
		buf_add_str(out, " B");
	if (option->type == CONF_TIME || option->type == CONF_TIMES)
		buf_add_str(out, "ms");
	if (option->type == CONF_PERCENT)
		buf_add_str(out, "%");
	/* There are never more connections at first than in all. */
	if (strcmp(option->words, "connections at first") == 0)
		buf_addf(out, "; connections%s 1000",
		    option->block[0] == 'q' ? " per destination" : "");
}

static void
try_number(const struct conf_option *option, uint64_t number, bool good)
{
	struct buf text, value, wanted;
	struct kit kit;

	buf_init(&text, 1024);
	buf_init(&value, 1024);
	buf_init(&wanted, 1024);
	number_write(&value, option, number);
	statement_write(&text, option, option->words, buf_span(&value));
	kit_parse(&kit, kit_bundle(buf_span(&text)));
	if (good) {
		kit_assert_good(&kit);
		assert_int_equal(number_of(kit.conf, option), number);
	} else {
		buf_addf(&wanted, ": \"%s\" is from ", option->words);
		buf_add_char(&wanted, '\0');
		assert_non_null(strstr(kit.problems.ptr, wanted.ptr));
	}
	kit_fini(&kit);
	buf_fini(&text);
	buf_fini(&value);
	buf_fini(&wanted);
}

static void
every_range_holds_at_both_ends(void **state)
{
	size_t tried = 0;

	(void)state;
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);

		if (!has_range(option))
			continue;
		try_number(option, option->min, true);
		try_number(option, option->max, true);
		try_number(option, option->max + 1, false);
		if (option->min > 1 || (option->min == 1 && !option->zero))
			try_number(option, option->min - 1, false);
		if (option->zero)
			try_number(option, 0, true);
		tried++;
	}
	assert_true(tried > 20);
}

static void
every_word_for_zero_is_zero(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 1024);
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);
		struct kit kit;

		if (!option->zero)
			continue;
		statement_write(&text, option, option->words, span_str(option->zero));
		kit_parse(&kit, kit_bundle(buf_span(&text)));
		kit_assert_good(&kit);
		assert_int_equal(number_of(kit.conf, option), 0);
		kit_fini(&kit);
	}
	buf_fini(&text);
}

/* Lengths of strings: the longest path fits, one byte more does not. */
static void
every_path_is_bounded(void **state)
{
	static char path[CONF_PATH_BYTES_MAX + 2] = "/";
	struct buf text;

	(void)state;
	buf_init(&text, 3 * sizeof(path));
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);

		for (unsigned more = 0; more < 2 && option->type == CONF_PATH; more++) {
			size_t len = (size_t)option->max + more;
			struct kit kit;

			memset(path + 1, 'a', len - 1);
			statement_write(&text, option, option->words, span_of(path, len));
			kit_parse(&kit, kit_bundle(buf_span(&text)));
			if (more)
				assert_non_null(
				    strstr(kit.problems.ptr, "the path is longer than "));
			else
				assert_null(strstr(kit.problems.ptr, "the path is"));
			kit_fini(&kit);
		}
	}
	buf_fini(&text);
}

/* Two letters of each row's first long word swapped: the row is what was meant. */
static void
every_slip_finds_its_row(void **state)
{
	struct buf text, wanted;

	(void)state;
	buf_init(&text, 1024);
	buf_init(&wanted, 1024);
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);
		char slip[64];
		struct kit kit;

		(void)snprintf(slip, sizeof(slip), "%s", option->words);
		slip[0] = option->words[1];
		slip[1] = option->words[0];
		statement_write(&text, option, slip, SPAN("1"));
		buf_reset(&wanted);
		buf_addf(&wanted, "\"%s\"; did you mean \"%s\"?", slip, option->words);
		buf_add_char(&wanted, '\0');
		kit_parse(&kit, kit_bundle(buf_span(&text)));
		if (!strstr(kit.problems.ptr, wanted.ptr))
			assert_string_equal(kit.problems.ptr, wanted.ptr);
		kit_fini(&kit);
	}
	buf_fini(&text);
	buf_fini(&wanted);
}

static void
the_manual_has_every_row(void **state)
{
	struct buf manual, head;

	(void)state;
	buf_init(&manual, 1 << 20);
	buf_init(&head, 1024);
	conf_manual(&manual);
	assert_int_equal(buf_finish(&manual), OK);
	buf_add_char(&manual, '\0');
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);

		buf_reset(&head);
		buf_addf(&head, "\n%s %s", option->words, option->syntax);
		buf_add_char(&head, '\0');
		assert_non_null(strstr(manual.ptr, head.ptr));
	}
	assert_non_null(strstr(manual.ptr,
	    "message size SIZE    (in limits)\n"
	    "    The largest message; clients are told by SIZE (RFC 1870).\n"
	    "    Default 50 MB; from 64 KB to 2 GB.\n"));
	assert_non_null(
	    strstr(manual.ptr, "    Default as in \"queue\"; from 0 % to 90 %.\n"));
	assert_non_null(strstr(
	    manual.ptr, "    Default 100000; from 1 to 1000000000, or unlimited.\n"));
	for (char *line = manual.ptr; line; line = strchr(line, '\n'))
		assert_in_range(strcspn(++line, "\n"), 0, 90);
	buf_fini(&manual);
	buf_fini(&head);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_is_whole),
	    cmocka_unit_test(every_default_is_in_its_range),
	    cmocka_unit_test(every_range_holds_at_both_ends),
	    cmocka_unit_test(every_word_for_zero_is_zero),
	    cmocka_unit_test(every_path_is_bounded),
	    cmocka_unit_test(every_slip_finds_its_row),
	    cmocka_unit_test(the_manual_has_every_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
