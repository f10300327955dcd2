/*
 * Whose turn it is: attempts, destinations, and why a recipient waits.
 *
 * Destinations of a kind take turns: who has nothing under way goes first, then who has least.
 * At one destination fresh mail goes first, and every eighth turn is one for what was tried
 * before, or has a priority below 0; within each the senders take turns; and for each sender it
 * goes by who came first.
 *
 * Fresh mail of a sender who has only few recipients ready (light_max) is light.  Three
 * turns of four are for light mail, among destinations and at each: a letter does not wait
 * for newsletters, to however many destinations they go.
 *
 * Fresh mail with a priority above 0 goes before all other fresh mail, and what has a high one
 * (SCHED_PRIORITY_HIGH) before that; but one turn of eight is for the others, and one of four for
 * those that are not high.  Priority counts at a destination, and as light mail among them.
 *
 * A destination may start an attempt while its concurrency window has room (route/window.h)
 * and its rate limit has a token (route/rate.h).  While it is down one attempt in a time
 * probes it, and all others wait.
 *
 * Destinations that the same servers take mail for are one site.  It has a window and a rate as
 * well, which all of them share; they take turns in it, and it takes turns as one destination.
 *
 * There may be a limit of all attempts of a kind.  Then a part of them can be had whatever others
 * have: see sched_room.
 */
#pragma once

#include "sched/sched.h"

/*
 * Takes the recipient whose turn it is; it is ACTIVE, and its destination has an attempt more,
 * until sched_attempt_over.  SCHED_NONE: there is nobody who may.
 */
uint32_t sched_take(struct sched *sched, unsigned kind, uint64_t now_ms);
/*
 * Takes that recipient, which is READY, whoever's turn it is and whatever its destination may
 * have: for what has to be tried by itself.
 */
void sched_take_this(struct sched *sched, uint32_t rcpt);
/*
 * There may be so many attempts of a kind more than are under way now; until that is said, any
 * number.  Of all that there may be, spare are to be had by light mail for who has nothing under
 * way, as many by any mail for who has nothing under way, and as many by who has: whatever else
 * is under way.
 */
void sched_room(struct sched *sched, unsigned kind, uint32_t free, uint32_t spare);
/* Whether sched_take would give one. */
bool sched_has_turn(const struct sched *sched, unsigned kind);
/* A recipient that is READY joins an attempt at its destination; or leaves it again (READY). */
void sched_join(struct sched *sched, uint32_t rcpt);

enum sched_feedback {
	SCHED_SERVED,   /* the destination did what it is there for */
	SCHED_REFUSED,  /* it took no mail, or not now: as a whole, not for a recipient */
	SCHED_NO_ANSWER, /* it could not be reached */
	SCHED_UNTRIED,  /* the attempt says nothing about the destination */
};
/*
 * An attempt is over.  reply: what the destination said last that was no success, 0 for nothing;
 * it is kept.
 */
void sched_attempt_over(struct sched *sched, uint32_t destination,
    enum sched_feedback feedback, uint32_t reply, uint64_t now_ms);
/*
 * An attempt under way takes no place in the windows of its destination and its site any more, as
 * its connection may have another behind it; or it does again: before it is over.
 */
void sched_attempt_yields(struct sched *sched, uint32_t destination, bool yields);
/* The line to the destination is long, or it is not: how many attempts it may have (far_max). */
void sched_destination_far(struct sched *sched, uint32_t destination, bool far);
/* An operator wants it tried now: it is not down until the next failure. */
void sched_destination_up(struct sched *sched, uint32_t destination);

struct sched_destination {
	struct span key;
	unsigned kind;
	size_t rcpt_count, ready_count;
	uint32_t active, window; /* active: not those that yield their places */
	uint32_t window_max;     /* that it may have now */
	bool far;
	uint32_t down_count;    /* probes that failed; 0: it is not down */
	uint64_t down_until_ms; /* when it is probed next, by the clock of now_ms */
	uint64_t token_ms;      /* when its rate lets the next attempt start */
	uint32_t reply;         /* while it is down: what it, or we, said last */
	uint32_t last_reply;    /* that was no success, whether it is down or not */
	uint32_t last_reply_wall_s; /* 0: there was none */
	uint32_t left_count; /* recipients that have left it in the last left_ms */
	uint64_t left_ms;    /* some minutes; 0: nothing is known */
	uint32_t site;       /* SCHED_NONE: none is known */
	bool full;           /* it may start an attempt, but others have all that there may be */
	struct sched_limits limits;
};
void sched_destination_get(
    const struct sched *sched, uint32_t destination, struct sched_destination *into);
/* SCHED_NONE: nobody waits for it. */
uint32_t sched_destination_find(
    const struct sched *sched, unsigned kind, struct span key);
size_t sched_destination_count(const struct sched *sched);
/* The one after it, in no order; SCHED_NONE begins, and ends. */
uint32_t sched_destination_next(const struct sched *sched, uint32_t destination);

/* What all destinations of a site have together; it lives while there is any. */
struct sched_site {
	struct span name;
	uint32_t destination_count, active, window;
	uint64_t token_ms; /* when its rate lets the next attempt start */
	struct sched_site_limits limits;
};
void sched_site_get(const struct sched *sched, uint32_t site, struct sched_site *into);
/* SCHED_NONE: it has no destination. */
uint32_t sched_site_find(const struct sched *sched, unsigned kind, struct span name);
size_t sched_site_count(const struct sched *sched);

enum sched_reason {
	SCHED_WHY_TIME,     /* its next try is at a time */
	SCHED_WHY_DOWN,     /* the destination is down; it is probed at a time */
	SCHED_WHY_PROBE,    /* the destination is down; it is being probed */
	SCHED_WHY_WINDOW,   /* the destination has as many attempts as it may */
	SCHED_WHY_RATE,     /* the destination's next attempt may start at a time */
	SCHED_WHY_TURN,     /* others are before it, or no process is there */
	SCHED_WHY_HELD,     /* an operator must release it */
	SCHED_WHY_ASIDE,    /* it was set aside; an operator must decide */
	SCHED_WHY_SUSPECT,  /* it is tried by itself soon */
	SCHED_WHY_ACTIVE,   /* it is under way */
	SCHED_WHY_BOUNCING, /* its sender is being told */
	SCHED_WHY_UNTIL,    /* it is not to be sent before a time */
	SCHED_WHY_SUSPENDED, /* an operator suspended its destination */
	SCHED_WHY_PAUSE,     /* the destination or its site asked for a pause, until a time */
	SCHED_WHY_SITE,      /* its site has as many attempts as it may */
	SCHED_WHY_SITE_RATE, /* the next attempt to its site may start at a time */
	SCHED_WHY_FULL,      /* as many attempts are under way as may be: see sched_room */
	SCHED_WHY_COUNT,
};
struct sched_why {
	enum sched_reason reason;
	uint64_t at_wall_ms; /* when something is done about it; 0: not known */
	uint64_t ahead;      /* recipients that go first, about; 0 where it is not in line */
};
void sched_why(const struct sched *sched, uint32_t rcpt, struct sched_why *why);

/*
 * Looks for recipients that have waited longer than expire_ms for a destination that is down:
 * gives the next one, or SCHED_NONE when it has looked at *budget recipients (which it counts
 * down), and goes on from there at the next call.
 */
uint32_t sched_expired(struct sched *sched, unsigned *budget);
/* How many recipients must be looked at to have seen all. */
size_t sched_rcpt_count(const struct sched *sched);
