/*
 * Any answers of a client to every mechanism that runs here: the first byte chooses it and its
 * context, then each answer is a length of one byte and so many bytes.  What the end says must be
 * so: a login where one is known, nothing of a login that nobody proved.
 */
#include "base/check.h"
#include "sasl/sasl.h"

enum { STEPS_MAX = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
judge(enum sasl_step step, const struct sasl_out *out, bool scram)
{
	switch (step) {
	case SASL_CHALLENGE:
		check(out->challenge.len <= SASL_RESPONSE_BYTES_MAX);
		break;
	case SASL_CHECK_PASSWORD:
		check(out->login.len > 0 && out->password.len > 0);
		break;
	case SASL_WANT_KEYS:
	case SASL_OK:
		check(out->login.len > 0);
		/* Nobody can prove what is not known. */
		check(step != SASL_OK || !scram);
		break;
	case SASL_FAILED:
		break;
	case SASL_MALFORMED:
		check(out->why != NULL);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of((const char *)data, size);
	struct sasl_context context = {.certificate = SPAN("ann@a.example"),
	    .exporter = SPAN("0123456789abcdef"),
	    .end_point = SPAN("x")};
	struct scram_keys keys = {.iterations = 4096, .salt_bytes = SCRAM_SALT_BYTES};
	enum sasl_step step = SASL_CHALLENGE;
	struct sasl_out out;
	struct sasl *sasl;

	if (size == 0)
		return 0;
	context.plus_offered = data[0] & 16;
	if (data[0] & 32)
		context.certificate = SPAN("");
	sasl = sasl_create(
	    (enum sasl_mechanism)(data[0] % 8 % SASL_MECHANISM_COUNT), &context);
	rest = span_skip(rest, 1);
	for (int i = 0; sasl && step == SASL_CHALLENGE && rest.len > 0 && i < STEPS_MAX;
	     i++) {
		uint8_t len = (uint8_t)rest.ptr[0];

		rest = span_skip(rest, 1);
		step = sasl_take(sasl, i > 0 || len != 255, span_first(rest, len), &out);
		judge(step, &out,
		    (data[0] % 8 % SASL_MECHANISM_COUNT) <= SASL_SCRAM_SHA_256);
		rest = span_skip(rest, len == 255 ? 0 : len);
		if (step == SASL_WANT_KEYS)
			step = sasl_give_keys(sasl, &keys, false, SPAN("nonce"), &out);
	}
	sasl_destroy(sasl);
	return 0;
}
