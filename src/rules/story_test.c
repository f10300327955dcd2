#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/check.h"
#include "rules/story.h"

enum { FILE_BYTES_MAX = 1 << 20 };

static char *
read_file(const char *name, size_t *bytes)
{
	char path[1024];
	char *text = malloc(FILE_BYTES_MAX);
	FILE *file;

	assert_non_null(text);
	assert_true(snprintf(path, sizeof(path), "%s/test/bounces/%s", TEST_SOURCE_DIR, name) <
		    (int)sizeof(path));
	file = fopen(path, "rb");
	if (!file)
		print_error("%s cannot be opened\n", path);
	assert_non_null(file);
	*bytes = fread(text, 1, FILE_BYTES_MAX - 1, file);
	text[*bytes] = '\0';
	fclose(file);
	return text;
}

/* Whether a story has a recipient with all that is expected of it. */
static bool
has(const struct story *story, const char *address, const char *outcome, const char *decider,
    const char *reason)
{
	for (size_t i = 0; i < story->rcpt_count; i++) {
		const struct story_rcpt *rcpt = &story->rcpts[i];
		struct span wanted = strcmp(address, "-") == 0 ? SPAN("") : span_str(address);

		if (span_eq(rcpt->address, wanted) &&
		    strcmp(story_outcome_name(rcpt->outcome), outcome) == 0 &&
		    strcmp(story_decider_name(rcpt->decider), decider) == 0 &&
		    strcmp(story_reason_key(rcpt), reason) == 0)
			return true;
	}
	return false;
}

static void
print_story(const struct story *story)
{
	for (size_t i = 0; i < story->rcpt_count; i++) {
		const struct story_rcpt *rcpt = &story->rcpts[i];

		print_error("  has %.*s %s %s %s: %.*s\n", SPAN_ARGS(rcpt->address),
		    story_outcome_name(rcpt->outcome), story_decider_name(rcpt->decider),
		    story_reason_key(rcpt), SPAN_ARGS(rcpt->said));
	}
}

static void
each_bounce_tells_what_is_expected(void **state)
{
	size_t bytes, count = 0, wrong = 0;
	char *text = read_file("expected.txt", &bytes);
	struct span rest = span_of(text, bytes), line;

	(void)state;
	while (span_cut(&rest, '\n', &line)) {
		char row[512], name[128], address[128], outcome[32], decider[32], reason[64];
		struct story story;
		char *bounce;
		size_t size;

		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		(void)snprintf(row, sizeof(row), "%.*s", SPAN_ARGS(line));
		assert_int_equal(sscanf(row, "%127s %127s %31s %31s %63s", name, address, outcome,
				     decider, reason), 5);
		bounce = read_file(name, &size);
		story_read(&story, span_of(bounce, size));
		count++;
		if (!has(&story, address, outcome, decider, reason)) {
			print_error("%s lacks: %s %s %s %s\n", name, address, outcome, decider,
			    reason);
			print_story(&story);
			wrong++;
		}
		story_fini(&story);
		free(bounce);
	}
	free(text);
	assert_int_equal(wrong, 0);
	assert_true(count >= 40);
}

/* The page of a text, in a language; for free. */
static char *
page_of(const char *input, const char *tag)
{
	struct story story;
	struct buf out;
	struct page page = {.out = &out, .width = PAGE_WIDTH};
	char *text;

	buf_init(&out, 1 << 20);
	assert_true(language_find(span_str(tag), &page.language));
	story_read(&story, span_str(input));
	story_page(&page, &story);
	story_fini(&story);
	text = malloc(out.len + 1);
	assert_non_null(text);
	memcpy(text, buf_span(&out).ptr, out.len);
	text[out.len] = '\0';
	buf_fini(&out);
	return text;
}

static void
assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		print_error("\"%s\" is not in:\n%s\n", part, text);
	assert_non_null(strstr(text, part));
}

static void
a_page_tells_all(void **state)
{
	static const char fields[] =
	    "Final-Recipient: rfc822; bob@example.net\nAction: delayed\nStatus: 4.2.2\n"
	    "Remote-MTA: dns; mx.example.net\nDiagnostic-Code: smtp; 452 4.2.2 Mailbox full\n"
	    "Will-Retry-Until: Tue, 1 Dec 2026 10:00:00 +0000\n";
	char *text = page_of(fields, "en");

	(void)state;
	assert_has(text, "bob@example.net: The mailbox is full");
	assert_has(text, "is not delivered yet. The receiving server\n  mx.example.net decided");
	assert_has(text, "452 4.2.2 Mailbox full");
	assert_has(text, "It is tried again by itself until Tue, 1 Dec 2026 10:00:00 +0000");
	assert_has(text, "Sender: Tell the person");
	assert_has(text, "Administrator: Go on trying");
	assert_has(text, "A rule for Many servers knows these words");
	free(text);
}

