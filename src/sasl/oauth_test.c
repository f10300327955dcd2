/* Messages with tokens, as clients write them and as they must not. */
#include "sasl/oauth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/check.h"

#define A "\001"

static const struct {
	enum sasl_mechanism mechanism;
	const char *message;
	bool good;
	const char *login, *token;
} messages[] = {
    /* RFC 7628 section 4.1, and as curl writes it */
    {SASL_OAUTHBEARER,
	"n,a=user@example.com," A "host=server.example.com" A "port=143" A
	"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==" A A,
	true, "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="},
    {SASL_OAUTHBEARER, "n,," A "auth=bearer  x" A A, true, "", "x"},
    {SASL_OAUTHBEARER, "y,," A "auth=Bearer x" A A, true, "", "x"},
    {SASL_OAUTHBEARER, "n,," A "auth=" A A, true, "", ""},
    {SASL_OAUTHBEARER, "n,," A A, false, "", ""},
    {SASL_OAUTHBEARER, A, false, "", ""},
    {SASL_OAUTHBEARER, "", false, "", ""},
    {SASL_OAUTHBEARER, "n,,", false, "", ""},
    {SASL_OAUTHBEARER, "p=tls-exporter,," A "auth=Bearer x" A A, false, "", ""},
    {SASL_OAUTHBEARER, "n,b=user," A "auth=Bearer x" A A, false, "", ""},
    {SASL_OAUTHBEARER, "n,a=," A "auth=Bearer x" A A, false, "", ""},
    {SASL_OAUTHBEARER, "n,,auth=Bearer x" A A, false, "", ""},
    {SASL_OAUTHBEARER, "n,," A "auth=Bearer x" A, false, "", ""},
    {SASL_OAUTHBEARER, "n,," A "auth=Bearer x", false, "", ""},
    {SASL_OAUTHBEARER, "n,," A "auth=Bearer x" A A A, false, "", ""},
    {SASL_OAUTHBEARER, "n,," A "auth=Bearer x" A A "auth=Bearer y" A A, false, "", ""},
    {SASL_OAUTHBEARER, "n,," A "auth=Bearer x" A "auth=Bearer y" A A, false, "", ""},
    {SASL_OAUTHBEARER, "n,," A "auth=Basic x" A A, false, "", ""},
    {SASL_OAUTHBEARER, "n,," A "auth=Bearer" A A, false, "", ""},
    {SASL_OAUTHBEARER, "n,," A "auth=Bearer " A A, false, "", ""},
    {SASL_OAUTHBEARER, "n,," A "auth=Bearerx" A A, false, "", ""},
    {SASL_OAUTHBEARER, "n,," A "auth=Bearer x y" A A, false, "", ""},
    {SASL_OAUTHBEARER, "n,," A "auth=Bearer x\n" A A, false, "", ""},
    {SASL_OAUTHBEARER, "n,," A "auth" A A, false, "", ""},
    {SASL_OAUTHBEARER, "n,," A "=x" A "auth=Bearer x" A A, false, "", ""},
    {SASL_XOAUTH2, "user=ann@a.example" A "auth=Bearer x.y-z" A A, true, "ann@a.example",
	"x.y-z"},
    {SASL_XOAUTH2, "auth=Bearer x" A "user=a" A A, true, "a", "x"},
    {SASL_XOAUTH2, "auth=Bearer x" A A, false, "", ""},
    {SASL_XOAUTH2, "user=a" A A, false, "", ""},
    {SASL_XOAUTH2, "user=" A "auth=Bearer x" A A, false, "", ""},
    {SASL_XOAUTH2, "user=a" A "user=b" A "auth=Bearer x" A A, false, "", ""},
    {SASL_XOAUTH2, "n,a=a," A "auth=Bearer x" A A, false, "", ""},
};

static void
messages_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(messages); i++) {
		struct oauth_message parsed;
		bool good = oauth_parse(
		    messages[i].mechanism, span_str(messages[i].message), &parsed);

		print_message("  %s\n", messages[i].message);
		assert_int_equal(good, messages[i].good);
		if (!good)
			continue;
		assert_true(span_eq(parsed.login, span_str(messages[i].login)));
		assert_true(span_eq(parsed.token, span_str(messages[i].token)));
	}
}

static void
a_name_stands_for_a_login(void **state)
{
	static const struct {
		const char *name, *login;
		bool same;
	} rows[] = {{"", "ann", true}, {"ann", "ann", true}, {"Ann", "aNN", true},
	    {"an", "ann", false}, {"annn", "ann", false}, {"a=2Cb=3D", "a,b=", true},
	    {"a=2Cb", "a=2Cb", false}, {"ann", "", false}};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		const struct oauth_message message = {
		    .login = span_str(rows[i].name), .token = SPAN("x")};

		assert_int_equal(
		    oauth_names(&message, span_str(rows[i].login)), rows[i].same);
	}
}

static void
refusals_are_json(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 500);
	oauth_write_refusal(&out, SASL_OAUTHBEARER, SPAN(""));
	buf_add_char(&out, '\n');
	oauth_write_refusal(&out, SASL_OAUTHBEARER, SPAN("mail\"\\x"));
	buf_add_char(&out, '\n');
	oauth_write_refusal(&out, SASL_XOAUTH2, SPAN("mail"));
	assert_true(span_eq(buf_span(&out),
	    SPAN("{\"status\":\"invalid_token\"}\n"
		 "{\"status\":\"invalid_token\",\"scope\":\"mail\\\"\\\\x\"}\n"
		 "{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}")));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(messages_are_read),
	    cmocka_unit_test(a_name_stands_for_a_login),
	    cmocka_unit_test(refusals_are_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
