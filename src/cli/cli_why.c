/* "postrider why": the arguments, and what is read. */
#include "cli/cli_why_internal.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "base/id.h"
#include "cli/cli.h"

enum { OUT_BYTES_MAX = 8 << 20 };

static const char usage[] =
    "usage: postrider why [--json] [--lang LANGUAGE] [--format FORMAT] [FILE | TEXT]\n"
    "       postrider why [--json] [--lang LANGUAGE] [--config FILE] ID\n"
    "\n"
    "Tells why a message did not arrive: what happened, who decided it, what happens next\n"
    "and what can be done.\n"
    "\n"
    "  postrider why < bounce.eml    a bounce, as it came: of any server\n"
    "  postrider why bounce.eml      the same from a file\n"
    "  postrider why '550 5.7.1 Client host blocked'   a reply, or a line of a log\n"
    "  postrider why 100010002       a message of this server, in its queue or ledger\n"
    "\n"
    "  --json             for programs\n"
    "  --lang LANGUAGE    en, or another one (a wrong one lists them)\n"
    "  --format FORMAT    text, markdown or html\n"
    "  --config FILE      of the server, for ID\n"
    "\n"
    "Exit status: 0 something could be told, 65 there was nothing to tell of,\n"
    "66 the file cannot be read.\n";

void
cli_why_write(
    struct buf *out, const struct story *story, const struct cli_explain_options *options)
{
	struct page page = cli_explain_page_of(out, options);

	if (options->json) {
		cli_why_json(out, story, options->language);
		return;
	}
	page_begin(&page, SPAN("postrider why"));
	story_page(&page, story);
	page_end(&page);
}

static bool
tell(struct buf *out, struct span input, const struct cli_explain_options *options,
    bool bounce)
{
	struct story story;
	bool told;

	story_read(&story, input);
	told = bounce ? story.kind == STORY_BOUNCE : story.kind != STORY_NOTHING;
	if (told)
		cli_why_write(out, &story, options);
	story_fini(&story);
	return told;
}

bool
cli_why_answer(struct buf *out, struct span input, const struct cli_explain_options *options)
{
	return tell(out, input, options, false);
}

bool
cli_why_bounce(struct buf *out, struct span input, const struct cli_explain_options *options)
{
	return tell(out, input, options, true);
}

/* All of a file, as far as a story looks at it. */
static int
read_all(FILE *file, const char *name, struct buf *text)
{
	char bytes[16384];
	size_t count;

	while (text->len < STORY_INPUT_BYTES_MAX &&
	       (count = fread(bytes, 1, sizeof(bytes), file)) > 0)
		buf_add(text, span_of(bytes, count));
	if (!ferror(file))
		return EX_OK;
	fprintf(stderr, "postrider: %s cannot be read: %s\n", cli_quote(name).text,
	    strerror(errno));
	return EX_NOINPUT;
}

static int
read_file(const char *name, struct buf *text)
{
	FILE *file = fopen(name, "rb");
	int status;

	if (!file) {
		fprintf(stderr, "postrider: %s cannot be read: %s\n", cli_quote(name).text,
		    strerror(errno));
		return EX_NOINPUT;
	}
	status = read_all(file, name, text);
	fclose(file);
	return status;
}

static int
answer_text(struct span text, const struct cli_explain_options *options, struct buf *out)
{
	if (cli_why_answer(out, text, options))
		return EX_OK;
	fprintf(stderr, "postrider: there is no bounce, no reply and no line of a log in this\n"
			"A bounce is best given whole, as it came: postrider why < bounce.eml\n");
	return EX_DATAERR;
}

static int
answer_id(uint64_t id, const char *conf_path, const struct cli_explain_options *options,
    struct buf *out)
{
	struct story story;
	int status;

	story_init(&story, STORY_OWN);
	status = cli_why_gather(&story, conf_path, id);
	if (status == EX_OK)
		cli_why_write(out, &story, options);
	story_fini(&story);
	return status;
}

/* One word is a file where there is one, else an id; more are a text. */
static int
answer(char **argv, const char *conf_path, const struct cli_explain_options *options,
    struct buf *out)
{
	const char *word = options->words == 1 ? argv[1] : NULL;
	bool standard = options->words == 0 || (word && strcmp(word, "-") == 0);
	int status = EX_OK;
	struct buf text;
	uint64_t id;

	if (options->words == 0 && isatty(STDIN_FILENO))
		return cli_wrong_use(usage, "which bounce? Give a file, or an id");
	if (word && !standard && access(word, F_OK) != 0 &&
	    id_parse(span_str(word), &id) == OK && strlen(word) > 3)
		return answer_id(id, conf_path, options, out);
	buf_init(&text, STORY_INPUT_BYTES_MAX + 16384);
	if (standard)
		status = read_all(stdin, "standard input", &text);
	else if (word && access(word, F_OK) == 0)
		status = read_file(word, &text);
	else if (word && (strchr(word, '/') || strstr(word, ".eml")))
		status = read_file(word, &text);
	else
		for (int i = 1; i <= options->words; i++) {
			buf_add_str(&text, i > 1 ? " " : "");
			buf_add_str(&text, argv[i]);
		}
	if (status == EX_OK)
		status = answer_text(buf_span(&text), options, out);
	buf_fini(&text);
	return status;
}

/* Takes "--config FILE" out of argv, which cli_explain_options() does not know. */
static int
take_config(int argc, char **argv, const char **conf_path)
{
	int kept = 1;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
			*conf_path = argv[++i];
		else if (strncmp(argv[i], "--config=", 9) == 0)
			*conf_path = argv[i] + 9;
		else
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	return kept;
}

int
cli_why(int argc, char **argv)
{
	struct cli_explain_options options;
	const char *conf_path = NULL;
	struct buf out;
	int status = EX_OK;

	argc = take_config(argc, argv, &conf_path);
	if (!cli_explain_options(argc, argv, usage, &options))
		return EX_USAGE;
	if (options.list || options.search)
		return cli_wrong_use(usage, "why takes no --list and no --search");
	buf_init(&out, OUT_BYTES_MAX);
	if (options.help)
		buf_add_str(&out, usage);
	else
		status = answer(argv, conf_path, &options, &out);
	if (status == EX_OK)
		status = cli_explain_print(&out);
	buf_fini(&out);
	return status;
}
