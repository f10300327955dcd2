/* See policy.h.  A file is read with the suspicion that what was fetched gets. */
#include "proc/fetcher/policy.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/wire.h"

static const char head[] = "postrider tls policy 1", suffix[] = ".policy";

enum { OLD_MS = 24 * 3600 * 1000, SUFFIX_BYTES = sizeof(suffix) - 1, DOMAIN_BYTES_MAX = 240 };

void
policy_fini(struct policy *policy)
{
	mem_free(policy->hosts);
	*policy = (struct policy){0};
}

void
policy_take(struct policy *policy, const struct sts_policy *from, const char *id,
    uint64_t now_wall_ms)
{
	struct buf hosts;

	policy_fini(policy);
	buf_init(&hosts, sizeof(from->mx) + 4 * STS_MX_MAX);
	for (size_t i = 0; i < from->mx_count; i++)
		wire_bytes(&hosts, span_str(from->mx[i]));
	check(buf_finish(&hosts) == OK);
	snprintf(policy->id, sizeof(policy->id), "%s", id);
	policy->fetched_wall_ms = now_wall_ms;
	policy->mode = from->mode;
	policy->max_age_s = from->max_age_s;
	policy->hosts = mem_copy(buf_span(&hosts));
	policy->hosts_len = hosts.len;
	buf_fini(&hosts);
}

bool
policy_is_valid(const struct policy *policy, uint64_t now_wall_ms)
{
	return policy->hosts &&
	    now_wall_ms < policy->fetched_wall_ms + (uint64_t)policy->max_age_s * 1000;
}

bool
policy_is_old(const struct policy *policy, uint64_t now_wall_ms)
{
	uint64_t half_ms = (uint64_t)policy->max_age_s * 500;

	return now_wall_ms >=
	    policy->fetched_wall_ms + (half_ms < OLD_MS ? half_ms : (uint64_t)OLD_MS);
}

void
policy_write_text(const struct policy *policy, struct buf *out)
{
	struct reader reader = reader_init(span_of(policy->hosts, policy->hosts_len));

	buf_addf(out, "version: STSv1\nmode: %s\nmax_age: %u\n", sts_mode_name(policy->mode),
	    (unsigned)policy->max_age_s);
	while (reader.rest.len > 0 && !reader.failed) {
		buf_add_str(out, "mx: ");
		buf_add(out, reader_bytes(&reader, STS_MX_BYTES_MAX));
		buf_add_char(out, '\n');
	}
}

void
policy_write(const struct policy *policy, struct buf *out)
{
	buf_addf(out, "%s\nid %s\nfetched %llu\n", head, policy->id,
	    (unsigned long long)policy->fetched_wall_ms);
	policy_write_text(policy, out);
}

static bool
is_id(struct span id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!ascii_is_alnum(id.ptr[i]))
			return false;
	return id.len > 0 && id.len <= STS_ID_BYTES_MAX;
}

enum err
policy_read(struct span file, struct policy *policy)
{
	struct span line, word, id;
	struct sts_policy *parsed;
	char text[STS_ID_BYTES_MAX + 1];
	enum sts_fault fault;
	uint64_t fetched;
	enum err err;

	if (!span_cut(&file, '\n', &line) || !span_eq(line, span_str(head)) ||
	    !span_cut(&file, '\n', &id) || !span_cut(&id, ' ', &word) ||
	    !span_eq(word, SPAN("id")) || !is_id(id) || !span_cut(&file, '\n', &line) ||
	    !span_cut(&line, ' ', &word) || !span_eq(word, SPAN("fetched")) ||
	    !span_u64(line, UINT64_MAX / 2, &fetched))
		return ERR_SYNTAX;
	parsed = mem_alloc(sizeof(*parsed));
	err = sts_policy_parse(file, parsed, &fault);
	if (!err) {
		snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(id));
		policy_take(policy, parsed, text, fetched);
	}
	mem_free(parsed);
	return err;
}

bool
policy_domain(struct span domain, char name[POLICY_NAME_BYTES])
{
	if (domain.len == 0 || domain.len > DOMAIN_BYTES_MAX || domain.ptr[0] == '.')
		return false;
	for (size_t i = 0; i < domain.len; i++) {
		if (!ascii_is_alnum(domain.ptr[i]) && !memchr("-_.", domain.ptr[i], 3))
			return false;
		name[i] = ascii_lower(domain.ptr[i]);
	}
	name[domain.len] = '\0';
	return true;
}

void
policy_file_name(const char *domain, char name[POLICY_NAME_BYTES])
{
	snprintf(name, POLICY_NAME_BYTES, "%.*s%s", DOMAIN_BYTES_MAX, domain, suffix);
}

bool
policy_file_domain(const char *name, char domain[POLICY_NAME_BYTES])
{
	struct span span = span_str(name);

	if (!span_ends_nocase(span, span_str(suffix)))
		return false;
	return policy_domain(span_first(span, span.len - SUFFIX_BYTES), domain);
}
