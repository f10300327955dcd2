/*
 * The actors of a scenario: clients that behave, clients that don't, other servers, and the DNS.
 * Each is written on io.h alone, with the world's seeded chance for its moods.
 */
#pragma once

#include "sim_oracle.h"

/* How actors misbehave, until the scenario heals. */
struct mood {
	bool healed;
	uint32_t client_ppm; /* a client goes away at a step of its dialogue */
	uint32_t remote_ppm; /* a remote server does something wrong at a step */
	uint32_t dns_ppm;    /* an answer is late, wrong or another */
	uint32_t program_ppm; /* a program does not do what it should */
	bool dns_signed;     /* DNSSEC vouches for what is true */
};

/*
 * A host that sends letters to one server, one session at a time, as real senders do: again
 * later after a 4xx or a lost connection, never again after a 250 or a 5xx.
 */
struct sender;
struct sender_options {
	struct oracle *oracle;
	const struct mood *mood;
	struct io *io;
	const char *name;
	struct net_addr to;
};
struct sender *sender_create(const struct sender_options *options);
void sender_destroy(struct sender *sender);
/* Hands the letter over from at_ms on. */
void sender_add(struct sender *sender, struct oracle_letter *letter, uint64_t at_ms);
/* All letters are settled, and no session is open. */
bool sender_is_done(const struct sender *sender);

/*
 * A client that does harm, in so many sessions.  The bait is a letter that it may send; the first
 * recipient of what it smuggles is one of the server's, the second is elsewhere.
 */
struct hostile;
struct hostile *hostile_create(
    struct oracle *oracle, struct io *io, const struct net_addr *to, struct oracle_letter *bait,
    struct oracle_letter *smuggled, unsigned sessions, uint64_t every_ms);
void hostile_destroy(struct hostile *hostile);
bool hostile_is_done(const struct hostile *hostile);

/* Another server, for some domains. */
enum { REMOTE_DOMAINS_MAX = 8 };
struct remote;
struct remote_options {
	struct oracle *oracle;
	const struct mood *mood;
	struct io *io;
	const char *name; /* of the host */
	struct net_addr addr;
	const char *domains[REMOTE_DOMAINS_MAX];
	size_t domain_count;
	bool lmtp;
	bool stands_in; /* for servers that are not there: for other domains it says "later" */
	unsigned rcpt_max; /* more get a 452 */
	bool pipelining;
	bool seven_bits; /* it has no 8BITMIME */
	bool forgets;    /* it loses what comes behind a message before it has answered that */
	/* Of faults, in a million at each step, beside those of the mood. */
	uint32_t slow_ppm;
	uint32_t cut_ppm; /* LMTP: the connection is lost before a verdict */
};
struct remote *remote_create(const struct remote_options *options);
void remote_destroy(struct remote *remote);
uint64_t remote_faults(const struct remote *remote);

/* The domains that there are. */
enum { ZONE_HOSTS_MAX = 4 };
struct zone;
enum zone_kind { ZONE_MX, ZONE_NULL_MX, ZONE_ADDRESS };
struct zone *zone_create(struct sim *sim, const struct mood *mood);
void zone_destroy(struct zone *zone);
void zone_add_domain(struct zone *zone, const char *domain, enum zone_kind kind);
void zone_add_mx(
    struct zone *zone, const char *domain, unsigned preference, const char *host);
void zone_add_host(struct zone *zone, const char *host, const struct net_addr *addr);
uint64_t zone_faults(const struct zone *zone);

/* The programs of all servers, which read what they are given, or do not. */
struct robots;
struct robots *robots_create(struct oracle *oracle, const struct mood *mood);
void robots_destroy(struct robots *robots);
uint64_t robots_faults(const struct robots *robots);

/* Somebody at the control socket of one server. */
struct operator;
struct operator *operator_create(struct oracle *oracle, struct io *io, struct sim_server *server);
void operator_destroy(struct operator *operator);
/* Does something to a message now, or to all (0); what comes of it is seen in the log. */
void operator_do(struct operator *operator, const char *verb, uint64_t id);
/* Asks how many messages are in the queue; the answer, or -1: none came yet. */
/* What waits for a domain goes through a host; NULL: as usual. */
void operator_reroute(struct operator *operator, const char *domain, const char *host);
/* Nothing goes to a destination, or to a provider's servers, for a time. */
void operator_suspend(struct operator *operator, const char *destination, unsigned seconds);
void operator_ask_total(struct operator *operator);
const char *operator_said(const struct operator *operator);
int64_t operator_total(const struct operator *operator);
