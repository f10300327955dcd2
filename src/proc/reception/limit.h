/*
 * The limits of reception, as decisions: who may connect, send, name recipients, and how slowly
 * errors are answered.  Pure: the configuration, the table and the time are arguments.
 * docs/limits.md has the list.
 */
#pragma once

#include "conf/conf.h"
#include "route/limit_table.h"
#include "replies/reply.h"

/* Whatever refuses, delays or ends something.  One counter each. */
enum limit {
	LIMIT_SESSIONS,
	LIMIT_SESSIONS_HOST,
	LIMIT_SESSIONS_NETWORK,
	LIMIT_CONNECTIONS_HOST,
	LIMIT_CONNECTIONS_NETWORK,
	LIMIT_MESSAGES_HOST,
	LIMIT_MESSAGES_NETWORK,
	LIMIT_RECIPIENTS_HOST,
	LIMIT_RECIPIENTS_NETWORK,
	LIMIT_FAILURES_HOST,
	LIMIT_FAILURES_NETWORK,
	LIMIT_MEMORY,
	LIMIT_EARLY_TALK,
	LIMIT_ERROR_DELAY,
	LIMIT_ERRORS,
	LIMIT_AUTH_FAILURES,
	LIMIT_COMMANDS,
	LIMIT_IDLE_COMMANDS,
	LIMIT_MESSAGES_SESSION,
	LIMIT_RECIPIENTS,
	LIMIT_COMMAND_TIME,
	LIMIT_DATA_TIME,
	LIMIT_TRANSFER,
	LIMIT_MESSAGE_TIME,
	LIMIT_SESSION_TIME,
	LIMIT_HANDSHAKE_TIME,
	LIMIT_LINE_ENDS,
	LIMIT_NUL,
	LIMIT_LONG_LINES,
	LIMIT_SIZES,
	LIMIT_DESCRIPTORS,
	LIMIT_COUNT /* none */
};

/* Its name, as fields of the log have it: "sessions_per_host". */
const char *limit_name(enum limit limit);
/* The limit that a reply of the SMTP machine speaks of; LIMIT_COUNT where it is none. */
enum limit limit_of_reply(enum reply_id reply);
/* The reply of a limit that is judged here. */
enum reply_id limit_reply(enum limit limit);

/* Where a client is counted. */
struct limit_client {
	uint32_t host, network; /* slots of the table */
	bool entered;
	bool exempt; /* of what is for each host and network */
};

/*
 * A client at an address: counted and entered, or refused by the limit that it gives.  Comes
 * again where the address of a session turns out to be another one; that is all there is to do.
 */
enum limit limit_enter(struct limit_client *client, struct limit_table *table,
    const struct conf *conf, const struct net_addr *addr, bool exempt, uint64_t now_ms);
/* The session is over. */
void limit_leave(struct limit_client *client, struct limit_table *table);
/* One message or recipient more; LIMIT_COUNT where it may be. */
enum limit limit_take(const struct limit_client *client, struct limit_table *table,
    const struct conf *conf, enum limit_rate rate, uint64_t now_ms);
/* The client got a 5xx. */
void limit_failed(const struct limit_client *client, struct limit_table *table,
    const struct conf *conf, uint64_t now_ms);

/* How long replies wait where the errors of a session went from before to now. */
uint64_t limit_error_delay_ms(const struct conf *conf, uint64_t before, uint64_t now);

/* Whether limits are near; they tighten then. */
struct limit_stress {
	bool on;
	uint64_t since_ms;
};
/* True where it begins or ends. */
bool limit_stress_update(struct limit_stress *stress, const struct conf *conf,
    uint64_t sessions, uint64_t memory_bytes, uint64_t now_ms);
/* What of a time-out or a number is left under stress. */
uint64_t limit_stress_time(const struct limit_stress *stress, uint64_t timeout_ms);
uint64_t limit_stress_count(const struct limit_stress *stress, uint64_t count);
