/*
 * What each address that mail leaves from has sent today, and may send; which ones this host lacks;
 * and their file as bytes.  Pure.
 *
 * The file has a line for each address that has sent something, "2026-11-27 192.0.2.7 45": the day
 * in UTC, the address, and to how many recipients.  Where those of a provider are counted for
 * themselves they have a line more, which ends with a blank and the provider's name.
 */
#pragma once

#include "base/buf.h"
#include "base/net.h"

enum {
	SHARES_MAX = 4000, /* those of former configurations too, until the day is over */
	SHARE_PROVIDER_MAX = 40, /* its name, with a NUL */
	SHARES_BYTES_MAX = SHARES_MAX * (NET_TEXT_MAX + SHARE_PROVIDER_MAX + 40),
	SHARE_WHY_MAX = 120,
};

struct share {
	struct net_addr addr;
	char provider[SHARE_PROVIDER_MAX]; /* "": all servers */
	uint64_t used;    /* recipients that a server was asked about today */
	uint64_t pending; /* of attempts that are under way */
	uint64_t max;     /* today's; WARMUP_NO_LIMIT: any */
	uint64_t promised; /* as many of them go before who is put off next */
	uint64_t even_ns; /* when it may send as many at once as ever; see warmup.h */
	uint64_t failed_until_ms; /* this host lacked it: it is left alone until then */
	bool trying;              /* an attempt tries it again */
	unsigned failures;        /* in a row; 0: it works, as far as known */
	char why[SHARE_WHY_MAX];
};

struct share_time {
	uint64_t wall_ms, now_ms;
};

struct shares {
	struct share *rows;
	size_t count;
	uint64_t day;
	bool is_changed; /* since it was written */
};

void shares_fini(struct shares *shares);
/*
 * The row of an address, for what goes to a provider ("": for all that it sends); where there is
 * none a new one, which has no limit.  NULL: there are too many, or the name is too long.
 */
struct share *shares_take(
    struct shares *shares, const struct net_addr *addr, struct span provider);
struct share *shares_find(
    const struct shares *shares, const struct net_addr *addr, struct span provider);
/* It is that day: what was sent on another counts no more.  True: it was another. */
bool shares_begin(struct shares *shares, uint64_t day);
/* How many more it may have now, beside what is under way. */
uint64_t share_left(const struct share *share, const struct share_time *time);
/* Keeps so many places; and gives back those that were not used. */
void share_keep(struct share *share, uint64_t places, const struct share_time *time);
void share_give_back(struct share *share, uint64_t places);
/* When it has another place, by the wall clock; it has none now, and a limit that is not 0. */
uint64_t share_next_wall_ms(const struct share *share, const struct share_time *time);
/*
 * When it has that many more (or as many as ever go at once), beside those that are promised:
 * they are promised then, where that is by until_wall_ms.
 */
uint64_t share_promise(struct share *share, uint64_t places, const struct share_time *time,
    uint64_t until_wall_ms);
/* Whether it is left alone since this host lacked it. */
bool share_is_failed(const struct share *share, uint64_t now_ms);
/* This host lacks it; true: that is news. */
bool share_fail(struct share *share, uint64_t now_ms, const char *why);
/* Somebody tries it again: others wait meanwhile. */
void share_try(struct share *share, uint64_t now_ms);

/* Adds a line for each address that has sent something today. */
void shares_write(const struct shares *shares, struct buf *out);
/*
 * Takes up the lines of today.  ERR_SYNTAX: one is none, or an address is there twice; what stands
 * before it counts.  A last line without an end was cut off, and is malformed.
 */
MUST_USE enum err shares_read(struct shares *shares, struct span text, uint64_t day);
