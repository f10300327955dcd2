/*
 * Start-up: finds out what the log says.
 *
 * First everything is looked at and nothing changed, so that a newer version's
 * spool is refused untouched.  Then the segments are scanned in the order of
 * their sequence, the index is built, what is live is reported, and a new epoch
 * begins.
 */
#include "spool/spool_recovery.h"

#include "base/sim_point.h"

#include <stdio.h>
#include <stdlib.h>

enum { SMALL_BYTES = 64 << 10 };

void
spool_recovery_report(struct recovery *recovery, const struct segment *segment,
    uint64_t offset, uint64_t id)
{
	char name[NAME_BYTES];

	SIM_MARK("spool.damage_reported");
	spool_segment_name(name, segment->number);
	recovery->scan->damaged(recovery->scan->owner, name, offset, id);
}

int
spool_recovery_by_sequence(const void *a, const void *b)
{
	const struct segment *const *left = a, *const *right = b;

	return ((*left)->head.sequence > (*right)->head.sequence) -
	       ((*left)->head.sequence < (*right)->head.sequence);
}

/* Calls each for every message in the order of the log; it may forget the message. */
void
spool_recovery_each(struct recovery *recovery,
    void (*each)(struct recovery *recovery, uint32_t slot, struct spool_message *message))
{
	struct spool *spool = recovery->spool;

	list_for_each (node, &spool->used) {
		struct segment *segment = container_of(node, struct segment, link);
		uint32_t slot, next;

		for (slot = segment->first; slot; slot = next) {
			struct spool_message *message =
			    spool_index_at(&spool->index, slot);

			next = message->newer;
			each(recovery, slot, message);
		}
	}
}

static void
read_segment_head(struct recovery *recovery, struct segment *segment)
{
	struct copies copies;
	enum err err = spool_recovery_copies(
	    segment->file, SPOOL_HEAD_SECOND, SPOOL_HEAD_BYTES, &copies);

	for (int i = 0; i < 2 && !err; i++) {
		struct spool_head head;

		err = spool_head_read(span_of(copies.bytes[i], SPOOL_HEAD_BYTES), &head);
		if (!err && head.sequence > segment->head.sequence)
			segment->head = head;
		segment->second_torn = i == 1 && err == ERR_CORRUPT && !copies.second_blank;
		if (err == ERR_CORRUPT)
			err = OK;
		else if (i == 1 && !err && segment->head.sequence != head.sequence)
			SIM_MARK("spool.second_header_is_older");
	}
	if (err == ERR_VERSION) {
		recovery->err = err;
	} else if (segment->head.sequence) {
		segment->key = spool_key_of(&segment->head);
		segment->state = SEGMENT_USED;
	} else if (!err && copies.second_blank) {
		/* No record is written before the second copy; the first may be torn. */
		if (!copies.blank)
			SIM_MARK("spool.first_header_torn");
		segment->state = SEGMENT_FREE;
	}
}

static void
find_segment(void *owner, const char *name)
{
	struct recovery *recovery = owner;
	struct spool *spool = recovery->spool;
	struct segment *segment;
	struct io_op op = {0};
	char again[NAME_BYTES];
	unsigned number;

	if (recovery->err || sscanf(name, "seg-%8x.log", &number) != 1 ||
	    number >= SEGMENTS_MAX)
		return;
	spool_segment_name(again, (uint16_t)number);
	if (!span_eq(span_str(again), span_str(name)))
		return;
	io_open(spool->dir, &op, name, IO_OPEN_READ | IO_OPEN_WRITE);
	if (op.err) {
		recovery->err = op.err;
		return;
	}
	segment = spool_segment_add(spool, (uint16_t)number);
	segment->file = op.file;
	read_segment_head(recovery, segment);
}

