/*
 * Connecting to Unix sockets on behalf of roles that may not.  Lookup asks for Dovecot's and cannot
 * say where: that is the configuration's.  Delivery says which of those that take LMTP, and gets
 * none that the configuration does not name.  Nothing is read from the sockets here.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "proc/supervisor/supervisor_internal.h"

/* Never waits: a listener whose backlog is full is as good as none.  -1: *err says why. */
static int
connect_to(struct span path, enum err *err)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd;

	*err = ERR_TOO_LONG;
	if (path.len >= sizeof(un.sun_path))
		return -1;
	memcpy(un.sun_path, path.ptr, path.len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0)
		return fd;
	*err = err_from_errno(errno);
	if (fd >= 0)
		close(fd);
	return -1;
}

static void
say_failed(struct supervisor *supervisor, struct span path, enum err err)
{
	struct event event;

	if (supervisor->dovecot_failed)
		return;
	supervisor->dovecot_failed = true;
	event_begin(&event, &supervisor->log, "dovecot_unreachable");
	event_span(&event, "socket", path);
	event_err(&event, err);
	event_str(&event, "text", "AUTH is answered 454 until it can be reached");
	event_end(&event);
}

/* A candidate has another configuration, which may never be the one in use. */
static const struct conf *
conf_of(const struct child *child)
{
	const struct supervisor *supervisor = child->supervisor;

	return child->candidate && supervisor->reload.conf ? supervisor->reload.conf
	                                                   : supervisor->conf;
}

void
dovecot_connect(struct child *child)
{
	const struct ipc_sx_link link = {
	    .role = PROC_SUPERVISOR, .kind = PROC_LINK_DOVECOT};
	struct supervisor *supervisor = child->supervisor;
	const struct conf *conf = conf_of(child);
	enum err err;
	int fd;

	if (!child->link || conf->dovecot_path.len == 0)
		return;
	fd = connect_to(conf->dovecot_path, &err);
	if (fd < 0) {
		say_failed(supervisor, conf->dovecot_path, err);
		return;
	}
	supervisor->dovecot_failed = false;
	ipc_sx_link_encode(ipc_channel_begin(child->link, IPC_sx_LINK), &link);
	ipc_channel_end_fd(child->link, fd);
	close(fd);
}

static bool
is_lmtp_socket(const struct conf *conf, struct span path)
{
	bool is = conf_route_is_socket(&conf->lmtp) && span_eq(conf->lmtp.host, path);
	const struct conf_route *way;
	struct conf_ways ways = {0};

	while (!is && (way = conf_ways_next(conf, &ways)) != NULL)
		is = conf_route_is_socket(way) && span_eq(way->host, path);
	return is;
}

void
lmtp_connect(struct child *child, struct span path)
{
	const struct ipc_sx_link link = {.role = PROC_SUPERVISOR, .kind = PROC_LINK_LMTP};
	enum err err = ERR_DENIED;
	int fd = -1;

	if (!child->link)
		return;
	if (is_lmtp_socket(conf_of(child), path))
		fd = connect_to(path, &err);
	if (fd < 0) {
		ipc_sx_no_lmtp_send(child->link, &(struct ipc_sx_no_lmtp){(uint8_t)err});
		return;
	}
	ipc_sx_link_encode(ipc_channel_begin(child->link, IPC_sx_LINK), &link);
	ipc_channel_end_fd(child->link, fd);
	close(fd);
}
