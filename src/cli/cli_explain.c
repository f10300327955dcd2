/*
 * "postrider explain": what a reply code, an enhanced status code or a whole
 * reply means.  The page is made in replies/; here are options, JSON and the
 * terminal.
 */
#include "cli/cli_explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "cli/cli.h"
#include "replies/reply.h"

enum { OUT_BYTES_MAX = 1 << 20, QUESTION_BYTES_MAX = 8192 };

static const char usage[] =
    "usage: postrider explain [--json] [--lang LANGUAGE] CODE | REPLY\n"
    "       postrider explain [--json] [--lang LANGUAGE] --list\n"
    "\n"
    "Explains an SMTP reply: what it means, when it is seen, what the client does,\n"
    "and what to do about it.\n"
    "\n"
    "  postrider explain 252                          a reply code\n"
    "  postrider explain 5.7.1                        an enhanced status code\n"
    "  postrider explain 550 5.1.1 No such user here  a reply from a log or bounce\n"
    "  postrider explain 4xx                          all codes of a class\n"
    "  postrider explain --list                       the codes there are\n"
    "\n"
    "  --json             for programs\n"
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
	const char *tag = NULL;
	const struct cli_option rows[] = {{"--json", &options->json, NULL},
	    {"--list", &options->list, NULL}, {"--help", &options->help, NULL},
	    {"--lang", NULL, &tag}};

	*options = (struct cli_explain_options){.language = cli_explain_language()};
	options->words = cli_options(argc, argv, rows, LEN(rows), text);
	if (options->words >= 0 && tag &&
	    !language_find(span_str(tag), &options->language)) {
		refuse_language(tag);
		return false;
	}
	return options->words >= 0;
}

