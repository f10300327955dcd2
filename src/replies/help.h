/*
 * What HELP says of refusals.  Each refusal of reply_list.h ends with the tag of a topic:
 * "... try again later (HELP limits)".
 */
#pragma once

#include "base/span.h"

/* The topic's text, lines with "\n" between, in any case; "" where there is no such topic. */
struct span help_text(struct span tag);
/* The tags in the order of the alphabet; "" past the end. */
struct span help_tag_at(size_t index);
/* The tag that a text ends with, without " (HELP " and ")"; "" where it has none. */
struct span help_tag_of(struct span text);
