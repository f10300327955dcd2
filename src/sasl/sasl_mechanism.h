/*
 * The SASL mechanisms that Postrider knows, by their registered names.  A set of them is a number
 * with a bit for each.
 */
#pragma once

#include "base/buf.h"

enum sasl_mechanism {
	SASL_SCRAM_SHA_256_PLUS,
	SASL_SCRAM_SHA_256,
	SASL_PLAIN,
	SASL_LOGIN,
	SASL_OAUTHBEARER,
	SASL_XOAUTH2,
	SASL_EXTERNAL,
	SASL_MECHANISM_COUNT,
};

#define SASL_BIT(mechanism) (1u << (mechanism))

enum { SASL_MECHANISMS_ALL = SASL_BIT(SASL_MECHANISM_COUNT) - 1 };

/* Whether the proof is a token, which nobody can guess. */
static inline bool
sasl_is_token(unsigned mechanism)
{
	return mechanism == SASL_OAUTHBEARER || mechanism == SASL_XOAUTH2;
}

/* "SCRAM-SHA-256". */
const char *sasl_mechanism_name(enum sasl_mechanism mechanism);
/* By its name, in any case; SASL_MECHANISM_COUNT where it is none of ours. */
enum sasl_mechanism sasl_mechanism_find(struct span name);
/* Adds the names of a set, with one blank between them, in the order of the enum. */
void sasl_mechanisms_write(struct buf *out, unsigned mechanisms);
