/* Whose an address is: the order of the rules, loops, and every bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "table/resolve.h"

static const char mailboxes_text[] = "alice@example.org: alice\n"
				     "bob@example.org: bob\n"
				     "bob+lists@example.org: boblists\n"
				     "\"john doe\"@example.org: john\n"
				     "alice@example.net: alice2\n"
				     "carol: carol\n"
				     "self@example.org: self\n"
				     "twin@example.org: twin\n"
				     "@catch.example: catcher\n";

static const char aliases_text[] =
    "sales@example.org: alice@example.org, Bob@Example.ORG, x@remote.example\n"
    "bob@example.net: bobnet\n"
    "carol+a@example.org: alice@example.org\n"
    "tagged@example.org: bob+lists@example.org, bob+other@example.org\n"
    "self@example.org: self@example.org, copy@remote.example\n"
    "ring1@example.org: ring2@example.org\n"
    "ring2@example.org: ring1@example.org\n"
    "ring3@example.org: ring1@example.org, alice@example.org\n"
    "half@example.org: nobody@example.org, alice@example.org\n"
    "none@example.org: nobody@example.org, noone@example.net\n"
    "twice@example.org: alice, alice@example.org, X@remote.example, x@REMOTE.example\n"
    "twin@example.org: bob@example.org\n"
    "root: postmaster@example.org\n"
    "self: self, extra\n"
    "@catchall.example: alice@example.org\n"
    "known@catchall.example: bob@example.org\n"
    "@ring.example: any@ring.example\n"
    "postmaster@nobody.example: gone@example.org\n"
    "postmaster@mine.example: bob@example.org\n";

static const struct {
	const char *name, *address;
	enum resolve_verdict verdict;
	const char *targets; /* m: mailbox, a: address */
} cases[] = {
    {"a mailbox", "alice@example.org", RESOLVE_LOCAL, "m:alice "},
    {"case", "ALICE@EXAMPLE.ORG", RESOLVE_LOCAL, "m:alice "},
    {"another domain is another mailbox", "alice@example.net", RESOLVE_LOCAL,
	"m:alice2 "},
    {"nobody", "zoe@example.org", RESOLVE_UNKNOWN, ""},
    {"not ours", "alice@remote.example", RESOLVE_REMOTE, "a:alice@remote.example "},
    {"below ours", "alice@sub.example.org", RESOLVE_REMOTE, "a:alice@sub.example.org "},
    {"an alias", "sales@example.org", RESOLVE_LOCAL, "m:alice m:bob a:x@remote.example "},
    {"an alias for a mailbox's name", "bob@example.net", RESOLVE_LOCAL, "m:bobnet "},
    {"an alias comes before a mailbox", "twin@example.org", RESOLVE_LOCAL, "m:bob "},
    {"a local part alone", "carol@example.net", RESOLVE_LOCAL, "m:carol "},
    {"detail", "alice+shop@example.org", RESOLVE_LOCAL, "m:alice "},
    {"detail to an alias", "sales+x@example.org", RESOLVE_LOCAL,
	"m:alice m:bob a:x@remote.example "},
    {"a mailbox for a detail", "bob+lists@example.org", RESOLVE_LOCAL, "m:boblists "},
    {"an alias for a detail", "carol+a@example.org", RESOLVE_LOCAL, "m:alice "},
    {"details in targets", "tagged@example.org", RESOLVE_LOCAL, "m:boblists m:bob "},
    {"two separators", "alice+a+b@example.org", RESOLVE_LOCAL, "m:alice "},
    {"only a detail", "+alice@example.org", RESOLVE_UNKNOWN, ""},
    {"a quoted local part", "\"john doe\"@example.org", RESOLVE_LOCAL, "m:john "},
    {"a separator in quotes", "\"alice+ x\"@example.org", RESOLVE_UNKNOWN, ""},
    {"an alias to itself and a copy", "self@example.org", RESOLVE_LOCAL,
	"m:self a:copy@remote.example "},
    {"a bare alias to itself", "self@example.net", RESOLVE_LOCAL, "m:self m:extra "},
    {"a loop", "ring1@example.org", RESOLVE_UNKNOWN, ""},
    {"a loop and a way out", "ring3@example.org", RESOLVE_LOCAL, "m:alice "},
    {"one target is unknown", "half@example.org", RESOLVE_LOCAL, "m:alice "},
    {"all targets are unknown", "none@example.org", RESOLVE_UNKNOWN, ""},
    {"the same target twice", "twice@example.org", RESOLVE_LOCAL,
	"m:alice a:X@remote.example "},
    {"postmaster", "postmaster@example.org", RESOLVE_LOCAL, "m:admin "},
    {"postmaster in any case", "PostMaster@example.net", RESOLVE_LOCAL, "m:admin "},
    {"postmaster with a detail", "postmaster+x@example.org", RESOLVE_LOCAL, "m:admin "},
    {"postmaster without a domain", "Postmaster", RESOLVE_LOCAL, "m:admin "},
    {"postmaster of a domain", "postmaster@mine.example", RESOLVE_LOCAL, "m:bob "},
    {"postmaster's alias leads nowhere", "postmaster@nobody.example", RESOLVE_LOCAL,
	"m:admin "},
    {"postmaster before catch-all", "postmaster@catchall.example", RESOLVE_LOCAL,
	"m:admin "},
    {"postmaster in any case before catch-all", "PostMaster@catchall.example",
	RESOLVE_LOCAL, "m:admin "},
    {"postmaster elsewhere", "postmaster@remote.example", RESOLVE_REMOTE,
	"a:postmaster@remote.example "},
    {"an alias to postmaster", "root@example.org", RESOLVE_LOCAL, "m:admin "},
    {"catch-all", "any.body@catchall.example", RESOLVE_LOCAL, "m:alice "},
    {"catch-all comes last", "known@catchall.example", RESOLVE_LOCAL, "m:bob "},
    {"catch-all after details", "known+x@catchall.example", RESOLVE_LOCAL, "m:bob "},
    {"catch-all into a mailbox", "x@catch.example", RESOLVE_LOCAL, "m:catcher "},
    {"catch-all onto itself", "x@ring.example", RESOLVE_UNKNOWN, ""},
    {"no domain", "alice", RESOLVE_UNKNOWN, ""},
    {"no local part", "@catchall.example", RESOLVE_UNKNOWN, ""},
    {"nothing", "", RESOLVE_UNKNOWN, ""},
    {"two at signs", "\"a@b\"@remote.example", RESOLVE_REMOTE,
	"a:\"a@b\"@remote.example "},
};

