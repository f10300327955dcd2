/* Any message of both mechanisms: what is found lies in it, and names nobody that it does not. */
#include "base/check.h"
#include "sasl/oauth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_inside(struct span message, struct span part)
{
	check(part.len == 0 || (part.ptr >= message.ptr &&
				   part.ptr + part.len <= message.ptr + message.len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum sasl_mechanism mechanisms[] = {SASL_OAUTHBEARER, SASL_XOAUTH2};
	struct span message = span_of((const char *)data, size);
	struct oauth_message parsed;

	for (size_t i = 0; i < LEN(mechanisms); i++) {
		if (!oauth_parse(mechanisms[i], message, &parsed))
			continue;
		check_inside(message, parsed.login);
		check_inside(message, parsed.token);
		for (size_t k = 0; k < parsed.token.len; k++)
			check(parsed.token.ptr[k] > ' ' && parsed.token.ptr[k] < 0x7f);
		if (parsed.login.len > 0)
			check(!oauth_names(&parsed, SPAN("")));
	}
	return 0;
}
