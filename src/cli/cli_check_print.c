/*
 * Progress and verdict.  A step is one line, told when it is over; on a terminal
 * what is waited for stands there before.  --json tells all of it at the end.
 */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli_check_internal.h"
#include "cli/cli_explain.h"

enum {
	LINE_BYTES_MAX = 8192,
	OUT_BYTES_MAX = 4 << 20,
	ROW_WIDTH = 9,
	KEYWORD_WIDTH = 20,
	KEYWORD_BYTES = 60,
};

/* Exit codes by severity. */
enum { STATUS_GOOD = 0, STATUS_WARNING = 1, STATUS_ERROR = 2 };

void
cli_check_subject(struct cli_check *check, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(check->subject, sizeof(check->subject), format, args);
	va_end(args);
	check->subject_told = false;
}

static void
print(const struct buf *text)
{
	(void)fwrite(buf_span(text).ptr, 1, text->len, stdout);
	(void)fflush(stdout);
}

static struct page
page_of(const struct cli_check *check, struct buf *out)
{
	const struct cli_explain_options options = {.language = check->options->language};

	return cli_explain_page_of(out, &options);
}

static void
tell_subject(struct cli_check *check)
{
	struct page page;
	struct buf out;

	if (check->subject_told)
		return;
	check->subject_told = true;
	buf_init(&out, LINE_BYTES_MAX);
	page = page_of(check, &out);
	page_title(&page, span_str(check->subject));
	print(&out);
	buf_fini(&out);
}

void
cli_check_begin(struct cli_check *check, enum word what, const struct word_fields *fields)
{
	struct buf line;

	check->step = (struct check_step){.what = check_words_of(what, fields)};
	check->step_ms = cli_check_now(check);
	if (check->options->json)
		return;
	tell_subject(check);
	if (!check->terminal)
		return;
	buf_init(&line, LINE_BYTES_MAX);
	buf_add_str(&line, "  ");
	check_words_write(&line, check->options->language, &check->step.what);
	buf_add_str(&line, " ...");
	print(&line);
	buf_fini(&line);
}

void
cli_check_end(struct cli_check *check, enum word result, const struct word_fields *fields)
{
	struct buf line;

	check->step.result = check_words_of(result, fields);
	check->step_ms = cli_check_now(check) - check->step_ms;
	check->step.ms = check->step_ms;
	if (!check->options->json) {
		buf_init(&line, LINE_BYTES_MAX);
		if (!check->terminal) {
			buf_add_str(&line, "  ");
			check_words_write(&line, check->options->language, &check->step.what);
			buf_add_str(&line, " ...");
		}
		buf_add_char(&line, ' ');
		check_words_write(&line, check->options->language, &check->step.result);
		buf_addf(&line, " (%llu ms)\n", (unsigned long long)check->step_ms);
		print(&line);
		buf_fini(&line);
	}
	check_step(check->report, span_str(check->subject), &check->step);
	check->step = (struct check_step){0};
}

void
cli_check_end_connect(struct cli_check *check, enum err err)
{
	cli_check_end(check,
	    err == OK		 ? WORD_CHECK_ACCEPTED
	    : err == ERR_REFUSED ? WORD_CHECK_REFUSED
	    : err == ERR_TIMEOUT ? WORD_CHECK_NO_ANSWER
				 : WORD_CHECK_UNREACHABLE,
	    NULL);
}

void
cli_check_find(struct cli_check *check, enum finding id)
{
	check_add(check->report, id, span_str(check->subject), WORD_COUNT, NULL);
}

