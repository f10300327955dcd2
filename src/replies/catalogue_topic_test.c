/*
 * The topics: found whatever the case, fit to be shown, and complete for the lists that standards
 * close.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "replies/catalogue.h"

static void
test_find(void **state)
{
	const struct catalogue_topic *topic = catalogue_topic_find(SPAN("starttls"));

	(void)state;
	assert_non_null(topic);
	assert_string_equal(topic->key, "STARTTLS");
	assert_int_equal(topic->kind, CATALOGUE_KEYWORD);
	assert_ptr_equal(catalogue_topic(CATALOGUE_KEYWORD, SPAN("StartTLS")), topic);
	assert_null(catalogue_topic(CATALOGUE_ACTION, SPAN("STARTTLS")));
	assert_non_null(catalogue_topic(CATALOGUE_AUTH_RESULT, SPAN("DKIM=fail")));
	assert_null(catalogue_topic_find(SPAN("")));
	assert_null(catalogue_topic_find(SPAN("STARTTL")));
	assert_null(catalogue_topic_find(SPAN("STARTTLSS")));
	assert_null(catalogue_topic_find(SPAN("252")));
	assert_null(catalogue_topic_at(SIZE_MAX));
}

static void
expect_paragraph(const struct catalogue_topic *topic, const char *field, const char *text)
{
	size_t bytes = strlen(text);

	if (bytes == 0)
		return;
	if (bytes < 5 || bytes > 1200)
		fail_msg("%s: %s is too short or too long", topic->key, field);
	if (!strchr(".)?", text[bytes - 1]))
		fail_msg("%s: %s does not end as a sentence", topic->key, field);
	if (strstr(text, "  ") || strpbrk(text, "{}"))
		fail_msg("%s: %s holds two blanks or a brace", topic->key, field);
}

static void
expect_see(const struct catalogue_topic *topic)
{
	struct span rest = span_str(topic->see), word;

	while (rest.len && span_cut(&rest, ' ', &word))
		if (!catalogue_find(word) && !catalogue_topic_find(word))
			fail_msg("%s: see %.*s", topic->key, SPAN_ARGS(word));
}

static void
expect_transcript(const struct catalogue_topic *topic)
{
	struct span rest = span_str(topic->transcript), line;

	while (rest.len && span_cut(&rest, '\n', &line))
		if (!span_starts(line, SPAN("C: ")) && !span_starts(line, SPAN("S: ")))
			fail_msg("%s: who says %.*s", topic->key, SPAN_ARGS(line));
}

static void
test_every_topic_can_be_shown(void **state)
{
	static const char *const severities[] = {"good", "info", "warning", "error"};
	const struct catalogue_topic *topic;
	size_t counts[CATALOGUE_KIND_COUNT] = {0};
	enum catalogue_kind before = CATALOGUE_KEYWORD;

	(void)state;
	for (size_t i = 0; (topic = catalogue_topic_at(i)) != NULL; i++) {
		size_t severity = 0;

		assert_ptr_equal(catalogue_topic(topic->kind, span_str(topic->key)), topic);
		assert_true(topic->kind >= before);
		before = topic->kind;
		counts[topic->kind]++;
		if (!*topic->name || strlen(topic->name) > 90 || strchr(topic->name, '\n') ||
		    topic->name[strlen(topic->name) - 1] == '.')
			fail_msg("%s: its name is no title: %s", topic->key, topic->name);
		assert_true(*topic->meaning);
		expect_paragraph(topic, "meaning", topic->meaning);
		expect_paragraph(topic, "when", topic->when);
		expect_paragraph(topic, "sender", topic->sender);
		expect_paragraph(topic, "admin", topic->admin);
		expect_paragraph(topic, "developer", topic->developer);
		expect_transcript(topic);
		expect_see(topic);
		if (strcmp(topic->rfc, "none") != 0 && !strstr(topic->rfc, "RFC ") &&
		    !strstr(topic->rfc, "draft-"))
			fail_msg("%s names no source: %s", topic->key, topic->rfc);
		while (severity < LEN(severities) &&
		       strcmp(topic->severity, severities[severity]) != 0)
			severity++;
		assert_int_equal(topic->kind == CATALOGUE_FINDING, severity < LEN(severities));
	}
	for (unsigned kind = 0; kind < CATALOGUE_KIND_COUNT; kind++)
		assert_true(counts[kind] > 0);
}

/* Each with all its keys: no more, no fewer. */
static const struct {
	enum catalogue_kind kind;
	const char *prefix; /* of each key */
	const char *keys;
} lists[] = {
    {CATALOGUE_ACTION, "", "failed delayed delivered relayed expanded"},
    {CATALOGUE_TLS_RESULT, "",
	"starttls-not-supported certificate-host-mismatch certificate-expired "
	"certificate-not-trusted validation-failure tlsa-invalid dnssec-invalid dane-required "
	"sts-policy-fetch-error sts-policy-invalid sts-webpki-invalid"},
    {CATALOGUE_AUTH_RESULT, "spf=",
	"none pass fail softfail neutral policy temperror permerror"},
    {CATALOGUE_AUTH_RESULT, "dkim=", "none pass fail policy neutral temperror permerror"},
    {CATALOGUE_AUTH_RESULT, "dmarc=", "none pass fail temperror permerror bestguesspass"},
    {CATALOGUE_AUTH_RESULT, "arc=", "none pass fail"},
    {CATALOGUE_AUTH_RESULT, "auth=", "none pass fail temperror permerror"},
    {CATALOGUE_AUTH_RESULT, "iprev=", "pass fail temperror permerror"},
    {CATALOGUE_AUTH_RESULT, "dnswl=", "none pass temperror permerror"},
    {CATALOGUE_AUTH_RESULT, "compauth=", "pass softpass fail none"},
    {CATALOGUE_KEYWORD, "",
	"8BITMIME ATRN AUTH BINARYMIME BODY BURL CHECKPOINT CHUNKING CONNEG CONPERM DELIVERBY DSN "
	"ENHANCEDSTATUSCODES ENVID ETRN EXPN FUTURERELEASE HELP LIMITS MT-PRIORITY MTRK "
	"NO-SOLICITING NOTIFY ONEX ORCPT PIPELINING PIPECONNECT PRDR REQUIRETLS RET RRVS SAML "
	"SEND SIZE SMTPUTF8 SOML STARTTLS SUBMITTER TURN UTF8SMTP VERB VRFY X-ANONYMOUSTLS "
	"X-EXPS X-LINK2STATE XCLIENT XEXCH50 XFORWARD XRDST XVERP"},
};

