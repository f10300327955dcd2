/*
 * What the files of delivery share.  An attempt is one transaction with one destination: its
 * hosts are looked up, one after another is tried until one takes the mail or refuses it.
 *
 *   GATHERING ─► LOOKING_UP ─► CONNECTING ─► TALKING ─► (told to the queue)
 *                    ▲   └─ POLICY ┘  │  ▲     │
 *                    └─ ASKING          └──┴─────┘ the next address
 *
 * A talk is a connection and the session on it.  It is an attempt's for one transaction, and
 * then waits in the pool for the next attempt that goes the same way:
 *
 *   (new) ─► an attempt's ─► kept ─► an attempt's ─► ... ─► closed
 */
#pragma once

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "ipc/extras.h"
#include "ipc/targets.h"
#include "ipc/transcript.h"
#include "mime/convert.h"
#include "proc/delivery/delivery.h"
#include "proc/delivery/health.h"
#include "proc/delivery/pool.h"
#include "smtp/smtp_client.h"
#include "tls/tls.h"

enum {
	DELIVERY_ADDRS_MAX = 32,        /* addresses that one attempt tries */
	DELIVERY_OUTPUT_MAX = 256 << 10, /* kept for a slow server before the body waits */
	DELIVERY_BODY_KEPT_MAX = 256 << 10,
	ATTEMPT_STATUS_BYTES = 24,
	TALK_KEY_BYTES_MAX = 38 + 4 * IPC_DOMAIN_MAX,
	ATTEMPT_TLSA_COUNT_MAX = 64, /* records of one host */
};

struct delivery;

enum attempt_state {
	ATTEMPT_GATHERING,  /* the order is not complete */
	ATTEMPT_ASKING,     /* the keyring, for a credential */
	ATTEMPT_LOOKING_UP,
	ATTEMPT_POLICY,     /* asking the fetcher what the domain demands */
	ATTEMPT_CONNECTING,
	ATTEMPT_TALKING,
	ATTEMPT_OVER,       /* told; freed in a later turn */
};

struct attempt_rcpt {
	struct span address;
	unsigned notify;
	struct span orcpt;
	bool told;
};

struct attempt_addr {
	struct span host;
	uint16_t preference; /* of the host, where it is an MX */
	struct net_addr addr; /* of no family: host is the path of a Unix socket */
	enum conf_tls tls; /* what is done there */
	struct span base, tlsa; /* DANE: as struct ipc_host_entry has them */
	bool by_tlsa, by_policy; /* who demands it, beside configuration and message */
	bool tested;     /* a policy would demand it, which is only being tried out */
	bool not_listed; /* tested: the policy does not name the host */
};

/* Why the last try of a host failed; told to the queue if no other takes the mail. */
struct attempt_failure {
	enum ipc_outcome outcome;
	unsigned code;
	char status[ATTEMPT_STATUS_BYTES];
	struct buf text, remote;
	bool host_level; /* the whole host, not this mail: the next one is tried */
	bool down;       /* nobody answered */
};

/* See attempt_convert.c. */
struct attempt_conversion {
	struct survey *survey; /* of the message, read as a whole before it is sent; or NULL */
	bool is_reading;       /* for that; body keeps the pieces before those that pass by */
	bool is_stale;         /* a piece that was asked for is not wanted any more */
	bool waits;            /* the talk waits for it */
	struct convert *convert; /* what goes out goes through this; NULL: nothing does */
	enum survey_target target;
	const char *why; /* it cannot be converted; or NULL */
	bool is_put_off; /* until all hosts were tried */
	bool after_all;  /* they were */
	size_t put_off;  /* the address that is to have it then */
};

struct attempt {
	struct list node; /* in delivery->attempts, or ->over */
	struct delivery *delivery;
	uint64_t number, id;
	enum attempt_state state;
	struct arena arena;
	struct span ascii; /* the domain, as DNS knows it */
	struct span domain, host, credential, reverse_path, login, password;
	uint16_t port;
	bool lmtp;
	enum conf_tls tls_mode; /* as the configuration, or the message, wants it */
	enum ipc_policy policy; /* MTA-STS */
	struct span policy_hosts; /* each by wire_bytes */
	struct span hosts;        /* POLICY: what the resolver found */
	bool hosts_secure;
	uint64_t body_bytes;
	uint8_t flags;
	struct ipc_extras extras;
	uint32_t messages_max; /* its connection may carry so many; 0: any number */
	uint64_t site; /* of all that the same servers take mail for; 0: not known */
	uint32_t connections_max; /* to the site */
	uint8_t passed; /* what the server that took it takes over: enum ipc_passed */
	struct attempt_rcpt *rcpts;
	size_t rcpt_count, rcpt_room;
	uint64_t query;

