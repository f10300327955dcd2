/* Who may send as whom: the table, and what is a login's own without it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "table/senders.h"

static const char mailboxes_text[] = "alice@example.org: alice\n"
				     "bob@example.org: box7\n"
				     "carol@example.org: carol\n"
				     "dan@example.org: dan\n"
				     "dan+lists@example.org: lists\n"
				     "dave: dave\n"
				     "@catch.example: alice\n";
static const char aliases_text[] = "a.l@example.org: alice@example.org\n"
				   "sales@example.org: alice@example.org, bob@example.org\n"
				   "carol@example.org: carol@example.org, copy@remote.example\n"
				   "erin@example.org: erin, copy\n"
				   "fwd@example.org: alice@remote.example\n";
static const char senders_text[] = "carol: carol@example.org, news@Remote.example\n"
				   "news@example.org: @lists.example, \"a b\"@example.org\n"
				   "root: *\n"
				   "dan: @example.org\n";

static const struct {
	const char *login, *address;
	bool may;
} cases[] = {
    /* By the tables of mailboxes and aliases. */
    {"alice", "alice@example.org", true},
    {"Alice", "alice@example.org", true}, /* as in the table of passwords */
    {"alice", "ALICE@Example.ORG", true},
    {"alice", "alice+shop@example.org", true},
    {"alice", "a.l@example.org", true},
    {"alice", "a.l+x@example.org", true},
    {"alice", "anybody@catch.example", true},
    {"alice", "bob@example.org", false},
    {"alice", "sales@example.org", false},
    {"alice", "nobody@example.org", false},
    {"alice", "fwd@example.org", false},
    {"alice", "alice@remote.example", false},
    {"alice", "alice", false},
    {"alice", "", false},
    {"box7", "bob@example.org", true},
    {"bob", "bob@example.org", false}, /* its mailbox is another's name */
    {"bob@example.org", "bob@example.org", true},
    {"BOB@example.org", "bob+x@EXAMPLE.org", true},
    {"alice@example.org", "a.l@example.org", true},
    {"alice@example.org", "bob@example.org", false},
    {"carol@example.org", "carol@example.org", true},
    {"dave", "dave@example.org", true},
    {"dave", "dave@catch.example", true},
    {"erin", "erin@example.org", false}, /* a copy goes to somebody */
    {"copy", "erin@example.org", false},
    {"someone@remote.example", "someone@remote.example", true},
    {"someone@remote.example", "other@remote.example", false},
    {"lists", "dan+lists@example.org", true},
    {"lists", "dan@example.org", false},
    {"", "alice@example.org", false},
    {"", "", false},
    /* By the table of senders. */
    {"carol", "carol@example.org", true},
    {"CAROL", "carol+x@example.org", true},
    {"carol", "NEWS@remote.example", true},
    {"carol", "other@remote.example", false},
    {"news@example.org", "news@example.org", false}, /* the table says all */
    {"news@example.org", "any@lists.example", true},
    {"news@example.org", "any@LISTS.example", true},
    {"news@example.org", "any@sub.lists.example", false},
    {"news@example.org", "any@xlists.example", false},
    {"news@example.org", "\"a b\"@example.org", true},
    {"root", "anybody@anywhere.example", true},
    {"dan", "alice@example.org", true},
    {"dan", "alice@example.net", false},
    {"dan", "\"x@example.org\"@evil.example", false},
};

static struct table *
parse(const char *text, const struct table_options *options)
{
	struct table_error error;
	struct table *table = NULL;

	assert_int_equal(table_parse(span_str(text), options, &table, &error), OK);
	return table;
}

static void
test_cases(void **state)
{
	const struct span domains[] = {SPAN("example.org"), SPAN("catch.example")};
	struct table *mailboxes = parse(mailboxes_text, &table_mailboxes);
	struct table *aliases = parse(aliases_text, &table_aliases);
	struct table *senders = parse(senders_text, &table_senders);
	const struct resolve_tables tables = {
	    .domains = domains,
	    .domain_count = LEN(domains),
	    .mailboxes = mailboxes,
	    .aliases = aliases,
	    .detail_separator = '+',
	    .postmaster = SPAN("postmaster"),
	};
	struct resolve_result result;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		if (senders_may(&tables, senders, span_str(cases[i].login),
			span_str(cases[i].address), &result) != cases[i].may)
			fail_msg("%s as %s", cases[i].login, cases[i].address);
	}
	/* Without a table of senders the rest of the rules stands. */
	assert_true(senders_may(
	    &tables, NULL, SPAN("carol"), SPAN("carol@example.org"), &result));
	assert_false(senders_may(
	    &tables, NULL, SPAN("root"), SPAN("anybody@anywhere.example"), &result));
	table_destroy(mailboxes);
	table_destroy(aliases);
	table_destroy(senders);
}

static void
test_table_of_senders(void **state)
{
	struct table_error error;
	struct table *table;

	(void)state;
	assert_int_equal(table_parse(SPAN("alice: @a.example b@c.example\n"), &table_senders,
			     &table, &error),
	    ERR_SYNTAX);
	assert_int_equal(error.column, 18);
	/* In aliases that would be nobody. */
	assert_int_equal(
	    table_parse(SPAN("alice: @a.example\n"), &table_aliases, &table, &error), ERR_SYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_table_of_senders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
