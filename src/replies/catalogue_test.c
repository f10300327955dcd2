/*
 * The catalogue: complete for all that this server says and for the codes that
 * the standards know, fit to be shown, and able to tell any two codes apart.
 * The generator refuses what it should.
 */
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "replies/catalogue.h"
#include "replies/reply.h"

enum { TEXT_BYTES_MAX = 1 << 16 };

static void
test_every_reply_has_entries(void **state)
{
	(void)state;
	for (size_t i = 0; i < REPLY_COUNT; i++) {
		char code[4];
		const char *enhanced = reply_enhanced((enum reply_id)i);

		snprintf(code, sizeof(code), "%u", reply_code((enum reply_id)i) % 1000);
		if (!catalogue_find(span_str(code)))
			fail_msg("%s has no entry", code);
		if (*enhanced && !catalogue_find(span_str(enhanced)))
			fail_msg("%s has no entry", enhanced);
	}
}

static void
test_the_codes_of_the_standards(void **state)
{
	struct span rest = SPAN(
	    "211 214 220 221 235 250 251 252 253 334 354 355 421 422 430 432 450 451 452 453 454 "
	    "455 458 459 500 501 502 503 504 521 523 524 525 530 533 534 535 538 550 551 552 553 "
	    "554 555 556");
	static const char *const folklore[] = {"101", "111", "200", "254", "420", "431", "441",
	    "442", "446", "447", "449", "471", "510", "511", "512", "513", "540", "541"};
	/* The last detail of each subject in the registry of IANA: 81 codes. */
	static const unsigned last[] = {0, 10, 4, 6, 7, 6, 10, 30};
	struct span code;
	size_t count = 0;
	size_t basic_entries = 0;
	const struct catalogue_entry *entry;

	(void)state;
	while (span_cut(&rest, ' ', &code)) {
		if (!catalogue_find(code))
			fail_msg("%.*s has no entry", SPAN_ARGS(code));
		count++;
	}
	assert_int_equal(count, 45);
	for (size_t i = 0; (entry = catalogue_at(i)) != NULL; i++)
		basic_entries += strlen(entry->code) == 3 && catalogue_is_standard(entry);
	assert_int_equal(basic_entries, 45);
	for (size_t i = 0; i < LEN(folklore); i++) {
		entry = catalogue_find(span_str(folklore[i]));
		if (!entry || catalogue_is_standard(entry))
			fail_msg("%s: has no entry, or one of a standard", folklore[i]);
	}
	for (unsigned subject = 0; subject < LEN(last); subject++)
		for (unsigned detail = 0; detail <= last[subject]; detail++) {
			char name[16];

			snprintf(name, sizeof(name), "5.%u.%u", subject, detail);
			if (!catalogue_find(span_str(name)))
				fail_msg("%s has no entry", name);
		}
	assert_null(catalogue_at(SIZE_MAX));
}

static void
expect_paragraphs(const char *code, const char *field, const char *text)
{
	size_t bytes = strlen(text);

	if (bytes < 5 || bytes > 1500)
		fail_msg("%s: %s is too short or too long", code, field);
	if (text[bytes - 1] != '.' && text[bytes - 1] != ')' && text[bytes - 1] != '?')
		fail_msg("%s: %s does not end as a sentence", code, field);
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < 0x20 && *at != '\n')
			fail_msg("%s: %s holds a control character", code, field);
	if (strstr(text, "  "))
		fail_msg("%s: %s holds two blanks", code, field);
}

static void
expect_phrase(const char *code, const char *field, const char *text)
{
	size_t bytes = strlen(text);

	if (bytes == 0 || bytes > 200 || text[bytes - 1] == '.' || strchr(text, '\n'))
		fail_msg("%s: %s is no phrase: %s", code, field, text);
}

