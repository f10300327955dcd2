/* Names of mechanisms; PLAIN and LOGIN, step by step. */
#include "sasl/sasl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"

static void
names_are_found(void **state)
{
	struct buf text;

	(void)state;
	for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++)
		assert_int_equal(
		    sasl_mechanism_find(span_str(sasl_mechanism_name(i))), i);
	assert_int_equal(sasl_mechanism_find(SPAN("scram-sha-256")), SASL_SCRAM_SHA_256);
	assert_int_equal(sasl_mechanism_find(SPAN("CRAM-MD5")), SASL_MECHANISM_COUNT);
	assert_int_equal(sasl_mechanism_find(SPAN("")), SASL_MECHANISM_COUNT);
	buf_init(&text, 200);
	sasl_mechanisms_write(&text, SASL_BIT(SASL_LOGIN) | SASL_BIT(SASL_PLAIN));
	assert_true(span_eq(buf_span(&text), SPAN("PLAIN LOGIN")));
	buf_fini(&text);
}

/* NULL where the client answers nothing; "" is an empty answer. */
static const struct {
	const char *name;
	enum sasl_mechanism mechanism;
	struct span answers[3];
	size_t count;
	enum sasl_step end;
	const char *login, *password;
} cases[] = {
    {"PLAIN", SASL_PLAIN, {SPAN("\0ann\0pass word")}, 1, SASL_CHECK_PASSWORD, "ann",
	"pass word"},
    {"PLAIN for itself", SASL_PLAIN, {SPAN("ann\0ann\0p")}, 1, SASL_CHECK_PASSWORD, "ann",
	"p"},
    {"PLAIN for another", SASL_PLAIN, {SPAN("bob\0ann\0p")}, 1, SASL_FAILED, "ann", ""},
    {"PLAIN after a challenge", SASL_PLAIN, {{0}, SPAN("\0ann\0p")}, 2,
	SASL_CHECK_PASSWORD, "ann", "p"},
    {"PLAIN without a login", SASL_PLAIN, {SPAN("\0\0p")}, 1, SASL_FAILED, "", ""},
    {"PLAIN without a password", SASL_PLAIN, {SPAN("\0ann\0")}, 1, SASL_FAILED, "ann",
	""},
    {"PLAIN with one NUL", SASL_PLAIN, {SPAN("ann\0p")}, 1, SASL_MALFORMED, "", ""},
    {"PLAIN with three", SASL_PLAIN, {SPAN("\0ann\0p\0")}, 1, SASL_MALFORMED, "", ""},
    {"PLAIN with a line end in the login", SASL_PLAIN, {SPAN("\0a\nb\0p")}, 1,
	SASL_FAILED, "", ""},
    {"LOGIN", SASL_LOGIN, {{0}, SPAN("ann"), SPAN("p")}, 3, SASL_CHECK_PASSWORD, "ann",
	"p"},
    {"LOGIN at once", SASL_LOGIN, {SPAN("ann"), SPAN("p")}, 2, SASL_CHECK_PASSWORD, "ann",
	"p"},
    {"LOGIN without a name asks on", SASL_LOGIN, {SPAN(""), SPAN("p")}, 2, SASL_FAILED,
	"", ""},
    {"LOGIN without a password", SASL_LOGIN, {SPAN("ann"), SPAN("")}, 2, SASL_FAILED,
	"ann", ""},
    {"LOGIN with a NUL", SASL_LOGIN, {SPAN("a\0b")}, 1, SASL_MALFORMED, "", ""},
};

static void
exchanges_end_as_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		const struct sasl_context context = {.certificate = SPAN("")};
		struct sasl *sasl = sasl_create(cases[i].mechanism, &context);
		struct sasl_out out;
		enum sasl_step step = SASL_CHALLENGE;

		print_message("  %s\n", cases[i].name);
		for (size_t j = 0; j < cases[i].count; j++) {
			assert_int_equal(step, SASL_CHALLENGE);
			step = sasl_take(sasl, cases[i].answers[j].ptr != NULL,
			    cases[i].answers[j], &out);
		}
		assert_int_equal(step, cases[i].end);
		assert_true(span_eq(out.login, span_str(cases[i].login)));
		assert_true(span_eq(out.password, span_str(cases[i].password)));
		assert_int_equal(step == SASL_MALFORMED, out.why != NULL);
		sasl_destroy(sasl);
	}
}

static void
what_is_too_long_fails(void **state)
{
	static const struct sasl_context context = {.certificate = SPAN("")};
	char text[SASL_PASSWORD_BYTES_MAX + 8];
	struct sasl_out out;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "\0ann", 5);
	for (size_t extra = 0; extra < 2; extra++) {
		struct sasl *sasl = sasl_create(SASL_PLAIN, &context);

		assert_int_equal(
		    sasl_take(sasl, true,
			span_of(text, 5 + SASL_PASSWORD_BYTES_MAX + extra), &out),
		    extra ? SASL_FAILED : SASL_CHECK_PASSWORD);
		sasl_destroy(sasl);
	}
	text[4] = 'a';
	for (size_t extra = 0; extra < 2; extra++) {
		struct sasl *sasl = sasl_create(SASL_PLAIN, &context);

		text[1 + SASL_LOGIN_BYTES_MAX + extra] = '\0';
		assert_int_equal(
		    sasl_take(sasl, true, span_of(text, SASL_LOGIN_BYTES_MAX + extra + 6),
			&out),
		    extra ? SASL_FAILED : SASL_CHECK_PASSWORD);
		text[1 + SASL_LOGIN_BYTES_MAX + extra] = 'a';
		sasl_destroy(sasl);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_found),
	    cmocka_unit_test(exchanges_end_as_written),
	    cmocka_unit_test(what_is_too_long_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
