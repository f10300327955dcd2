/* What an io is, its clock, timers, chance and log. */
#include <inttypes.h>
#include <stdio.h>

#include "sim/sim_internal.h"

/* What a machine's monotonic clock shows when its roles start. */
enum { BOOT_MS = 20000 };

struct timer {
	struct sim_event event;
	struct io_timer *timer;
};

struct task {
	struct sim_event event;
	struct io_op *op;
	enum err err;
	void (*work)(void *argument);
	void *argument;
};

struct io *
sim_io_create(struct sim *sim, struct sim_host *host)
{
	struct io *io = sim_alloc(sim, sizeof(*io));

	io->sim = sim;
	io->host = host;
	io->number = ++sim->next_io;
	list_init(&io->events);
	list_init(&io->streams);
	list_init(&io->listeners);
	list_init(&io->files);
	list_init(&io->dirs);
	list_init(&io->locks);
	list_push(&sim->ios, &io->link);
	return io;
}

void
sim_io_kill(struct io *io, bool power_cut)
{
	if (io->gone)
		return;
	/* Files first: what was under way may still happen to them. */
	sim_events_drop(io);
	sim_files_kill(io);
	sim_streams_kill(io, power_cut);
	sim_listeners_kill(io);
	sim_fds_close(io);
	io->gone = true;
}

void
sim_op_start(struct io_op *op)
{
	op->err = OK;
	op->count = 0;
	op->bytes = (struct span){"", 0};
	op->fd = -1;
	op->answer = NULL;
	op->status = 0;
}

bool
sim_has_descriptor(const struct io *io)
{
	unsigned max = io->sim->options.descriptors_max;

	return !io->life || max == 0 || io->descriptors < max;
}

struct io *
io_create(void)
{
	sim_fail(sim_current()->sim, "io_create: whoever lives here is given its io");
}

void
io_destroy(struct io *io)
{
	check(io->gone);
}

void
io_run(struct io *io)
{
	sim_fail(io->sim, "io_run: the world runs by sim_step");
}

void
io_stop(struct io *io)
{
	io->stopped = true;
}

uint64_t
io_now_ms(struct io *io)
{
	return (io->sim->now_us - io->host->boot_us) / 1000 + BOOT_MS;
}

uint64_t
io_wall_ms(struct io *io)
{
	return io->sim->wall_base_ms + io->sim->now_us / 1000 + (uint64_t)io->host->wall_offset_ms;
}

void
io_random(struct io *io, void *bytes, size_t count)
{
	char *at = bytes;

	while (count > 0) {
		uint64_t word = sim_chance(io->sim, UINT64_MAX);
		size_t part = count < sizeof(word) ? count : sizeof(word);

		memcpy(at, &word, part);
		at += part;
		count -= part;
	}
}

void
io_log(struct io *io, struct span line)
{
	struct sim *sim = io->sim;

	sim_hash_bytes(sim, line);
	if (sim_is_verbose(sim))
		printf("%10" PRIu64 " %14.6f | %s %.*s\n", sim->steps, (double)sim->now_us / 1e6,
		    io->life ? io->life->server->name : "actor", SPAN_ARGS(line));
	if (sim->on_log && io->life) {
		struct sim_current was = sim_step_out(sim);

		sim->on_log(sim->on_log_owner, io->life->server, line);
		*sim_current() = was;
	}
}

void
io_log_to(struct io *io, int fd, bool syslog)
{
	(void)io;
	(void)fd;
	(void)syslog;
}

static void
timer_drop(struct sim_event *event)
{
	sim_free(container_of(event, struct timer, event));
}

static void
timer_fire(struct sim_event *event)
{
	struct timer *mine = container_of(event, struct timer, event);
	struct io_timer *timer = mine->timer;

	timer->impl = NULL;
	sim_free(mine);
	timer->fired(timer);
}

void
io_timer_start(struct io *io, struct io_timer *timer, uint64_t delay_ms)
{
	struct timer *mine = timer->impl;

	check(timer->fired && !io->gone);
	if (!mine) {
		mine = sim_alloc(io->sim, sizeof(*mine));
		mine->event = (struct sim_event){
		    .fire = timer_fire, .drop = timer_drop, .io = io, .name = "timer"};
		mine->timer = timer;
		timer->impl = mine;
	}
	sim_event_stop(io->sim, &mine->event);
	/* Far away is far enough. */
	if (delay_ms > UINT64_C(1) << 50)
		delay_ms = UINT64_C(1) << 50;
	sim_event_start(io->sim, &mine->event, delay_ms * 1000);
}

void
io_timer_stop(struct io *io, struct io_timer *timer)
{
	struct timer *mine = timer->impl;

	if (!mine)
		return;
	sim_event_stop(io->sim, &mine->event);
	timer->impl = NULL;
	sim_free(mine);
}

static void
task_drop(struct sim_event *event)
{
	sim_free(container_of(event, struct task, event));
}

static void
task_fire(struct sim_event *event)
{
	struct task *task = container_of(event, struct task, event);
	struct io_op *op = task->op;

	op->err = task->err;
	sim_free(task);
	op->done(op);
}

static void
start_task(struct io *io, struct io_op *op, enum err err, const char *name)
{
	struct task *task = sim_alloc(io->sim, sizeof(*task));

	sim_op_start(op);
	check(op->done && !io->gone);
	task->event = (struct sim_event){
	    .fire = task_fire, .drop = task_drop, .io = io, .name = name};
	task->op = op;
	task->err = err;
	sim_event_start(io->sim, &task->event, sim_delay_us(io->sim, 100));
}

void
sim_op_fail(struct io *io, struct io_op *op, enum err err)
{
	start_task(io, op, err, "failed");
}

void
io_work(struct io *io, struct io_op *op, void (*work)(void *argument), void *argument)
{
	work(argument);
	start_task(io, op, OK, "work");
}

/* Processes are roles here; nobody else starts one. */
enum err
io_spawn(struct io *io, struct io_op *op, const struct io_spawn_options *options, int *pid)
{
	(void)io;
	(void)op;
	(void)options;
	(void)pid;
	return ERR_UNSUPPORTED;
}

enum err
io_kill(struct io *io, int pid, int signal)
{
	(void)io;
	(void)pid;
	(void)signal;
	return ERR_NOT_FOUND;
}

enum err
io_watch_fd(struct io *io, int fd, void (*ready)(void *owner), void *owner)
{
	(void)io;
	(void)fd;
	(void)ready;
	(void)owner;
	/* Libraries with descriptors of their own are outside of the simulation. */
	return ERR_UNSUPPORTED;
}

void
io_signal(struct io *io, int signal, void (*fired)(void *owner), void *owner)
{
	(void)io;
	(void)signal;
	(void)fired;
	(void)owner;
}