static void
words_that_no_rule_knows_are_told_by_their_codes(void **state)
{
	char *text = page_of("550 5.1.3 xyzzy", "en");

	(void)state;
	assert_has(text, "No rule knows these words.");
	assert_has(text, "550 5.1.3 xyzzy");
	assert_has(text, "5.1.3");
	free(text);
}

static void
a_peer_cannot_write_to_the_terminal(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	story_add_said(&out, SPAN("a\x1b[2J\nb\x9b\xc3\xbc\xc3\x7f"));
	assert_int_equal(buf_span(&out).len, strlen("a\\x1b[2J\nb\\x9b\xc3\xbc\\xc3\\x7f"));
	assert_memory_equal(
	    buf_span(&out).ptr, "a\\x1b[2J\nb\\x9b\xc3\xbc\\xc3\\x7f", buf_span(&out).len);
	buf_fini(&out);
}

static void
garbage_is_no_story(void **state)
{
	static const char *const inputs[] = {"", "\n\n", "hello there", "\x01\x02\xff",
	    "Subject: hi\n\nDinner at eight?\n", "999 what", "http://example.net/"};

	(void)state;
	for (size_t i = 0; i < LEN(inputs); i++) {
		struct story story;

		story_read(&story, span_str(inputs[i]));
		if (story.kind != STORY_NOTHING)
			print_story(&story);
		assert_int_equal(story.kind, STORY_NOTHING);
		assert_int_equal(story.rcpt_count, 0);
		story_fini(&story);
	}
}

static void
recipients_are_bounded(void **state)
{
	struct buf text;
	struct story story;

	(void)state;
	buf_init(&text, 1 << 20);
	buf_add_str(&text, "Reporting-MTA: dns; mx.example.org\n\n");
	for (unsigned i = 0; i < 250; i++)
		buf_addf(&text, "Final-Recipient: rfc822; u%u@example.net\nAction: failed\n\n", i);
	story_read(&story, buf_span(&text));
	assert_int_equal(story.rcpt_count, STORY_RCPTS_MAX);
	assert_int_equal(story.more, 150);
	story_fini(&story);
	buf_fini(&text);
}

/* What the queue knows is told too: when, how often, by whom the sender was told. */
static void
our_own_are_told(void **state)
{
	struct story_rcpt rcpt = {.address = SPAN("bob@example.net"),
	    .outcome = STORY_DELAYED,
	    .said = SPAN("cannot connect: connection refused"),
	    .next_wall_ms = 1764230400000,
	    .tries = 3};
	struct story story;
	struct buf out;
	struct page page = {.out = &out, .width = PAGE_WIDTH};

	(void)state;
	buf_init(&out, 1 << 16);
	story_init(&story, STORY_OWN);
	story_add(&story, &rcpt);
	assert_int_equal(story.rcpts[0].decider, STORY_BY_NETWORK);
	story_page(&page, &story);
	buf_add_char(&out, '\0');
	assert_has(out.ptr, "The next try is due at 2025-11-27T08:00:00Z.");
	assert_has(out.ptr, "It was tried so often: 3.");
	buf_fini(&out);
	story_fini(&story);
}

/* What arrived is told by what became of it: its code says nothing ("Other undefined status"). */
static void
what_arrived_is_named(void **state)
{
	static const struct {
		enum story_outcome outcome;
		const char *title;
	} cases[] = {{STORY_DELIVERED, "bob@example.net: The message is in the mailbox"},
	    {STORY_RELAYED, "bob@example.net: Handed on to a server that reports nothing back"}};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct story_rcpt rcpt = {.address = SPAN("bob@example.net"),
		    .outcome = cases[i].outcome,
		    .code = 250,
		    .status = "2.0.0"};
		struct story story;
		struct buf out;
		struct page page = {.out = &out, .width = PAGE_WIDTH};

		buf_init(&out, 1 << 16);
		story_init(&story, STORY_OWN);
		story_add(&story, &rcpt);
		story_page(&page, &story);
		buf_add_char(&out, '\0');
		assert_memory_equal(out.ptr, cases[i].title, strlen(cases[i].title));
		assert_has(out.ptr, "Nothing needs to be done.");
		buf_fini(&out);
		story_fini(&story);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_bounce_tells_what_is_expected),
	    cmocka_unit_test(a_page_tells_all),
	    cmocka_unit_test(words_that_no_rule_knows_are_told_by_their_codes),
	    cmocka_unit_test(a_peer_cannot_write_to_the_terminal),
	    cmocka_unit_test(garbage_is_no_story),
	    cmocka_unit_test(recipients_are_bounded),
	    cmocka_unit_test(our_own_are_told),
	    cmocka_unit_test(what_arrived_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
