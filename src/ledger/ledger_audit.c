/*
 * Messages with an open recipient are kept whole; of the others only that they were, a bit
 * each, in pieces of 4096 ids, which mostly follow each other.
 */
#include "ledger/ledger_audit.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"

enum { PIECE_BITS = 12, PIECE_IDS = 1 << PIECE_BITS };
enum { ENDED = 1, DOUBT = 2 };

struct piece {
	uint64_t number;
	uint64_t closed[PIECE_IDS / 64]; /* all recipients ended */
};

struct open {
	uint64_t id;
	uint32_t rcpt_count, open_count;
	uint32_t open_then; /* when waiting began; 0: it was not there */
	uint32_t waiting;   /* recipients that wait; UINT32_MAX: some number */
	uint8_t rcpts[];    /* ENDED, DOUBT */
};

/* A message that waits and was not known as open when waiting began. */
struct guest {
	uint64_t id, arrival_ms;
	uint32_t rcpts;
};

struct ledger_audit {
	uint64_t since_ms;
	bool whole;
	struct map open, pieces;
	struct guest *guests;
	size_t guest_count, guest_room;
	struct ledger_sums sums;
	struct ledger_fault *faults;
	size_t fault_count, fault_room;
};

struct ledger_audit *
ledger_audit_create(uint64_t since_ms, const uint64_t seed[2])
{
	struct ledger_audit *audit = mem_alloc(sizeof(*audit));

	audit->since_ms = since_ms;
	map_init(&audit->open, seed);
	map_init(&audit->pieces, seed);
	return audit;
}

void
ledger_audit_destroy(struct ledger_audit *audit)
{
	size_t at = 0;
	void *value;

	if (!audit)
		return;
	while ((value = map_next(&audit->open, &at)))
		mem_free(value);
	at = 0;
	while ((value = map_next(&audit->pieces, &at)))
		mem_free(value);
	map_fini(&audit->open);
	map_fini(&audit->pieces);
	mem_free(audit->guests);
	mem_free(audit->faults);
	mem_free(audit);
}

void
ledger_audit_whole(struct ledger_audit *audit)
{
	audit->whole = audit->since_ms == 0;
}

static void
fault(struct ledger_audit *audit, enum ledger_fault_kind kind, uint64_t id, uint32_t rcpts)
{
	audit->sums.faults[kind]++;
	if (audit->fault_count == LEDGER_FAULTS_MAX)
		return;
	if (audit->fault_count == audit->fault_room) {
		audit->fault_room = audit->fault_room ? 2 * audit->fault_room : 64;
		audit->faults = mem_realloc(
		    audit->faults, audit->fault_room * sizeof(*audit->faults));
	}
	audit->faults[audit->fault_count++] = (struct ledger_fault){kind, id, rcpts};
}

static bool
is_closed(const struct ledger_audit *audit, uint64_t id)
{
	const struct piece *piece = map_get_u64(&audit->pieces, id >> PIECE_BITS);

	return piece && piece->closed[id % PIECE_IDS / 64] >> (id % 64) & 1;
}

static void
close_message(struct ledger_audit *audit, struct open *open)
{
	uint64_t id = open->id;
	struct piece *piece = map_get_u64(&audit->pieces, id >> PIECE_BITS);

	if (!piece) {
		piece = mem_alloc(sizeof(*piece));
		piece->number = id >> PIECE_BITS;
		map_set_u64(&audit->pieces, piece->number, piece);
	}
	piece->closed[id % PIECE_IDS / 64] |= UINT64_C(1) << (id % 64);
	map_remove_u64(&audit->open, id);
	mem_free(open);
	audit->sums.open_messages--;
}

static void
take_accepted(struct ledger_audit *audit, const struct ledger_entry *entry)
{
	struct open *open;

	if (entry->wall_ms < audit->since_ms)
		return;
	if (map_get_u64(&audit->open, entry->id) || is_closed(audit, entry->id)) {
		/* What a new ledger finds in a spool it may find again after a crash. */
		if (!(entry->flags & LEDGER_ADOPTED))
			fault(audit, LEDGER_TWICE, entry->id, entry->rcpt_count);
		return;
	}
	open = mem_alloc(sizeof(*open) + entry->rcpt_count);
	open->id = entry->id;
	open->rcpt_count = open->open_count = entry->rcpt_count;
	map_set_u64(&audit->open, entry->id, open);
	audit->sums.messages++;
	audit->sums.bounces += entry->flags & LEDGER_IS_BOUNCE;
	audit->sums.rcpts += entry->rcpt_count;
	audit->sums.open += entry->rcpt_count;
	audit->sums.open_messages++;
}

/* The message of an entry; NULL: it was accepted before, or is none. */
static struct open *
find(struct ledger_audit *audit, const struct ledger_entry *entry)
{
	struct open *open = map_get_u64(&audit->open, entry->id);

	if (open)
		return open;
	if (entry->kind != LEDGER_ENDED)
		return NULL;
	if (is_closed(audit, entry->id))
		fault(audit, LEDGER_TWICE, entry->id, 1);
	else if (audit->whole)
		fault(audit, LEDGER_STRANGER, entry->id, 1);
	else
		audit->sums.earlier++;
	return NULL;
}

static void
end_rcpt(struct ledger_audit *audit, struct open *open, uint32_t index, enum ledger_end end)
{
	audit->sums.ended[end]++;
	audit->sums.open--;
	if (open->rcpts[index] & DOUBT)
		audit->sums.open_doubts--;
	open->rcpts[index] |= ENDED;
	open->open_count--;
}

