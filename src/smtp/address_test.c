/* Addresses: what the grammar lets through, and what it must not. */
#include "smtp/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/check.h"

#define TEN "1234567890"
#define SIXTY TEN TEN TEN TEN TEN TEN
#define LABEL SIXTY "123"

struct row {
	const char *path;
	enum err err;
	const char *whole, *rest;
	const char *flags; /* n null, l literal, u UTF-8 */
};

static const struct row rows[] = {
    {"<a@b>", OK, "a@b", "", ""},
    {"<a@b> SIZE=1", OK, "a@b", " SIZE=1", ""},
    {"<a@b>x", OK, "a@b", "x", ""},
    {"<>", OK, "", "", "n"},
    {"<> X", OK, "", " X", "n"},
    {"<postmaster>", OK, "postmaster", "", ""},
    {"<PostMaster>", OK, "PostMaster", "", ""},
    {"<postmaster@>", ERR_SYNTAX, "", "", ""},
    {"<root>", ERR_SYNTAX, "", "", ""},
    {"<a.b.c@d.e.f>", OK, "a.b.c@d.e.f", "", ""},
    {"<!#$%&'*+-/=?^_`{|}~@b>", OK, "!#$%&'*+-/=?^_`{|}~@b", "", ""},
    {"<.a@b>", ERR_SYNTAX, "", "", ""},
    {"<a.@b>", ERR_SYNTAX, "", "", ""},
    {"<a..b@c>", ERR_SYNTAX, "", "", ""},
    {"<a b@c>", ERR_SYNTAX, "", "", ""},
    {"<a@b c>", ERR_SYNTAX, "", "", ""},
    {"<a@>", ERR_SYNTAX, "", "", ""},
    {"<@b>", ERR_SYNTAX, "", "", ""},
    {"<a@b", ERR_SYNTAX, "", "", ""},
    {"a@b", ERR_SYNTAX, "", "", ""},
    {"", ERR_SYNTAX, "", "", ""},
    {"<", ERR_SYNTAX, "", "", ""},
    {"<a@b@c>", ERR_SYNTAX, "", "", ""},
    {"<a@b.>", ERR_SYNTAX, "", "", ""},
    {"<a@.b>", ERR_SYNTAX, "", "", ""},
    {"<a@b..c>", ERR_SYNTAX, "", "", ""},
    {"<a@-b>", ERR_SYNTAX, "", "", ""},
    {"<a@b->", ERR_SYNTAX, "", "", ""},
    {"<a@b_c>", ERR_SYNTAX, "", "", ""},
    {"<a@x--y.z>", OK, "a@x--y.z", "", ""},
    {"<a<b@c>", ERR_SYNTAX, "", "", ""},
    {"<a,b@c>", ERR_SYNTAX, "", "", ""},
    {"<\"a b\"@c>", OK, "\"a b\"@c", "", ""},
    {"<\"a@>b\"@c>", OK, "\"a@>b\"@c", "", ""},
    {"<\"a\\\"b\"@c>", OK, "\"a\\\"b\"@c", "", ""},
    {"<\"a\\\\\"@c>", OK, "\"a\\\\\"@c", "", ""},
    {"<\"\"@c>", OK, "\"\"@c", "", ""},
    {"<\"a\"b@c>", ERR_SYNTAX, "", "", ""},
    {"<\"a@c>", ERR_SYNTAX, "", "", ""},
    {"<\"a\\\"@c>", ERR_SYNTAX, "", "", ""},
    {"<\"a\rb\"@c>", ERR_SYNTAX, "", "", ""},
    {"<\"a\\\nb\"@c>", ERR_SYNTAX, "", "", ""},
    {"<\"a\tb\"@c>", ERR_SYNTAX, "", "", ""},
    {"<\"a\\\tb\"@c>", ERR_SYNTAX, "", "", ""},
    {"<\"a\x7f\"@c>", ERR_SYNTAX, "", "", ""},
    {"<a\x01@c>", ERR_SYNTAX, "", "", ""},
    /* Source routes. */
    {"<@x:a@b>", OK, "a@b", "", ""},
    {"<@x,@y.z:a@b>", OK, "a@b", "", ""},
    {"<@x,y:a@b>", ERR_SYNTAX, "", "", ""},
    {"<@x a@b>", ERR_SYNTAX, "", "", ""},
    {"<@:a@b>", ERR_SYNTAX, "", "", ""},
    {"<@x:>", ERR_SYNTAX, "", "", ""},
    /* Literals. */
    {"<a@[192.0.2.1]>", OK, "a@[192.0.2.1]", "", "l"},
    {"<a@[IPv6:2001:db8::1]>", OK, "a@[IPv6:2001:db8::1]", "", "l"},
    {"<a@[ipv6:::1]>", OK, "a@[ipv6:::1]", "", "l"},
    {"<a@[IPv6:::ffff:192.0.2.1]>", OK, "a@[IPv6:::ffff:192.0.2.1]", "", "l"},
    {"<a@[2001:db8::1]>", ERR_SYNTAX, "", "", ""},
    {"<a@[IPv6:192.0.2.1]>", ERR_SYNTAX, "", "", ""},
    {"<a@[256.0.0.1]>", ERR_SYNTAX, "", "", ""},
    {"<a@[192.0.2]>", ERR_SYNTAX, "", "", ""},
    {"<a@[]>", ERR_SYNTAX, "", "", ""},
    {"<a@[192.0.2.1>", ERR_SYNTAX, "", "", ""},
    {"<a@[192.0.2.1]x>", ERR_SYNTAX, "", "", ""},
    {"<a@[x:y]>", ERR_SYNTAX, "", "", ""},
    /* UTF-8. */
    {"<j\xc3\xbcrg@b>", OK, "j\xc3\xbcrg@b", "", "u"},
    {"<a@b\xc3\xbc"
     "cher.de>",
	OK,
	"a@b\xc3\xbc"
	"cher.de",
	"", "u"},
    {"<\"\xe2\x82\xac \"@b>", OK, "\"\xe2\x82\xac \"@b", "", "u"},
    {"<\xf0\x9f\x93\xac@b>", OK, "\xf0\x9f\x93\xac@b", "", "u"},
    {"<@\xc3\xbc:a@b>", OK, "a@b", "", ""},
    {"<\xc0\xaf@b>", ERR_SYNTAX, "", "", ""},
    {"<\xe0\x80\xaf@b>", ERR_SYNTAX, "", "", ""},
    {"<\xf0\x80\x80\xaf@b>", ERR_SYNTAX, "", "", ""},
    {"<\xed\xa0\x80@b>", ERR_SYNTAX, "", "", ""},
    {"<\xf4\x90\x80\x80@b>", ERR_SYNTAX, "", "", ""},
    {"<\xf5\x80\x80\x80@b>", ERR_SYNTAX, "", "", ""},
    {"<\xf4\x8f\xbf\xbf@b>", OK, "\xf4\x8f\xbf\xbf@b", "", "u"},
    {"<\xed\x9f\xbf@b>", OK, "\xed\x9f\xbf@b", "", "u"},
    {"<\xc2\xa0@b>", OK, "\xc2\xa0@b", "", "u"},
    {"<\xe2\x82@b>", ERR_SYNTAX, "", "", ""},
    {"<\xe2\x28\xa1@b>", ERR_SYNTAX, "", "", ""},
    {"<a@\xe2\x82>", ERR_SYNTAX, "", "", ""},
    {"<\xc2\x85@b>", ERR_SYNTAX, "", "", ""},
    {"<\xc3@b>", ERR_SYNTAX, "", "", ""},
    {"<\x80@b>", ERR_SYNTAX, "", "", ""},
    {"<\"\\\xc3\xbc\"@b>", ERR_SYNTAX, "", "", ""},
    {"<a@\xff>", ERR_SYNTAX, "", "", ""},
    /* Lengths. */
    {"<" SIXTY "1234@b>", OK, SIXTY "1234@b", "", ""},
    {"<" SIXTY "12345@b>", ERR_TOO_LONG, "", "", ""},
    {"<a@" LABEL ".b>", OK, "a@" LABEL ".b", "", ""},
    {"<a@" LABEL "4.b>", ERR_SYNTAX, "", "", ""},
    {"<a@" LABEL "." LABEL "." LABEL "." LABEL ">", OK,
	"a@" LABEL "." LABEL "." LABEL "." LABEL, "", ""},
    {"<a@" LABEL "." LABEL "." LABEL "." LABEL ".b>", ERR_TOO_LONG, "", "", ""},
};

