#include <openssl/evp.h>
#include <openssl/x509.h>

#include "check/check_domain.h"
#include "check/check_record.h"
#include "check/test_check.h"

#define RSA_2048 \
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwHOGDTqK5T9ca6WH+9NYsYlWLfhK2RCM" \
    "Ox9cQCdXRhOmWhT+ATnnpQkvOXIFppfwdbbbH+N7WvIGZSk3ryBpJnt8fGzXBMpZa5bXIQfdxTN0" \
    "7HMmHuHoCER/PgSY5nhVOvIAbQLfdOsHMu7vcbF9cUCRh/98zdutG7ySzQy7RivWOJ9A6qvLXHnd" \
    "Vsfle3Xiz+HdmWkQFfFYhBPjHmE4bOhsT0FYExGemzOxl1B9MJgOivsGagKUs67JYojImJN6lEt5" \
    "yAGlrEwUyicsxa8alM7agIxqcgoy+txf4BVZkw12DfDnrST5UEmpvX8SWntRN5lbLYjdm4EJy62M" \
    "8vrpHwIDAQAB"
#define RSA_1024 \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDNqgbGE3aTj8IdCKPWKlvqQhiW+7NM3vlj64bh" \
    "CeoaQqDat1dKeJJyGiNnrg9Rzko46vOHpPJCD8wBBAbleO1OPp5HrnU8ib+8PlrhQwH9mlT+Ihgv" \
    "zNLEC6K491I7ualILOCi3F51qGCVRcgW1HDvRLlUuIOcENdAleeDLxVQEQIDAQAB"
#define ED25519 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

typedef void judge(struct check_report *report, struct span name, const struct span *txts,
    size_t count);

static void
judged(judge *how, const char *txt, const char *keys)
{
	struct check_report *report = check_report_create();
	struct span span = span_str(txt);

	how(report, SPAN("a.example"), &span, txt ? 1 : 0);
	assert_findings(report, keys);
	check_report_destroy(report);
}

static void
dkim_keys_are_judged(void **state)
{
	(void)state;
	judged(check_dkim_judge, NULL, "dkim-missing");
	judged(check_dkim_judge, "v=DKIM1; k=rsa; p=" RSA_2048, "dkim-good");
	judged(check_dkim_judge, "p=" RSA_2048 ";", "dkim-good");
	judged(check_dkim_judge, "v=DKIM1; k=ed25519; p=" ED25519, "dkim-good");
	judged(check_dkim_judge, "v=DKIM1; t=s:y; p=" RSA_2048, "dkim-good dkim-testing");
	judged(check_dkim_judge, "v=DKIM1; p=" RSA_1024, "dkim-weak");
	judged(check_dkim_judge, "v=DKIM1; p=", "dkim-revoked");
	judged(check_dkim_judge, "v=DKIM1; k=rsa", "dkim-malformed");
	judged(check_dkim_judge, "v=DKIM2; p=" RSA_2048, "dkim-malformed");
	judged(check_dkim_judge, "p=" RSA_2048 "; v=DKIM1", "dkim-malformed");
	judged(check_dkim_judge, "v=DKIM1; p=AAAA", "dkim-malformed");
	judged(check_dkim_judge, "v=DKIM1; k=ed25519; p=" RSA_2048, "dkim-malformed");
	judged(check_dkim_judge, "v=DKIM1; p=!!", "dkim-malformed");
	judged(check_dkim_judge, "v=DKIM1; p=; p=", "dkim-malformed");
	judged(check_dkim_judge, "hello", "dkim-malformed");
}

