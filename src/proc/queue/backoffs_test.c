#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "proc/queue/test_queue.h"

static const uint64_t seed[2] = {1, 2};

static void
sites_and_destinations_have_names_of_their_own(void **state)
{
	struct backoffs backoffs;
	uint64_t site, other;

	(void)state;
	backoffs_init(&backoffs, seed);
	site = backoffs_site_id(&backoffs, SPAN("MX.example"));
	other = backoffs_site_id(&backoffs, SPAN("mx2.example"));
	assert_true(site != 0 && site != other);
	assert_true(site == backoffs_site_id(&backoffs, SPAN("mx.EXAMPLE")));
	assert_true(site != backoffs_destination_id(&backoffs, SPAN("mx.example")));
	backoffs_fini(&backoffs);
}

static void
there_are_only_so_many(void **state)
{
	struct backoffs backoffs;
	uint64_t first = 0;

	(void)state;
	backoffs_init(&backoffs, seed);
	for (unsigned i = 0; i < BACKOFFS_MAX + 20; i++) {
		char name[20];
		int bytes = snprintf(name, sizeof(name), "mx%u", i);
		uint64_t id =
		    backoffs_site_id(&backoffs, span_of(name, (size_t)bytes));
		struct backoff *row =
		    backoffs_take(&backoffs, id, span_of(name, (size_t)bytes));

		assert_true(row->is_site && row == backoffs_find(&backoffs, id));
		row->ease.until_ms = 1000 + i;
		first = i == 0 ? id : first;
	}
	assert_int_equal(backoffs.count, BACKOFFS_MAX);
	assert_null(backoffs_find(&backoffs, first));
	backoffs_fini(&backoffs);
}

static const struct {
	const char *says, *host;
	enum rule_scope scope;
	int kind; /* -1: nobody else waits */
} cases[] = {
    {"421 4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP",
        "gmail-smtp-in.l.google.com", RULE_PROVIDER, EASE_SLOW},
    {"451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)",
        "a.mail.protection.outlook.com", RULE_PROVIDER, EASE_SLOW},
    {"421 4.7.0 mx.example Error: too many connections from 192.0.2.1", "mx.example",
        RULE_PROVIDER, EASE_CONNECTIONS},
    {"450 4.2.1 The user you are trying to contact is receiving mail too quickly.",
        "gmail-smtp-in.l.google.com", RULE_RECIPIENT, -1},
    {"450 4.2.0 <a@b.example>: Recipient address rejected: Greylisted", "mx.example",
        RULE_RECIPIENT, -1},
    {"452 4.2.2 The email account that you tried to reach is over quota", "mx.example",
        RULE_RECIPIENT, -1},
    {"554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
        "mx.example", RULE_PROVIDER, EASE_PAUSE},
    {"550 5.1.1 The email account that you tried to reach does not exist.", "mx.example",
        RULE_RECIPIENT, -1},
};

static void
words_decide_who_waits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct rule *rule = rules_match(&(struct rules_reply){
		    .text = span_str(cases[i].says), .host = span_str(cases[i].host)});
		enum ease_kind kind;
		bool others_wait;

		assert_non_null(rule);
		assert_string_equal(
		    rule_scope_name(rule->scope), rule_scope_name(cases[i].scope));
		others_wait = backoffs_kind(rule, &kind);
		assert_int_equal(others_wait ? (int)kind : -1, cases[i].kind);
	}
}

static struct outcome
said(const char *text)
{
	struct outcome outcome = {
	    .kind = IPC_DEFERRED, .code = 450, .text = span_str(text)};

	outcome.rule = rules_match(&(struct rules_reply){.text = outcome.text, .code = 450});
	return outcome;
}

/* What is greylisted is tried again soon; no wait is longer than an hour because of words. */
static void
greylisting_is_waited_for(void **state)
{
	struct outcome plain = said("4.2.0 Greylisted, come back later");
	struct outcome stated = said("4.2.0 Greylisted for 90 seconds");
	struct outcome long_one = said("4.2.0 Greylisted for 20 hours");
	struct outcome other = said("4.2.2 The mailbox is over quota, come in 90 seconds");

	(void)state;
	assert_int_equal(polite_wait_ms(&plain, 1, 3600000), 300000);
	assert_int_equal(polite_wait_ms(&plain, 1, 1000), 1000);
	assert_int_equal(polite_wait_ms(&plain, 4, 3600000), 3600000);
	assert_int_equal(polite_wait_ms(&stated, 1, 3600000), 92000);
	assert_int_equal(polite_wait_ms(&long_one, 1, 900000), 3600000);
	assert_int_equal(polite_wait_ms(&other, 1, 900000), 900000);
	assert_true(polite_is_recipients(plain.rule) && polite_is_recipients(other.rule));
	assert_false(polite_is_recipients(NULL));
}

static void
hosts_are_cut_out(void **state)
{
	struct buf words;

	(void)state;
	assert_true(span_eq(backoffs_host(SPAN("mx.example[192.0.2.1]")), SPAN("mx.example")));
	assert_true(span_eq(backoffs_host(SPAN("[192.0.2.1]")), SPAN("")));
	assert_true(span_eq(backoffs_host(SPAN("")), SPAN("")));
	buf_init(&words, 200);
	backoffs_write_rule(&words, said("4.2.0 Greylisted").rule);
	assert_true(span_find(buf_span(&words), ':') < words.len);
	buf_fini(&words);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sites_and_destinations_have_names_of_their_own),
	    cmocka_unit_test(there_are_only_so_many),
	    cmocka_unit_test(words_decide_who_waits),
	    cmocka_unit_test(greylisting_is_waited_for),
	    cmocka_unit_test(hosts_are_cut_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
