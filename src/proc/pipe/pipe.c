/*
 * The pipe role: runs the programs that mail is handed to, for one user, as whom it runs itself.
 * One program for one recipient of one message.
 *
 * It decides by its own configuration which program that is: the queue names the recipient, and
 * cannot name a command.  A program starts once its message is here as a whole.  The queue is told
 * that the message was delivered only after the program has ended with 0; what else may have become
 * of it is in verdict.c.
 *
 *   GATHERING ──► RUNNING ──► TOLD ──► KILLED
 *       │            │  its time is over │ it goes on all the same
 *       └────────────┴──────────┴────────┴──► the run is over
 */
#include "proc/pipe/pipe.h"

#include <signal.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/id.h"
#include "base/map.h"
#include "base/sim_point.h"
#include "mime/local.h"
#include "proc/pipe/verdict.h"
#include "proc/pipe/words.h"
#include "proc/proc_account.h"
#include "route/route.h"

enum {
	RUNS_MAX = 1000,         /* the queue gives far fewer */
	PIECE_BYTES_MAX = IPC_BODY_BYTES_MAX + 2048,
	KILL_MS = 2000,          /* between being told to end and being ended */
	STOP_WAIT_MS = 150,      /* the server stops: what is nearly done gets so long, */
	STOP_KILL_MS = 100,      /* and then so long to end */
	SAID_BYTES = 700,        /* of output in one line of the log, which holds no more */
};

enum state { GATHERING, RUNNING, TOLD, KILLED };

struct pipe {
	struct proc_env *env;
	char user[CONF_USER_BYTES_MAX + 1]; /* as the configuration calls it */
	struct proc_account account;
	struct map runs; /* by attempt */
	unsigned run_count;
	struct ipc_channel *queue;
	struct io_timer stop;
	bool stopping, told_all;
};

/* One program, for one recipient. */
struct run {
	struct pipe *pipe;
	uint64_t attempt, id, body_bytes, got;
	enum state state;
	bool binary; /* its octets are kept as they are */
	bool dropped; /* the queue is gone: nobody wants to hear of it */
	bool late;    /* its time was over */
	const struct conf_pipe *conf; /* of whatever configuration: old ones stay valid */
	struct words words;
	struct io_program *program;
	struct io_op op;
	struct io_timer timer;
	struct buf piece, output;
};

static void
free_run(struct run *run)
{
	struct pipe *pipe = run->pipe;

	io_timer_stop(pipe->env->io, &run->timer);
	io_program_destroy(run->program);
	map_remove_u64(&pipe->runs, run->attempt);
	pipe->run_count--;
	words_fini(&run->words);
	buf_fini(&run->piece);
	buf_fini(&run->output);
	mem_free(run);
	if (pipe->stopping && pipe->run_count == 0)
		proc_stopped(pipe->env);
}

static void
finish(struct run *run, const struct verdict *verdict, struct span text)
{
	struct pipe *pipe = run->pipe;
	const struct ipc_pq_result result = {
	    .attempt = run->attempt,
	    .outcome = (uint8_t)verdict->outcome,
	    .status = span_str(verdict->status),
	    .text = text,
	    .in_doubt = verdict->in_doubt,
	};

	if (pipe->queue && !run->dropped)
		ipc_pq_result_send(pipe->queue, &result);
	free_run(run);
}

/* Without a program having run. */
static void
fail(struct run *run, enum ipc_outcome outcome, const char *status, const char *text)
{
	struct verdict verdict = {.outcome = outcome};

	memcpy(verdict.status, status, strlen(status) + 1);
	finish(run, &verdict, span_str(text));
}

/* All that was kept of it, in as many lines as it needs. */
static void
say_output(const struct run *run)
{
	struct span rest;
	struct event event;
	struct buf said;

	buf_init(&said, 2 * (size_t)CONF_PIPE_OUTPUT_BYTES_MAX);
	verdict_write_output(&said, buf_span(&run->output));
	for (rest = buf_span(&said); rest.len > 0; rest = span_skip(rest, SAID_BYTES)) {
		event_begin(&event, &run->pipe->env->log, "program_said");
		event_id(&event, run->id);
		event_span(&event, "program", run->conf->words[0]);
		event_span(&event, "text", span_first(rest, SAID_BYTES));
		event_end(&event);
	}
	buf_fini(&said);
}