	struct attempt_addr addrs[DELIVERY_ADDRS_MAX];
	size_t addr_count, addr_index;
	bool fell_back;   /* to the server that the configuration has for it */
	bool unreachable; /* DNS has no answer, or no address */
	bool answered;    /* something went wrong that is more than silence */
	bool without_tls; /* the handshake failed and is not required: once more, in clear */
	bool without_kept; /* a kept connection was of no use: on a new one */

	struct attempt_source {
		struct net_addr addr; /* where it goes from; family 0: as the system chooses */
		struct span helo;     /* our name there */
	} source;
	struct attempt_source sources[2]; /* to servers with IPv4, IPv6: as the queue chose */
	uint8_t avoid; /* bits of families that there is none for: 1, 2 */

	struct pool_want want; /* CONNECTING: waits for a connection to be free, or to be made */
	struct talk *talk; /* NULL: none yet, or no more */
	struct talk *ahead; /* CONNECTING: it is behind the attempt that has that one; or NULL */
	bool mail_sent;    /* the machine has the mail */
	bool body_wanted;
	struct buf body;       /* from the queue, not yet sent */
	uint64_t body_got, body_given;
	bool more_asked;
	struct attempt_conversion conversion;
	bool in_doubt;
	uint64_t quickest_ms; /* reply on its connections; UINT64_MAX: there was none */
	struct buf tls_text; /* what it goes over, for people; empty: in the clear */
	struct attempt_failure failure;
	struct transcript transcript;
	bool troubled; /* something went wrong, whatever the end: the transcript is of use */
};

struct talk {
	struct list node; /* in delivery->talks, or ->closed */
	struct delivery *delivery;
	struct attempt *attempt; /* NULL: kept, or on its way to it */
	struct pool_entry entry;
	enum conf_tls tls_mode;
	uint64_t generation; /* of the configuration that it was made under */
	uint64_t mails;      /* transactions begun */
	uint32_t messages_max, connections_max; /* as its last attempt has them */
	bool spent;          /* is not to be kept */

	/* See talk_ahead.c. */
	struct attempt *behind; /* whose transaction begins before the one at hand has ended */
	struct attempt *saying; /* what is said now is that attempt's */
	uint64_t behind_ms;     /* since when there is one */
	uint64_t end_ms;        /* when all of the last message was sent */
	bool is_quick;          /* the server answered the last one soon */

	struct io_op connect, read, drain;
	struct io_timer timer; /* connecting, then the machine's deadline */
	uint64_t timer_ms;     /* when it fires; 0: it does not run */
	bool connecting, reading, draining;
	struct talk_ask *ask; /* connecting to a Unix socket, which the supervisor does */
	struct io_stream *stream;
	struct smtp_client *smtp;
	struct tls *tls;
	bool handshaking;
	bool is_closed; /* freed in a later turn */
};

/* The supervisor answers in turn. */
struct talk_ask {
	struct list node;  /* in delivery->asks */
	struct talk *talk; /* NULL: wants it no more */
};

struct delivery {
	struct proc_env *env;
	const struct conf *conf;
	struct tls_context *tls_any, *tls_verified, *tls_dane;
	struct list attempts, over;
	struct list talks, closed;
	struct list asks;
	struct pool pool;
	struct health health;
	struct health in_turn; /* addresses where nothing is sent behind the end of a message */
	uint64_t generation; /* of the configuration */
	struct span *suspended; /* providers, or patterns of MX hosts */
	size_t suspended_count;
	struct map attempt_map, query_map;
	uint64_t next_query;
	struct ipc_channel *queue, *resolver, *keyring, *fetcher;
	struct io_timer tick; /* while there is an attempt or a connection */
	bool ticking;
	bool stopping;
};

/* attempt.c */
struct attempt *attempt_create(struct delivery *delivery, const struct ipc_qd_attempt *order);
/* Frees one that is over. */
void attempt_free(struct attempt *attempt);
/* Ends it, and what it does, without a word to the queue; it is freed in a later turn. */
void attempt_drop(struct attempt *attempt);
/* The order is complete. */
void attempt_start(struct attempt *attempt);
uint16_t attempt_port(const struct attempt *attempt);
/* suspended.c: what the queue tells of them */
MUST_USE enum err suspended_take(
    struct delivery *delivery, const struct ipc_qd_suspended *told);
/*
 * True: the first host of the attempt is a suspended one's, and that is its failure.  Else those
 * behind it that are, are left out.
 */
bool suspended_stops(struct attempt *attempt);
/* The address of that index, with its port. */
struct net_addr attempt_to(const struct attempt *attempt, size_t index);
void attempt_credential(struct attempt *attempt, const struct ipc_kd_credential *credential);
/* No other host is left, or none is needed: tells the queue, and ends. */
void attempt_finish(struct attempt *attempt);
/* The failure that stands if nothing better happens. */
void attempt_fail(struct attempt *attempt, enum ipc_outcome outcome, unsigned code,
    const char *status, const char *text);
