/* Headers as they come from users, in every split, and as they are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"
#include "mime/submission.h"

#define DATE "Date: Tue, 24 Nov 2026 03:04:05 +0000\r\n"
#define MESSAGE_ID "Message-ID: <000102030405060708090a0b0c0d0eff@mail.example.org>\r\n"
#define GIVEN "Date: x\r\nMessage-ID: <y>\r\n" /* nothing is missing but From */

static const struct {
	const char *name;
	const char *message;
	const char *kept; /* NULL: something is wrong */
	const char *told; /* the addresses, or a part of what is wrong */
} cases[] = {
    {"nothing is missing", "From: a@b.example\r\n" GIVEN "\r\nbody",
	"From: a@b.example\r\n" GIVEN "\r\nbody", "a@b.example\n"},
    {"Date and Message-ID are added", "From: a@b.example\r\n\r\nbody",
	"From: a@b.example\r\n" DATE MESSAGE_ID "\r\nbody", "a@b.example\n"},
    {"Date is added", "From: a@b.example\r\nMessage-ID: <y>\r\n\r\n",
	"From: a@b.example\r\nMessage-ID: <y>\r\n" DATE "\r\n", "a@b.example\n"},
    {"never a second Message-ID",
	"FROM : a@b.example\r\nmessage-id\t :\r\n <y>\r\nDATE: x\r\n\r\n",
	"FROM : a@b.example\r\nmessage-id\t :\r\n <y>\r\nDATE: x\r\n\r\n", "a@b.example\n"},
    {"a longer name is another", "From: a@b.example\r\nMessage-IDs: y\r\nX-Date: z\r\n\r\n",
	"From: a@b.example\r\nMessage-IDs: y\r\nX-Date: z\r\n" DATE MESSAGE_ID "\r\n",
	"a@b.example\n"},
    {"Date in the body does not count", "From: a@b.example\r\n\r\nDate: x\r\nBcc: y\r\n",
	"From: a@b.example\r\n" DATE MESSAGE_ID "\r\nDate: x\r\nBcc: y\r\n", "a@b.example\n"},
    {"From is added", GIVEN "\r\nbody", GIVEN "From: <me@b.example>\r\n\r\nbody",
	"me@b.example\n"},
    {"an empty header", "\r\nFrom: a@b.example\r\n",
	"From: <me@b.example>\r\n" DATE MESSAGE_ID "\r\nFrom: a@b.example\r\n", "me@b.example\n"},
    {"no body", "From: a@b.example\r\n", "From: a@b.example\r\n" DATE MESSAGE_ID,
	"a@b.example\n"},
    {"no line end", "From: a@b.example", "From: a@b.example\r\n" DATE MESSAGE_ID,
	"a@b.example\n"},
    {"half a line end", "From: a@b.example\r", "From: a@b.example\r\n" DATE MESSAGE_ID,
	"a@b.example\n"},
    {"nothing at all", "", "From: <me@b.example>\r\n" DATE MESSAGE_ID, "me@b.example\n"},

    {"Bcc goes", "Bcc: c@d.example\r\nFrom: a@b.example\r\n" GIVEN "\r\n",
	"From: a@b.example\r\n" GIVEN "\r\n", "a@b.example\n"},
    {"Bcc in any case, with blanks, folded, again",
	"bcC \t: c@d.example,\r\n e@f.example\r\n\t,g\r\n"
	"From: a@b.example\r\nBCC:\r\n \r\n x\r\n"
	GIVEN "bcc:y\r\n\r\nbody",
	"From: a@b.example\r\n" GIVEN "\r\nbody", "a@b.example\n"},
    {"Resent-Bcc and Return-Path go",
	"From: a@b.example\r\nRESENT-BCC: x\r\n y\r\nreturn-path: <z>\r\n" GIVEN "\r\n",
	"From: a@b.example\r\n" GIVEN "\r\n", "a@b.example\n"},
    {"Bcc last, and no body", "From: a@b.example\r\n" GIVEN "Bcc: x",
	"From: a@b.example\r\n" GIVEN, "a@b.example\n"},
    {"names that only look like it",
	"From: a@b.example\r\nBccs: x\r\nX-Bcc: y\r\nBc: z\r\nTo: Bcc: w\r\n Bcc: v\r\n" GIVEN
	"\r\n",
	"From: a@b.example\r\nBccs: x\r\nX-Bcc: y\r\nBc: z\r\nTo: Bcc: w\r\n Bcc: v\r\n" GIVEN
	"\r\n", "a@b.example\n"},
    {"a bare line end is no line", "From: a@b.example\r\nX: y\nBcc: z\rBcc: z\r\n" GIVEN "\r\n",
	"From: a@b.example\r\nX: y\nBcc: z\rBcc: z\r\n" GIVEN "\r\n", "a@b.example\n"},

    {"several authors, and who sent it",
	"Sender: S <s@b.example>\r\nFrom: a@b.example,\r\n \"C\" <c@d.example>\r\n" GIVEN "\r\n",
	"Sender: S <s@b.example>\r\nFrom: a@b.example,\r\n \"C\" <c@d.example>\r\n" GIVEN "\r\n",
	"a@b.example\nc@d.example\ns@b.example\n"},
    {"resent fields do not count", "Resent-From: x y\r\nFrom: a@b.example\r\n" GIVEN "\r\n",
	"Resent-From: x y\r\nFrom: a@b.example\r\n" GIVEN "\r\n", "a@b.example\n"},

    {"two From", "From: a@b.example\r\nfrom : a@b.example\r\n\r\n", NULL, "two From fields"},
    {"two Sender", "From: a@b.example\r\nSender: a@b.example\r\nSender: a@b.example\r\n\r\n",
	NULL, "two Sender fields"},
    {"two in Sender", "From: a@b.example\r\nSender: a@b.example, c@d.example\r\n\r\n", NULL,
	"Sender names more than one address"},
    {"nobody", "From: nobody:;\r\n\r\n", NULL, "From names no address"},
    {"an empty From", "From:\r\n\r\n", NULL, "From names no address"},
    {"a malformed From", "From: Clark, Ann <a@b.example>\r\n\r\n", NULL,
	"From: a name stands there without an address"},
    {"a line that is no field", "From: a@b.example\r\nhello\r\nBcc: c@d.example\r\n\r\n", NULL,
	"line 2 is neither"},
    {"only text", "hello\r\nworld\r\n", NULL, "line 1 is neither"},
    {"a line of mbox", "From a@b.example Tue Nov 24 2026\r\nFrom: a@b.example\r\n\r\n", NULL,
	"line 1 is neither"},
    {"begins with a blank", " From: a@b.example\r\n\r\n", NULL, "line 1 is neither"},
    {"no name", "From: a@b.example\r\n: x\r\n\r\n", NULL, "line 2 is neither"},
    {"no name, but a colon and another", "From: a@b.example\r\n:Bcc: x\r\n\r\n", NULL,
	"line 2 is neither"},
    {"a name with a blank inside", "From: a@b.example\r\nX: y\r\n z\r\nB cc: x\r\n\r\n", NULL,
	"line 4 is neither"},
    {"a name that is not ASCII", "Fr\xc3\xb6m: a@b.example\r\n\r\n", NULL, "line 1 is neither"},
    {"a CR in a name", "From: a@b.example\r\n\rBcc: x\r\n\r\n", NULL, "line 2 is neither"},
    {"a CR behind a name", "From: a@b.example\r\nBcc\r: x\r\n\r\n", NULL, "line 2 is neither"},
    {"ends in a name", "From: a@b.example\r\nBcc", NULL, "line 2 is neither"},
};

