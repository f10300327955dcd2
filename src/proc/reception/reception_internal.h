/*
 * What the files of reception share.
 *
 * A session is one SMTP dialogue on one connection.  It has at most one transaction,
 * and at most one question under way (to lookup, keyring or queue).
 */
#pragma once

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "ipc/targets.h"
#include "mime/header_cut.h"
#include "mime/submission.h"
#include "proc/reception/limit.h"
#include "proc/reception/reception.h"
#include "smtp/smtp_server.h"
#include "tls/tls.h"

enum {
	RECEPTION_INLINE_BYTES = 120 << 10, /* a body up to this goes to the queue at once */
	RECEPTION_INLINE_STRESS_BYTES = 16 << 10, /* the same where memory may be short */
	RECEPTION_CHUNK_BYTES = 64 << 10,
	RECEPTION_QUEUE_PENDING_MAX = 2 << 20, /* kept for the queue before clients must wait */
	RECEPTION_NULL_MX_MS = 5000, /* a client waits for DNS at MAIL */
	RECEPTION_IDS_LOW = 10000, /* queue ids left when more are asked for */
};

struct reception;

struct reception_listener {
	struct reception *reception;
	struct io_listener *io;
	struct io_op accept;
	struct io_timer pause; /* out of descriptors */
	enum conf_listener_kind kind;
};

/* A recipient that was accepted, with where it goes. */
struct reception_rcpt {
	struct reception_rcpt *next;
	struct ipc_target_entry target;
	struct span original;
	unsigned notify;
	struct span orcpt;
	size_t number; /* of its RCPT, from 0 */
};

/* From MAIL to the reply for the message. */
struct transaction {
	bool active;
	uint64_t number; /* for the queue */
	uint64_t id;     /* the message's */
	struct arena arena;
	struct span reverse_path;
	struct span extras;       /* what MAIL asked for, as ipc_extras_write makes it */
	struct span rcpt_pending; /* the address that lookup is asked for */
	unsigned notify_pending;  /* what RCPT asked for */
	struct span orcpt_pending;
	struct reception_rcpt *rcpts, **rcpts_end;
	size_t rcpt_count;   /* addresses accepted */
	struct span first_rcpt;
	struct buf body;     /* what has not gone to the queue */
	uint64_t body_bytes; /* in all */
	bool has_8bit;       /* an octet of the body so far is not ASCII */
	bool begun;          /* the queue knows of it */
	uint8_t flags;
	struct submission *submission; /* its header, where a user sends it; NULL: another server */
	bool sender_checked;           /* the login may send as reverse_path */
	bool may_choose;               /* the client may name a pool of addresses: */
	struct header_cut pool;        /* in a field of the header, which goes */
};

enum session_wait {
	WAIT_NOTHING,
	WAIT_LOOKUP,
	WAIT_SENDERS,
	WAIT_NULL_MX,
	WAIT_KEYRING,
	WAIT_QUEUE,
	WAIT_SUPPRESSION, /* what the queue knows of a recipient */
};

/* What a session waits for before it says or hears more. */
enum session_delay { DELAY_NONE, DELAY_HEADER, DELAY_GREETING, DELAY_ERROR };

