/*
 * Replay: one segment after the other, record by record, into the index; and
 * the judgement on what cannot be read, damage or the torn end of a batch.
 */
#include "spool/spool_recovery.h"

#include "base/sim_point.h"

#include <stdio.h>
#include <stdlib.h>

/* Bodies larger than this are not read. */
enum { WINDOW_BYTES = 256 << 10 };

/* Gives the scan its bytes, through a window that moves over the file. */
static enum err
load(void *owner, uint64_t offset, uint64_t bytes, struct span *out)
{
	struct recovery *recovery = owner;
	struct io_op op = {0};

	if (offset < recovery->window_start ||
	    offset + bytes > recovery->window_start + recovery->window_bytes) {
		if (bytes > recovery->window_room || !recovery->window) {
			mem_free(recovery->window);
			recovery->window_room =
			    bytes > WINDOW_BYTES ? bytes : WINDOW_BYTES;
			recovery->window = mem_alloc((size_t)recovery->window_room);
		}
		recovery->window_start = offset;
		io_pread(recovery->segment->file, &op, recovery->window,
		    (size_t)recovery->window_room, offset);
		if (op.err) /* a bad sector, perhaps not in what is asked for */
			io_pread(recovery->segment->file, &op, recovery->window,
			    (size_t)bytes, offset);
		recovery->window_bytes = op.err ? 0 : op.count;
		recovery->unreadable |= op.err != OK;
		if (op.err || op.count < bytes)
			return op.err ? op.err : ERR_CORRUPT;
	}
	*out =
	    span_of(recovery->window + (offset - recovery->window_start), (size_t)bytes);
	return OK;
}

enum err
spool_recovery_bytes(struct recovery *recovery, struct segment *segment, uint64_t offset,
    uint64_t bytes, struct span *out)
{
	if (recovery->segment != segment)
		recovery->window_bytes = 0;
	recovery->segment = segment;
	return load(recovery, offset, bytes, out);
}

void
spool_recovery_forget(struct spool *spool, uint32_t slot)
{
	struct spool_message *message = spool_index_at(&spool->index, slot);

	if (message->flags & SPOOL_IN_FILE)
		spool->file_bytes -= message->body.file->bytes;
	spool->live_bytes -= message->marks_bytes - message->merged_bytes;
	spool_segment_detach(spool, slot);
	spool_index_remove(&spool->index, slot);
}

static void
found_put(struct recovery *recovery, uint64_t offset, const struct spool_record *record,
    struct span rest)
{
	struct spool *spool = recovery->spool;
	uint32_t slot = spool_index_find(&spool->index, record->id);
	struct spool_message *message;

	if (slot)
		SIM_MARK("spool.move_replaces_put");
	if (slot)
		spool_recovery_forget(spool, slot);
	slot = spool_index_add(&spool->index, record->id);
	message = spool_index_at(&spool->index, slot);
	message->offset = (uint32_t)offset;
	message->body_crc = record->body_crc;
	message->envelope_bytes = record->envelope_bytes;
	message->merged_bytes = message->marks_bytes = record->marks_bytes;
	message->body.bytes = record->body_bytes;
	if (record->flags & SPOOL_BODY_FILE) {
		message->flags |= SPOOL_IN_FILE;
		message->body.file = mem_alloc(sizeof(*message->body.file));
		message->body.file->number = spool_record_file(record, rest);
		message->body.file->bytes = record->body_bytes;
		spool->file_bytes += record->body_bytes;
	}
	spool_segment_attach(spool, recovery->segment, slot);
}

/* Whether the checkpoint told of this mark already. */
static bool
is_known(const struct recovery *recovery, uint32_t slot, uint64_t offset)
{
	const struct spool *spool = recovery->spool;
	uint32_t last = spool_index_at(&spool->index, slot)->last_mark;
	const struct spool_mark_place *place;

	if (!last)
		return false;
	place = spool_index_mark_at(&spool->index, last);
	return spool_position(spool->segments[place->segment], place->offset) >=
	       spool_position(recovery->segment, offset);
}

