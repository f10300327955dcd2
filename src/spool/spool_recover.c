/*
 * Start-up: finds out what the log says.
 *
 * First everything is looked at and nothing changed, so that a newer version's
 * spool is refused untouched.  Then the segments are scanned in the order of
 * their sequence, the index is built, what is live is reported, and a new epoch
 * begins.  The newest segment of the run before is never appended to: what
 * follows its last record may be the torn end of a batch.
 */
#include "spool/spool_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/wire.h"

enum {
	WINDOW_BYTES = 4 << 20,
	EPOCH_SECOND = 4096, /* the other slot of the epoch file */
	DAMAGES_MAX =
	    4096, /* remembered in one segment; beyond that the last is one run */
};

struct damage {
	uint64_t offset, id;
};

struct recovery {
	struct spool *spool;
	const struct spool_scan *scan;
	uint64_t epoch, oldest;
	struct segment **log; /* by sequence */
	size_t log_count;
	enum err err;
	/* of the segment being scanned: */
	struct segment *segment;
	struct damage *damages;
	size_t damage_count;
	uint64_t proven, records;
	char *window;
	uint64_t window_room, window_start, window_bytes;
	/* body files: */
	uint64_t *orphans;
	size_t orphan_count, orphan_room;
	struct map files; /* number → its message's struct spool_file_body */
};

static void
report(struct recovery *recovery, const struct segment *segment, uint64_t offset,
    uint64_t id)
{
	char name[NAME_BYTES];

	spool_segment_name(name, segment->number);
	recovery->scan->damaged(recovery->scan->owner, name, offset, id);
}

static bool
is_zero(const char *at, size_t bytes)
{
	while (bytes && *at == 0) {
		at++;
		bytes--;
	}
	return bytes == 0;
}

/* Two copies of which one may be torn; what both say decides. */
struct copies {
	char bytes[2][SPOOL_HEAD_BYTES];
	bool blank; /* nothing was ever written */
};

static enum err
read_copies(struct io_file *file, uint64_t second, size_t bytes, struct copies *copies)
{
	struct io_op op = {0};

	memset(copies, 0, sizeof(*copies));
	io_pread(file, &op, copies->bytes[0], bytes, 0);
	if (!op.err)
		io_pread(file, &op, copies->bytes[1], bytes, second);
	copies->blank = !op.err && is_zero(copies->bytes[0], bytes) &&
			is_zero(copies->bytes[1], bytes);
	return op.err;
}

static void
read_segment_head(struct recovery *recovery, struct segment *segment)
{
	struct copies copies;
	enum err err =
	    read_copies(segment->file, SPOOL_HEAD_SECOND, SPOOL_HEAD_BYTES, &copies);

	for (int i = 0; i < 2 && !err; i++) {
		struct spool_head head;

		err = spool_head_read(span_of(copies.bytes[i], SPOOL_HEAD_BYTES), &head);
		if (!err && head.sequence > segment->head.sequence)
			segment->head = head;
		if (err == ERR_CORRUPT)
			err = OK;
	}
	if (err == ERR_VERSION) {
		recovery->err = err;
	} else if (segment->head.sequence) {
		segment->key = spool_key_of(&segment->head);
		segment->state = SEGMENT_USED;
	} else if (!err && copies.blank) {
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

static enum err
read_epoch(struct recovery *recovery)
{
	struct io_op op = {0};
	struct copies copies;
	bool found = false;
	enum err err;

	io_open(recovery->spool->dir, &op, "epoch", IO_OPEN_READ);
	if (op.err)
		return op.err == ERR_NOT_FOUND ? OK : op.err;
	err = read_copies(op.file, EPOCH_SECOND, SPOOL_EPOCH_BYTES, &copies);
	for (int i = 0; i < 2 && !err; i++) {
		uint64_t epoch = 0;

		err =
		    spool_epoch_read(span_of(copies.bytes[i], SPOOL_EPOCH_BYTES), &epoch);
		found |= err == OK;
		if (epoch > recovery->epoch)
			recovery->epoch = epoch;
		if (err == ERR_CORRUPT)
			err = OK;
	}
	io_file_close(op.file);
	/* Every segment has the epoch of its header as well. */
	if (!err && !found && !copies.blank)
		recovery->scan->damaged(recovery->scan->owner, "epoch", 0, 0);
	return err;
}

static int
by_sequence(const void *a, const void *b)
{
	const struct segment *const *left = a, *const *right = b;

	return ((*left)->head.sequence > (*right)->head.sequence) -
	       ((*left)->head.sequence < (*right)->head.sequence);
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
			report(recovery, segment, 0, 0);
	}
	qsort(recovery->log, count, sizeof(*recovery->log), by_sequence);
	for (size_t i = 0; i < count; i++) {
		struct segment *segment = recovery->log[i];

		if (last && last->head.sequence == segment->head.sequence) {
			/* A copy that somebody made: which is the right one? */
			report(recovery, segment, 0, 0);
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
		if (op.err || op.count < bytes)
			return op.err ? op.err : ERR_CORRUPT;
	}
	*out =
	    span_of(recovery->window + (offset - recovery->window_start), (size_t)bytes);
	return OK;
}

static void
forget(struct spool *spool, uint32_t slot)
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
		forget(spool, slot);
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
	if (!slot)
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
		by_sequence))
		return;
	(void)snprintf(
	    name, sizeof(name), "segment %llu", (unsigned long long)seal.sequence);
	recovery->scan->damaged(recovery->scan->owner, name, 0, 0);
}

