/*
 * What the files of the queue share: messages, their recipients, the destinations they wait
 * for, and the attempts under way.
 *
 *   intake      WAITING ──────────────► READY ──► ACTIVE ──► ENDED
 *                  ▲   (next_wall_ms)     ▲         │ │
 *                  │                      │ lost    │ └────► BOUNCING ──► ENDED
 *                  └──────────────────────┴─────────┘ deferred
 *
 * recipient_move() in schedule.c is the one place that changes a recipient's state.
 */
#pragma once

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "ipc/targets.h"
#include "proc/queue/queue.h"
#include "route/retry.h"
#include "route/route.h"
#include "spool/spool.h"

enum {
	QUEUE_PEERS_MAX = PROC_INSTANCES_MAX,
	QUEUE_PUSH_BYTES = 64 << 10,    /* a body up to this goes along with its attempt */
	QUEUE_PEER_BYTES = 2 << 20,     /* of bodies, on their way to one process */
	QUEUE_ATTEMPTS_MAX = 500,       /* of one delivery process */
	QUEUE_MAILBOX_ATTEMPTS_MAX = 64,
	QUEUE_IDS = 1 << 20,            /* ids given to a peer at a time */
	INTAKE_GRANTS_MAX = 16,         /* ranges of ids that a peer may still be using */
	QUEUE_REPLY_TEXT_MAX = 500,     /* kept of a reply, for each waiting recipient */
	QUEUE_BOUNCE_HEADER_BYTES = 64 << 10,
	QUEUE_INTAKE_PENDING_MAX = 8 << 20,
};

struct queue;
struct message;
struct destination;

enum recipient_state {
	RECIPIENT_WAITING,  /* until next_wall_ms */
	RECIPIENT_READY,    /* in its destination's list */
	RECIPIENT_ACTIVE,   /* in an attempt */
	RECIPIENT_BOUNCING, /* failed; its bounce is not durable yet */
	RECIPIENT_ENDED,
	RECIPIENT_STATE_COUNT,
};

/* The last thing that was said about a recipient; a copy, for mem_free. */
struct last_reply {
	unsigned code;
	char status[16];
	struct span remote, text; /* in one allocation, remote first */
	uint64_t wall_ms;
	bool expired;
};

struct recipient {
	struct message *message;
	struct destination *destination;
	enum ipc_target kind;
	enum recipient_state state;
	uint32_t index, tries;
	unsigned lost; /* attempts that ended with their process */
	struct span address, mailbox, original; /* in the message's memory */
	struct list node;    /* READY: in destination->ready */
	size_t timer;        /* WAITING: place in the heap, from 1; 0: in none */
	uint64_t next_wall_ms;
	struct last_reply *last;
};

struct message {
	uint64_t id;
	uint64_t arrival_wall_ms, body_bytes;
	uint8_t flags;
	bool held;     /* by an operator, or by "hold all mail" */
	bool released; /* by an operator: "hold all mail" does not hold it again */
	struct bounce *bounce; /* being made for it; or NULL */
	bool deleting; /* an operator removed it; attempts under way no longer count */
	struct span reverse_path, login, helo, client;
	struct recipient *rcpts;
	uint32_t rcpt_count, open_count; /* open: not ENDED */
	uint32_t active_count;           /* attempts that it is part of */
	struct span memory;              /* the envelope's bytes; the spans above point into it */
	struct list node;                /* in queue->messages, by id */
};

/* Where recipients go together: a mail domain, a smart host, or the Maildirs. */
struct destination {
	struct span key; /* in the memory after the struct */
	struct span domain;
	enum ipc_target kind;
	struct list ready;  /* recipients */
	size_t ready_count;
	unsigned active;    /* attempts */
	struct list node;   /* in queue->turns when it has ready recipients and room */
	struct list down_node;  /* in queue->downs until down_until_ms */
	uint64_t down_until_ms; /* its servers did not answer */
	unsigned down_count;
	size_t rcpt_count;  /* recipients that refer to it */
};

/* One transaction under way with a delivery process or the mailbox process. */
struct attempt {
	uint64_t number;
	struct queue *queue;
	struct message *message;
	struct destination *destination;
	struct peer *peer;
	struct recipient **rcpts;
	size_t rcpt_count;
	bool *told;          /* which recipients have a result */
	struct io_op read;   /* of the body */
	struct list wait;    /* in peer->reads: to read when the peer has taken more */
	bool reading;
	bool over;           /* ended while a read was under way */
	uint64_t offset;
	char *body;
	struct list node;    /* in peer->attempts */
};

/* A delivery process, or the mailbox process. */
struct peer {
	struct queue *queue;
	enum proc proc;
	struct ipc_channel *channel; /* NULL: not there */
	struct list attempts;
	unsigned attempt_count, attempt_max;
	struct list reads; /* attempts that wait to read their body */
	size_t reading;    /* bytes that are being read for it */
	struct io_op drain;
	bool draining;
};

/* A reception process, with the transactions that it has not committed. */
struct intake {
	struct queue *queue;
	unsigned instance;
	struct ipc_channel *channel;
	struct map transactions;
	uint64_t ids[INTAKE_GRANTS_MAX]; /* the first of each range given, the latest in front */
	uint64_t ids_asked_ms;
	size_t writing;       /* commits that the spool has not answered */
	size_t large_pending; /* bytes of a large body that wait for the disk */
	struct io_timer resume;
	bool closed;
};

