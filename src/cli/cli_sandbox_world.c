/*
 * A world of its own for the acts, so that no server's file is touched: a directory with a spool,
 * Maildirs and a key that everybody may read and write, sockets that listen, and another process.
 */
#include "cli/cli_sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"

enum { TEXT_BYTES_MAX = 4096, BACKLOG = 1024 };

static bool
make_file(const char *directory, const char *name)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return false;
	if (fchmod(fd, 0666) || write(fd, "secret\n", 7) != 7) {
		close(fd);
		return false;
	}
	return close(fd) == 0;
}

static bool
make_folder(const char *parent, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s%s%s", parent, name[0] ? "/" : "", name);
	/* The umask is whoever's. */
	return mkdir(path, 0777) == 0 && chmod(path, 0777) == 0;
}

static bool
make_files(struct cli_sandbox_world *world)
{
	char template[] = "/tmp/postrider-sandbox-XXXXXX";

	if (!mkdtemp(template) || chmod(template, 0777))
		return false;
	snprintf(world->dir, sizeof(world->dir), "%s", template);
	snprintf(world->spool, sizeof(world->spool), "%s/spool", world->dir);
	snprintf(world->policies, sizeof(world->policies), "%s/tls-policies", world->spool);
	snprintf(world->mail, sizeof(world->mail), "%s/mail", world->dir);
	snprintf(world->key, sizeof(world->key), "%s/key.pem", world->dir);
	snprintf(world->unix_socket, sizeof(world->unix_socket), "%s/socket", world->dir);
	return make_folder(world->spool, "") && make_folder(world->spool, "tmp") &&
	    make_folder(world->spool, "new") && make_file(world->spool, "file") &&
	    make_folder(world->policies, "") && make_folder(world->policies, "tmp") &&
	    make_folder(world->policies, "new") && make_file(world->policies, "file") &&
	    make_file(world->spool, "key.pem") && make_folder(world->mail, "") &&
	    make_folder(world->mail, "tmp") &&
	    make_folder(world->mail, "new") && make_file(world->mail, "file") &&
	    make_file(world->dir, "key.pem");
}

int
cli_sandbox_listen(uint16_t *port)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&in, sizeof(in)) ||
	    listen(fd, BACKLOG) || getsockname(fd, (struct sockaddr *)&in, &bytes))
		return -1;
	*port = ntohs(in.sin_port);
	return fd;
}

/* Neither is closed by execution alone: a role has to lose them by itself. */
static bool
make_sockets(struct cli_sandbox_world *world)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int pair[2];

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", world->unix_socket);
	world->tcp = cli_sandbox_listen(&world->port);
	world->unix_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (world->tcp < 0 || world->unix_listener < 0 ||
	    bind(world->unix_listener, (const struct sockaddr *)&un, sizeof(un)) ||
	    listen(world->unix_listener, BACKLOG) || chmod(world->unix_socket, 0777) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
		return false;
	world->other_link = pair[0];
	return true;
}

static bool
make_conf(struct cli_sandbox_world *world)
{
	struct conf_error errors[CONF_ERRORS_MAX];
	struct buf text;
	size_t count;
	enum err err;

	buf_init(&text, TEXT_BYTES_MAX);
	/* The user of programs is one that is there, and has no rights. */
	buf_addf(&text,
	    "hostname sandbox.example\nspool %s\ndeliver to maildir %s\n"
	    "pipe mail for sandbox.example to /bin/true as %s\n",
	    world->spool, world->mail, proc_def(PROC_MAILBOX)->user);
	world->bundle = conf_bundle_create();
	err = conf_bundle_add(world->bundle, SPAN("/sandbox.conf"), buf_span(&text));
	if (!err)
		err = conf_parse(world->bundle, &world->conf, errors, &count);
	buf_fini(&text);
	return !err;
}

bool
cli_sandbox_world_make(struct cli_sandbox_world *world)
{
	*world = (struct cli_sandbox_world){.dir_fd = -1, .victim = -1};
	if (!make_files(world) || !make_sockets(world)) {
		fprintf(stderr, "postrider: cannot prepare the test below /tmp: %s\n",
		    strerror(errno));
		return false;
	}
	if (!make_conf(world)) {
		fprintf(stderr, "postrider: the test's own configuration has an error\n");
		return false;
	}
	return true;
}

static int
remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
	(void)status;
	(void)kind;
	(void)at;
	return remove(path);
}

void
cli_sandbox_world_remove(struct cli_sandbox_world *world)
{
	if (world->dir[0])
		err_ignore(nftw(world->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) ? ERR_IO : OK,
		    "it is below /tmp");
	conf_destroy(world->conf);
	conf_bundle_destroy(world->bundle);
}

/* An easy victim: of the same user, and willing to be traced. */
static _Noreturn void
be_victim(const char *user)
{
	const struct passwd *entry = user && geteuid() == 0 ? getpwnam(user) : NULL;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (entry &&
	    (setgroups(0, NULL) ||
		setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) ||
		setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid)))
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	for (;;)
		pause();
}

pid_t
cli_sandbox_victim_start(const char *user)
{
	pid_t pid = fork();

	if (pid == 0)
		be_victim(user);
	return pid;
}
