/* The read-only scan: which files there are, and what their headers say. */
#include "spool/spool_verify_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { EPOCH_SECOND = 4096, NUMBER_MAX = 65535 };

static bool
is_zero(const char *at, size_t bytes)
{
	while (bytes && *at == 0) {
		at++;
		bytes--;
	}
	return bytes == 0;
}

static bool
is_head(const char bytes[SPOOL_HEAD_BYTES])
{
	struct spool_head head;

	return spool_head_read(span_of(bytes, SPOOL_HEAD_BYTES), &head) == OK;
}

/* Both copies of a segment's header, of which the higher counts. */
static enum err
read_heads(struct io_file *file, struct verify_segment *found)
{
	char bytes[2][SPOOL_HEAD_BYTES] = {{0}};
	struct io_op op = {0};
	unsigned sound = 0;

	io_pread(file, &op, bytes[0], SPOOL_HEAD_BYTES, 0);
	if (!op.err)
		io_pread(file, &op, bytes[1], SPOOL_HEAD_BYTES, SPOOL_HEAD_SECOND);
	if (op.err)
		return op.err;
	found->bytes = io_file_bytes(file);
	found->blank = is_zero(bytes[1], SPOOL_HEAD_BYTES);
	for (int i = 0; i < 2; i++) {
		struct spool_head head;
		enum err err =
		    spool_head_read(span_of(bytes[i], SPOOL_HEAD_BYTES), &head);

		if (err == ERR_VERSION)
			return err;
		if (err)
			continue;
		sound++;
		if (head.sequence > found->head.sequence)
			found->head = head;
	}
	found->sound = sound > 0;
	for (int i = 0; i < 2; i++)
		found->half |= sound == 1 && !is_zero(bytes[i], SPOOL_HEAD_BYTES) &&
			       !is_head(bytes[i]);
	return OK;
}

static struct verify_segment *
segment_of(struct spool_verify *verify, uint16_t number)
{
	if (number >= verify->segment_count) {
		size_t count = (size_t)number + 1;

		verify->segments =
		    mem_realloc(verify->segments, count * sizeof(*verify->segments));
		for (size_t i = verify->segment_count; i < count; i++)
			verify->segments[i] = NULL;
		verify->segment_count = count;
	}
	if (!verify->segments[number]) {
		verify->segments[number] = mem_alloc(sizeof(struct verify_segment));
		verify->segments[number]->number = number;
	}
	return verify->segments[number];
}

/* What is known of an earlier use of the file is over. */
static void
take_look(struct spool_verify *verify, const struct verify_segment *found)
{
	struct verify_segment *segment = segment_of(verify, found->number);
	char name[SPOOL_FILE_NAME_BYTES];

	segment->there = true;
	if (found->sound && found->head.sequence == segment->head.sequence) {
		segment->bytes = found->bytes;
		segment->head = found->head; /* a second copy came */
		segment->half = found->half;
		return;
	}
	if (segment->sound && !segment->over && segment->at > SPOOL_SEGMENT_DATA &&
	    verify->options.gone) {
		spool_verify_name(name, segment->number);
		verify->options.gone(
		    verify->options.owner, name, segment->head.sequence);
	}
	*segment = *found;
	segment->there = true;
	segment->at = segment->end = SPOOL_SEGMENT_DATA;
	if (segment->sound)
		segment->key = spool_key_of(&segment->head);
}

static void
find_segment(void *owner, const char *name)
{
	struct spool_verify *verify = owner;
	struct verify_segment found = {0};
	char again[SPOOL_FILE_NAME_BYTES];
	struct io_op op = {0};
	unsigned number;
	enum err err;

	if (verify->err || sscanf(name, "seg-%8x.log", &number) != 1 ||
	    number >= NUMBER_MAX)
		return;
	spool_verify_name(again, (uint16_t)number);
	if (!span_eq(span_str(again), span_str(name)))
		return;
	io_open(verify->dir, &op, name, IO_OPEN_READ);
	/* One that is unlinked meanwhile holds nothing any more. */
	if (op.err == ERR_NOT_FOUND)
		return;
	if (op.err) {
		verify->err = op.err;
		return;
	}
	found.number = (uint16_t)number;
	err = read_heads(op.file, &found);
	io_file_close(op.file);
	if (err == ERR_VERSION)
		verify->err = err;
	take_look(verify, &found);
}

static int
by_sequence(const void *a, const void *b)
{
	const struct verify_segment *const *left = a, *const *right = b;

	return ((*left)->head.sequence > (*right)->head.sequence) -
	       ((*left)->head.sequence < (*right)->head.sequence);
}

static void
tell_head(struct spool_verify *verify, struct verify_segment *segment,
    enum spool_problem_kind kind, enum spool_loss loss)
{
	char name[SPOOL_FILE_NAME_BYTES];
	struct spool_problem *problem;

	if (segment->told)
		return;
	segment->told = true;
	spool_verify_name(name, segment->number);
	problem = spool_verify_note(verify, kind, name, 0);
	if (problem)
		problem->loss = loss;
}

