/* See results.h.  What others said becomes words and lines here, and nothing else. */
#include "proc/fetcher/results.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/date.h"

static const char head[] = "postrider tls results 1 ";
static const char prefix[] = "results-";

enum { PREFIX_BYTES = sizeof(prefix) - 1, DAY_LEN = RESULTS_DAY_BYTES - 1 };

static const char *const kinds[IPC_POLICY_KIND_COUNT] = {
    [IPC_POLICY_KIND_NONE] = "no-policy-found",
    [IPC_POLICY_KIND_STS] = "sts",
    [IPC_POLICY_KIND_TLSA] = "tlsa",
};

static const char *const result_names[IPC_TLS_RESULT_COUNT] = {
    [IPC_TLS_SUCCESS] = "success",
    [IPC_TLS_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
    [IPC_TLS_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
    [IPC_TLS_CERTIFICATE_EXPIRED] = "certificate-expired",
    [IPC_TLS_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
    [IPC_TLS_VALIDATION_FAILURE] = "validation-failure",
    [IPC_TLS_TLSA_INVALID] = "tlsa-invalid",
    [IPC_TLS_DNSSEC_INVALID] = "dnssec-invalid",
    [IPC_TLS_DANE_REQUIRED] = "dane-required",
    [IPC_TLS_STS_POLICY_FETCH_ERROR] = "sts-policy-fetch-error",
    [IPC_TLS_STS_POLICY_INVALID] = "sts-policy-invalid",
    [IPC_TLS_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
};

const char *
results_kind_name(enum ipc_policy_kind kind)
{
	check((unsigned)kind < IPC_POLICY_KIND_COUNT);
	return kinds[kind];
}

const char *
results_result_name(enum ipc_tls_result result)
{
	check((unsigned)result < IPC_TLS_RESULT_COUNT);
	return result_names[result];
}

void
results_init(struct results *results, const uint64_t seed[2])
{
	*results = (struct results){0};
	map_init(&results->map, seed);
}

static void
empty(struct results *results)
{
	for (size_t i = 0; i < results->count; i++) {
		struct result_policy *policy = results->policies[i];

		map_remove(&results->map, span_str(policy->key));
		mem_free(policy->text);
		mem_free(policy->failures);
		mem_free(policy);
	}
	results->count = 0;
	results->left_out = 0;
}

void
results_fini(struct results *results)
{
	empty(results);
	mem_free(results->policies);
	map_fini(&results->map);
	*results = (struct results){0};
}

void
results_begin(struct results *results, const char *day)
{
	empty(results);
	snprintf(results->day, sizeof(results->day), "%s", day);
}

/* Printable; of words nothing that ends a word. */
static void
copy_clean(char *into, size_t room, struct span text, bool word)
{
	text = span_first(text, room - 1);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		into[i] = c > ' ' && c <= '~' ? c : word || c != ' ' ? '?' : ' ';
	}
	into[text.len] = '\0';
}

static struct result_policy *
find(struct results *results, enum ipc_policy_kind kind, struct span domain)
{
	struct result_policy *policy = mem_alloc(sizeof(*policy)), *known;

	policy->kind = kind;
	copy_clean(policy->domain, sizeof(policy->domain), domain, true);
	span_lower(policy->domain, span_str(policy->domain));
	snprintf(policy->key, sizeof(policy->key), "%u %s", (unsigned)kind, policy->domain);
	known = map_get(&results->map, span_str(policy->key));
	if (known || results->count == RESULTS_POLICIES_MAX || domain.len == 0) {
		mem_free(policy);
		return known;
	}
	if ((results->count & (results->count + 1)) == 0)
		results->policies = mem_realloc(results->policies,
		    (2 * results->count + 2) * sizeof(*results->policies));
	results->policies[results->count++] = policy;
	map_set(&results->map, span_str(policy->key), policy);
	return policy;
}

static struct result_failure *
find_failure(struct result_policy *policy, const struct result *result)
{
	struct result_failure one = {.result = result->result}, *into;

	copy_clean(one.host, sizeof(one.host), result->host, true);
	copy_clean(one.address, sizeof(one.address), result->address, true);
	for (size_t i = 0; i < policy->failure_count; i++)
		if (policy->failures[i].result == one.result &&
		    strcmp(policy->failures[i].host, one.host) == 0 &&
		    strcmp(policy->failures[i].address, one.address) == 0)
			return &policy->failures[i];
	if (policy->failure_count == RESULTS_FAILURES_MAX)
		return NULL;
	policy->failures = mem_realloc(
	    policy->failures, (policy->failure_count + 1) * sizeof(*policy->failures));
	into = &policy->failures[policy->failure_count++];
	*into = one;
	return into;
}

static void
fail(struct result_policy *policy, const struct result *result, uint64_t count)
{
	struct result_failure *failure = find_failure(policy, result);

	if (!failure)
		return;
	failure->count += count;
	if (failure->count > UINT32_MAX)
		failure->count = UINT32_MAX;
	copy_clean(failure->reason, sizeof(failure->reason), result->reason, false);
}

static void
set_text(struct result_policy *policy, struct span text)
{
	if (text.len == 0 || text.len > RESULTS_TEXT_MAX ||
	    (policy->text && span_eq(span_str(policy->text), text)))
		return;
	mem_free(policy->text);
	policy->text = mem_copy(text);
}

void
results_add(struct results *results, const struct result *result)
{
	struct result_policy *policy = find(results, result->kind, result->domain);

	if (!policy) {
		results->left_out++;
		return;
	}
	set_text(policy, result->policy);
	if (result->result == IPC_TLS_SUCCESS) {
		policy->good++;
		return;
	}
	policy->failed++;
	fail(policy, result, 1);
}

static void
write_policy(const struct result_policy *policy, struct buf *out)
{
	struct span text = span_str(policy->text), line;

	buf_addf(out, "policy %s %s %llu %llu\n", kinds[policy->kind], policy->domain,
	    (unsigned long long)policy->good, (unsigned long long)policy->failed);
	while (span_cut(&text, '\n', &line))
		buf_addf(out, "says %.*s\n", SPAN_ARGS(line));
	for (size_t i = 0; i < policy->failure_count; i++) {
		const struct result_failure *failure = &policy->failures[i];

		buf_addf(out, "failure %s %llu %s %s %s\n", result_names[failure->result],
		    (unsigned long long)failure->count, *failure->host ? failure->host : "-",
		    *failure->address ? failure->address : "-", failure->reason);
	}
}

void
results_write(const struct results *results, struct buf *out)
{
	buf_addf(out, "%s%s\nleft-out %llu\n", head, results->day,
	    (unsigned long long)results->left_out);
	for (size_t i = 0; i < results->count; i++)
		write_policy(results->policies[i], out);
}

static int
index_of(const char *const *texts, size_t count, struct span text)
{
	for (size_t i = 0; i < count; i++)
		if (span_eq(text, span_str(texts[i])))
			return (int)i;
	return -1;
}

static struct result_policy *
read_policy(struct results *results, struct span line)
{
	struct span kind, domain, good;
	struct result_policy *policy;
	int found;

	if (!span_cut(&line, ' ', &kind) || !span_cut(&line, ' ', &domain) ||
	    !span_cut(&line, ' ', &good))
		return NULL;
	found = index_of(kinds, LEN(kinds), kind);
	policy = found < 0 || domain.len > IPC_DOMAIN_MAX
	    ? NULL
	    : find(results, (enum ipc_policy_kind)found, domain);
	if (!policy || !span_u64(good, UINT32_MAX, &policy->good) ||
	    !span_u64(line, UINT32_MAX, &policy->failed))
		return NULL;
	return policy;
}

static bool
read_failure(struct result_policy *policy, struct span line)
{
	struct result result = {0};
	struct span name, number;
	uint64_t count;
	int found;

	if (!span_cut(&line, ' ', &name) || !span_cut(&line, ' ', &number) ||
	    !span_cut(&line, ' ', &result.host) || !span_cut(&line, ' ', &result.address))
		return false;
	found = index_of(result_names, LEN(result_names), name);
	if (found <= 0 || !span_u64(number, UINT32_MAX, &count))
		return false;
	result.result = (enum ipc_tls_result)found;
	result.reason = line;
	if (span_eq(result.host, SPAN("-")))
		result.host = SPAN("");
	if (span_eq(result.address, SPAN("-")))
		result.address = SPAN("");
	fail(policy, &result, count);
	return true;
}

/* One more line of what the policy says. */
static bool
read_text(struct result_policy *policy, struct span line)
{
	struct buf text;

	buf_init(&text, RESULTS_TEXT_MAX);
	buf_add(&text, span_str(policy->text));
	for (size_t i = 0; i < line.len; i++)
		buf_add_char(&text, line.ptr[i] >= ' ' && line.ptr[i] <= '~' ? line.ptr[i] : '?');
	buf_add_char(&text, '\n');
	if (buf_finish(&text) == OK)
		set_text(policy, buf_span(&text));
	buf_fini(&text);
	return true;
}

static bool
read_line(struct results *results, struct result_policy **policy, struct span line)
{
	struct span word;

	if (!span_cut(&line, ' ', &word))
		return false;
	if (span_eq(word, SPAN("left-out")))
		return !*policy && span_u64(line, UINT32_MAX, &results->left_out);
	if (span_eq(word, SPAN("policy"))) {
		*policy = read_policy(results, line);
		return *policy != NULL;
	}
	if (!*policy)
		return false;
	if (span_eq(word, SPAN("says")))
		return read_text(*policy, line);
	return span_eq(word, SPAN("failure")) && read_failure(*policy, line);
}

enum err
results_read(struct results *results, struct span file)
{
	struct result_policy *policy = NULL;
	char day[RESULTS_DAY_BYTES];
	struct span line;
	bool good;

	if (!span_cut(&file, '\n', &line) || !span_starts(line, span_str(head)))
		return ERR_SYNTAX;
	line = span_skip(line, sizeof(head) - 1);
	if (!results_is_day(line))
		return ERR_SYNTAX;
	snprintf(day, sizeof(day), "%.*s", SPAN_ARGS(line));
	results_begin(results, day);
	good = true;
	while (good && span_cut(&file, '\n', &line))
		good = read_line(results, &policy, line);
	if (!good)
		empty(results);
	return good ? OK : ERR_SYNTAX;
}

bool
results_is_day(struct span day)
{
	if (day.len != DAY_LEN)
		return false;
	for (size_t i = 0; i < day.len; i++)
		if (i == 4 || i == 7 ? day.ptr[i] != '-' : !ascii_is_digit(day.ptr[i]))
			return false;
	return true;
}

void
results_day(uint64_t wall_ms, char day[RESULTS_DAY_BYTES])
{
	struct buf text;

	buf_init(&text, DATE_DAY_BYTES);
	date_write_day(&text, wall_ms);
	snprintf(day, RESULTS_DAY_BYTES, "%.*s", SPAN_ARGS(buf_span(&text)));
	buf_fini(&text);
}

void
results_file_name(const char *day, char name[RESULTS_NAME_BYTES])
{
	snprintf(name, RESULTS_NAME_BYTES, "%s%.10s", prefix, day);
}

bool
results_file_day(const char *name, char day[RESULTS_DAY_BYTES])
{
	struct span span = span_str(name);

	if (!span_starts(span, span_str(prefix)) || !results_is_day(span_skip(span, PREFIX_BYTES)))
		return false;
	snprintf(day, RESULTS_DAY_BYTES, "%s", name + PREFIX_BYTES);
	return true;
}
