/* Starting, wiring and ending the processes of the roles. */
#include "proc/supervisor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "proc/proc_sandbox.h"

/*
 * The queue's memory is many small things that are touched in no order, and at a start millions of
 * them at once: the C library is asked for large pages (glibc from 2.35 on; others ignore
 * it), and to take memory from the kernel in steps large enough for them.
 */
static const char queue_memory[] =
    "GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.top_pad=33554432:"
    "glibc.malloc.mmap_threshold=4194304";

extern char **environ;

bool
child_is_alive(const struct child *child)
{
	return child->state == CHILD_STARTING || child->state == CHILD_RUNNING ||
	       child->state == CHILD_STOPPING;
}

/* The descriptors of the child, in the order of proc.h; gives how many. */
static size_t
list_fds(const struct child *child, const struct child_world *world, int link, int *fds)
{
	size_t count = 0;

	fds[count++] = -1; /* standard input: nothing */
	fds[count++] = STDERR_FILENO;
	fds[count++] = STDERR_FILENO;
	fds[count++] = link;
	fds[count++] = world->conf_fd;
	fds[count++] = world->log_fd;
	fds[count++] = child->words_fd;
	fds[count++] = child->proc == PROC_RECEPTION ? world->limits_fd
	    : child->proc == PROC_KEYRING            ? world->guards_fd
						     : -1;
	if (child->proc == PROC_RECEPTION)
		for (size_t i = 0; i < world->listener_count; i++)
			fds[count++] = world->listeners[i];
	if (child->proc == PROC_ADMIN) {
		fds[count++] = world->control_fd;
		for (size_t i = 0; i < world->http_count; i++)
			fds[count++] = world->http[i];
	}
	return count;
}

/* The environment of a role, for mem_free: ours, and what the queue has beside. */
static char **
make_environment(enum proc proc)
{
	char **variables;
	size_t count = 0, used = 0;

	while (environ[count])
		count++;
	variables = mem_alloc((count + 2) * sizeof(*variables));
	if (proc == PROC_QUEUE && !getenv("GLIBC_TUNABLES"))
		variables[used++] = (char *)(uintptr_t)queue_memory;
	memcpy(variables + used, environ, count * sizeof(*variables));
	return variables;
}

static enum err
spawn(struct child *child, const struct child_world *world, int link)
{
	char role[] = "role";
	char instance[16];
	char name[32];
	char died[] = "died";
	char *argv[] = {(char *)(uintptr_t)world->program, role, name, instance,
	    child->died ? died : NULL, NULL};
	int fds[PROC_FD_LISTENERS + CONF_SOCKETS_MAX];
	char **variables = make_environment(child->proc);
	struct io_spawn_options options = {.argv = argv, .envp = variables, .fds = fds};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	enum err err;

	if (null < 0) {
		err = err_from_errno(errno);
		mem_free(variables);
		return err;
	}
	if (child->words_fd > 0)
		close(child->words_fd);
	child->words_fd = proc_words_create();
	snprintf(name, sizeof(name), "%s", proc_def(child->proc)->name);
	snprintf(instance, sizeof(instance), "%u", child->instance);
	options.fd_count = list_fds(child, world, link, fds);
	for (size_t i = 0; i < options.fd_count; i++)
		if (fds[i] < 0)
			fds[i] = null;
	err = io_spawn(world->io, &child->exited, &options, &child->pid);
	mem_free(variables);
	close(null);
	return err;
}

enum err
child_start(struct child *child, const struct child_world *world,
    const struct ipc_handlers *handlers, io_done *exited)
{
	int pair[2];
	enum err err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return err_from_errno(errno);
	child->exited = (struct io_op){.done = exited, .owner = child};
	err = spawn(child, world, pair[1]);
	close(pair[1]);
	if (err) {
		close(pair[0]);
		return err;
	}
	child->state = CHILD_STARTING;
	child->started_ms = io_now_ms(world->io);
	child->link = ipc_channel_create(io_stream_open(world->io, pair[0]), handlers);
	return OK;
}

static void
send_end(struct child *to, const struct child *peer, enum proc_link_kind kind, int fd)
{
	const struct ipc_sx_link link = {
	    .role = (uint8_t)peer->proc,
	    .instance = (uint8_t)peer->instance,
	    .kind = (uint8_t)kind,
	};

	ipc_sx_link_encode(ipc_channel_begin(to->link, IPC_sx_LINK), &link);
	ipc_channel_end_fd(to->link, fd);
}

void
child_wire(struct child *a, struct child *b, enum proc_link_kind kind)
{
	int pair[2];

	if (!a->link || !b->link)
		return;
	/* Without descriptors the two stay apart until one of them starts again. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return;
	for (int i = 0; i < 2; i++) {
		const int bytes = 1 << 20;

		err_ignore(
		    setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes))
			? ERR_DENIED
			: OK,
		    "a smaller buffer is only slower");
	}
	send_end(a, b, kind, pair[0]);
	send_end(b, a, kind, pair[1]);
	close(pair[0]);
	close(pair[1]);
}

void
child_stop(struct child *child)
{
	if (child->state != CHILD_STARTING && child->state != CHILD_RUNNING)
		return;
	child->state = CHILD_STOPPING;
	if (child->link)
		ipc_sx_stop_send(child->link, &(struct ipc_sx_stop){0});
}

void
child_kill(struct child *child, struct io *io)
{
	if (child_is_alive(child))
		err_ignore(
		    io_kill(io, child->pid, SIGKILL), "it may have ended by itself");
}
