/*
 * "postrider explain": what a reply code, an enhanced status code, a whole reply, a keyword or a
 * line of a log means.  The page is made in replies/; here are options and the terminal.
 */
#include "cli/cli_explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "cli/cli.h"
#include "cli/cli_why.h"
#include "replies/search.h"

enum { OUT_BYTES_MAX = 4 << 20, TOPICS_MAX = 1024, TITLE_BYTES_MAX = 200 };

static const char usage[] =
    "usage: postrider explain [OPTION...] CODE | REPLY | WORD | -\n"
    "       postrider explain [OPTION...] --list\n"
    "       postrider explain [OPTION...] --search WORD...\n"
    "\n"
    "Explains what mail servers say: what it means, when it is seen, and what to do about it.\n"
    "\n"
    "  postrider explain 252                          a reply code\n"
    "  postrider explain 5.7.1                        an enhanced status code\n"
    "  postrider explain 550 5.1.1 No such user here  a reply from a log or bounce\n"
    "  postrider explain 4xx                          all codes of a class\n"
    "  postrider explain STARTTLS                     a keyword of EHLO, or its whole answer\n"
    "  postrider explain dkim=fail                    a result in Authentication-Results\n"
    "  postrider explain sts-policy-invalid           a result in a TLS report\n"
    "  postrider explain delayed                      an action of a bounce\n"
    "  postrider explain \"LINE OF A LOG\"             ours, or one of Postfix, Exim, sendmail\n"
    "  postrider explain - < FILE                     the same, from standard input\n"
    "  postrider explain --list                       all that there is\n"
    "  postrider explain --search mailbox full        what has these words\n"
    "\n"
    "  --json             for programs\n"
    "  --format FORMAT    text, markdown or html\n"
    "  --lang LANGUAGE    en, or another one (a wrong one lists them); otherwise that of\n"
    "                     the environment (LC_ALL, LC_MESSAGES, LANG)\n"
    "\n"
    "To tell two codes apart: postrider compare 450 550\n";

static void
refuse_language(const char *tag)
{
	const struct language *language;

	fprintf(stderr, "postrider: there is no language \"%s\" here; there are en (English)",
	    cli_quote(tag).text);
	for (size_t i = 0; (language = language_at(i)) != NULL; i++)
		fprintf(stderr, ", %s (%s)", language_tag(language), language_name(language));
	fprintf(stderr, "\n");
}

const struct language *
cli_explain_language(void)
{
	static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
	const struct language *language = NULL;
	const char *value = NULL;

	for (size_t i = 0; i < LEN(names) && (!value || !*value); i++)
		value = getenv(names[i]);
	/* In another character set it could not be read. */
	if (value && (strcasestr(value, ".utf-8") || strcasestr(value, ".utf8")))
		(void)language_find(span_str(value), &language);
	return language;
}

static bool
format_of(const char *name, enum page_format *format)
{
	static const char *const names[] = {
	    [PAGE_TEXT] = "text", [PAGE_MARKDOWN] = "markdown", [PAGE_HTML] = "html"};

	for (size_t i = 0; i < LEN(names); i++)
		if (strcmp(name, names[i]) == 0) {
			*format = (enum page_format)i;
			return true;
		}
	return false;
}

bool
cli_explain_language_of(const char *tag, const struct language **language)
{
	*language = cli_explain_language();
	if (!tag || language_find(span_str(tag), language))
		return true;
	refuse_language(tag);
	return false;
}

bool
cli_explain_options(
    int argc, char **argv, const char *text, struct cli_explain_options *options)
{
	const char *tag = NULL, *format = NULL;
	const struct cli_option rows[] = {{"--json", &options->json, NULL},
	    {"--list", &options->list, NULL}, {"--search", &options->search, NULL},
	    {"--help", &options->help, NULL}, {"--lang", NULL, &tag},
	    {"--format", NULL, &format}};

	*options = (struct cli_explain_options){.language = cli_explain_language()};
	options->words = cli_options(argc, argv, rows, LEN(rows), text);
	if (options->words >= 0 && tag &&
	    !language_find(span_str(tag), &options->language)) {
		refuse_language(tag);
		return false;
	}
	if (options->words >= 0 && format && !format_of(format, &options->format)) {
		cli_wrong_use(text, "a format is text, markdown or html");
		return false;
	}
	return options->words >= 0;
}

