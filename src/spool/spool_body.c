/*
 * Large bodies: each in a file of its own, body/NUMBER, written while it
 * arrives.  The file and its name are durable before the record that refers to
 * it is written; it is unlinked after the removal is durable.  A file that no
 * record refers to is removed at the next start.
 */
#include "spool/spool_internal.h"

#include <stdio.h>

#include "base/sim_point.h"
#include "spool/crc32c.h"

enum { WRITE_BYTES = 256 << 10 };

enum body_step { BODY_OPENING, BODY_IDLE, BODY_WRITING, BODY_SYNCING, BODY_NAMING };

struct spool_body {
	struct spool *spool;
	enum body_step step;
	bool dropped;
	enum err err;
	uint64_t number, bytes;
	uint32_t crc;
	struct io_file *file;
	struct buf waiting, writing; /* added; being written */
	uint64_t written;
	char name[NAME_BYTES];
	struct io_op io;
	/* spool_put_body: */
	struct spool_op *op;
	uint64_t id;
	struct span envelope;
};

void
spool_body_name(char name[NAME_BYTES], uint64_t number)
{
	(void)snprintf(name, NAME_BYTES, "body/%016llx", (unsigned long long)number);
}

struct unlinking {
	struct spool *spool;
	char name[NAME_BYTES];
	struct io_op op;
};

static void
unlinked(struct io_op *op)
{
	struct unlinking *unlinking = op->owner;
	struct spool *spool = unlinking->spool;

	err_ignore(op->err, "what stays is removed at the next start");
	mem_free(unlinking);
	spool->running--;
	spool_settle(spool);
}

void
spool_body_unlink(struct spool *spool, uint64_t number)
{
	struct unlinking *unlinking;

	spool_read_forget(spool, number);
	/* What is on the disk isn't certain then; the next start finds out. */
	if (spool->broken)
		return;
	unlinking = mem_alloc(sizeof(*unlinking));
	*unlinking = (struct unlinking){
	    .spool = spool,
	    .op = {.done = unlinked, .owner = unlinking},
	};
	spool_body_name(unlinking->name, number);
	spool->running++;
	io_unlink(spool->dir, &unlinking->op, unlinking->name);
}

static void
destroy(struct spool_body *body)
{
	struct spool *spool = body->spool;

	io_file_close(body->file);
	buf_fini(&body->waiting);
	buf_fini(&body->writing);
	mem_free(body);
	spool_settle(spool);
}

static void
fail(struct spool_body *body)
{
	if (body->file)
		spool_body_unlink(body->spool, body->number);
	if (body->op)
		spool_finish_op(body->spool, body->op, body->err);
	destroy(body);
}

static void
put(struct spool_body *body)
{
	struct spool_write *write = mem_alloc(sizeof(*write));

	write->record.id = body->id;
	write->record.flags = SPOOL_BODY_FILE;
	write->record.body_bytes = body->bytes;
	write->record.body_crc = body->crc;
	write->envelope = body->envelope;
	write->file = body->number;
	spool_put_record(body->spool, body->op, write);
	destroy(body);
}

static void step_done(struct io_op *op);

/* Starts what is next; nothing is under way. */
static void
step(struct spool_body *body)
{
	struct span span;
	struct buf swap;

	body->step = BODY_IDLE;
	if (body->spool->broken && !body->err)
		body->err = ERR_BROKEN;
	if (body->dropped || (body->err && body->op)) {
		fail(body);
		return;
	}
	body->io = (struct io_op){.done = step_done, .owner = body};
	if (body->err) {
		buf_reset(&body->waiting);
	} else if (body->waiting.len) {
		swap = body->writing;
		body->writing = body->waiting;
		body->waiting = swap;
		body->step = BODY_WRITING;
		body->spool->running++;
		span = buf_span(&body->writing);
		io_pwrite(body->file, &body->io, &span, 1, body->written);
	} else if (body->op) {
		body->step = BODY_SYNCING;
		body->spool->running++;
		if (SIM_BUG(BODY_NOT_SYNCED))
			step_done(&body->io);
		else
			io_sync(body->file, &body->io);
	}
}

static void
step_done(struct io_op *op)
{
	struct spool_body *body = op->owner;
	enum body_step done = body->step;

	body->spool->running--;
	if (op->err && !body->err)
		body->err = op->err;
	if (done == BODY_OPENING && !op->err)
		body->file = op->file;
	if (done == BODY_WRITING) {
		body->written += body->writing.len;
		buf_reset(&body->writing);
	}
	/* A full disk is no more than that; any other failure to make durable is. */
	if (op->err == ERR_NO_SPACE)
		SIM_MARK("spool.body_no_space");
	if (op->err && op->err != ERR_NO_SPACE && op->err != ERR_DESCRIPTORS) {
		body->err = ERR_IO;
		spool_break(body->spool);
	}
	if (done == BODY_SYNCING && !body->err && !body->dropped) {
		body->step = BODY_NAMING;
		body->spool->running++;
		io_dir_sync(body->spool->dir, op, "body");
	} else if (done == BODY_NAMING && !body->err) {
		put(body);
	} else {
		step(body);
	}
}

struct spool_body *
spool_body_begin(struct spool *spool)
{
	struct spool_body *body = mem_alloc(sizeof(*body));

	body->spool = spool;
	body->number = spool->epoch << 32 | ++spool->files_made;
	spool_body_name(body->name, body->number);
	buf_init(&body->waiting, SIZE_MAX);
	buf_init(&body->writing, SIZE_MAX);
	body->step = BODY_OPENING;
	body->io = (struct io_op){.done = step_done, .owner = body};
	spool->running++;
	io_open(spool->dir, &body->io, body->name,
	    IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
	return body;
}

void
spool_body_add(struct spool_body *body, struct span bytes)
{
	check(!body->op && !body->dropped);
	body->bytes += bytes.len;
	if (body->err)
		return;
	body->crc = crc32c(body->crc, bytes);
	buf_add(&body->waiting, bytes);
	if (body->step == BODY_IDLE && body->waiting.len >= WRITE_BYTES)
		step(body);
}

size_t
spool_body_pending(const struct spool_body *body)
{
	return body->waiting.len + body->writing.len;
}

void
spool_body_drop(struct spool_body *body)
{
	if (!body)
		return;
	check(!body->op);
	body->dropped = true;
	if (body->step == BODY_IDLE)
		step(body);
}

void
spool_put_body(struct spool *spool, struct spool_op *op, uint64_t id,
    struct span envelope, struct spool_body *body)
{
	check(op && id != 0 && !body->op && !body->dropped && body->spool == spool);
	body->op = op;
	body->id = id;
	body->envelope = envelope;
	if (body->step == BODY_IDLE)
		step(body);
}
