/*
 * The oracle: it knows what was promised to whom, sees what comes out, and fails the run where a
 * promise is broken.  docs/simulation.md numbers the properties; each failure names one.
 *
 * What it knows comes from outside the servers only: the replies that clients got, the messages
 * that other servers took, the Maildirs, the log, and the faults that befell a server.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "sim.h"
#include "sim_letter.h"

struct oracle;

enum {
	ORACLE_KEYS_MAX = 2,   /* ends of one recipient: an alias has more than one */
	ORACLE_TRIES_MAX = 400,
	ORACLE_CHAIN_MAX = 4,  /* servers that a copy came through */
	ORACLE_SERVERS_MAX = 4,
	ORACLE_SUPPRESS_MIN = 10, /* how long addresses are suppressed, where they are */
};

/* What a server should say to a recipient. */
enum expect { EXPECT_OK, EXPECT_UNKNOWN, EXPECT_NO_RELAY };

/* Where a recipient's mail ends: a Maildir ("ann" at a server), or an address elsewhere. */
struct oracle_key {
	struct sim_server *server; /* NULL: elsewhere */
	char name[LETTER_ADDRESS_BYTES];
	char address[LETTER_ADDRESS_BYTES]; /* that the client named */
	bool discarded; /* by a rule of every server: it comes out nowhere */
};

struct oracle_rcpt {
	char address[LETTER_ADDRESS_BYTES];
	enum expect expect;
	struct oracle_key keys[ORACLE_KEYS_MAX];
	unsigned key_count;
};

/* What a client's try to hand a letter over came to. */
enum try_state {
	TRY_OPEN,     /* no end of data has been sent, or no reply has come */
	TRY_PROMISED, /* 250 */
	TRY_DOUBT,    /* the end of data was sent; what became of it nobody said */
	TRY_REFUSED,  /* a reply said that it was not taken */
};

struct oracle_try {
	enum try_state state;
	uint64_t id;        /* PROMISED */
	uint32_t rcpt_mask; /* those that got a 250 */
	uint64_t sent_ms, end_ms;
};

struct oracle_letter {
	struct letter letter;
	struct sim_server *first; /* the server that it is handed to */
	struct oracle_rcpt rcpts[LETTER_RCPTS_MAX];
	unsigned rcpt_count;
	bool loose;     /* from a hostile client: bytes are not known */
	bool forbidden; /* no copy of it may ever come out */
	bool bad_sender; /* its sender has no mailbox where it should: no bounce is due */
	struct oracle_try tries[ORACLE_TRIES_MAX];
	unsigned try_count;
	struct list copies; /* what came out of it */
	struct list failures; /* recipients that a server gave up, by its log */
};

/* The servers and ids that a message went through, the last first. */
struct oracle_chain {
	struct {
		struct sim_server *server;
		uint64_t id;
	} hops[ORACLE_CHAIN_MAX];
	unsigned count;
};

/* A copy that arrived for one recipient, or a bounce that names it. */
struct oracle_copy {
	struct list node;
	struct oracle_chain chain;
	const struct oracle_key *key;
	bool bounce;
	bool partial; /* a bounce without the header: it knows the server that gave up alone */
	uint64_t bounce_id; /* of the notification */
	uint64_t at_ms;
	bool replied; /* the remote said 250 (or it is in a Maildir) */
};

struct oracle_numbers {
	uint64_t promised, copies, bounces, notices, doubts, deleted, damaged, dropped, duplicates;
};

struct oracle *oracle_create(struct sim *sim);
void oracle_destroy(struct oracle *oracle);
struct oracle_numbers oracle_numbers(const struct oracle *oracle);
struct sim *oracle_sim(struct oracle *oracle);

/* A letter, empty but for its number. */
struct oracle_letter *oracle_letter_add(struct oracle *oracle);
struct oracle_letter *oracle_letter(struct oracle *oracle, unsigned number);
unsigned oracle_letter_count(const struct oracle *oracle);

/* The server promised the letter by that id. */
bool oracle_is_promised(const struct oracle_letter *letter, uint64_t id);

/* Clients tell. */
void oracle_rcpt_replied(
    struct oracle *oracle, struct oracle_letter *letter, unsigned rcpt, unsigned code);
