/* Notifications: the whole of a small one, and what no input can break. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "mime/dsn.h"
#include "mime/header.h"
#include "replies/catalogue.h"

enum { OUT_BYTES_MAX = 1 << 22 };

static struct dsn_recipient
plain_recipient(void)
{
	return (struct dsn_recipient){
	    .address = SPAN("nobody@example.net"),
	    .status = SPAN("5.1.1"),
	    .code = 550,
	    .remote = SPAN("mx.example.net"),
	    .text = SPAN("<nobody@example.net>:\nno such user"),
	    .last_attempt_wall_ms = 1795489446000,
	    .explanation = "Check the address for typing errors, and send again.",
	};
}

static struct dsn
plain_dsn(const struct dsn_recipient *recipients, size_t count)
{
	return (struct dsn){
	    .hostname = SPAN("mail.example.org"),
	    .to = SPAN("alice@example.org"),
	    .id = SPAN("3k9"),
	    .envelope_helo = SPAN("pc.example.org"),
	    .arrival_wall_ms = 1795489445000,
	    .now_wall_ms = 1795489447000,
	    .unique = 0x1234,
	    .recipients = recipients,
	    .recipient_count = count,
	    .header = SPAN("From: alice@example.org\r\nMessage-ID: <1@x>\r\n"
			   "Subject: =?utf-8?Q?=C3=BC?=\r\n\tfolded\r\n\r\nbody"),
	};
}

static const char plain_want[] =
    "From: Mail delivery <MAILER-DAEMON@mail.example.org>\r\n"
    "To: <alice@example.org>\r\n"
    "Subject: Undelivered mail: nobody@example.net\r\n"
    "Date: Tue, 24 Nov 2026 03:04:07 +0000\r\n"
    "Message-ID: <dsn.0000000000001234@mail.example.org>\r\n"
    "In-Reply-To: <1@x>\r\n"
    "References: <1@x>\r\n"
    "Auto-Submitted: auto-replied\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
    "\tboundary=\"=_report-0000000000001234\"\r\n"
    "\r\n"
    "This is a report about mail, in MIME format.\r\n"
    "\r\n"
    "--=_report-0000000000001234\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n"
    "\r\n"
    "The address nobody@example.net does not exist there. Check the spelling.\r\n"
    "\r\n"
    "nobody@example.net\r\n"
    "  The server mx.example.net said:\r\n"
    "    > 550 5.1.1 <nobody@example.net>:\r\n"
    "    > no such user\r\n"
    "  What to do: Check the address for typing errors, and send again.\r\n"
    "\r\n"
    "This is the mail server mail.example.org. Your message came here on Tue,\r\n"
    "24 Nov 2026 03:04:05 +0000, and its number here was 3k9.\r\n"
    "\r\n"
    "--=_report-0000000000001234\r\n"
    "Content-Type: message/delivery-status\r\n"
    "\r\n"
    "Reporting-MTA: dns; mail.example.org\r\n"
    "X-Postrider-Queue-ID: 3k9\r\n"
    "Received-From-MTA: dns; pc.example.org\r\n"
    "Arrival-Date: Tue, 24 Nov 2026 03:04:05 +0000\r\n"
    "\r\n"
    "Final-Recipient: rfc822; nobody@example.net\r\n"
    "Action: failed\r\n"
    "Status: 5.1.1\r\n"
    "Remote-MTA: dns; mx.example.net\r\n"
    "Diagnostic-Code: smtp; 550 5.1.1 <nobody@example.net>: no such user\r\n"
    "Last-Attempt-Date: Tue, 24 Nov 2026 03:04:06 +0000\r\n"
    "\r\n"
    "--=_report-0000000000001234\r\n"
    "Content-Type: text/rfc822-headers\r\n"
    "\r\n"
    "From: alice@example.org\r\n"
    "Message-ID: <1@x>\r\n"
    "Subject: =?utf-8?Q?=C3=BC?=\r\n"
    " folded\r\n"
    "\r\n"
    "--=_report-0000000000001234--\r\n";

static void
test_a_whole_one(void **state)
{
	struct dsn_recipient recipient = plain_recipient();
	struct dsn dsn = plain_dsn(&recipient, 1);
	struct buf out;

	(void)state;
	buf_init(&out, OUT_BYTES_MAX);
	dsn_write(&out, &dsn);
	buf_add_char(&out, '\0');
	assert_string_equal(out.ptr, plain_want);
	buf_fini(&out);
}

static bool
has(const struct buf *out, struct span text)
{
	return text.len == 0 || memmem(out->ptr, out->len, text.ptr, text.len) != NULL;
}

static const struct {
	const char *name;
	struct dsn_recipient recipient;
	struct span want[3];
} recipients[] = {
    {"a full mailbox", {.address = SPAN("a@b"), .status = SPAN("5.2.2"), .code = 552},
	{SPAN("\r\nThe mailbox a@b is full. Try again in some days"), SPAN("\r\nStatus: 5.2.2\r\n"),
	    SPAN("  The server there said:\r\n    > 552 5.2.2=20\r\n")}},
    {"a policy", {.address = SPAN("a@b"), .status = SPAN("5.7.1"), .code = 550},
	{SPAN("\r\nThe server of a@b refused the message by its own rules.\r\n")}},
    {"a message that proves nothing",
	{.address = SPAN("a@b"), .status = SPAN("5.7.26"), .code = 550},
	{SPAN("\r\nThe server of a@b did not believe that the message comes from you.")}},
    {"an address with blanks", {.address = SPAN("\"a  b\"@c"), .status = SPAN("5.1.1")},
	{SPAN("\r\nThe address \"a=C2=A0=C2=A0b\"@c does not"), SPAN("\r\n\"a  b\"@c\r\n")}},
    {"a code without a status", {.address = SPAN("a@b"), .code = 550, .text = SPAN("no")},
	{SPAN("\r\nThe message to a@b could not be delivered.\r\n"),
	    SPAN("\r\nStatus: 5.0.0\r\n"),
	    SPAN("\r\nDiagnostic-Code: smtp; 550 no\r\n")}},
    {"a status that is none",
	{.address = SPAN("a@b"), .status = SPAN("5.1\r\nX"), .code = 450},
	{SPAN("\r\nStatus: 4.0.0\r\n"), SPAN("> 450 5.1?\?X=20\r\n")}},
    {"expired, after no server answered",
	{.address = SPAN("a@b"), .expired = true, .text = SPAN("connection refused")},
	{SPAN("\r\nThe message to a@b could not be delivered in time, and we stopped\r\n"
	      "trying. Send it again, or reach the person in another way.\r\n"),
	    SPAN("\r\nDiagnostic-Code: X-Postrider; connection refused\r\n"),
	    SPAN("\r\nStatus: 4.4.7\r\n")}},
    {"expired, after a server said no each time",
	{.address = SPAN("a@b"), .expired = true, .code = 450, .status = SPAN("4.2.2")},
	{SPAN("in time, and"), SPAN("\r\nStatus: 4.2.2\r\n"),
	    SPAN("  The server there said:")}},
    {"an address that was another one",
	{.address = SPAN("a@b"), .orcpt = SPAN("list@b"), .code = 550},
	{SPAN(
	    "\r\nOriginal-Recipient: rfc822; list@b\r\nFinal-Recipient: rfc822; a@b\r\n")}},
    {"an address in UTF-8", {.address = SPAN("gr\xc3\xbc+\xe4\xb8\xad@b"), .code = 550},
	{SPAN("\r\nFinal-Recipient: utf-8; gr\\x{FC}\\x{2B}\\x{4E2D}@b\r\n"),
	    SPAN("The message to gr=C3=BC+=E4=B8=AD@b could"),
	    SPAN("\r\nSubject: Undelivered mail\r\n")}},
    {"words that are not ASCII, not UTF-8, not text",
	{.address = SPAN("a@b"),
	    .code = 550,
	    .text = SPAN("\xc3\xbc \xff\xc3 \0\x1b[2J\r\n=\xe2\x80\xae.\r")},
	{SPAN("    > 550 =C3=BC ?? ??[2J\r\n    > =3D?.\r\n"),
	    SPAN("Diagnostic-Code: smtp; 550 ?? ?? [2J =???.\r\n")}},
    {"a long explanation is wrapped",
	{.address = SPAN("a@b"),
	    .code = 550,
	    .explanation = "The quick brown fox jumps over the lazy dog, and then the dog "
			   "over the fox.\n\nSo it goes."},
	{SPAN("\r\n  What to do: The quick brown fox jumps over the lazy dog, and then the\r\n"
	      "  dog over the fox.\r\n\r\n  So it goes.\r\n")}},
};

static void
test_recipients(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(recipients); i++) {
		struct dsn dsn = plain_dsn(&recipients[i].recipient, 1);
		struct buf out;

		buf_init(&out, OUT_BYTES_MAX);
		dsn_write(&out, &dsn);
		assert_true(recipients[i].want[0].len > 0);
		for (size_t j = 0; j < LEN(recipients[i].want); j++) {
			if (!has(&out, recipients[i].want[j]))
				fail_msg("%s: no \"%.*s\" in\n%.*s", recipients[i].name,
				    SPAN_ARGS(recipients[i].want[j]),
				    SPAN_ARGS(buf_span(&out)));
		}
		buf_fini(&out);
	}
}

/* 7bit, CRLF lines of at most 998 octets; the boundary three or four times. */
static void
check_shape(struct span out, struct span boundary, size_t parts)
{
	size_t found = 0, strange = 0;

	while (out.len) {
		struct span line = span_first(out, span_find(out, '\n'));

		assert_true(
		    line.len < out.len && line.len > 0 && line.ptr[line.len - 1] == '\r');
		line.len--;
		assert_true(line.len <= 998);
		for (size_t i = 0; i < line.len; i++)
			strange += !(line.ptr[i] >= ' ' && line.ptr[i] < 127) &&
				   !(line.ptr[i] == '\t' && i == 0);
		if (span_starts(line, SPAN("--")) &&
		    span_starts(span_skip(line, 2), boundary))
			found++;
		out = span_skip(out, line.len + 2);
	}
	assert_int_equal(strange, 0);
	assert_int_equal(found, parts + 1);
}

