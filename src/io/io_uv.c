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
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { AWAKE_MS = 3600 * 1000 };

/* An operation that could not start, on its way to its done function. */
struct ending {
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

bool
io_watch_add(struct io *io, int fd, struct io_watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	return epoll_ctl(io->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

void
io_watch_change(struct io *io, int fd, struct io_watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	check(epoll_ctl(io->epoll, EPOLL_CTL_MOD, fd, &event) == 0);
}

void
io_watch_end(struct io *io, int fd, struct io_watch *watch)
{
	if (fd >= 0)
		epoll_ctl(io->epoll, EPOLL_CTL_DEL, fd, NULL);
	watch->ready = NULL;
	list_push(&io->graves, &watch->grave);
}

static void
bury(struct io *io)
{
	struct list *node;

	while ((node = list_pop(&io->graves)))
		mem_free(container_of(node, struct io_watch, grave));
}

void
io_task_add(struct io *io, struct io_task *task)
{
	list_push(&io->tasks, &task->link);
}

static void
ending_run(struct io_task *task)
{
	struct ending *ending = container_of(task, struct ending, task);
	struct io_op *op = ending->op;

	mem_free(ending);
	op->done(op);
}

void
io_op_end(struct io *io, struct io_op *op, enum err err)
{
	struct ending *ending = mem_alloc(sizeof(*ending));

	op->err = err;
	ending->op = op;
	ending->task.run = ending_run;
	io_task_add(io, &ending->task);
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
turn_end(struct io *io)
{
	bury(io);
	tasks_run(io);
	io_streams_settle(io);
	io_log_turn(io);
}

static bool
streams_wait(const struct io *io)
{
	list_for_each(link, &io->streams)
		if (io_stream_waits(container_of(link, struct io_stream, link)))
			return true;
	return false;
}

/* Something is left to do, or to wait for. */
static bool
is_alive(struct io *io)
{
	bool uv_waits;

	if (!list_empty(&io->tasks) || !list_empty(&io->dirty))
		return true;
	uv_unref((uv_handle_t *)&io->awake);
	uv_waits = uv_loop_alive(&io->loop);
	uv_ref((uv_handle_t *)&io->awake);
	return uv_waits || io_listeners_wait(io) || streams_wait(io) || io_programs_wait(io);
}

/* Tells the watches that are ready; true where libuv's own set is. */
static bool
tell(const struct epoll_event *events, int count)
{
	bool uv_ready = false;

	for (int i = 0; i < count; i++) {
		struct io_watch *watch = events[i].data.ptr;

		if (!watch)
			uv_ready = true;
		else if (watch->ready)
			watch->ready(watch, events[i].events);
	}
	return uv_ready;
}

void
io_turn(struct io *io)
{
	struct epoll_event events[IO_EVENTS_PER_TURN];
	bool idle;
	int count;

	turn_end(io);
	if (io->stopped || !is_alive(io))
		return;
	idle = list_empty(&io->tasks) && list_empty(&io->dirty);
	count = epoll_wait(io->epoll, events, IO_EVENTS_PER_TURN,
	    idle ? uv_backend_timeout(&io->loop) : 0);
	uv_update_time(&io->loop);
	if (tell(events, count) || uv_backend_timeout(&io->loop) == 0)
		uv_run(&io->loop, UV_RUN_NOWAIT);
}

static void
lists_init(struct io *io)
{
	struct list *lists[] = {&io->tasks, &io->dirty, &io->closing, &io->graves,
	    &io->streams, &io->listeners, &io->timers, &io->timers_spare, &io->signals,
	    &io->children, &io->programs, &io->dirs, &io->files, &io->locks, &io->foreign};

	for (size_t i = 0; i < LEN(lists); i++)
		list_init(lists[i]);
}

static void
woken(uv_timer_t *timer)
{
	(void)timer;
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
	io->epoll = epoll_create1(EPOLL_CLOEXEC);
	check(io->epoll >= 0 && epoll_ctl(io->epoll, EPOLL_CTL_ADD,
	    uv_backend_fd(&io->loop), &(struct epoll_event){.events = EPOLLIN}) == 0);
	uv_timer_init(&io->loop, &io->awake);
	uv_timer_start(&io->awake, woken, AWAKE_MS, AWAKE_MS);
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

		if (task->run == ending_run)
			mem_free(container_of(task, struct ending, task));
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
	io_programs_destroy(io);
	io_foreign_destroy(io);
	io_timers_destroy(io);
	io_log_destroy(io);
	uv_close((uv_handle_t *)&io->awake, NULL);
	uv_close((uv_handle_t *)&io->close_timer, NULL);
	/* Ends once the work on other threads has ended; then files are idle. */
	uv_run(&io->loop, UV_RUN_DEFAULT);
	io_fetch_destroy(io);
	io_files_destroy(io);
	io_locks_destroy(io);
	bury(io);
	check(uv_loop_close(&io->loop) == 0);
	close(io->epoll);
	mem_free(io->read_bytes);
	mem_free(io);
}

void
io_run(struct io *io)
{
	io->stopped = false;
	uv_update_time(&io->loop);
	while (!io->stopped && is_alive(io))
		io_turn(io);
	/* io_stop may have come after the end of the last turn. */
	io_streams_settle(io);
	io_log_write(io);
}

void
io_stop(struct io *io)
{
	io->stopped = true;
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
