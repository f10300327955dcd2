/*
 * The read-only scan: the records of one segment after the other, and the
 * judgement on what is none.  A hole is damage where it is proven to have been
 * durable: by a later batch in the same segment, or by the next segment's seal.
 */
#include "base/wire.h"
#include "spool/spool_verify_internal.h"

/* What is between where reading goes on and the end, before anything is believed. */
struct measure {
	struct spool_verify *verify;
	uint64_t hole; /* the first; UINT64_MAX: none */
	uint64_t prefix; /* after the last record before it */
	uint64_t last; /* after the last record */
	uint64_t proven;
	bool any; /* stops where anything is proven */
	struct spool_record_scan scan;
};

/* What later segments say of one. */
struct after {
	const struct verify_segment *next; /* in use after it; NULL: none is */
	bool sealed; /* and says how this one ended: */
	struct spool_seal seal;
};

/* A reading that believes. */
struct reading {
	struct spool_verify *verify;
	struct verify_segment *segment;
	char name[SPOOL_FILE_NAME_BYTES];
	uint64_t proven;
	uint64_t bodies_from; /* of records that end at most here a bad body is a bad body alone */
	size_t open; /* the problem whose end is not known yet: its place, plus 1 */
};

static enum err
load(void *owner, uint64_t offset, uint64_t bytes, struct span *out)
{
	struct measure *measure = owner;

	return spool_verify_load(measure->verify, offset, bytes, out);
}

static void
measure_found(
    void *owner, uint64_t offset, const struct spool_record *record, struct span rest)
{
	struct measure *measure = owner;

	(void)rest;
	measure->last = offset + spool_record_bytes(record);
	if (measure->hole == UINT64_MAX)
		measure->prefix = measure->last;
	if (record->durable <= offset && record->durable > measure->proven)
		measure->proven = record->durable;
	measure->scan.stop = measure->any && measure->proven > SPOOL_SEGMENT_DATA;
}

static void
measure_damaged(void *owner, uint64_t offset, uint64_t id)
{
	struct measure *measure = owner;

	(void)id;
	if (measure->hole == UINT64_MAX)
		measure->hole = offset;
}

static void
measure_segment(
    struct measure *measure, const struct verify_segment *segment, uint64_t end)
{
	measure->scan = (struct spool_record_scan){
	    .key = segment->key,
	    .start = segment->at,
	    .end = end,
	    .owner = measure,
	    .load = load,
	    .found = measure_found,
	    .damaged = measure_damaged,
	};
	measure->hole = UINT64_MAX;
	measure->prefix = measure->last = segment->at;
	measure->proven = segment->proven;
	if (end > segment->at)
		spool_record_scan(&measure->scan);
}

static void
forget(struct spool_verify *verify, uint32_t slot)
{
	struct spool_message *message = spool_index_at(&verify->index, slot);

	if (message->flags & SPOOL_IN_FILE) {
		verify->numbers.body_files--;
		verify->numbers.body_file_bytes -= message->body.file->bytes;
	}
	spool_index_remove(&verify->index, slot);
}

/* What was damaged is here again, or over. */
static void
mend(struct spool_verify *verify, uint64_t id)
{
	size_t at = (size_t)(uintptr_t)map_remove_u64(&verify->by_id, id);

	if (at)
		verify->problems[at - 1].loss = SPOOL_LOST_NOTHING;
}

static void
take_put(struct reading *reading, uint64_t offset, const struct spool_record *record,
    struct span rest)
{
	struct spool_verify *verify = reading->verify;
	uint32_t slot = spool_index_find(&verify->index, record->id);
	struct spool_message *message;