static void
found(void *owner, uint64_t offset, const struct spool_record *record, struct span rest)
{
	struct recovery *recovery = owner;
	uint32_t slot;

	recovery->records++;
	recovery->segment->end = offset + spool_record_bytes(record);
	if (record->batch_start <= offset && record->batch_start > recovery->proven)
		recovery->proven = record->batch_start;
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
			forget(recovery->spool, slot);
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
	char bytes[SPOOL_RECORD_HEAD + SPOOL_SEAL_BYTES];
	struct spool_record record;
	struct io_op op = {0};
	struct span rest = span_of(bytes + SPOOL_RECORD_HEAD, SPOOL_SEAL_BYTES);

	io_pread(segment->file, &op, bytes, sizeof(bytes), SPOOL_SEGMENT_DATA);
	return !op.err && op.count == sizeof(bytes) &&
	       spool_record_read(span_of(bytes, sizeof(bytes)), segment->key,
		   SPOOL_SEGMENT_DATA, &record) == OK &&
	       record.type == SPOOL_SEAL && spool_record_check(&record, rest) == OK &&
	       spool_seal_read(rest, seal) == OK;
}

/* What the segment used after this one says of how this one ended. */
static bool
find_seal(struct recovery *recovery, size_t at, struct spool_seal *seal)
{
	for (size_t next = at + 1; next < recovery->log_count; next++)
		if (seal_in(recovery->log[next], seal))
			return seal->sequence == recovery->log[at]->head.sequence;
	return false;
}

/*
 * What could not be read is damage only where it is proven to have been
 * durable: by a later batch in the same segment, or by the seal.  The rest is
 * the torn end of a batch that nobody was told of.
 */
static void
scan_segment(struct recovery *recovery, size_t at)
{
	struct segment *segment = recovery->log[at];
	uint64_t bytes = io_file_bytes(segment->file);
	struct spool_seal seal = {0};
	bool sealed = find_seal(recovery, at, &seal);
	struct spool_record_scan scan = {
	    .key = segment->key,
	    .start = SPOOL_SEGMENT_DATA,
	    .end = sealed && seal.end < bytes ? seal.end : bytes,
	    .owner = recovery,
	    .load = load,
	    .found = found,
	    .damaged = found_damage,
	};

	recovery->segment = segment;
	recovery->window_bytes = 0;
	recovery->damage_count = 0;
	recovery->records = 0;
	recovery->proven = sealed ? seal.proven : 0;
	segment->end = SPOOL_SEGMENT_DATA;
	spool_record_scan(&scan);
	if (sealed && bytes < seal.end)
		found_damage(recovery, bytes, 0);
	for (size_t i = 0; i < recovery->damage_count; i++)
		if (recovery->damages[i].offset < recovery->proven)
			report(recovery, segment, recovery->damages[i].offset,
			    recovery->damages[i].id);
	if (!recovery->records && !sealed)
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
}

