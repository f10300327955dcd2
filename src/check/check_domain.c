#include "check/check_domain.h"

#include <stdio.h>

#include "base/check.h"
#include "check/check_record.h"

enum { DKIM_BITS_MIN = 2048 };

bool
check_mx_is_null(const struct check_mx *mx, size_t count)
{
	return count == 1 && mx[0].name[0] == '\0';
}

static void
say(struct check_report *report, enum finding id, struct span subject)
{
	check_add(report, id, subject, WORD_COUNT, NULL);
}

static void
say_text(struct check_report *report, enum finding id, struct span subject, enum word word,
    struct span text)
{
	check_add(report, id, subject, word, &(struct word_fields){.text = text});
}

void
check_mx_judge(struct check_report *report, struct span domain, const struct check_mx *mx,
    size_t count)
{
	if (count == 0) {
		say(report, FINDING_MX_NONE, domain);
		return;
	}
	if (check_mx_is_null(mx, count)) {
		say(report, FINDING_MX_NULL, domain);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct net_addr addr;

		if (mx[i].name[0] == '\0')
			say(report, FINDING_MX_NULL_MIXED, domain);
		else if (net_addr_parse(span_str(mx[i].name), &addr) == OK)
			say_text(report, FINDING_MX_IS_ADDRESS, domain, WORD_CHECK_FOUND,
			    span_str(mx[i].name));
	}
}

bool
check_addr_is_private(const struct net_addr *addr)
{
	static const char *const networks[] = {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10",
	    "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::1/128",
	    "fc00::/7", "fe80::/10"};

	for (size_t i = 0; i < LEN(networks); i++) {
		struct net_prefix prefix;

		check(net_prefix_parse(span_str(networks[i]), &prefix) == OK);
		if (net_prefix_has(&prefix, addr))
			return true;
	}
	return false;
}

static void
judge_spf_all(struct check_report *report, struct span domain, const struct check_spf *spf)
{
	if (spf->all == CHECK_SPF_ALL_PASS)
		say(report, FINDING_SPF_ALL_PASS, domain);
	else if (spf->all == CHECK_SPF_ALL_NEUTRAL || spf->all == CHECK_SPF_ALL_NONE)
		say(report, FINDING_SPF_OPEN, domain);
}

void
check_spf_judge(
    struct check_report *report, struct span domain, const struct check_spf *spf)
{
	char lookups[16];
	bool good = true;

	if (spf->none || spf->several) {
		say(report, spf->none ? FINDING_SPF_NONE : FINDING_SPF_SEVERAL, domain);
		return;
	}
	if (spf->malformed[0]) {
		say_text(report, FINDING_SPF_MALFORMED, domain, WORD_CHECK_WRONG_PART,
		    span_str(spf->malformed));
		good = false;
	}
	if (spf->lookups > CHECK_SPF_LOOKUPS_MAX) {
		snprintf(lookups, sizeof(lookups), "%u", spf->lookups);
		check_add(report, FINDING_SPF_LOOKUPS, domain, WORD_CHECK_TOO_MANY,
		    &(struct word_fields){.a = span_str(lookups), .b = SPAN("10")});
		good = false;
	}
	if (spf->missing[0]) {
		say_text(report, FINDING_SPF_INCLUDE_MISSING, domain, WORD_CHECK_FOUND,
		    span_str(spf->missing));
		good = false;
	}
	if (spf->uses_ptr)
		say(report, FINDING_SPF_PTR, domain);
	if (spf->all == CHECK_SPF_ALL_SOFT || spf->all == CHECK_SPF_ALL_FAIL) {
		if (good)
			say(report, FINDING_SPF_GOOD, domain);
	} else if (!spf->redirects || spf->all != CHECK_SPF_ALL_NONE) {
		judge_spf_all(report, domain, spf);
	}
}

/* The one record of a name that has some; the first one is as good as any. */
void
check_dkim_judge(struct check_report *report, struct span name, const struct span *txts,
    size_t count)
{
	char wrong[CHECK_RECORD_WORD_BYTES], bits[32];
	struct check_dkim dkim;

	if (count == 0) {
		say(report, FINDING_DKIM_MISSING, name);
		return;
	}
	if (check_dkim_parse(txts[0], &dkim, wrong) != OK) {
		say_text(report, FINDING_DKIM_MALFORMED, name, WORD_CHECK_WRONG_PART,
		    span_str(wrong));
		return;
	}
	if (dkim.revoked) {
		say(report, FINDING_DKIM_REVOKED, name);
		return;
	}
	snprintf(bits, sizeof(bits), "RSA %u", dkim.bits);
	if (dkim.kind == CHECK_DKIM_RSA && dkim.bits < DKIM_BITS_MIN)
		say_text(report, FINDING_DKIM_WEAK, name, WORD_CHECK_FOUND, span_str(bits));
	else
		say(report, FINDING_DKIM_GOOD, name);
	if (dkim.testing)
		say(report, FINDING_DKIM_TESTING, name);
}

bool
check_dmarc_is_there(const struct span *txts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (span_starts(txts[i], SPAN("v=DMARC1")))
			return true;
	return false;
}

