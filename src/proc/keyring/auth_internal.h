/*
 * What the files of AUTH share.
 *
 *     reception --step--> exchange --PLAIN, LOGIN--> password job (a thread), or Dovecot, by lookup
 *                            |  |----SCRAM, EXTERNAL: at once
 *                            |  '----tokens, and Dovecot's other mechanisms--> lookup
 *                            v
 *                        verdict; a failure waits before it is told
 */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "proc/keyring/auth.h"
#include "proc/keyring/passwords.h"
#include "sasl/guard.h"
#include "sasl/sasl.h"

enum { AUTH_EXCHANGES_MAX = 4096 }; /* of a reception */

/* A reception. */
struct auth_peer {
	struct auth *auth;
	unsigned instance;
	struct ipc_channel *channel;
	struct list exchanges;
	struct map by_number;
	size_t count;
};

struct auth {
	struct proc_env *env;
	struct passwords *passwords;
	struct guard *hosts, *logins, *friends;
	struct ipc_channel *lookup;
	unsigned lookup_offer; /* mechanisms that lookup runs */
	struct map asked; /* id: exchange that waits for lookup, or may go on there */
	uint64_t last_id;
	struct auth_peer peers[PROC_INSTANCES_MAX];
};

struct exchange {
	struct list node; /* in peer->exchanges */
	struct auth_peer *peer;
	uint64_t number; /* reception's */
	uint64_t id; /* ours, for lookup; 0: it does not run there */
	enum sasl_mechanism mechanism;
	struct sasl *sasl;
	struct password_job *job;
	bool waits; /* for lookup, or for the time to tell a failure */
	bool judged; /* its attempt was counted */
	bool login_counted; /* for its login, too */
	uint64_t since_ms; /* the last step of the client */
	uint64_t failures; /* of the host, with this one */
	struct buf client; /* the address as text */
	struct buf host; /* the address as it is counted */
	struct io_timer delay;
	enum ipc_auth result; /* that is told when the delay is over */
	struct buf login, text;
};

/* auth.c */
void auth_end(struct exchange *exchange);
/* Tells the verdict, a failure later; ends the exchange. */
void auth_conclude(
    struct exchange *exchange, enum ipc_auth result, struct span login, struct span text);
void auth_challenge(struct exchange *exchange, struct span challenge);

/* auth_guard.c */
/*
 * Counts the attempt.  False where the client or the login must pause: that was concluded.  login
 * "" is not known yet.
 */
bool auth_may_try(struct exchange *exchange, struct span login);
/*
 * The same for what lookup says of a login that was not known before: false, where it must pause,
 * whatever the verdict.
 */
bool auth_may_be_told(struct exchange *exchange, struct span login);
/* What the verdict does to the counts; gives how late it is to be told. */
uint64_t auth_judge(struct exchange *exchange, enum ipc_auth result, struct span login);

/* auth_lookup.c: exchanges that lookup runs */
void auth_lookup_link(struct auth *auth, struct io_stream *stream);
void
auth_lookup_begin(struct exchange *exchange, bool has_response, struct span response);
/* A password that Dovecot judges. */
void
auth_lookup_check(struct exchange *exchange, struct span login, struct span password);
void auth_lookup_go_on(struct exchange *exchange, struct span response);
void auth_lookup_forget(struct exchange *exchange);
/* Tells all receptions which mechanisms there are. */
void auth_offer(struct auth *auth);