/* The end of data leaves now; gives the try. */
unsigned oracle_try_sent(struct oracle *oracle, struct oracle_letter *letter, uint32_t rcpt_mask);
void oracle_try_over(struct oracle *oracle, struct oracle_letter *letter, unsigned try,
    enum try_state state, uint64_t id);

/* Other servers tell: a whole message has come; gives a number for oracle_remote_replied. */
struct oracle_mail {
	struct span from, bytes;
	const struct span *rcpts;
	size_t rcpt_count;
	const char *where;
	bool replied; /* a 250 goes out for it */
	bool seven_bits; /* in a session without 8BITMIME */
};
void oracle_remote_took(struct oracle *oracle, const struct oracle_mail *mail);
/* It said of an address, in mail from that sender, that it does not exist. */
void oracle_remote_knows_not(struct oracle *oracle, struct span address, struct span from);
/* A program took it, from its standard input. */
void oracle_program_took(struct oracle *oracle, const struct oracle_mail *mail);

/* The end: what is in the Maildirs is read, and all that was promised must have its end. */
void oracle_check_end(struct oracle *oracle);

/* Ledger and spool of a server whose disk is whole agree, now; drained: and nothing waits. */
void oracle_audit(struct oracle *oracle, struct sim_server *server, bool drained);

/* sim_witness.c: what the log and the faults say */
struct witness;
struct witness *witness_create(struct oracle *oracle);
void witness_destroy(struct witness *witness);
/* Why a server may have done twice what it did between two moments; NULL: it may not. */
const char *witness_excuse(struct witness *witness, struct sim_server *server, uint64_t id,
    const struct oracle_key *key, uint64_t from_ms, uint64_t to_ms);
/* How many such reasons there are in all. */
unsigned witness_excuse_count(struct witness *witness, struct sim_server *server, uint64_t id,
    const struct oracle_key *key);
bool witness_was_deleted(struct witness *witness, struct sim_server *server, uint64_t id);
/* It was deleted at a server that had it from the first. */
bool witness_was_deleted_later(struct witness *witness, const struct oracle_letter *letter);
/* The log said that it is damaged. */
bool witness_was_damaged(struct witness *witness, struct sim_server *server, uint64_t id);
/* Bytes that rotted, for which the log could not say whose they were. */
unsigned witness_rot_count(struct witness *witness, struct sim_server *server);
/* The spool failed to write or to sync, or found no room, at some time. */
bool witness_has_no_marks(struct witness *witness, struct sim_server *server);
/* Bytes of its spool rotted, or could not be read. */
bool witness_was_hurt(struct witness *witness, struct sim_server *server);
bool witness_lost_segment(struct witness *witness, struct sim_server *server);
/* The server gave the recipient up, and nobody could be told, as its log says. */
bool witness_was_dropped(struct witness *witness, struct oracle_letter *letter,
    const struct oracle_key *key, struct sim_server *server, uint64_t id);
/* The server threw away what came for the recipient, as its log says. */
bool witness_was_discarded(struct witness *witness, const struct oracle_key *key,
    struct sim_server *server, uint64_t id);
/* A server said lately, in mail from that domain, that the address does not exist. */
bool witness_may_suppress(struct witness *witness, struct span address, const char *sender);
void witness_unknown(struct witness *witness, struct span address, struct span from);
/* Whether what a client was told at end_ms can be due to a role that was lost since sent_ms. */
bool witness_crash_between(struct witness *witness, struct sim_server *server,
    uint64_t from_ms, uint64_t to_ms);
struct witness *oracle_witness(struct oracle *oracle);
/*
 * An operator was answered: the message is deleted, and no recipient was under way; or it is on
 * hold.  And: he begins to release it, or all (0).
 */
void witness_kept(struct witness *witness, struct sim_server *server, uint64_t id, bool deleted);
void witness_releases(struct witness *witness, struct sim_server *server, uint64_t id);
struct oracle_numbers *oracle_count(struct oracle *oracle);

/* sim_arrival.c: what came out; kept_here: its lines end with LF; place: a Maildir, or NULL */
void arrival_take(struct oracle *oracle, const struct oracle_mail *mail, bool kept_here,
    const struct oracle_key *place);
/* The key of a letter's recipient with that place, or with that address; NULL. */
const struct oracle_key *arrival_find_key(
    struct oracle_letter *letter, struct sim_server *server, struct span name);
