/*
 * Programs are played: how one goes is said when it starts.  What it does to the world, it does by
 * itself: one that does not heed signals may take its message after whoever started it has died.
 */
#include <signal.h>

#include "proc/proc_account.h"
#include "sim/sim_internal.h"

enum { START_US = 5000, END_US = 2000 };

/* One that runs; it may outlive struct io_program. */
struct play {
	struct sim_event takes, ends; /* of the world; of the role */
	struct sim_server *server;
	uint64_t boot_us;
	struct io_program *program; /* NULL: nobody waits for it any more */
	struct sim_plan plan;
	struct buf input, environment; /* variables, each with its NUL */
};

struct io_program {
	struct io *io;
	struct buf input;
	struct buf *output;
	struct io_op *op;
	struct play *play; /* NULL: it does not run */
};

static void
play_free(struct play *play)
{
	struct sim *sim = play->server->sim;

	sim_event_stop(sim, &play->takes);
	sim_event_stop(sim, &play->ends);
	sim_free(play->input.ptr);
	sim_free(play->environment.ptr);
	sim_free(play);
}

enum { VARIABLES_MAX = 64 };

/* The variables as the program has them. */
static void
list_environment(const struct play *play, const char *envp[VARIABLES_MAX + 1])
{
	struct span rest = buf_span(&play->environment), one;
	size_t count = 0;

	while (count < VARIABLES_MAX && span_cut(&rest, '\0', &one))
		envp[count++] = one.ptr;
	envp[count] = NULL;
}

static void
takes(struct sim_event *event)
{
	struct play *play = container_of(event, struct play, takes);
	struct sim *sim = play->server->sim;
	const char *envp[VARIABLES_MAX + 1];

	list_environment(play, envp);
	/* Power that went meanwhile took the program with it. */
	if (play->server->host->on && play->server->host->boot_us == play->boot_us)
		sim->programs->took(
		    sim->programs->owner, play->server, envp, buf_span(&play->input));
	if (!play->program)
		play_free(play);
}

static void
ends(struct sim_event *event)
{
	struct play *play = container_of(event, struct play, ends);
	struct io_program *program = play->program;
	struct io_op *op = program->op;

	op->err = play->plan.err;
	op->status = play->plan.status;
	buf_add(program->output, span_first(play->plan.says, buf_space(program->output)));
	program->play = NULL;
	sim_hash(play->server->sim, (uint64_t)op->status);
	play_free(play);
	op->done(op);
}

/* The role has died: its program is told to end. */
static void
left(struct sim_event *event)
{
	struct play *play = container_of(event, struct play, ends);

	play->program = NULL;
	if (!play->plan.deaf || !sim_event_waits(&play->takes))
		play_free(play);
}

enum err
io_program_create(struct io *io, struct io_program **program)
{
	*program = mem_alloc(sizeof(**program));
	(*program)->io = io;
	buf_init(&(*program)->input, SIZE_MAX / 2);
	return OK;
}

enum err
io_program_write(struct io_program *program, struct span bytes)
{
	buf_add(&program->input, bytes);
	return OK;
}

/* Of the world's memory. */
static struct buf
copy(struct sim *sim, struct span bytes)
{
	struct buf made = {.ptr = sim_alloc(sim, bytes.len + 1), .len = bytes.len};

	if (bytes.len > 0)
		memcpy(made.ptr, bytes.ptr, bytes.len);
	return made;
}

static struct play *
new_play(struct io_program *program, const struct io_program_options *options)
{
	struct io *io = program->io;
	struct play *play = sim_alloc(io->sim, sizeof(*play));
	struct buf environment;

	buf_init(&environment, 1 << 20);
	for (const char *const *at = options->envp; *at; at++) {
		buf_add_str(&environment, *at);
		buf_add_char(&environment, '\0');
	}
	play->server = io->host->server;
	play->boot_us = io->host->boot_us;
	play->program = program;
	play->input = copy(io->sim, buf_span(&program->input));
	play->environment = copy(io->sim, buf_span(&environment));
	play->takes = (struct sim_event){.fire = takes, .name = "program takes"};
	play->ends = (struct sim_event){
	    .fire = ends, .drop = left, .io = io, .name = "program ends", .critical = true};
	buf_fini(&environment);
	return play;
}

void
io_program_start(struct io_program *program, struct io_op *op,
    const struct io_program_options *options)
{
	struct sim *sim = program->io->sim;
	struct sim_current was;
	struct play *play;

	check(op->done && !program->op);
	sim_op_start(op);
	program->op = op;
	program->output = options->output;
	program->play = play = new_play(program, options);
	was = sim_step_out(sim);
	if (sim->programs)
		play->plan =
		    sim->programs->plan(sim->programs->owner, play->server, options->envp);
	*sim_current() = was;
	if (play->plan.err)
		play->plan.takes = false;
	if (play->plan.takes)
		sim_event_start(sim, &play->takes, play->plan.takes_us);
	if (play->plan.err || play->plan.ends_us > 0)
		sim_event_start(
		    sim, &play->ends, sim_delay_us(sim, START_US) + play->plan.ends_us);
	else
		/* For ever: but it must be known whose it is. */
		sim_event_start(sim, &play->ends, UINT64_C(1) << 50);
}

void
io_program_signal(struct io_program *program, int signal)
{
	struct play *play = program->play;
	struct sim *sim = program->io->sim;

	if (!play || (play->plan.deaf && signal != SIGKILL))
		return;
	sim_event_stop(sim, &play->takes);
	sim_event_stop(sim, &play->ends);
	play->plan.status = 128 + signal;
	play->plan.says = SPAN("");
	sim_event_start(sim, &play->ends, sim_delay_us(sim, END_US));
}

void
io_program_destroy(struct io_program *program)
{
	if (!program)
		return;
	check(!program->play);
	buf_fini(&program->input);
	mem_free(program);
}

enum err
proc_account(const char *user, struct proc_account *account)
{
	(void)user;
	*account = (struct proc_account){"robot", "/home/robot", "/bin/sh", ""};
	return OK;
}

enum err
proc_may_run(const char *path)
{
	(void)path;
	return OK;
}
