/* What a domain publishes: MX and its hosts, SPF, DKIM, DMARC, MTA-STS, TLS reports. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli_check_internal.h"
#include "proc/resolver/rdata.h"

enum { MX_HOSTS_MAX = 8, POLICY_NAME_BYTES = CLI_CHECK_NAME_BYTES + 20 };

static int
by_preference(const void *a, const void *b)
{
	const struct check_mx *x = a, *y = b;

	return x->preference != y->preference ? (x->preference < y->preference ? -1 : 1)
					      : strcmp(x->name, y->name);
}

/* False where the answer says nothing; that is found. */
static bool
is_answer(struct cli_check *check, const struct cli_check_answer *answer)
{
	if (answer->err)
		cli_check_find(check, FINDING_DNS_NO_ANSWER);
	else if (answer->bogus)
		cli_check_find(check, FINDING_DNSSEC_BOGUS);
	return !answer->err && !answer->bogus;
}

bool
cli_check_has_mx(struct cli_check *check, const char *name)
{
	struct cli_check_answer *answer = cli_check_ask(check, name, IO_DNS_MX);
	/* A domain whose servers fail is a domain. */
	bool has = answer->count > 0 || answer->bogus;

	mem_free(answer);
	return has;
}

bool
cli_check_mx(struct cli_check *check, const char *domain, struct check_mx *mx, size_t *count)
{
	struct cli_check_answer *answer = cli_check_ask(check, domain, IO_DNS_MX);
	bool good = is_answer(check, answer);

	*count = 0;
	if (good && answer->rcode == 3) {
		cli_check_find(check, FINDING_NAME_MISSING);
		good = false;
	}
	for (size_t i = 0; i < answer->count && *count < CHECK_MX_MAX; i++) {
		char name[RDATA_NAME_BYTES];
		uint16_t preference;

		if (rdata_mx(answer->records[i], &preference, name) != OK)
			continue;
		memcpy(mx[*count].name, name, sizeof(name));
		mx[(*count)++].preference = preference;
	}
	qsort(mx, *count, sizeof(*mx), by_preference);
	if (good && answer->secure)
		cli_check_find(check, FINDING_DNSSEC_SECURE);
	mem_free(answer);
	return good;
}

static void
check_alias(struct cli_check *check, const char *domain, const char *name)
{
	struct cli_check_answer *answer = cli_check_ask(check, name, IO_DNS_CNAME);

	if (answer->count > 0)
		check_add(check->report, FINDING_MX_ALIAS, span_str(domain), WORD_CHECK_FOUND,
		    &(struct word_fields){.text = span_str(name)});
	mem_free(answer);
}

static void
check_mx_host(struct cli_check *check, const char *domain, const char *name, bool alone)
{
	struct net_addr addrs[CHECK_ADDRS_MAX], literal;
	struct cli_check_answer *a;
	const struct word_fields named = {.text = span_str(name)};
	size_t count, reachable = 0;

	if (net_addr_parse(span_str(name), &literal) == OK)
		return;
	cli_check_subject(check, "%s", name);
	if (!cli_check_addresses(check, name, addrs, &count, &a))
		cli_check_find(check, FINDING_DNS_NO_ANSWER);
	else if (a->bogus)
		cli_check_find(check, FINDING_DNSSEC_BOGUS);
	else if (count == 0)
		check_add(check->report, alone ? FINDING_NAME_NO_ADDRESS : FINDING_MX_NO_ADDRESS,
		    span_str(domain), WORD_CHECK_FOUND, &named);
	mem_free(a);
	if (!alone)
		check_alias(check, domain, name);
	for (size_t i = 0; i < count; i++) {
		struct buf text;

		reachable++;
		if (!check_addr_is_private(&addrs[i]))
			continue;
		buf_init(&text, NET_TEXT_MAX);
		net_addr_write(&text, &addrs[i]);
		check_add(check->report, FINDING_MX_PRIVATE, span_str(name), WORD_CHECK_FOUND,
		    &(struct word_fields){.text = buf_span(&text)});
		buf_fini(&text);
	}
	if (reachable > 0)
		cli_check_mx_host(check, domain, name, addrs, count);
}

static void
check_spf(struct cli_check *check, const char *domain)
{
	struct check_spf *spf = mem_alloc(sizeof(*spf));
	const char *name;
	bool good = true;

	check_spf_init(spf, span_str(domain));
	while (good && (name = check_spf_next(spf)) != NULL && !cli_check_is_over(check)) {
		struct cli_check_answer *answer = cli_check_ask_txt(check, name);

		good = is_answer(check, answer);
		if (good)
			check_spf_answer(spf, answer->records, answer->count);
		mem_free(answer);
	}
	if (good && !check_spf_next(spf))
		check_spf_judge(check->report, span_str(domain), spf);
	mem_free(spf);
}

