/* The read-only scan: passes, problems, and reading what is live. */
#include "spool/spool_verify_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "spool/crc32c.h"

enum { WINDOW_BYTES = 4 << 20, PIECE_BYTES = 256 << 10, BODY_PASSES_MAX = 5 };

static const struct {
	bool damage;
	const char *text;
} kinds[SPOOL_PROBLEM_COUNT] = {
    [SPOOL_BAD_EPOCH] = {true, "the epoch file is damaged"},
    [SPOOL_BAD_HEAD] = {true, "both copies of the segment's header are damaged"},
    [SPOOL_BAD_HEAD_COPY] = {false, "one of two copies of the segment's header is damaged"},
    [SPOOL_BAD_TWIN] = {true, "another file says that it is the same segment"},
    [SPOOL_BAD_RECORD] = {true, "what was written here is damaged"},
    [SPOOL_BAD_BODY] = {true, "the body is damaged"},
    [SPOOL_BAD_CHECKPOINT] = {true, "the checkpoint is not what the log says"},
    [SPOOL_GONE_SEGMENT] = {true, "the segment that was used before this one is missing"},
    [SPOOL_GONE_BODY] = {true, "the body file is missing"},
    [SPOOL_GONE_END] = {true, "the file is shorter than what was written"},
    [SPOOL_TORN_END] = {false, "the end of a batch that was not finished"},
    [SPOOL_LEFT_BODY] = {false, "a body file that belongs to no message"},
};

bool
spool_problem_is_damage(const struct spool_problem *problem)
{
	return kinds[problem->kind].damage;
}

const char *
spool_problem_text(enum spool_problem_kind kind)
{
	check(kind < SPOOL_PROBLEM_COUNT);
	return kinds[kind].text;
}

const char *
spool_loss_text(enum spool_loss loss)
{
	switch (loss) {
	case SPOOL_LOST_NOTHING:
		return "nothing is lost";
	case SPOOL_LOST_MESSAGE:
		return "the message is lost";
	case SPOOL_LOST_MARK:
		return "a state change is lost: what was done may be done again";
	case SPOOL_LOST_REMOVAL:
		return "the end of the message is lost: it may be delivered again";
	case SPOOL_LOST_UNKNOWN:
		break;
	}
	return "what was here cannot be told";
}

struct spool_problem *
spool_verify_note(struct spool_verify *verify, enum spool_problem_kind kind,
    const char *file, uint64_t offset)
{
	struct spool_problem *problem;

	if (kinds[kind].damage)
		verify->numbers.damages++;
	if (verify->problem_count == SPOOL_PROBLEMS_MAX)
		return NULL;
	if (verify->problem_count == verify->problem_room) {
		verify->problem_room = verify->problem_room * 2 + 16;
		verify->problems = mem_realloc(verify->problems,
		    verify->problem_room * sizeof(*verify->problems));
	}
	problem = &verify->problems[verify->problem_count++];
	*problem = (struct spool_problem){.kind = kind, .offset = offset};
	(void)snprintf(problem->file, sizeof(problem->file), "%s", file);
	return problem;
}

void
spool_verify_name(char name[SPOOL_FILE_NAME_BYTES], uint16_t number)
{
	(void)snprintf(name, SPOOL_FILE_NAME_BYTES, "seg-%08x.log", number);
}

void
spool_verify_body_name(char name[SPOOL_FILE_NAME_BYTES], uint64_t number)
{
	(void)snprintf(
	    name, SPOOL_FILE_NAME_BYTES, "body/%016llx", (unsigned long long)number);
}

enum err
spool_verify_use(struct spool_verify *verify, uint16_t number)
{
	char name[SPOOL_FILE_NAME_BYTES];
	struct io_op op = {0};

	/* Always anew: what was read before may have been written over since. */
	io_file_close(verify->file);
	verify->file = NULL;
	verify->window.count = 0;
	spool_verify_name(name, number);
	io_open(verify->dir, &op, name, IO_OPEN_READ);
	if (op.err)
		return op.err;
	verify->file = op.file;
	verify->file_number = number;
	return OK;
}

