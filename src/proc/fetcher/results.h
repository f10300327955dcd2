/*
 * How sessions with the servers of other domains went, by policy and day, as RFC 8460 reports it:
 * counts, and of failures where and why.  A day has a file, which is text.  Pure.
 */
#pragma once

#include "base/buf.h"
#include "base/map.h"
#include "ipc/ipc_list.h"

enum {
	RESULTS_POLICIES_MAX = 10000, /* of a day; what is beyond is only counted */
	RESULTS_FAILURES_MAX = 20,    /* kinds of failure of a policy that are told apart */
	RESULTS_BYTES_MAX = 16 << 20,
	RESULTS_DAY_BYTES = 11, /* "2026-11-27" */
	RESULTS_DAYS_KEPT = 30,
	RESULTS_TEXT_MAX = 26 << 10,
	RESULTS_REASON_MAX = 200,
	RESULTS_NAME_BYTES = 64, /* of a file */
};

struct result_failure {
	enum ipc_tls_result result;
	uint64_t count;
	char host[IPC_DOMAIN_MAX + 1], address[64]; /* "" where there was none */
	char reason[RESULTS_REASON_MAX + 1];        /* of the last one */
};

struct result_policy {
	enum ipc_policy_kind kind;
	char domain[IPC_DOMAIN_MAX + 1];
	char key[IPC_DOMAIN_MAX + 8];
	uint64_t good, failed;
	char *text; /* what the policy says, in lines; NULL: not known */
	struct result_failure *failures;
	size_t failure_count;
};

struct results {
	char day[RESULTS_DAY_BYTES]; /* "": none yet */
	struct map map;
	struct result_policy **policies; /* in the order in which they came */
	size_t count;
	uint64_t left_out; /* sessions of policies that had no room */
};

struct result {
	enum ipc_policy_kind kind;
	enum ipc_tls_result result;
	struct span domain, host, address, reason;
	struct span policy; /* its lines; "": as they were */
};

void results_init(struct results *results, const uint64_t seed[2]);
void results_fini(struct results *results);
/* Empties them, for another day. */
void results_begin(struct results *results, const char *day);
void results_add(struct results *results, const struct result *result);
void results_write(const struct results *results, struct buf *out);
MUST_USE enum err results_read(struct results *results, struct span file);
/* The day of a time, in UTC; the name of its file, and back. */
void results_day(uint64_t wall_ms, char day[RESULTS_DAY_BYTES]);
void results_file_name(const char *day, char name[RESULTS_NAME_BYTES]);
bool results_file_day(const char *name, char day[RESULTS_DAY_BYTES]);
bool results_is_day(struct span day);
/* As RFC 8460 names them: "sts", "tlsa", "no-policy-found"; "certificate-expired", ... */
const char *results_kind_name(enum ipc_policy_kind kind);
const char *results_result_name(enum ipc_tls_result result);