struct told {
	struct buf kept, wrong, addresses;
};

static struct submission_rules
rules_for_tests(void)
{
	struct submission_rules rules = {
	    .hostname = SPAN("mail.example.org"),
	    .author = SPAN("me@b.example"),
	    .wall_ms = UINT64_C(1795489445000),
	};

	for (uint8_t i = 0; i < SUBMISSION_UNIQUE_BYTES; i++)
		rules.unique[i] = i;
	rules.unique[SUBMISSION_UNIQUE_BYTES - 1] = 0xff;
	return rules;
}

static void
take(struct submission *submission, struct span piece, struct buf *kept)
{
	size_t before = kept->len, taken = submission_take(submission, piece, kept);

	assert_true(taken <= piece.len);
	assert_true(kept->len - before <= taken + SUBMISSION_ADDED_BYTES_MAX);
	if (submission_wrong(submission).len == 0)
		buf_add(kept, span_skip(piece, taken));
}

/* The message in two cuts (at == message.len: none), or octet by octet (at > message.len). */
static void
run(const struct submission_rules *rules, struct span message, size_t at, struct told *told)
{
	struct submission *submission = submission_create(rules);

	buf_init(&told->kept, 40000);
	buf_init(&told->wrong, 1000);
	buf_init(&told->addresses, 20000);
	if (at > message.len) {
		for (size_t i = 0; i < message.len; i++)
			take(submission, span_of(message.ptr + i, 1), &told->kept);
	} else {
		take(submission, span_first(message, at), &told->kept);
		take(submission, span_skip(message, at), &told->kept);
	}
	submission_finish(submission, &told->kept);
	buf_add(&told->wrong, submission_wrong(submission));
	buf_add(&told->addresses, submission_addresses(submission));
	submission_destroy(submission);
}

static void
told_fini(struct told *told)
{
	buf_fini(&told->kept);
	buf_fini(&told->wrong);
	buf_fini(&told->addresses);
}