/* The keywords, each with what the catalogue calls it. */
void
cli_check_offers(struct cli_check *check, const struct check_reply *ehlo)
{
	struct span rest = check_reply_text(ehlo), line;
	struct buf out, list;
	struct page page;

	buf_init(&out, OUT_BYTES_MAX);
	buf_init(&list, LINE_BYTES_MAX);
	page = page_of(check, &out);
	(void)span_cut(&rest, '\n', &line);
	while (span_cut(&rest, '\n', &line)) {
		struct span word = span_first(line, span_find(line, ' '));
		const struct catalogue_topic *topic = catalogue_topic(CATALOGUE_KEYWORD, word);

		buf_add_str(&list, list.len ? ", " : "");
		buf_add(&list, line);
		buf_add_str(&out, "  ");
		page_row(&page, span_first(line, KEYWORD_BYTES), KEYWORD_WIDTH,
		    span_str(topic ? language_text(page.language, topic->name) : ""));
	}
	cli_check_begin(check, WORD_CHECK_OFFERS, NULL);
	cli_check_end(check, list.len ? WORD_CHECK_TEXT : WORD_CHECK_NOTHING,
	    &(struct word_fields){.text = buf_span(&list)});
	if (!check->options->json)
		print(&out);
	buf_fini(&out);
	buf_fini(&list);
}

static enum word
severity_word(enum check_severity severity)
{
	static const enum word words[CHECK_SEVERITY_COUNT] = {
	    [CHECK_GOOD] = WORD_CHECK_GOOD,
	    [CHECK_INFO] = WORD_CHECK_INFO,
	    [CHECK_WARNING] = WORD_CHECK_WARNING,
	    [CHECK_ERROR] = WORD_CHECK_ERROR,
	};

	return words[severity];
}

/* Where one finding was made: the subject, and the fact. */
static void
print_place(struct page *page, const struct check_finding *finding)
{
	struct buf line;

	buf_init(&line, LINE_BYTES_MAX);
	buf_add_str(&line, finding->subject ? finding->subject : "");
	if (finding->fact.word != WORD_COUNT) {
		buf_add_str(&line, line.len ? ": " : "");
		check_words_write(&line, page->language, &finding->fact);
	}
	if (line.len > 0)
		page_lines(page, buf_span(&line));
	buf_fini(&line);
}

/* One entry with all places where it was found; the advice only where there is something to do. */
static void
print_finding(struct page *page, const struct check_report *report, size_t index)
{
	const struct check_finding *finding = &report->findings[index];
	const struct catalogue_topic *topic = check_topic(finding->id);
	enum check_severity severity = check_severity_of(finding->id);
	const struct language *language = page->language;

	for (size_t i = 0; i < index; i++)
		if (report->findings[i].id == finding->id)
			return;
	buf_add_char(page->out, severity == CHECK_GOOD ? ' ' : '\n');
	page->out->len -= severity == CHECK_GOOD;
	page_row(page, span_str(word_text(language, severity_word(severity))), ROW_WIDTH,
	    span_str(language_text(language, topic->name)));
	for (size_t i = index; i < report->finding_count; i++)
		if (report->findings[i].id == finding->id)
			print_place(page, &report->findings[i]);
	if (severity == CHECK_GOOD)
		return;
	page_text(page, span_str(language_text(language, topic->meaning)));
	if (*topic->admin) {
		struct buf advice;

		buf_init(&advice, LINE_BYTES_MAX);
		buf_add_str(&advice, word_text(language, WORD_TO_DO));
		buf_add_str(&advice, ": ");
		buf_add_str(&advice, language_text(language, topic->admin));
		page_text(page, buf_span(&advice));
		buf_fini(&advice);
	}
}

static enum word
verdict_word(enum check_severity severity)
{
	static const enum word words[CHECK_SEVERITY_COUNT] = {
	    [CHECK_GOOD] = WORD_CHECK_ALL_GOOD,
	    [CHECK_INFO] = WORD_CHECK_INFOS,
	    [CHECK_WARNING] = WORD_CHECK_WARNINGS,
	    [CHECK_ERROR] = WORD_CHECK_ERRORS,
	};

	return words[severity];
}