/* A dialogue in which the server says the code; basic codes have one. */
static void
expect_transcript(const struct catalogue_entry *entry)
{
	struct span text = span_str(entry->transcript), line;
	bool said = false;

	if (entry->code[1] == '.') {
		assert_string_equal(entry->transcript, "");
		return;
	}
	while (text.len && span_cut(&text, '\n', &line)) {
		if (!span_starts_nocase(line, SPAN("C:")) && !span_starts_nocase(line, SPAN("S: ")))
			fail_msg("%s: who says %.*s", entry->code, SPAN_ARGS(line));
		said |= line.ptr[0] == 'S' && memcmp(line.ptr + 3, entry->code, 3) == 0;
	}
	if (!said)
		fail_msg("%s: is not in its transcript", entry->code);
}

static void
test_every_entry_can_be_shown(void **state)
{
	const struct catalogue_entry *entry;
	const char *before = "100";

	(void)state;
	for (size_t i = 0; (entry = catalogue_at(i)) != NULL; i++) {
		bool enhanced = entry->code[1] == '.';
		struct span see = span_str(entry->see);
		struct span code;

		assert_ptr_equal(catalogue_find(span_str(entry->code)), entry);
		assert_true(catalogue_order(span_str(before), span_str(entry->code)) < 0);
		before = entry->code;
		expect_paragraphs(entry->code, "meaning", entry->meaning);
		expect_paragraphs(entry->code, "when", entry->when);
		expect_paragraphs(entry->code, "client", entry->client);
		expect_paragraphs(entry->code, "sender", entry->sender);
		expect_paragraphs(entry->code, "admin", entry->admin);
		expect_paragraphs(entry->code, "developer", entry->developer);
		expect_paragraphs(entry->code, "mistakes", entry->mistakes);
		expect_transcript(entry);
		expect_phrase(entry->code, "name", entry->name);
		expect_phrase(entry->code, "answers", entry->answers);
		expect_phrase(entry->code, "says", entry->says);
		if (enhanced) {
			assert_string_equal(entry->next, "");
			assert_memory_equal(entry->category, entry->code, 4);
		} else {
			expect_phrase(entry->code, "next", entry->next);
			expect_phrase(entry->code, "mail", entry->mail);
			assert_int_equal(entry->category[0], entry->code[0]);
		}
		if (catalogue_is_standard(entry) && !strstr(entry->rfc, "RFC ") &&
		    !strstr(entry->rfc, "IANA"))
			fail_msg("%s names no source", entry->code);
		while (span_cut(&see, ' ', &code))
			if (!catalogue_find(code))
				fail_msg("%s: see %.*s", entry->code, SPAN_ARGS(code));
		/* What is permanent is not repaired by trying again. */
		if (entry->code[0] == '5' || entry->code[0] == '2')
			assert_false(entry->retry);
	}
}

static const struct {
	const char *code;
	const char *entry; /* NULL: none */
	bool retry;
} found[] = {
    {"252", "252", false},
    {"450", "450", true},
    {"432", "432", false},
    {"550", "550", false},
    {"471", "471", true},
    {"472", NULL, true},
    {"571", NULL, false},
    {"4.7.1", "X.7.1", true},
    {"5.7.1", "X.7.1", false},
    {"2.1.5", "X.1.5", false},
    {"X.7.1", "X.7.1", false},
    {"x.7.1", "X.7.1", false},
    {"5.1.10", "X.1.10", false},
    {"5.1.100", NULL, false},
    {"5.7.999", NULL, false},
    {"5.7.1000", NULL, false},
    {"3.7.1", NULL, false},
    {"5.7", NULL, false},
    {"5.7.", NULL, false},
    {"5..1", NULL, false},
    {"5.7.1.1", NULL, false},
    {" 252", NULL, false},
    {"2520", NULL, false},
    {"25", NULL, false},
    {"", NULL, false},
    {"2xx", NULL, false},
};

static void
test_find_and_retry(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(found); i++) {
		const struct catalogue_entry *entry =
		    catalogue_find(span_str(found[i].code));

		if (!entry != !found[i].entry ||
		    (entry && strcmp(entry->code, found[i].entry) != 0))
			fail_msg("%s: found %s", found[i].code,
			    entry ? entry->code : "nothing");
		if (catalogue_retry(span_str(found[i].code)) != found[i].retry)
			fail_msg("%s: retry is wrong", found[i].code);
	}
}

