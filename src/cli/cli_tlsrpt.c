/*
 * "postrider tlsrpt": what the fetcher has counted.  Its files are read as they are; the server
 * does not have to run.
 */
#include "cli/cli_tlsrpt.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli.h"
#include "cli/cli_conf.h"
#include "proc/fetcher/keep.h"
#include "proc/fetcher/results.h"
#include "proc/proc.h"

static const char usage[] =
    "usage: postrider tlsrpt [--day DAY] [--domain DOMAIN] [--json]\n"
    "\n"
    "Shows how TLS sessions with the servers of other domains went: how many were good, how\n"
    "many failed, and why, by the policy of the domain (sts: MTA-STS, tlsa: DANE).\n"
    "\n"
    "  --day DAY        2026-11-27; a day in UTC, today without; 30 days are kept\n"
    "  --domain DOMAIN  only of this domain\n"
    "  --config FILE    the server's configuration, which names the spool\n"
    "  --json           the report that RFC 8460 describes\n"
    "\n"
    "The sessions of the last 5 seconds may be missing.\n"
    "\n"
    "Exit codes: 0 done, 65 there is nothing of that day or domain, 77 not allowed to read it,\n"
    "78 or 66 the configuration, 74 the file cannot be read, 64 wrong use.\n";

struct report {
	struct results results;
	struct conf *conf;
	struct conf_bundle *bundle;
	struct io *io;
	char day[RESULTS_DAY_BYTES];
	struct span domain; /* "": all */
};

static int
read_day(struct report *report)
{
	char path[PROC_PATH_BYTES], name[RESULTS_NAME_BYTES];
	struct keep keep;
	struct io_dir *dir = NULL;
	struct buf file;
	enum err err;

	proc_policies_path(report->conf, path);
	results_file_name(report->day, name);
	buf_init(&file, RESULTS_BYTES_MAX);
	err = io_dir_open(report->io, path, &dir);
	if (!err) {
		keep_init(&keep, report->io, dir, NULL);
		err = keep_read(&keep, name, &file);
		io_dir_close(dir);
	}
	if (!err)
		err = results_read(&report->results, buf_span(&file));
	buf_fini(&file);
	if (err == ERR_NOT_FOUND) {
		fprintf(stderr, "postrider: there is nothing of %s in %s\n", report->day, path);
		return EX_DATAERR;
	}
	if (err)
		fprintf(stderr, "postrider: cannot read %s/%s: %s\n", path, name, err_text(err));
	return !err ? EX_OK : err == ERR_DENIED ? EX_NOPERM : EX_IOERR;
}

static bool
is_wanted(const struct report *report, const struct result_policy *policy)
{
	return report->domain.len == 0 ||
	    span_eq_nocase(report->domain, span_str(policy->domain));
}

static json_t *
json_failure(const struct result_failure *failure)
{
	json_t *object = json_pack("{s:s, s:I}", "result-type",
	    results_result_name(failure->result), "failed-session-count",
	    (json_int_t)failure->count);

	if (*failure->host)
		json_object_set_new(object, "receiving-mx-hostname", json_string(failure->host));
	if (*failure->address)
		json_object_set_new(object, "receiving-ip", json_string(failure->address));
	if (*failure->reason)
		json_object_set_new(
		    object, "failure-reason-code", json_string(failure->reason));
	return object;
}

/* The lines that the policy has, and the hosts that are among them. */
static void
add_text(json_t *object, const struct result_policy *policy)
{
	struct span text = span_str(policy->text), line;
	json_t *lines = json_array(), *hosts = json_array();

	while (span_cut(&text, '\n', &line)) {
		json_array_append_new(lines, json_stringn(line.ptr, line.len));
		if (span_starts(line, SPAN("mx: ")))
			json_array_append_new(hosts, json_stringn(line.ptr + 4, line.len - 4));
	}
	if (json_array_size(lines) > 0) {
		json_object_set(object, "policy-string", lines);
		json_object_set(object, "mx-host", hosts);
	}
	json_decref(lines);
	json_decref(hosts);
}

static json_t *
json_policy(const struct result_policy *policy)
{
	json_t *what = json_pack("{s:s, s:s}", "policy-type", results_kind_name(policy->kind),
	    "policy-domain", policy->domain);
	json_t *failures = json_array();
	json_t *object;

	add_text(what, policy);
	for (size_t i = 0; i < policy->failure_count; i++)
		json_array_append_new(failures, json_failure(&policy->failures[i]));
	object = json_pack("{s:o, s:{s:I, s:I}}", "policy", what, "summary",
	    "total-successful-session-count", (json_int_t)policy->good,
	    "total-failure-session-count", (json_int_t)policy->failed);
	if (json_array_size(failures) > 0)
		json_object_set(object, "failure-details", failures);
	json_decref(failures);
	return object;
}

