/* What the mechanisms share; nobody outside this folder includes it. */
#pragma once

#include "sasl/sasl.h"
#include "sasl/scram.h"

struct sasl {
	enum sasl_mechanism mechanism;
	bool asked; /* a challenge was said */
	struct buf login, password, challenge;
	struct buf certificate, exporter, end_point;
	struct scram *scram; /* of the SCRAM mechanisms */
	enum { SCRAM_FIRST, SCRAM_FINAL, SCRAM_ENDED } scram_at;
};

/* Keeps a login, where it can be one. */
bool sasl_keep_login(struct sasl *sasl, struct span login);
/* The end of an exchange that is not written as it must be. */
enum sasl_step sasl_malformed(struct sasl_out *out, const char *why);