static void
ended(struct io_op *op)
{
	struct run *run = op->owner;
	struct verdict_end end = {
	    .program = run->conf->words[0],
	    .user = span_str(run->pipe->account.name),
	    .err = op->err,
	    .status = op->status,
	    .time_ms = run->late ? run->conf->time_ms : 0,
	    .output = buf_span(&run->output),
	};
	struct verdict verdict;
	struct buf text;

	if (SIM_BUG(PROGRAM_IS_BELIEVED))
		end.status = 0;
	if (op->err)
		SIM_MARK("pipe.not_started");
	if (run->dropped)
		SIM_MARK("pipe.queue_gone");
	say_output(run);
	buf_init(&text, IPC_TEXT_MAX);
	verdict_find(&end, &verdict, &text);
	finish(run, &verdict, buf_span(&text));
	buf_fini(&text);
}

/* Tells the program to end; the second time it is not asked. */
static void
tell_to_end(struct run *run)
{
	check(run->state != GATHERING);
	if (run->state == RUNNING) {
		run->state = TOLD;
		io_program_signal(run->program, SIGTERM);
		io_timer_start(run->pipe->env->io, &run->timer, KILL_MS);
	} else if (run->state == TOLD) {
		SIM_MARK("pipe.killed");
		run->state = KILLED;
		io_program_signal(run->program, SIGKILL);
	}
}

static void
time_over(struct io_timer *timer)
{
	struct run *run = timer->owner;

	if (run->state == RUNNING) {
		SIM_MARK("pipe.late");
		run->late = true;
	}
	tell_to_end(run);
}

static void
start(struct run *run)
{
	const struct io_program_options options = {
	    .argv = run->words.argv,
	    .envp = run->words.envp,
	    .directory = run->pipe->account.home,
	    .output = &run->output,
	};

	run->state = RUNNING;
	run->op = (struct io_op){.done = ended, .owner = run};
	io_timer_start(run->pipe->env->io, &run->timer, run->conf->time_ms);
	io_program_start(run->program, &run->op, &options);
	/* Its words are the program's own now. */
	words_fini(&run->words);
	buf_fini(&run->piece);
}

/* Gives what is in piece to the program that is to start, or starts it. */
static void
go_on(struct run *run)
{
	const struct ipc_pq_more more = {.attempt = run->attempt, .offset = run->got};

	if (io_program_write(run->program, buf_span(&run->piece))) {
		fail(run, IPC_DEFERRED, "4.3.1",
		    "there is no memory for the message that the program is to read");
		return;
	}
	buf_reset(&run->piece);
	if (run->got == run->body_bytes)
		start(run);
	else if (run->pipe->queue)
		ipc_pq_more_send(run->pipe->queue, &more);
}

/* The one that the recipient's mail goes to, if this process runs it; or NULL. */
static const struct conf_pipe *
find_program(const struct pipe *pipe, const struct ipc_qp_deliver *deliver)
{
	const struct conf *conf = pipe->env->conf;
	const struct conf_route *route =
	    route_find(conf, deliver->reverse_path, deliver->address);
	const struct conf_pipe *found = NULL;

	if (deliver->mailbox.len > 0)
		found = conf->mailbox_pipe;
	else if (route && route->kind == CONF_ROUTE_PIPE)
		found = route->pipe;
	return found && span_eq(found->user, span_str(pipe->user)) ? found : NULL;
}

static enum words_problem
make_words(struct run *run, const struct ipc_qp_deliver *deliver)
{
	const struct proc_account *account = &run->pipe->account;
	char id[ID_TEXT_MAX];
	const struct words_of of = {
	    .sender = deliver->reverse_path,
	    .recipient = deliver->address,
	    .original = deliver->original,
	    .mailbox = deliver->mailbox,
	    .id = id_text(id, deliver->id),
	    .separator = run->pipe->env->conf->detail_separator,
	    .name = account->name,
	    .home = account->home,
	    .shell = account->shell,
	    .timezone = account->timezone[0] ? account->timezone : NULL,
	};

	return words_make(&run->words, run->conf, &of);
}