static void
take_ended(struct ledger_audit *audit, const struct ledger_entry *entry)
{
	struct open *open = find(audit, entry);

	if (!open)
		return;
	if (entry->index >= open->rcpt_count) {
		fault(audit, LEDGER_STRANGER, entry->id, 1);
		return;
	}
	if (open->rcpts[entry->index] & ENDED) {
		fault(audit, LEDGER_TWICE, entry->id, 1);
		return;
	}
	audit->sums.doubts += entry->in_doubt;
	end_rcpt(audit, open, entry->index, entry->end);
	if (open->open_count == 0)
		close_message(audit, open);
}

static void
take_deferred(struct ledger_audit *audit, const struct ledger_entry *entry)
{
	struct open *open = find(audit, entry);

	if (!open || !entry->in_doubt || entry->index >= open->rcpt_count ||
	    open->rcpts[entry->index])
		return;
	open->rcpts[entry->index] |= DOUBT;
	audit->sums.open_doubts++;
}

/* Recipients whose end nobody told; unless that was before there was a ledger, they are missing. */
static void
take_removed(struct ledger_audit *audit, const struct ledger_entry *entry)
{
	struct open *open = find(audit, entry);

	if (!open)
		return;
	if (!(entry->flags & LEDGER_ADOPTED)) {
		fault(audit, LEDGER_MISSING, entry->id, open->open_count);
		audit->sums.open -= open->open_count;
		for (uint32_t i = 0; i < open->rcpt_count; i++)
			audit->sums.open_doubts -= open->rcpts[i] == DOUBT;
	} else {
		for (uint32_t i = 0; i < open->rcpt_count; i++)
			if (!(open->rcpts[i] & ENDED))
				end_rcpt(audit, open, i, LEDGER_UNKNOWN);
	}
	close_message(audit, open);
}

void
ledger_audit_entry(struct ledger_audit *audit, const struct ledger_entry *entry)
{
	switch (entry->kind) {
	case LEDGER_ACCEPTED:
		take_accepted(audit, entry);
		return;
	case LEDGER_ENDED:
		take_ended(audit, entry);
		return;
	case LEDGER_DEFERRED:
		take_deferred(audit, entry);
		return;
	case LEDGER_REMOVED:
		take_removed(audit, entry);
		return;
	case LEDGER_HELD:
	case LEDGER_RELEASED:
	case LEDGER_ASIDE:
	case LEDGER_KIND_END:
		return;
	}
}

void
ledger_audit_waiting_begin(struct ledger_audit *audit)
{
	struct open *open;
	size_t at = 0;

	while ((open = map_next(&audit->open, &at))) {
		open->open_then = open->open_count;
		open->waiting = 0;
	}
	audit->guest_count = 0;
}

void
ledger_audit_waiting(
    struct ledger_audit *audit, uint64_t id, uint64_t arrival_ms, uint32_t rcpts)
{
	struct open *open = map_get_u64(&audit->open, id);

	if (open && open->open_then > 0) {
		open->waiting = rcpts ? rcpts : UINT32_MAX;
		return;
	}
	if (is_closed(audit, id)) {
		fault(audit, LEDGER_UNDEAD, id, rcpts);
		return;
	}
	if (audit->guest_count == audit->guest_room) {
		audit->guest_room = audit->guest_room ? 2 * audit->guest_room : 64;
		audit->guests = mem_realloc(
		    audit->guests, audit->guest_room * sizeof(*audit->guests));
	}
	audit->guests[audit->guest_count++] = (struct guest){id, arrival_ms, rcpts};
}

static bool
lacks_ends(const struct open *open)
{
	return open->open_then > 0 && open->waiting < open->open_count;
}

uint64_t
ledger_audit_suspects(const struct ledger_audit *audit)
{
	const struct open *open;
	uint64_t count = 0;
	size_t at = 0;

	while ((open = map_next(&audit->open, &at)))
		count += lacks_ends(open);
	return count;
}

uint64_t
ledger_audit_end(struct ledger_audit *audit, uint64_t begin_ms)
{
	struct open *open;
	size_t at = 0;
	uint64_t count = 0;

	if (begin_ms < audit->since_ms)
		begin_ms = audit->since_ms;
	while ((open = map_next(&audit->open, &at))) {
		if (open->open_then == 0 || open->waiting == UINT32_MAX)
			continue;
		if (lacks_ends(open))
			fault(audit, LEDGER_MISSING, open->id,
			    open->open_count - open->waiting);
		else if (open->waiting > open->open_then)
			fault(audit, LEDGER_UNDEAD, open->id,
			    open->waiting - open->open_then);
	}
	for (size_t i = 0; i < audit->guest_count; i++) {
		const struct guest *guest = &audit->guests[i];

		if (!map_get_u64(&audit->open, guest->id) && !is_closed(audit, guest->id) &&
		    guest->arrival_ms >= begin_ms)
			fault(audit, LEDGER_STRANGER, guest->id, guest->rcpts);
	}
	for (unsigned i = 0; i < LEDGER_FAULT_COUNT; i++)
		count += audit->sums.faults[i];
	return count;
}

void
ledger_audit_sums(const struct ledger_audit *audit, struct ledger_sums *sums)
{
	*sums = audit->sums;
}

const struct ledger_fault *
ledger_audit_fault(const struct ledger_audit *audit, size_t at)
{
	return at < audit->fault_count ? &audit->faults[at] : NULL;
}
