/*
 * "postrider compare": how two codes differ, and which is which.
 */
#include <stdio.h>
#include <sysexits.h>

#include "base/check.h"
#include "cli/cli.h"
#include "cli/cli_explain.h"
#include "replies/reply.h"

enum { OUT_BYTES_MAX = 1 << 18, TEXT_BYTES_MAX = 1 << 14 };

static const char usage[] =
    "usage: postrider compare [--json] [--format FORMAT] [--lang LANGUAGE] CODE CODE\n"
    "\n"
    "Tells two SMTP reply codes or enhanced status codes apart: the difference that\n"
    "matters, who sends which, what the client does after each, and which to use.\n"
    "\n"
    "  postrider compare 220 252\n"
    "  postrider compare 4.7.0 5.7.1\n"
    "\n"
    "  --json             for programs\n"
    "  --format FORMAT    text, markdown or html\n"
    "  --lang LANGUAGE    as with postrider explain\n";

json_t *
cli_compare_json(const struct language *language, struct span a, struct span b)
{
	static const char *const keys[CATALOGUE_ASPECT_COUNT] = {
	    [CATALOGUE_DIFFERENCE] = "difference",
	    [CATALOGUE_WHEN] = "when",
	    [CATALOGUE_CLIENT] = "client",
	    [CATALOGUE_CHOOSE] = "choose",
	};
	bool swap = catalogue_order(a, b) > 0;
	struct span low = swap ? b : a;
	struct span high = swap ? a : b;
	json_t *object;
	struct buf text;

	if (!catalogue_find(a) || !catalogue_find(b))
		return NULL;
	object = json_pack("{s:[s%, s%]}", "codes", low.ptr, low.len, high.ptr, high.len);
	check(object);
	buf_init(&text, TEXT_BYTES_MAX);
	for (unsigned i = 0; i < CATALOGUE_ASPECT_COUNT; i++) {
		json_t *value;

		buf_reset(&text);
		check(catalogue_compare_aspect(
			  &text, language, a, b, (enum catalogue_aspect)i) == OK);
		if (text.len == 0)
			continue;
		value = json_stringn(text.ptr, text.len);
		check(value && json_object_set_new(object, keys[i], value) == 0);
	}
	buf_fini(&text);
	return object;
}

/* Says which of the two the catalogue does not know. */
static int
complain(char *const codes[2])
{
	for (size_t i = 0; i < 2; i++) {
		struct explain explain;
		bool is_code = explain_parse(span_str(codes[i]), &explain) == OK &&
			       explain.reply.len == 0 && !explain.group;

		if (catalogue_find(span_str(codes[i])))
			continue;
		if (catalogue_topic_find(span_str(codes[i])))
			fprintf(stderr,
			    "postrider: only codes are compared, and %s is none; postrider explain "
			    "%s says what it is\n",
			    codes[i], codes[i]);
		else if (is_code)
			fprintf(stderr,
			    "postrider: %s is not a standard code; "
			    "postrider explain %s says what its digits tell\n",
			    codes[i], codes[i]);
		else
			fprintf(stderr,
			    "postrider: \"%s\" is not a code such as 550 or 5.7.1\n",
			    cli_quote(codes[i]).text);
		break;
	}
	return EX_DATAERR;
}

static int
answer(char *const codes[2], const struct cli_explain_options *options, struct buf *out)
{
	struct span a = span_str(codes[0]);
	struct span b = span_str(codes[1]);
	struct page page = cli_explain_page_of(out, options);

	if (options->json) {
		json_t *json = cli_compare_json(options->language, a, b);

		if (!json)
			return complain(codes);
		cli_explain_json_write(out, json);
		return EX_OK;
	}
	page_begin(&page, catalogue_order(a, b) > 0 ? b : a);
	if (explain_compare(&page, a, b) != OK)
		return complain(codes);
	page_end(&page);
	return EX_OK;
}

int
cli_compare(int argc, char **argv)
{
	struct cli_explain_options options;
	struct buf out;
	int status = EX_OK;

	if (!cli_explain_options(argc, argv, usage, &options))
		return EX_USAGE;
	if (!options.help && options.search)
		return cli_wrong_use(usage, "the search is: postrider explain --search");
	if (!options.help && options.list)
		return cli_wrong_use(usage, "the list is: postrider explain --list");
	if (!options.help && options.words != 2)
		return cli_wrong_use(usage, "compare takes two codes, and here %s",
		    options.words == 0	 ? "is none"
		    : options.words == 1 ? "is one"
					 : "are more");
	buf_init(&out, OUT_BYTES_MAX);
	if (options.help)
		buf_add_str(&out, usage);
	else
		status = answer(argv + 1, &options, &out);
	if (status == EX_OK)
		status = cli_explain_print(&out);
	buf_fini(&out);
	return status;
}