static struct run *
new_run(struct pipe *pipe, const struct ipc_qp_deliver *deliver)
{
	struct run *run = mem_alloc(sizeof(*run));

	run->pipe = pipe;
	run->attempt = deliver->attempt;
	run->id = deliver->id;
	run->body_bytes = deliver->body_bytes;
	run->binary = deliver->flags & IPC_MESSAGE_BINARY;
	run->timer = (struct io_timer){.fired = time_over, .owner = run};
	buf_init(&run->piece, PIECE_BYTES_MAX);
	buf_init(&run->output, CONF_PIPE_OUTPUT_BYTES_MAX);
	map_set_u64(&pipe->runs, run->attempt, run);
	pipe->run_count++;
	return run;
}

static enum err
take_deliver(struct pipe *pipe, const struct ipc_qp_deliver *deliver)
{
	static const char option[] =
	    "the address begins with a dash, and the program, which has it as a word of its own, "
	    "could take it for an option; write \"pipe\" with something before it in the word, "
	    "or let the program read the environment";
	struct run *run;

	if (map_get_u64(&pipe->runs, deliver->attempt) || pipe->run_count >= RUNS_MAX)
		return ERR_SYNTAX;
	if (pipe->stopping)
		return OK;
	run = new_run(pipe, deliver);
	run->conf = find_program(pipe, deliver);
	if (!run->conf) {
		fail(run, IPC_DEFERRED, "4.3.5",
		    "the configuration hands this mail to another program than when it was "
		    "queued; a restart sends it there");
		return OK;
	}
	buf_init(&run->output, (size_t)run->conf->output_bytes);
	switch (make_words(run, deliver)) {
	case WORDS_BAD_SENDER:
		fail(run, IPC_FAILED, "5.1.7", option);
		return OK;
	case WORDS_BAD_RECIPIENT:
		fail(run, IPC_FAILED, "5.1.3", option);
		return OK;
	case WORDS_GOOD:
		break;
	}
	if (io_program_create(pipe->env->io, &run->program)) {
		run->program = NULL;
		fail(run, IPC_DEFERRED, "4.3.1",
		    "there is no memory for the message that the program is to read");
		return OK;
	}
	local_write_fields(
	    &run->piece, deliver->reverse_path, deliver->address, run->binary);
	return OK;
}

static enum err
take_body(struct pipe *pipe, const struct ipc_qp_body *body)
{
	struct run *run = map_get_u64(&pipe->runs, body->attempt);

	if (!run)
		return OK;
	if (run->state != GATHERING)
		return ERR_SYNTAX;
	if (body->error) {
		fail(run, IPC_DEFERRED, "4.3.0", "the message cannot be read from the spool");
		return OK;
	}
	if (body->offset != run->got || body->bytes.len > run->body_bytes - run->got)
		return ERR_SYNTAX;
	local_write_body(&run->piece, body->bytes, run->binary);
	if (buf_finish(&run->piece))
		return ERR_TOO_LONG;
	run->got += body->bytes.len;
	go_on(run);
	return OK;
}

static enum err
receive(void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct pipe *pipe = owner;
	struct ipc_qp_deliver deliver;
	struct ipc_qp_body body;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	switch (type) {
	case IPC_qp_DELIVER:
		return ipc_qp_deliver_decode(payload, &deliver) ? ERR_SYNTAX
								: take_deliver(pipe, &deliver);
	case IPC_qp_BODY:
		return ipc_qp_body_decode(payload, &body) ? ERR_SYNTAX : take_body(pipe, &body);
	default:
		return ERR_SYNTAX;
	}
}