	mend(verify, record->id);
	if (slot)
		forget(verify, slot);
	slot = spool_index_add(&verify->index, record->id);
	message = spool_index_at(&verify->index, slot);
	message->segment = reading->segment->number;
	message->offset = (uint32_t)offset;
	message->body_crc = record->body_crc;
	message->envelope_bytes = record->envelope_bytes;
	message->merged_bytes = record->marks_bytes;
	message->body.bytes = record->body_bytes;
	if (!(record->flags & SPOOL_BODY_FILE))
		return;
	message->flags |= SPOOL_IN_FILE;
	message->body.file = mem_alloc(sizeof(*message->body.file));
	message->body.file->number = spool_record_file(record, rest);
	message->body.file->bytes = record->body_bytes;
	verify->numbers.body_files++;
	verify->numbers.body_file_bytes += record->body_bytes;
}

static void
take_mark(struct reading *reading, uint64_t offset, const struct spool_record *record)
{
	struct spool_verify *verify = reading->verify;
	uint32_t slot = spool_index_find(&verify->index, record->id);
	const struct spool_mark_place place = {
	    .offset = (uint32_t)offset,
	    .bytes = record->envelope_bytes,
	    .segment = reading->segment->number,
	};

	/* Of a message that was in a segment since freed, or is damaged. */
	if (slot)
		spool_index_mark(
		    &verify->index, spool_index_at(&verify->index, slot), &place);
}

/* A seal names the segment before; one that is gone took its records with it. */
static void
take_seal(struct reading *reading, struct span rest)
{
	struct spool_verify *verify = reading->verify;
	struct spool_problem *problem;
	struct spool_seal seal;

	if (spool_seal_read(rest, &seal) || seal.sequence == 0 ||
	    seal.sequence < verify->oldest)
		return;
	for (size_t i = 0; i < verify->log_count; i++)
		if (verify->log[i]->head.sequence == seal.sequence)
			return;
	/* A running server frees segments: only at the first look all must be there. */
	if (verify->options.running && verify->passed)
		return;
	problem =
	    spool_verify_note(verify, SPOOL_GONE_SEGMENT, reading->name, seal.sequence);
	if (problem)
		problem->loss = SPOOL_LOST_UNKNOWN;
}

static void
tell_record(struct reading *reading, uint64_t end, const struct spool_record *record,
    struct span rest)
{
	const struct spool_verify_options *options = &reading->verify->options;
	bool put = record->type == SPOOL_PUT;

	if (!options->record || record->type == SPOOL_MOVE || record->type == SPOOL_SEAL)
		return;
	options->record(options->owner, reading->segment->head.sequence << 32 | end,
	    record->type, record->id,
	    put ? spool_record_envelope(record, rest)
		: span_first(rest, record->envelope_bytes),
	    put ? record->body_bytes : 0);
}

static void
close_problem(struct reading *reading, uint64_t offset)
{
	if (reading->open) {
		struct spool_problem *problem =
		    &reading->verify->problems[reading->open - 1];

		problem->bytes = offset - problem->offset;
	}
	reading->open = 0;
}

static void
found(void *owner, uint64_t offset, const struct spool_record *record, struct span rest)
{
	struct reading *reading = owner;
	struct spool_verify *verify = reading->verify;
	uint64_t end = offset + spool_record_bytes(record);
	uint32_t slot;

	close_problem(reading, offset);
	reading->segment->end = end;
	verify->numbers.records[record->type]++;
	verify->numbers.log_bytes += spool_record_bytes(record);
	tell_record(reading, end, record, rest);
	switch (record->type) {
	case SPOOL_PUT:
	case SPOOL_MOVE:
		take_put(reading, offset, record, rest);
		break;
	case SPOOL_MARK:
		take_mark(reading, offset, record);
		break;
	case SPOOL_REMOVE:
		mend(verify, record->id);
		slot = spool_index_find(&verify->index, record->id);
		if (slot)
			forget(verify, slot);
		break;
	case SPOOL_SEAL:
		take_seal(reading, rest);
		break;
	}
}