struct page
cli_explain_page_of(struct buf *out, const struct cli_explain_options *options)
{
	struct page page = {.out = out,
	    .width = PAGE_WIDTH,
	    .language = options->language,
	    .format = options->format};
	struct winsize size;

	if (isatty(STDOUT_FILENO)) {
		const char *no_color = getenv("NO_COLOR");

		page.bold = !no_color || !*no_color;
		if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
			page.width = size.ws_col;
	}
	return page;
}

int
cli_explain_print(const struct buf *out)
{
	check(buf_finish(out) == OK);
	(void)fwrite(out->ptr, 1, out->len, stdout);
	return cli_finish(EX_OK);
}

/* Says what is near to a word that nobody knows. */
static void
refuse_question(struct span question)
{
	const char *names[TOPICS_MAX], *nearest = NULL;
	const struct catalogue_topic *topic;
	size_t count = 0;
	char word[TITLE_BYTES_MAX];

	/* Of what is longer than a word nothing is near. */
	(void)snprintf(word, sizeof(word), "%.*s",
	    (int)(question.len < sizeof(word) ? question.len : 0), question.ptr);
	while (count < TOPICS_MAX && (topic = catalogue_topic_at(count)) != NULL)
		names[count++] = topic->key;
	if (*word)
		nearest = cli_nearest(word, names, count);
	(void)snprintf(word, sizeof(word), "%.*s",
	    (int)(question.len < sizeof(word) ? question.len : sizeof(word) - 1), question.ptr);
	fprintf(stderr, "postrider: in \"%s\" is nothing that can be explained",
	    cli_quote(word).text);
	if (nearest)
		fprintf(stderr, "; did you mean %s?\n", nearest);
	else
		fprintf(stderr, ": no code such as 550 or 5.7.1, no keyword, no result (postrider "
				"explain --list shows them, --search WORD searches)\n");
}

static struct span
title_of(const struct explain *explain)
{
	if (explain->group)
		return span_str(explain->group->code);
	if (*explain->basic.name)
		return span_str(explain->basic.name);
	if (*explain->status.name)
		return span_str(explain->status.name);
	check(explain->topic_count);
	return span_str(explain->topics[0]->key);
}

static int
answer(struct span question, const struct cli_explain_options *options, struct buf *out)
{
	struct page page = cli_explain_page_of(out, options);
	struct explain explain;
	enum err err = explain_parse(question, &explain);

	if (err == ERR_TOO_LONG) {
		fprintf(stderr,
		    "postrider: that is more than %d bytes; a few lines will do\n",
		    EXPLAIN_QUESTION_BYTES_MAX);
		return EX_DATAERR;
	}
	if (err) {
		refuse_question(question);
		return EX_DATAERR;
	}
	if (options->json) {
		cli_explain_json_write(out, cli_explain_json(&explain, options->language));
		return EX_OK;
	}
	page_begin(&page, title_of(&explain));
	explain_page(&page, &explain);
	page_end(&page);
	return EX_OK;
}

static void
add_words(char **argv, int words, struct buf *text)
{
	for (int i = 1; i <= words; i++) {
		buf_add_str(text, i > 1 ? " " : "");
		buf_add_str(text, argv[i]);
	}
}

/* Not more than a question may have, and a byte, which makes it too long. */
static void
add_input(struct buf *text)
{
	char bytes[4096];
	size_t count;

	while (buf_finish(text) == OK && (count = fread(bytes, 1, sizeof(bytes), stdin)) > 0)
		buf_add(text, span_of(bytes, count));
}

