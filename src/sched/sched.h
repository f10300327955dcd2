/*
 * The scheduler: which recipient is tried next, when, and why another one waits.  Pure: no
 * I/O, no clock of its own, nothing of envelopes or addresses; about 100 bytes a recipient.
 *
 *   add ─► NEW ─► WAITING ──────────────► READY ──► ACTIVE ──► ENDED
 *                    ▲   (next_wall_ms)     ▲         │ │
 *                    │                      │ lost    │ └────► BOUNCING ──► ENDED
 *                    └──────────────────────┴─────────┘ deferred
 *                    └─────────────────────────────────────── BOUNCING, where nobody can be told
 *
 * Messages, recipients and destinations are numbers that hold while the thing lives.
 * now_ms comes from a clock that never runs back; wall times may jump either way.
 */
#pragma once

#include "route/rate.h"

enum {
	SCHED_KINDS = 18, /* of destinations: they take turns apart from each other */
	SCHED_RCPTS_MAX = 100000,
	SCHED_LOST_MAX = 3,
	SCHED_BEGUN_MAX = 7,
	SCHED_PRIORITY_MIN = -9,
	SCHED_PRIORITY_MAX = 9,
	SCHED_PRIORITY_HIGH = 4, /* from here on it goes before all others */
};
#define SCHED_NONE UINT32_MAX

enum sched_state {
	SCHED_WAITING,  /* until next_wall_ms, or parked */
	SCHED_READY,    /* in line at its destination */
	SCHED_ACTIVE,   /* in an attempt */
	SCHED_BOUNCING, /* failed, or has it: what tells its sender so is not durable yet */
	SCHED_ENDED,    /* nothing is known of it any more */
	SCHED_NEW,      /* until sched_message_start */
	SCHED_STATE_COUNT,
};

/* Flags of a message.  One that is PARKED waits for an operator, whatever its time. */
enum {
	SCHED_HELD = 1,     /* by an operator; HELD_ALL: because all mail is */
	SCHED_ASIDE = 2,    /* its handler crashed again and again */
	SCHED_RELEASED = 4, /* by an operator: never held again because all mail is */
	SCHED_DELETING = 8, /* an operator removed it while a part was under way */
	SCHED_HELD_ALL = 16,
	SCHED_OLD_ROUTES = 32, /* its destinations are those of an older configuration */
	SCHED_SUSPECT = 64, /* a process ended while it had it: it is tried by itself */
	SCHED_PARKED = SCHED_HELD | SCHED_ASIDE | SCHED_HELD_ALL | SCHED_SUSPECT,
};

/* What a destination may have. */
struct sched_limits {
	uint32_t concurrency_start, concurrency_max; /* attempts at a time: first, and at most */
	uint32_t concurrency_far_max; /* at most, where the line is long; 0: as concurrency_max */
	struct rate_limit rate;                      /* of attempts; count 0: none */
	uint64_t down_ms_min, down_ms_max;           /* between two probes while it is down */
	uint64_t expire_ms;                          /* what waits for it while it is down */
	bool suspended;                   /* by an operator: no attempt is started */
	uint64_t suspended_until_wall_ms; /* 0: until it is resumed */
	uint64_t pause_until_ms; /* by now_ms: it asked for a pause, no attempt is started */
};

/* What all destinations of a site may have together. */
struct sched_site_limits {
	uint32_t concurrency_start, concurrency_max;
	struct rate_limit rate;
	uint64_t pause_until_ms;
};

struct sched;
struct sched_options {
	uint64_t seed[2]; /* of hash tables */
	size_t reply_bytes_max; /* of memory for texts of replies */
	uint32_t light_max; /* a sender with no more recipients that are ready is light */
	void *owner;
	/* Asked for each destination when it is made, and after sched_reload and sched_ask. */
	void (*limits)(
	    void *owner, unsigned kind, struct span key, struct sched_limits *limits);
	/*
	 * The site of a destination: a name for all that the same servers take mail for, "" where
	 * it is not known.  Asked together with limits.  NULL: none has one.
	 */
	struct span (*site)(void *owner, unsigned kind, struct span key);
	/* Asked for each site when it is made, and after sched_reload and sched_ask_site. */
	void (*site_limits)(
	    void *owner, unsigned kind, struct span name, struct sched_site_limits *limits);
};

struct sched *sched_create(
    const struct sched_options *options, uint64_t now_ms, uint64_t now_wall_ms);
void sched_destroy(struct sched *sched);
/* Limits have changed: each destination asks again, and each site. */
void sched_reload(struct sched *sched);
/* Those of one destination have changed, or which site it has; or those of a site have. */
void sched_ask(struct sched *sched, uint32_t destination);
void sched_ask_site(struct sched *sched, uint32_t site);