static enum err
reading_load(void *owner, uint64_t offset, uint64_t bytes, struct span *out)
{
	struct reading *reading = owner;

	return spool_verify_load(reading->verify, offset, bytes, out);
}

/* What is lost with a damaged record, as far as its header tells. */
static enum spool_loss
loss_of(struct reading *reading, struct spool_problem *problem)
{
	uint64_t id = problem->id;
	struct spool_record record;
	struct span bytes;
	enum err err = spool_verify_load(
	    reading->verify, problem->offset, SPOOL_RECORD_HEAD, &bytes);

	if (err && err != ERR_CORRUPT)
		problem->err = err;
	if (err || spool_record_read(
		       bytes, reading->segment->key, problem->offset, &record))
		return SPOOL_LOST_UNKNOWN;
	switch (record.type) {
	case SPOOL_PUT:
		return SPOOL_LOST_MESSAGE;
	case SPOOL_MOVE:
		/* Where the one before is still there it holds, but for what came since. */
		return spool_index_find(&reading->verify->index, id) ? SPOOL_LOST_MARK
								     : SPOOL_LOST_MESSAGE;
	case SPOOL_MARK:
		return spool_index_find(&reading->verify->index, id) ? SPOOL_LOST_MARK
								     : SPOOL_LOST_NOTHING;
	case SPOOL_REMOVE:
		return spool_index_find(&reading->verify->index, id)
			   ? SPOOL_LOST_REMOVAL
			   : SPOOL_LOST_NOTHING;
	case SPOOL_SEAL:
		break;
	}
	return SPOOL_LOST_NOTHING;
}

/*
 * Where envelope and marks of a proven record are right the message lives, as at start-up,
 * and is set aside when its body is read.
 */
static bool
is_body_alone(struct reading *reading, uint64_t offset)
{
	struct spool_verify *verify = reading->verify;
	struct spool_record record;
	struct span bytes, payload;

	if (spool_verify_load(verify, offset, SPOOL_RECORD_HEAD, &bytes) ||
	    spool_record_read(bytes, reading->segment->key, offset, &record) ||
	    (record.type != SPOOL_PUT && record.type != SPOOL_MOVE) ||
	    offset + spool_record_bytes(&record) > reading->bodies_from ||
	    spool_verify_load(verify, offset + SPOOL_RECORD_HEAD,
		spool_record_payload(&record), &payload) ||
	    spool_record_check_payload(&record, payload))
		return false;
	tell_record(reading, offset + spool_record_bytes(&record), &record, payload);
	take_put(reading, offset, &record, payload);
	reading->segment->end = offset + spool_record_bytes(&record);
	verify->numbers.records[record.type]++;
	return true;
}

static void
damaged(void *owner, uint64_t offset, uint64_t id)
{
	struct reading *reading = owner;
	struct spool_verify *verify = reading->verify;
	bool durable = offset < reading->proven, body_alone;
	struct spool_problem *problem;

	close_problem(reading, offset);
	body_alone = durable && is_body_alone(reading, offset);
	problem = spool_verify_note(
	    verify, durable ? SPOOL_BAD_RECORD : SPOOL_TORN_END, reading->name, offset);
	if (!problem)
		return;
	reading->open = verify->problem_count;
	problem->id = id;
	if (!durable)
		return;
	if (body_alone) {
		problem->kind = SPOOL_BAD_BODY;
		problem->loss = SPOOL_LOST_MESSAGE;
	} else {
		problem->loss = loss_of(reading, problem);
	}
	if (problem->loss != SPOOL_LOST_NOTHING && id)
		map_set_u64(
		    &verify->by_id, id, (void *)(uintptr_t)verify->problem_count);
}

/* The seal at the start of a segment; false where it has none (it was never used). */
static bool
seal_in(struct spool_verify *verify, const struct verify_segment *segment,
    struct spool_seal *seal)
{
	struct spool_record record;
	struct span bytes;

