/* File operations under way, as sim_job.c, sim_file.c and sim_dir.c share them. */
#pragma once

#include "sim/sim_internal.h"

enum { SIM_STALL_US = 20000000, SIM_READ_US = 400, SIM_WRITE_US = 200 };

struct io_file {
	struct io *io;
	struct sim_inode *inode;
	struct list link;
	uint64_t bytes;
	unsigned under_way;
	bool closed;
};

struct io_dir {
	struct io *io;
	struct sim_inode *inode;
	struct list link;
	unsigned under_way;
	bool closed;
};

struct sim_lock {
	struct list link;
	struct sim_inode *inode;
};

struct sim_job {
	struct sim_event event;
	struct io *io;
	struct io_op *op;
	void (*run)(struct sim_job *job);
	struct io_file *file;
	struct io_dir *dir;
	const char *name, *name_to;
	unsigned flags;
	void *into;
	uint64_t bytes, offset, number;
	const struct span *spans;
	size_t span_count;
	bool dying; /* the role is gone: nobody is told */
	enum err err;
	size_t count;
	struct io_file *opened;
};

void sim_file_free(struct io_file *file);
void sim_dir_free(struct io_dir *dir);
struct sim_job *sim_job_create(
    struct io *io, struct io_op *op, void (*run)(struct sim_job *job), size_t rest);
/* Runs it now where its op has no done function, else within the delay, or a little later. */
void sim_job_start(struct sim_job *job, const char *name, uint64_t delay_us);
void sim_job_happened(struct sim_job *job, enum sim_event_kind kind);
/* True where the sync fails; what it was to make durable is then anybody's guess. */
bool sim_job_sync_fails(struct sim_job *job);
