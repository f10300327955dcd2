/*
 * The addresses of a From, Sender or similar field (RFC 5322 section 3.4, with the obsolete forms
 * of 4.4; groups as RFC 6854 has them; UTF-8 as RFC 6532 has it).
 *
 * Pulled one by one from a folded value.  What is given is local@domain without the comments and
 * blanks around its parts; whether that is an address of SMTP is for the caller to ask.  The
 * reading is strict: where two programs could see different addresses in a field, it is wrong.
 */
#pragma once

#include "base/buf.h"

struct mailboxes {
	struct span rest;
	bool in_group;
	bool after_group;  /* a comma or the end must come next */
	const char *wrong; /* what is wrong, for people; NULL: nothing so far */
};

struct mailboxes mailboxes_of(struct span value);
/*
 * Puts the next address into out, which is emptied first; false at the end, and where the field
 * is wrong.  Display names and names of groups are skipped.
 */
bool mailboxes_next(struct mailboxes *list, struct buf *out);
