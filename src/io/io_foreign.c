/* Descriptors of libraries: only told when they can be read. */
#include <sys/epoll.h>

#include "io/io_internal.h"

struct foreign {
	struct io_watch watch;
	struct list link; /* in io->foreign */
	struct io *io;
	int fd;
	void (*ready)(void *owner);
	void *owner;
};

static void
tell(struct io_watch *watch, uint32_t events)
{
	struct foreign *foreign = (struct foreign *)(void *)watch;

	(void)events;
	foreign->ready(foreign->owner);
}

enum err
io_watch_fd(struct io *io, int fd, void (*ready)(void *owner), void *owner)
{
	struct foreign *foreign = mem_alloc(sizeof(*foreign));

	foreign->watch.ready = tell;
	foreign->io = io;
	foreign->fd = fd;
	foreign->ready = ready;
	foreign->owner = owner;
	if (!io_watch_add(io, fd, &foreign->watch, EPOLLIN)) {
		mem_free(foreign);
		return ERR_DESCRIPTORS;
	}
	list_push(&io->foreign, &foreign->link);
	return OK;
}

void
io_foreign_destroy(struct io *io)
{
	struct list *link;

	while ((link = list_pop(&io->foreign))) {
		struct foreign *foreign = container_of(link, struct foreign, link);

		io_watch_end(io, foreign->fd, &foreign->watch);
	}
}
