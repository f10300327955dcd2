/*
 * What the files of the queue share.  What waits is known to the scheduler (src/sched) in about
 * a hundred bytes; the structs here are of what is under way: attempts, bounces, and the
 * messages that these need the envelopes of.
 *
 * The states of a recipient are drawn in sched/sched.h.
 */
#pragma once

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "base/sim_point.h"
#include "ipc/targets.h"
#include "proc/queue/backoffs.h"
#include "proc/queue/mark.h"
#include "proc/queue/envelope.h"
#include "proc/queue/queue.h"
#include "proc/queue/shares.h"
#include "proc/queue/sites.h"
#include "proc/queue/suppressions.h"
#include "proc/queue/suspensions.h"
#include "proc/queue/transcripts.h"
#include "route/limits.h"
#include "route/retry.h"
#include "route/route.h"
#include "sched/sched_reply.h"
#include "sched/sched_turn.h"
#include "store/store.h"

enum {
	QUEUE_PEERS_MAX = PROC_INSTANCES_MAX,
	QUEUE_PUSH_BYTES = 64 << 10,    /* a body up to this goes along with its attempt */
	QUEUE_REWINDS_MAX = 8,          /* so often an attempt may have pieces of it again */
	QUEUE_PEER_BYTES = 2 << 20,     /* of bodies, on their way to one process */
	QUEUE_ATTEMPTS_MAX = SIM_SMALLER(576, 16), /* of one delivery process */
	/* Of these, for each of three kinds that none of the others can take: see sched_room. */
	QUEUE_ATTEMPTS_SPARE = SIM_SMALLER(64, 2),
	QUEUE_MAILBOX_ATTEMPTS_MAX = 64,
	QUEUE_PIPE_ATTEMPTS_MAX = 100,  /* of all programs of one user */
	QUEUE_PIPES_MAX = CONF_PIPE_USERS_MAX,
	/* Kinds of destinations for the scheduler: enum ipc_target, then the users of programs. */
	QUEUE_KIND_PIPE = IPC_TARGET_COUNT,
	QUEUE_KINDS = QUEUE_KIND_PIPE + QUEUE_PIPES_MAX,
	QUEUE_IDS = 1 << 20,            /* ids given to a peer at a time */
	INTAKE_GRANTS_MAX = 16,         /* ranges of ids that a peer may still be using */
	QUEUE_BOUNCE_HEADER_BYTES = 64 << 10,
	QUEUE_INTAKE_PENDING_MAX = 8 << 20,
	QUEUE_FRESH_BYTES = 8 << 20,    /* of messages just accepted, kept for their attempts */
	QUEUE_REPLY_BYTES = 32 << 20,   /* of the last replies of servers */
	QUEUE_LISTINGS_MAX = 1000,       /* requests of operators that are being answered */
};

/* Servers' addresses are of two families, IPv4 and IPv6. */
enum { ATTEMPT_FAMILIES = 2, ATTEMPT_AVOID_4 = 1, ATTEMPT_AVOID_6 = 2 };
/* An address has a share of all that it sends, and perhaps one of what goes to a provider. */
enum { ATTEMPT_SHARES = 2 };

struct place {
	struct share *share; /* NULL: nothing is counted */
	uint32_t reserved;
};

_Static_assert((int)QUEUE_KINDS <= (int)SCHED_KINDS, "each has turns of its own");

/* What is kept in a small file beside the spool's. */
enum kept {
	KEPT_BACKOFFS,
	KEPT_SOURCES,
	KEPT_SUPPRESSIONS,
	KEPT_SUSPENSIONS,
	KEPT_COUNT,
};

struct queue;
struct suspect;

/* A message that something is being done about: by an attempt, a bounce, an operator. */
struct message {
	struct queue *queue;
	uint64_t id, arrival_wall_ms, body_bytes;
	uint32_t slot;             /* in the scheduler; SCHED_NONE: removed */
	uint32_t users;            /* it lives as long as there are any */
	uint32_t active_count;     /* attempts */
	struct envelope *envelope; /* NULL: not read yet */
	struct bounce *bounce;     /* being made for it; or NULL */
	struct buf body;           /* the whole body, where it was just accepted; or empty */
	struct list fresh;         /* in queue->fresh: envelope and body are at hand */
	struct buf why;            /* the mark of the last recipient's end, for its removal */
};