/* As another attempt to the same address did. */
void attempt_fail_as(struct attempt *attempt, const struct attempt *other);
/* Tries the next address, or finishes. */
void attempt_next(struct attempt *attempt);
void attempt_tell(struct attempt *attempt, size_t index, enum ipc_outcome outcome,
    const struct smtp_client_reply *reply);
/* The message demands what is not to be had: its end, where no other host has it. */
bool attempt_wants_tls(const struct attempt *attempt);
/* The reply's enhanced status code as text, "" where it has none. */
void attempt_write_status(
    char status[ATTEMPT_STATUS_BYTES], const struct smtp_client_reply *reply);
void attempt_event_begin(struct attempt *attempt, struct event *event, const char *name);
/* The server that it is at: "mx.example[192.0.2.1]", or the path of a socket. */
void attempt_write_remote(const struct attempt *attempt, struct buf *out);

/* A domain by its A-labels; false: it is no name. */
bool attempt_to_ascii(struct attempt *attempt, struct span *domain);

/* attempt_hosts.c: what the resolver found */
void attempt_hosts(struct attempt *attempt, const struct ipc_nd_found *found);
/* Goes to the hosts that were found. */
void attempt_use_hosts(struct attempt *attempt, struct span hosts);

/* attempt_plain.c: mail that needs less than was said */
/*
 * Makes the addresses ASCII, where they and the header are so but for the domains' spelling, and
 * SMTPUTF8 is not needed.  False: it is, or nobody knows.
 */
bool attempt_plain_envelope(
    struct attempt *attempt, struct span *reverse_path, struct span *rcpts, size_t count);

/* attempt_source.c: the address that it leaves from */
/* Those that the queue has chosen. */
void attempt_take_sources(struct attempt *attempt, const struct ipc_qd_attempt *order);
/*
 * For the address at hand, or the next one that there is one for; after a change of that.  False:
 * there is none, and the attempt has failed.
 */
bool attempt_choose_source(struct attempt *attempt);
/* This host does not have it: goes on with another address of the server's, if it can. */
void attempt_lacks_source(struct attempt *attempt, enum err err);

/* attempt_convert.c: mail for servers that lack 8BITMIME or BINARYMIME */
/*
 * Makes of the mail what its server takes, where that lacks what was said; or leaves it as it is,
 * to be refused.  False: the message is being read; talk_mail_again() when that is done.
 */
bool attempt_convert(struct talk *talk, struct smtp_client_mail *mail);
/* A piece of the message, while it is being read. */
void attempt_convert_read(struct attempt *attempt, struct span bytes);
/*
 * A piece that is being sent, of CONVERT_PIECE_BYTES_MAX at most, becomes out.  Fails where this
 * is not what was read before.
 */
MUST_USE enum err attempt_convert_body(
    struct attempt *attempt, struct span bytes, bool last, struct buf *out);
/* True: no host takes it as it is; it goes to the one that the index says now, and is converted. */
bool attempt_convert_after_all(struct attempt *attempt);
void attempt_convert_free(struct attempt *attempt);

/* probe.c: attempts without a message */
bool attempt_is_probe(const struct attempt *attempt);
/* The session is ready; true where that is all that was wanted. */
bool probe_ready(struct talk *talk);

/* attempt_tls.c: what TLS each host gets */
/* The port for whose TLSA records the resolver is to ask; 0: they do not matter. */
uint16_t attempt_tlsa_port(const struct attempt *attempt);
/*
 * Decides for a host and fills in its address's tls, base and tlsa.  False: it may not be used;
 * the attempt has the failure.
 */
bool attempt_choose_tls(struct attempt *attempt, const struct ipc_host_entry *host,
    struct attempt_addr *addr);
/* The message gives up what the domain wants (RFC 8689 section 5). */
bool attempt_waives(const struct attempt *attempt);
/* A session under that address's rules. */
struct tls *attempt_tls(const struct attempt *attempt, const struct attempt_addr *addr);
/* Whether only mail for this domain may use such a session. */
bool attempt_tls_is_for_domain(const struct attempt_addr *addr);
/* What the session is, and who vouched for the server. */
void attempt_note_tls(struct attempt *attempt, const struct tls *tls);