static void
print_verdict(const struct cli_check *check, struct buf *out)
{
	static const enum check_severity order[] = {
	    CHECK_ERROR, CHECK_WARNING, CHECK_INFO, CHECK_GOOD};
	const struct language *language = check->options->language;
	const struct check_report *report = check->report;
	struct page page = page_of(check, out);

	page_word_heading(&page, WORD_CHECK_VERDICT);
	page_text(&page, span_str(word_text(language, verdict_word(check_verdict(report)))));
	for (size_t i = 0; i < LEN(order); i++) {
		if (order[i] == CHECK_GOOD && check_count(report, CHECK_GOOD) > 0)
			buf_add_char(out, '\n');
		for (size_t k = 0; k < report->finding_count; k++)
			if (check_severity_of(report->findings[k].id) == order[i])
				print_finding(&page, report, k);
	}
}

static void
set(json_t *object, const char *key, json_t *value)
{
	check(json_object_set_new(object, key, value) == 0);
}

static json_t *
words_json(const struct language *language, const struct check_words *words)
{
	struct buf text;
	json_t *json;

	buf_init(&text, LINE_BYTES_MAX);
	check_words_write(&text, language, words);
	json = json_stringn(buf_span(&text).ptr, text.len);
	buf_fini(&text);
	return json ? json : json_string("");
}

static json_t *
steps_json(const struct cli_check *check)
{
	json_t *list = json_array();

	for (size_t i = 0; i < check->report->step_count; i++) {
		const struct check_step *step = &check->report->steps[i];
		json_t *object = json_object();

		set(object, "subject", json_string(step->subject ? step->subject : ""));
		set(object, "step", words_json(check->options->language, &step->what));
		set(object, "result", words_json(check->options->language, &step->result));
		set(object, "ms", json_integer((json_int_t)step->ms));
		check(json_array_append_new(list, object) == 0);
	}
	return list;
}

static json_t *
findings_json(const struct cli_check *check)
{
	const struct language *language = check->options->language;
	json_t *list = json_array();

	for (size_t i = 0; i < check->report->finding_count; i++) {
		const struct check_finding *finding = &check->report->findings[i];
		const struct catalogue_topic *topic = check_topic(finding->id);
		json_t *object = json_object();

		set(object, "finding", json_string(topic->key));
		set(object, "severity", json_string(topic->severity));
		set(object, "subject", json_string(finding->subject ? finding->subject : ""));
		set(object, "name", json_string(language_text(language, topic->name)));
		set(object, "meaning", json_string(language_text(language, topic->meaning)));
		if (*topic->admin)
			set(object, "admin", json_string(language_text(language, topic->admin)));
		if (*topic->sender)
			set(object, "sender",
			    json_string(language_text(language, topic->sender)));
		if (finding->fact.word != WORD_COUNT)
			set(object, "fact", words_json(language, &finding->fact));
		set(object, "rfc", json_string(topic->rfc));
		check(json_array_append_new(list, object) == 0);
	}
	return list;
}

static void
write_json(const struct cli_check *check, struct buf *out)
{
	json_t *object = json_object();

	set(object, "target",
	    json_string(check->options->self ? "--self" : check->options->target));
	set(object, "verdict",
	    json_string(check_severity_key(check_verdict(check->report))));
	set(object, "ms",
	    json_integer((json_int_t)(io_now_ms(check->io) - check->began_ms)));
	set(object, "steps", steps_json(check));
	set(object, "findings", findings_json(check));
	cli_explain_json_write(out, object);
}

int
cli_check_verdict(const struct cli_check *check)
{
	enum check_severity worst = check_verdict(check->report);
	struct buf out;
	int status;

	buf_init(&out, OUT_BYTES_MAX);
	if (check->options->json)
		write_json(check, &out);
	else
		print_verdict(check, &out);
	check(buf_finish(&out) == OK);
	status = cli_explain_print(&out);
	buf_fini(&out);
	if (status != 0)
		return status;
	return worst == CHECK_ERROR     ? STATUS_ERROR
	       : worst == CHECK_WARNING ? STATUS_WARNING
					: STATUS_GOOD;
}
