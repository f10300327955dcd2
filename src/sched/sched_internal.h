/*
 * What the files of the scheduler share.  A queued message with one recipient costs a struct
 * message (48), a struct rcpt (40) and a place in the table of ids (6 to 9 bytes); its
 * place in the timer wheel or in a line is in struct rcpt.
 */
#pragma once

#include "base/check.h"
#include "base/map.h"
#include "route/window.h"
#include "sched/sched_index.h"
#include "sched/sched_pool.h"
#include "sched/sched.h"
#include "sched/sched_reply.h"
#include "sched/sched_turn.h"
#include "sched/sched_wheel.h"

/* The lines of a destination. */
enum { LINE_HIGH, LINE_RAISED, LINE_LIGHT, LINE_FRESH, LINE_TRIED, LINE_COUNT };

enum {
	LIGHT_RUN = 3, /* turns of light mail before one of any */
	FRESH_RUN = 7, /* turns of fresh mail (also light) before one of tried mail */
	PRIORITY_RUN = 7, /* turns of what has a priority before one of other fresh mail */
	HIGH_RUN = 3, /* turns of a high priority before one of a lower */
	IDLE_RUN = 3, /* turns of who has nothing under way before one of who is down */
	SENDER_BITS = 16,
	LEFT_MS = 300 * 1000, /* how fast a destination empties: over one or two of these */
};

/*
 * Who may start an attempt, in turns: those with light mail, and all.  A destination that shares a
 * site has its turns there, and the site (its slot, with RING_SITE) has them among the others.
 */
enum { RING_LIGHT, RING_ALL, RING_COUNT };
#define RING_SITE 0x80000000u

/*
 * By how much is under way there: nothing; nothing, for it is down; 1, 2 to 3, 4 to 7, and so on,
 * the last one without an end.
 */
enum { LEVEL_IDLE, LEVEL_PROBE, LEVEL_BUSY, LEVEL_COUNT = LEVEL_BUSY + 7 };

struct ring {
	uint32_t first, last;
};

struct ring_node {
	uint32_t prev, next;
	bool in;
	uint8_t level; /* of the ring that it is in; in a site there is only LEVEL_IDLE */
};

/* What takes turns: a destination, or a site. */
struct turn {
	struct wheel_node node; /* in the wheel until something changes by itself */
	struct ring_node rings[RING_COUNT];
	uint32_t active;
	uint32_t yielding; /* attempts of these that count for no window */
	uint8_t kind;
	uint8_t began; /* in which ring it was when its first attempt of those under way began */
	bool in_wheel;
};

/* All turns of a kind, and what there is to share. */
struct turns {
	struct ring rings[RING_COUNT][LEVEL_COUNT];
	uint16_t filled[RING_COUNT]; /* a bit for each level that has somebody */
	uint32_t active, max, spare;
	uint32_t firsts[RING_COUNT]; /* who has something under way, by where they began */
	uint8_t light_run, idle_run[RING_COUNT];
};

struct rcpt {
	struct wheel_node node; /* WAITING: in the wheel; READY: in a lane, due_ms its place */
	uint32_t message, destination;
	uint32_t reply, tried_wall_s;
	unsigned used : 1; /* the slot is */
	unsigned index : 17;
	unsigned state : 3;
	unsigned line : 3;
	unsigned in_wheel : 1;
	unsigned lost : 2;
	unsigned begun : 3;
	unsigned in_doubt : 1;
	unsigned expired : 1;
	unsigned unsaid : 1;
	unsigned succeeded : 1;
	unsigned code : 14;
	unsigned tries : 16;
};

struct message {
	uint64_t id;
	uint64_t arrival_wall_ms : 48;
	uint64_t flags : 8;
	uint64_t urgency : 8; /* priority, from 0 on */
	uint64_t body_bytes : 40;
	uint64_t rcpt_count : 24;
	union {
		uint32_t one;   /* rcpt_count 1: the recipient's slot, or SCHED_NONE */
		uint32_t *many; /* by index */
	};
	uint32_t prev, next; /* by age */
	uint32_t sender;
	uint32_t open_count; /* recipients that have a slot */
};