struct session {
	struct list node; /* in reception->sessions */
	struct list paused; /* in reception->paused */
	struct reception *reception;
	uint64_t number;
	struct io_stream *stream;
	struct io_op read, drain;
	bool reading, draining;
	bool closed;  /* is over; freed in a later turn */
	bool pumping; /* session_pump is on the stack */
	struct net_addr peer;
	struct limit_client client; /* where it is counted */
	enum limit refused_by;      /* what session_may() refused for */
	struct io_timer wait_timer; /* of the delay: how long it may last, or lasts */
	enum session_delay delay;
	uint64_t handshake_ms; /* since when */
	uint64_t errors;       /* that replies were delayed for */
	size_t memory;         /* of reception->memory */
	bool stressed;         /* it has the limits of stress */
	enum conf_listener_kind kind;
	bool may_relay; /* the client's network is configured */
	bool header_awaited; /* a proxy's, in front of all else; what came of it is held */
	bool client_told;    /* peer is who a proxy said it speaks for */
	struct smtp_server *smtp;
	struct tls *tls;
	bool handshaking;
	struct buf held; /* bytes that the session had no room for */
	enum session_wait wait;
	bool expands; /* the question to lookup is EXPN's, not VRFY's */
	uint64_t query;
	uint64_t asked_ms; /* when, where there is an end to waiting for the answer */
	uint64_t exchange; /* of AUTH, that the keyring knows; 0: none */
	enum sasl_mechanism mechanism;
	uint64_t messages;
	bool commit_waits; /* in reception->paused, with a whole message */
	struct transaction transaction;
};

struct reception {
	struct proc_env *env;
	const struct conf *conf;
	struct tls_context *tls; /* NULL: there is no TLS */
	struct tls_context *tls_loaded; /* takes its place with the next link for signatures */
	bool tls_is_loaded;
	struct tls_tickets *tickets;
	struct reception_listener listeners[CONF_SOCKETS_MAX];
	size_t listener_count;
	struct list sessions;
	struct list closed; /* sessions that are over */
	size_t session_count;
	struct list paused; /* sessions that wait for the queue to take bytes */
	struct io_op drain;
	bool draining;
	struct io_timer tick; /* while there is a session */
	bool ticking;
	struct limit_table limits;
	struct limit_stress stress;
	size_t memory; /* that sessions hold */
	struct map suppressed; /* ipc_suppressed_hash of what the queue does not try */
	uint64_t limit_counts[LIMIT_COUNT], limit_said[LIMIT_COUNT];
	uint64_t limits_said_ms;
	struct rate refusals_told;
	bool no_descriptors; /* said so */
	struct map queries; /* number of a question: session */
	uint64_t next_number, next_session, session_step;
	struct ipc_channel *queue, *lookup, *keyring, *resolver;
	struct io_stream *signer;
	bool offered;        /* the keyring has told its mechanisms */
	unsigned mechanisms; /* of AUTH */
	uint64_t id_next, id_end; /* ids that the queue gave */
	bool ids_asked;
	enum ipc_commit pressure; /* why the queue takes nothing just now; OK: it does */
	bool stopping;
};

/* reception.c */
/* Takes connections as soon as all roles that it asks are there; until then clients wait. */
void reception_check_open(struct reception *reception);
/* Sessions in reception->paused go on when the queue has taken what was sent to it. */
void reception_wait_for_queue(struct reception *reception);
/* The number of sessions or their memory changed: says where stress begins or ends. */
void reception_look_at_stress(struct reception *reception);
/* A limit was met: counts it; totals are told now and then. */
void reception_met(struct reception *reception, enum limit limit);
/* Ends the role when it is stopping and nothing is left to do. */
void reception_check_stopped(struct reception *reception);
/* The next queue id; 0 where the queue gave none. */
uint64_t reception_next_id(struct reception *reception);

/* session.c */
void session_open(struct reception *reception, struct reception_listener *listener,
    const struct io_op *accepted);
/* Takes events until there are none, then sends what is to be said. */
void session_pump(struct session *session);
/* Answers what the session waits for, and goes on. */
void session_reply(struct session *session, const struct reply *reply);
void session_reply_id(struct session *session, enum reply_id id);
void session_close(struct session *session);
/* Reads more where the session may. */
void session_read(struct session *session);
/* Time passed. */
void session_tick(struct session *session, uint64_t now_ms);
/* Frees a session that is over. */
void session_free(struct session *session);
void session_event_begin(struct session *session, struct event *event, const char *name);

/* The client is another one than it was: nothing was said so far. */
void session_begin_anew(struct session *session);

