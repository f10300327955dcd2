/* Child processes and signals. */
#include "io/io_internal.h"

#include <errno.h>
#include <signal.h>

enum { CHILD_FDS_MAX = 64 };

struct child {
	uv_process_t process;
	struct list link; /* in io->children */
	struct io_op *op;
};

struct signal {
	uv_signal_t uv;
	struct list link; /* in io->signals */
	void (*fired)(void *owner);
	void *owner;
};

static void
on_exit_status(uv_process_t *process, int64_t exit_status, int term_signal)
{
	struct child *child = process->data;
	struct io_op *op = child->op;

	op->status = term_signal ? 128 + term_signal : (int)exit_status;
	list_remove(&child->link);
	uv_close((uv_handle_t *)process, io_handle_free);
	op->done(op);
}

enum err
io_spawn(
    struct io *io, struct io_op *op, const struct io_spawn_options *options, int *pid)
{
	uv_stdio_container_t stdio[CHILD_FDS_MAX];
	uv_process_options_t uv = {0};
	struct child *child;
	int status;

	check(op->done && options->argv && options->argv[0]);
	if (options->fd_count > LEN(stdio))
		return ERR_LIMIT;
	for (size_t i = 0; i < options->fd_count; i++) {
		stdio[i].flags = options->fds[i] < 0 ? UV_IGNORE : UV_INHERIT_FD;
		stdio[i].data.fd = options->fds[i];
	}
	io_op_start(op);
	uv.exit_cb = on_exit_status;
	uv.file = options->argv[0];
	uv.args = (char **)(uintptr_t)options->argv;
	uv.env = (char **)(uintptr_t)options->envp;
	uv.stdio = stdio;
	uv.stdio_count = (int)options->fd_count;

	child = mem_alloc(sizeof(*child));
	child->process.data = child;
	child->op = op;
	io->has_children = true;
	status = uv_spawn(&io->loop, &child->process, &uv);
	if (status < 0) {
		uv_close((uv_handle_t *)&child->process, io_handle_free);
		return io_err_from_uv(status);
	}
	list_push(&io->children, &child->link);
	*pid = child->process.pid;
	return OK;
}

enum err
io_kill(struct io *io, int pid, int signal)
{
	(void)io;
	/* Zero and less name whole groups of processes. */
	check(pid > 0);
	if (kill(pid, signal) == 0)
		return OK;
	return errno == ESRCH ? ERR_NOT_FOUND : err_from_errno(errno);
}

static void
on_signal(uv_signal_t *uv, int number)
{
	struct signal *signal = uv->data;

	(void)number;
	signal->fired(signal->owner);
}

void
io_signal(struct io *io, int number, void (*fired)(void *owner), void *owner)
{
	struct signal *signal = mem_alloc(sizeof(*signal));

	signal->fired = fired;
	signal->owner = owner;
	check(uv_signal_init(&io->loop, &signal->uv) == 0);
	signal->uv.data = signal;
	check(uv_signal_start(&signal->uv, on_signal, number) == 0);
	/* To listen for a signal is no reason to go on. */
	uv_unref((uv_handle_t *)&signal->uv);
	list_push(&io->signals, &signal->link);
}

void
io_children_destroy(struct io *io)
{
	struct list *link;

	while ((link = list_pop(&io->children)))
		uv_close((uv_handle_t *)&container_of(link, struct child, link)->process,
		    io_handle_free);
	while ((link = list_pop(&io->signals)))
		uv_close((uv_handle_t *)&container_of(link, struct signal, link)->uv,
		    io_handle_free);
}