/* Sorts the segments; what cannot be used is reported and left alone. */
static void
sort_segments(struct recovery *recovery)
{
	struct spool *spool = recovery->spool;
	struct segment *last = NULL;
	size_t count = 0;

	recovery->log = mem_alloc((spool->segment_count + 1) * sizeof(*recovery->log));
	for (size_t i = 0; i < spool->segment_count; i++) {
		struct segment *segment = spool->segments[i];

		if (segment && segment->state == SEGMENT_USED)
			recovery->log[count++] = segment;
		else if (segment && segment->state == SEGMENT_DEAD)
			spool_recovery_report(recovery, segment, 0, 0);
	}
	qsort(recovery->log, count, sizeof(*recovery->log), spool_recovery_by_sequence);
	for (size_t i = 0; i < count; i++) {
		struct segment *segment = recovery->log[i];

		if (last && last->head.sequence == segment->head.sequence) {
			/* A copy that somebody made: which is the right one? */
			spool_recovery_report(recovery, segment, 0, 0);
			segment->state = SEGMENT_DEAD;
			continue;
		}
		last = recovery->log[recovery->log_count++] = segment;
		if (segment->head.oldest > recovery->oldest)
			recovery->oldest = segment->head.oldest;
		if (segment->head.epoch > recovery->epoch)
			recovery->epoch = segment->head.epoch;
		spool->sequence = segment->head.sequence;
	}
	spool->durable_oldest = recovery->oldest;
}

/* Scans the log; gives each segment its list. */
static void
scan_log(struct recovery *recovery)
{
	struct spool *spool = recovery->spool;
	bool unreadable = false;

	for (size_t i = 0; i < spool->segment_count; i++)
		if (spool->segments[i] && spool->segments[i]->state == SEGMENT_FREE)
			spool->free_count++,
			    list_push(&spool->free, &spool->segments[i]->link);
	for (size_t i = 0; i < recovery->log_count; i++) {
		struct segment *segment = recovery->log[i];

		segment->state = SEGMENT_DEAD;
		/* A checkpoint lists what was in use, so the others were freed before. */
		if (segment->head.sequence < recovery->oldest ||
		    (segment->head.sequence <= recovery->head.begin >> 32 &&
			!segment->listed)) {
			spool_segment_move(spool, segment, SEGMENT_FREE);
			continue;
		}
		if (segment->head.sequence >= recovery->head.begin >> 32)
			spool_recovery_scan(recovery, i);
		segment->durable = segment->end;
		segment->filled = segment->end >= spool->options.segment_bytes / 2;
		spool_segment_move(spool, segment, SEGMENT_USED);
		if (segment->end > SPOOL_SEGMENT_DATA) {
			recovery->newest = segment;
			unreadable = recovery->unreadable;
		}
	}
	/* Those after the newest record were prepared and not used. */
	for (size_t i = recovery->log_count;
	     i-- > 0 && recovery->log[i] != recovery->newest;)
		if (recovery->log[i]->state == SEGMENT_USED)
			spool_segment_move(spool, recovery->log[i], SEGMENT_FREE);
	recovery->unreadable = unreadable;
}

/* A kill may have come before a sync: what we report and feed must be durable. */
static enum err
sync_log(struct recovery *recovery)
{
	size_t count = recovery->log_count;
	struct io_op op = {0};
	unsigned written = 0;

	/* The batches under way at a time are in the last two segments that have records. */
	for (size_t i = count; i-- > 0 && written < 2 && !op.err;) {
		bool used;

		op.err = spool_recovery_rewrite(recovery, recovery->log[i], &used);
		written += used;
	}
	for (size_t i = count > SEGMENTS_UNSYNCED ? count - SEGMENTS_UNSYNCED : 0;
	     i < count && !op.err; i++)
		io_sync(recovery->log[i]->file, &op);
	return op.err;
}

void
spool_recovery_tell_marks(
    struct recovery *recovery, struct spool_message *message, uint32_t from)
{
	const struct spool_scan *scan = recovery->scan;
	struct span mark;
	uint32_t at;

	for (at = from; at;) {
		struct spool *spool = recovery->spool;
		const struct spool_mark_place *place =
		    spool_index_mark_at(&spool->index, at);
		char *memory = NULL;

		if (spool_read_mark(spool, place, message->id, &memory, &mark) == OK)
			scan->mark(scan->owner, message->id, mark);
		else
			spool_recovery_report(recovery, spool->segments[place->segment],
			    place->offset, message->id);
		mem_free(memory);
		at = place->next;
	}
}

/* The head of a message's record: small ones lie close to each other, in one window. */
static enum err
read_head(struct recovery *recovery, const struct spool_message *message, char **memory,
    struct spool_record *record, struct span *payload)
{
	struct segment *segment = recovery->spool->segments[message->segment];
	uint64_t bytes = SPOOL_RECORD_HEAD + (uint64_t)message->envelope_bytes +
			 message->merged_bytes +
			 (message->flags & SPOOL_IN_FILE ? 8 : 0);
	struct span all;
	enum err err;