/* session_proxy.c: who the client is */
bool session_is_of(
    const struct net_prefix *networks, size_t count, const struct net_addr *peer);
/* Clients that LMTP is for: those of networks that may relay, and this host. */
bool session_may_lmtp(const struct conf *conf, const struct net_addr *peer);
/* False where LMTP is not for the client: it was told to go. */
bool session_admit_lmtp(struct session *session);
/* XCLIENT was said; false where the client may have no session. */
bool session_speak_for(struct session *session, const struct net_addr *client);
void session_await_header(struct session *session);
/* Bytes of a header, taken off *bytes; true where it is whole and the session goes on. */
bool session_take_header(struct session *session, struct span *bytes);
void session_header_is_late(struct session *session);

/* session_limit.c */
/* Answers a client that gets no session. */
void session_refuse_client(struct reception *reception, struct io_stream *stream,
    const struct net_addr *peer, enum conf_listener_kind kind, enum reply_id id);
void session_say_turned_away(struct reception *reception, const struct net_addr *peer,
    enum reply_id id, enum limit limit);
/*
 * Whether a client at that address may have a session; LIMIT_COUNT where it may, and it is
 * counted then.  Once more where the address changes: what was counted before is forgotten.
 */
enum limit session_judge_peer(struct reception *reception, struct limit_client *client,
    const struct net_addr *peer, bool exempt);
/* The same for a session whose address is another one than it was; false: it was told to go. */
bool session_judge_again(struct session *session);
/* One more of what has a rate: the refusal, or REPLY_COUNT where it may be. */
enum reply_id session_may(struct session *session, enum limit_rate rate);
/* Adds the limit that a refusal is about to the log's line, and counts it. */
void session_note_limit(struct session *session, struct event *event, enum reply_id id);
/* The greeting waits, where it is to. */
void session_delay_greeting(struct session *session);
void session_start_delay(
    struct session *session, enum session_delay delay, uint64_t wait_ms);
/* Bytes came before the greeting: ends the session. */
void session_talked_early(struct session *session, struct span said);
/* Counts new errors, and delays their replies where there are many. */
void session_pace(struct session *session);
void session_end_delay(struct session *session);
/* session->wait_timer fired. */
void session_delay_over(struct io_timer *timer);
/* The memory that it holds now. */
void session_charge(struct session *session);
/* The limits tighten, or are as configured again. */
void session_apply_stress(struct session *session);
bool session_handshake_is_late(const struct session *session, uint64_t now_ms);

/* asks.c: what clients may ask for; trusted: those who may relay */
/* Bits of enum smtp_extension. */
unsigned asks_offered(const struct conf *conf, bool trusted);
/* Of the message, for the queue. */
uint8_t asks_flags(const struct smtp_mail_parameters *mail);
/* As ipc_extras_write makes it. */
void asks_write(struct buf *out, const struct smtp_mail_parameters *mail, const struct conf *conf,
    bool trusted, uint64_t wall_ms);

/* transaction.c: what the events of a session do to its transaction */
void transaction_mail(struct session *session, const struct smtp_server_event *event);
/* What DNS says of the sender's domain, if anything: answers MAIL. */
void transaction_sender_known(struct session *session, bool null_mx);
void transaction_data(struct session *session);
void transaction_body(struct session *session, struct span bytes);
void transaction_body_end(struct session *session);
/* Gives the queue a message that is whole. */
void transaction_commit(struct session *session);
/* The session was in reception->paused, and may go on. */
void session_resume(struct session *session);
void transaction_committed(struct session *session, enum ipc_commit outcome);
/* The queue is gone and has not answered: it may or may not hold the message. */
void transaction_lost(struct session *session);
void transaction_abort(struct session *session);

/* The message is as it should be: what is left of it goes to the queue. */
void transaction_ready(struct session *session);
/* Drops the message, or the transaction that was to begin, and says why. */
void transaction_refuse(struct session *session, const struct reply *reply);
/*
 * Whether it may send to the whole world: authenticated clients, and configured networks.  LMTP
 * is for our own recipients.
 */
