/*
 * What operators call destinations of the queue: words that are printed of one, and that may be
 * typed back.  Pure.
 *
 *   far.example, .far.example      a domain, or a server by name; all below it
 *   relay.example:587              a server
 *   domain D, rule D               of these kinds only; "rule": what a statement answers for
 *   server H[:P], lmtp H[:P] | SOCKET, via H[:P]
 *   program TITLE | PATH | USER:TITLE | USER:PATH
 *   provider NAME | MX-HOST        all that these servers take mail for (route/site.h)
 *   mailboxes
 *
 * A destination's own key is taken too: "host:relay.example:587".  What is read becomes a selector,
 * which is a text as well: that of a domain is itself, all others have a prefix as keys have.
 */
#pragma once

#include "conf/conf.h"

enum { ROUTE_NAME_BYTES_MAX = 320 };

/* Adds what a destination is called, by its key; or what a selector is, with its kind. */
void route_name_write(struct buf *out, struct span key);
void route_name_write_selector(struct buf *out, struct span selector);
/*
 * Adds the selector that the words mean; false: they can mean none.  Whether there is such a
 * destination is another question.
 */
MUST_USE bool route_name_read(struct buf *selector, struct span words, const struct conf *conf);
/*
 * Whether a selector ("": all) means the destination with that key, which is of that site ("": of
 * none that is known).
 */
bool route_name_fits(struct span selector, struct span key, struct span site);
/* Whether a selector means a site, a provider or MX hosts; and the name, or pattern, of that. */
bool route_name_site(struct span selector, struct span *site);
/* Whether such a site is meant by that name, or pattern. */
bool route_name_fits_site(struct span wanted, struct span site);
/* Whether a selector may mean what no configuration names: a domain, or a site. */
bool route_name_is_open(struct span selector);
/* What stands behind the word for the kind, if there is one: "a.example" of "server a.example". */
struct span route_name_rest(struct span words);