enum err
spool_verify_load(
    struct spool_verify *verify, uint64_t offset, uint64_t bytes, struct span *out)
{
	struct verify_window *window = &verify->window;
	struct io_op op = {0};

	if (offset < window->start || offset + bytes > window->start + window->count) {
		if (bytes > window->room || !window->bytes) {
			mem_free(window->bytes);
			window->room = bytes > WINDOW_BYTES ? bytes : WINDOW_BYTES;
			window->bytes = mem_alloc((size_t)window->room);
		}
		window->start = offset;
		io_pread(verify->file, &op, window->bytes, (size_t)window->room, offset);
		if (op.err) /* a bad sector, perhaps not in what is asked for */
			io_pread(
			    verify->file, &op, window->bytes, (size_t)bytes, offset);
		window->count = op.err ? 0 : op.count;
		if (op.err || op.count < bytes)
			return op.err ? op.err : ERR_CORRUPT;
	}
	*out = span_of(window->bytes + (offset - window->start), (size_t)bytes);
	return OK;
}

enum err
spool_verify_open(struct io *io, struct io_dir *dir,
    const struct spool_verify_options *options, struct spool_verify **verify)
{
	static const uint64_t seed[2] = {0};
	struct spool_verify *opened = mem_alloc(sizeof(*opened));
	bool epoch = false;
	enum err err;

	opened->io = io;
	opened->dir = dir;
	opened->options = *options;
	spool_index_init(&opened->index);
	map_init(&opened->by_id, seed);
	err = spool_verify_epoch(opened, &epoch);
	if (!err)
		err = spool_verify_look(opened);
	if (!err && !epoch && opened->numbers.segments == 0)
		err = ERR_NOT_FOUND;
	if (err) {
		spool_verify_close(opened);
		return err;
	}
	*verify = opened;
	return OK;
}

void
spool_verify_close(struct spool_verify *verify)
{
	if (!verify)
		return;
	io_file_close(verify->file);
	for (size_t i = 0; i < verify->segment_count; i++)
		mem_free(verify->segments[i]);
	mem_free(verify->segments);
	mem_free(verify->log);
	mem_free(verify->problems);
	mem_free(verify->window.bytes);
	map_fini(&verify->by_id);
	spool_index_fini(&verify->index);
	mem_free(verify);
}

enum err
spool_verify_pass(struct spool_verify *verify)
{
	enum err err;

	verify->doubtful = false;
	err = spool_verify_look(verify);
	for (size_t i = 0; i < verify->log_count && !err; i++) {
		bool more = spool_verify_segment(verify, i);

		err = verify->err;
		if (!more)
			break;
	}
	verify->passed = true;
	verify->numbers.messages = verify->index.count;
	if (err)
		return err;
	return verify->doubtful ? ERR_AGAIN : OK;
}

void
spool_verify_numbers(
    const struct spool_verify *verify, struct spool_verify_numbers *numbers)
{
	*numbers = verify->numbers;
}

const struct spool_problem *
spool_verify_problem(const struct spool_verify *verify, size_t at)
{
	return at < verify->problem_count ? &verify->problems[at] : NULL;
}

static void
describe(struct spool_verify *verify, const struct spool_message *message,
    struct spool_verify_message *out)
{
	*out = (struct spool_verify_message){
	    .id = message->id,
	    .sequence = verify->segments[message->segment]->head.sequence,
	    .offset = message->offset,
	    .body_bytes = spool_message_body_bytes(message),
	    .body_crc = message->body_crc,
	};
	spool_verify_name(out->segment, message->segment);
	if (message->flags & SPOOL_IN_FILE) {
		out->body_file = message->body.file->number;
		spool_verify_body_name(out->body, out->body_file);
	}
}

/* Slots are handed out in order and used again: the order of the log is by place. */
struct place {
	uint64_t sequence;
	uint32_t offset, slot;
};

static int
by_place(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	if (left->sequence != right->sequence)
		return left->sequence < right->sequence ? -1 : 1;
	return (left->offset > right->offset) - (left->offset < right->offset);
}

