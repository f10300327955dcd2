#include "check/check.h"

#include "base/arena.h"
#include "base/check.h"
#include "replies/reply.h"

static const char *const keys[] = {
#define FINDING(name, key) [name] = key,
#include "check/finding_list.h"
#undef FINDING
};

struct check_report *
check_report_create(void)
{
	return mem_alloc(sizeof(struct check_report));
}

void
check_words_fini(struct check_words *words)
{
	mem_free(words->a);
	mem_free(words->b);
	mem_free(words->text);
	mem_free(words->other);
	mem_free(words->name);
}

void
check_report_destroy(struct check_report *report)
{
	if (!report)
		return;
	for (size_t i = 0; i < report->finding_count; i++) {
		mem_free(report->findings[i].subject);
		check_words_fini(&report->findings[i].fact);
	}
	for (size_t i = 0; i < report->step_count; i++) {
		mem_free(report->steps[i].subject);
		check_words_fini(&report->steps[i].what);
		check_words_fini(&report->steps[i].result);
	}
	mem_free(report);
}

/* Printable, and no longer than a person reads; a character is not cut in two. */
static char *
clean(struct span text, size_t bytes_max)
{
	bool cut = text.len > bytes_max;
	struct buf out;
	char *copy;

	if (text.len == 0)
		return NULL;
	text = span_first(text, bytes_max);
	while (cut && text.len > 0 && ((unsigned char)text.ptr[text.len - 1] & 0xc0) == 0x80)
		text.len--;
	if (cut && text.len > 0 && (unsigned char)text.ptr[text.len - 1] >= 0xc0)
		text.len--;
	buf_init(&out, 4 * bytes_max + 4);
	reply_clean(&out, text);
	if (cut)
		buf_add_str(&out, "...");
	check(buf_finish(&out) == OK);
	copy = mem_copy(buf_span(&out));
	buf_fini(&out);
	return copy;
}

struct check_words
check_words_of(enum word word, const struct word_fields *fields)
{
	struct check_words words = {.word = word};

	if (!fields)
		return words;
	words.a = clean(fields->a, CHECK_TEXT_BYTES_MAX);
	words.b = clean(fields->b, CHECK_TEXT_BYTES_MAX);
	words.text = clean(fields->text, CHECK_TEXT_BYTES_MAX);
	words.other = clean(fields->other, CHECK_TEXT_BYTES_MAX);
	words.name = clean(fields->name, CHECK_TEXT_BYTES_MAX);
	return words;
}

static bool
same_text(const char *a, const char *b)
{
	return span_eq(span_str(a), span_str(b));
}

static bool
same(const struct check_finding *a, const struct check_finding *b)
{
	return a->id == b->id && a->fact.word == b->fact.word &&
	       same_text(a->subject, b->subject) && same_text(a->fact.a, b->fact.a) &&
	       same_text(a->fact.b, b->fact.b) && same_text(a->fact.text, b->fact.text) &&
	       same_text(a->fact.other, b->fact.other) && same_text(a->fact.name, b->fact.name);
}

void
check_add(struct check_report *report, enum finding id, struct span subject,
    enum word fact, const struct word_fields *fields)
{
	struct check_finding finding = {.id = id, .fact = check_words_of(fact, fields)};
	bool known = report->finding_count == CHECK_FINDINGS_MAX;

	check(id < FINDING_COUNT);
	finding.subject = clean(subject, CHECK_SUBJECT_BYTES_MAX);
	for (size_t i = 0; i < report->finding_count && !known; i++)
		known = same(&report->findings[i], &finding);
	if (known) {
		mem_free(finding.subject);
		check_words_fini(&finding.fact);
		return;
	}
	report->findings[report->finding_count++] = finding;
}

void
check_step(struct check_report *report, struct span subject, const struct check_step *step)
{
	struct check_step copy = *step;

	copy.subject = clean(subject, CHECK_SUBJECT_BYTES_MAX);
	if (report->step_count == CHECK_STEPS_MAX) {
		mem_free(copy.subject);
		check_words_fini(&copy.what);
		check_words_fini(&copy.result);
		return;
	}
	report->steps[report->step_count++] = copy;
}

void
check_words_write(
    struct buf *out, const struct language *language, const struct check_words *words)
{
	const struct word_fields fields = {
	    .a = span_str(words->a),
	    .b = span_str(words->b),
	    .text = span_str(words->text),
	    .other = span_str(words->other),
	    .name = span_str(words->name),
	};

	if (words->word != WORD_COUNT)
		word_add(out, language, words->word, &fields);
}

const char *
check_key(enum finding id)
{
	check(id < FINDING_COUNT);
	return keys[id];
}

const struct catalogue_topic *
check_topic(enum finding id)
{
	const struct catalogue_topic *topic =
	    catalogue_topic(CATALOGUE_FINDING, span_str(check_key(id)));

	check(topic != NULL);
	return topic;
}

static const char *const severities[] = {
    [CHECK_GOOD] = "good",
    [CHECK_INFO] = "info",
    [CHECK_WARNING] = "warning",
    [CHECK_ERROR] = "error",
};

enum check_severity
check_severity_of(enum finding id)
{
	const char *severity = check_topic(id)->severity;

	for (size_t i = 0; i < LEN(severities); i++)
		if (strcmp(severities[i], severity) == 0)
			return (enum check_severity)i;
	check(false);
	return CHECK_ERROR;
}

const char *
check_severity_key(enum check_severity severity)
{
	check(severity < CHECK_SEVERITY_COUNT);
	return severities[severity];
}

enum check_severity
check_verdict(const struct check_report *report)
{
	enum check_severity worst = CHECK_GOOD;

	for (size_t i = 0; i < report->finding_count; i++) {
		enum check_severity severity = check_severity_of(report->findings[i].id);

		if (severity > worst)
			worst = severity;
	}
	return worst;
}

size_t
check_count(const struct check_report *report, enum check_severity severity)
{
	size_t count = 0;

	for (size_t i = 0; i < report->finding_count; i++)
		count += check_severity_of(report->findings[i].id) == severity;
	return count;
}

bool
check_has(const struct check_report *report, enum finding id)
{
	for (size_t i = 0; i < report->finding_count; i++)
		if (report->findings[i].id == id)
			return true;
	return false;
}