static void
test_cases_in_every_split(void **state)
{
	const struct submission_rules rules = rules_for_tests();

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct span message = span_str(cases[i].message);

		for (size_t at = 0; at <= message.len + 1; at++) {
			struct told told;
			bool good;

			run(&rules, message, at, &told);
			good = cases[i].kept
			    ? told.wrong.len == 0 &&
				span_eq(buf_span(&told.kept), span_str(cases[i].kept)) &&
				span_eq(buf_span(&told.addresses), span_str(cases[i].told))
			    : memmem(buf_span(&told.wrong).ptr, told.wrong.len, cases[i].told,
				  strlen(cases[i].told)) != NULL;
			if (!good)
				fail_msg("%s, cut at %zu: \"%.*s\" \"%.*s\" \"%.*s\"",
				    cases[i].name, at, SPAN_ARGS(buf_span(&told.kept)),
				    SPAN_ARGS(buf_span(&told.addresses)),
				    SPAN_ARGS(buf_span(&told.wrong)));
			told_fini(&told);
		}
	}
}

static void
test_from_is_not_made_up(void **state)
{
	struct submission_rules rules = rules_for_tests();
	struct told told;

	(void)state;
	rules.author = SPAN("");
	run(&rules, SPAN("Subject: x\r\n\r\nbody"), 0, &told);
	assert_true(span_eq(buf_span(&told.wrong), SPAN("there is no From field")));
	told_fini(&told);
}

static void
test_who_vouches(void **state)
{
	static const struct {
		const char *header, *addresses;
	} vouching[] = {
	    {"From: a@b.example\r\n", "a@b.example\n"},
	    {"From: a@b.example\r\nSender: s@b.example\r\n", "s@b.example\n"},
	    {"Sender: s@b.example\r\nResent-From: r@b.example\r\nFrom: a@b.example\r\n",
		"r@b.example\n"},
	    {"Resent-From: r@b.example\r\nResent-Sender: q@b.example\r\n"
	     "Resent-From: old@x.example\r\nResent-Sender: older@x.example\r\n"
	     "From: a@b.example\r\n", "q@b.example\n"},
	};
	struct submission_rules rules = rules_for_tests();

	(void)state;
	rules.sender_vouches = true;
	for (size_t i = 0; i < LEN(vouching); i++) {
		struct told told;

		run(&rules, span_str(vouching[i].header), 0, &told);
		assert_int_equal(told.wrong.len, 0);
		assert_true(
		    span_eq(buf_span(&told.addresses), span_str(vouching[i].addresses)));
		told_fini(&told);
	}
}

/* Bounds: each is told, and the one below it is not. */
static void
test_bounds(void **state)
{
	static const char from[] = "From: a@b.example,\r\n";
	const struct submission_rules rules = rules_for_tests();
	struct buf message;
	struct told told;

	(void)state;
	buf_init(&message, 40000);
	for (size_t extra = 0; extra < 2; extra++) {
		buf_reset(&message);
		buf_add_str(&message, from);
		/* The value begins behind the colon. */
		while (message.len < strlen("From:") + SUBMISSION_FIELD_BYTES_MAX - 2 + extra)
			buf_add_char(&message, ' ');
		buf_add_str(&message, "\r\n" GIVEN "\r\n");
		run(&rules, buf_span(&message), 0, &told);
		assert_int_equal(told.wrong.len > 0, extra);
		told_fini(&told);

		buf_reset(&message);
		while (message.len < SUBMISSION_NAME_BYTES_MAX + extra)
			buf_add_char(&message, 'X');
		buf_add_str(&message, ": y\r\nFrom: a@b.example\r\n\r\n");
		run(&rules, buf_span(&message), 0, &told);
		assert_int_equal(told.wrong.len > 0, extra);
		told_fini(&told);
	}
	/* Other fields are as long as they like, and so is one that goes. */
	buf_reset(&message);
	buf_add_str(&message, "From: a@b.example\r\n" GIVEN "Bcc: ");
	while (message.len < 30000)
		buf_add_str(&message, "x\r\n ");
	buf_add_str(&message, "\r\n\r\nbody");
	run(&rules, buf_span(&message), 50, &told);
	assert_true(span_eq(
	    buf_span(&told.kept), SPAN("From: a@b.example\r\n" GIVEN "\r\nbody")));
	told_fini(&told);
	buf_fini(&message);
}

/* Behind the header nothing is taken, so that a body costs nothing. */
static void
test_body_is_left_alone(void **state)
{
	const struct submission_rules rules = rules_for_tests();
	struct submission *submission = submission_create(&rules);
	struct buf kept;

	(void)state;
	buf_init(&kept, 1000);
	assert_int_equal(submission_take(submission, SPAN("From: a@b.example\r\n\r\nbody"), &kept),
	    strlen("From: a@b.example\r\n\r\n"));
	assert_int_equal(submission_take(submission, SPAN("Bcc: x\r\n"), &kept), 0);
	submission_destroy(submission);
	buf_fini(&kept);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases_in_every_split),
	    cmocka_unit_test(test_from_is_not_made_up),
	    cmocka_unit_test(test_who_vouches),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_body_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