static void
found_mark(struct recovery *recovery, uint64_t offset, const struct spool_record *record)
{
	struct spool *spool = recovery->spool;
	uint32_t slot = spool_index_find(&spool->index, record->id);
	uint32_t bytes = SPOOL_RECORD_HEAD + record->envelope_bytes;
	struct spool_mark_place place = {
	    .offset = (uint32_t)offset,
	    .bytes = record->envelope_bytes,
	    .segment = recovery->segment->number,
	};

	/* Of a message that was in a segment since freed, or is damaged. */
	if (!slot || is_known(recovery, slot, offset))
		return;
	spool_index_mark(&spool->index, spool_index_at(&spool->index, slot), &place);
	spool_index_at(&spool->index, slot)->marks_bytes += bytes;
	spool->live_bytes += bytes;
}

/* A seal names the segment before; one that is gone took its records with it. */
static void
found_seal(struct recovery *recovery, struct span rest)
{
	struct segment wanted = {0}, *key = &wanted;
	struct spool_seal seal;
	char name[NAME_BYTES];

	if (spool_seal_read(rest, &seal) || seal.sequence == 0 ||
	    seal.sequence < recovery->oldest)
		return;
	wanted.head.sequence = seal.sequence;
	if (bsearch(&key, recovery->log, recovery->log_count, sizeof(*recovery->log),
		spool_recovery_by_sequence))
		return;
	(void)snprintf(
	    name, sizeof(name), "segment %llu", (unsigned long long)seal.sequence);
	SIM_MARK("spool.segment_missing");
	recovery->scan->damaged(recovery->scan->owner, name, 0, 0);
}

static void
feed(struct recovery *recovery, const struct spool_record *record, struct span rest)
{
	const struct spool_feed *to = &recovery->spool->options.feed;
	uint64_t position = spool_position(recovery->segment, recovery->segment->end);

	if (record->type == SPOOL_MOVE || record->type == SPOOL_SEAL)
		return;
	recovery->segment->fed = recovery->spool->fed = position;
	if (to->record && position > recovery->scan->since)
		to->record(to->owner, position, record->type, record->id,
		    spool_record_envelope(record, rest), record->body_bytes);
}

void
spool_recovery_saw(struct recovery *recovery, uint64_t id)
{
	uint64_t epoch = id >> SPOOL_ID_EPOCH_SHIFT;

	if (epoch > recovery->epoch)
		recovery->epoch = epoch;
}

static void
found(void *owner, uint64_t offset, const struct spool_record *record, struct span rest)
{
	struct recovery *recovery = owner;
	uint32_t slot;

	recovery->records++;
	spool_recovery_saw(recovery, record->id);
	recovery->segment->end = offset + spool_record_bytes(record);
	if (record->durable <= offset && record->durable > recovery->proven)
		recovery->proven = record->durable;
	feed(recovery, record, rest);
	switch (record->type) {
	case SPOOL_PUT:
	case SPOOL_MOVE:
		found_put(recovery, offset, record, rest);
		break;
	case SPOOL_MARK:
		found_mark(recovery, offset, record);
		break;
	case SPOOL_REMOVE:
		slot = spool_index_find(&recovery->spool->index, record->id);
		if (slot)
			spool_recovery_forget(recovery->spool, slot);
		break;
	case SPOOL_SEAL:
		found_seal(recovery, rest);
		break;
	}
}

static void
found_damage(void *owner, uint64_t offset, uint64_t id)
{
	struct recovery *recovery = owner;

	if (recovery->damage_count < DAMAGES_MAX)
		recovery->damages[recovery->damage_count++] = (struct damage){offset, id};
}