static void
check_dkim(struct cli_check *check, const char *domain)
{
	const struct cli_check_options *options = check->options;

	if (options->selector_count == 0)
		cli_check_find(check, FINDING_DKIM_NOT_ASKED);
	for (size_t i = 0; i < options->selector_count && !cli_check_is_over(check); i++) {
		char name[POLICY_NAME_BYTES];
		struct cli_check_answer *answer;

		snprintf(name, sizeof(name), "%.100s._domainkey.%.150s", options->selectors[i],
		    domain);
		answer = cli_check_ask_txt(check, name);
		if (is_answer(check, answer))
			check_dkim_judge(check->report, span_str(name), answer->records,
			    answer->count);
		mem_free(answer);
	}
}

/* The record of the domain, or of the nearest above it that has one (but no top level domain). */
static void
check_dmarc(struct cli_check *check, const char *domain)
{
	struct cli_check_answer *answer = NULL;
	const char *at = domain;
	char name[POLICY_NAME_BYTES];
	bool there = false, good = true;

	while (!there && good && at && strchr(at, '.') && !cli_check_is_over(check)) {
		mem_free(answer);
		snprintf(name, sizeof(name), "_dmarc.%.250s", at);
		answer = cli_check_ask_txt(check, name);
		good = is_answer(check, answer);
		there = check_dmarc_is_there(answer->records, answer->count);
		at = strchr(at, '.') + 1;
	}
	if (!there)
		snprintf(name, sizeof(name), "_dmarc.%.250s", domain);
	if (good && answer)
		check_dmarc_judge(check->report, span_str(name), answer->records,
		    there ? answer->count : 0);
	mem_free(answer);
}

static void
fetch_policy(struct cli_check *check, const char *domain, const struct check_mx *mx, size_t count)
{
	struct net_addr addrs[CHECK_ADDRS_MAX];
	char host[POLICY_NAME_BYTES], why[CHECK_WHY_BYTES] = "";
	struct buf body;
	size_t addr_count;
	enum err err = ERR_NOT_FOUND;

	buf_init(&body, STS_POLICY_BYTES_MAX);
	snprintf(host, sizeof(host), "mta-sts.%.200s", domain);
	(void)cli_check_addresses(check, host, addrs, &addr_count, NULL);
	snprintf(why, sizeof(why), "%s: %s", host, err_text(err));
	for (size_t i = 0; i < addr_count && err && !cli_check_is_over(check); i++)
		err = cli_check_fetch(check, host, &addrs[i], "/.well-known/mta-sts.txt", &body,
		    why, sizeof(why));
	if (err)
		check_add(check->report, FINDING_STS_FETCH, span_str(host), WORD_CHECK_REASON,
		    &(struct word_fields){.text = span_str(why)});
	else
		check_sts_judge(check->report, span_str(domain), buf_span(&body), mx, count);
	buf_fini(&body);
}

static void
check_sts(struct cli_check *check, const char *domain, const struct check_mx *mx, size_t count)
{
	char name[POLICY_NAME_BYTES];
	struct cli_check_answer *answer;
	bool wanted = false;

	snprintf(name, sizeof(name), "_mta-sts.%.200s", domain);
	answer = cli_check_ask_txt(check, name);
	if (is_answer(check, answer))
		wanted = check_sts_record_judge(
		    check->report, span_str(domain), answer->records, answer->count);
	mem_free(answer);
	if (wanted && !cli_check_is_over(check))
		fetch_policy(check, domain, mx, count);
}

static void
check_tlsrpt(struct cli_check *check, const char *domain)
{
	char name[POLICY_NAME_BYTES];
	struct cli_check_answer *answer;

	snprintf(name, sizeof(name), "_smtp._tls.%.200s", domain);
	answer = cli_check_ask_txt(check, name);
	if (is_answer(check, answer))
		check_tlsrpt_judge(
		    check->report, span_str(domain), answer->records, answer->count);
	mem_free(answer);
}

void
cli_check_domain(struct cli_check *check, const char *domain)
{
	struct check_mx mx[CHECK_MX_MAX];
	bool null, goes_on;
	size_t count;

	cli_check_subject(check, "%s", domain);
	goes_on = cli_check_mx(check, domain, mx, &count);
	if (!goes_on)
		return;
	check_mx_judge(check->report, span_str(domain), mx, count);
	null = check_mx_is_null(mx, count);
	for (size_t i = 0; i < count && i < MX_HOSTS_MAX && !cli_check_is_over(check); i++)
		if (mx[i].name[0])
			check_mx_host(check, domain, mx[i].name, false);
	if (count == 0 && !cli_check_is_over(check))
		check_mx_host(check, domain, domain, true);
	cli_check_subject(check, "%s", domain);
	if (!cli_check_is_over(check))
		check_spf(check, domain);
	check_dkim(check, domain);
	if (!cli_check_is_over(check))
		check_dmarc(check, domain);
	if (null)
		return;
	if (!cli_check_is_over(check))
		check_sts(check, domain, mx, count);
	if (!cli_check_is_over(check))
		check_tlsrpt(check, domain);
}