void
spool_verify_each(struct spool_verify *verify,
    void (*each)(void *owner, const struct spool_verify_message *message), void *owner)
{
	struct spool_index *index = &verify->index;
	struct place *places = mem_alloc((index->count + 1) * sizeof(*places));
	size_t count = 0;

	for (uint32_t slot = 0; (slot = spool_index_next(index, slot)) != 0;) {
		const struct spool_message *message = spool_index_at(index, slot);

		places[count++] = (struct place){
		    .sequence = verify->segments[message->segment]->head.sequence,
		    .offset = message->offset,
		    .slot = slot,
		};
	}
	if (count)
		qsort(places, count, sizeof(*places), by_place);
	for (size_t i = 0; i < count; i++) {
		struct spool_verify_message out;

		describe(verify, spool_index_at(index, places[i].slot), &out);
		each(owner, &out);
	}
	mem_free(places);
}

enum err
spool_verify_find(
    struct spool_verify *verify, uint64_t id, struct spool_verify_message *message)
{
	uint32_t slot = spool_index_find(&verify->index, id);

	if (!slot)
		return ERR_NOT_FOUND;
	describe(verify, spool_index_at(&verify->index, slot), message);
	return OK;
}

/* The record at a place, checked as far as its payload; both are valid until the next load. */
static enum err
read_record(struct spool_verify *verify, uint16_t number, uint64_t offset, uint64_t id,
    struct spool_record *record, struct span *payload)
{
	const struct verify_segment *segment = verify->segments[number];
	struct span bytes;
	enum err err = OK;

	if (!verify->file || verify->file_number != number)
		err = spool_verify_use(verify, number);
	if (!err)
		err = spool_verify_load(verify, offset, SPOOL_RECORD_HEAD, &bytes);
	if (!err)
		err = spool_record_read(bytes, segment->key, offset, record);
	if (!err && record->id != id)
		err = ERR_CORRUPT;
	if (!err)
		err = spool_verify_load(verify, offset + SPOOL_RECORD_HEAD,
		    spool_record_payload(record), payload);
	return err ? err : spool_record_check_payload(record, *payload);
}

enum err
spool_verify_message(struct spool_verify *verify, uint64_t id, struct buf *envelope,
    void (*mark)(void *owner, struct span mark), void *owner)
{
	uint32_t slot = spool_index_find(&verify->index, id), at;
	const struct spool_message *message;
	struct spool_record record;
	struct span payload, merged, one;
	enum err err;

	if (!slot)
		return ERR_NOT_FOUND;
	message = spool_index_at(&verify->index, slot);
	err = read_record(
	    verify, message->segment, message->offset, id, &record, &payload);
	if (err)
		return err;
	if (envelope)
		buf_add(envelope, spool_record_envelope(&record, payload));
	merged = spool_record_marks(&record, payload);
	while (mark && spool_marks_next(&merged, &one))
		mark(owner, one);
	for (at = message->first_mark; mark && at && !err;) {
		const struct spool_mark_place *place =
		    spool_index_mark_at(&verify->index, at);

		err = read_record(
		    verify, place->segment, place->offset, id, &record, &payload);
		if (!err)
			mark(owner, spool_record_envelope(&record, payload));
		at = place->next;
	}
	return err;
}

/* Gives a body file in pieces; piece may be NULL. */
static enum err
read_file(struct spool_verify *verify, const struct spool_verify_message *message,
    void (*piece)(void *owner, struct span bytes), void *owner)
{
	char *memory = mem_alloc(PIECE_BYTES);
	struct io_op op = {0};
	uint64_t done = 0;
	uint32_t crc = 0;
	struct io_file *file;

	io_open(verify->dir, &op, message->body, IO_OPEN_READ);
	file = op.err ? NULL : op.file;
	while (!op.err && done < message->body_bytes) {
		uint64_t left = message->body_bytes - done;

		io_pread(file, &op, memory,
		    left < PIECE_BYTES ? (size_t)left : PIECE_BYTES, done);
		if (!op.err && op.count == 0)
			op.err = ERR_CORRUPT;
		if (op.err)
			break;
		crc = crc32c(crc, span_of(memory, op.count));
		if (piece)
			piece(owner, span_of(memory, op.count));
		done += op.count;
	}
	if (!op.err && (crc != message->body_crc ||
			   io_file_bytes(file) != message->body_bytes))
		op.err = ERR_CORRUPT;
	io_file_close(file);
	mem_free(memory);
	return op.err;
}