struct page
cli_explain_page_of(struct buf *out, const struct language *language)
{
	struct page page = {.out = out, .width = PAGE_WIDTH, .language = language};
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

static json_t *
json_text(struct span text)
{
	json_t *json;
	struct buf clean;

	buf_init(&clean, 2 * QUESTION_BYTES_MAX);
	reply_clean(&clean, text);
	json = json_stringn(clean.ptr ? clean.ptr : "", clean.len);
	check(json);
	buf_fini(&clean);
	return json;
}

static void
set(json_t *object, const char *key, json_t *value)
{
	check(json_object_set_new(object, key, value) == 0);
}

static json_t *
codes_json(struct span codes, const struct explain_code *code)
{
	struct span related;
	json_t *list = json_array();

	while (codes.len && span_cut(&codes, ' ', &related)) {
		struct buf name;

		buf_init(&name, EXPLAIN_CODE_BYTES);
		explain_related(&name, related, code);
		check(json_array_append_new(list, json_text(buf_span(&name))) == 0);
		buf_fini(&name);
	}
	return list;
}

/* A text of the catalogue in a language. */
static void
set_text(json_t *object, const char *key, const struct language *language, const char *english)
{
	set(object, key, json_string(language_text(language, english)));
}

static json_t *
code_json(const struct explain_code *code, const struct language *language)
{
	const struct catalogue_entry *entry = code->entry;
	json_t *object = json_object();

	set(object, "code", json_string(code->name));
	set(object, "standard", json_boolean(entry && catalogue_is_standard(entry)));
	set(object, "retry", json_boolean(code->retry));
	if (code->class)
		set_text(object, "class", language, code->class->name);
	if (code->subject)
		set_text(object, "subject", language, code->subject->name);
	if (entry) {
		set_text(object, "name", language, entry->name);
		set(object, "category", json_string(entry->category));
		set_text(object, "meaning", language, entry->meaning);
		set_text(object, "when", language, entry->when);
		set_text(object, "client", language, entry->client);
		set_text(object, "sender", language, entry->sender);
		set_text(object, "admin", language, entry->admin);
		set_text(object, "developer", language, entry->developer);
		set_text(object, "mistakes", language, entry->mistakes);
		set(object, "transcript", json_string(entry->transcript));
		set(object, "rfc", json_string(entry->rfc));
		set(object, "with", codes_json(span_str(entry->with), code));
		set(object, "see", codes_json(span_str(entry->see), code));
	} else if (code->class) {
		set_text(object, "meaning", language, code->class->meaning);
		set_text(object, "client", language, code->class->client);
		set_text(object, "fix", language, code->class->fix);
	}
	return object;
}

json_t *
cli_explain_json(const struct explain *explain, const struct language *language)
{
	json_t *object = json_object();

	if (explain->group) {
		set(object, "group", json_string(explain->group->code));
		set_text(object, "name", language, explain->group->name);
		set_text(object, "meaning", language, explain->group->meaning);
		if (*explain->group->client) {
			set_text(object, "client", language, explain->group->client);
			set_text(object, "fix", language, explain->group->fix);
		}
		return object;
	}
	if (explain->reply.len)
		set(object, "question", json_text(explain->reply));
	if (*explain->basic.name)
		set(object, "reply", code_json(&explain->basic, language));
	if (*explain->status.name)
		set(object, "status", code_json(&explain->status, language));
	if (explain->clash)
		set(object, "contradiction", json_true());
	return object;
}

json_t *
cli_explain_json_list(const struct language *language)
{
	const struct catalogue_entry *entry;
	json_t *list = json_array();

	for (size_t i = 0; (entry = catalogue_at(i)) != NULL; i++) {
		json_t *object = json_object();

		set(object, "code", json_string(entry->code));
		set_text(object, "name", language, entry->name);
		set(object, "category", json_string(entry->category));
		check(json_array_append_new(list, object) == 0);
	}
	return list;
}

static int
add_json(const char *bytes, size_t size, void *out)
{
	buf_add(out, span_of(bytes, size));
	return 0;
}

void
cli_explain_json_write(struct buf *out, json_t *json)
{
	check(json_dump_callback(json, add_json, out, JSON_INDENT(2)) == 0);
	buf_add_char(out, '\n');
	json_decref(json);
}

static int
answer(char **argv, const struct cli_explain_options *options, struct buf *out)
{
	struct page page = cli_explain_page_of(out, options->language);
	struct explain explain;
	struct buf question;
	int status = EX_OK;

	buf_init(&question, QUESTION_BYTES_MAX);
	for (int i = 1; i <= options->words; i++) {
		buf_add_str(&question, i > 1 ? " " : "");
		buf_add_str(&question, argv[i]);
	}
	if (buf_finish(&question) != OK) {
		fprintf(stderr,
		    "postrider: a reply is not as long as that; its first line will do\n");
		status = EX_DATAERR;
	} else if (explain_parse(buf_span(&question), &explain) != OK) {
		fprintf(stderr,
		    "postrider: \"%s\" does not begin with a reply code; codes look like 550 or "
		    "5.7.1 (postrider explain --list shows them)\n",
		    cli_quote(buf_span(&question).len ? argv[1] : "").text);
		status = EX_DATAERR;
	} else if (options->json) {
		cli_explain_json_write(out, cli_explain_json(&explain, options->language));
	} else {
		explain_page(&page, &explain);
	}
	buf_fini(&question);
	return status;
}

int
cli_explain(int argc, char **argv)
{
	struct cli_explain_options options;
	struct buf out;
	int status = EX_OK;

	if (!cli_explain_options(argc, argv, usage, &options))
		return EX_USAGE;
	if (!options.help && !options.list && options.words == 0)
		return cli_wrong_use(usage, "which code?");
	if (!options.help && options.list && options.words > 0)
		return cli_wrong_use(usage, "--list takes no code");
	buf_init(&out, OUT_BYTES_MAX);
	if (options.help) {
		buf_add_str(&out, usage);
	} else if (options.list && options.json) {
		cli_explain_json_write(&out, cli_explain_json_list(options.language));
	} else if (options.list) {
		struct page page = cli_explain_page_of(&out, options.language);

		explain_list(&page);
	} else {
		status = answer(argv, &options, &out);
	}
	if (status == EX_OK)
		status = cli_explain_print(&out);
	buf_fini(&out);
	return status;
}
