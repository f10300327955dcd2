/*
 * Queue ids: 64-bit numbers, shown as up to 13 lower-case characters of
 * Crockford's base 32 (no i, l, o, u), so that people can read them out.
 */
#pragma once

#include "base/buf.h"

enum { ID_TEXT_MAX = 13 };

void id_write(struct buf *out, uint64_t id);
/* The same into memory of the caller; gives a span over it. */
struct span id_text(char text[ID_TEXT_MAX], uint64_t id);
/* ERR_SYNTAX for anything but 1 to 13 such characters; 0 is no id. */
MUST_USE enum err id_parse(struct span text, uint64_t *id);
