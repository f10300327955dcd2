/*
 * Reading.  A body is checked as a whole the first time that it is read after
 * start-up, before anything of it is given out: an inline body in one piece, a
 * file in pieces of CHECK_BYTES.  A read holds its segment: what is read is not
 * written over meanwhile, even if the message ends.
 */
#include "spool/spool_internal.h"

#include "base/sim_point.h"
#include "spool/crc32c.h"

enum { CHECK_BYTES = 256 << 10 };

/* RECORD: the record's header, the envelope, and of an inline body what is wanted. */
enum read_step { READ_RECORD, READ_OPEN, READ_CHECK, READ_BYTES, READ_END };

struct spool_read {
	struct list link;
	struct spool *spool;
	struct io_op *op; /* the caller's */
	enum read_step step;
	uint64_t id, file_number;
	struct segment *segment; /* inline: where */
	struct io_file *file;
	uint64_t base; /* where the body is in its file */
	uint64_t body_bytes, offset, checked;
	uint32_t body_crc, crc;
	char *into, *memory;
	size_t count;
	/* READ_RECORD: */
	struct buf *envelope;
	uint64_t record_offset;
	size_t payload_bytes;
	struct io_op io;
};

static void
keep_file(struct spool *spool, uint64_t number, struct io_file *file)
{
	struct spool_kept_file *kept = &spool->kept[spool->kept_next++ % FILES_KEPT];

	io_file_close(kept->file);
	*kept = (struct spool_kept_file){number, file};
}

static struct io_file *
take_kept(struct spool *spool, uint64_t number)
{
	for (size_t i = 0; i < FILES_KEPT; i++) {
		struct io_file *file = spool->kept[i].file;

		if (spool->kept[i].number != number)
			continue;
		spool->kept[i] = (struct spool_kept_file){0};
		return file;
	}
	return NULL;
}

void
spool_read_forget(struct spool *spool, uint64_t number)
{
	if (number) {
		io_file_close(take_kept(spool, number));
		return;
	}
	for (size_t i = 0; i < FILES_KEPT; i++) {
		io_file_close(spool->kept[i].file);
		spool->kept[i] = (struct spool_kept_file){0};
	}
}

/* The message that is read, if it still is that message. */
static struct spool_message *
message_of(const struct spool_read *read)
{
	uint32_t slot = spool_index_find(&read->spool->index, read->id);
	struct spool_message *message;

	if (!slot)
		return NULL;
	message = spool_index_at(&read->spool->index, slot);
	if (message->flags & SPOOL_UNWRITTEN || message->body_crc != read->body_crc)
		return NULL;
	return message;
}

static void
end(struct spool_read *read, enum err err, size_t count)
{
	struct spool *spool = read->spool;
	struct io_op *op = read->op;

	if (read->segment)
		read->segment->pins--;
	if (read->file && read->file_number && !err && message_of(read))
		keep_file(spool, read->file_number, read->file);
	else if (read->file_number)
		io_file_close(read->file);
	mem_free(read->memory);
	mem_free(read);
	spool->running--;
	op->err = err;
	op->count = count;
	if (!op->done)
		return;
	op->done(op);
	spool_settle(spool);
}

/* Takes the result of what was under way, and says what is next. */
static enum err
absorb_check(struct spool_read *read)
{
	struct spool_message *message = message_of(read);

	if (read->io.count == 0 && read->checked < read->body_bytes)
		return ERR_CORRUPT;
	read->crc = crc32c(read->crc, span_of(read->memory, read->io.count));
	read->checked += read->io.count;
	if (read->checked < read->body_bytes)
		return OK;
	if (read->crc != read->body_crc && !SIM_BUG(NO_CHECKSUM))
		return ERR_CORRUPT;
	if (message)
		message->flags |= SPOOL_CHECKED;
	read->step = READ_BYTES;
	if (!read->file_number) {
		/* The whole body is here already. */
		if (read->count)
			memcpy(read->into, read->memory + read->offset, read->count);
		read->io.count = read->count;
		read->step = READ_END;
	}
	return OK;
}

/* How much of the record is to be read: an inline body that was never checked as a whole. */
static size_t
record_bytes(const struct spool_read *read)
{
	size_t bytes = SPOOL_RECORD_HEAD + read->payload_bytes;

	if (read->file_number)
		return bytes;
	return bytes + (read->checked < read->body_bytes ? (size_t)read->body_bytes
							 : read->count);
}