static void
test_nothing_breaks_its_shape(void **state)
{
	static char bytes[100000];
	static const char *const words[] = {"\r\n--=_report-0000000000001234--\r\n",
	    "\r\n.\r\n", "\n--=_report-0000000000001234\n", "\xff\xfe", "a", "\0", " "};
	struct dsn_recipient many[50];

	(void)state;
	for (size_t i = 0; i < LEN(words); i++) {
		size_t len = strlen(words[i]) ? strlen(words[i]) : 1;
		struct span all = span_of(bytes, sizeof(bytes));
		struct dsn dsn = {.hostname = all,
		    .to = all,
		    .id = all,
		    .envelope_helo = all,
		    .unique = 0x1234,
		    .recipients = many,
		    .recipient_count = LEN(many),
		    .header = all,
		    .language = language_at(0),
		    .now_wall_ms = UINT64_MAX};
		struct buf out;

		for (size_t j = 0; j < sizeof(bytes); j++)
			bytes[j] = words[i][j % len];
		for (size_t j = 0; j < LEN(many); j++)
			many[j] = (struct dsn_recipient){.address = all,
			    .orcpt = all,
			    .expired = j & 1,
			    .status = all,
			    .code = j & 2 ? 550 : 0,
			    .remote = all,
			    .text = all,
			    .explanation = "Nothing.",
			    .last_attempt_wall_ms = 1};
		buf_init(&out, OUT_BYTES_MAX);
		dsn_write(&out, &dsn);
		assert_int_equal(buf_finish(&out), OK);
		check_shape(buf_span(&out), SPAN("=_report-0000000000001234"), 3);
		buf_fini(&out);
	}
}

