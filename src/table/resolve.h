/*
 * Whose is this address?  Pure logic over tables that the caller has loaded.
 *
 * For an address in one of our domains the first of these that there is counts:
 *
 *   1. alias for it            2. mailbox for it
 *   3. alias, mailbox for its local part alone ("root: alice": in all our domains)
 *   4. the same (1 to 3) without "+detail"
 *   5. postmaster: the mailbox of struct resolve_tables
 *   6. "@domain": alias, mailbox
 *
 * A target of an alias is resolved in turn.  A target without "@" that is no key
 * is the name of a mailbox.  An address that comes a second time is not expanded
 * again, so loops end; its own mailbox, if it has one, still counts ("alice: alice,
 * copy@example.net" keeps a copy).  Unknown targets are skipped while another is known.
 *
 * Addresses are compared without regard to the case of ASCII letters, and must
 * come as address_write_canonical writes them.
 */
#pragma once

#include "table/table.h"

enum {
	RESOLVE_TARGETS_MAX = 100,
	RESOLVE_DEPTH_MAX = 10,
	RESOLVE_STEPS_MAX = 400, /* addresses looked at on the way */
};

struct resolve_tables {
	const struct span *domains; /* ours */
	size_t domain_count;
	const struct table *mailboxes, *aliases; /* NULL: empty */
	char detail_separator;                   /* '\0': none */
	struct span postmaster;                  /* a mailbox or an address; "": none */
};

enum resolve_verdict {
	RESOLVE_LOCAL,   /* ours; the targets say where it goes */
	RESOLVE_REMOTE,  /* not our domain; the one target is the address itself */
	RESOLVE_UNKNOWN, /* our domain, but nobody there */
	RESOLVE_FAIL,    /* aliases too deep or too many: somebody must look at the tables */
};

enum resolve_kind { RESOLVE_MAILBOX, RESOLVE_ADDRESS };

struct resolve_target {
	enum resolve_kind kind;
	struct span name; /* of the mailbox, or a remote address; in a table or the input */
};

struct resolve_result {
	enum resolve_verdict verdict;
	struct resolve_target targets[RESOLVE_TARGETS_MAX];
	size_t target_count; /* 0 but for RESOLVE_LOCAL and RESOLVE_REMOTE */
};

void resolve_address(const struct resolve_tables *tables, struct span address,
    struct resolve_result *result);
/* True where the domain is one of ours. */
bool resolve_is_ours(const struct resolve_tables *tables, struct span domain);
