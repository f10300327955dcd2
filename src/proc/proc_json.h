/* JSON of texts that came from outside. */
#pragma once

#include <jansson.h>

#include "base/span.h"

/*
 * The text as a JSON string, never NULL; the caller owns it.  JSON is UTF-8: where the text is
 * not, each of its octets above 127 is "?".
 */
json_t *proc_json_text(struct span text);