static const struct {
	const char *header;
	const char *tag;
} languages[] = {
    {"", "en"},
    {"Subject: x\r\n\r\nContent-Language: de\r\n", "en"},
    {"Content-Language: de\r\n\r\n", "de"},
    {"content-language: de-AT\r\n\r\n", "de"},
    {"Content-Language: xx, fr (French), de\r\n\r\n", "de"},
    {"Content-Language: en\r\nAccept-Language: de\r\n\r\n", "en"},
    {"Content-Language: xx\r\nAccept-Language: ja;q=0.5, ru, de;q=0.2\r\n\r\n", "ru"},
    {"Accept-Language: en-US, de\r\n\r\n", "en"},
    {"Content-Language: \xff\x01,,;\r\n\r\n", "en"},
};

static void
test_language_of_a_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(languages); i++)
		assert_string_equal(
		    language_tag(dsn_language(span_str(languages[i].header))), languages[i].tag);
}

/* First in the sender's language, then in English; what was said stands once. */
static void
test_two_languages(void **state)
{
	const struct catalogue_entry *entry = catalogue_find(SPAN("X.1.1"));
	struct dsn_recipient recipient = plain_recipient();
	struct dsn dsn = plain_dsn(&recipient, 1);
	const char *own, *english, *gap, *said;
	char words[60];
	struct buf out;

	(void)state;
	assert_true(language_find(SPAN("de"), &dsn.language));
	recipient.explanation = entry->sender;
	recipient.meaning = entry->meaning;
	buf_init(&out, OUT_BYTES_MAX);
	dsn_write(&out, &dsn);
	buf_add_char(&out, '\0');
	assert_non_null(strstr(out.ptr, "\r\nContent-Type: text/plain; charset=utf-8\r\n"
					"Content-Language: de, en\r\n"));
	own = strstr(out.ptr, "nobody@example.net");
	said = strstr(out.ptr, "    > 550 5.1.1 ");
	gap = strstr(out.ptr, "\r\n* * *\r\n");
	assert_true(own && said && gap && own < said && said < gap);
	english = strstr(gap, "\r\nThe address nobody@example.net does not exist there.");
	assert_non_null(english);
	assert_null(strstr(english, "    > 550"));
	/* What to do stands in English only behind the gap. */
	snprintf(words, sizeof(words), "What to do: %.12s", entry->sender);
	assert_non_null(strstr(gap, words));
	assert_null(memmem(out.ptr, (size_t)(gap - out.ptr), words + 12, strlen(words + 12)));
	/* So does what it means. */
	snprintf(words, sizeof(words), "  %.30s", entry->meaning);
	assert_non_null(strstr(gap, words));
	assert_null(memmem(out.ptr, (size_t)(gap - out.ptr), words, strlen(words)));
	check_shape(span_of(out.ptr, out.len - 1), SPAN("=_report-0000000000001234"), 3);
	buf_fini(&out);
}

