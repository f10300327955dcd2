/* See keep.h.  A file that cannot be written is told of once, until one can again. */
#include "proc/fetcher/keep.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/sim_point.h"
#include "proc/proc_file.h"

enum { NAME_BYTES = 256 };

static const char name_new[] = "new";

struct job {
	struct list node;
	char name[NAME_BYTES];
	char *bytes;
	struct span span;
	struct io_file *file;
};

static void opened(struct io_op *op);
static void go_on(struct keep *keep);

void
keep_init(struct keep *keep, struct io *io, struct io_dir *dir, struct event_log *log)
{
	*keep = (struct keep){.io = io, .dir = dir, .log = log};
	list_init(&keep->jobs);
	keep->op.owner = keep;
}

static struct job *
first(struct keep *keep)
{
	return container_of(keep->jobs.next, struct job, node);
}

static void
end(struct keep *keep, enum err err)
{
	struct job *job = first(keep);
	struct event event;

	if (job->file)
		io_file_close(job->file);
	if (err && !keep->failing) {
		SIM_MARK("fetcher.not_kept");
		event_begin(&event, keep->log, "tls_policies_not_kept");
		event_str(&event, "file", job->name);
		event_err(&event, err);
		event_str(&event, "text", "what is known of TLS policies is lost at a restart");
		event_end(&event);
	}
	keep->failing = err != OK;
	list_remove(&job->node);
	mem_free(job->bytes);
	mem_free(job);
	keep->busy = false;
	go_on(keep);
}

static void
dir_synced(struct io_op *op)
{
	end(op->owner, op->err);
}

static void
renamed(struct io_op *op)
{
	struct keep *keep = op->owner;

	if (op->err) {
		end(keep, op->err);
		return;
	}
	op->done = dir_synced;
	io_dir_sync(keep->dir, op, NULL);
}

static void
synced(struct io_op *op)
{
	struct keep *keep = op->owner;

	if (op->err) {
		end(keep, op->err);
		return;
	}
	op->done = renamed;
	io_rename(keep->dir, op, name_new, first(keep)->name);
}

static void
written(struct io_op *op)
{
	struct keep *keep = op->owner;

	if (op->err) {
		end(keep, op->err);
		return;
	}
	op->done = synced;
	io_sync(first(keep)->file, op);
}

static void
opened(struct io_op *op)
{
	struct keep *keep = op->owner;
	struct job *job = first(keep);

	if (op->err) {
		end(keep, op->err);
		return;
	}
	job->file = op->file;
	op->done = written;
	io_pwrite(job->file, op, &job->span, 1, 0);
}

/* What a crash left behind is gone, or was never there. */
static void
cleared(struct io_op *op)
{
	struct keep *keep = op->owner;

	op->done = opened;
	io_open(keep->dir, op, name_new, IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
}

static void
go_on(struct keep *keep)
{
	if (keep->busy)
		return;
	if (list_empty(&keep->jobs)) {
		if (keep->idle)
			keep->idle(keep->owner);
		return;
	}
	keep->busy = true;
	keep->op.done = cleared;
	io_unlink(keep->dir, &keep->op, name_new);
}

static struct job *
find(struct keep *keep, const char *name)
{
	list_for_each(node, &keep->jobs)
	{
		struct job *job = container_of(node, struct job, node);

		if (!(keep->busy && job == first(keep)) && strcmp(job->name, name) == 0)
			return job;
	}
	return NULL;
}

void
keep_file(struct keep *keep, const char *name, struct span bytes)
{
	struct job *job;

	if (!keep->dir || keep->reads_only)
		return;
	job = find(keep, name);
	if (!job) {
		job = mem_alloc(sizeof(*job));
		snprintf(job->name, sizeof(job->name), "%s", name);
		list_push(&keep->jobs, &job->node);
	}
	mem_free(job->bytes);
	job->bytes = mem_copy(bytes);
	job->span = span_of(job->bytes, bytes.len);
	go_on(keep);
}

enum err
keep_read(struct keep *keep, const char *name, struct buf *out)
{
	return keep->dir ? proc_file_read(keep->dir, name, out) : ERR_NOT_FOUND;
}

void
keep_remove(struct keep *keep, const char *name)
{
	struct io_op op = {0};

	if (keep->dir && !keep->reads_only)
		io_unlink(keep->dir, &op, name);
}
