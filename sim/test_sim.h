/* A small world for the tests: a machine with a disk, no roles, and an io of its own on it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/sim_internal.h"

struct test_world {
	struct sim *sim;
	struct sim_host *host;
	struct sim_server *server; /* a machine only: nothing is started on it */
	struct io *io;
	struct io_dir *dir; /* its root */
};

static inline void
test_world_init(struct test_world *world, uint64_t seed)
{
	struct sim_options options = {
	    .seed = seed, .sync_us_max = 5000, .net_us_max = 20000, .ipc_us_max = 100};
	const struct net_addr addr = {.family = 4, .bytes = {192, 0, 2, 1}};

	world->sim = sim_create(&options);
	world->host = sim_host_add(world->sim, &addr);
	world->server = sim_alloc(world->sim, sizeof(*world->server));
	world->server->sim = world->sim;
	world->server->host = world->host;
	world->server->disk = sim_disk_create(world->sim, world->server);
	world->host->server = world->server;
	world->io = sim_io_create(world->sim, world->host);
	assert_int_equal(io_dir_open(world->io, "/", &world->dir), OK);
}

/* The io dies with its machine, and another begins after the power cut. */
static inline void
test_world_power_cut(struct test_world *world)
{
	sim_io_kill(world->io, true);
	sim_disk_power_cut(world->server->disk);
	world->io = sim_io_create(world->sim, world->host);
	assert_int_equal(io_dir_open(world->io, "/", &world->dir), OK);
}

static inline void
test_world_fini(struct test_world *world)
{
	sim_io_kill(world->io, true);
	sim_destroy(world->sim);
}

static inline struct io_file *
test_create(struct test_world *world, const char *name)
{
	struct io_op op = {0};

	io_open(world->dir, &op, name, IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
	assert_int_equal(op.err, OK);
	return op.file;
}

static inline void
test_write(struct io_file *file, const char *text, uint64_t offset)
{
	const struct span span = span_str(text);
	struct io_op op = {0};

	io_pwrite(file, &op, &span, 1, offset);
	assert_int_equal(op.err, OK);
	assert_int_equal(op.count, span.len);
}

static inline void
test_sync(struct test_world *world, struct io_file *file)
{
	struct io_op op = {0};

	io_sync(file, &op);
	assert_int_equal(op.err, OK);
	io_dir_sync(world->dir, &op, NULL);
	assert_int_equal(op.err, OK);
}

/* The file's bytes as text; NULL where it is not there. */
static inline const char *
test_read(struct test_world *world, const char *name, char *into, size_t room)
{
	struct io_op op = {0};
	struct io_file *file;

	io_open(world->dir, &op, name, IO_OPEN_READ);
	if (op.err)
		return NULL;
	file = op.file;
	io_pread(file, &op, into, room - 1, 0);
	assert_int_equal(op.err, OK);
	into[op.count] = '\0';
	io_file_close(file);
	return into;
}