static void
check_row(const struct row *row)
{
	struct address address;
	struct span rest;
	const char *why = NULL;
	enum err err;

	print_message("%s\n", row->path);
	err = address_parse_path(span_str(row->path), true, true, &address, &rest, &why);
	assert_int_equal(err, row->err);
	if (err) {
		assert_non_null(why);
		return;
	}
	assert_true(span_eq(address.whole, span_str(row->whole)));
	assert_true(span_eq(rest, span_str(row->rest)));
	assert_int_equal(address.is_null, strchr(row->flags, 'n') != NULL);
	assert_int_equal(address.is_literal, strchr(row->flags, 'l') != NULL);
	assert_int_equal(address.is_utf8, strchr(row->flags, 'u') != NULL);
}

static void
paths_follow_the_grammar(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows); i++)
		check_row(&rows[i]);
}

static void
null_and_postmaster_only_where_allowed(void **state)
{
	struct address address;
	struct span rest;
	const char *why = NULL;

	(void)state;
	assert_int_equal(
	    address_parse_path(SPAN("<>"), false, true, &address, &rest, &why),
	    ERR_SYNTAX);
	assert_int_equal(
	    address_parse_path(SPAN("<postmaster>"), true, false, &address, &rest, &why),
	    ERR_SYNTAX);
	assert_int_equal(
	    address_parse_path(SPAN("<a\0@b>"), true, true, &address, &rest, &why),
	    ERR_SYNTAX);
}

