/*
 * Fills a spool fast, for bench/huge.py:
 *
 *     spool_fill DIR MESSAGES BODY_BYTES
 *
 * puts that many messages with the envelope of the first one that is there (a server has accepted
 * it), by the spool's own interface, 400 at a time.  No server may run on it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "spool/spool.h"

enum { WRITERS = 400, SEGMENT = 64 << 20, EPOCH_SHIFT = 40 };

struct fill {
	struct io *io;
	struct io_dir *dir;
	struct spool *spool;
	uint64_t next, end;
	size_t under_way;
	struct buf envelope;
	struct span body;
};

struct writer {
	struct spool_op op;
	struct fill *fill;
};

static void
found_message(void *owner, uint64_t id, struct span envelope, uint64_t body_bytes)
{
	struct fill *fill = owner;

	(void)id;
	(void)body_bytes;
	if (fill->envelope.len == 0)
		buf_add(&fill->envelope, envelope);
}

static void
found_mark(void *owner, uint64_t id, struct span mark)
{
	(void)owner;
	(void)id;
	(void)mark;
}

static void
found_damage(void *owner, const char *segment, uint64_t offset, uint64_t id)
{
	(void)owner;
	(void)id;
	fprintf(stderr, "spool_fill: damage in %s at %llu\n", segment, (unsigned long long)offset);
}

static void
put_next(struct writer *writer)
{
	struct fill *fill = writer->fill;

	if (fill->next < fill->end)
		spool_put(fill->spool, &writer->op, fill->next++, buf_span(&fill->envelope),
		    fill->body);
	else if (--fill->under_way == 0)
		io_stop(fill->io);
}

static void
put_done(struct spool_op *op)
{
	if (op->err) {
		fprintf(stderr, "spool_fill: %s\n", err_text(op->err));
		exit(1);
	}
	put_next(op->owner);
}

static void
flushed(struct spool_op *op)
{
	struct fill *fill = op->owner;

	io_stop(fill->io);
}

static void
open_spool(struct fill *fill, const char *path)
{
	const struct spool_options options = {.segment_bytes = SEGMENT};
	const struct spool_scan scan = {
	    .owner = fill,
	    .message = found_message,
	    .mark = found_mark,
	    .damaged = found_damage,
	};
	enum err err;

	fill->io = io_create();
	buf_init(&fill->envelope, SPOOL_ENVELOPE_BYTES_MAX);
	err = io_dir_open(fill->io, path, &fill->dir);
	if (!err)
		err = spool_open(fill->io, fill->dir, &options, &scan, &fill->spool);
	if (err || fill->envelope.len == 0) {
		fprintf(stderr, "spool_fill: %s: %s\n", path,
		    err ? err_text(err) : "there is no message to copy");
		exit(1);
	}
}

/* Lines of 72 octets. */
static void
make_body(struct fill *fill, size_t bytes)
{
	char *body = mem_alloc(bytes + 2);

	for (size_t i = 0; i < bytes; i++)
		body[i] = i % 74 == 72 ? '\r' : i % 74 == 73 ? '\n' : 'x';
	fill->body = span_of(body, bytes);
}

int
main(int argc, char **argv)
{
	struct fill fill = {0};
	struct writer *writers = mem_alloc(WRITERS * sizeof(*writers));
	struct spool_op op = {.done = flushed, .owner = &fill};

	if (argc != 4)
		return 64;
	open_spool(&fill, argv[1]);
	make_body(&fill, (size_t)strtoull(argv[3], NULL, 10));
	/* Ids as no server gives them: each opening has an epoch of its own. */
	fill.next = spool_epoch(fill.spool) << EPOCH_SHIFT;
	fill.end = fill.next + strtoull(argv[2], NULL, 10);
	fill.under_way = WRITERS;
	for (size_t i = 0; i < WRITERS; i++) {
		writers[i].fill = &fill;
		writers[i].op = (struct spool_op){.done = put_done, .owner = &writers[i]};
		put_next(&writers[i]);
	}
	io_run(fill.io);
	spool_flush(fill.spool, &op);
	io_run(fill.io);
	spool_close(fill.spool);
	io_dir_close(fill.dir);
	io_destroy(fill.io);
	buf_fini(&fill.envelope);
	mem_free(writers);
	return 0;
}
