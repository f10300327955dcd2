/*
 * Jobs: work off the loop's thread, for files and for io_work.  Included only
 * by the files of this folder.
 *
 * A job's run function touches nothing but the job and what its caller lent
 * it.  Without a done function it runs at once, in the call.  A directory or
 * file that is closed while jobs use it ends with the last of them.
 */
#pragma once

#include <stdalign.h>
#include <sys/uio.h>

#include "io/io_internal.h"

/* What jobs hold open: the first member of struct io_dir and struct io_file. */
struct io_opened {
	struct list link; /* in io->dirs or io->files */
	struct io *io;
	unsigned jobs; /* under way */
	int fd;
	bool pooled; /* a job went to a thread, so the loop runs */
	bool closed;
};

struct io_dir {
	struct io_opened opened;
};

struct io_file {
	struct io_opened opened;
	uint64_t bytes;
};

struct io_job {
	uv_work_t work;
	struct io *io;
	struct io_op *op; /* NULL: nobody waits */
	struct io_opened *opened; /* NULL: none */
	void (*run)(struct io_job *job);
	/* Makes the result, in the loop's thread; NULL: nothing to make. */
	void (*finish)(struct io_job *job);

	/* Parameters; each operation uses some. */
	int at; /* the descriptor of opened */
	const char *name, *name_to;
	unsigned flags;
	char *into;
	uint64_t bytes, offset;
	int iov_count;
	void (*function)(void *argument);
	void *argument;

	/* Results. */
	enum err err;
	size_t count;
	int fd; /* closed where finish is not called */

	alignas(struct iovec) char rest[]; /* copies of names, or iovecs */
};

struct io_job *io_job_create(
    struct io *io, struct io_op *op, void (*run)(struct io_job *job), size_t rest_bytes);
/* The job uses a directory or file; before io_job_start. */
void io_job_use(struct io_job *job, struct io_opened *opened);
/* Runs it, sooner or later; the job frees itself. */
void io_job_start(struct io_job *job);
/* Sets err from a system call that gives -1 and errno. */
void io_job_result(struct io_job *job, int result);

void io_opened_init(struct io_opened *opened, struct io *io, int fd, struct list *list);
/* Closes, once no job uses it. */
void io_opened_close(struct io_opened *opened);

/* True where a name stays below its directory. */
bool io_name_ok(const char *name);
