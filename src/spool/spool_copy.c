/* Copying: what the scan reads is written beside it, bodies follow, all is synced. */
#include "spool/spool_copy.h"

#include <stdio.h>
#include <stdlib.h>

#include "spool/spool_verify_internal.h"

enum {
	PIECE = 1 << 20,
	EPOCH_FILE_BYTES = 8192,
	EPOCH_OTHER = 4096,
	PASSES_MAX = 200,
	BODY_ROUNDS_MAX = 50,
};

/* One segment of the copy; its file's number is its place in the list. */
struct copied {
	uint64_t sequence, bytes; /* of the file that it was copied from */
	bool gone;
};

struct copying {
	struct io *io;
	struct io_dir *from, *to;
	const struct spool_copy_options *options;
	struct spool_copy_result *result;
	struct spool_verify *verify;
	struct copied *segments;
	size_t count, room;
	struct map bodies; /* numbers of those copied */
	size_t missing; /* bodies that this round didn't find */
	enum err err;
	char *piece;
};

static void
fail(struct copying *copying, enum err err, const char *what)
{
	if (!copying->err) {
		copying->err = err;
		copying->result->what = what;
	}
}

/* Copies a stretch of a file to the same place of another. */
static void
copy_bytes(struct copying *copying, struct io_file *from, struct io_file *to,
    uint64_t start, uint64_t end)
{
	while (start < end && !copying->err) {
		struct io_op op = {0};
		struct span span;

		io_pread(from, &op, copying->piece,
		    end - start < PIECE ? (size_t)(end - start) : PIECE, start);
		if (op.err || op.count == 0) {
			/* A sector that cannot be read stays blank: it is damage there too. */
			if (op.err != ERR_IO)
				return;
			op.count = 4096 - start % 4096;
			start += op.count;
			continue;
		}
		span = span_of(copying->piece, op.count);
		io_pwrite(to, &op, &span, 1, start);
		if (op.err)
			fail(copying, op.err, "cannot write to the copy");
		copying->result->bytes += span.len;
		start += span.len;
	}
}

static struct io_file *
open_in(struct copying *copying, struct io_dir *dir, const char *name, unsigned flags)
{
	struct io_op op = {0};

	io_open(dir, &op, name, flags);
	if (op.err && dir == copying->to)
		fail(copying, op.err, "cannot make a file of the copy");
	return op.err ? NULL : op.file;
}

static void
sync_and_close(struct copying *copying, struct io_file *file)
{
	struct io_op op = {0};

	if (!file)
		return;
	if (!copying->err) {
		io_sync(file, &op);
		if (op.err)
			fail(copying, op.err, "cannot make the copy durable");
	}
	io_file_close(file);
}

/* The place of a segment in the copy, plus 1; 0: it has none yet. */
static size_t
find(const struct copying *copying, uint64_t sequence)
{
	size_t at = copying->count;

	while (at > 0 && (copying->segments[at - 1].sequence != sequence ||
			     copying->segments[at - 1].gone))
		at--;
	return at;
}