	if (spool_verify_use(verify, segment->number) ||
	    spool_verify_load(verify, SPOOL_SEGMENT_DATA,
		SPOOL_RECORD_HEAD + SPOOL_SEAL_BYTES, &bytes) ||
	    spool_record_read(bytes, segment->key, SPOOL_SEGMENT_DATA, &record) ||
	    record.type != SPOOL_SEAL ||
	    spool_record_check(&record, span_skip(bytes, SPOOL_RECORD_HEAD)) ||
	    spool_seal_read(span_skip(bytes, SPOOL_RECORD_HEAD), seal))
		return false;
	/* In version 1 batches did not overlap: only a start-up left a part unproven. */
	seal->torn = record.flags & SPOOL_TORN || segment->head.version < 2;
	return true;
}

static struct after
look_after(struct spool_verify *verify, size_t at)
{
	struct after after = {0};

	for (size_t next = at + 1; next < verify->log_count && !after.next; next++)
		if (seal_in(verify, verify->log[next], &after.seal))
			after.next = verify->log[next];
	after.sealed = after.next &&
		       after.seal.sequence == verify->log[at]->head.sequence;
	return after;
}

/*
 * Whether a whole segment is proven by what came after it in the same run: batches become durable
 * in order.  A later run proves nothing.
 */
static bool
is_proven_later(struct spool_verify *verify, size_t at, const struct after *after)
{
	for (size_t next = at + 1; next < verify->log_count; next++) {
		const struct verify_segment *segment = verify->log[next];
		struct verify_segment whole = *segment;
		struct measure measure = {.verify = verify, .any = true};

		if (segment->head.sequence < after->next->head.sequence)
			continue;
		if (segment->head.epoch != after->next->head.epoch)
			return false;
		whole.at = SPOOL_SEGMENT_DATA;
		whole.proven = 0;
		if (spool_verify_use(verify, segment->number))
			return false;
		measure_segment(&measure, &whole, whole.bytes);
		if (measure.proven > SPOOL_SEGMENT_DATA)
			return true;
	}
	return false;
}

/* Reads with belief up to a limit. */
static void
read_to(struct spool_verify *verify, struct verify_segment *segment, uint64_t proven,
    uint64_t bodies_from, uint64_t limit)
{
	struct reading reading = {
	    .verify = verify,
	    .segment = segment,
	    .proven = proven,
	    .bodies_from = bodies_from,
	};
	struct spool_record_scan scan = {
	    .key = segment->key,
	    .start = segment->at,
	    .end = limit,
	    .owner = &reading,
	    .load = reading_load,
	    .found = found,
	    .damaged = damaged,
	};
	uint64_t start = segment->at;

	spool_verify_name(reading.name, segment->number);
	if (limit <= segment->at)
		return;
	spool_record_scan(&scan);
	close_problem(&reading, limit);
	segment->at = limit;
	segment->proven = proven;
	if (segment->end > SPOOL_SEGMENT_DATA)
		verify->numbers.position = segment->head.sequence << 32 | segment->end;
	if (verify->options.read)
		verify->options.read(verify->options.owner, reading.name,
		    segment->head.sequence, start, limit);
}

/*
 * Up to where a segment of a running server may be believed.  The log has no holes but those of
 * crashes and damage; one that is seen for some time is believed.
 */
static uint64_t
running_limit(struct spool_verify *verify, struct verify_segment *segment,
    const struct measure *measure, bool followed, uint64_t end)
{
	bool hole = measure->hole < (followed ? end : measure->proven);

	if (hole && ++segment->doubts < SPOOL_VERIFY_DOUBTS) {
		verify->doubtful = true;
		return measure->prefix;
	}
	segment->over = followed;
	if (followed)
		return end;
	return hole ? measure->last : measure->prefix;
}

