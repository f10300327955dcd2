#include "check/check_domain.h"
#include "check/test_check.h"

/* Domains and their records; what is not here has none. */
static const struct {
	const char *domain, *txt;
} zone[] = {
    {"good.example", "v=spf1 mx ip4:192.0.2.1/24 ip6:2001:db8::/32 a:b.example/24//64 -all"},
    {"soft.example", "V=SPF1 +mx ~all"},
    {"plus.example", "v=spf1 all"},
    {"open.example", "v=spf1 mx ?all"},
    {"endless.example", "v=spf1 mx"},
    {"ptr.example", "v=spf1 ptr -all"},
    {"word.example", "v=spf1 mx ipv4:192.0.2.1 -all"},
    {"net.example", "v=spf1 ip4:192.0.2.300 -all"},
    {"bits.example", "v=spf1 a/33 -all"},
    {"value.example", "v=spf1 include: -all"},
    {"unknown.example", "v=spf1 future=thing mx -all"},
    {"macro.example", "v=spf1 exists:%{i}.list.example include:%{d}.b.example -all"},
    {"gone.example", "v=spf1 include:nothing.example -all"},
    {"redirect.example", "v=spf1 redirect=good.example"},
    {"nowhere.example", "v=spf1 redirect=nothing.example"},
    {"beside.example", "v=spf1 -all redirect=nothing.example"},
    {"ten.example", "v=spf1 a mx a:a.b mx:a.b a:c.d a:e.f a:g.h a:i.j a:k.l a:m.n -all"},
    {"eleven.example", "v=spf1 include:ten.example -all"},
    {"loop.example", "v=spf1 include:loop.example -all"},
};

static void
judged(const char *domain, const char *keys)
{
	struct check_report *report = check_report_create();
	struct check_spf spf;
	const char *name;
	int questions = 0;

	check_spf_init(&spf, span_str(domain));
	while ((name = check_spf_next(&spf)) != NULL) {
		struct span txts[2] = {SPAN("something else")};
		size_t count = 1;

		for (size_t i = 0; i < LEN(zone); i++)
			if (strcmp(zone[i].domain, name) == 0)
				txts[count++] = span_str(zone[i].txt);
		check_spf_answer(&spf, txts, count);
		assert_true(++questions <= CHECK_SPF_DOMAINS_MAX);
	}
	check_spf_judge(report, span_str(domain), &spf);
	assert_findings(report, keys);
	check_report_destroy(report);
}

static void
records_are_judged(void **state)
{
	(void)state;
	judged("good.example", "spf-good");
	judged("soft.example", "spf-good");
	judged("nothing.example", "spf-none");
	judged("plus.example", "spf-all-pass");
	judged("open.example", "spf-open");
	judged("endless.example", "spf-open");
	judged("ptr.example", "spf-ptr spf-good");
	judged("word.example", "spf-malformed");
	judged("net.example", "spf-malformed");
	judged("bits.example", "spf-malformed");
	judged("value.example", "spf-malformed");
	judged("unknown.example", "spf-good");
	judged("macro.example", "spf-good");
	judged("gone.example", "spf-include-missing");
}

static void
redirects_are_followed(void **state)
{
	(void)state;
	judged("redirect.example", "spf-good");
	judged("nowhere.example", "spf-include-missing");
	judged("beside.example", "spf-good");
}

static void
questions_are_counted(void **state)
{
	(void)state;
	judged("ten.example", "spf-good");
	judged("eleven.example", "spf-lookups");
	judged("loop.example", "spf-lookups");
}

static void
two_records_are_none(void **state)
{
	const struct span txts[] = {SPAN("v=spf1 -all"), SPAN("v=spf1 mx -all")};
	struct check_report *report = check_report_create();
	struct check_spf spf;

	(void)state;
	check_spf_init(&spf, SPAN("a.example"));
	check_spf_answer(&spf, txts, 2);
	check_spf_judge(report, SPAN("a.example"), &spf);
	assert_findings(report, "spf-several");
	check_report_destroy(report);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_are_judged),
	    cmocka_unit_test(redirects_are_followed),
	    cmocka_unit_test(questions_are_counted),
	    cmocka_unit_test(two_records_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
