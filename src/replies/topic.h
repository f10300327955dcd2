/*
 * HELP topics: a refusal that other servers' administrators meet carries a tag, "(HELP relay)",
 * and the tag leads to what the catalogue has to say of it.
 */
#pragma once

#include "replies/reply.h"

struct topic {
	const char *tag;
	enum reply_id reply; /* the refusal that it is about */
};

/* NULL past the end. */
const struct topic *topic_at(size_t index);
/* NULL where there is none of that name; case does not matter. */
const struct topic *topic_find(struct span tag);
/* Adds the explanation: lines of at most 76 columns with "\n" between them. */
void topic_write(struct buf *out, const struct topic *topic);