static struct table *
parse(struct span text, const struct table_options *options)
{
	struct table *table = NULL;
	struct table_error error;

	if (table_parse(text, options, &table, &error))
		fail_msg("%u:%u: %s", error.line, error.column, error.text);
	return table;
}

static const struct span domains[] = {SPAN("example.org"), SPAN("Example.NET"),
    SPAN("catchall.example"), SPAN("catch.example"), SPAN("ring.example"),
    SPAN("nobody.example"), SPAN("mine.example")};

static void
test_cases(void **state)
{
	struct table *mailboxes = parse(span_str(mailboxes_text), &table_mailboxes);
	struct table *aliases = parse(span_str(aliases_text), &table_aliases);
	const struct resolve_tables tables = {.domains = domains,
	    .domain_count = LEN(domains),
	    .mailboxes = mailboxes,
	    .aliases = aliases,
	    .detail_separator = '+',
	    .postmaster = SPAN("admin")};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct resolve_result result;
		struct buf out;

		buf_init(&out, 10000);
		resolve_address(&tables, span_str(cases[i].address), &result);
		for (size_t j = 0; j < result.target_count; j++)
			buf_addf(&out, "%c:%.*s ",
			    result.targets[j].kind == RESOLVE_MAILBOX ? 'm' : 'a',
			    SPAN_ARGS(result.targets[j].name));
		if (result.verdict != cases[i].verdict ||
		    !span_eq(buf_span(&out), span_str(cases[i].targets)))
			fail_msg("%s: verdict %u, %.*s", cases[i].name, result.verdict,
			    SPAN_ARGS(buf_span(&out)));
		buf_fini(&out);
	}
	table_destroy(mailboxes);
	table_destroy(aliases);
}