enum err
spool_verify_body(struct spool_verify *verify, uint64_t id,
    void (*piece)(void *owner, struct span bytes), void *owner)
{
	struct spool_verify_message message;
	struct spool_record record;
	struct span payload, body;
	uint32_t slot = spool_index_find(&verify->index, id);
	enum err err = spool_verify_find(verify, id, &message);

	if (err)
		return err;
	if (message.body_file)
		return read_file(verify, &message, piece, owner);
	err = read_record(verify, spool_index_at(&verify->index, slot)->segment,
	    message.offset, id, &record, &payload);
	if (!err)
		err = spool_verify_load(verify,
		    message.offset + SPOOL_RECORD_HEAD + spool_record_payload(&record),
		    message.body_bytes, &body);
	if (err)
		return err;
	piece(owner, body);
	return crc32c(0, body) == message.body_crc ? OK : ERR_CORRUPT;
}

static void
note_body(struct spool_verify *verify, const struct spool_verify_message *message,
    enum err err)
{
	struct spool_problem *problem =
	    spool_verify_note(verify, err == ERR_NOT_FOUND ? SPOOL_GONE_BODY : SPOOL_BAD_BODY,
		message->body, 0);

	if (!problem)
		return;
	problem->loss = SPOOL_LOST_MESSAGE;
	problem->id = message->id;
	problem->bytes = message->body_bytes;
	if (err != ERR_NOT_FOUND && err != ERR_CORRUPT)
		problem->err = err;
}

struct bodies {
	struct spool_verify *verify;
	struct spool_verify_message *wanted;
	size_t count, room;
	struct map numbers; /* of live body files */
};

static void
want_body(void *owner, const struct spool_verify_message *message)
{
	struct bodies *bodies = owner;

	if (!message->body_file)
		return;
	if (bodies->count == bodies->room) {
		bodies->room = bodies->room * 2 + 16;
		bodies->wanted =
		    mem_realloc(bodies->wanted, bodies->room * sizeof(*bodies->wanted));
	}
	bodies->wanted[bodies->count++] = *message;
	map_set_u64(&bodies->numbers, message->body_file, bodies);
}

static void
find_body(void *owner, const char *name)
{
	struct bodies *bodies = owner;
	char path[SPOOL_FILE_NAME_BYTES];
	unsigned long long number;

	if (sscanf(name, "%16llx", &number) != 1)
		return;
	spool_verify_body_name(path, number);
	if (span_eq(span_str(path + 5), span_str(name)) &&
	    !map_get_u64(&bodies->numbers, number))
		(void)spool_verify_note(bodies->verify, SPOOL_LEFT_BODY, path, 0);
}

/* A body that is not as it should be: of a running server, is the message still there? */
static enum err
judge_body(struct spool_verify *verify, const struct spool_verify_message *message,
    enum err found)
{
	struct spool_verify_message now;
	enum err err = OK;

	for (unsigned i = 0; verify->options.running && i < BODY_PASSES_MAX; i++) {
		err = spool_verify_pass(verify);
		if (err && err != ERR_AGAIN)
			return err;
		if (spool_verify_find(verify, message->id, &now) ||
		    now.body_file != message->body_file)
			return OK;
	}
	note_body(verify, message, found);
	return OK;
}

enum err
spool_verify_bodies(struct spool_verify *verify)
{
	static const uint64_t seed[2] = {0};
	struct bodies bodies = {.verify = verify};
	enum err err = OK;

	map_init(&bodies.numbers, seed);
	spool_verify_each(verify, want_body, &bodies);
	for (size_t i = 0; i < bodies.count && !err; i++) {
		enum err found = read_file(verify, &bodies.wanted[i], NULL, NULL);

		if (found)
			err = judge_body(verify, &bodies.wanted[i], found);
	}
	/* Of a running server what belongs to no message may just be arriving. */
	if (!err && !verify->options.running)
		err = io_dir_list(verify->dir, "body", find_body, &bodies);
	map_fini(&bodies.numbers);
	mem_free(bodies.wanted);
	return err == ERR_NOT_FOUND ? OK : err;
}
