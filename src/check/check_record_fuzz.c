/* Any bytes as each of the records that a domain publishes. */
#include "base/check.h"
#include "check/check_record.h"
#include "check/check_spf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_spf(struct span text)
{
	struct check_spf spf;
	int questions = 0;

	check_spf_init(&spf, SPAN("a.example"));
	while (check_spf_next(&spf)) {
		check(++questions <= CHECK_SPF_DOMAINS_MAX);
		check(strlen(check_spf_next(&spf)) < CHECK_SPF_NAME_BYTES);
		check_spf_answer(&spf, &text, 1);
	}
	check(strlen(spf.malformed) < CHECK_SPF_WORD_BYTES);
	check(strlen(spf.missing) < CHECK_SPF_NAME_BYTES);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	char wrong[CHECK_RECORD_WORD_BYTES];
	struct check_dkim dkim;
	struct check_dmarc dmarc;
	struct check_tlsa tlsa;

	try_spf(text);
	if (check_dkim_parse(text, &dkim, wrong) == OK)
		check(dkim.revoked || dkim.kind == CHECK_DKIM_OTHER || dkim.bits > 0);
	if (check_dmarc_parse(text, &dmarc, wrong) == OK)
		check(span_starts(text, SPAN("v=DMARC1")));
	if (check_tlsrpt_parse(text, wrong) == OK)
		check(span_starts(text, SPAN("v=TLSRPTv1")));
	check(strlen(wrong) < CHECK_RECORD_WORD_BYTES);
	if (check_tlsa_parse(text, &tlsa) == OK) {
		check(tlsa.data.len == size - 3);
		(void)check_tlsa_fits(&tlsa, text);
	}
	return 0;
}
