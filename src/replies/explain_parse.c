/*
 * What a question is about.  Whoever asks pastes what is at hand: a code, a keyword, a reply of
 * several lines, a whole line of some server's log, a header.  A reply at the beginning is taken
 * for certain; elsewhere the best place that looks like one is taken.
 */
#include "replies/explain.h"

#include <stdio.h>

#include "base/check.h"
#include "replies/reply.h"

enum { LINES_MAX = 200, WORD_BYTES_MAX = 64 };

static void
code_fill(struct explain_code *code, const char *class, const char *subject)
{
	struct span name = span_str(code->name);

	code->entry = catalogue_find(name);
	code->class = catalogue_group(span_str(class));
	code->subject = catalogue_group(span_str(subject));
	code->retry = catalogue_retry(name);
}

static void
basic_fill(struct explain_code *code, struct span digits)
{
	char class[] = {digits.ptr[0], 'x', 'x', 0};
	char subject[] = {'x', digits.ptr[1], 'x', 0};

	memcpy(code->name, digits.ptr, 3);
	code_fill(code, class, subject);
}

static void
status_fill(struct explain_code *code, char class, const unsigned short parts[3])
{
	char class_name[] = {class, '.', 'x', '.', 'x', 0};
	char subject[EXPLAIN_CODE_BYTES];

	check(parts[1] <= 999 && parts[2] <= 999);
	(void)snprintf(code->name, sizeof(code->name), "%c.%u.%u", class,
	    parts[1] % 1000u, parts[2] % 1000u);
	(void)snprintf(subject, sizeof(subject), "X.%u.x", parts[1] % 1000u);
	code_fill(code, class_name, subject);
}

/* "5.1.1", "X.1.1", each perhaps with text behind it. */
static bool
cut_status(struct span *text, struct explain_code *code)
{
	char copy[EXPLAIN_CODE_BYTES];
	struct span word = span_first(*text, span_find(*text, ' '));
	unsigned short parts[3];
	char class = text->len ? ascii_upper(text->ptr[0]) : 0;

	if (word.len == 0 || word.len > sizeof(copy))
		return false;
	memcpy(copy, word.ptr, word.len);
	if (class == 'X')
		copy[0] = '5';
	word.ptr = copy;
	if (!reply_status_cut(&word, parts) || word.len)
		return false;
	status_fill(code, class, parts);
	*text = span_trim(span_skip(*text, span_find(*text, ' ')));
	return true;
}

static bool
is_basic(struct span text)
{
	uint64_t value;

	return text.len >= 3 && span_u64(span_first(text, 3), 599, &value) &&
	       value >= 100 &&
	       (text.len == 3 || text.ptr[3] == ' ' || text.ptr[3] == '-');
}

static void
add_topic(struct explain *explain, const struct catalogue_topic *topic)
{
	for (size_t i = 0; i < explain->topic_count; i++)
		if (explain->topics[i] == topic)
			return;
	if (explain->topic_count < EXPLAIN_TOPICS_MAX)
		explain->topics[explain->topic_count++] = topic;
}

/* Of each kind: one word may be the key of several. */
static bool
add_key(struct explain *explain, struct span key)
{
	bool found = false;

	for (unsigned kind = 0; kind < CATALOGUE_KIND_COUNT; kind++) {
		const struct catalogue_topic *topic =
		    catalogue_topic((enum catalogue_kind)kind, key);

		if (topic)
			add_topic(explain, topic);
		found |= topic != NULL;
	}
	return found;
}

/* The word at the beginning of text, as it stands between blanks and the like. */
static struct span
first_word(struct span text)
{
	size_t bytes = 0;

	while (bytes < text.len && bytes <= WORD_BYTES_MAX && text.ptr[bytes] &&
	       !strchr(" \t\r,;:()<>\"'", text.ptr[bytes]))
		bytes++;
	return span_first(text, bytes);
}

/* "SIZE 35882577": a line that EHLO was answered with begins with the keyword, in capitals. */
static bool
add_keyword(struct explain *explain, struct span line)
{
	struct span word = first_word(line);
	const struct catalogue_topic *topic = catalogue_topic(CATALOGUE_KEYWORD, word);

	if (!topic || !span_eq(word, span_str(topic->key)))
		return false;
	add_topic(explain, topic);
	return true;
}

/* What cannot be another word: "spf=fail", "sts-policy-invalid". */
static void
add_words(struct explain *explain, struct span line)
{
	while (line.len) {
		struct span word = first_word(line);
		const struct catalogue_topic *result =
		    catalogue_topic(CATALOGUE_AUTH_RESULT, word);

		if (!result)
			result = catalogue_topic(CATALOGUE_TLS_RESULT, word);
		if (result)
			add_topic(explain, result);
		line = span_skip(line, word.len + 1);
	}
}

static bool
is_boundary(struct span line, size_t at)
{
	return at == 0 || (line.ptr[at - 1] && strchr(" \t(:\"'=<[,;#", line.ptr[at - 1]));
}

static bool
stands_behind(struct span line, size_t at, struct span word)
{
	return at >= word.len && span_eq(span_of(line.ptr + at - word.len, word.len), word);
}