static void
test_the_original_header(void **state)
{
	static char header[80 << 10];
	struct dsn_recipient recipient = plain_recipient();
	struct dsn dsn = plain_dsn(&recipient, 1);
	struct buf out;

	(void)state;
	/* One line that has to be folded, then more lines than are shown. */
	memset(header, 'x', sizeof(header));
	for (size_t i = 2000; i + 100 < sizeof(header); i += 100)
		memcpy(header + i, "\r\nA: ", 5);
	dsn.header = span_of(header, sizeof(header));
	buf_init(&out, OUT_BYTES_MAX);
	dsn_write(&out, &dsn);
	check_shape(buf_span(&out), SPAN("=_report-0000000000001234"), 3);
	assert_true(out.len > 60000 && out.len < 68000);

	dsn.header = SPAN("--=_report-0000000000001234\r\n\xc3\xbc: \x01\r\n\r\nbody");
	buf_reset(&out);
	dsn_write(&out, &dsn);
	check_shape(buf_span(&out), SPAN("=_report-0000000000001234"), 3);
	assert_true(
	    has(&out, SPAN("\r\n?-=_report-0000000000001234\r\n??: ?\r\n\r\n--")));

	dsn.header = SPAN("");
	buf_reset(&out);
	dsn_write(&out, &dsn);
	check_shape(buf_span(&out), SPAN("=_report-0000000000001234"), 2);
	assert_false(has(&out, SPAN("References:")));
	buf_fini(&out);
}

