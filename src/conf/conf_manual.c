/* The manual of the language, written from the rows of the option table. */
#include "conf/conf_internal.h"

enum { MANUAL_COLUMNS = 78, INDENT = 4 };

static const char intro[] =
    "The configuration is a text of statements, one on a line. A # begins a comment. A\n"
    "list goes on in the next line after a comma. Statements that belong together stand\n"
    "in a block, in braces. Words with spaces or with one of { } ; , # in them stand in\n"
    "\"quotes\". Sizes have units (B KB MB GB, in steps of 1024), and so have times\n"
    "(ms s m h d). Yes or no may also be on or off, and left out it is yes. Names of\n"
    "files are relative to the folder of the file in which they stand.\n\n";

/* Words with line breaks, each line indented. */
static void
write_wrapped(struct buf *out, struct span text)
{
	size_t column = 0;
	struct span word;

	while (span_cut(&text, ' ', &word)) {
		if (word.len == 0)
			continue;
		if (column > 0 && column + 1 + word.len > MANUAL_COLUMNS - INDENT) {
			buf_add_char(out, '\n');
			column = 0;
		}
		buf_addf(out, "%s%.*s", column > 0 ? " " : "    ", SPAN_ARGS(word));
		column += (column > 0) + word.len;
	}
	buf_add_char(out, '\n');
}

static void
write_default(struct buf *out, const struct conf_option *option, struct conf *presets)
{
	const struct conf_limits *limits;

	if (conf_option_is_limit(option)) {
		buf_add_str(out, option->preset_text ? option->preset_text : "as in \"queue\"");
		return;
	}
	if (option->type != CONF_TIMES) {
		conf_option_write_number(
		    out, option, conf_option_number(presets, option));
		return;
	}
	limits = conf_option_limits(presets, option);
	for (size_t i = 0; i < limits->retry_count; i++) {
		buf_add_str(out, i > 0 ? ", " : "");
		conf_value_write_time(out, limits->retry_ms[i]);
	}
}

/* "Default 50 MB; from 64 KB to 2 GB." */
static void
write_range(struct buf *out, const struct conf_option *option, struct conf *presets)
{
	struct conf_option plain = {.type = option->type};
	struct buf text;

	if (!conf_option_is_number(option) && option->type != CONF_TIMES)
		return;
	buf_init(&text, CONF_TEXT_MAX);
	buf_add_str(&text, "Default ");
	write_default(&text, option, presets);
	if (option->max > 0) {
		buf_add_str(&text, "; from ");
		conf_option_write_number(&text, &plain, option->min);
		buf_add_str(&text, " to ");
		conf_option_write_number(&text, &plain, option->max);
	}
	if (option->max > 0 && option->zero)
		buf_addf(&text, ", or %s", option->zero);
	buf_add_char(&text, '.');
	write_wrapped(out, buf_span(&text));
	buf_fini(&text);
}

void
conf_manual(struct buf *out)
{
	struct conf presets = {0};

	conf_option_presets(&presets);
	buf_add_str(out, intro);
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);
		struct span text = SPAN("");

		buf_addf(out, "%s %s%s%s%s\n", option->words, option->syntax,
		    option->block ? "    (in " : "", option->block ? option->block : "",
		    option->block ? ")" : "");
		write_wrapped(out, span_str(option->doc));
		if (conf_option_is_text(option))
			text = conf_option_text(&presets, option);
		if (text.len > 0)
			buf_addf(out, "    Default %.*s.\n", SPAN_ARGS(text));
		write_range(out, option, &presets);
		buf_add_char(out, '\n');
	}
}