struct queue {
	struct proc_env *env;
	const struct conf *conf;
	struct io_dir *dir;
	struct spool *spool;
	struct list messages;
	struct map message_map, destination_map, attempt_map;
	struct list downs; /* destinations that wait until down_until_ms */
	struct list turns[IPC_TARGET_COUNT]; /* destinations that may start an attempt */
	struct recipient **heap; /* WAITING recipients by next_wall_ms; from 1 */
	size_t heap_count, heap_room;
	struct io_timer timer, retire;
	struct intake *intakes[QUEUE_PEERS_MAX];
	struct peer deliveries[QUEUE_PEERS_MAX];
	unsigned delivery_count; /* the last instance that was ever there, and all before it */
	struct peer mailbox;
	struct ipc_channel *lookup, *admin;
	struct list bounces; /* waiting for lookup or for the spool */
	uint64_t next_query, next_attempt;
	uint64_t id_grant;   /* ids given out in this epoch */
	uint64_t own_id_next, own_id_end;
	enum ipc_commit pressure;
	bool stopping;
	struct spool_op flush;
};

/* queue.c */
void queue_grant_ids(struct queue *queue, uint64_t *first, uint64_t *end);
uint64_t queue_own_id(struct queue *queue);
/* Tells every reception when the queue can (no longer) take mail. */
void queue_check_pressure(struct queue *queue, enum err err);
void queue_event_begin(struct event *event, struct queue *queue, const char *name,
    const struct message *message);

/* message.c: a message in memory, its envelope on disk, its marks */
struct message_envelope {
	uint64_t arrival_wall_ms;
	uint8_t flags;
	struct span reverse_path, login, helo, client;
	uint32_t rcpt_count;
};
/* Recipients follow, each written with message_envelope_rcpt. */
void message_envelope_begin(struct buf *out, const struct message_envelope *envelope);
void message_envelope_rcpt(
    struct buf *out, const struct ipc_target_entry *target, struct span original);
/* ERR_SYNTAX where the bytes are no envelope. */
MUST_USE enum err message_create(struct queue *queue, uint64_t id, struct span envelope,
    uint64_t body_bytes, struct message **message);
void message_destroy(struct queue *queue, struct message *message);
void recipient_set_last(struct recipient *rcpt, const struct last_reply *reply);

enum mark_kind { MARK_ENDED = 1, MARK_DEFERRED, MARK_HELD, MARK_RELEASED };
void mark_write(struct buf *out, enum mark_kind kind, const struct recipient *rcpt);
/* Applies marks that were read back at start-up; ERR_SYNTAX. */
MUST_USE enum err mark_apply(struct message *message, struct span marks);

/* schedule.c */
/* A message is durable: its recipients may be delivered. */
void schedule_message(struct queue *queue, struct message *message);
void recipient_move(struct queue *queue, struct recipient *rcpt, enum recipient_state state);
/* The destination of that kind that starts an attempt next; see dispatch.c.  NULL: none may. */
struct destination *schedule_next(struct queue *queue, enum ipc_target kind);
void schedule_attempt_over(struct queue *queue, struct destination *destination);
/* The destination's servers do not answer: all its mail waits. */
void schedule_down(struct queue *queue, struct destination *destination);
/* Gives up what has waited too long for destinations that are down; a part of it at a time. */
void schedule_expire(struct queue *queue);
void schedule_up(struct queue *queue, struct destination *destination);
/* Moves those whose time has come, and sets the timer for the next. */
void schedule_arm(struct queue *queue);
/* The route that mail for an address takes; NULL is by MX, encrypted where offered. */
const struct conf_route *schedule_route(const struct conf *conf, struct span address);
/* How many recipients are in front of this one at its destination; 1000 is "at least". */
size_t schedule_ahead(const struct recipient *rcpt);

/* dispatch.c */
/* Starts attempts while destinations, peers and limits allow. */
void dispatch(struct queue *queue);
void dispatch_peer_init(struct queue *queue, struct peer *peer, enum proc proc);
void dispatch_peer_link(struct queue *queue, struct peer *peer, struct io_stream *stream);

/* outcome.c */
struct outcome {
	enum ipc_outcome kind;
	unsigned code;
	struct span status, remote, text;
};
void outcome_apply(struct queue *queue, struct recipient *rcpt, const struct outcome *outcome);
/* Gives up a recipient that is READY at a destination that does not answer. */
void outcome_expire(struct queue *queue, struct recipient *rcpt);
/* An attempt is over: bounces what failed, forgets what ended. */
void outcome_settle(struct queue *queue, struct message *message);
/* The recipient has its end. */
void outcome_end(struct queue *queue, struct recipient *rcpt);

/* bounce.c */
/* Makes one bounce for all recipients of the message that are BOUNCING. */
void bounce_start(struct queue *queue, struct message *message);
/* Tries again those that could not be made. */
void bounce_retry(struct queue *queue);
void bounce_lookup_link(struct queue *queue, struct io_stream *stream);

/* intake.c */
void intake_link(struct queue *queue, unsigned instance, struct io_stream *stream);

/* Tells one reception (or all: NULL) whether the queue takes mail. */
void intake_say_pressure(struct queue *queue, struct intake *only);

/* control.c */
void control_link(struct queue *queue, struct io_stream *stream);
