/*
 * What may a login send as?  Pure logic over tables that the caller has loaded.
 *
 * Where the table of senders has the login, what it says counts and nothing else: addresses,
 * "@domain" for all of a domain, "*" for anything.  Otherwise these are the login's own:
 *
 *   1. the login itself, where it is an address
 *   2. an address of ours whose mail goes to the login's mailbox and nowhere else (resolve.h), or
 *      that the table of mailboxes gives to it, whatever an alias adds
 *
 * The login's mailbox is the one that the table of mailboxes has for it, or the one of its name
 * where the login is no address.  What many read is nobody's own, lest one of them speak for all.
 *
 * "+detail" of an address does not matter.  Addresses are compared without regard to the case of
 * ASCII letters, and must come as address_write_canonical writes them.
 */
#pragma once

#include "table/resolve.h"

/* senders NULL: an empty table.  result is room to work in. */
bool senders_may(const struct resolve_tables *tables, const struct table *senders,
    struct span login, struct span address, struct resolve_result *result);