/* One transaction under way with a delivery process or the mailbox process. */
struct attempt {
	uint64_t number;
	struct queue *queue;
	struct message *message;
	uint32_t destination;
	struct peer *peer;
	uint32_t *rcpts;     /* their indexes in the message; the first one's turn it was */
	uint32_t rcpt_count;
	bool *told;          /* which recipients have a result */
	bool *doubted;       /* and which may have the message in spite of it */
	bool answered, busy; /* the destination gave a reply; it said 421 or hung up */
	const struct rule *rule; /* the gravest that a reply fits and others wait for; or NULL */
	uint32_t rule_reply;     /* that reply, held */
	uint32_t reply;      /* the last one, held; for sched_attempt_over */
	const struct conf_source *sources[ATTEMPT_FAMILIES]; /* of sources.c; until it is ordered */
	struct place places[ATTEMPT_FAMILIES][ATTEMPT_SHARES]; /* in their shares */
	uint8_t avoid;       /* families that its pool has no address for now: ATTEMPT_AVOID_... */
	bool source_failed;  /* this host lacked one of them */
	bool obstructed;     /* none of its addresses may send now, for the reason and until: */
	uint32_t obstacle;   /* held */
	uint64_t obstacle_wall_ms; /* 0: there is no such address */
	bool trimmed;        /* some recipients are in line again */
	struct io_op read;   /* of the body, and of the envelope where it is not at hand */
	struct buf envelope;
	struct list wait;    /* in peer->reads: to read when the peer has taken more */
	struct store_op begin; /* the mark that it begins, where one is needed */
	bool reading;        /* or waiting for that mark */
	bool over;           /* ended while a read was under way */
	bool ordered;        /* the process knows of it */
	bool lost;           /* the process has ended */
	bool has_room;       /* another may go behind it, so it counts for no window */
	uint64_t offset;
	unsigned rewinds;    /* how often the body was asked for again */
	char *body;
	struct list node;    /* in peer->attempts */
};

/* A delivery process, the mailbox process, or one that runs a user's programs. */
struct peer {
	struct queue *queue;
	enum proc proc;
	unsigned instance;
	char user[CONF_USER_BYTES_MAX + 1]; /* pipe: whose programs; "": nobody's so far */
	struct ipc_channel *channel; /* NULL: not there */
	struct list attempts;
	unsigned attempt_count, attempt_max;
	struct list reads; /* attempts that wait to read their body */
	size_t reading;    /* bytes that are being read for it */
	struct io_op drain;
	bool draining;
	struct suspect *suspect;  /* that is being tried there; see poison.c */
	struct suspect *reserved; /* for which it is kept free */
};