static void
dmarc_records_are_judged(void **state)
{
	const struct span two[] = {SPAN("v=DMARC1; p=none"), SPAN("v=DMARC1; p=reject")};
	struct check_report *report = check_report_create();

	(void)state;
	judged(check_dmarc_judge, NULL, "dmarc-none");
	judged(check_dmarc_judge, "v=spf1 -all", "dmarc-none");
	judged(check_dmarc_judge, "v=DMARC1; p=reject; rua=mailto:a@b.example", "dmarc-good");
	judged(check_dmarc_judge, "v=DMARC1;p=quarantine;rua=mailto:a@b.example!10m, mailto:c@d;",
	    "dmarc-good");
	judged(check_dmarc_judge, "v=DMARC1; p=none; rua=mailto:a@b.example", "dmarc-watching");
	judged(check_dmarc_judge, "v=DMARC1; p=reject", "dmarc-good dmarc-no-reports");
	judged(check_dmarc_judge, "v=DMARC1; p=strict", "dmarc-malformed");
	judged(check_dmarc_judge, "v=DMARC1", "dmarc-malformed");
	judged(check_dmarc_judge, "v=DMARC1; p=none; sp=no", "dmarc-malformed");
	judged(check_dmarc_judge, "v=DMARC1; p=none; rua=a@b.example", "dmarc-malformed");
	judged(check_dmarc_judge, "v=DMARC1 p=none", "dmarc-malformed");
	check_dmarc_judge(report, SPAN("a.example"), two, 2);
	assert_findings(report, "dmarc-several");
	check_report_destroy(report);
}

static void
tls_report_records_are_judged(void **state)
{
	(void)state;
	judged(check_tlsrpt_judge, NULL, "tlsrpt-none");
	judged(check_tlsrpt_judge, "v=TLSRPTv1; rua=mailto:a@b.example", "tlsrpt-good");
	judged(check_tlsrpt_judge, "v=TLSRPTv1;rua=https://a.example/x,mailto:a@b", "tlsrpt-good");
	judged(check_tlsrpt_judge, "v=TLSRPTv1; rua=http://a.example/", "tlsrpt-malformed");
	judged(check_tlsrpt_judge, "v=TLSRPTv1", "tlsrpt-malformed");
}

static void
mx_judged(const struct check_mx *mx, size_t count, const char *keys)
{
	struct check_report *report = check_report_create();

	check_mx_judge(report, SPAN("a.example"), mx, count);
	assert_findings(report, keys);
	check_report_destroy(report);
}

static void
mx_records_are_judged(void **state)
{
	const struct check_mx mx[] = {{"mx.example", 10}, {"", 0}, {"192.0.2.1", 20}};

	(void)state;
	mx_judged(mx, 0, "mx-none");
	mx_judged(mx, 1, "");
	mx_judged(&mx[1], 1, "mx-null");
	mx_judged(mx, 2, "mx-null-mixed");
	mx_judged(&mx[2], 1, "mx-is-address");
}

static void
private_addresses_are_known(void **state)
{
	static const struct {
		const char *text;
		bool private;
	} rows[] = {{"192.0.2.1", false}, {"10.1.2.3", true}, {"172.31.0.1", true},
	    {"172.32.0.1", false}, {"192.168.1.1", true}, {"127.0.0.1", true}, {"::1", true},
	    {"2001:db8::1", false}, {"fd00::1", true}, {"169.254.1.1", true}};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct net_addr addr;

		assert_int_equal(net_addr_parse(span_str(rows[i].text), &addr), OK);
		assert_int_equal(check_addr_is_private(&addr), rows[i].private);
	}
}

static void
sts_judged(const char *policy, const char *keys)
{
	const struct check_mx mx[] = {{"mx1.a.example", 10}, {"mx.b.example", 20}};
	struct check_report *report = check_report_create();

	check_sts_judge(report, SPAN("a.example"), span_str(policy), mx, 2);
	assert_findings(report, keys);
	check_report_destroy(report);
}

#define POLICY(mode) "version: STSv1\nmode: " mode "\nmax_age: 100\n"