	/* The marks that are read meanwhile use other memory, so the span stays. */
	if (bytes > SMALL_BYTES)
		return spool_read_head(
		    recovery->spool, message, memory, record, payload);
	err = spool_recovery_bytes(recovery, segment, message->offset, bytes, &all);
	if (!err)
		err = spool_record_read(all, segment->key, message->offset, record);
	if (err)
		return err;
	*payload = span_skip(all, SPOOL_RECORD_HEAD);
	if (record->id != message->id || payload->len != spool_record_payload(record))
		return ERR_CORRUPT;
	return spool_record_check_payload(record, *payload);
}

static void
tell_message(struct recovery *recovery, uint32_t slot, struct spool_message *message)
{
	struct spool *spool = recovery->spool;
	struct spool_record record;
	struct span payload, merged, mark;
	char *memory = NULL;
	enum err err;

	if (message->flags & SPOOL_TOLD)
		return;
	err = read_head(recovery, message, &memory, &record, &payload);
	if (err) {
		spool_recovery_report(recovery, spool->segments[message->segment],
		    message->offset, message->id);
		spool_recovery_forget(spool, slot);
	} else {
		recovery->scan->message(recovery->scan->owner, message->id,
		    spool_record_envelope(&record, payload),
		    spool_message_body_bytes(message));
		merged = spool_record_marks(&record, payload);
		while (spool_marks_next(&merged, &mark))
			recovery->scan->mark(recovery->scan->owner, message->id, mark);
		spool_recovery_tell_marks(recovery, message, message->first_mark);
	}
	mem_free(memory);
}

/*
 * Whether the newest segment can take more.  Nothing behind its end is a valid
 * record, as all was looked at, so what is appended is never followed by
 * something stale.  But behind a torn batch the records that come would make the
 * gap look like damage; then we begin a fresh segment.
 */
static bool
can_go_on(const struct recovery *recovery)
{
	const struct spool *spool = recovery->spool;

	return recovery->newest && !recovery->unreadable && !recovery->torn &&
	       recovery->newest->head.version == SPOOL_FORMAT_VERSION &&
	       spool->seal.proven == spool->seal.end &&
	       spool->seal.end < spool->options.segment_bytes;
}

static enum err
recover(struct recovery *recovery)
{
	struct spool *spool = recovery->spool;
	enum err err = spool_recovery_read_epoch(recovery);

	if (err)
		return err;
	err = io_dir_list(spool->dir, NULL, find_segment, recovery);
	if (err || recovery->err)
		return err ? err : recovery->err;
	sort_segments(recovery);
	err = sync_log(recovery);
	if (err)
		return err;
	spool_recovery_load(recovery);
	scan_log(recovery);
	err = spool_recovery_files(recovery);
	if (!err)
		err = spool_recovery_write_epoch(recovery);
	if (err)
		return err;
	if (recovery->scan->count)
		recovery->scan->count(recovery->scan->owner, spool->index.count);
	spool_recovery_tell_digests(recovery);
	spool_recovery_each(recovery, tell_message);
	if (can_go_on(recovery))
		spool->head = recovery->newest;
	spool_segment_free_oldest(spool);
	err = spool_segment_prepare_now(spool);
	if (err && err != ERR_NO_SPACE)
		return err;
	/* A full disk: removals must have their place, even behind a torn batch. */
	if (err && !spool->head && recovery->newest && !recovery->unreadable) {
		spool->head = recovery->newest;
		/* What follows must not prove that what was torn was once whole. */
		spool->head->gap = recovery->torn ? SPOOL_SEGMENT_DATA : spool->seal.proven;
	}
	return spool->head ? spool_segment_open_syncs(spool, spool->head) : OK;
}

enum err
spool_recover(struct spool *spool, const struct spool_scan *scan)
{
	static const uint64_t seed[2] = {0};
	struct recovery recovery = {.spool = spool, .scan = scan};
	enum err err;

	map_init(&recovery.files, seed);
	recovery.damages = mem_alloc(DAMAGES_MAX * sizeof(*recovery.damages));
	err = recover(&recovery);
	spool->log_bytes_durable = spool->log_bytes;
	spool->released = scan->since;
	mem_free(recovery.damages);
	io_file_close(recovery.checkpoint);
	mem_free(recovery.part);
	mem_free(recovery.log);
	mem_free(recovery.window);
	mem_free(recovery.orphans);
	map_fini(&recovery.files);
	return err;
}