static void
test_the_lists_are_complete(void **state)
{
	size_t counts[CATALOGUE_KIND_COUNT] = {0};
	const struct catalogue_topic *topic;

	(void)state;
	for (size_t i = 0; i < LEN(lists); i++) {
		struct span rest = span_str(lists[i].keys), word;

		while (rest.len && span_cut(&rest, ' ', &word)) {
			char key[64];

			(void)snprintf(
			    key, sizeof(key), "%s%.*s", lists[i].prefix, SPAN_ARGS(word));
			if (!catalogue_topic(lists[i].kind, span_str(key)))
				fail_msg("%s has no entry", key);
			counts[lists[i].kind]++;
		}
	}
	for (size_t i = 0; (topic = catalogue_topic_at(i)) != NULL; i++)
		if (topic->kind < CATALOGUE_REASON)
			counts[topic->kind]--;
	for (unsigned kind = 0; kind < CATALOGUE_REASON; kind++)
		assert_int_equal(counts[kind], 0);
}

static void
test_kinds_have_names(void **state)
{
	(void)state;
	assert_string_equal(catalogue_kind_key(CATALOGUE_AUTH_RESULT), "auth-result");
	for (unsigned kind = 0; kind < CATALOGUE_KIND_COUNT; kind++) {
		assert_true(*catalogue_kind_key((enum catalogue_kind)kind));
		assert_true(*word_english(catalogue_kind_word((enum catalogue_kind)kind)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_every_topic_can_be_shown),
	    cmocka_unit_test(test_the_lists_are_complete),
	    cmocka_unit_test(test_kinds_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
