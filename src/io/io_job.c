/* Jobs on the threads of libuv's pool; see io_job.h. */
#include "io/io_job.h"

#include <errno.h>
#include <unistd.h>

static void
opened_free(struct io_opened *opened)
{
	if (opened->fd >= 0)
		close(opened->fd);
	list_remove(&opened->link);
	mem_free(opened);
}

void
io_opened_init(struct io_opened *opened, struct io *io, int fd, struct list *list)
{
	opened->io = io;
	opened->fd = fd;
	list_push(list, &opened->link);
}

static void
close_run(struct io_job *job)
{
	close(job->at);
}

void
io_opened_close(struct io_opened *opened)
{
	check(!opened->closed);
	opened->closed = true;
	if (opened->jobs > 0)
		return;
	/* The last close of an unlinked file frees its blocks, which takes time. */
	if (opened->pooled && !opened->io->ending) {
		struct io_job *job = io_job_create(opened->io, NULL, close_run, 0);

		job->at = opened->fd;
		opened->fd = -1;
		io_job_start(job);
	}
	opened_free(opened);
}

static void
end(struct io_job *job)
{
	struct io_opened *opened = job->opened;
	struct io_op *op = job->op;
	bool ending = job->io->ending;

	if (job->finish && !ending)
		job->finish(job);
	else if (job->fd >= 0)
		close(job->fd);
	if (op && !ending) {
		op->err = job->err;
		op->count = job->count;
	}
	mem_free(job);
	if (opened && --opened->jobs == 0 && opened->closed) {
		opened->closed = false;
		io_opened_close(opened);
	}
	if (op && op->done && !ending)
		op->done(op);
}

static void
on_work(uv_work_t *work)
{
	struct io_job *job = work->data;

	job->run(job);
}

static void
on_work_ended(uv_work_t *work, int status)
{
	(void)status;
	end(work->data);
}

struct io_job *
io_job_create(
    struct io *io, struct io_op *op, void (*run)(struct io_job *job), size_t rest_bytes)
{
	struct io_job *job = mem_alloc(sizeof(*job) + rest_bytes);

	if (op)
		io_op_start(op);
	job->work.data = job;
	job->io = io;
	job->op = op;
	job->run = run;
	job->fd = -1;
	return job;
}

void
io_job_use(struct io_job *job, struct io_opened *opened)
{
	check(!opened->closed);
	job->opened = opened;
	job->at = opened->fd;
	opened->jobs++;
}

void
io_job_start(struct io_job *job)
{
	struct io *io = job->io;

	if (job->op && !job->op->done) {
		job->run(job);
		end(job);
		/* Start-up may spend long here without a turn of the loop. */
		uv_update_time(&io->loop);
		return;
	}
	if (job->opened)
		job->opened->pooled = true;
	check(uv_queue_work(&io->loop, &job->work, on_work, on_work_ended) == 0);
}

void
io_job_result(struct io_job *job, int result)
{
	job->err = result < 0 ? err_from_errno(errno) : OK;
}

static void
function_run(struct io_job *job)
{
	job->function(job->argument);
}

void
io_work(struct io *io, struct io_op *op, void (*work)(void *argument), void *argument)
{
	struct io_job *job = io_job_create(io, op, function_run, 0);

	check(op->done != NULL);
	job->function = work;
	job->argument = argument;
	io_job_start(job);
}