static const char *
compared(struct buf *out, const char *a, const char *b)
{
	buf_reset(out);
	if (catalogue_compare(out, NULL, span_str(a), span_str(b)) || buf_finish(out))
		fail_msg("%s and %s cannot be compared", a, b);
	buf_add_char(out, 0);
	return out->ptr;
}

/* One comparison must be whole, the same both ways, and more than two descriptions. */
static void
expect_comparison(const char *a, const char *b)
{
	const struct catalogue_entry *const entries[] = {
	    catalogue_find(span_str(a)), catalogue_find(span_str(b))};
	struct buf forth;
	struct buf back;
	const char *text;
	size_t gaps = 0;

	buf_init(&forth, TEXT_BYTES_MAX);
	buf_init(&back, TEXT_BYTES_MAX);
	text = compared(&forth, a, b);
	assert_string_equal(text, compared(&back, b, a));
	for (const char *at = text; (at = strstr(at, "\n\n")) != NULL; at += 2)
		gaps++;
	if (gaps != (strcmp(a, b) == 0 ? 0 : CATALOGUE_ASPECT_COUNT - 1))
		fail_msg("%s, %s: %zu paragraphs", a, b, gaps + 1);
	if (strchr(text, '{') || strstr(text, "..\n") || strstr(text, "  "))
		fail_msg("%s, %s: not filled in: %s", a, b, text);
	for (size_t i = 0; i < 2; i++)
		if (strstr(text, entries[i]->meaning) || strstr(text, entries[i]->admin))
			fail_msg("%s, %s: a description pasted", a, b);
	buf_fini(&forth);
	buf_fini(&back);
}

static void
test_any_two_codes_compare(void **state)
{
	const struct catalogue_entry *a;
	const struct catalogue_entry *b;

	(void)state;
	for (size_t i = 0; (a = catalogue_at(i)) != NULL; i++)
		for (size_t j = i; (b = catalogue_at(j)) != NULL; j++) {
			char temporary[16];
			char permanent[16];

			expect_comparison(a->code, b->code);
			if (a->code[0] != 'X')
				continue;
			snprintf(temporary, sizeof(temporary), "4%s", a->code + 1);
			snprintf(permanent, sizeof(permanent), "5%s", b->code + 1);
			expect_comparison(temporary, permanent);
		}
}

static const struct {
	const char *a;
	const char *b;
	const char *says; /* what must be in the text */
} pairs[] = {
    {"220", "250", "opens the conversation"},
    {"220", "252", "nothing to do with each other"},
    {"250", "252", "a shrug"},
    {"251", "252", "251 knows"},
    {"221", "421", "good-bye"},
    {"421", "450", "about the connection"},
    {"421", "451", "ends the session"},
    {"450", "451", "about the recipient"},
    {"450", "550", "One digit"},
    {"452", "552", "\"no room\""},
    {"454", "530", "server's trouble"},
    {"500", "502", "no idea"},
    {"501", "555", "cannot be read"},
    {"521", "554", "never takes mail"},
    {"530", "535", "have not logged in"},
    {"550", "551", "person is elsewhere"},
    {"550", "553", "address itself"},
    {"550", "554", "whole transaction"},
    {"553", "554", "as a whole"},
    {"5.1.1", "5.1.10", "null MX"},
    {"X.1.1", "X.1.10", "null MX"},
    {"5.2.1", "5.2.2", "switched off"},
    {"4.7.0", "5.7.1", "4.7.0 is temporary"},
    {"550", "252", "no answer, 550 is a no"},
    {"5.7.20", "5.7.21", "too weak"},
    {"5.7.20", "5.7.22", "another domain"},
    {"5.7.21", "5.7.22", "its quality"},
    {"5.7.23", "5.7.26", "about SPF alone"},
    {"250", "250", "same code"},
    {"5.1.1", "5.1.1", "same code"},
    {"450", "503", "450 means \"not now\""},
    {"334", "354", "Both wait for more"},
	{"354", "451", "354 says \"go on\", 451 says \"not now\""},
    {"211", "214", "Both report success"},
    {"500", "503", "Both are permanent"},
    {"4.7.1", "5.7.1", "The reason is the same for both"},
    {"4.1.1", "4.1.10", "Both are temporary"},
    {"5.1.1", "5.7.1",
	"5.1.1 belongs to \"addressing\", 5.7.1 to \"security or policy\""},
    {"550", "5.1.1", "the detail that stands behind it"},
    {"450", "5.1.1", "do not go together"},
    {"550", "X.1.1", "Both, where they fit"},
    {"X.2.1", "X.4.1", "for the class to say"},
    {"523", "524", "starts TLS"},
};