/* A link to a process that runs programs, which says first whose these are. */
struct pipe_link {
	struct queue *queue;
	struct ipc_channel *channel; /* NULL: not there */
	struct peer *peer;           /* NULL: it has not said it yet */
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

/* What poison.c knows. */
struct poison {
	struct list suspects;    /* those that were lost least often first */
	struct map suspect_map;  /* by id */
	struct map begun_map;    /* messages with a mark for what is under way; by id */
	struct map aside_map;    /* why messages were set aside; by id */
	struct suspect *trying;  /* of those that the queue itself may die of */
	uint64_t losses;         /* processes that ended with attempts */
	bool alone;              /* the last of them had one message only */
	enum proc proc;          /* and which it was */
	bool careful;            /* this process takes the place of one that died */
	uint64_t first_id;       /* ids below it are of messages that were found */
	uint64_t start_wall_s;
};

struct queue {
	struct proc_env *env;
	const struct conf *conf;
	struct io_dir *dir;
	struct store *store;
	struct ledger_feed *ledger;
	struct sched *sched;
	struct map message_map; /* struct message by id: only what is under way */
	struct map attempt_map;
	struct map watch_map; /* by id: messages about which something is due */
	size_t watch_at;      /* where the sweep goes on */
	struct list fresh; /* messages just accepted, oldest first */
	size_t fresh_bytes;
	struct io_timer timer, retire;
	uint64_t look_ms; /* when timer fires */
	struct intake *intakes[QUEUE_PEERS_MAX];
	struct peer deliveries[QUEUE_PEERS_MAX];
	unsigned delivery_count; /* the last instance that was ever there, and all before it */
	struct peer mailbox;
	struct peer pipes[QUEUE_PIPES_MAX]; /* by user, in the order in which they came up */
	struct pipe_link pipe_links[QUEUE_PIPES_MAX]; /* by instance */
	struct ipc_channel *lookup, *admin;
	struct list bounces;  /* waiting for the spool or for lookup */
	struct list listings; /* answers to operators that wait for the spool */
	struct list summaries; /* that are being counted */
	struct list reroutes; /* that are being done */
	size_t listing_count;
	struct transcripts transcripts;
	struct suspensions suspensions;
	struct backoffs backoffs;
	struct sites sites;
	uint64_t backoffs_kept_ms; /* when their file was last written */
	bool backoffs_changed;     /* since then */
	bool backoffs_filed;       /* there is such a file */
	struct shares shares;
	struct share **source_shares; /* for each source of the configuration */
	struct suppressions suppressions;
	bool kept_failing[KEPT_COUNT]; /* it could not be written, and the log says so */
	bool suppressions_filed;    /* there is a file of them */
	uint64_t suppression_lines; /* of it */
	bool suppressions_whole;    /* it is to be written anew */
	uint32_t routes;      /* digest_routes of the configuration */
	uint64_t next_query, next_attempt;
	uint64_t id_grant;    /* ids given out in this epoch */
	uint64_t own_id_next, own_id_end;
	struct poison poison;
	enum ipc_commit pressure;
	bool stopping;
	struct store_op flush;
};

/* queue.c */
void queue_grant_ids(struct queue *queue, uint64_t *first, uint64_t *end);
uint64_t queue_own_id(struct queue *queue);
/* Tells every reception when the queue can (no longer) take mail. */
void queue_check_pressure(struct queue *queue, enum err err);
void queue_event_begin(struct event *event, struct queue *queue, const char *name,
    uint64_t id);

/* message.c: what the scheduler knows of a message, and what is kept while it is under way */
/* All its recipients are NEW. */
uint32_t message_add(struct queue *queue, uint64_t id, const struct envelope *envelope,
    uint64_t body_bytes);
/* What is under way with it; message_close ends one use. */
struct message *message_open(struct queue *queue, uint32_t slot);
void message_close(struct message *message);
/* Takes over the bytes of its envelope as they were read; ERR_CORRUPT: they are not its. */
MUST_USE enum err message_envelope(struct message *message, struct buf *bytes);
/* Keeps envelope (taken over) and body (taken over; may be empty) for a first attempt. */
void message_keep_fresh(struct queue *queue, uint32_t slot, struct envelope *envelope,
    struct buf *body);
void message_forget_fresh(struct message *message);
/* Removes the message from scheduler and spool: all its recipients have ended. */
void message_remove(struct message *message);
/* Nothing is held against its recipients any more. */
void message_acquit(struct queue *queue, uint32_t slot);
/* Applies marks that were read back at start-up, of any format; ERR_SYNTAX. */
/* For a deliberate bug: ends a recipient, as if it had been marked so. */
void message_forget(struct queue *queue, uint64_t id, uint32_t index);
MUST_USE enum err message_apply(struct queue *queue, uint32_t slot, struct span marks);

/* digest.c: what the scheduler knows of a message as bytes, for checkpoints */
/* A hash of the routes, from which destinations' keys are made. */
uint32_t digest_routes(const struct conf *conf);
/* Nothing: it must be read from its envelope and marks. */
void digest_write(struct queue *queue, uint32_t slot, struct buf *out);
/* ERR_SYNTAX: not understood, or written with other routes; nothing is changed then. */
MUST_USE enum err digest_read(
    struct queue *queue, uint64_t id, struct span digest, uint64_t body_bytes);

/* schedule.c: the scheduler, as it is configured */
void schedule_init(struct queue *queue);
/* A message is durable: its recipients may be delivered. */
void schedule_message(struct queue *queue, uint32_t slot);
/* Gives up what has waited too long for destinations that are down; a part of it at a time. */
void schedule_expire(struct queue *queue);
/* Moves those whose time has come, and sets the timer for the next. */
void schedule_arm(struct queue *queue);
/* Sets it earlier, where something has come up that is due before it. */
void schedule_arm_sooner(struct queue *queue);
/* As route_find, for a mailbox too, which has one by LMTP only. */
const struct conf_route *schedule_rcpt_route(const struct conf *conf,
    struct span reverse_path, const struct envelope_rcpt *rcpt);
/*
 * Which kind of process has what goes to a destination, and so takes turns: mailboxes may be
 * another program's, which delivery talks to, or which is run.  Of no program, it is one for that
 * kind.
 */
unsigned schedule_kind(const struct queue *queue, struct span key, enum ipc_target kind);
/* Whether who took it there keeps it, rather than sending it on. */
bool schedule_is_final(const struct sched_destination *destination);
/* Whether mail for two recipients of one destination may share an attempt. */
bool schedule_same_way(const struct conf *conf, struct span reverse_path,
    const struct envelope_rcpt *a, const struct envelope_rcpt *b);
struct span schedule_domain(struct span address);
/* Whether an operator sends what goes to that destination another way. */
bool schedule_is_rerouted(struct span key);
/* The way to an address of the destination: host "" is by MX. */
void schedule_way(const struct conf *conf, struct span key, struct span reverse_path,
    const struct envelope_rcpt *rcpt, struct conf_route *way);
/* The key of the destination that a recipient goes to. */
void schedule_key(const struct queue *queue, struct buf *key, struct span reverse_path,
    enum ipc_target kind, struct span address);
/* Limits by a destination's key. */
const struct conf_limits *schedule_limits(const struct queue *queue, struct span key);
/* What a destination may have just now, with what its words asked for. */
void schedule_sched_limits(
    const struct queue *queue, unsigned kind, struct span key, struct sched_limits *into);
/* The site of a destination, filled in; NULL: none is known. */
const struct sched_site *schedule_site(const struct queue *queue,
    const struct sched_destination *known, struct sched_site *into);
/* And what all of a site may have together. */
void schedule_site_limits(
    const struct queue *queue, struct span name, struct sched_site_limits *into);
const struct conf_limits *schedule_destination_limits(
    const struct queue *queue, uint32_t destination);

/* dispatch.c */
/* Starts attempts while destinations, peers and limits allow. */
void dispatch(struct queue *queue);
void dispatch_peer_init(struct queue *queue, struct peer *peer, enum proc proc);
void dispatch_peer_link(struct queue *queue, struct peer *peer, struct io_stream *stream);
/* The process for destinations of that kind, where only one can be; NULL: any of delivery. */
struct peer *dispatch_only_peer(struct queue *queue, unsigned kind);
/* What a peer says, by whatever link; ERR_SYNTAX: it must not. */
MUST_USE enum err dispatch_more(struct peer *peer, uint64_t number, uint64_t offset);
struct ipc_dq_result;
MUST_USE enum err dispatch_one_result(struct peer *peer, const struct ipc_dq_result *result);
/* Its channel is over, and is destroyed. */
void dispatch_peer_gone(struct peer *peer, enum err err);

/* pipes.c: the processes that run programs, one for each user that the configuration names */
void pipes_init(struct queue *queue);
/* Makes room for users that the configuration names for the first time. */
void pipes_reload(struct queue *queue);
void pipes_link(struct queue *queue, unsigned instance, struct io_stream *stream);
/* NULL: nobody of that name runs programs. */
const struct peer *pipes_find(const struct queue *queue, struct span user);

/* dispatch_order.c: what whoever makes an attempt is sent */
const struct envelope_rcpt *dispatch_rcpt(const struct attempt *attempt, uint32_t at);
/* By an operator, whatever the configuration says. */
bool dispatch_is_rerouted(const struct attempt *attempt);
void dispatch_send_order(struct attempt *attempt);
/* error: the rest cannot be read. */
void dispatch_send_body(
    struct attempt *attempt, uint64_t offset, struct span bytes, bool error);

/* dispatch_attempt.c: one attempt, from its order to its last result */
void dispatch_start(struct queue *queue, uint32_t rcpt, struct peer *peer);
void dispatch_read(struct attempt *attempt);
/* Reads for those who wait, as long as the peer keeps up with what it is sent. */
void dispatch_start_reads(struct peer *peer);
/* The process is gone: what it had is tried again, the second time only after a wait. */
void dispatch_lose(struct attempt *attempt);
struct outcome;
void dispatch_result(
    struct attempt *attempt, uint32_t at, const struct outcome *outcome);
void dispatch_done(struct attempt *attempt, bool destination_down);
/* A recipient of the attempt is in line again, as if it had not been tried. */
void dispatch_again(struct attempt *attempt, uint32_t at);
/* So many recipients stay in the attempt, which is not ordered yet. */
void dispatch_trim(struct attempt *attempt, uint32_t count);

/* outcome.c */
struct outcome {
	enum ipc_outcome kind;
	unsigned code;
	struct span status, remote, text;
	unsigned passed; /* DELIVERED: bits of enum ipc_passed */
	struct span tls; /* what it went over, for people; "": in the clear */
	const struct rule *rule; /* that another server's reply fits; NULL: none, or not known */
	bool in_doubt;   /* it may have it all the same */
	bool discarded;  /* DELIVERED: a rule threw it away */
	struct span source; /* the address it left from, where the configuration names any */
};
/* What became of the recipient, which is ACTIVE. */
void outcome_apply(struct message *message, uint32_t index, const struct outcome *outcome);
/*
 * The recipient, which is ACTIVE, was not tried, for the reason that outcome (DEFERRED) says, and
 * is at that time.
 */
void outcome_put_off(struct message *message, uint32_t index, const struct outcome *outcome,
    uint64_t next_wall_ms);
/* A recipient that was deferred in this attempt may have got the message all the same. */
void outcome_doubt(struct message *message, uint32_t index);
/* Says what was decided before the envelope was at hand. */
void outcome_say_expired(struct message *message);
/* An attempt is over: bounces what failed, forgets what ended.  The caller uses it. */
void outcome_settle(struct message *message);
/* The recipient has its end; mark says which (kind, index and time are filled in). */
void outcome_end(struct message *message, uint32_t index, struct mark *mark);
void outcome_mark(struct queue *queue, uint64_t id, const struct mark *mark);

/* bounce.c */
/* Makes one bounce for all recipients of the message that are BOUNCING. */
void bounce_start(struct message *message);
/*
 * Tells its sender that it takes longer: of what, bits of enum watch_due.  No bounce is being made
 * for it already.
 */
void bounce_tell(struct message *message, unsigned what);
/* Tries again those that could not be made. */
void bounce_retry(struct queue *queue);
void bounce_lookup_link(struct queue *queue, struct io_stream *stream);

/* watch.c: what is due about a message at a time */
enum watch_due {
	WATCH_DELAY = 1, /* it takes long, and its sender wants to know */
	WATCH_BY = 2,    /* it was to be there by now */
};
struct watch_times {
	uint64_t delay_wall_ms, by_wall_ms; /* 0: nothing is due */
	bool by_returns; /* past by_wall_ms it is given up */
};
void watch_init(struct queue *queue, const uint64_t seed[2]);
void watch_fini(struct queue *queue);
/* Whether its sender is told once that it takes long. */
bool watch_tells_delay(const struct queue *queue, const struct envelope_rcpt *rcpt);
void watch_add(struct queue *queue, uint64_t id, const struct envelope *envelope);
void watch_set(struct queue *queue, uint64_t id, const struct watch_times *times);
void watch_get(const struct queue *queue, uint64_t id, struct watch_times *times);
/* Its sender was told: bits of enum watch_due. */
void watch_told(struct queue *queue, uint64_t id, unsigned what);
void watch_forget(struct queue *queue, uint64_t id);
/* Once a second: does what is due. */
void watch_sweep(struct queue *queue);

/* intake.c */
void intake_link(struct queue *queue, unsigned instance, struct io_stream *stream);

/* Tells one reception (or all: NULL) whether the queue takes mail. */
void intake_say_pressure(struct queue *queue, struct intake *only);

/* control.c, and listing.c for its answers */
void control_link(struct queue *queue, struct io_stream *stream);
void control_send_done(struct queue *queue, struct ipc_qa_done *done);
/* Answers with messages from this one on, whose envelopes are read meanwhile. */
void listing_start(
    struct queue *queue, const struct ipc_aq_list *asked, uint32_t slot);
void listing_stop(struct queue *queue);
/* summary.c: the destinations, those with the most recipients first */
void summary_start(struct queue *queue, const struct ipc_aq_summary *asked);
/* The message is about to be removed. */
void summary_forget(struct queue *queue, uint32_t slot);
void summary_stop(struct queue *queue);
/* What keeps a destination's mail just now; site NULL: it has none that is known. */
struct summary_standing {
	enum ipc_destination state;
	enum ipc_why why;
	uint64_t at_ms; /* when that changes; 0: at no time that is known */
};
struct summary_standing summary_standing(const struct sched_destination *known,
    const struct sched_site *site, uint64_t now_ms);
/* standing.c: which limit binds a destination, and what is foretold */
void standing_tell(struct queue *queue, const struct ipc_aq_why *asked);
/* When all have left, where it goes on as in the last left_ms; 0: nobody knows. */
uint64_t standing_empty_wall_ms(
    size_t rcpt_count, uint64_t left, uint64_t left_ms, uint64_t from_wall_ms);
void standing_tell_backoff(const struct queue *queue, struct span key,
    const struct sched_site *site, struct ipc_qa_standing *answer, struct buf *rule);
void standing_tell_site(const struct sched_site *site, struct ipc_qa_standing *answer);
/* standing_site.c: the same of providers, by a site's name or a pattern; gives how many it told */
size_t standing_tell_sites(struct queue *queue, uint64_t query, struct span wanted);

/* names.c: what operators call destinations, see route/name.h */
/* The selector that the words mean, added to it; false, answered: they mean none. */
bool names_take(
    struct queue *queue, uint64_t query, struct span words, struct buf *selector);
/* Likewise; and false, answered, where neither mail nor the configuration has such. */
bool names_take_known(
    struct queue *queue, uint64_t query, struct span words, struct buf *selector);
/* Whether it means the destination. */
bool names_fit(const struct queue *queue, struct span selector,
    const struct sched_destination *known);
/* Adds the key of the first destination that it means and the configuration has; false: none. */
bool names_configured(const struct queue *queue, struct span selector, struct buf *key);
/* How many destinations with mail it means. */
size_t names_waiting(const struct queue *queue, struct span selector);
/* Ends an answer of "resume", where nothing that is suspended is called so. */
void names_send_not_suspended(
    struct queue *queue, struct ipc_qa_done *done, struct span words);
/* Ends an answer in which nothing was found, with the nearest name of what there is. */
void names_send_none(struct queue *queue, struct ipc_qa_done *done, struct span selector);

/* reroute.c: mail that an operator sends another way, or back to the usual one */
void reroute_start(struct queue *queue, const struct ipc_aq_reroute *asked);
/* The message is about to be removed. */
void reroute_forget(struct queue *queue, uint32_t slot);
/* Nobody listens any more: no more mail is sent another way. */
void reroute_stop(struct queue *queue);

/* suspend.c: destinations that an operator suspends and resumes */
void suspend_load(struct queue *queue);
void suspend_limits(const struct queue *queue, struct span key, struct sched_limits *limits);
/* Once a second: those whose time is over. */
void suspend_expire(struct queue *queue);
void suspend_act(struct queue *queue, const struct ipc_aq_suspend *asked);
/* Which providers are suspended, to a delivery that is new. */
void suspend_tell(const struct queue *queue, struct ipc_channel *delivery);
/*
 * The servers of the attempt's destination are a provider's that is suspended, and were not asked:
 * now it is known to be so, and the recipient waits as all others for it.
 */
void suspend_found(struct attempt *attempt, uint32_t index, const struct outcome *outcome);
void suspend_list(struct queue *queue, const struct ipc_aq_suspended *asked);

/* kept.c: the small files beside the spool's; each call waits for the disk */
MUST_USE enum err kept_read(const struct queue *queue, enum kept which, struct buf *out);
/* So it was read: OK, ERR_NOT_FOUND, or how it is damaged, which is said. */
void kept_loaded(const struct queue *queue, enum kept which, enum err err);
/* Durably; an error is said once, until it works.  The latter: at the end of one that is there. */
MUST_USE enum err kept_replace(struct queue *queue, enum kept which, struct span bytes);
MUST_USE enum err kept_append(struct queue *queue, enum kept which, struct span bytes);

/* suppress.c: addresses that do not exist */
void suppress_load(struct queue *queue);
/* Once a second: writes what is new, forgets what is over. */
void suppress_sweep(struct queue *queue);
/* A recipient failed for good: it is suppressed, where it does not exist. */
void suppress_learn(struct message *message, const struct envelope_rcpt *address,
    const struct outcome *outcome);
/* Fails those of the attempt that are suppressed; true: none is left. */
bool suppress_attempt(struct attempt *attempt);
/* All that is suppressed, to a reception that is new. */
void suppress_tell(const struct queue *queue, struct ipc_channel *reception);
/* Whether it would be returned without an attempt, and why. */
void suppress_answer(struct queue *queue, struct ipc_channel *reception,
    const struct ipc_rq_is_suppressed *asked);
void suppress_act(struct queue *queue, const struct ipc_aq_suppress *asked);
void suppress_list(struct queue *queue, const struct ipc_aq_suppressed *asked);

/* sources.c: which address mail leaves from, and what new ones may send a day */
void sources_load(struct queue *queue);
void sources_reload(struct queue *queue);
/* Once a second: another day; writes what is new. */
void sources_sweep(struct queue *queue);
/* The queue ends: writes what is new. */
void sources_stop(struct queue *queue);
/* Chooses for an attempt, whose envelope is at hand; true: none may, and its recipients wait. */
bool sources_attempt(struct attempt *attempt);
/* There was none for the servers' addresses, or this host lacked it (sources_failed). */
void sources_unsent(struct attempt *attempt, uint32_t index);
void sources_failed(struct attempt *attempt, struct span address, struct span text);
/* A server was asked about a recipient. */
void sources_used(struct attempt *attempt, const struct outcome *outcome);
void sources_over(struct attempt *attempt);
void sources_tell(struct queue *queue, const struct ipc_aq_sources *asked);
/* Of the attempt's addresses, by index: 4, 6. */
extern const uint8_t sources_families[ATTEMPT_FAMILIES];
/* What is asked of the configuration for an attempt, but for the chance. */
struct route_source_asked sources_asked(const struct attempt *attempt, uint8_t family);
/* The provider that serves the attempt's destination, as far as that is known; "". */
struct span sources_provider(const struct attempt *attempt);
/* The shares of a source: of all that it sends, and of what goes to that provider.  NULL: none. */
void sources_shares(const struct queue *queue, const struct conf_source *source,
    struct span provider, struct share *shares[ATTEMPT_SHARES]);
/* The statement that a share comes from; NULL: none. */
const struct conf_warmup *sources_warmup(const struct conf *conf, const struct share *share);
/* It is now, and that day. */
struct share_time sources_time(struct queue *queue);

/* sources_wait.c */
/* Nothing may send it now: the recipient of the attempt waits until something may. */
void sources_put_off(struct attempt *attempt, uint32_t index);
/* Whether that is what a recipient was put off with. */
bool sources_is_put_off(const struct sched_reply *reply);
/* What waits for a share is ready: it may be that another configuration has more. */
void sources_wake(struct queue *queue);

/* polite.c: heeds what servers' words ask for, by the provider rules */
/* The rule that a reply fits; NULL where none does, or rules are not to be heeded. */
const struct rule *polite_rule(const struct queue *queue, const struct outcome *outcome);
/* Whether the reply is only about this recipient and now, whatever its code. */
bool polite_is_recipients(const struct rule *rule);
/* A result of the attempt: learns who serves its destination, keeps the gravest rule. */
void polite_note(struct attempt *attempt, const struct outcome *outcome);
/* Only the first of that: remote is a server of the destination. */
void polite_learn_site(struct attempt *attempt, struct span remote);
/* The attempt is over: where its rule says so, its destination or its whole site is spared. */
void polite_strike(struct attempt *attempt);
/* The wait of a recipient that was deferred: wait_ms, or what the rule makes of it. */
uint64_t polite_wait_ms(const struct outcome *outcome, uint32_t tries, uint64_t wait_ms);
void polite_limits(const struct queue *queue, struct span key, struct sched_limits *limits);
void polite_site_limits(
    const struct queue *queue, struct span name, struct sched_site_limits *limits);
/* The one that holds for a destination, of its own or of its site (NULL: none is known); NULL. */
const struct backoff *polite_backoff(
    const struct queue *queue, struct span key, const struct sched_site *site);
/* Once a second: those whose time is over. */
void polite_expire(struct queue *queue);
/* polite_keep.c: from the file, before anything is scheduled; and into it, in time or now */
void polite_load(struct queue *queue);
void polite_keep(struct queue *queue, bool now);
/* An operator wants the destination tried now. */
void polite_forget(struct queue *queue, uint32_t destination);

/* poison.c: messages that end the process that handles them, or that cannot be read */
void poison_init(struct queue *queue, const uint64_t seed[2]);
void poison_fini(struct queue *queue);
/* All that was found is there, and nothing has been tried yet. */
void poison_start(struct queue *queue);
/* A process of that link has ended, and its attempts are about to be lost. */
void poison_peer_ended(struct peer *peer);
/*
 * An attempt of the message was lost with its process.  True: it is parked, to be tried by
 * itself; false: it is to wait as after any other failure.
 */
bool poison_lost(struct message *message);
/* Sets aside what has been lost too often, and tries suspects that may be tried now. */
void poison_dispatch(struct queue *queue, unsigned kind);
/* Whether a mark has to be durable before this attempt or bounce of the recipient. */
bool poison_is_careful(const struct message *message, uint32_t index);
/* Writes that mark; op is told when the attempt may begin. */
void poison_begin(struct message *message, uint32_t index, struct store_op *op);
/* An attempt has ended with its results, or a bounce has. */
void poison_ended(struct message *message);
/* A mark that was read back: so many attempts of the recipient began and did not end. */
void poison_found(struct queue *queue, uint32_t slot);
/* The message cannot be read: it is set aside. */
/* An error of a read that says nothing of the message: another try may go well. */
bool poison_may_pass(enum err err);
void poison_unreadable(struct message *message, enum err err);
/* Nothing is known of it any more: it is removed, or an operator releases it. */
void poison_forget(struct queue *queue, uint64_t id);
/* Why it was set aside; empty where it was not.  And keeps that, as it was read back. */
struct span poison_text(const struct queue *queue, uint64_t id);
void poison_keep_text(struct queue *queue, uint64_t id, struct span text);