/* The seal at the start of a segment; false where it has none (it was never used). */
static bool
seal_in(const struct segment *segment, struct spool_seal *seal)
{
	char bytes[SPOOL_RECORD_HEAD + SPOOL_SEAL_BYTES] = {0};
	struct spool_record record;
	struct io_op op = {0};
	struct span rest = span_of(bytes + SPOOL_RECORD_HEAD, SPOOL_SEAL_BYTES);

	io_pread(segment->file, &op, bytes, sizeof(bytes), SPOOL_SEGMENT_DATA);
	if (op.err || op.count != sizeof(bytes) ||
	    spool_record_read(span_of(bytes, sizeof(bytes)), segment->key,
		SPOOL_SEGMENT_DATA, &record) ||
	    record.type != SPOOL_SEAL || spool_record_check(&record, rest) ||
	    spool_seal_read(rest, seal))
		return false;
	/* In version 1 batches did not overlap: only a start-up left a part unproven. */
	seal->torn = record.flags & SPOOL_TORN || segment->head.version < 2;
	return true;
}

/* The segment used after this one, which says how this one ended; NULL where none does. */
static struct segment *
find_seal(struct recovery *recovery, size_t at, struct spool_seal *seal)
{
	for (size_t next = at + 1; next < recovery->log_count; next++)
		if (seal_in(recovery->log[next], seal))
			return seal->sequence == recovery->log[at]->head.sequence
				   ? recovery->log[next]
				   : NULL;
	return NULL;
}

/* A look through a segment at what its records say was durable. */
struct proof {
	struct recovery *recovery;
	struct spool_record_scan scan;
	bool any_is_enough;
	uint64_t durable;
	uint64_t end; /* of the last record */
};

static enum err
proof_load(void *owner, uint64_t offset, uint64_t bytes, struct span *out)
{
	struct proof *proof = owner;

	return load(proof->recovery, offset, bytes, out);
}

static void
proof_found(
    void *owner, uint64_t offset, const struct spool_record *record, struct span rest)
{
	struct proof *proof = owner;

	(void)rest;
	proof->end = offset + spool_record_bytes(record);
	if (record->durable <= offset && record->durable > proof->durable)
		proof->durable = record->durable;
	proof->scan.stop =
	    proof->any_is_enough && proof->durable > SPOOL_SEGMENT_DATA;
}

static void
proof_damaged(void *owner, uint64_t offset, uint64_t id)
{
	(void)owner;
	(void)offset;
	(void)id;
}

/*
 * Up to where a segment's own records prove it; any: only whether they prove something.
 * end, where it is not NULL: where the last of them ends.
 */
static uint64_t
proven_within(
    struct recovery *recovery, struct segment *segment, bool any, uint64_t *end)
{
	struct segment *current = recovery->segment;
	struct proof proof = {
	    .recovery = recovery,
	    .any_is_enough = any,
	    .durable = SPOOL_SEGMENT_DATA,
	    .scan =
		{
		    .key = segment->key,
		    .start = SPOOL_SEGMENT_DATA,
		    .end = io_file_bytes(segment->file),
		    .bodies_from = UINT64_MAX,
		    .load = proof_load,
		    .found = proof_found,
		    .damaged = proof_damaged,
		},
	};

	proof.scan.owner = &proof;
	recovery->segment = segment;
	recovery->window_bytes = 0;
	spool_record_scan(&proof.scan);
	recovery->segment = current;
	recovery->window_bytes = 0;
	if (end)
		*end = proof.end;
	return proof.durable;
}

enum err
spool_recovery_rewrite(struct recovery *recovery, struct segment *segment, bool *used)
{
	struct spool_seal seal;
	struct io_op op = {0};
	uint64_t at, end = 0;
	char *memory;

	*used = seal_in(segment, &seal);
	if (!*used)
		return OK;
	at = proven_within(recovery, segment, false, &end);
	memory = mem_alloc(WINDOW_BYTES);
	while (at < end && !op.err) {
		uint64_t bytes = end - at < WINDOW_BYTES ? end - at : WINDOW_BYTES;
		struct span span = span_of(memory, (size_t)bytes);

		io_pread(segment->file, &op, memory, (size_t)bytes, at);
		if (!op.err && op.count == bytes)
			io_pwrite(segment->file, &op, &span, 1, at);
		else
			op.err = OK; /* the scan will tell */
		at += bytes;
	}
	mem_free(memory);
	return op.err;
}