static void
sts_policies_are_judged(void **state)
{
	const struct span record = SPAN("v=STSv1; id=1;");
	const struct span wrong = SPAN("v=STSv1; id=");
	struct check_report *report = check_report_create();

	(void)state;
	sts_judged(POLICY("enforce") "mx: *.a.example\nmx: mx.b.example\n", "sts-good");
	sts_judged(POLICY("enforce") "mx: *.a.example\n", "sts-mx");
	sts_judged(POLICY("testing") "mx: *.a.example\n", "sts-mx sts-testing");
	sts_judged(POLICY("none"), "sts-testing");
	sts_judged("<html>", "sts-policy");
	assert_true(check_sts_record_judge(report, SPAN("a"), &record, 1));
	assert_findings(report, "");
	assert_false(check_sts_record_judge(report, SPAN("a"), &wrong, 1));
	assert_false(check_sts_record_judge(report, SPAN("a"), NULL, 0));
	assert_findings(report, "sts-record sts-none");
	check_report_destroy(report);
}

/* A certificate that is none, but has a digest. */
static const char certificate[] = "certificate";

static void
dane_judged(const struct check_dane *dane, const char *keys)
{
	struct check_report *report = check_report_create();

	check_dane_judge(report, SPAN("mx"), dane);
	assert_findings(report, keys);
	check_report_destroy(report);
}

static void
dane_is_judged(void **state)
{
	char fits[3 + 32] = {3, 0, 1}, other[3 + 32] = {3, 0, 1}, pkix[3 + 32] = {1, 0, 1};
	const struct span records[] = {span_of(fits, 35), span_of(other, 35), span_of(pkix, 35)};
	struct check_dane dane = {.records = records, .record_count = 2, .secure = true,
	    .talked = true, .chain = {span_str(certificate)}, .chain_count = 1};
	unsigned len;

	(void)state;
	assert_true(EVP_Digest(certificate, strlen(certificate), (unsigned char *)fits + 3, &len,
	    EVP_sha256(), NULL));
	dane_judged(&dane, "dane-good");
	dane.records = &records[1];
	dane_judged(&dane, "dane-unusable dane-mismatch");
	dane.record_count = 1;
	dane_judged(&dane, "dane-mismatch");
	dane.chain_count = 0;
	dane_judged(&dane, "dane-no-tls");
	dane.talked = false;
	dane_judged(&dane, "");
	dane.secure = false;
	dane_judged(&dane, "dane-insecure");
	dane.record_count = 0;
	dane_judged(&dane, "dane-none");
}

/* DANE-TA may be any certificate of the chain, DANE-EE only the first; a key is digested as DER. */
static void
tlsa_records_fit(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	unsigned char *der = NULL, *spki = NULL;
	char record[3 + 512] = {3, 1, 0};
	struct check_tlsa tlsa;
	unsigned digest_len;
	int der_len, spki_len;

	(void)state;
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 1000);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()));
	der_len = i2d_X509(cert, &der);
	spki_len = i2d_PUBKEY(key, &spki);
	memcpy(record + 3, spki, (size_t)spki_len);
	assert_int_equal(check_tlsa_parse(span_of(record, 3 + (size_t)spki_len), &tlsa), OK);
	assert_true(check_tlsa_fits(&tlsa, span_of((char *)der, (size_t)der_len)));
	record[2] = 2;
	assert_true(EVP_Digest(spki, (size_t)spki_len, (unsigned char *)record + 3, &digest_len,
	    EVP_sha512(), NULL));
	assert_int_equal(check_tlsa_parse(span_of(record, 3 + 64), &tlsa), OK);
	assert_true(check_tlsa_fits(&tlsa, span_of((char *)der, (size_t)der_len)));
	record[3] ^= 1;
	assert_false(check_tlsa_fits(&tlsa, span_of((char *)der, (size_t)der_len)));
	assert_int_equal(check_tlsa_parse(span_of(record, 3), &tlsa), ERR_SYNTAX);
	OPENSSL_free(der);
	OPENSSL_free(spki);
	X509_free(cert);
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dkim_keys_are_judged),
	    cmocka_unit_test(dmarc_records_are_judged),
	    cmocka_unit_test(tls_report_records_are_judged),
	    cmocka_unit_test(mx_records_are_judged),
	    cmocka_unit_test(private_addresses_are_known),
	    cmocka_unit_test(sts_policies_are_judged),
	    cmocka_unit_test(dane_is_judged),
	    cmocka_unit_test(tlsa_records_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