void
check_dmarc_judge(struct check_report *report, struct span name, const struct span *txts,
    size_t count)
{
	char wrong[CHECK_RECORD_WORD_BYTES] = "", one_wrong[CHECK_RECORD_WORD_BYTES];
	struct check_dmarc dmarc = {0}, one;
	enum err found = ERR_NOT_FOUND;
	size_t records = 0;

	for (size_t i = 0; i < count; i++) {
		enum err err = check_dmarc_parse(txts[i], &one, one_wrong);

		if (err == ERR_NOT_FOUND)
			continue;
		records++;
		found = err;
		dmarc = one;
		memcpy(wrong, one_wrong, sizeof(wrong));
	}
	if (records == 0)
		say(report, FINDING_DMARC_NONE, name);
	else if (records > 1)
		say(report, FINDING_DMARC_SEVERAL, name);
	else if (found != OK)
		say_text(report, FINDING_DMARC_MALFORMED, name, WORD_CHECK_WRONG_PART,
		    span_str(wrong));
	if (records != 1 || found != OK)
		return;
	say(report,
	    dmarc.policy == CHECK_DMARC_NONE ? FINDING_DMARC_WATCHING : FINDING_DMARC_GOOD,
	    name);
	if (!dmarc.reports)
		say(report, FINDING_DMARC_NO_REPORTS, name);
}

void
check_tlsrpt_judge(struct check_report *report, struct span name, const struct span *txts,
    size_t count)
{
	char wrong[CHECK_RECORD_WORD_BYTES];
	enum err found = ERR_NOT_FOUND;

	for (size_t i = 0; i < count && found == ERR_NOT_FOUND; i++)
		found = check_tlsrpt_parse(txts[i], wrong);
	if (found == ERR_NOT_FOUND)
		say(report, FINDING_TLSRPT_NONE, name);
	else if (found == OK)
		say(report, FINDING_TLSRPT_GOOD, name);
	else
		say_text(report, FINDING_TLSRPT_MALFORMED, name, WORD_CHECK_WRONG_PART,
		    span_str(wrong));
}

bool
check_sts_record_judge(struct check_report *report, struct span name,
    const struct span *txts, size_t count)
{
	struct sts_record record;
	enum err err = sts_record_find(txts, count, &record);

	if (err == ERR_NOT_FOUND)
		say(report, FINDING_STS_NONE, name);
	else if (err)
		say(report, FINDING_STS_RECORD, name);
	return err == OK;
}

static const char *
fault_part(enum sts_fault fault)
{
	static const char *const parts[STS_FAULT_COUNT] = {
	    [STS_FAULT_NONE] = "",
	    [STS_FAULT_TOO_LONG] = "64 KB",
	    [STS_FAULT_LINE] = "key: value",
	    [STS_FAULT_VERSION] = "version",
	    [STS_FAULT_MODE] = "mode",
	    [STS_FAULT_AGE] = "max_age",
	    [STS_FAULT_MX] = "mx",
	};

	return parts[fault];
}

void
check_sts_judge(struct check_report *report, struct span domain, struct span policy,
    const struct check_mx *mx, size_t mx_count)
{
	struct sts_policy parsed;
	enum sts_fault fault;
	bool good = true;

	if (sts_policy_parse(policy, &parsed, &fault) != OK) {
		say_text(report, FINDING_STS_POLICY, domain, WORD_CHECK_WRONG_PART,
		    span_str(fault_part(fault)));
		return;
	}
	for (size_t i = 0; i < mx_count && parsed.mode != STS_NONE; i++) {
		if (mx[i].name[0] == '\0' ||
		    sts_policy_has_mx(&parsed, span_str(mx[i].name)))
			continue;
		say_text(report, FINDING_STS_MX, domain, WORD_CHECK_FOUND,
		    span_str(mx[i].name));
		good = false;
	}
	if (parsed.mode != STS_ENFORCE)
		say_text(report, FINDING_STS_TESTING, domain, WORD_CHECK_FOUND,
		    span_str(sts_mode_name(parsed.mode)));
	else if (good)
		say(report, FINDING_STS_GOOD, domain);
}

/* DANE-EE vouches for the first certificate, DANE-TA for one of those above it. */
static bool
fits_chain(const struct check_tlsa *tlsa, const struct check_dane *dane)
{
	for (size_t i = 0; i < dane->chain_count; i++)
		if ((i == 0 || tlsa->usage == 2) && check_tlsa_fits(tlsa, dane->chain[i]))
			return true;
	return false;
}

void
check_dane_judge(
    struct check_report *report, struct span subject, const struct check_dane *dane)
{
	size_t usable = 0, fit = 0;

	if (dane->record_count == 0) {
		say(report, FINDING_DANE_NONE, subject);
		return;
	}
	if (!dane->secure) {
		say(report, FINDING_DANE_INSECURE, subject);
		return;
	}
	for (size_t i = 0; i < dane->record_count; i++) {
		struct check_tlsa tlsa;

		if (check_tlsa_parse(dane->records[i], &tlsa) != OK ||
		    !check_tlsa_is_usable(&tlsa)) {
			say(report, FINDING_DANE_UNUSABLE, subject);
			continue;
		}
		usable++;
		fit += fits_chain(&tlsa, dane);
	}
	if (!dane->talked)
		return;
	if (dane->chain_count == 0)
		say(report, FINDING_DANE_NO_TLS, subject);
	else if (usable > 0)
		say(report, fit ? FINDING_DANE_GOOD : FINDING_DANE_MISMATCH, subject);
}