/* The log is what is not older than the highest "oldest"; two of one sequence are none. */
static void
sort_log(struct spool_verify *verify)
{
	size_t count = 0, kept = 0;

	verify->log = mem_realloc(
	    verify->log, (verify->segment_count + 1) * sizeof(*verify->log));
	for (size_t i = 0; i < verify->segment_count; i++) {
		struct verify_segment *segment = verify->segments[i];

		if (!segment || !segment->there || !segment->sound)
			continue;
		if (segment->head.oldest > verify->oldest)
			verify->oldest = segment->head.oldest;
		verify->log[count++] = segment;
	}
	if (count)
		qsort(verify->log, count, sizeof(*verify->log), by_sequence);
	for (size_t i = 0; i < count; i++) {
		struct verify_segment *segment = verify->log[i];

		if (kept > 0 &&
		    verify->log[kept - 1]->head.sequence == segment->head.sequence)
			tell_head(verify, segment, SPOOL_BAD_TWIN, SPOOL_LOST_UNKNOWN);
		else if (segment->head.sequence >= verify->oldest)
			verify->log[kept++] = segment;
	}
	verify->log_count = kept;
}

/*
 * Of a running server a header may be half written: the first copy before the second, and both
 * blank before that.
 */
static void
judge_heads(struct spool_verify *verify)
{
	struct spool_verify_numbers *numbers = &verify->numbers;

	numbers->segments = 0;
	for (size_t i = 0; i < verify->segment_count; i++) {
		struct verify_segment *segment = verify->segments[i];

		if (!segment || !segment->there)
			continue;
		numbers->segments++;
		if (segment->sound && segment->half && !verify->options.running)
			tell_head(verify, segment, SPOOL_BAD_HEAD_COPY, SPOOL_LOST_NOTHING);
		if (segment->sound || segment->blank)
			continue;
		if (verify->options.running && ++segment->doubts < SPOOL_VERIFY_DOUBTS)
			verify->doubtful = true;
		else
			tell_head(verify, segment, SPOOL_BAD_HEAD, SPOOL_LOST_UNKNOWN);
	}
	numbers->segments_live = verify->log_count;
	numbers->version_min = numbers->version_max = 0;
	for (size_t i = 0; i < verify->log_count; i++) {
		uint64_t version = verify->log[i]->head.version;

		if (numbers->version_min == 0 || version < numbers->version_min)
			numbers->version_min = version;
		if (version > numbers->version_max)
			numbers->version_max = version;
		if (verify->log[i]->head.epoch > numbers->epoch)
			numbers->epoch = verify->log[i]->head.epoch;
	}
}

enum err
spool_verify_look(struct spool_verify *verify)
{
	enum err err;

	for (size_t i = 0; i < verify->segment_count; i++)
		if (verify->segments[i])
			verify->segments[i]->there = false;
	err = io_dir_list(verify->dir, NULL, find_segment, verify);
	if (!err)
		err = verify->err;
	if (err)
		return err;
	sort_log(verify);
	judge_heads(verify);
	return OK;
}

bool
spool_verify_is_same(struct spool_verify *verify, const struct verify_segment *segment)
{
	struct verify_segment now = {0};
	char name[SPOOL_FILE_NAME_BYTES];
	struct io_op op = {0};
	enum err err;

	spool_verify_name(name, segment->number);
	io_open(verify->dir, &op, name, IO_OPEN_READ);
	if (op.err)
		return false;
	err = read_heads(op.file, &now);
	io_file_close(op.file);
	return !err && now.sound && now.head.sequence == segment->head.sequence;
}

enum err
spool_verify_epoch(struct spool_verify *verify, bool *found)
{
	char bytes[2][SPOOL_EPOCH_BYTES] = {{0}};
	struct io_op op = {0};
	bool sound = false;

	*found = false;
	io_open(verify->dir, &op, "epoch", IO_OPEN_READ);
	if (op.err)
		return op.err == ERR_NOT_FOUND ? OK : op.err;
	*found = true;
	io_pread(op.file, &op, bytes[0], SPOOL_EPOCH_BYTES, 0);
	if (!op.err)
		io_pread(op.file, &op, bytes[1], SPOOL_EPOCH_BYTES, EPOCH_SECOND);
	io_file_close(op.file);
	for (int i = 0; i < 2 && !op.err; i++) {
		uint64_t epoch = 0;
		enum err err =
		    spool_epoch_read(span_of(bytes[i], SPOOL_EPOCH_BYTES), &epoch);

		if (err == ERR_VERSION)
			return err;
		sound |= err == OK;
		if (epoch > verify->numbers.epoch)
			verify->numbers.epoch = epoch;
	}
	if (op.err || (!sound && !(is_zero(bytes[0], SPOOL_EPOCH_BYTES) &&
				     is_zero(bytes[1], SPOOL_EPOCH_BYTES)))) {
		struct spool_problem *problem =
		    spool_verify_note(verify, SPOOL_BAD_EPOCH, "epoch", 0);

		if (problem)
			problem->err = op.err;
	}
	return OK;
}