/* Makes a segment of the copy, blank; NULL where that cannot be. */
static struct io_file *
add_segment(struct copying *copying, uint64_t sequence, uint64_t bytes)
{
	char name[SPOOL_FILE_NAME_BYTES];
	struct io_op op = {0};
	struct io_file *file;

	if (copying->count == copying->room) {
		copying->room = copying->room * 2 + 16;
		copying->segments = mem_realloc(
		    copying->segments, copying->room * sizeof(*copying->segments));
	}
	spool_verify_name(name, (uint16_t)copying->count);
	copying->segments[copying->count++] =
	    (struct copied){.sequence = sequence, .bytes = bytes};
	file = open_in(copying, copying->to, name,
	    IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
	if (!file)
		return NULL;
	copying->result->files++;
	io_allocate(file, &op, bytes);
	if (op.err)
		fail(copying, op.err, "cannot make room for the copy");
	return file;
}

static void
copy_segment(
    void *owner, const char *segment, uint64_t sequence, uint64_t start, uint64_t end)
{
	struct copying *copying = owner;
	struct io_file *from, *to;
	char name[SPOOL_FILE_NAME_BYTES];
	size_t at;

	/* One without a record was made ready and is not used yet. */
	if (copying->err || end <= SPOOL_SEGMENT_DATA)
		return;
	from = open_in(copying, copying->from, segment, IO_OPEN_READ);
	if (!from)
		return; /* unlinked: the scan finds that out as well */
	at = find(copying, sequence);
	if (at) {
		spool_verify_name(name, (uint16_t)(at - 1));
		to = open_in(copying, copying->to, name, IO_OPEN_READ | IO_OPEN_WRITE);
	} else {
		to = add_segment(copying, sequence, io_file_bytes(from));
		if (to)
			copy_bytes(copying, from, to, 0, SPOOL_SEGMENT_DATA);
	}
	if (to)
		copy_bytes(copying, from, to, start, end);
	sync_and_close(copying, to);
	io_file_close(from);
}

static void
drop_segment(void *owner, const char *segment, uint64_t sequence)
{
	struct copying *copying = owner;
	char name[SPOOL_FILE_NAME_BYTES];
	size_t at = find(copying, sequence);
	struct io_op op = {0};

	(void)segment;
	if (!at)
		return;
	copying->segments[at - 1].gone = true;
	spool_verify_name(name, (uint16_t)(at - 1));
	io_unlink(copying->to, &op, name);
	if (op.err)
		fail(copying, op.err, "cannot remove a file of the copy");
	copying->result->files--;
}

/*
 * Which segments hold nothing any more may stand in a header alone, of a segment that is ready
 * and not used yet.  What it says was so before the log was read to its end.
 */
static void
copy_oldest(struct copying *copying)
{
	const struct spool_verify *verify = copying->verify;
	char head[SPOOL_HEAD_BYTES] = {0};
	struct span span = span_of(head, sizeof(head));

	for (size_t i = 0; i < verify->log_count && !copying->err; i++) {
		const struct verify_segment *segment = verify->log[i];
		struct io_op op = {0};
		struct io_file *to;

		if (segment->head.oldest != verify->oldest ||
		    find(copying, segment->head.sequence))
			continue;
		to = add_segment(copying, segment->head.sequence, segment->bytes);
		spool_head_write(head, &segment->head);
		if (to)
			io_pwrite(to, &op, &span, 1, 0);
		if (to && !op.err)
			io_pwrite(to, &op, &span, 1, SPOOL_HEAD_SECOND);
		if (op.err)
			fail(copying, op.err, "cannot write to the copy");
		sync_and_close(copying, to);
	}
}

/* Follows the log to where the writer is. */
static void
follow(struct copying *copying)
{
	enum err err = ERR_AGAIN;

	for (unsigned i = 0; i < PASSES_MAX && err == ERR_AGAIN && !copying->err; i++) {
		if (i > 0 && copying->options->wait)
			copying->options->wait(copying->options->owner);
		err = spool_verify_pass(copying->verify);
	}
	if (err)
		fail(copying, err,
		    err == ERR_AGAIN ? "the spool changes faster than it is read"
				     : "cannot read the spool");
}

static void
copy_body(void *owner, const struct spool_verify_message *message)
{
	struct copying *copying = owner;
	struct io_file *from, *to;

	if (copying->err || !message->body_file ||
	    map_get_u64(&copying->bodies, message->body_file))
		return;
	from = open_in(copying, copying->from, message->body, IO_OPEN_READ);
	if (!from) {
		copying->missing++;
		return;
	}
	to = open_in(copying, copying->to, message->body,
	    IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
	if (to)
		copy_bytes(copying, from, to, 0, io_file_bytes(from));
	sync_and_close(copying, to);
	io_file_close(from);
	copying->result->files++;
	map_set_u64(&copying->bodies, message->body_file, copying);
}

static void
copy_bodies(struct copying *copying)
{
	for (unsigned i = 0; i < BODY_ROUNDS_MAX && !copying->err; i++) {
		copying->missing = 0;
		spool_verify_each(copying->verify, copy_body, copying);
		/* What is missing where nobody writes is missing for good. */
		if (copying->missing == 0 || !copying->options->running)
			return;
		if (i > 0 && copying->options->wait)
			copying->options->wait(copying->options->owner);
		follow(copying);
	}
	/* Damage: a body is gone and its message is not.  The check of the copy says so. */
}

struct keeping {
	struct copying *copying;
	struct map live;
};

static void
keep_body(void *owner, const struct spool_verify_message *message)
{
	struct keeping *keeping = owner;

	if (message->body_file)
		map_set_u64(&keeping->live, message->body_file, keeping);
}

static void
drop_body(void *owner, const char *name)
{
	struct keeping *keeping = owner;
	char path[SPOOL_FILE_NAME_BYTES];
	unsigned long long number;
	struct io_op op = {0};

	if (sscanf(name, "%16llx", &number) != 1 || map_get_u64(&keeping->live, number))
		return;
	spool_verify_body_name(path, number);
	io_unlink(keeping->copying->to, &op, path);
	err_ignore(op.err, "one that belongs to no message does no harm");
	keeping->copying->result->files--;
}

/* Bodies of messages that were removed while the copy was made. */
static void
drop_bodies(struct copying *copying)
{
	static const uint64_t seed[2] = {0};
	struct keeping keeping = {.copying = copying};

	if (copying->err)
		return;
	map_init(&keeping.live, seed);
	spool_verify_each(copying->verify, keep_body, &keeping);
	err_ignore(io_dir_list(copying->to, "body", drop_body, &keeping),
	    "one that belongs to no message does no harm");
	map_fini(&keeping.live);
}

static void
write_epoch(struct copying *copying)
{
	uint64_t epoch = copying->result->numbers.epoch + copying->options->epochs;
	char bytes[SPOOL_EPOCH_BYTES] = {0};
	struct span span = span_of(bytes, sizeof(bytes));
	struct io_op op = {0};
	struct io_file *file;

	if (copying->err)
		return;
	file = open_in(copying, copying->to, "epoch",
	    IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
	if (!file)
		return;
	spool_epoch_write(bytes, epoch);
	io_allocate(file, &op, EPOCH_FILE_BYTES);
	if (!op.err)
		io_pwrite(file, &op, &span, 1, epoch % 2 ? EPOCH_OTHER : 0);
	if (op.err)
		fail(copying, op.err, "cannot write the copy's epoch");
	sync_and_close(copying, file);
}

static void
sync_directories(struct copying *copying)
{
	struct io_op op = {0};

	if (copying->err)
		return;
	io_dir_sync(copying->to, &op, "body");
	if (!op.err)
		io_dir_sync(copying->to, &op, NULL);
	if (op.err)
		fail(copying, op.err, "cannot make the copy durable");
}

static void
run(struct copying *copying)
{
	struct io_op op = {0};

	io_mkdir(copying->to, &op, "body");
	if (op.err)
		fail(copying, op.err, "cannot make the copy's directory of bodies");
	follow(copying);
	if (!copying->err)
		copy_bodies(copying);
	drop_bodies(copying);
	copy_oldest(copying);
	spool_verify_numbers(copying->verify, &copying->result->numbers);
	write_epoch(copying);
	sync_directories(copying);
}

enum err
spool_copy(struct io *io, struct io_dir *from, struct io_dir *to,
    const struct spool_copy_options *options, struct spool_copy_result *result)
{
	static const uint64_t seed[2] = {0};
	struct copying copying = {
	    .io = io, .from = from, .to = to, .options = options, .result = result};
	const struct spool_verify_options reading = {
	    .owner = &copying,
	    .running = options->running,
	    .read = copy_segment,
	    .gone = drop_segment,
	};

	*result = (struct spool_copy_result){0};
	copying.err = spool_verify_open(io, from, &reading, &copying.verify);
	if (copying.err) {
		result->what = "cannot read the spool";
		return copying.err;
	}
	map_init(&copying.bodies, seed);
	copying.piece = mem_alloc(PIECE);
	run(&copying);
	spool_verify_close(copying.verify);
	map_fini(&copying.bodies);
	mem_free(copying.segments);
	mem_free(copying.piece);
	return copying.err;
}
