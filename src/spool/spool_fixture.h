/*
 * For the tests of this folder: a spool in a directory of its own on the real
 * file system, what its start-up reported, and calls that wait for their end.
 * Bodies and envelopes are made of their ids, so that each can be checked.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "spool/spool.h"

enum { PATH_BYTES = 320, SEEN_MARKS = 200 };

struct seen {
	uint64_t id, body_bytes;
	bool envelope_right;
	char marks[SEEN_MARKS]; /* each with a ";" after it */
};

struct seen_damage {
	char segment[64];
	uint64_t offset, id;
};

struct world {
	char path[PATH_BYTES];
	struct io *io;
	struct io_dir *dir;
	struct spool *spool;
	struct spool_options options;
	uint64_t since;
	struct seen *seen;
	size_t seen_count;
	struct seen_damage damages[64];
	size_t damage_count;
};

/* An operation that stops the loop when it ends. */
struct waited {
	struct spool_op op;
	struct world *world;
	bool done;
};

static inline const char *
temp_root(void)
{
	const char *root = getenv("TMPDIR");

	return root && *root ? root : "/tmp";
}

static inline void
world_init(struct world *world, uint64_t segment_bytes)
{
	*world = (struct world){.options = {.segment_bytes = segment_bytes}};
	(void)snprintf(
	    world->path, sizeof(world->path), "%s/spool-test-XXXXXX", temp_root());
	assert_non_null(mkdtemp(world->path));
}

/* Removes a directory, with what is in it and in those right below it. */
static inline void
empty_dir(const char *path)
{
	DIR *listing = opendir(path);
	struct dirent *entry, *below;

	while (listing && (entry = readdir(listing))) {
		int fd = openat(dirfd(listing), entry->d_name, O_RDONLY | O_DIRECTORY);
		DIR *inner = fd >= 0 && entry->d_name[0] != '.' ? fdopendir(fd) : NULL;

		while (inner && (below = readdir(inner)))
			(void)unlinkat(dirfd(inner), below->d_name, 0);
		if (inner)
			closedir(inner);
		else if (fd >= 0)
			close(fd);
		(void)unlinkat(dirfd(listing), entry->d_name, inner ? AT_REMOVEDIR : 0);
	}
	if (listing)
		closedir(listing);
	(void)rmdir(path);
}

static inline char
envelope_byte(uint64_t id, size_t at)
{
	return (char)('a' + (id * 7 + at) % 26);
}

static inline size_t
envelope_bytes(uint64_t id)
{
	return (size_t)(20 + id % 50);
}

static inline char
body_byte(uint64_t id, uint64_t at)
{
	return (char)(id * 131 + at * 7 + at / 1000);
}

static inline void
saw_message(void *owner, uint64_t id, struct span envelope, uint64_t body_bytes)
{
	struct world *world = owner;
	struct seen *seen;

	world->seen =
	    mem_realloc(world->seen, (world->seen_count + 1) * sizeof(*world->seen));
	seen = &world->seen[world->seen_count++];
	*seen = (struct seen){.id = id, .body_bytes = body_bytes};
	seen->envelope_right = envelope.len == envelope_bytes(id);
	for (size_t i = 0; i < envelope.len; i++)
		if (envelope.ptr[i] != envelope_byte(id, i))
			seen->envelope_right = false;
}

static inline void
saw_mark(void *owner, uint64_t id, struct span mark)
{
	struct world *world = owner;
	struct seen *seen;
	size_t used;

	assert_true(world->seen_count > 0);
	seen = &world->seen[world->seen_count - 1];
	assert_int_equal(seen->id, id);
	used = strlen(seen->marks);
	(void)snprintf(seen->marks + used, sizeof(seen->marks) - used, "%.*s;",
	    (int)mark.len, mark.ptr);
}

static inline void
saw_damage(void *owner, const char *segment, uint64_t offset, uint64_t id)
{
	struct world *world = owner;
	struct seen_damage *damage;

	if (world->damage_count == LEN(world->damages))
		return;
	damage = &world->damages[world->damage_count++];
	*damage = (struct seen_damage){.offset = offset, .id = id};
	(void)snprintf(damage->segment, sizeof(damage->segment), "%s", segment);
}

static inline void
world_close(struct world *world)
{
	spool_close(world->spool);
	world->spool = NULL;
	io_dir_close(world->dir);
	world->dir = NULL;
	io_destroy(world->io);
	world->io = NULL;
}

static inline enum err
world_try_open(struct world *world)
{
	struct spool_scan scan = {
	    .owner = world,
	    .message = saw_message,
	    .mark = saw_mark,
	    .damaged = saw_damage,
	    .since = world->since,
	};
	enum err err;

	mem_free(world->seen);
	world->seen = NULL;
	world->seen_count = world->damage_count = 0;
	world->io = io_create();
	assert_int_equal(io_dir_open(world->io, world->path, &world->dir), OK);
	err = spool_open(world->io, world->dir, &world->options, &scan, &world->spool);
	if (err)
		world_close(world);
	return err;
}