/* The record is here: gives the envelope, and of an inline body what is wanted. */
static enum err
absorb_record(struct spool_read *read)
{
	struct spool_message *message = message_of(read);
	struct spool_record record;
	struct span bytes = span_of(read->memory, read->io.count);
	struct span rest = span_skip(bytes, SPOOL_RECORD_HEAD);
	struct span payload = span_first(rest, read->payload_bytes);
	struct span body = span_skip(rest, read->payload_bytes);

	if (bytes.len != record_bytes(read) ||
	    spool_record_read(bytes, read->segment->key, read->record_offset, &record) ||
	    record.id != read->id || payload.len != spool_record_payload(&record) ||
	    spool_record_check_payload(&record, payload))
		return ERR_CORRUPT;
	/* Where all of it is at hand it is checked each time: it may have rotted since. */
	if (!read->file_number && body.len == read->body_bytes &&
	    crc32c(0, body) != read->body_crc && !SIM_BUG(NO_CHECKSUM))
		return ERR_CORRUPT;
	buf_add(read->envelope, spool_record_envelope(&record, payload));
	if (buf_finish(read->envelope))
		return ERR_TOO_LONG;
	if (read->file_number) {
		read->step = read->file ? READ_BYTES : READ_OPEN;
		if (read->file && read->checked < read->body_bytes)
			read->step = READ_CHECK;
		mem_free(read->memory);
		read->memory = NULL;
		return OK;
	}
	if (message)
		message->flags |= SPOOL_CHECKED;
	if (read->count)
		memcpy(read->into, body.ptr, read->count);
	read->io.count = read->count;
	read->step = READ_END;
	return OK;
}

static enum err
absorb(struct spool_read *read)
{
	if (read->io.err)
		return read->io.err == ERR_NOT_FOUND ? ERR_CORRUPT : read->io.err;
	switch (read->step) {
	case READ_RECORD:
		return absorb_record(read);
	case READ_OPEN:
		read->file = read->io.file;
		read->step = read->checked == read->body_bytes ? READ_BYTES : READ_CHECK;
		return OK;
	case READ_CHECK:
		return absorb_check(read);
	case READ_BYTES:
	case READ_END:
		break;
	}
	read->step = READ_END;
	return read->io.count == read->count ? OK : ERR_CORRUPT;
}

static void
start(struct spool_read *read)
{
	uint64_t left = read->body_bytes - read->checked;
	char name[NAME_BYTES];

	switch (read->step) {
	case READ_RECORD:
		read->memory = mem_alloc(record_bytes(read));
		io_pread(read->segment->file, &read->io, read->memory,
		    record_bytes(read), read->record_offset);
		break;
	case READ_OPEN:
		spool_body_name(name, read->file_number);
		io_open(read->spool->dir, &read->io, name, IO_OPEN_READ);
		break;
	case READ_CHECK:
		if (read->file_number && left > CHECK_BYTES)
			left = CHECK_BYTES;
		if (!read->memory)
			read->memory = mem_alloc((size_t)left);
		io_pread(read->file, &read->io, read->memory, (size_t)left,
		    read->base + read->checked);
		break;
	case READ_BYTES:
		io_pread(read->file, &read->io, read->into, read->count,
		    read->base + read->offset);
		break;
	case READ_END:
		check(false);
	}
}

/* Goes on; true where the read ended (and is gone). */
static bool
advance(struct spool_read *read)
{
	enum err err = absorb(read);

	if (!err && read->step != READ_END)
		return false;
	end(read, err, err ? 0 : read->io.count);
	return true;
}

static void
stepped(struct io_op *op)
{
	struct spool_read *read = op->owner;

	if (!advance(read))
		start(read);
}

static void
set_up(struct spool_read *read, const struct spool_message *message)
{
	struct spool *spool = read->spool;

	read->body_bytes = spool_message_body_bytes(message);
	read->body_crc = message->body_crc;
	if (read->offset > read->body_bytes)
		read->offset = read->body_bytes;
	if (read->count > read->body_bytes - read->offset)
		read->count = (size_t)(read->body_bytes - read->offset);
	/*
	 * Whoever reads a body begins at its start and stops at its end.  It is checked as a whole
	 * for both, so that what goes bad on the disk meanwhile never gets its last piece.
	 */
	if (message->flags & SPOOL_CHECKED && read->offset > 0 &&
	    read->offset + read->count < read->body_bytes)
		read->checked = read->body_bytes;
	read->step = read->checked == read->body_bytes ? READ_BYTES : READ_CHECK;
	if (message->flags & SPOOL_IN_FILE) {
		read->file_number = message->body.file->number;
		read->file = take_kept(spool, read->file_number);
		if (!read->file)
			read->step = READ_OPEN;
	}
	if (read->envelope) {
		read->step = READ_RECORD;
		read->record_offset = message->offset;
		read->payload_bytes = (size_t)message->envelope_bytes +
				      message->merged_bytes +
				      (read->file_number ? 8 : 0);
	}
	if (read->file_number && !read->envelope)
		return;
	read->segment = spool->segments[message->segment];
	read->segment->pins++;
	if (read->file_number)
		return;
	read->file = read->segment->file;
	read->base = (uint64_t)message->offset + SPOOL_RECORD_HEAD +
		     message->envelope_bytes + message->merged_bytes;
}

