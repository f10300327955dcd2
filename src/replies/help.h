/*
 * What HELP says of refusals, and of codes.  Each refusal of reply_list.h ends with a tag: "... try
 * again later (HELP limits)".  What a tag or a code means is what the catalogue says of it, in
 * English.
 */
#pragma once

#include "base/buf.h"

enum {
	HELP_LINES_MAX = 24,
	HELP_BYTES_MAX = 4096,
};

/*
 * Adds what a tag stands for, in any case: lines with "\n" between, each of which is a reply
 * line.  False, and nothing, where there is no such tag.
 */
bool help_add_topic(struct buf *out, struct span tag);
/* The same of a code: "252", "5.7.1", "5xx"; also of one that nobody has listed. */
bool help_add_code(struct buf *out, struct span code);
/* The tags in the order of the alphabet; "" past the end. */
struct span help_tag_at(size_t index);
/* The keys of a tag's entries in the catalogue, by blanks; "" past the end. */
struct span help_keys_at(size_t index);
/* The tag that a text ends with, without " (HELP " and ")"; "" where it has none. */
struct span help_tag_of(struct span text);
