/*
 * What keeps the mail that waits, counted: what servers said last, told apart by the rules for
 * what providers say, else by status codes; and what operators decided.  Replies are counted by
 * their number, and each is looked at once, some at a time.
 */
#pragma once

#include "ipc/ages.h"
#include "proc/queue/queue_internal.h"

enum {
	REASONS_MAX = 100, /* that are told apart */
	REASON_REPLIES_MAX = 500000,
};

struct reason {
	char name[IPC_TALLY_NAME_MAX + 1];
	uint64_t total;
	struct ipc_ages ages;
};

struct reasons {
	struct sched *sched;
	struct ipc_ages *by_reply; /* by the reply's number; each that is counted is held */
	uint32_t reply_count, next;
	struct reason rows[REASONS_MAX];
	size_t count;
	struct ipc_ages others; /* of those beyond REASONS_MAX */
};

/* A recipient that waits since then; age: which of the counts. */
void reasons_add(struct reasons *reasons, uint32_t rcpt, const struct sched_message *message,
    unsigned age);
/* Looks at so many replies; true: there are more. */
bool reasons_look(struct reasons *reasons, unsigned budget);
/* All were looked at: those with the most recipients first. */
void reasons_sort(struct reasons *reasons);
void reasons_fini(struct reasons *reasons);
