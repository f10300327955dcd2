/*
 * The catalogue: what reply codes and enhanced status codes mean, who says
 * them and when, and what to do.  Data compiled in; "postrider explain",
 * "postrider compare", bounces and queue views read it.
 */
#pragma once

#include "base/buf.h"

struct catalogue_entry {
	const char *code;      /* "252", or "X.7.1" for an enhanced status code */
	const char *name;      /* "Cannot VRFY user, but will accept and attempt delivery" */
	const char *category;  /* "2xx: positive completion" */
	const char *meaning;   /* what it says, a short paragraph */
	const char *when;      /* who says it, in answer to which command, in which state */
	const char *client;    /* what the client does next */
	const char *fix;       /* what a person can do, or that nothing is to be done */
	const char *rfc;       /* "RFC 5321 section 3.5.3" */
	const char *see;       /* related codes, separated by blanks: "250 251 550" */
	bool retry;            /* trying again later, unchanged, may help */
};

/* The entry of a code ("252", "5.7.1", "X.7.1"); NULL where the catalogue has none. */
const struct catalogue_entry *catalogue_find(struct span code);
/* The entries in the order of their codes; NULL past the end. */
const struct catalogue_entry *catalogue_at(size_t index);
/*
 * How to tell two codes apart: the difference that matters, written by hand where the pair is
 * well known, else derived from their fields.  ERR_NOT_FOUND where one is not in the catalogue.
 */
MUST_USE enum err catalogue_compare(struct buf *out, struct span a, struct span b);