/* attempt_policy.c: what the domain's policy (MTA-STS) demands, and how sessions went under it */
/* Whether there is anything to ask the fetcher. */
bool attempt_wants_policy(const struct attempt *attempt);
void attempt_ask_policy(struct attempt *attempt);
void attempt_policy(struct attempt *attempt, const struct ipc_fd_policy *policy);
bool attempt_policy_names(const struct attempt *attempt, struct span host);
/* Tells the fetcher of a session, for reports. */
void attempt_session_opened(struct talk *talk);
void attempt_session_failed(struct talk *talk);
/* The same, of a host that may not be used. */
void attempt_session_refused(struct attempt *attempt, struct span host,
    enum ipc_policy_kind kind, enum ipc_tls_result result);

/* talk_ahead.c: one transaction behind another */
/* All of the message at hand is sent: there may be room behind it. */
void talk_end_sent(struct talk *talk);
/* Sends the attempt's mail behind the one at hand; false: it cannot go so. */
bool talk_go_behind(struct talk *talk, struct attempt *attempt);
/* The transaction at hand has ended, and the attempt knows: whose turn is it? */
void talk_mail_over(struct talk *talk, const struct smtp_client_event *event);
/*
 * Whether the server lost what came behind the end of a message, or stumbled over it, as far as
 * can be told; then nothing is sent so to its address for a while.
 */
bool talk_stumbles(const struct talk *talk, const struct smtp_client_event *event);
/* The attempt is not to be sent behind another any more, if it was. */
void talk_take_back(struct attempt *attempt);
/* The one that is behind goes out of the connection's mind; NULL: there is none. */
struct attempt *talk_part(struct talk *talk);
/* It goes by another connection, as nothing of it was sent; NULL is nothing. */
void talk_go_elsewhere(struct attempt *attempt, const char *why);
/* Takes back what has waited too long. */
void talk_check_behind(struct talk *talk);
uint64_t talk_behind_deadline_ms(const struct talk *talk);

/* talk_way.c: which connection an attempt gets */
/* Goes to the attempt's address: by a connection that is free, or a new one, in its turn. */
void talk_start(struct attempt *attempt);
/* Gives connections, free ones and new ones, to those who wait for one on this way. */
void talk_serve(struct delivery *delivery, struct pool_way *way);
/* Those who wait for the connection that failed share its fate, where no other is open. */
void talk_fail_queued(struct talk *talk);

/* talk.c: connections */
/* A new one, for the attempt. */
void talk_connect(struct attempt *attempt, struct pool_way *way);
/* The connection is the attempt's. */
void talk_have(struct talk *talk, struct attempt *attempt);
/* Whether another transaction may follow the one at hand. */
bool talk_may_go_on(const struct talk *talk);
/* The attempt has the connection no more. */
void talk_detach(struct talk *talk);
/* The session is ready for its first mail. */
void talk_opened(struct talk *talk);
/* The supervisor's answer to the oldest that asked it: stream, or NULL and why. */
void talk_socket(struct delivery *delivery, struct io_stream *stream, enum err err);
/* Begins the handshake. */
void talk_start_tls(struct talk *talk);
/* Sees to deadline, input and output; after each pump. */
void talk_settle(struct talk *talk);
/* The session is at rest, and nobody's: the connection is kept, or ends. */
void talk_rest(struct talk *talk);
/* Ends the connection, whatever its state; the attempt has none then.  NULL is nothing. */
void talk_close(struct talk *talk);
void talk_free(struct talk *talk);
/* Says goodbye on connections that are kept: those that have waited too long, or all. */
void talk_expire(struct delivery *delivery, uint64_t until_ms);
void talk_quit_all(struct delivery *delivery);

/* talk_mail.c: what is said on them */
void talk_pump(struct talk *talk);
/* The attempt's mail, on a session that is at rest. */
void talk_mail(struct talk *talk);
/* The same, where it waited for the message to be read. */
void talk_mail_again(struct talk *talk);
/* The queue gave a piece of the body. */
void talk_body(struct attempt *attempt);
/* The attempt's mail, behind the one at hand; false: not now, or not with this server. */
bool talk_send_ahead(struct talk *talk, struct attempt *attempt);
/* Sends what the machine says. */
void talk_flush(struct talk *talk);
/* There is no connection; text says why. */
void talk_unreachable(struct talk *talk, const char *text);

/* recorder.c: the transcript of an attempt */
void recorder_begin(struct attempt *attempt);
void recorder_end(struct attempt *attempt);
void recorder_fact(struct attempt *attempt, const char *what, struct span text);
void recorder_hosts(struct attempt *attempt, struct span blob);
void recorder_address(struct attempt *attempt, const char *what, unsigned port);
/* Where it comes from, where the configuration says so. */
void recorder_source(struct attempt *attempt);
smtp_client_said recorder_said;
/* Gives it to the queue, where the attempt failed or was slow. */
void recorder_send(struct attempt *attempt);

/* delivery.c */
void delivery_ask_more(struct attempt *attempt);
uint64_t delivery_ask(struct attempt *attempt);
