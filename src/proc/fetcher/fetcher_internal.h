/*
 * What the files of the fetcher share.  An entry is what is known of a domain.  Deliveries that ask
 * wait at it while something is under way that they need:
 *
 *   IDLE ─► TXT ─► IDLE                        no policy, or the one that is kept
 *            └──► ADDRESS ─► QUEUED ─► FETCHING ─► IDLE
 */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "ipc/targets.h"
#include "proc/fetcher/fetcher.h"
#include "proc/fetcher/keep.h"
#include "proc/fetcher/policy.h"
#include "proc/fetcher/results.h"

enum {
	FETCHER_ENTRIES_MAX = 20000,
	FETCHER_POLICIES_MAX = 5000, /* read at a start */
	FETCHER_FETCHES_MAX = 6,     /* at a time: the threads serve files too */
	FETCHER_ADDRS_MAX = 2,       /* that one fetch tries */
	FETCHER_TIMEOUT_MS = 20000,
	FETCHER_FRESH_MS = 300000, /* so long the TXT record is not asked for again */
	FETCHER_SOON_MS = 30000,   /* where there was no answer */
	FETCHER_SAVE_MS = 5000, /* results are written so long after they changed */
	FETCHER_AGAIN_MS = 300000, /* after a fetch that failed (RFC 8461 section 3.3) */
};

struct fetcher;

struct asker {
	struct fetcher *fetcher;
	struct ipc_channel *channel;
};

/* A question of a delivery process that waits. */
struct waiter {
	struct list node;
	struct asker *asker;
	struct ipc_channel *channel; /* that asked; it may be gone */
	uint64_t query;
};

enum entry_state { ENTRY_IDLE, ENTRY_TXT, ENTRY_ADDRESS, ENTRY_QUEUED, ENTRY_FETCHING };

struct entry {
	struct list node;   /* in fetcher->entries */
	struct list queued; /* in fetcher->queued */
	struct fetcher *fetcher;
	char domain[POLICY_NAME_BYTES];
	struct policy policy;
	enum entry_state state;
	struct list waiting;
	uint64_t query;       /* to the resolver; 0: none */
	uint64_t fresh_ms;    /* until then the TXT record is as it was */
	uint64_t again_ms;    /* until then nothing is fetched again, unless the id changes */
	char id[STS_ID_BYTES_MAX + 1]; /* of the TXT record */
	char why[IPC_REPLY_MAX];       /* the last fetch failed; "" where it did not */

	/* While it is fetched. */
	char host[POLICY_NAME_BYTES + 16];
	struct net_addr addrs[FETCHER_ADDRS_MAX];
	size_t addr_count, addr_index;
	struct io_op op;
	struct io_fetch fetch;
	struct buf body;
};

struct fetcher {
	struct proc_env *env;
	const struct conf *conf;
	struct keep keep;
	struct map by_domain, by_query;
	struct list entries; /* the one that was asked for last is the last */
	struct list queued;
	size_t entry_count, fetching;
	uint64_t next_query;
	bool can_fetch;
	struct asker askers[PROC_INSTANCES_MAX];
	struct ipc_channel *resolver;
	struct results results;
	struct io_timer save; /* runs while results are not written */
	bool unsaved, stopping;
};

/* entries.c: what is known of domains */
void entries_init(struct fetcher *fetcher);
/* Reads what was kept, at a start. */
void entries_load(struct fetcher *fetcher);
/* A delivery asks; it gets one answer. */
void entries_ask(struct fetcher *fetcher, struct asker *asker, uint64_t query,
    const char *domain);
void entries_txt(struct fetcher *fetcher, const struct ipc_nf_txt *txt);
void entries_found(struct fetcher *fetcher, const struct ipc_nf_found *found);
/* The resolver is gone: whoever waits for it goes on with what is there. */
void entries_resolver_gone(struct fetcher *fetcher);
/* What the policy of a domain says, in lines; nothing where there is none. */
void entries_text(struct fetcher *fetcher, const char *domain, struct buf *out);
/* The link ended: its questions need no answer. */
void entries_asker_gone(struct fetcher *fetcher, const struct ipc_channel *channel);

/* counting.c: the results of today */
void counting_init(struct fetcher *fetcher);
void counting_session(struct fetcher *fetcher, const struct ipc_df_session *session);
/* A policy could not be fetched. */
void counting_fetch(struct fetcher *fetcher, const char *domain, enum ipc_tls_result result,
    const char *why);
void counting_save(struct fetcher *fetcher);