static void
begin(const struct spool_read *wanted)
{
	struct spool *spool = wanted->spool;
	struct io_op *op = wanted->op;
	uint64_t id = wanted->id;
	uint32_t slot = spool_index_find(&spool->index, id);
	struct spool_read *read = mem_alloc(sizeof(*read));

	spool->running++;
	*read = *wanted;
	read->io = (struct io_op){.done = op->done ? stepped : NULL, .owner = read};
	if (!slot || spool_index_at(&spool->index, slot)->flags & SPOOL_UNWRITTEN) {
		if (!op->done) {
			end(read, ERR_NOT_FOUND, 0);
			return;
		}
		list_push(&spool->reads_finished, &read->link);
		io_timer_start(spool->io, &spool->soon, 0);
		return;
	}
	set_up(read, spool_index_at(&spool->index, slot));
	do {
		start(read);
	} while (!op->done && !advance(read));
}

void
spool_read_body(struct spool *spool, struct io_op *op, uint64_t id, void *into,
    size_t count, uint64_t offset)
{
	const struct spool_read wanted = {
	    .spool = spool,
	    .op = op,
	    .id = id,
	    .into = into,
	    .count = count,
	    .offset = offset,
	};

	begin(&wanted);
}

void
spool_read_message(struct spool *spool, struct io_op *op, uint64_t id,
    struct buf *envelope, void *into, size_t count)
{
	const struct spool_read wanted = {
	    .spool = spool,
	    .op = op,
	    .id = id,
	    .into = into,
	    .count = count,
	    .envelope = envelope,
	};

	begin(&wanted);
}

/* Ends the reads that found nothing to read. */
void
spool_reads_call(struct spool *spool)
{
	struct list *node;

	while ((node = list_pop(&spool->reads_finished)))
		end(container_of(node, struct spool_read, link), ERR_NOT_FOUND, 0);
}

/* Reads a record's header and what follows it, up to bytes; checks the header. */
static enum err
read_record(struct segment *segment, uint64_t offset, size_t bytes, char **memory,
    struct spool_record *record)
{
	struct io_op op = {0};

	*memory = mem_alloc(bytes);
	io_pread(segment->file, &op, *memory, bytes, offset);
	if (op.err)
		return op.err;
	if (op.count != bytes)
		return ERR_CORRUPT;
	return spool_record_read(span_of(*memory, bytes), segment->key, offset, record);
}

enum err
spool_read_head(struct spool *spool, const struct spool_message *message, char **memory,
    struct spool_record *record, struct span *payload)
{
	size_t bytes = SPOOL_RECORD_HEAD + (size_t)message->envelope_bytes +
		       message->merged_bytes + (message->flags & SPOOL_IN_FILE ? 8 : 0);
	enum err err = read_record(
	    spool->segments[message->segment], message->offset, bytes, memory, record);

	if (err)
		return err;
	*payload = span_of(*memory + SPOOL_RECORD_HEAD, bytes - SPOOL_RECORD_HEAD);
	if (record->id != message->id || payload->len != spool_record_payload(record))
		return ERR_CORRUPT;
	return spool_record_check_payload(record, *payload);
}

enum err
spool_read_mark(struct spool *spool, const struct spool_mark_place *place, uint64_t id,
    char **memory, struct span *mark)
{
	struct spool_record record;
	enum err err = read_record(spool->segments[place->segment], place->offset,
	    SPOOL_RECORD_HEAD + place->bytes, memory, &record);

	if (err)
		return err;
	*mark = span_of(*memory + SPOOL_RECORD_HEAD, place->bytes);
	if (record.id != id || record.type != SPOOL_MARK ||
	    record.envelope_bytes != place->bytes)
		return ERR_CORRUPT;
	return spool_record_check_payload(&record, *mark);
}

enum err
spool_read_envelope(struct spool *spool, uint64_t id, struct buf *out)
{
	uint32_t slot = spool_index_find(&spool->index, id);
	struct spool_record record;
	struct span payload;
	char *memory = NULL;
	enum err err;

	if (!slot || spool_index_at(&spool->index, slot)->flags & SPOOL_UNWRITTEN)
		return ERR_NOT_FOUND;
	err = spool_read_head(
	    spool, spool_index_at(&spool->index, slot), &memory, &record, &payload);
	if (!err) {
		buf_add(out, spool_record_envelope(&record, payload));
		err = buf_finish(out);
	}
	mem_free(memory);
	return err;
}