/* The ready recipients of one sender in one line of a destination; never empty. */
struct lane {
	uint32_t destination, sender;
	uint32_t prev, next;  /* in the line */
	uint32_t first, last; /* recipients */
	uint32_t count;
	uint32_t place; /* of the next recipient */
	unsigned line;
};

struct line {
	uint32_t first, last; /* lanes, in turns */
	uint32_t lane_count, ready_count;
};

struct destination {
	struct turn turn;
	char *key;
	uint32_t key_bytes, hash;
	uint32_t rcpt_count;
	struct line lines[LINE_COUNT];
	struct sched_limits limits;
	struct rate rate;
	struct window window;
	uint64_t down_until_ms;
	uint32_t down_count, reply;
	uint32_t reply_wall_s;            /* when the reply came; 0: there is none */
	uint32_t left_count, left_before; /* since left_ms, and in the LEFT_MS before that */
	uint64_t left_ms;                 /* 0: nobody has left */
	uint32_t limits_age; /* sched->limits_age when limits were asked for */
	uint32_t site;       /* SCHED_NONE: none is known */
	uint8_t light_run, fresh_run, priority_run, high_run;
	bool served; /* since it last failed */
	bool far;    /* the line is long */
};

/* What the destinations share that the same servers take mail for; it lives while there is one. */
struct site {
	struct turn turn;
	char *name;
	uint32_t name_bytes, hash;
	struct ring turns[RING_COUNT]; /* those of its destinations */
	uint32_t destination_count;
	struct sched_site_limits limits;
	struct rate rate;
	struct window window;
	uint32_t limits_age;
	bool served; /* since it last failed */
};

/* A reply; the bytes are status, remote, text. */
struct reply {
	uint32_t hash, holds;
	char *bytes;
	uint16_t code, text_bytes, remote_bytes;
	uint8_t status_bytes;
};

struct sched {
	uint64_t seed[2];
	struct sched_options options;
	uint64_t now_ms, now_wall_ms;
	struct pool messages, rcpts, lanes, destinations, sites, replies;
	struct index message_index, lane_index, destination_index, site_index, reply_index;
	struct wheel rcpt_wheel;        /* by wall time */
	struct wheel destination_wheel; /* by now_ms */
	struct wheel site_wheel;        /* by now_ms */
	uint32_t oldest, newest;        /* messages */
	struct turns turns[SCHED_KINDS];
	/* READY recipients by sender; those whose hashes end alike share a number. */
	uint32_t sender_ready[1 << SENDER_BITS];
	uint32_t limits_age;
	uint32_t sweep; /* the recipient's slot that sched_expired looks at next */
	size_t reply_bytes;
};

static inline int
message_priority(const struct message *message)
{
	return (int)message->urgency + SCHED_PRIORITY_MIN;
}

static inline struct rcpt *
rcpt_at(const struct sched *sched, uint32_t rcpt)
{
	return sched_pool_at(&sched->rcpts, rcpt);
}

static inline struct message *
message_at(const struct sched *sched, uint32_t message)
{
	return sched_pool_at(&sched->messages, message);
}

static inline struct destination *
destination_at(const struct sched *sched, uint32_t destination)
{
	return sched_pool_at(&sched->destinations, destination);
}

static inline struct site *
site_at(const struct sched *sched, uint32_t site)
{
	return sched_pool_at(&sched->sites, site);
}

/* A destination, or with RING_SITE a site. */
static inline struct turn *
turn_at(const struct sched *sched, uint32_t turn)
{
	return turn & RING_SITE ? &site_at(sched, turn & ~RING_SITE)->turn
	                        : &destination_at(sched, turn)->turn;
}

/* Attempts that count for the window. */
static inline uint32_t
turn_places(const struct turn *turn)
{
	return turn->active - turn->yielding;
}

/* So many of its attempts more, or fewer, count for no window. */
static inline void
turn_yields(struct turn *turn, int64_t change)
{
	turn->yielding = (uint32_t)(turn->yielding + change);
	check(turn->yielding <= turn->active);
}

