/*
 * The life of an io, its clock and chance, and the order of a turn (see
 * io_internal.h).  All state hangs off struct io; the process-wide effects of
 * io_create are that SIGPIPE is ignored and UV_THREADPOOL_SIZE has a value.
 */
#include "io/io_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

/* An operation that could not start, on its way to its done function. */
struct failure {
	struct io_task task;
	struct io_op *op;
};

void
io_op_start(struct io_op *op)
{
	op->err = OK;
	op->count = 0;
	op->bytes = (struct span){"", 0};
	op->fd = -1;
	op->answer = NULL;
	op->status = 0;
}

enum err
io_err_from_uv(int status)
{
	return status >= 0 ? OK : err_from_errno(-status);
}

void
io_handle_free(uv_handle_t *handle)
{
	mem_free(handle->data);
}

/* The idle handle only keeps the loop awake; the work is done in turn_end. */
static void
busy_nothing(uv_idle_t *idle)
{
	(void)idle;
}

void
io_wake(struct io *io)
{
	if (!io->ending && !uv_is_active((uv_handle_t *)&io->busy))
		uv_idle_start(&io->busy, busy_nothing);
}

void
io_task_add(struct io *io, struct io_task *task)
{
	list_push(&io->tasks, &task->link);
	io_wake(io);
}

static void
failure_run(struct io_task *task)
{
	struct failure *failure = container_of(task, struct failure, task);
	struct io_op *op = failure->op;

	mem_free(failure);
	op->done(op);
}

void
io_op_fail(struct io *io, struct io_op *op, enum err err)
{
	struct failure *failure = mem_alloc(sizeof(*failure));

	op->err = err;
	failure->op = op;
	failure->task.run = failure_run;
	io_task_add(io, &failure->task);
}

/* Runs the tasks that are queued now; what they queue waits for the next turn. */
static void
tasks_run(struct io *io)
{
	struct list now = {&now, &now}, *link;

	while ((link = list_pop(&io->tasks)))
		list_push(&now, link);
	while ((link = list_pop(&now))) {
		struct io_task *task = container_of(link, struct io_task, link);

		task->run(task);
	}
}

static void
turn_end(uv_prepare_t *prepare)
{
	struct io *io = prepare->data;

	io_streams_bury(io);
	tasks_run(io);
	io_streams_settle(io);
	io_log_write(io);
	if (list_empty(&io->tasks) && list_empty(&io->dirty))
		uv_idle_stop(&io->busy);
}

static void
lists_init(struct io *io)
{
	struct list *lists[] = {&io->tasks, &io->dirty, &io->closing, &io->graves,
	    &io->streams, &io->listeners, &io->timers, &io->timers_spare, &io->signals,
	    &io->children, &io->dirs, &io->files, &io->locks};

	for (size_t i = 0; i < LEN(lists); i++)
		list_init(lists[i]);
}

struct io *
io_create(void)
{
	struct io *io = mem_alloc(sizeof(*io));
	char threads[16];

	snprintf(threads, sizeof(threads), "%d", IO_THREADS);
	setenv("UV_THREADPOOL_SIZE", threads, 0);
	/* Sockets are written with MSG_NOSIGNAL; this is for the log's pipe. */
	signal(SIGPIPE, SIG_IGN);

	lists_init(io);
	io->read_bytes = mem_alloc(IO_READ_BYTES);
	io->dns_timeout_ms = IO_DNS_MS;
	check(uv_loop_init(&io->loop) == 0);
	uv_prepare_init(&io->loop, &io->turn_end);
	io->turn_end.data = io;
	uv_prepare_start(&io->turn_end, turn_end);
	uv_unref((uv_handle_t *)&io->turn_end);
	uv_idle_init(&io->loop, &io->busy);
	uv_timer_init(&io->loop, &io->close_timer);
	io->close_timer.data = io;
	uv_unref((uv_handle_t *)&io->close_timer);
	io_log_create(io);
	return io;
}

/* Only the tasks of operations that could not start have memory of their own. */
static void
tasks_drop(struct io *io)
{
	struct list *link;

	while ((link = list_pop(&io->tasks))) {
		struct io_task *task = container_of(link, struct io_task, link);

		if (task->run == failure_run)
			mem_free(container_of(task, struct failure, task));
	}
}

void
io_destroy(struct io *io)
{
	if (!io)
		return;
	io_streams_settle(io);
	io->ending = true;
	tasks_drop(io);
	io_dns_destroy(io);
	io_streams_destroy(io);
	io_listeners_destroy(io);
	io_children_destroy(io);
	io_timers_destroy(io);
	io_log_destroy(io);
	uv_close((uv_handle_t *)&io->turn_end, NULL);
	uv_close((uv_handle_t *)&io->busy, NULL);
	uv_close((uv_handle_t *)&io->close_timer, NULL);
	/* Ends once the work on other threads has ended; then files are idle. */
	uv_run(&io->loop, UV_RUN_DEFAULT);
	io_files_destroy(io);
	io_locks_destroy(io);
	io_streams_bury(io);
	check(uv_loop_close(&io->loop) == 0);
	mem_free(io->read_bytes);
	mem_free(io);
}

void
io_run(struct io *io)
{
	uv_run(&io->loop, UV_RUN_DEFAULT);
	/* io_stop may have come after the end of the last turn. */
	io_streams_settle(io);
	io_log_write(io);
}

void
io_stop(struct io *io)
{
	uv_stop(&io->loop);
}

uint64_t
io_now_ms(struct io *io)
{
	return uv_now(&io->loop);
}

uint64_t
io_wall_ms(struct io *io)
{
	struct timespec now;

	(void)io;
	check(clock_gettime(CLOCK_REALTIME, &now) == 0);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void
io_random(struct io *io, void *bytes, size_t count)
{
	char *at = bytes;

	(void)io;
	while (count > 0) {
		ssize_t got = getrandom(at, count, 0);

		if (got < 0 && errno == EINTR)
			continue;
		check(got > 0);
		at += got;
		count -= (size_t)got;
	}
}
