/*
 * Who gets which connection.  A way is all that must be equal for two attempts to go by one
 * connection.  On each way attempts queue up; a connection that is free is given to the first of
 * them, and new ones are opened slowly: while none is open, one at a time, then as many at a time
 * as are open.  So a host that takes each message quickly sees few connections, and one that is
 * slow sees as many as there are attempts.
 *
 * Connections to all hosts of a site (one provider's, say) are counted, the kept ones too, so that
 * these can make room for others.
 *
 * The pool owns nothing but its ways and sites: wants and entries are members of attempts and
 * connections.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"

struct pool_way {
	struct list queued; /* wants, the first in front */
	struct list kept;   /* entries, the last one put in front */
	struct list empty;  /* in pool->empty */
	size_t opening, open; /* entries; the kept ones are open too */
	struct span key;      /* the memory after the struct */
};

/* All that the same servers take mail for; there is one as long as it has entries. */
struct pool_site {
	uint64_t id;
	size_t count;
	struct list kept; /* the one that was put first in front */
};

/* An attempt that needs a connection. */
struct pool_want {
	struct list node;
};

/* A connection. */
struct pool_entry {
	struct pool_way *way;
	bool is_open;      /* as opposed to being opened */
	struct list node;  /* in way->kept */
	struct list age;   /* in pool->kept */
	struct pool_site *site; /* NULL: none is known */
	struct list in_site;    /* in site->kept */
	uint64_t since_ms;
};

struct pool {
	struct map ways;
	struct map sites; /* by id */
	struct list kept;  /* the one that was put first in front */
	struct list empty; /* ways that may be of use to nobody */
	size_t kept_count;
};

void pool_init(struct pool *pool, const uint64_t seed[2]);
/* No entry is left, and nobody waits. */
void pool_fini(struct pool *pool);
/* The way of a key, which is copied.  Lives as long as it is used, and until pool_sweep. */
struct pool_way *pool_way(struct pool *pool, struct span key);
/* Frees the ways that nobody uses. */
void pool_sweep(struct pool *pool);

void pool_queue(struct pool_way *way, struct pool_want *want);
/* Out of the queue; nothing where it is in none. */
void pool_leave(struct pool_want *want);
/* The first in the queue, which leaves it; NULL where nobody waits. */
struct pool_want *pool_first(struct pool_way *way);
/*
 * The next that may go, which leaves the queue: by *kept, which is taken, or, where that is NULL,
 * by a new connection (pool_opening).  NULL: none may, for now.
 */
struct pool_want *pool_next(
    struct pool *pool, struct pool_way *way, struct pool_entry **kept);

void pool_opening(struct pool_way *way, struct pool_entry *entry);
void pool_opened(struct pool_entry *entry);
/* The entry, which is not kept, leads to that site; 0: none is known. */
void pool_set_site(struct pool *pool, struct pool_entry *entry, uint64_t site);
/* Whether the site of the entry has more than so many. */
bool pool_site_is_over(const struct pool_entry *entry, size_t max);
/* Where a site has so many or more, the kept one of it that has been so longest; NULL. */
struct pool_entry *pool_site_spare(const struct pool *pool, uint64_t site, size_t max);
/* An open one is free. */
void pool_keep(struct pool *pool, struct pool_entry *entry, uint64_t now_ms);
/* It is closed, or about to be. */
void pool_gone(struct pool *pool, struct pool_entry *entry);
/* The one that has been kept longest; NULL where none is. */
struct pool_entry *pool_oldest(const struct pool *pool);
