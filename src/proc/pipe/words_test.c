/* Words and variables, and what they must not become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "proc/pipe/words.h"

static const struct words_of usual = {
    .sender = {"ann@a.org", 9},
    .recipient = {"Bob+x+y@b.org", 13},
    .original = {"info@b.org", 10},
    .id = {"12ab", 4},
    .mailbox = {"", 0},
    .separator = '+',
    .name = "v",
    .home = "/home/v",
    .shell = "/bin/sh",
};

static void
check_word(const char *word, const struct words_of *of, enum words_problem problem,
    const char *expected)
{
	struct conf_pipe pipe = {.word_count = 2};
	struct words words;

	pipe.words[0] = SPAN("/bin/x");
	pipe.words[1] = span_str(word);
	assert_int_equal(words_make(&words, &pipe, of), problem);
	if (!problem) {
		assert_string_equal(words.argv[0], "/bin/x");
		assert_string_equal(words.argv[1], expected);
		assert_null(words.argv[2]);
	}
	words_fini(&words);
}

static void
placeholders_are_filled_in(void **state)
{
	static const struct {
		const char *word, *expected;
	} cases[] = {
	    {"plain", "plain"},
	    {"-f", "-f"},
	    {"{sender}", "ann@a.org"},
	    {"-f{sender}", "-fann@a.org"},
	    {"{recipient}", "Bob+x+y@b.org"},
	    {"{mailbox}", "Bob"},
	    {"{local}", "Bob+x+y"},
	    {"{detail}", "x+y"},
	    {"{domain}", "b.org"},
	    {"{id}", "12ab"},
	    {"{{{id}}{mailbox}.{detail}", "{12ab}Bob.x+y"},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		check_word(cases[i].word, &usual, WORDS_GOOD, cases[i].expected);
}

static void
parts_of_addresses(void **state)
{
	static const struct {
		const char *recipient, *mailbox;
		char separator;
		const char *expected; /* of "{mailbox}|{local}|{detail}|{domain}" */
	} cases[] = {
	    {"bob@b.org", "", '+', "bob|bob||b.org"},
	    {"bob+@b.org", "", '+', "bob|bob+||b.org"},
	    {"bob-x+y@b.org", "", '-', "bob|bob-x+y|x+y|b.org"},
	    {"bob+x@b.org", "", '\0', "bob+x|bob+x||b.org"},
	    {"+x@b.org", "", '+', "+x|+x||b.org"},
	    {"bob+x@b.org", "store", '+', "store|bob+x|x|b.org"},
	    {"\"a b;@c\"@b.org", "", '+', "\"a b;@c\"|\"a b;@c\"||b.org"},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct words_of of = usual;

		of.recipient = span_str(cases[i].recipient);
		of.mailbox = span_str(cases[i].mailbox);
		of.separator = cases[i].separator;
		check_word("{mailbox}|{local}|{detail}|{domain}", &of, WORDS_GOOD,
		    cases[i].expected);
	}
}

/* No dash at the front of a word is an address's. */
static void
words_never_become_options(void **state)
{
	static const struct {
		const char *word, *sender, *recipient;
		enum words_problem problem;
	} cases[] = {
	    {"{sender}", "-x@a.org", "b@b.org", WORDS_BAD_SENDER},
	    {"{detail}{sender}", "-x@a.org", "b@b.org", WORDS_BAD_SENDER},
	    {"{recipient}", "a@a.org", "-x@b.org", WORDS_BAD_RECIPIENT},
	    {"{local}", "a@a.org", "-x@b.org", WORDS_BAD_RECIPIENT},
	    {"{mailbox}", "a@a.org", "-x@b.org", WORDS_BAD_RECIPIENT},
	    {"{detail}", "a@a.org", "b+-x@b.org", WORDS_BAD_RECIPIENT},
	    {"{detail}{local}", "a@a.org", "-x@b.org", WORDS_BAD_RECIPIENT},
	    {"x{local}", "-x@a.org", "-x@b.org", WORDS_GOOD},
	    {"-f{sender}", "-x@a.org", "-x@b.org", WORDS_GOOD},
	    {"{sender}", "", "-x@b.org", WORDS_GOOD},
	};
	static const char *const expected[LEN(cases)] = {
	    [7] = "x-x", [8] = "-f-x@a.org", [9] = ""};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct words_of of = usual;

		of.sender = span_str(cases[i].sender);
		of.recipient = span_str(cases[i].recipient);
		check_word(cases[i].word, &of, cases[i].problem, expected[i]);
	}
}

static void
what_ends_strings_stands_in_none(void **state)
{
	struct words_of of = usual;

	(void)state;
	of.sender = SPAN("a\0b@a.org");
	check_word("x", &of, WORDS_BAD_SENDER, NULL);
	of = usual;
	of.recipient = SPAN("a\0b@a.org");
	check_word("x", &of, WORDS_BAD_RECIPIENT, NULL);
	of = usual;
	of.original = SPAN("a\0b@a.org");
	check_word("x", &of, WORDS_BAD_RECIPIENT, NULL);
}

static void
variables_are_these_and_no_others(void **state)
{
	static const char *const expected[] = {"PATH=/usr/local/bin:/usr/bin:/bin",
	    "HOME=/home/v", "LOGNAME=v", "USER=v", "SHELL=/bin/sh", "SENDER=ann@a.org",
	    "RECIPIENT=Bob+x+y@b.org", "ORIGINAL_RECIPIENT=info@b.org", "MAILBOX=Bob",
	    "LOCAL=Bob+x+y", "EXTENSION=x+y", "DOMAIN=b.org", "MESSAGE_ID=12ab"};
	struct conf_pipe pipe = {.word_count = 1};
	struct words_of of = usual;
	struct words words;

	(void)state;
	pipe.words[0] = SPAN("/bin/x");
	assert_int_equal(words_make(&words, &pipe, &of), WORDS_GOOD);
	for (size_t i = 0; i < LEN(expected); i++)
		assert_string_equal(words.envp[i], expected[i]);
	assert_null(words.envp[LEN(expected)]);
	words_fini(&words);
	of.timezone = "Europe/Berlin";
	assert_int_equal(words_make(&words, &pipe, &of), WORDS_GOOD);
	assert_string_equal(words.envp[5], "TZ=Europe/Berlin");
	words_fini(&words);
}

/* The longest that a configuration and addresses can have. */
static void
the_longest_fits(void **state)
{
	char word[CONF_PIPE_COMMAND_BYTES_MAX + 1], address[320 + 1];
	struct conf_pipe pipe = {.word_count = 2};
	struct words_of of = usual;
	struct words words;

	(void)state;
	for (size_t i = 0; i + 7 <= sizeof(word); i += 7)
		memcpy(word + i, "{local}", 7);
	memset(address, 'a', sizeof(address));
	memcpy(address + sizeof(address) - 3, "@b", 3);
	pipe.words[0] = SPAN("/bin/x");
	pipe.words[1] = span_of(word, (sizeof(word) - 1) / 7 * 7);
	of.recipient = of.original = of.sender = span_str(address);
	assert_int_equal(words_make(&words, &pipe, &of), WORDS_GOOD);
	assert_int_equal(strlen(words.argv[1]), (sizeof(word) - 1) / 7 * (sizeof(address) - 3));
	words_fini(&words);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(placeholders_are_filled_in),
	    cmocka_unit_test(parts_of_addresses),
	    cmocka_unit_test(words_never_become_options),
	    cmocka_unit_test(what_ends_strings_stands_in_none),
	    cmocka_unit_test(variables_are_these_and_no_others),
	    cmocka_unit_test(the_longest_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