static void
mailboxes_have_no_brackets(void **state)
{
	struct address address;
	const char *why = NULL;

	(void)state;
	assert_int_equal(address_parse(SPAN("a.b@c.d"), &address, &why), OK);
	assert_true(span_eq(address.local, SPAN("a.b")));
	assert_true(span_eq(address.domain, SPAN("c.d")));
	assert_int_equal(address_parse(SPAN("<a@b>"), &address, &why), ERR_SYNTAX);
	assert_int_equal(address_parse(SPAN("a@b "), &address, &why), ERR_SYNTAX);
	assert_int_equal(address_parse(SPAN("a@b>"), &address, &why), ERR_SYNTAX);
	assert_int_equal(address_parse(SPAN("@x:a@b"), &address, &why), ERR_SYNTAX);
	assert_int_equal(address_parse(SPAN(""), &address, &why), ERR_SYNTAX);
	assert_int_equal(address_parse(SPAN("\xe2\x82"), &address, &why), ERR_SYNTAX);
	assert_int_equal(address_parse(SPAN("\"a"), &address, &why), ERR_SYNTAX);
	assert_int_equal(address_parse(SPAN("\"a\\"), &address, &why), ERR_SYNTAX);
}

static void
domains_follow_the_grammar(void **state)
{
	static const struct {
		const char *domain;
		bool ascii, utf8;
	} domains[] = {
	    {"a", true, true},
	    {"a.b", true, true},
	    {"1.2", true, true},
	    {"A-1.b", true, true},
	    {"xn--bcher-kva.de", true, true},
	    {"b\xc3\xbc"
	     "cher.de",
		false, true},
	    {"\xc3.de", false, false},
	    {"", false, false},
	    {".", false, false},
	    {"a.", false, false},
	    {".a", false, false},
	    {"a b", false, false},
	    {"a/b", false, false},
	    {"[192.0.2.1]", false, false},
	};

	(void)state;
	for (size_t i = 0; i < LEN(domains); i++) {
		struct span domain = span_str(domains[i].domain);

		print_message("%s\n", domains[i].domain);
		assert_int_equal(
		    address_domain_is_valid(domain, false), domains[i].ascii);
		assert_int_equal(address_domain_is_valid(domain, true), domains[i].utf8);
	}
}

static void
canonical_form_is_what_tables_hold(void **state)
{
	static const struct {
		const char *path, *canonical;
	} forms[] = {
	    {"<Joe@Example.ORG>", "Joe@example.org"},
	    {"<\"joe\"@A>", "joe@a"},
	    {"<\"jo.e\"@A>", "jo.e@a"},
	    {"<\"j\\o\\e\"@A>", "joe@a"},
	    {"<\"j oe\"@A>", "\"j oe\"@a"},
	    {"<\"j\\ oe\"@A>", "\"j oe\"@a"},
	    {"<\"j..e\"@A>", "\"j..e\"@a"},
	    {"<\".\"@A>", "\".\"@a"},
	    {"<\"\"@A>", "\"\"@a"},
	    {"<\"a\\\"\\\\b\"@A>", "\"a\\\"\\\\b\"@a"},
	    {"<\"a@b\"@A>", "\"a@b\"@a"},
	    {"<Postmaster>", "Postmaster"},
	    {"<a@[IPv6:2001:DB8::1]>", "a@[ipv6:2001:db8::1]"},
	    {"<>", ""},
	};
	struct address address;
	struct span rest;
	struct buf out;
	const char *why = NULL;

	(void)state;
	buf_init(&out, ADDRESS_BYTES_MAX);
	for (size_t i = 0; i < LEN(forms); i++) {
		print_message("%s\n", forms[i].path);
		assert_int_equal(address_parse_path(span_str(forms[i].path), true, true,
				     &address, &rest, &why),
		    OK);
		buf_reset(&out);
		address_write_canonical(&out, &address);
		assert_true(span_eq(buf_span(&out), span_str(forms[i].canonical)));
	}
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_follow_the_grammar),
	    cmocka_unit_test(null_and_postmaster_only_where_allowed),
	    cmocka_unit_test(mailboxes_have_no_brackets),
	    cmocka_unit_test(domains_follow_the_grammar),
	    cmocka_unit_test(canonical_form_is_what_tables_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