/*
 * Whether a whole segment is proven by what came after it in the same run: batches
 * become durable in order.  A later run proves nothing, as it goes on behind a torn
 * end; it takes a fresh segment then.
 */
static bool
is_proven_later(struct recovery *recovery, size_t at, const struct segment *sealing)
{
	for (size_t next = at + 1; next < recovery->log_count; next++) {
		struct segment *segment = recovery->log[next];

		if (segment->head.sequence < sealing->head.sequence)
			continue;
		if (segment->head.epoch != sealing->head.epoch)
			return false;
		if (proven_within(recovery, segment, true, NULL) > SPOOL_SEGMENT_DATA)
			return true;
	}
	return false;
}

/* Tells the damage of the segment that was scanned from its torn end, and reports it. */
static void
judge(struct recovery *recovery, size_t at, const struct segment *sealing,
    const struct spool_seal *seal)
{
	struct segment *segment = recovery->segment;
	bool open = false;

	for (size_t i = 0; i < recovery->damage_count; i++)
		open |= recovery->damages[i].offset >= recovery->proven;
	if (open && sealing && !seal->torn && is_proven_later(recovery, at, sealing))
		recovery->proven = seal->end;
	for (size_t i = 0; i < recovery->damage_count; i++) {
		const struct damage *damage = &recovery->damages[i];

		if (damage->offset >= recovery->proven)
			SIM_MARK("spool.torn_end");
		if (damage->offset < recovery->proven)
			spool_recovery_report(
			    recovery, segment, damage->offset, damage->id);
		else if (sealing && !seal->torn)
			recovery->torn = true;
	}
}

/* Where the replay of a segment begins: what is before is in the checkpoint. */
static uint64_t
start_of(const struct recovery *recovery, const struct segment *segment)
{
	return segment->head.sequence == recovery->head.begin >> 32
		   ? recovery->head.begin & UINT32_MAX
		   : SPOOL_SEGMENT_DATA;
}

/*
 * What could not be read is damage only where it is proven to have been
 * durable: by a later batch, or by the seal.  The rest is the torn end of batches that
 * nobody was told of.  Of what is proven bodies are not read here.
 */
void
spool_recovery_scan(struct recovery *recovery, size_t at)
{
	struct segment *segment = recovery->log[at];
	uint64_t bytes = io_file_bytes(segment->file);
	uint64_t start = start_of(recovery, segment);
	struct spool_seal seal = {0};
	struct segment *sealing = find_seal(recovery, at, &seal);
	struct spool_record_scan scan = {
	    .key = segment->key,
	    .start = start,
	    .end = sealing && seal.end < bytes ? seal.end : bytes,
	    .owner = recovery,
	    .load = load,
	    .found = found,
	    .damaged = found_damage,
	};

	recovery->segment = segment;
	recovery->window_bytes = 0;
	recovery->damage_count = 0;
	recovery->records = 0;
	recovery->unreadable = false;
	recovery->proven = sealing ? seal.proven : proven_within(recovery, segment, false, NULL);
	if (recovery->proven < start)
		recovery->proven = start;
	scan.bodies_from = recovery->proven;
	segment->end = start;
	spool_record_scan(&scan);
	if (sealing && bytes < seal.end)
		found_damage(recovery, bytes, 0);
	judge(recovery, at, sealing, &seal);
	recovery->spool->log_bytes += segment->end - start;
	if (!recovery->records && !sealing && start == SPOOL_SEGMENT_DATA)
		return;
	recovery->spool->seal = (struct spool_seal){
	    .sequence = segment->head.sequence,
	    .end = segment->end,
	    .proven = segment->end,
	};
	for (size_t i = recovery->damage_count; i-- > 0;)
		if (recovery->damages[i].offset >= recovery->proven &&
		    recovery->damages[i].offset < segment->end)
			recovery->spool->seal.proven = recovery->damages[i].offset;
	recovery->spool->seal.torn =
	    recovery->spool->seal.proven < recovery->spool->seal.end;
}