bool transaction_may_relay(const struct session *session);
/* In the log: what was refused, by us, and to whom ("": to nobody yet). */
void transaction_say_refused(struct session *session, enum reply_id id, struct span to);

/* transaction_rcpt.c: its recipients */
/* Domains of ours that are compared with here; where there are more, lookup does it. */
enum { TRANSACTION_DOMAINS_MAX = 1000 };
void transaction_rcpt(struct session *session, const struct smtp_server_event *event);
void transaction_rcpt_resolved(struct session *session, const struct ipc_lx_resolved *resolved);
/* Why the queue would return mail for the recipient; empty: it would not. */
void transaction_rcpt_suppressed(struct session *session, struct span text);

/* pool.c: the pool that a message of a client that may relay names */
void pool_begin(struct transaction *transaction);
/* Whether the header, which may name one, goes on. */
bool pool_is_open(const struct transaction *transaction);
/* What is known of it is for the queue. */
void pool_add(struct transaction *transaction);
/* The message is whole; true: it names none that is there, and was refused. */
bool pool_refused(struct session *session);

/* submit.c: what is asked of a client that has logged in */
bool submit_applies(const struct session *session);
/* Holds the reverse-path against the login, and answers MAIL. */
void submit_mail(struct session *session);
/* A body begins. */
void submit_begin(struct session *session);
/*
 * Adds what is to be kept of the header to kept, and what is owed at its end; gives what is left
 * of the bytes, which are the text.
 */
struct span submit_header(struct session *session, struct span bytes, struct buf *kept);
/* The message is whole, and was taken by submit_header: holds its authors against the login. */
void submit_end(struct session *session);
/* What lookup said; address "" where it may send as all. */
void submit_answered(struct session *session, const struct ipc_lx_senders *senders);
/* Lookup is gone. */
void submit_lost(struct session *session);

/* query.c: VRFY, EXPN, ETRN */
void query_address(struct session *session, struct span query, bool expand);
void query_resolved(struct session *session, const struct ipc_lx_resolved *resolved);
void query_retry(struct session *session, struct span domain);

/* ask.c: questions to other roles, and their answers */
void ask_lookup(struct session *session, struct span address);
/* Whether the queue would return mail for the address: transaction_rcpt_suppressed. */
void ask_suppression(struct session *session, struct span sender, struct span address);
/* Whether it may: else the queue need not be asked. */
bool ask_may_be_suppressed(
    const struct reception *reception, struct span sender, struct span address);
/* One step of AUTH. */
void ask_keyring(struct session *session, const struct smtp_server_step *step);
/* An exchange that will not be gone on with. */
void ask_forget_exchange(struct session *session);
/* May the login send as each of these?  Each has a line feed behind it. */
void ask_senders(struct session *session, struct span addresses);
/* Does the domain say that it takes no mail? */
void ask_null_mx(struct session *session, struct span domain);
/* Time passed: who waits for DNS too long is let go on. */
void ask_tick(struct session *session, uint64_t now_ms);
/* The session waits for the queue's answer about its transaction. */
void ask_queue(struct session *session, uint64_t transaction);
void ask_forget(struct session *session);
void ask_link(struct reception *reception, enum proc peer, enum proc_link_kind kind,
    struct io_stream *stream);

/* reception_tls.c: certificates, whose keys the keyring has, and tickets */
/*
 * A context for a configuration, in use from the next link for signatures on: that is to a keyring
 * with the same configuration.  False: it can't be made, which the log says.
 */
bool reception_tls_load(struct reception *reception, const struct conf *conf);
void reception_tls_link(struct reception *reception, struct io_stream *stream);
/* A ticket_keys message of the keyring. */
enum err reception_tls_tickets(struct reception *reception, struct span payload);
