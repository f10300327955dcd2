/*
 * Whether CR and LF stand only together.  What leaves this server has no other
 * line end, whatever is in the queue: a bare one could be the end of a message
 * to the next server (SMTP smuggling).
 */
#pragma once

#include "base/span.h"

/*
 * Where the first flaw is: an LF without a CR before it, or an octet that is no LF behind a CR;
 * text.len where there is none.  after_cr: a CR came right before the text.
 */
size_t line_end_flaw(struct span text, bool after_cr);
