/* The names are those of the IANA registry; EHLO offers them in this order, the best first. */
#include "sasl/sasl_mechanism.h"

#include "base/check.h"

static const char *const names[SASL_MECHANISM_COUNT] = {
    [SASL_SCRAM_SHA_256_PLUS] = "SCRAM-SHA-256-PLUS",
    [SASL_SCRAM_SHA_256] = "SCRAM-SHA-256",
    [SASL_PLAIN] = "PLAIN",
    [SASL_LOGIN] = "LOGIN",
    [SASL_OAUTHBEARER] = "OAUTHBEARER",
    [SASL_XOAUTH2] = "XOAUTH2",
    [SASL_EXTERNAL] = "EXTERNAL",
};

const char *
sasl_mechanism_name(enum sasl_mechanism mechanism)
{
	check((unsigned)mechanism < SASL_MECHANISM_COUNT);
	return names[mechanism];
}

enum sasl_mechanism
sasl_mechanism_find(struct span name)
{
	unsigned mechanism = 0;

	while (mechanism < SASL_MECHANISM_COUNT &&
	       !span_eq_nocase(name, span_str(names[mechanism])))
		mechanism++;
	return (enum sasl_mechanism)mechanism;
}

void
sasl_mechanisms_write(struct buf *out, unsigned mechanisms)
{
	const char *blank = "";

	for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++) {
		if (!(mechanisms & SASL_BIT(i)))
			continue;
		buf_addf(out, "%s%s", blank, names[i]);
		blank = " ";
	}
}
