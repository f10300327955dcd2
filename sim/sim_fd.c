/* Descriptors: small numbers of one io, for listening sockets and ends of streams. */
#include "sim/sim_internal.h"

enum { FIRST = 40 }; /* above those that a role is born with */

static void
close_one(struct sim_fd *fd)
{
	if (fd->kind == SIM_FD_STREAM)
		sim_stream_drop(fd->stream);
	*fd = (struct sim_fd){.kind = SIM_FD_NONE};
}

int
sim_fd_add(struct io *io, enum sim_fd_kind kind, void *object)
{
	for (int fd = FIRST; fd < SIM_FDS_MAX; fd++)
		if (io->fds[fd].kind == SIM_FD_NONE) {
			sim_fd_set(io, fd, kind, object);
			return fd;
		}
	sim_fail(io->sim, "no descriptor left: somebody does not close what came along");
}

void
sim_fd_set(struct io *io, int fd, enum sim_fd_kind kind, void *object)
{
	check(fd >= 0 && fd < SIM_FDS_MAX);
	io->fds[fd].kind = kind;
	if (kind == SIM_FD_SOCKET)
		io->fds[fd].socket = object;
	else
		io->fds[fd].stream = object;
}

struct sim_fd *
sim_fd_get(struct io *io, int fd)
{
	check(fd >= 0 && fd < SIM_FDS_MAX && io->fds[fd].kind != SIM_FD_NONE);
	return &io->fds[fd];
}

struct sim_fd
sim_fd_take(struct io *io, int fd)
{
	struct sim_fd taken = *sim_fd_get(io, fd);

	io->fds[fd].kind = SIM_FD_NONE;
	return taken;
}

void
sim_fds_close(struct io *io)
{
	for (int fd = 0; fd < SIM_FDS_MAX; fd++)
		close_one(&io->fds[fd]);
}

void
io_fd_close(int fd)
{
	struct io *io = sim_current()->io;

	check(io != NULL);
	close_one(sim_fd_get(io, fd));
}