static void
test_addresses_of_the_notification(void **state)
{
	struct dsn_recipient two[] = {plain_recipient(), plain_recipient()};
	struct dsn dsn = plain_dsn(two, LEN(two));
	struct buf out;

	(void)state;
	dsn.to = SPAN("\xc3\xbc@x");
	buf_init(&out, OUT_BYTES_MAX);
	dsn_write(&out, &dsn);
	assert_true(has(&out, SPAN("\r\nTo: undisclosed-recipients:;\r\n")));
	assert_true(has(&out,
	    SPAN("\r\nSubject: Undelivered mail: nobody@example.net and 1 more\r\n")));
	check_shape(buf_span(&out), SPAN("=_report-0000000000001234"), 3);
	buf_fini(&out);
}

static void
test_a_full_buffer_is_told(void **state)
{
	struct dsn_recipient recipient = plain_recipient();
	struct dsn dsn = plain_dsn(&recipient, 1);
	struct buf out;

	(void)state;
	buf_init(&out, sizeof(plain_want) - 2);
	dsn_write(&out, &dsn);
	assert_int_equal(buf_finish(&out), ERR_TOO_LONG);
	buf_fini(&out);
}

/* Fields of RFC 3461 and RFC 2852, and what each action is called. */
static void
test_what_else_is_told(void **state)
{
	static const struct {
		enum dsn_action action;
		struct span subject, sentence, field, status;
	} cases[] = {
	    {DSN_DELAYED, SPAN("Subject: Delayed mail: a@b\r\n"), SPAN("we go on trying."),
		SPAN("Action: delayed\r\n"), SPAN("Status: 4.0.0\r\n")},
	    {DSN_DELIVERED, SPAN("Subject: Delivered mail: a@b\r\n"),
		SPAN("The message to a@b has been delivered."), SPAN("Action: delivered\r\n"),
		SPAN("Status: 2.1.5\r\n")},
	    {DSN_RELAYED, SPAN("Subject: Relayed mail: a@b\r\n"),
		SPAN("was handed to the next server"), SPAN("Action: relayed\r\n"),
		SPAN("Status: 2.1.5\r\n")},
	    {DSN_EXPANDED, SPAN("Subject: Mail for several: a@b\r\n"),
		SPAN("The address a@b stands for several."), SPAN("Action: expanded\r\n"),
		SPAN("Status: 2.1.5\r\n")},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct dsn_recipient recipient = {.action = cases[i].action,
		    .address = SPAN("a@b"),
		    .status = SPAN("2.1.5"),
		    .code = 250,
		    .asked_orcpt = SPAN("rfc822;A+2Bx+0D+0AX: y@b+"),
		    .retry_until_wall_ms = 1795489446000};
		struct dsn dsn = plain_dsn(&recipient, 1);
		struct buf out;

		dsn.envid = SPAN("Q+2B1+3D+zz");
		dsn.by_wall_ms = 1795489446000;
		buf_init(&out, OUT_BYTES_MAX);
		dsn_write(&out, &dsn);
		assert_true(has(&out, cases[i].subject));
		assert_true(has(&out, cases[i].sentence));
		assert_true(has(&out, cases[i].field));
		assert_true(has(&out, cases[i].status));
		assert_true(has(&out, SPAN("\r\nOriginal-Envelope-Id: Q+1=+zz\r\n")));
		assert_true(
		    has(&out, SPAN("\r\nOriginal-Recipient: rfc822; A+x?\?X: y@b+\r\n")));
		assert_true(
		    has(&out, SPAN("\r\nDeliver-By-Date: Tue, 24 Nov 2026 03:04:06 +0000\r\n")));
		assert_int_equal(has(&out, SPAN("\r\nWill-Retry-Until: ")),
		    cases[i].action == DSN_DELAYED);
		buf_fini(&out);
	}
}

