/*
 * How long mail has waited: counts of recipients by age, as they go over a link, each by
 * wire_var.
 */
#pragma once

#include "base/wire.h"

enum { IPC_AGES = 6 };

/* What counts of recipients are about that is not one destination. */
enum ipc_tally {
	IPC_TALLY_REASON,             /* those that wait for one reason */
	IPC_TALLY_OTHER_REASONS,      /* more reasons than are told apart */
	IPC_TALLY_OTHER_DESTINATIONS, /* those beyond the ones that were asked for */
	IPC_TALLY_COUNT,
};

struct ipc_ages {
	uint64_t counts[IPC_AGES]; /* below 5 and 20 minutes, 1 and 6 hours, a day; older */
};

/* Which count is for mail that came then; a clock that was set back makes it new. */
static inline unsigned
ipc_ages_at(uint64_t arrival_wall_ms, uint64_t now_wall_ms)
{
	static const uint32_t limits_s[IPC_AGES - 1] = {300, 1200, 3600, 6 * 3600, 24 * 3600};
	uint64_t s = now_wall_ms > arrival_wall_ms ? (now_wall_ms - arrival_wall_ms) / 1000 : 0;
	unsigned at = 0;

	while (at + 1 < IPC_AGES && s >= limits_s[at])
		at++;
	return at;
}

static inline void
ipc_ages_add(struct ipc_ages *to, const struct ipc_ages *from)
{
	for (unsigned i = 0; i < IPC_AGES; i++)
		to->counts[i] += from->counts[i];
}

static inline uint64_t
ipc_ages_total(const struct ipc_ages *ages)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < IPC_AGES; i++)
		total += ages->counts[i];
	return total;
}

static inline void
ipc_ages_write(struct buf *out, const struct ipc_ages *ages)
{
	for (unsigned i = 0; i < IPC_AGES; i++)
		wire_var(out, ages->counts[i]);
}

/* ERR_SYNTAX: it is something else. */
MUST_USE static inline enum err
ipc_ages_read(struct span bytes, struct ipc_ages *ages)
{
	struct reader reader = reader_init(bytes);

	for (unsigned i = 0; i < IPC_AGES; i++)
		ages->counts[i] = reader_var(&reader, UINT64_MAX);
	return reader_finish(&reader);
}