/* Counts a turn of whoever goes first; false: it is the other's turn, after so many. */
static inline bool
goes_first(uint8_t *run, unsigned run_max)
{
	if (*run < run_max) {
		++*run;
		return true;
	}
	*run = 0;
	return false;
}

/* Of a destination's key, or a site's name, by kind. */
static inline uint32_t
name_hash(const struct sched *sched, unsigned kind, struct span name)
{
	return (uint32_t)map_hash(sched->options.seed, name) ^ kind * 0x9e3779b9;
}

/* sched_ring.c: turns */
void sched_ring_init(struct ring *ring);
/*
 * Who has turns among those with light mail, and among all, by the level that it has now; whoever
 * comes, or has another level than before, goes to the end.
 */
void sched_ring_set(struct sched *sched, uint32_t turn, bool light, bool all);
/* It is looked at then; 0: nothing changes by itself. */
void sched_ring_wake(struct sched *sched, uint32_t turn, uint64_t wake_ms);

/* sched_room.c: who may start an attempt, of those who have turns */
void sched_room_init(struct sched *sched);
/* So many attempts more, or fewer, are under way there; not for destinations that share a site. */
void sched_room_count(struct sched *sched, uint32_t turn, int64_t change);
/* Whose turn it is, which is counted as one; SCHED_NONE. */
uint32_t sched_room_next(struct sched *sched, unsigned kind, unsigned *which);
/* Whether attempts that others have under way are what keeps a destination from its turn. */
bool sched_room_lacks(const struct sched *sched, uint32_t destination);

/* sched_line.c: the lines of a destination */
void sched_line_init(struct sched *sched);
void sched_line_fini(struct sched *sched);
/* tried: it goes behind what is fresh. */
void sched_line_add(struct sched *sched, uint32_t rcpt, bool tried);
void sched_line_remove(struct sched *sched, uint32_t rcpt);
/* The recipient whose turn it is; the lane goes to the end of its line. */
uint32_t sched_line_next(struct sched *sched, uint32_t destination, unsigned line);
/* About how many go before a READY recipient at its destination. */
uint64_t sched_line_ahead(const struct sched *sched, uint32_t rcpt);

/* sched_destination.c */
void sched_destination_init(struct sched *sched);
void sched_destination_fini(struct sched *sched);
/* Finds or makes it, and counts a recipient more. */
uint32_t sched_destination_join(struct sched *sched, unsigned kind, struct span key);
void sched_destination_leave(struct sched *sched, uint32_t destination);
/* Something about it has changed: has it a turn?  It may be forgotten here. */
void sched_destination_look(struct sched *sched, uint32_t destination);

/* sched_site.c: what destinations share */
void sched_site_init(struct sched *sched);
void sched_site_fini(struct sched *sched);
/* Finds or makes it, and counts a destination more. */
uint32_t sched_site_join(struct sched *sched, unsigned kind, struct span name);
/* The destination is in none of its turns, and its attempts are counted there no more. */
void sched_site_leave(struct sched *sched, uint32_t site);
/* Something about it has changed: has it a turn?  It may be forgotten here. */
void sched_site_look(struct sched *sched, uint32_t site);
/* An attempt is over, and is counted no more; was_up: its destination was not down. */
void sched_site_over(
    struct sched *sched, uint32_t site, enum sched_feedback feedback, bool was_up);
/* Whether one of its destinations may start an attempt, or what keeps it. */
bool sched_site_may(const struct sched *sched, const struct site *site,
    enum sched_reason *reason, uint64_t *wake_ms);

/* sched_message.c */
void sched_message_init(struct sched *sched);
void sched_message_fini(struct sched *sched);
/* One whose time has come. */
void sched_rcpt_wake(struct sched *sched, uint32_t rcpt);
/* The wall clock was: see set_back. */
void sched_rcpts_set_back(struct sched *sched);

/* sched_reply.c */
void sched_reply_init(struct sched *sched);
void sched_reply_fini(struct sched *sched);
