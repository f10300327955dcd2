/* Options, and how wrong ones are told. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/check.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "replies/reply.h"

enum { OPTIONS_MAX = 16, QUOTED_BYTES_MAX = 60, CLEAN_BYTES_MAX = 4 * QUOTED_BYTES_MAX };

struct cli_quote
cli_quote(const char *text)
{
	struct cli_quote quote;
	struct span given = span_str(text);
	struct buf clean;
	size_t bytes = given.len < QUOTED_BYTES_MAX ? given.len : QUOTED_BYTES_MAX;

	/* A character is not cut in two. */
	while (
	    bytes < given.len && bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80)
		bytes--;
	buf_init(&clean, CLEAN_BYTES_MAX);
	reply_clean(&clean, span_first(given, bytes));
	snprintf(quote.text, sizeof(quote.text), "%.*s%s", SPAN_ARGS(buf_span(&clean)),
	    bytes < given.len ? "..." : "");
	buf_fini(&clean);
	return quote;
}

const char *
cli_nearest(const char *wrong, const char *const *names, size_t count)
{
	struct conf_nearest nearest = {0};

	for (size_t i = 0; i < count; i++)
		conf_nearest_offer(&nearest, span_str(wrong), names[i]);
	return nearest.word;
}

int
cli_wrong_use(const char *usage, const char *format, ...)
{
	const char *end = strstr(usage, "\n\n");
	va_list args;

	fflush(stdout);
	fputs("postrider: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n%.*s\n", end ? (int)(end - usage) : (int)strlen(usage), usage);
	return EX_USAGE;
}

static int
unknown(
    const char *given, const struct cli_option *options, size_t count, const char *usage)
{
	const char *names[OPTIONS_MAX];
	const char *nearest;

	check(count <= LEN(names));
	for (size_t i = 0; i < count; i++)
		names[i] = options[i].name;
	nearest = cli_nearest(given, names, count);
	cli_wrong_use(usage, "there is no option \"%s\" here%s%s%s",
	    cli_quote(given).text, nearest ? "; did you mean " : "",
	    nearest ? nearest : "", nearest ? "?" : "");
	return -1;
}

/* The row that given is an option of; *value is what follows a "=", or NULL. */
static const struct cli_option *
find(
    const char *given, const struct cli_option *options, size_t count, const char **value)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(options[i].name);

		if (strncmp(given, options[i].name, len) != 0)
			continue;
		*value = given[len] == '=' ? given + len + 1 : NULL;
		if (given[len] == '\0' || (*value && options[i].value))
			return &options[i];
	}
	return NULL;
}

int
cli_options(int argc, char **argv, const struct cli_option *options, size_t count,
    const char *usage)
{
	int words = 0;
	bool over = false;

	for (int i = 1; i < argc; i++) {
		const struct cli_option *option;
		const char *value = NULL;
		const char *given = strcmp(argv[i], "-h") == 0 ? "--help" : argv[i];

		if (over || given[0] != '-' || given[1] == '\0') {
			argv[++words] = argv[i];
			continue;
		}
		if (strcmp(given, "--") == 0) {
			over = true;
			continue;
		}
		option = find(given, options, count, &value);
		if (!option)
			return unknown(given, options, count, usage);
		if (option->set) {
			*option->set = true;
			continue;
		}
		if (!value && i + 1 < argc)
			value = argv[++i];
		if (!value || value[0] == '\0') {
			cli_wrong_use(usage, "%s needs a value", option->name);
			return -1;
		}
		if (*option->value) {
			cli_wrong_use(usage, "%s is given twice", option->name);
			return -1;
		}
		*option->value = value;
	}
	return words;
}

int
cli_finish(int status)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "postrider: cannot write to standard output%s%s\n",
	    errno ? ": " : "", errno ? strerror(errno) : "");
	clearerr(stdout);
	return status == EX_OK ? EX_IOERR : status;
}