/* How much like a reply the text at a place looks; 0: not at all. */
static unsigned
basic_likeness(struct span line, size_t at)
{
	struct span text = span_skip(line, at);
	struct span rest = span_skip(text, 4);
	unsigned short parts[3];

	if (!is_boundary(line, at) || !is_basic(text) || text.ptr[0] < '2')
		return 0;
	if (reply_status_cut(&rest, parts) && parts[0] == (unsigned)(text.ptr[0] - '0'))
		return 4;
	if (stands_behind(line, at, SPAN("code=")) || stands_behind(line, at, SPAN("reply=")))
		return 3;
	if (!catalogue_find(span_first(text, 3)))
		return 0;
	if (stands_behind(line, at, SPAN("said: ")))
		return 3;
	return stands_behind(line, at, SPAN(": ")) || stands_behind(line, at, SPAN("\"")) ? 2 : 0;
}

/* "5.1.1" and what may stand behind it. */
static struct span
status_text(struct span line, size_t at)
{
	size_t bytes = at;

	while (bytes < line.len && (ascii_is_digit(line.ptr[bytes]) || line.ptr[bytes] == '.'))
		bytes++;
	if (bytes < line.len && ascii_is_alpha(line.ptr[bytes]))
		return SPAN("");
	return span_first(span_skip(line, at), bytes - at);
}

static unsigned
status_likeness(struct span line, size_t at)
{
	struct span text, rest;
	unsigned short parts[3];

	if (!is_boundary(line, at) || !strchr("245", line.ptr[at]))
		return 0;
	text = rest = status_text(line, at);
	if (!reply_status_cut(&rest, parts) || rest.len)
		return 0;
	if (stands_behind(line, at, SPAN("dsn=")) || stands_behind(line, at, SPAN("status=")) ||
	    stands_behind(line, at, SPAN("#")))
		return 2;
	return catalogue_find(text) ? 1 : 0;
}

/* Postfix says behind a reply to which command it was. */
static struct span
without_context(struct span text)
{
	static const char context[] = " (in reply to";
	const char *end = memmem(text.ptr, text.len, context, sizeof(context) - 1);

	return span_trim(end ? span_first(text, (size_t)(end - text.ptr)) : text);
}

/* Takes the place in a line that looks most like a reply; false where none does. */
static bool
find_reply(struct explain *explain, struct span line)
{
	size_t basic_at = 0, status_at = 0;
	unsigned basic = 0, status = 0;
	struct span text;

	for (size_t at = 0; at < line.len; at++) {
		unsigned likeness;

		if (!ascii_is_digit(line.ptr[at]))
			continue;
		likeness = basic_likeness(line, at);
		if (likeness > basic) {
			basic = likeness;
			basic_at = at;
		}
		likeness = status_likeness(line, at);
		if (likeness > status) {
			status = likeness;
			status_at = at;
		}
	}
	if (basic) {
		text = span_skip(line, basic_at);
		basic_fill(&explain->basic, text);
		text = span_skip(text, 4);
		if (!cut_status(&text, &explain->status) && status == 2 &&
		    line.ptr[status_at] == line.ptr[basic_at]) {
			text = status_text(line, status_at);
			(void)cut_status(&text, &explain->status);
		}
	} else if (status) {
		text = status_text(line, status_at);
		(void)cut_status(&text, &explain->status);
	}
	if (basic || status)
		explain->reply = explain->found =
		    without_context(span_skip(line, basic ? basic_at : status_at));
	return basic || status;
}

/* A reply or a part of one at the very beginning. */
static bool
take_reply(struct explain *explain, struct span text, struct span question)
{
	if (is_basic(text)) {
		basic_fill(&explain->basic, text);
		text = span_skip(text, 4);
		explain->reply = question;
		if (cut_status(&text, &explain->status))
			explain->clash =
			    explain->status.class &&
			    explain->status.name[0] != explain->basic.name[0];
		else if (span_trim(text).len == 0)
			explain->reply = SPAN("");
		return true;
	}
	if (cut_status(&text, &explain->status)) {
		explain->reply = text.len ? question : SPAN("");
		return true;
	}
	return false;
}

/* All lines of a paste: keywords, results, and a reply where there was none before. */
static void
take_lines(struct explain *explain, struct span question)
{
	bool hello = strcmp(explain->basic.name, "250") == 0 && !*explain->status.name;
	bool reply = *explain->basic.name || *explain->status.name;
	struct span line;
	size_t keywords = 0;

	for (size_t i = 0; i < LINES_MAX && span_cut(&question, '\n', &line); i++) {
		struct span text = span_trim(line);

		if (hello && span_starts(text, SPAN("250")))
			keywords += add_keyword(explain, span_skip(text, 4));
		else if (!reply)
			keywords += add_keyword(explain, text);
		if (span_starts_nocase(text, SPAN("Action:")))
			(void)add_key(explain, span_trim(span_skip(text, 7)));
		add_words(explain, text);
		if (!reply)
			reply = find_reply(explain, text);
	}
	/* An answer to EHLO: the keywords are what is asked about, not that it was answered. */
	if (hello && keywords) {
		explain->basic = (struct explain_code){0};
		explain->reply = SPAN("");
	}
}

enum err
explain_parse(struct span question, struct explain *explain)
{
	struct span text = span_trim(question);

	*explain = (struct explain){0};
	if (text.len > EXPLAIN_QUESTION_BYTES_MAX)
		return ERR_TOO_LONG;
	/* As it stands in the Diagnostic-Code of a bounce. */
	if (span_starts_nocase(text, SPAN("smtp;")))
		text = span_trim(span_skip(text, 5));
	explain->group = catalogue_group(text);
	if (explain->group || add_key(explain, text))
		return OK;
	(void)take_reply(
	    explain, span_trim(span_first(text, span_find(text, '\n'))), span_trim(question));
	take_lines(explain, text);
	if (!*explain->basic.name && !*explain->status.name && !explain->topic_count)
		return ERR_SYNTAX;
	return OK;
}
