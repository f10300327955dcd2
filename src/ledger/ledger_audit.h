/*
 * Reconciles: every recipient of every accepted message has one end, or waits.  Pure: entries
 * of the ledger go in, in their order, and what waits; out comes what doesn't fit.
 */
#pragma once

#include "ledger/ledger_entry.h"

enum { LEDGER_FAULTS_MAX = 10000 }; /* remembered; what comes after is only counted */

enum ledger_fault_kind {
	LEDGER_MISSING,  /* recipients have no end, and the message does not wait */
	LEDGER_STRANGER, /* it waits, or ended, and was never accepted */
	LEDGER_TWICE,    /* a recipient ended twice, or a message was accepted twice */
	LEDGER_UNDEAD,   /* recipients wait that have their end */
	LEDGER_FAULT_COUNT,
};

struct ledger_fault {
	enum ledger_fault_kind kind;
	uint64_t id;
	uint32_t rcpts; /* how many it is about; 0: not known */
};

struct ledger_sums {
	uint64_t messages, rcpts;        /* accepted */
	uint64_t bounces;                /* of the messages, made here */
	uint64_t ended[LEDGER_END_END];  /* recipients, by kind */
	uint64_t open;                   /* recipients without an end */
	uint64_t open_messages;
	uint64_t doubts;      /* ends that came after a try in doubt */
	uint64_t open_doubts; /* recipients without an end, after a try in doubt */
	uint64_t earlier;     /* ends of what was accepted before */
	uint64_t faults[LEDGER_FAULT_COUNT];
};

struct ledger_audit;

/*
 * Of messages accepted at since_ms or later.  whole: the ledger begins with the server's first
 * message, so nothing can be from before it.
 */
struct ledger_audit *ledger_audit_create(uint64_t since_ms, const uint64_t seed[2]);
void ledger_audit_destroy(struct ledger_audit *audit);
/* The ledger begins with the spool: nothing can have been accepted before it. */
void ledger_audit_whole(struct ledger_audit *audit);
void ledger_audit_entry(struct ledger_audit *audit, const struct ledger_entry *entry);

/*
 * What waits, in three steps, of which entries may be added between the first and the last: begin,
 * with all entries of what happened until then; each message that waits; end.  At the end
 * missing are those that were open at the beginning, still are, and did not wait.  rcpts 0: not
 * known how many of its recipients wait.  arrival_ms: for those that the ledger doesn't know.
 */
void ledger_audit_waiting_begin(struct ledger_audit *audit);
void ledger_audit_waiting(
    struct ledger_audit *audit, uint64_t id, uint64_t arrival_ms, uint32_t rcpts);
/* How many would be missing if it ended now: perhaps their ends are on their way. */
uint64_t ledger_audit_suspects(const struct ledger_audit *audit);
/* begin_ms: the ledger is complete since then.  Gives the number of faults of all kinds. */
uint64_t ledger_audit_end(struct ledger_audit *audit, uint64_t begin_ms);

void ledger_audit_sums(const struct ledger_audit *audit, struct ledger_sums *sums);
/* NULL behind the last that is remembered. */
const struct ledger_fault *ledger_audit_fault(const struct ledger_audit *audit, size_t at);