static inline void
world_open(struct world *world)
{
	assert_int_equal(world_try_open(world), OK);
}

static inline void
waited_done(struct spool_op *op)
{
	struct waited *waited = op->owner;

	waited->done = true;
	io_stop(waited->world->io);
}

static inline void
waited_init(struct waited *waited, struct world *world)
{
	*waited = (struct waited){
	    .world = world,
	    .op = {.done = waited_done, .owner = waited},
	};
}

static inline enum err
waited_end(struct waited *waited)
{
	while (!waited->done)
		io_run(waited->world->io);
	return waited->op.err;
}

/* Waits until nothing is under way. */
static inline enum err
flush(struct world *world)
{
	struct waited waited;

	waited_init(&waited, world);
	spool_flush(world->spool, &waited.op);
	return waited_end(&waited);
}

static inline void
world_reopen(struct world *world)
{
	if (world->spool) {
		(void)flush(world);
		world_close(world);
	}
	world_open(world);
}

static inline void
world_fini(struct world *world)
{
	if (world->spool) {
		(void)flush(world);
		world_close(world);
	}
	mem_free(world->seen);
	empty_dir(world->path);
}

/* A message's bytes, to live until the put ends. */
struct bytes {
	char envelope[128];
	char *body;
	size_t body_bytes;
};

static inline void
bytes_init(struct bytes *bytes, uint64_t id, size_t body_bytes)
{
	for (size_t i = 0; i < envelope_bytes(id); i++)
		bytes->envelope[i] = envelope_byte(id, i);
	bytes->body = mem_alloc(body_bytes + 1);
	bytes->body_bytes = body_bytes;
	for (size_t i = 0; i < body_bytes; i++)
		bytes->body[i] = body_byte(id, i);
}

static inline struct span
bytes_envelope(const struct bytes *bytes, uint64_t id)
{
	return span_of(bytes->envelope, envelope_bytes(id));
}

static inline struct span
bytes_body(const struct bytes *bytes)
{
	return span_of(bytes->body, bytes->body_bytes);
}

static inline enum err
put(struct world *world, uint64_t id, size_t body_bytes)
{
	struct waited waited;
	struct bytes bytes;

	waited_init(&waited, world);
	bytes_init(&bytes, id, body_bytes);
	spool_put(
	    world->spool, &waited.op, id, bytes_envelope(&bytes, id), bytes_body(&bytes));
	assert_false(waited.done);
	(void)waited_end(&waited);
	mem_free(bytes.body);
	return waited.op.err;
}

/* Many puts at once, as writers on many connections make them. */
static inline void
put_many(struct world *world, uint64_t first, size_t count, size_t body_bytes)
{
	struct waited *waits = mem_alloc(count * sizeof(*waits));
	struct bytes *bytes = mem_alloc(count * sizeof(*bytes));

	for (size_t i = 0; i < count; i++) {
		waited_init(&waits[i], world);
		bytes_init(&bytes[i], first + i, body_bytes);
		spool_put(world->spool, &waits[i].op, first + i,
		    bytes_envelope(&bytes[i], first + i), bytes_body(&bytes[i]));
	}
	for (size_t i = 0; i < count; i++)
		assert_int_equal(waited_end(&waits[i]), OK);
	for (size_t i = 0; i < count; i++)
		mem_free(bytes[i].body);
	mem_free(bytes);
	mem_free(waits);
}

static inline enum err
mark(struct world *world, uint64_t id, const char *text)
{
	struct waited waited;

	waited_init(&waited, world);
	spool_mark(world->spool, &waited.op, id, span_str(text));
	assert_false(waited.done);
	return waited_end(&waited);
}

static inline enum err
drop(struct world *world, uint64_t id)
{
	struct waited waited;

	waited_init(&waited, world);
	spool_remove(world->spool, &waited.op, id, SPAN(""));
	assert_false(waited.done);
	return waited_end(&waited);
}

/* Reads a body in pieces and compares. */
static inline enum err
read_body(struct world *world, uint64_t id, uint64_t body_bytes, size_t piece)
{
	char *into = mem_alloc(piece);
	uint64_t at = 0;
	struct io_op op;

	do {
		op = (struct io_op){0};
		spool_read_body(world->spool, &op, id, into, piece, at);
		for (size_t i = 0; !op.err && i < op.count; i++)
			assert_int_equal(into[i], body_byte(id, at + i));
		at += op.count;
	} while (!op.err && op.count == piece);
	mem_free(into);
	if (!op.err)
		assert_int_equal(at, body_bytes);
	return op.err;
}

/* What start-up said of a message; NULL where it said nothing. */
static inline const struct seen *
seen(const struct world *world, uint64_t id)
{
	for (size_t i = 0; i < world->seen_count; i++)
		if (world->seen[i].id == id)
			return &world->seen[i];
	return NULL;
}
