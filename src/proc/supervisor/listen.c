/* The backlog is long, so that a burst of connections waits instead of being dropped. */
#include "proc/supervisor/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static socklen_t
to_sockaddr(const struct net_addr *addr, struct sockaddr_storage *storage)
{
	if (addr->family == 4) {
		struct sockaddr_in in = {
		    .sin_family = AF_INET, .sin_port = htons(addr->port)};

		memcpy(&in.sin_addr, addr->bytes, 4);
		memcpy(storage, &in, sizeof(in));
		return sizeof(in);
	}
	struct sockaddr_in6 in6 = {
	    .sin6_family = AF_INET6, .sin6_port = htons(addr->port)};

	memcpy(&in6.sin6_addr, addr->bytes, 16);
	memcpy(storage, &in6, sizeof(in6));
	return sizeof(in6);
}

static enum err
bind_and_listen(int fd, const struct sockaddr *sockaddr, socklen_t len)
{
	if (bind(fd, sockaddr, len) || listen(fd, BACKLOG))
		return err_from_errno(errno);
	return OK;
}

enum err
listen_open(const struct net_addr *addr, int *fd)
{
	struct sockaddr_storage storage = {0};
	socklen_t len = to_sockaddr(addr, &storage);
	const int on = 1;
	enum err err;

	*fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return err_from_errno(errno);
	if (setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
		err = err_from_errno(errno);
	else if (addr->family == 6 &&
		 setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)))
		err = err_from_errno(errno);
	else
		err = bind_and_listen(*fd, (const struct sockaddr *)&storage, len);
	if (err) {
		close(*fd);
		*fd = -1;
	}
	return err;
}

/* /run is empty after each boot; what can't be made is met when the socket is bound. */
static void
make_parent(const char *path)
{
	char parent[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path || (size_t)(slash - path) >= sizeof(parent))
		return;
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	err_ignore(mkdir(parent, 0755) ? err_from_errno(errno) : OK, "bind() says why");
}

enum err
listen_open_path(const char *path, unsigned mode, int *fd)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct stat status;
	size_t len = strlen(path);
	mode_t mask;
	enum err err;

	*fd = -1;
	if (len >= sizeof(un.sun_path))
		return ERR_TOO_LONG;
	memcpy(un.sun_path, path, len);
	if (stat(path, &status) == 0 && S_ISSOCK(status.st_mode))
		unlink(path);
	make_parent(path);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return err_from_errno(errno);
	mask = umask(~mode & 0777);
	err = bind_and_listen(*fd, (const struct sockaddr *)&un, sizeof(un));
	umask(mask);
	if (err) {
		close(*fd);
		*fd = -1;
	}
	return err;
}