static void
test_postmaster_may_be_elsewhere(void **state)
{
	static const struct {
		struct span postmaster;
		enum resolve_verdict verdict;
		const char *target;
	} ways[] = {
	    {SPAN("ops@remote.example"), RESOLVE_LOCAL, "ops@remote.example"},
	    {SPAN("alice@example.org"), RESOLVE_LOCAL, "alice"},
	    {SPAN("postmaster@example.org"), RESOLVE_UNKNOWN, NULL},
	    {SPAN(""), RESOLVE_UNKNOWN, NULL},
	};
	struct table *mailboxes = parse(span_str(mailboxes_text), &table_mailboxes);
	struct table *aliases =
	    parse(SPAN("postmaster@example.net: gone@example.net\n"), &table_aliases);

	(void)state;
	for (size_t i = 0; i < LEN(ways); i++) {
		const struct resolve_tables tables = {.domains = domains,
		    .domain_count = LEN(domains),
		    .mailboxes = mailboxes,
		    .aliases = aliases,
		    .postmaster = ways[i].postmaster};
		struct resolve_result result;

		resolve_address(&tables, SPAN("postmaster@example.org"), &result);
		assert_int_equal(result.verdict, ways[i].verdict);
		if (ways[i].target)
			assert_true(
			    span_eq(result.targets[0].name, span_str(ways[i].target)));
		/* The same past an alias that leads nowhere. */
		resolve_address(&tables, SPAN("postmaster@example.net"), &result);
		assert_int_equal(result.verdict, ways[i].verdict);
		if (ways[i].target)
			assert_true(
			    span_eq(result.targets[0].name, span_str(ways[i].target)));
		/* Without a separator details are part of the name. */
		resolve_address(&tables, SPAN("alice+x@example.org"), &result);
		assert_int_equal(result.verdict, RESOLVE_UNKNOWN);
	}
	table_destroy(mailboxes);
	table_destroy(aliases);
}

/* "0@example.org: 1@example.org", ...: a chain of so many links to a mailbox. */
static enum resolve_verdict
chain_verdict(int links)
{
	struct resolve_tables tables = {.domains = domains, .domain_count = 1};
	struct resolve_result result;
	struct table *aliases;
	struct buf text;

	buf_init(&text, 100000);
	for (int i = 0; i < links - 1; i++)
		buf_addf(&text, "%d@example.org: %d@example.org\n", i, i + 1);
	buf_addf(&text, "%d@example.org: box\n", links - 1);
	aliases = parse(buf_span(&text), &table_aliases);
	tables.aliases = aliases;
	resolve_address(&tables, SPAN("0@example.org"), &result);
	assert_int_equal(result.target_count, result.verdict == RESOLVE_LOCAL);
	table_destroy(aliases);
	buf_fini(&text);
	return result.verdict;
}

/* One alias with so many targets; unknown ones are steps but no targets. */
static enum resolve_verdict
fan_verdict(int count, const char *domain)
{
	struct resolve_tables tables = {.domains = domains, .domain_count = 1};
	struct resolve_result result;
	struct table *aliases;
	struct buf text;

	buf_init(&text, 100000);
	buf_add_str(&text, "a@example.org: box");
	for (int i = 1; i < count; i++)
		buf_addf(&text, ",\n %d@%s", i, domain);
	aliases = parse(buf_span(&text), &table_aliases);
	tables.aliases = aliases;
	resolve_address(&tables, SPAN("a@example.org"), &result);
	table_destroy(aliases);
	buf_fini(&text);
	return result.verdict;
}

static void
test_bounds(void **state)
{
	(void)state;
	assert_int_equal(chain_verdict(1), RESOLVE_LOCAL);
	assert_int_equal(chain_verdict(RESOLVE_DEPTH_MAX), RESOLVE_LOCAL);
	assert_int_equal(chain_verdict(RESOLVE_DEPTH_MAX + 1), RESOLVE_FAIL);
	assert_int_equal(
	    fan_verdict(RESOLVE_TARGETS_MAX, "remote.example"), RESOLVE_LOCAL);
	assert_int_equal(
	    fan_verdict(RESOLVE_TARGETS_MAX + 1, "remote.example"), RESOLVE_FAIL);
	assert_int_equal(
	    fan_verdict(RESOLVE_STEPS_MAX - 1, "example.org"), RESOLVE_LOCAL);
	assert_int_equal(fan_verdict(RESOLVE_STEPS_MAX, "example.org"), RESOLVE_FAIL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_postmaster_may_be_elsewhere),
	    cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