/*
 * Time passes: recipients and destinations whose time has come are moved.  At most budget of
 * them; true: call again soon, there are more.
 */
bool sched_advance(
    struct sched *sched, uint64_t now_ms, uint64_t now_wall_ms, unsigned budget);
/* How long from now nothing happens by itself, at most max_ms. */
uint64_t sched_idle_ms(const struct sched *sched, uint64_t now_ms, uint64_t now_wall_ms,
    uint64_t max_ms);

/* Messages, by age. */
struct sched_message {
	uint64_t id, arrival_wall_ms, body_bytes;
	uint32_t sender; /* a hash: recipients of different senders take turns */
	uint32_t rcpt_count, open_count;
	unsigned flags;
	int priority; /* SCHED_PRIORITY_MIN to _MAX: which line its recipients are in */
};
/* Makes room for so many messages at once, for a start with many. */
void sched_message_reserve(struct sched *sched, size_t count);
/* open_count recipients follow, each by sched_rcpt_add; then sched_message_start. */
uint32_t sched_message_add(struct sched *sched, const struct sched_message *message);
/* Its recipients wait, or are ready; or are parked.  True: some are BOUNCING. */
bool sched_message_start(struct sched *sched, uint32_t message);
/* Forgets it, whatever the state of its recipients; none may be ACTIVE. */
void sched_message_remove(struct sched *sched, uint32_t message);
uint32_t sched_message_find(const struct sched *sched, uint64_t id);
void sched_message_get(
    const struct sched *sched, uint32_t message, struct sched_message *into);
/* The oldest, and the one after that; SCHED_NONE. */
uint32_t sched_message_first(const struct sched *sched);
uint32_t sched_message_next(const struct sched *sched, uint32_t message);
size_t sched_message_count(const struct sched *sched);
/*
 * Sets and clears flags.  One that is parked no longer is ready at once, whatever its time; but
 * what was never tried and is due later waits for that.
 */
void sched_message_flags(
    struct sched *sched, uint32_t message, unsigned set, unsigned clear);

struct sched_rcpt {
	uint32_t message, index, destination;
	enum sched_state state;
	uint32_t tries, code, reply; /* reply: see sched_reply.h; 0: none, or no longer kept */
	uint32_t tried_wall_s;       /* when it was last tried; 0: never */
	uint64_t next_wall_ms;       /* WAITING, NEW */
	unsigned lost;               /* attempts that ended with their process */
	unsigned begun;              /* attempts begun and not ended, before the last start */
	bool in_doubt, expired;
	bool unsaid; /* BOUNCING: the log has not told of its end yet */
	bool succeeded; /* it was delivered, and its sender is to be told; NEW: BOUNCING next */
};
uint32_t sched_rcpt_add(struct sched *sched, uint32_t message, uint32_t index,
    unsigned kind, struct span key);
/* SCHED_NONE: it has ended. */
uint32_t sched_rcpt_find(const struct sched *sched, uint32_t message, uint32_t index);
void sched_rcpt_get(const struct sched *sched, uint32_t rcpt, struct sched_rcpt *into);
enum sched_state sched_rcpt_state(const struct sched *sched, uint32_t rcpt);
/* Takes over tries, code, tried_wall_s, lost, begun and the bools. */
void sched_rcpt_note(struct sched *sched, uint32_t rcpt, const struct sched_rcpt *from);
/* reply is held by the recipient from now on, no longer by the caller. */
void sched_rcpt_reply(struct sched *sched, uint32_t rcpt, uint32_t reply);
/* NEW: when it is due; it is not moved. */
void sched_rcpt_due(struct sched *sched, uint32_t rcpt, uint64_t next_wall_ms);

/* NEW, WAITING or READY: it is for another destination from now on; its state is as before. */
void sched_rcpt_reroute(
    struct sched *sched, uint32_t rcpt, unsigned kind, struct span key);

/* Moves; any that the drawing does not have ends the process. */
void sched_rcpt_wait(struct sched *sched, uint32_t rcpt, uint64_t next_wall_ms);
/* urgent: in line with what is fresh, whatever it has been through. */
void sched_rcpt_ready(struct sched *sched, uint32_t rcpt, bool urgent);
void sched_rcpt_bounce(struct sched *sched, uint32_t rcpt);
/* The number of the recipient is no more. */
void sched_rcpt_end(struct sched *sched, uint32_t rcpt);

/* Attempts: see sched_turn.h. */
