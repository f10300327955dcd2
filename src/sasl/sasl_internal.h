/* What the mechanisms share; nobody outside this folder includes it. */
#pragma once

#include "sasl/sasl.h"

struct sasl {
	enum sasl_mechanism mechanism;
	struct sasl_context context;
	bool asked;              /* a challenge was said */
	struct buf login, password;
	struct buf challenge;
};

/* Keeps a login, where it can be one: not empty, not too long, no NUL and no other control. */
bool sasl_keep_login(struct sasl *sasl, struct span login);
/* The end of an exchange that is not written as it must be. */
enum sasl_step sasl_malformed(struct sasl_out *out, const char *why);