/* Scans the log; gives each segment its list. */
static enum err
scan_log(struct recovery *recovery)
{
	struct spool *spool = recovery->spool;
	struct segment *newest = NULL;
	struct io_op op = {0};

	for (size_t i = 0; i < spool->segment_count; i++)
		if (spool->segments[i] && spool->segments[i]->state == SEGMENT_FREE)
			spool->free_count++,
			    list_push(&spool->free, &spool->segments[i]->link);
	for (size_t i = 0; i < recovery->log_count; i++) {
		struct segment *segment = recovery->log[i];

		segment->state = SEGMENT_DEAD;
		if (segment->head.sequence < recovery->oldest) {
			spool_segment_move(spool, segment, SEGMENT_FREE);
			continue;
		}
		scan_segment(recovery, i);
		segment->durable = segment->end;
		spool_segment_move(spool, segment, SEGMENT_USED);
		if (segment->end > SPOOL_SEGMENT_DATA)
			newest = segment;
	}
	/* Those after the newest record were prepared and not used. */
	for (size_t i = recovery->log_count; i-- > 0 && recovery->log[i] != newest;)
		if (recovery->log[i]->state == SEGMENT_USED)
			spool_segment_move(spool, recovery->log[i], SEGMENT_FREE);
	/* A kill may have come before a sync: what we report must be durable. */
	if (newest)
		io_sync(newest->file, &op);
	return op.err;
}

