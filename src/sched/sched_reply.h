/*
 * The last replies of servers, each kept once however many recipients got it, in bounded
 * memory.  Where that is used up a reply is kept without its text, and then not at all (0).
 */
#pragma once

#include "sched/sched.h"

enum { SCHED_REPLY_REMOTE_MAX = 300, SCHED_REPLY_TEXT_MAX = 500, SCHED_REPLY_STATUS_MAX = 15 };

struct sched_reply {
	uint32_t code;
	struct span status, remote, text;
};

/* Keeps a reply and holds it once; longer parts are cut.  0: there is no room, or no reply. */
uint32_t sched_reply_keep(struct sched *sched, const struct sched_reply *reply);
void sched_reply_hold(struct sched *sched, uint32_t reply);
void sched_reply_drop(struct sched *sched, uint32_t reply);
/* What was kept; valid while it is held.  0 gives an empty one. */
struct sched_reply sched_reply_get(const struct sched *sched, uint32_t reply);
size_t sched_reply_bytes(const struct sched *sched);