static void
test_what_comparisons_say(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, TEXT_BYTES_MAX);
	for (size_t i = 0; i < LEN(pairs); i++)
		if (!strstr(compared(&out, pairs[i].a, pairs[i].b), pairs[i].says))
			fail_msg("%s, %s: %s", pairs[i].a, pairs[i].b, out.ptr);
	assert_null(strstr(compared(&out, "550", "5.1.1"), "do not go together"));
	assert_null(strstr(compared(&out, "4.1.1", "4.1.10"), "null MX\""));
	buf_reset(&out);
	assert_int_equal(
	    catalogue_compare(&out, NULL, SPAN("250"), SPAN("472")), ERR_NOT_FOUND);
	assert_int_equal(
	    catalogue_compare(&out, NULL, SPAN("hello"), SPAN("250")), ERR_NOT_FOUND);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

/* A right catalogue, line by line; the cases below change one of its lines. */
static const char *const right[] = {
    "group: 2xx",
    "name: done",
    "meaning: Done.",
    "says: done",
    "next: goes on",
    "mail: goes on",
    "client: Goes on.",
    "fix: Nothing.", /* 7 */
    "code: 250",
    "name: Ok",
    "answers: all",
    "says: done", /* 11 */
    "next: goes on",
    "mail: goes on",
    "retry: no",
    "rfc: RFC", /* 15 */
    "see: 251",
    "meaning: Done.",
    "when: Often.",
    "client: Goes", /* 19 */
    "    on.",
    "sender: Nothing.",
    "",
    "admin: Nothing.",
    "developer: Nothing.",
    "mistakes: None.",
    "with: none",
    "transcript:",
    "    C: QUIT",
    "    S: 250 Ok",
    "code: 251", /* 30 */
    "name: Ok",
    "answers: all",
    "says: done",
    "next: goes on", /* 34 */
    "mail: goes on",
    "retry: no",
    "rfc: RFC",
    "see: 250", /* 38 */
    "meaning: Done.",
    "when: Often.",
    "client: Goes on.",
    "sender: Nothing.",
    "admin: Nothing.",
    "developer: Nothing.",
    "mistakes: None.",
    "with: none", /* 46 */
    "transcript: S: 251 Ok",
    "pair: 250 251",
    "difference: None.",
    "when: Often.",
    "client: Both.", /* 51 */
    "choose: Any.",
    "keyword: 8BITMIME", /* 53 */
    "name: Eight bits",
    "meaning: Fine.",
    "when: Often.",
    "sender: Nothing.", /* 57 */
    "rfc: none",
    "see: 250",
    "finding: port-shut", /* 60 */
    "severity: error",
    "name: Shut",
    "meaning: It is.",
    "admin: Open it.",
    "rfc: none", /* 65 */
};