/* What was found in the segment that is being read is void. */
static void
drop_problems(struct spool_verify *verify)
{
	while (verify->problem_count > verify->first_problem) {
		const struct spool_problem *problem =
		    &verify->problems[--verify->problem_count];
		uintptr_t at = (uintptr_t)map_get_u64(&verify->by_id, problem->id);

		if (spool_problem_is_damage(problem))
			verify->numbers.damages--;
		if (at == verify->problem_count + 1)
			map_remove_u64(&verify->by_id, problem->id);
	}
}

/*
 * Behind the last record a segment is blank, or holds what an earlier use of the file left.  Only
 * where a record of this use was begun did a batch tear.
 */
static void
drop_unused_end(struct spool_verify *verify, const struct verify_segment *segment,
    const struct measure *measure)
{
	const struct spool_problem *last;
	struct span bytes;

	if (verify->problem_count == verify->first_problem)
		return;
	last = &verify->problems[verify->problem_count - 1];
	if (last->kind == SPOOL_TORN_END && last->offset >= measure->last &&
	    (spool_verify_load(verify, last->offset, 4, &bytes) ||
		wire_get_u32(bytes.ptr) != segment->key.magic))
		verify->problem_count--;
}

/* The file ends before what the seal says was written. */
static void
note_short(struct spool_verify *verify, const struct verify_segment *segment,
    const struct spool_seal *seal)
{
	char name[SPOOL_FILE_NAME_BYTES];
	struct spool_problem *problem;

	spool_verify_name(name, segment->number);
	problem = spool_verify_note(verify, SPOOL_GONE_END, name, segment->bytes);
	if (!problem)
		return;
	problem->loss = SPOOL_LOST_UNKNOWN;
	problem->bytes = seal->end - segment->bytes;
}

/* Opens the segment's file.  One that is unlinked meanwhile holds nothing any more. */
static bool
use(struct spool_verify *verify, const struct verify_segment *segment)
{
	enum err err = spool_verify_use(verify, segment->number);

	if (err == ERR_NOT_FOUND && verify->options.running)
		verify->doubtful = true;
	else if (err)
		verify->err = err;
	return err == OK;
}

/* Reads on in a segment of which nothing is known but where it may end. */
static bool
read_on(struct spool_verify *verify, size_t at, const struct after *after, uint64_t end)
{
	struct verify_segment *segment = verify->log[at];
	struct measure measure = {.verify = verify};
	uint64_t limit = end, bodies_from;

	if (!use(verify, segment))
		return false;
	measure_segment(&measure, segment, end);
	bodies_from = after->sealed ? after->seal.proven : measure.proven;
	if (after->sealed && after->seal.proven > measure.proven)
		measure.proven = after->seal.proven;
	if (after->sealed && !after->seal.torn && measure.proven < end &&
	    measure.hole < end && is_proven_later(verify, at, after))
		measure.proven = after->seal.end;
	if (!use(verify, segment))
		return false;
	if (verify->options.running)
		limit =
		    running_limit(verify, segment, &measure, after->next != NULL, end);
	else
		segment->over = true;
	read_to(verify, segment, measure.proven, bodies_from, limit);
	drop_unused_end(verify, segment, &measure);
	return true;
}

bool
spool_verify_segment(struct spool_verify *verify, size_t at)
{
	struct verify_segment *segment = verify->log[at];
	uint64_t end = segment->bytes;
	struct after after;

	if (segment->over)
		return true;
	after = look_after(verify, at);
	if (after.sealed && after.seal.end < end)
		end = after.seal.end;
	verify->first_problem = verify->problem_count;
	if (!read_on(verify, at, &after, end))
		return false;
	if (after.sealed && segment->bytes < after.seal.end && segment->over)
		note_short(verify, segment, &after.seal);
	if (verify->options.running && !spool_verify_is_same(verify, segment)) {
		/* The next look says so, and what lived in it is found further on. */
		drop_problems(verify);
		segment->over = false;
		verify->doubtful = true;
		return true;
	}
	return segment->over;
}