/* Calls each for every message in the order of the log; it may forget the message. */
static void
each_message(struct recovery *recovery,
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
want_file(struct recovery *recovery, uint32_t slot, struct spool_message *message)
{
	(void)slot;
	if (message->flags & SPOOL_IN_FILE)
		map_set_u64(
		    &recovery->files, message->body.file->number, message->body.file);
}

/* A name in body/: a file that is as long as its message says is no more wanted. */
static void
find_file(void *owner, const char *name)
{
	struct recovery *recovery = owner;
	const struct spool_file_body *body;
	char path[NAME_BYTES];
	unsigned long long number;
	struct io_op op = {0};

	if (sscanf(name, "%16llx", &number) != 1)
		return;
	spool_body_name(path, number);
	if (!span_eq(span_str(path + 5), span_str(name)))
		return;
	body = map_get_u64(&recovery->files, number);
	if (body) {
		io_open(recovery->spool->dir, &op, path, IO_OPEN_READ);
		if (op.err)
			return;
		if (io_file_bytes(op.file) == body->bytes)
			map_remove_u64(&recovery->files, number);
		io_file_close(op.file);
		return;
	}
	if (recovery->orphan_count == recovery->orphan_room) {
		recovery->orphan_room = recovery->orphan_room * 2 + 16;
		recovery->orphans = mem_realloc(recovery->orphans,
		    recovery->orphan_room * sizeof(*recovery->orphans));
	}
	recovery->orphans[recovery->orphan_count++] = number;
}

static void
lose_file(struct recovery *recovery, uint32_t slot, struct spool_message *message)
{
	if (!(message->flags & SPOOL_IN_FILE) ||
	    !map_get_u64(&recovery->files, message->body.file->number))
		return;
	report(recovery, recovery->spool->segments[message->segment], message->offset,
	    message->id);
	forget(recovery->spool, slot);
}

static enum err
check_files(struct recovery *recovery)
{
	struct spool *spool = recovery->spool;
	struct io_op op = {0};
	char name[NAME_BYTES];
	enum err err;

	io_mkdir(spool->dir, &op, "body");
	if (op.err && op.err != ERR_EXISTS)
		return op.err;
	each_message(recovery, want_file);
	err = io_dir_list(spool->dir, "body", find_file, recovery);
	if (err)
		return err;
	if (recovery->files.count)
		each_message(recovery, lose_file);
	for (size_t i = 0; i < recovery->orphan_count; i++) {
		spool_body_name(name, recovery->orphans[i]);
		io_unlink(spool->dir, &op, name);
		err_ignore(op.err, "it is tried again at the next start");
	}
	return OK;
}

static void
tell_marks(struct recovery *recovery, struct spool_message *message, struct span merged)
{
	const struct spool_scan *scan = recovery->scan;
	struct span mark;
	uint32_t at;

	while (spool_marks_next(&merged, &mark))
		scan->mark(scan->owner, message->id, mark);
	for (at = message->first_mark; at;) {
		struct spool *spool = recovery->spool;
		const struct spool_mark_place *place =
		    spool_index_mark_at(&spool->index, at);
		char *memory = NULL;

		if (spool_read_mark(spool, place, message->id, &memory, &mark) == OK)
			scan->mark(scan->owner, message->id, mark);
		else
			report(recovery, spool->segments[place->segment], place->offset,
			    message->id);
		mem_free(memory);
		at = place->next;
	}
}

static void
tell_message(struct recovery *recovery, uint32_t slot, struct spool_message *message)
{
	struct spool *spool = recovery->spool;
	struct spool_record record;
	struct span payload;
	char *memory = NULL;

	if (spool_read_head(spool, message, &memory, &record, &payload)) {
		report(recovery, spool->segments[message->segment], message->offset,
		    message->id);
		forget(spool, slot);
	} else {
		recovery->scan->message(recovery->scan->owner, message->id,
		    spool_record_envelope(&record, payload),
		    spool_message_body_bytes(message));
		tell_marks(recovery, message, spool_record_marks(&record, payload));
	}
	mem_free(memory);
}

/*
 * The file has two slots that are written in turn, so that one of them is whole
 * at any moment, and nothing is asked of a full disk.
 */
static enum err
write_epoch(struct recovery *recovery)
{
	struct spool *spool = recovery->spool;
	char bytes[SPOOL_EPOCH_BYTES];
	struct span span = span_of(bytes, sizeof(bytes));
	struct io_file *file = NULL;
	struct io_op op = {0};

	spool->epoch = recovery->epoch + 1;
	spool_epoch_write(bytes, spool->epoch);
	io_open(spool->dir, &op, "epoch", IO_OPEN_READ | IO_OPEN_WRITE);
	if (op.err == ERR_NOT_FOUND)
		io_open(spool->dir, &op, "epoch",
		    IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
	if (!op.err)
		file = op.file;
	if (file && io_file_bytes(file) < 2 * EPOCH_SECOND)
		io_allocate(file, &op, 2 * EPOCH_SECOND);
	if (!op.err)
		io_pwrite(file, &op, &span, 1, spool->epoch % 2 ? EPOCH_SECOND : 0);
	if (!op.err)
		io_sync(file, &op);
	if (!op.err)
		io_dir_sync(spool->dir, &op, NULL);
	io_file_close(file);
	return op.err;
}

static enum err
recover(struct recovery *recovery)
{
	struct spool *spool = recovery->spool;
	enum err err = read_epoch(recovery);

	if (err)
		return err;
	err = io_dir_list(spool->dir, NULL, find_segment, recovery);
	if (err || recovery->err)
		return err ? err : recovery->err;
	sort_segments(recovery);
	err = scan_log(recovery);
	if (!err)
		err = check_files(recovery);
	if (!err)
		err = write_epoch(recovery);
	if (err)
		return err;
	each_message(recovery, tell_message);
	spool_segment_free_oldest(spool);
	err = spool_segment_prepare_now(spool);
	/* A full disk: what is there can still be read, and we try again later. */
	return err == ERR_NO_SPACE ? OK : err;
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
	mem_free(recovery.damages);
	mem_free(recovery.log);
	mem_free(recovery.window);
	mem_free(recovery.orphans);
	map_fini(&recovery.files);
	return err;
}
