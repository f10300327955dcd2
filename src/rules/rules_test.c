#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "replies/catalogue.h"
#include "rules/rules.h"

static struct rules_reply
example_of(const struct rule *rule)
{
	return (struct rules_reply){
	    .text = span_str(rule->example), .host = span_str(rule->host)};
}

/* Each rule has words that it is the first to fit: none is hidden behind another one. */
static void
each_example_gives_its_rule(void **state)
{
	const struct rule *rule;
	size_t count = 0, wrong = 0;

	(void)state;
	for (size_t i = 0; (rule = rules_at(i)) != NULL; i++, count++) {
		struct rules_reply reply = example_of(rule);
		const struct rule *found = rules_match(&reply);

		if (found == rule)
			continue;
		wrong++;
		print_error("\"%s %s %s\" (%s): its example gives \"%s %s %s\" (%s)\n",
		    rule->code, rule->status, rule->text, rule->provider,
		    found ? found->code : "none",
		    found ? found->status : "", found ? found->text : "",
		    found ? found->provider : "");
	}
	assert_int_equal(wrong, 0);
	assert_true(count >= 300);
}

static void
each_rule_leads_to_a_reason(void **state)
{
	const struct rule *rule;

	(void)state;
	for (size_t i = 0; (rule = rules_at(i)) != NULL; i++) {
		if (!catalogue_topic(CATALOGUE_REASON, span_str(rule->reason)))
			print_error("%s: no such reason: %s\n", rule->text, rule->reason);
		assert_non_null(catalogue_topic(CATALOGUE_REASON, span_str(rule->reason)));
		assert_true(*rule->provider && *rule->source && strlen(rule->date) == 7);
	}
}

/* Each reason is what some rule leads to. */
static void
each_reason_has_a_rule(void **state)
{
	const struct catalogue_topic *topic;

	(void)state;
	for (size_t i = 0; (topic = catalogue_topic_at(i)) != NULL; i++) {
		const struct rule *rule;
		bool found = false;

		if (topic->kind != CATALOGUE_REASON)
			continue;
		for (size_t j = 0; (rule = rules_at(j)) != NULL && !found; j++)
			found = strcmp(rule->reason, topic->key) == 0;
		if (!found)
			print_error("no rule leads to %s\n", topic->key);
		assert_true(found);
	}
}

static const char *
reason_of(struct rules_reply reply)
{
	const struct rule *rule = rules_match(&reply);

	return rule ? rule->reason : "none";
}

static void
lines_and_codes_do_not_matter(void **state)
{
	static const char *const same[] = {
	    "550-5.1.1 The email account that you tried to\r\n550-5.1.1 reach does not exist.\r\n"
	    "550 5.1.1 Please try again",
	    "550-5.1.1 The email account that you tried to 550-5.1.1 reach does not exist. 550 "
	    "5.1.1 Please",
	    "5.1.1 THE EMAIL ACCOUNT\tTHAT YOU  TRIED TO REACH DOES NOT EXIST"};

	(void)state;
	for (size_t i = 0; i < LEN(same); i++) {
		struct rules_reply reply = {.text = span_str(same[i])};
		const struct rule *rule = rules_match(&reply);

		assert_non_null(rule);
		assert_string_equal(rule->provider, "Gmail");
		assert_string_equal(rule->reason, "user-unknown");
	}
}

static void
codes_decide_where_they_are_told(void **state)
{
	struct span over = SPAN("email account that you tried to reach is over quota");
	struct rules_reply later = {.text = over, .code = 452, .status = SPAN("4.2.2")};
	struct rules_reply never = {.text = over, .code = 552, .status = SPAN("5.2.2")};

	(void)state;
	assert_int_equal(rules_match(&later)->action, RULE_RETRY);
	assert_int_equal(rules_match(&never)->action, RULE_BOUNCE);
	assert_string_equal(reason_of((struct rules_reply){.text = SPAN("550 5.7.25 No")}),
	    "reverse-dns");
	assert_string_equal(
	    reason_of((struct rules_reply){.text = SPAN("(#5.7.25)")}), "reverse-dns");
}

static void
unknown_words_fit_no_rule(void **state)
{
	static const char *const words[] = {"", "550", "550 xyzzy", "250 2.0.0 Ok", "\x01\x02",
	    "550 5.9.9 plugh", "599 ..."};

	(void)state;
	for (size_t i = 0; i < LEN(words); i++)
		assert_string_equal(
		    reason_of((struct rules_reply){.text = span_str(words[i])}), "none");
}

static void
long_words_are_cut(void **state)
{
	char *text = malloc(100000);

	(void)state;
	assert_non_null(text);
	memset(text, 'a', 100000);
	memcpy(text + 90000, " user unknown", 13);
	assert_string_equal(
	    reason_of((struct rules_reply){.text = span_of(text, 100000)}), "none");
	memcpy(text + 1000, " user unknown ", 14);
	assert_string_equal(
	    reason_of((struct rules_reply){.text = span_of(text, 100000)}), "user-unknown");
	free(text);
}

/* Gives the status of the generator for one file of rules. */
static int
generate(const char *text)
{
	char in[] = "/tmp/rules_test_XXXXXX", out[] = "/tmp/rules_test_XXXXXX";
	char program[] = RULES_GEN;
	char *argv[] = {program, out, in, NULL};
	int fd = mkstemp(in), other = mkstemp(out), status = -1;
	posix_spawn_file_actions_t quiet;
	pid_t pid;

	assert_true(fd >= 0 && other >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	close(other);
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", 1, 0);
	assert_int_equal(posix_spawn(&pid, program, &quiet, NULL, argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	posix_spawn_file_actions_destroy(&quiet);
	unlink(in);
	unlink(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define HEAD "provider: A\nsource: b\ndate: 2026-11\n"
#define RULE "rule: 550 5.1.1 no such\nis: user-unknown bounce\nsays: no such\n"

static void
the_generator_refuses_mistakes(void **state)
{
	static const char *const wrong[] = {
	    RULE,                                       /* no provider */
	    HEAD RULE RULE,                             /* twice */
	    HEAD "rule: 550\nis: x bounce\nsays: 550\n", /* a code alone */
	    HEAD "rule: abc\nis: x bounce\nsays: abc\n", /* too short to find */
	    HEAD "rule: abcd\nis: x jump\nsays: abcd\n", /* no such action */
	    HEAD "rule: abcd\nis: x bounce\n",           /* no example */
	    HEAD "what: abcd\n",                         /* no such field */
	    HEAD RULE "is: again bounce\n",
	    "provider: A\nsource: b\ndate: now\n" RULE,
	};

	(void)state;
	assert_int_equal(generate(HEAD RULE), 0);
	for (size_t i = 0; i < LEN(wrong); i++)
		assert_int_equal(generate(wrong[i]), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_example_gives_its_rule),
	    cmocka_unit_test(each_rule_leads_to_a_reason),
	    cmocka_unit_test(each_reason_has_a_rule),
	    cmocka_unit_test(lines_and_codes_do_not_matter),
	    cmocka_unit_test(codes_decide_where_they_are_told),
	    cmocka_unit_test(unknown_words_fit_no_rule),
	    cmocka_unit_test(long_words_are_cut),
	    cmocka_unit_test(the_generator_refuses_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