/* The next queue gives them again: what still runs would be a second one beside that. */
static void
drop_runs(struct pipe *pipe)
{
	struct run *run;
	size_t at = 0;

	while ((run = map_next(&pipe->runs, &at)) != NULL) {
		run->dropped = true;
		if (run->state == GATHERING)
			free_run(run);
		else if (run->state == RUNNING)
			tell_to_end(run);
	}
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct pipe *pipe = owner;

	if (err != ERR_CLOSED)
		proc_bad_peer(pipe->env, PROC_QUEUE, 0, err);
	ipc_channel_destroy(channel);
	pipe->queue = NULL;
	drop_runs(pipe);
}

static void stop_late(struct io_timer *timer);

static void *
pipe_create(struct proc_env *env)
{
	struct pipe *pipe = mem_alloc(sizeof(*pipe));
	const char *user = proc_user(PROC_PIPE, env->instance, env->conf);
	struct event event;
	uint64_t seed[2];
	enum err err;

	pipe->env = env;
	pipe->stop = (struct io_timer){.fired = stop_late, .owner = pipe};
	io_random(env->io, seed, sizeof(seed));
	map_init(&pipe->runs, seed);
	err = proc_account(user, &pipe->account);
	if (err) {
		event_begin(&event, &env->log, "pipe_user_unknown");
		event_str(&event, "user", user);
		event_err(&event, err);
		event_end(&event);
		return NULL;
	}
	memcpy(pipe->user, user, strlen(user) + 1);
	return pipe;
}

/* With the rights that programs will have; what is not there yet may come. */
static bool
pipe_start(void *role)
{
	struct pipe *pipe = role;
	const struct conf_pipe *conf = pipe->env->conf->pipes;
	struct event event;
	enum err err;

	for (; conf; conf = conf->next) {
		if (!span_eq(conf->user, span_str(pipe->user)))
			continue;
		err = proc_may_run(conf->words[0].ptr);
		if (!err)
			continue;
		event_begin(&event, &pipe->env->log, "program_not_runnable");
		event_span(&event, "program", conf->words[0]);
		event_str(&event, "user", pipe->account.name);
		event_err(&event, err);
		event_str(&event, "text", "mail for it waits until this user can run it");
		event_end(&event);
	}
	return true;
}

static void
pipe_link(void *role, enum proc peer, unsigned instance, enum proc_link_kind kind,
    struct io_stream *stream)
{
	struct pipe *pipe = role;
	const struct ipc_handlers handlers = {pipe, receive, closed};

	(void)peer;
	(void)instance;
	(void)kind;
	if (pipe->queue)
		closed(pipe, pipe->queue, ERR_CLOSED);
	pipe->queue = ipc_channel_create(stream, &handlers);
	ipc_pq_hello_send(
	    pipe->queue, &(struct ipc_pq_hello){.user = span_str(pipe->user)});
}

/* First all are told to end, then they are ended, and so are we. */
static void
stop_late(struct io_timer *timer)
{
	struct pipe *pipe = timer->owner;
	struct run *run;
	size_t at = 0;

	while ((run = map_next(&pipe->runs, &at)) != NULL)
		io_program_signal(run->program, pipe->told_all ? SIGKILL : SIGTERM);
	if (pipe->told_all) {
		proc_stopped(pipe->env);
		return;
	}
	pipe->told_all = true;
	io_timer_start(pipe->env->io, &pipe->stop, STOP_KILL_MS);
}

static void
pipe_stop(void *role)
{
	struct pipe *pipe = role;
	struct run *run;
	size_t at = 0;

	if (pipe->stopping)
		return;
	/* What has not begun stays in the queue. */
	while ((run = map_next(&pipe->runs, &at)) != NULL)
		if (run->state == GATHERING)
			free_run(run);
	pipe->stopping = true;
	if (pipe->run_count == 0)
		proc_stopped(pipe->env);
	else
		io_timer_start(pipe->env->io, &pipe->stop, STOP_WAIT_MS);
}

const struct proc_role pipe_role = {
    .create = pipe_create,
    .start = pipe_start,
    .link = pipe_link,
    .stop = pipe_stop,
};
