/*
 * Who gets which connection.  A way is all that must be equal for two attempts to go by one
 * connection.  On each way attempts queue up; a connection that is free is given to the first of
 * them, and new ones are opened slowly: while none is open, one at a time, then as many at a time
 * as are open.  So a host that takes each message quickly sees few connections, and one that is
 * slow sees as many as there are attempts.
 *
 * On a long line a connection has room for another attempt behind the one at hand, once all of
 * that one is sent (talk_ahead.c); such room is taken before a new connection is opened.
 *
 * Connections to all hosts of a site (one provider's, say) are counted, the kept ones too, so that
 * these can make room for others.  Where the site has all that it may, and keeps none, no more are
 * opened; the ways that wait for that come before others when one is closed (pool_again).
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
	struct list rooms;  /* entries that may take another behind the one at hand */
	struct list blocked; /* in its site's list, where that has all it may; or in pool->again */
	struct list empty;  /* in pool->empty */
	size_t opening, open; /* entries; the kept ones are open too */
	struct span key;      /* the memory after the struct */
};

/* All that the same servers take mail for; there is one as long as it has entries. */
struct pool_site {
	uint64_t id;
	size_t count;
	struct list kept; /* the one that was put first in front */
	struct list blocked; /* ways that wait until it has fewer */
};

/* An attempt that needs a connection. */
struct pool_want {
	struct list node;
	uint64_t site;  /* 0: none is known */
	size_t site_max; /* connections that its site may have */
	bool alone;     /* goes behind no other */
};

/* A connection. */
struct pool_entry {
	struct pool_way *way;
	bool is_open;      /* as opposed to being opened */
	struct list node;  /* in way->kept, or in way->rooms */
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
	struct list again; /* ways that were blocked */
	size_t kept_count, room_count;
};

void pool_init(struct pool *pool, const uint64_t seed[2]);
/* No entry is left, and nobody waits. */
void pool_fini(struct pool *pool);
/* The way of a key, if there is one; NULL. */
struct pool_way *pool_find(const struct pool *pool, struct span key);
/* The way of a key, which is copied.  Lives as long as it is used, and until pool_sweep. */
struct pool_way *pool_way(struct pool *pool, struct span key);
/* Frees the ways that nobody uses. */
void pool_sweep(struct pool *pool);

void pool_queue(struct pool_way *way, struct pool_want *want);
/* Out of the queue; nothing where it is in none. */
void pool_leave(struct pool_want *want);
/* The first in the queue, which leaves it; NULL where nobody waits. */
struct pool_want *pool_first(struct pool_way *way);
/* How one may go: by an entry that was kept; behind what an entry is at; by a new connection. */
enum pool_by { POOL_KEPT, POOL_ROOM, POOL_NEW };
/*
 * The next that may go, which leaves the queue, and how: by *entry, which is taken, or by a new
 * connection (pool_opening), and then that is NULL.  NULL: none may, for now.
 */
struct pool_want *pool_next(struct pool *pool, struct pool_way *way, enum pool_by *by,
    struct pool_entry **entry);
/* It could not go so: it is the first in the queue again, and goes behind none. */
void pool_unsend(struct pool_way *way, struct pool_want *want);
/* The next way that may go on since a site has fewer connections; NULL. */
struct pool_way *pool_again(struct pool *pool);

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
/* One that is busy has room for another behind; and has it no more, if it had. */
void pool_room(struct pool *pool, struct pool_entry *entry);
void pool_no_room(struct pool *pool, struct pool_entry *entry);
/* Whether others wait for the site of the entry to have fewer. */
bool pool_site_is_wanted(const struct pool_entry *entry);
/* It is closed, or about to be. */
void pool_gone(struct pool *pool, struct pool_entry *entry);
/* The one that has been kept longest; NULL where none is. */
struct pool_entry *pool_oldest(const struct pool *pool);