/* Postmaster is told for whom it is, and of whom. */
static void
test_a_notice_says_that_it_is_one(void **state)
{
	struct dsn_recipient recipient = {.action = DSN_FAILED, .address = SPAN("a@b")};
	struct dsn dsn = plain_dsn(&recipient, 1);
	struct buf out;

	(void)state;
	buf_init(&out, OUT_BYTES_MAX);
	dsn.notice = true;
	dsn.sender = SPAN("me@home.example");
	dsn_write(&out, &dsn);
	assert_true(has(&out, SPAN("Subject: Postmaster notice: Undelivered mail: a@b\r\n")));
	assert_true(has(&out, SPAN("This is a copy for the postmaster. The sender, <me@home.")));
	buf_reset(&out);
	dsn.sender = SPAN("");
	dsn.lost = "it was too large";
	dsn_write(&out, &dsn);
	assert_true(has(&out, SPAN("nobody else could be told. The sender: <>.")));
	assert_true(has(&out, SPAN("it was too large.")));
	buf_fini(&out);
}

static void
test_the_worst_is_the_subject(void **state)
{
	static const struct dsn_recipient expanded[] = {
	    {.action = DSN_DELIVERED, .address = SPAN("a@b")},
	    {.action = DSN_EXPANDED, .address = SPAN("c@d")}};
	struct dsn_recipient three[] = {{.action = DSN_DELIVERED, .address = SPAN("a@b")},
	    {.action = DSN_RELAYED, .address = SPAN("c@d")},
	    {.action = DSN_FAILED, .address = SPAN("e@f")}};
	struct dsn dsn = plain_dsn(three, 3);

	(void)state;
	assert_int_equal(dsn_worst(&dsn), DSN_FAILED);
	dsn.recipient_count = 2;
	assert_int_equal(dsn_worst(&dsn), DSN_RELAYED);
	dsn.recipient_count = 1;
	assert_int_equal(dsn_worst(&dsn), DSN_DELIVERED);
	assert_string_equal(dsn_action_name(dsn_worst(&dsn)), "delivered");
	dsn = plain_dsn((struct dsn_recipient *)expanded, 2);
	assert_string_equal(dsn_action_name(dsn_worst(&dsn)), "expanded");
}

static void
test_the_whole_message_comes_back(void **state)
{
	static const struct span whole = SPAN("Subject: x\r\n\r\n--not the end\r\n\xc3\xbc\r\n");
	struct dsn_recipient recipient = plain_recipient();
	struct dsn dsn = plain_dsn(&recipient, 1);
	struct buf out;

	(void)state;
	assert_true(dsn_takes_whole(&dsn, whole));
	assert_false(dsn_takes_whole(&dsn, SPAN("")));
	assert_false(dsn_takes_whole(&dsn, SPAN("x\r\n--=_report-0000000000001234--\r\n")));
	dsn.whole = whole;
	buf_init(&out, OUT_BYTES_MAX);
	dsn_write(&out, &dsn);
	assert_true(has(&out, SPAN("\r\nContent-Type: message/rfc822\r\n"
				   "Content-Transfer-Encoding: 8bit\r\n\r\nSubject: x\r\n")));
	assert_true(has(&out, SPAN("\r\nContent-Transfer-Encoding: 8bit\r\n"
				   "Content-Type: multipart/report")));
	assert_true(has(&out, whole));
	assert_false(has(&out, SPAN("rfc822-headers")));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_whole_one),
	    cmocka_unit_test(test_recipients),
	    cmocka_unit_test(test_nothing_breaks_its_shape),
	    cmocka_unit_test(test_language_of_a_message),
	    cmocka_unit_test(test_two_languages),
	    cmocka_unit_test(test_the_original_header),
	    cmocka_unit_test(test_addresses_of_the_notification),
	    cmocka_unit_test(test_what_else_is_told),
	    cmocka_unit_test(test_a_notice_says_that_it_is_one),
	    cmocka_unit_test(test_the_worst_is_the_subject),
	    cmocka_unit_test(test_the_whole_message_comes_back),
	    cmocka_unit_test(test_a_full_buffer_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
