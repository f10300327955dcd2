/* Reverse-paths with the recipient in them, and back. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "route/verp.h"

#include "base/buf.h"
#include "base/check.h"

static const struct conf_verp usual = {{"home.example", 12}, '+', '='};
static const struct conf_verp other = {{".home.example", 13}, '-', '#'};

static void
assert_text(struct buf *text, const char *wanted)
{
	buf_add_char(text, '\0');
	assert_string_equal(buf_span(text).ptr, wanted);
	buf_reset(text);
}

static void
a_recipient_is_written_and_read(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 1000);
	assert_true(verp_write(
	    &text, &usual, SPAN("list@home.example"), SPAN("ann+x=y@far.example")));
	assert_text(&text, "list+ann+x=y=far.example@home.example");
	assert_true(verp_read(&text, &usual, SPAN("list+ann+x=y=far.example@home.example")));
	assert_text(&text, "ann+x=y@far.example");
	assert_true(verp_write(&text, &other, SPAN("list@a.home.example"), SPAN("a@b.c")));
	assert_text(&text, "list-a#b.c@a.home.example");
	assert_true(verp_read(&text, &other, SPAN("list-a#b.c@a.home.example")));
	assert_text(&text, "a@b.c");
	buf_fini(&text);
}

static void
what_cannot_be_written_is_not(void **state)
{
	static const char *const strange[] = {"", "@", "a@", "@b", "\"a b\"@far.example",
	    "a@[192.0.2.1]", "postmaster", "a@b@far.example"};
	char longer[300];
	struct buf text;

	(void)state;
	buf_init(&text, 1000);
	for (size_t i = 0; i < LEN(strange); i++) {
		assert_false(verp_write(
		    &text, &usual, SPAN("list@home.example"), span_str(strange[i])));
		assert_false(
		    verp_write(&text, &usual, span_str(strange[i]), SPAN("a@far.example")));
	}
	memset(longer, 'a', sizeof(longer));
	memcpy(longer + 250, "@far.example", 12);
	assert_false(
	    verp_write(&text, &usual, SPAN("list@home.example"), span_of(longer, 262)));
	assert_int_equal(text.len, 0);
	buf_fini(&text);
}

static void
what_is_none_is_not_read(void **state)
{
	static const char *const strange[] = {"", "list@home.example", "list+@home.example",
	    "list+ann@home.example", "list+=far.example@home.example",
	    "list+ann=@home.example", "list+ann=far.example", "+"};
	struct buf text;

	(void)state;
	buf_init(&text, 1000);
	for (size_t i = 0; i < LEN(strange); i++)
		assert_false(verp_read(&text, &usual, span_str(strange[i])));
	assert_int_equal(text.len, 0);
	buf_fini(&text);
}

static void
a_sender_is_found(void **state)
{
	struct conf_verp verps[] = {usual, other};
	const struct conf conf = {.verps = verps, .verp_count = LEN(verps)};

	(void)state;
	assert_ptr_equal(verp_find(&conf, SPAN("a@Home.example")), &verps[0]);
	assert_ptr_equal(verp_find(&conf, SPAN("a@x.home.example")), &verps[1]);
	assert_null(verp_find(&conf, SPAN("a@far.example")));
	assert_null(verp_find(&conf, SPAN("")));
	assert_null(verp_find(&conf, SPAN("home.example")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_recipient_is_written_and_read),
	    cmocka_unit_test(what_cannot_be_written_is_not),
	    cmocka_unit_test(what_is_none_is_not_read),
	    cmocka_unit_test(a_sender_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
