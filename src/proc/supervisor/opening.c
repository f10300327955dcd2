/* What is opened, looked at and given up before the first child is started. */
#include <pwd.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "proc/proc_sandbox.h"
#include "proc/supervisor/listen.h"
#include "proc/supervisor/supervisor_internal.h"

static int
syslog_socket(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&un, sizeof(un))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Says on standard error why a socket can't be opened, and what to do. */
static void
say_cannot_listen(const struct net_addr *addr, enum err err)
{
	struct buf text;

	buf_init(&text, NET_TEXT_MAX);
	net_addr_write(&text, addr);
	fprintf(stderr, "postrider: cannot listen on %.*s port %u: %s.\n",
	    SPAN_ARGS(text), addr->port, err_text(err));
	if (err == ERR_BUSY)
		fprintf(stderr,
		    "Another program has that port (see: ss -ltnp 'sport = :%u'). Stop it, or "
		    "change the \"listen\" statement.\n",
		    addr->port);
	else if (err == ERR_DENIED)
		fprintf(stderr, "Ports below 1024 need root; start as root, or choose a "
				"higher port in the \"listen\" statement.\n");
	buf_fini(&text);
}

/* Behind the other listeners, where there is one; false: it was told why not. */
static bool
open_lmtp(struct supervisor *supervisor)
{
	const char *path = supervisor->conf->lmtp_path.ptr;
	enum err err;

	if (supervisor->conf->lmtp_path.len == 0)
		return true;
	err = listen_open_path(
	    path, 0666, &supervisor->listeners[supervisor->world.listener_count]);
	if (err)
		fprintf(stderr, "postrider: cannot make the socket for LMTP %s: %s.\n", path,
		    err_text(err));
	else
		supervisor->world.listener_count++;
	return err == OK;
}

int
opening_sockets(struct supervisor *supervisor)
{
	const struct conf *conf = supervisor->conf;
	enum err err;

	for (size_t i = 0; i < conf->listener_count; i++) {
		err = listen_open(&conf->listeners[i].addr, &supervisor->listeners[i]);
		if (err) {
			say_cannot_listen(&conf->listeners[i].addr, err);
			return EX_OSERR;
		}
	}
	for (size_t i = 0; i < conf->http_count; i++) {
		err = listen_open(&conf->http[i], &supervisor->http[i]);
		if (err) {
			say_cannot_listen(&conf->http[i], err);
			return EX_OSERR;
		}
	}
	supervisor->world.http = supervisor->http;
	supervisor->world.http_count = conf->http_count;
	supervisor->world.listeners = supervisor->listeners;
	supervisor->world.listener_count = conf->listener_count;
	if (!open_lmtp(supervisor))
		return EX_OSERR;
	err = listen_open_path(conf->control_path.ptr, 0600, &supervisor->world.control_fd);
	if (err) {
		fprintf(stderr, "postrider: cannot make the control socket %s: %s.\n",
		    conf->control_path.ptr, err_text(err));
		return EX_OSERR;
	}
	supervisor->world.log_fd = STDERR_FILENO;
	if (conf->log_target == CONF_LOG_SYSLOG) {
		supervisor->world.log_fd = syslog_socket();
		if (supervisor->world.log_fd < 0) {
			fprintf(stderr,
			    "postrider: cannot reach syslog at /dev/log: is a "
			    "syslog daemon running?\n");
			return EX_UNAVAILABLE;
		}
	}
	io_log_to(supervisor->io, supervisor->world.log_fd,
	    conf->log_target == CONF_LOG_SYSLOG);
	return EX_OK;
}

int
opening_users(const struct supervisor *supervisor)
{
	struct buf problems;
	bool good;

	buf_init(&problems, PROBLEM_BYTES_MAX);
	good = programs_are_good(supervisor->conf, &problems);
	fprintf(stderr, "%.*s", SPAN_ARGS(buf_span(&problems)));
	buf_fini(&problems);
	if (!good)
		return EX_CONFIG;
	for (unsigned i = PROC_SUPERVISOR + 1; geteuid() == 0 && i < PROC_COUNT; i++) {
		const char *user = proc_def((enum proc)i)->user
		    ? proc_user((enum proc)i, 0, supervisor->conf)
		    : NULL;

		if (!user || getpwnam(user))
			continue;
		fprintf(stderr,
		    "postrider: started as root, role %s needs the user %s, which does not "
		    "exist.\nMake it: useradd --system --no-create-home --shell "
		    "/usr/sbin/nologin %s\n",
		    proc_def((enum proc)i)->name, user, user);
		return EX_NOUSER;
	}
	return EX_OK;
}

void
opening_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	err_ignore(setrlimit(RLIMIT_NOFILE, &limit) ? ERR_DENIED : OK,
	    "fewer connections are possible, which reception notices");
}

/* The supervisor's own part, and what this machine lacks for those of the roles. */
int
opening_sandbox(struct supervisor *supervisor)
{
	const struct proc_sandbox_support support = proc_sandbox_probe();
	const struct conf *conf = supervisor->conf;
	const char *lacks = proc_sandbox_lacks(&support);
	bool complete = support.calls && support.landlock_abi >= PROC_LANDLOCK_FILES &&
	    conf->sandbox_calls && conf->sandbox_files;
	enum err err;

	if (conf->sandbox_required && !complete) {
		fprintf(stderr,
		    "postrider: \"sandbox required\", but %s.\n",
		    lacks ? lacks : "\"sandbox limits\" switches a part of it off");
		return EX_UNAVAILABLE;
	}
	if (lacks)
		event_note(&supervisor->log, "sandbox_partly", lacks);
	if (!conf->sandbox_calls || !conf->sandbox_files)
		event_note(&supervisor->log, "sandbox_partly",
		    "\"sandbox limits\" in the configuration switches a part of it off");
	err = proc_sandbox_supervisor(conf);
	if (err)
		event_note(&supervisor->log, "sandbox_partly",
		    "the supervisor could not give up calls");
	return EX_OK;
}
