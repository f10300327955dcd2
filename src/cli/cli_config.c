/*
 * Exit codes: EX_OK; EX_CONFIG where the configuration is wrong; EX_NOINPUT where it
 * cannot be read; EX_USAGE.  Problems go to standard error, in JSON to standard output.
 */
#include "cli/cli_config.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/check.h"
#include "base/date.h"
#include "cli/cli.h"
#include "cli/cli_config_internal.h"
#include "conf/conf_option.h"
#include "proc/proc_json.h"
#include "proc/supervisor/conf_load.h"

enum { OUTPUT_BYTES_MAX = 64 << 20, PROBLEM_BYTES_MAX = 1 << 20 };

static const char usage[] =
    "usage: postrider config check [FILE] [--json]   is this configuration good?\n"
    "       postrider config show [FILE] [--json]    all values, defaults too\n"
    "       postrider config manual                  every statement, explained\n"
    "\n"
    "FILE may also be given as --config FILE. It is $POSTRIDER_CONFIG, or else\n"
    "/etc/postrider/postrider.conf.\n"
    "\n"
    "Exit codes: 0 good, 78 an error in it, 66 it cannot be read, 64 wrong use.\n";

static int
write_out(const struct buf *text)
{
	struct span span = buf_span(text);

	(void)fwrite(span.ptr, 1, span.len, stdout);
	return cli_finish(EX_OK);
}

static int
write_json(json_t *root)
{
	(void)json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
	return cli_finish(EX_OK);
}

static int
show(const struct conf *conf, bool json)
{
	struct buf out;
	int code;

	if (json)
		return write_json(cli_config_json(conf));
	buf_init(&out, OUTPUT_BYTES_MAX);
	conf_show(&out, conf);
	code = write_out(&out);
	buf_fini(&out);
	return code;
}

static int
manual(void)
{
	struct buf out;
	int code;

	buf_init(&out, OUTPUT_BYTES_MAX);
	conf_manual(&out);
	code = write_out(&out);
	buf_fini(&out);
	return code;
}

/* What a configuration comes to, so that a slip of thought is seen too. */
static int
say_good(const struct conf *conf, const char *path)
{
	struct buf out;
	int code;

	buf_init(&out, OUTPUT_BYTES_MAX);
	buf_addf(&out, "%s is good: %.*s listens on %zu address%s, accepts mail for ",
	    path, SPAN_ARGS(conf->hostname), conf->listener_count,
	    conf->listener_count == 1 ? "" : "es");
	if (conf->domain_count == 0)
		buf_add_str(&out, "no domain");
	else
		buf_add(&out, conf->domains[0]);
	if (conf->domain_count > 1)
		buf_addf(&out, " and %zu more", conf->domain_count - 1);
	buf_addf(&out, ", TLS %s.\n", conf->certificate_count > 0 ? "on" : "off");
	code = write_out(&out);
	buf_fini(&out);
	return code;
}

static json_t *
json_problem(const struct conf_error *error)
{
	return json_pack("{s:o, s:i, s:i, s:o, s:o}", "file", proc_json_text(error->file),
	    "line", (int)error->line, "column", (int)error->column, "text",
	    proc_json_text(error->text), "source", proc_json_text(error->source));
}

/* {"good": false, "problems": [{"file", "line", "column", "text", "source"}]} */
static int
check_json(const char *path)
{
	struct conf_error errors[CONF_ERRORS_MAX];
	json_t *problems = json_array();
	struct conf_bundle *bundle;
	struct conf *conf = NULL;
	struct buf text;
	size_t count = 0;
	enum err err;
	int code;

	buf_init(&text, PROBLEM_BYTES_MAX);
	err = conf_load_bundle(path, &bundle, &text);
	if (err)
		json_array_append_new(problems,
		    json_pack("{s:o}", "text", proc_json_text(span_trim(buf_span(&text)))));
	else
		err = conf_parse(bundle, &conf, errors, &count);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(problems, json_problem(&errors[i]));
	code = write_json(json_pack(
	    "{s:s, s:b, s:o}", "file", path, "good", !err, "problems", problems));
	conf_destroy(conf);
	conf_bundle_destroy(bundle);
	buf_fini(&text);
	if (code != EX_OK || !err)
		return code;
	return err == ERR_SYNTAX ? EX_CONFIG : EX_NOINPUT;
}

static int
load_and(bool showing, const char *path, bool json)
{
	struct conf_bundle *bundle;
	struct conf *conf;
	struct buf problems;
	enum err err;
	int code;

	if (json && !showing)
		return check_json(path);
	buf_init(&problems, PROBLEM_BYTES_MAX);
	err = conf_load(path, &bundle, &conf, &problems);
	if (err) {
		fprintf(stderr, "%.*s", SPAN_ARGS(buf_span(&problems)));
		code = err == ERR_SYNTAX ? EX_CONFIG : EX_NOINPUT;
	} else {
		code = showing ? show(conf, json) : say_good(conf, path);
	}
	conf_destroy(conf);
	conf_bundle_destroy(bundle);
	buf_fini(&problems);
	return code;
}

static int
say_unknown(const char *verb)
{
	static const char *const verbs[] = {"check", "show", "manual"};
	const char *nearest = cli_nearest(verb, verbs, LEN(verbs));

	if (verb[0] == '\0')
		return cli_wrong_use(usage, "check, show or manual?");
	return cli_wrong_use(usage, "there is no \"config %s\"%s%s%s",
	    cli_quote(verb).text, nearest ? "; did you mean " : "",
	    nearest ? nearest : "", nearest ? "?" : "");
}

int
cli_config(int argc, char **argv)
{
	const char *path = NULL;
	bool json = false, help = false;
	const struct cli_option options[] = {
	    {"--json", &json, NULL}, {"--help", &help, NULL}, {"--config", NULL, &path}};
	int words = cli_options(argc, argv, options, LEN(options), usage);
	const char *verb = words > 0 ? argv[1] : "";
	bool showing = strcmp(verb, "show") == 0;

	if (words < 0)
		return EX_USAGE;
	if (help || strcmp(verb, "help") == 0) {
		fputs(usage, stdout);
		return EX_OK;
	}
	if (!showing && strcmp(verb, "check") != 0 && strcmp(verb, "manual") != 0)
		return say_unknown(verb);
	if (words > 2 || (words == 2 && path))
		return cli_wrong_use(usage, "one file at a time: what is \"%s\"?",
		    cli_quote(argv[path ? 2 : 3]).text);
	if (words == 2)
		path = argv[2];
	if (strcmp(verb, "manual") == 0) {
		if (path && words == 2)
			return cli_wrong_use(
			    usage, "the manual is the same for every file");
		return json ? cli_wrong_use(usage, "the manual is text only") : manual();
	}
	if (path && path[0] == '\0')
		return cli_wrong_use(usage, "the name of the file is empty");
	return load_and(showing, path ? path : conf_load_default_path(), json);
}
