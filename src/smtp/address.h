/*
 * Mailboxes and paths (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
 *
 * Parsing gives spans into the input; nothing is allocated.  A path that
 * parses holds no control character, no NUL, no CR, no LF.
 */
#pragma once

#include "base/buf.h"

enum {
	ADDRESS_LOCAL_BYTES_MAX = 64,
	ADDRESS_DOMAIN_BYTES_MAX = 255,
	ADDRESS_BYTES_MAX = 320, /* local part, "@" and domain */
};

struct address {
	struct span local;  /* as written, quotes and backslashes included */
	struct span domain; /* as written; "" only for the bare <postmaster> */
	struct span whole;  /* local@domain, without source route and brackets */
	bool is_null;       /* the null reverse-path <> */
	bool is_literal;    /* the domain is an address literal: "[192.0.2.1]" */
	bool is_utf8;       /* not only ASCII: needs SMTPUTF8 */
};

/*
 * A path in angle brackets, at the start of text; *rest is what follows it.  null_ok: "<>" is
 * right (MAIL); postmaster_ok: "<postmaster>" without a domain is right (RCPT).  A source
 * route (@a,@b:) is skipped (RFC 5321 appendix F.2).  On ERR_SYNTAX and ERR_TOO_LONG *why is a
 * static string for people.
 */
MUST_USE enum err address_parse_path(struct span text, bool null_ok, bool postmaster_ok,
    struct address *address, struct span *rest, const char **why);
/* A mailbox without brackets, the whole text: "user@example.org". */
MUST_USE enum err address_parse(struct span text, struct address *address, const char **why);

/* A domain name: letters, digits, hyphens, dots (UTF-8 where utf8_ok), labels 1 to 63 octets. */
bool address_domain_is_valid(struct span domain, bool utf8_ok);
/*
 * Adds the mailbox in the form that tables are asked with: the domain in lower case, the local
 * part unquoted where its quotes were not needed, its case kept.
 */
void address_write_canonical(struct buf *out, const struct address *address);
