/*
 * Reverse-paths with the recipient in them, so that a bounce says who it is about:
 * "list@home.example" to "ann@far.example" as "list+ann=far.example@home.example".  Pure.
 */
#pragma once

#include "conf/conf.h"

/* What is said of that sender's mail; NULL: nothing. */
const struct conf_verp *verp_find(const struct conf *conf, struct span reverse_path);
/* Adds the reverse-path for a recipient; false: one of the two cannot be written so. */
bool verp_write(
    struct buf *out, const struct conf_verp *verp, struct span reverse_path, struct span rcpt);
/* Adds the recipient that such an address speaks of; false: it is none. */
bool verp_read(struct buf *out, const struct conf_verp *verp, struct span address);
