/*
 * HTML as bytes: what is escaped, and how.  Whatever comes from a peer, or from the catalogue, goes
 * through web_text(); what the others add is ours.
 */
#pragma once

#include "base/buf.h"

/*
 * Adds text, fit for elements and for attributes in quotes: & < > " ' are escaped; what is no
 * UTF-8, controls but line ends, and marks that turn the direction of text become U+FFFD.
 */
void web_text(struct buf *out, struct span text);
/*
 * The same within a text from right to left: a run of Latin words and codes with a digit in it, as
 * "550 5.7.x", is kept together and from left to right.
 */
void web_text_rtl(struct buf *out, struct span text);
/* Adds it as paragraphs, which "\n\n" parts; the first with a class, if that is not NULL. */
void web_paragraphs(struct buf *out, struct span text, const char *first_class, bool rtl);
/* The same for a string within JSON within a script: in quotes, all that is special as \uXXXX. */
void web_json(struct buf *out, struct span text);
/* Adds one part of a path: letters, digits and "-._~=+" as they are, others as %XX. */
void web_path_part(struct buf *out, struct span part);
/*
 * Undoes %XX (and, in a form, makes blanks of "+").  False where a % is none, or where it does not
 * fit.
 */
bool web_decode(struct buf *out, struct span text, bool form);
/* "RFC 5321 section 3.5.3; RFC 1870", with a link to each RFC. */
void web_standards(struct buf *out, struct span text);