static const struct {
	size_t line;
	const char *text;
	const char *fault; /* NULL: none */
} generated[] = {
    {22, "# a comment", NULL},
    {30, "code: 250", ":31: is there already: 250"},
    {30, "code: 25", ":31: malformed code: 25"},
    {30, "code: 351", ":31: has no group: 351"},
    {30, "code: X.1", ":31: malformed code: X.1"},
    {46, "with: 252", ":31: names a code without entry: 252"},
    {9, "title: Ok", ":10: unknown field: title"},
    {9, "choose: Ok", ":10: unknown field: choose"},
    {9, "", ":9: has no field: name"},
    {9, "name:", ":10: has no value: name"},
    {10, "name: Ok", ":11: is given twice: name"},
    {14, "retry: perhaps", ":9: retry is yes or no, not: perhaps"},
    {16, "see: 252", ":9: names a code without entry: 252"},
    {16, "see: 251  250", ":9: malformed list of codes"},
    {16, "see: 250", ":9: names itself: 250"},
    {9, "name Ok", ":10: is no \"key: value\": name Ok"},
    {9, "name: O\tk", ":10: control character"},
    {0, "    on", ":1: goes on with nothing: on"},
    {0, "name: done", ":1: stands before any record: name"},
    {48, "pair: 251 250", ":49: the lower code comes first: 251 250"},
    {48, "pair: 250 252", ":49: names a code without entry: 252"},
    {48, "pair: 250 250", ":49: the lower code comes first: 250 250"},
    {52, "fix: Any.", ":53: unknown field: fix"},
    {60, "keyword: 8bitmime", ":61: is there already: 8bitmime"},
    {60, "finding: 8bitmime", NULL},
    {60, "finding: port shut", ":61: malformed code: port shut"},
    {60, "finding: 60", ":61: malformed code: 60"},
    {60, "reason: port-shut", ":62: unknown field: severity"},
    {61, "severity: fatal", ":61: severity is good, info, warning or error, not: fatal"},
    {61, "", ":61: has no field: severity"},
    {57, "", ":54: has nothing to do for anybody: 8BITMIME"},
    {56, "", ":54: has no field: when"},
    {56, "client: Goes on.", ":57: unknown field: client"},
    {58, "", ":54: has no field: rfc"},
    {59, "see: 250 251", NULL},
    {59, "see: 250 port-open", ":54: names a code without entry: port-open"},
    {59, "see: 8BITMIME", ":54: names itself: 8BITMIME"},
};

/* Runs the generator on a file; the exit status, and what it said. */
static int
generate(char *source, char *target, char *said, size_t said_bytes)
{
	char *const argv[] = {(char[]){"catalogue_gen"}, target, source, NULL};
	posix_spawn_file_actions_t actions;
	int ends[2];
	int status = -1;
	pid_t pid;
	size_t bytes = 0;
	ssize_t count;

	assert_int_equal(pipe(ends), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	assert_int_equal(
	    posix_spawn(&pid, CATALOGUE_GEN, &actions, NULL, argv, (char *[]){NULL}), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	while ((count = read(ends[0], said + bytes, said_bytes - 1 - bytes)) > 0)
		bytes += (size_t)count;
	said[bytes] = 0;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_generator(void **state)
{
	char folder[] = "/tmp/catalogue_test.XXXXXX";
	char source[64];
	char target[64];
	char said[4096];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(source, sizeof(source), "%s/in.txt", folder);
	snprintf(target, sizeof(target), "%s/out.c", folder);
	for (size_t i = 0; i < LEN(generated); i++) {
		const char *fault = generated[i].fault;
		FILE *file = fopen(source, "w");
		int status;

		assert_non_null(file);
		for (size_t line = 0; line < LEN(right); line++)
			fprintf(file, "%s\n",
			    line == generated[i].line ? generated[i].text : right[line]);
		fclose(file);
		status = generate(source, target, said, sizeof(said));
		if (status != (fault ? 1 : 0) || (fault && !strstr(said, fault)))
			fail_msg("line %zu \"%s\": %d, %s", generated[i].line + 1,
			    generated[i].text, status, said);
		/* A faulty text leaves nothing behind that could be compiled. */
		assert_int_equal(access(target, F_OK), fault ? -1 : 0);
		if (!fault)
			unlink(target);
	}
	unlink(source);
	assert_int_equal(generate(source, target, said, sizeof(said)), 1);
	assert_non_null(strstr(said, "cannot be read"));
	rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_reply_has_entries),
	    cmocka_unit_test(test_the_codes_of_the_standards),
	    cmocka_unit_test(test_every_entry_can_be_shown),
	    cmocka_unit_test(test_find_and_retry),
	    cmocka_unit_test(test_any_two_codes_compare),
	    cmocka_unit_test(test_what_comparisons_say),
	    cmocka_unit_test(test_generator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