static void
print_json(const struct report *report)
{
	const struct span host = report->conf->hostname;
	json_t *policies = json_array(), *root;
	char text[400];

	for (size_t i = 0; i < report->results.count; i++)
		if (is_wanted(report, report->results.policies[i]))
			json_array_append_new(policies, json_policy(report->results.policies[i]));
	root = json_object();
	json_object_set_new(root, "organization-name", json_stringn(host.ptr, host.len));
	snprintf(text, sizeof(text), "%sT00:00:00Z", report->day);
	json_object_set_new(root, "date-range", json_pack("{s:s}", "start-datetime", text));
	snprintf(text, sizeof(text), "%sT23:59:59Z", report->day);
	json_object_set_new(
	    json_object_get(root, "date-range"), "end-datetime", json_string(text));
	snprintf(text, sizeof(text), "postmaster@%.*s", SPAN_ARGS(span_first(host, 255)));
	json_object_set_new(root, "contact-info", json_string(text));
	snprintf(text, sizeof(text), "%s_%.*s%s%.*s", report->day,
	    SPAN_ARGS(span_first(report->domain, 120)), report->domain.len > 0 ? "@" : "",
	    SPAN_ARGS(span_first(host, 255)));
	json_object_set_new(root, "report-id", json_string(text));
	json_object_set_new(root, "policies", policies);
	(void)json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
}

static void
print_policy(const struct result_policy *policy)
{
	printf("%s, %s: %llu good, %llu failed\n", policy->domain,
	    policy->kind == IPC_POLICY_KIND_STS        ? "MTA-STS"
		: policy->kind == IPC_POLICY_KIND_TLSA ? "DANE"
						       : "no policy",
	    (unsigned long long)policy->good, (unsigned long long)policy->failed);
	for (size_t i = 0; i < policy->failure_count; i++) {
		const struct result_failure *failure = &policy->failures[i];

		printf("  %llu %s%s%s%s%s%s%s%s\n", (unsigned long long)failure->count,
		    results_result_name(failure->result), *failure->host ? " at " : "",
		    failure->host, *failure->address ? " [" : "", failure->address,
		    *failure->address ? "]" : "", *failure->reason ? ": " : "", failure->reason);
	}
}

static int
show(const struct report *report, bool json)
{
	size_t shown = 0;

	for (size_t i = 0; i < report->results.count; i++)
		shown += is_wanted(report, report->results.policies[i]);
	if (shown == 0) {
		fprintf(stderr, "postrider: there were no sessions%s on %s\n",
		    report->domain.len > 0 ? " with that domain" : "", report->day);
		return EX_DATAERR;
	}
	if (json) {
		print_json(report);
		return cli_finish(EX_OK);
	}
	for (size_t i = 0; i < report->results.count; i++)
		if (is_wanted(report, report->results.policies[i]))
			print_policy(report->results.policies[i]);
	if (report->results.left_out > 0)
		printf("%llu more sessions, with domains for which there was no room\n",
		    (unsigned long long)report->results.left_out);
	return cli_finish(EX_OK);
}

int
cli_tlsrpt(int argc, char **argv)
{
	static const uint64_t seed[2] = {1, 2};
	const char *conf_path = NULL, *day = NULL, *domain = NULL;
	bool json = false, help = false;
	const struct cli_option options[] = {{"--json", &json, NULL}, {"--help", &help, NULL},
	    {"--config", NULL, &conf_path}, {"--day", NULL, &day}, {"--domain", NULL, &domain}};
	int words = cli_options(argc, argv, options, LEN(options), usage);
	struct report report = {0};
	int status;

	if (words < 0)
		return EX_USAGE;
	if (help) {
		fputs(usage, stdout);
		return EX_OK;
	}
	if (words > 0)
		return cli_wrong_use(usage, "what is \"%s\"?", cli_quote(argv[1]).text);
	if (day && !results_is_day(span_str(day)))
		return cli_wrong_use(
		    usage, "a day is 2026-11-27, not \"%s\"", cli_quote(day).text);
	report.domain = span_str(domain);
	report.io = io_create();
	results_init(&report.results, seed);
	results_day(io_wall_ms(report.io), report.day);
	if (day)
		snprintf(report.day, sizeof(report.day), "%s", day);
	status = cli_conf_load(conf_path, "names the spool", "", &report.bundle, &report.conf);
	if (status == EX_OK)
		status = read_day(&report);
	if (status == EX_OK)
		status = show(&report, json);
	results_fini(&report.results);
	conf_destroy(report.conf);
	conf_bundle_destroy(report.bundle);
	io_destroy(report.io);
	return status;
}