static int
answer_all(char **argv, const struct cli_explain_options *options, struct buf *out)
{
	bool reads = options->words == 0 || (options->words == 1 && strcmp(argv[1], "-") == 0);
	struct buf question;
	int status;

	buf_init(
	    &question, reads ? STORY_INPUT_BYTES_MAX : EXPLAIN_QUESTION_BYTES_MAX + 1);
	if (reads)
		add_input(&question);
	else
		add_words(argv, options->words, &question);
	if (buf_finish(&question) != OK)
		buf_add_char(&question, ' ');
	if (options->words == 0 && question.len == 0)
		status = cli_wrong_use(usage, "which code?");
	else if (reads && cli_why_bounce(out, buf_span(&question), options))
		status = EX_OK;
	else if (question.len > EXPLAIN_QUESTION_BYTES_MAX || buf_finish(&question) != OK) {
		fprintf(stderr, "postrider: that is more than %d bytes; a few lines will do\n",
		    EXPLAIN_QUESTION_BYTES_MAX);
		status = EX_DATAERR;
	} else if (memchr(buf_span(&question).ptr, 0, question.len)) {
		fprintf(stderr, "postrider: that is not text\n");
		status = EX_DATAERR;
	} else {
		status = answer(buf_span(&question), options, out);
	}
	buf_fini(&question);
	return status;
}

static void
write_found(struct page *page, const struct search_found *found, size_t count)
{
	enum { WIDTH = 22 };

	for (size_t i = 0; i < count; i++) {
		const struct catalogue_entry *entry = found[i].entry;
		const struct catalogue_topic *topic = found[i].topic;

		page_row(page, span_str(entry ? entry->code : topic->key), WIDTH,
		    span_str(
			language_text(page->language, entry ? entry->name : topic->name)));
	}
}

static int
search(char **argv, const struct cli_explain_options *options, struct buf *out)
{
	struct search_found found[SEARCH_FOUND_MAX];
	struct page page = cli_explain_page_of(out, options);
	struct buf words;
	size_t count;

	buf_init(&words, EXPLAIN_QUESTION_BYTES_MAX);
	add_words(argv, options->words, &words);
	count = search_catalogue(buf_span(&words), options->language, found);
	if (count == 0)
		fprintf(stderr, "postrider: nothing has \"%s\" in it\n", cli_quote(argv[1]).text);
	else if (options->json)
		cli_explain_json_write(
		    out, cli_explain_json_found(found, count, options->language));
	else {
		page_begin(&page, buf_span(&words));
		write_found(&page, found, count);
		page_end(&page);
	}
	buf_fini(&words);
	return count ? EX_OK : EX_DATAERR;
}

static void
list(const struct cli_explain_options *options, struct buf *out)
{
	struct page page = cli_explain_page_of(out, options);

	if (options->json) {
		cli_explain_json_write(out, cli_explain_json_list(options->language));
		return;
	}
	page_begin(&page, SPAN("postrider explain --list"));
	explain_list(&page);
	page_end(&page);
}

int
cli_explain(int argc, char **argv)
{
	struct cli_explain_options options;
	struct buf out;
	int status = EX_OK;

	if (!cli_explain_options(argc, argv, usage, &options))
		return EX_USAGE;
	if (!options.help && !options.list && options.words == 0 &&
	    (options.search || isatty(STDIN_FILENO)))
		return cli_wrong_use(usage, options.search ? "which words?" : "which code?");
	if (!options.help && options.list && (options.words > 0 || options.search))
		return cli_wrong_use(usage, "--list takes no code");
	buf_init(&out, OUT_BYTES_MAX);
	if (options.help)
		buf_add_str(&out, usage);
	else if (options.list)
		list(&options, &out);
	else if (options.search)
		status = search(argv, &options, &out);
	else
		status = answer_all(argv, &options, &out);
	if (status == EX_OK)
		status = cli_explain_print(&out);
	buf_fini(&out);
	return status;
}
