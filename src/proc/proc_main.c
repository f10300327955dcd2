/*
 * The life of a role's process: it reads the configuration from the memory
 * file that it was born with, makes the role, gives up rights, and then lives on what its
 * links bring.  Whatever its supervisor link does, it never outlives it.
 */
#include "proc/proc_sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"

struct life {
	struct proc_env env;
	struct conf *conf; /* as env has it */
	const struct proc_def *def;
	enum proc proc;
	void *role;
};

static enum err
read_all(int fd, struct buf *out)
{
	struct stat status;
	char chunk[16384];
	off_t at = 0;
	ssize_t n;

	if (fstat(fd, &status) || status.st_size < 0)
		return ERR_IO;
	while ((n = pread(fd, chunk, sizeof(chunk), at)) > 0) {
		buf_add(out, span_of(chunk, (size_t)n));
		at += n;
	}
	return n < 0 ? ERR_IO : buf_finish(out);
}

/*
 * The configuration from a memory file; the bundle stays, the configuration refers to it, but not
 * to the text of tables.  Who chooses no routes has none of them.
 */
static enum err
read_conf(int fd, enum proc proc, struct conf **conf)
{
	struct conf_error errors[CONF_ERRORS_MAX];
	struct conf_bundle *bundle = conf_bundle_create();
	struct buf wire;
	size_t count;
	enum err err;

	buf_init(&wire, CONF_BUNDLE_BYTES_MAX);
	err = read_all(fd, &wire);
	if (!err)
		err = conf_bundle_decode(buf_span(&wire), bundle);
	buf_fini(&wire);
	if (!err && !proc_def(proc)->routes)
		conf_bundle_drop_tables(bundle);
	if (!err)
		err = conf_parse(bundle, conf, errors, &count);
	conf_bundle_drop_tables(bundle);
	if (err)
		conf_bundle_destroy(bundle);
	return err;
}

static enum err
take_link(struct life *life, struct span payload, int fd)
{
	struct ipc_sx_link link;

	if (ipc_sx_link_decode(payload, &link) || fd < 0 || link.role >= PROC_COUNT ||
	    link.kind >= PROC_LINK_KIND_COUNT)
		return ERR_SYNTAX;
	life->def->role->link(life->role, (enum proc)link.role, link.instance,
	    (enum proc_link_kind)link.kind,
	    io_stream_open(life->env.io, fd));
	return OK;
}

static enum err
take_no_lmtp(struct life *life, struct span payload)
{
	struct ipc_sx_no_lmtp no;

	if (ipc_sx_no_lmtp_decode(payload, &no) || no.error == OK || !life->def->role->no_link)
		return ERR_SYNTAX;
	life->def->role->no_link(life->role, PROC_LINK_LMTP, (enum err)no.error);
	return OK;
}

static enum err
take_conf(struct life *life, int fd)
{
	struct conf *conf, *old = life->conf;
	enum err err;

	if (fd < 0)
		return ERR_SYNTAX;
	err = read_conf(fd, life->proc, &conf);
	close(fd);
	if (err)
		return err;
	life->env.conf = life->conf = conf;
	life->env.log.format = conf->log_format;
	if (life->def->role->reload)
		life->def->role->reload(life->role, conf);
	conf_drop_tables(old);
	return OK;
}

static enum err
receive(void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct life *life = owner;

	(void)channel;
	switch (type) {
	case IPC_sx_LINK:
		return take_link(life, payload, fd);
	case IPC_sx_NO_LMTP:
		return take_no_lmtp(life, payload);
	case IPC_sx_CONF:
		return take_conf(life, fd);
	case IPC_sx_STOP:
		life->def->role->stop(life->role);
		return OK;
	default:
		return ERR_SYNTAX;
	}
}

static void
supervisor_gone(void *owner, struct ipc_channel *channel, enum err err)
{
	struct life *life = owner;

	(void)err;
	ipc_channel_destroy(channel);
	life->env.supervisor = NULL;
	life->def->role->stop(life->role);
}

void
proc_ask_link(struct proc_env *env, enum proc peer)
{
	if (env->supervisor)
		ipc_xs_relink_send(
		    env->supervisor, &(struct ipc_xs_relink){.role = (uint8_t)peer});
}

void
proc_bad_peer(struct proc_env *env, enum proc peer, unsigned instance, enum err err)
{
	const struct ipc_xs_bad_peer bad = {.role = (uint8_t)peer, .instance = (uint8_t)instance};
	struct event event;

	event_begin(&event, &env->log, "bad_peer");
	event_str(&event, "peer", proc_def(peer)->name);
	event_err(&event, err);
	event_str(&event, "text", "it sent what its link does not allow; the link was ended");
	event_end(&event);
	if (env->supervisor)
		ipc_xs_bad_peer_send(env->supervisor, &bad);
}

void
proc_stopped(struct proc_env *env)
{
	io_stop(env->io);
}

static bool
find_role(const char *name, enum proc *proc)
{
	for (unsigned i = PROC_SUPERVISOR + 1; i < PROC_COUNT; i++)
		if (strcmp(proc_def((enum proc)i)->name, name) == 0) {
			*proc = (enum proc)i;
			return true;
		}
	return false;
}

/* The shared memory for limits; its size is sealed, so that nobody can take it from under us. */
static void
map_limits(struct proc_env *env)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct stat status;
	void *memory;

	if ((fcntl(PROC_FD_LIMITS, F_GET_SEALS) & seals) == seals &&
	    fstat(PROC_FD_LIMITS, &status) == 0 && status.st_size > 0) {
		memory = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    PROC_FD_LIMITS, 0);
		if (memory != MAP_FAILED) {
			env->limits = memory;
			env->limits_bytes = (size_t)status.st_size;
		}
	}
	close(PROC_FD_LIMITS);
}

static int
refuse(struct life *life, const char *what, enum err err)
{
	struct event event;

	event_begin(&event, &life->env.log, "role_cannot_start");
	event_str(&event, "what", what);
	event_str(&event, "user", proc_user(life->proc, life->env.instance, life->env.conf));
	event_err(&event, err);
	event_end(&event);
	io_destroy(life->env.io);
	return EX_OSERR;
}

static int
live(struct life *life)
{
	struct ipc_handlers handlers = {life, receive, supervisor_gone};
	const char *what;
	enum err err;

	life->role = life->def->role->create(&life->env);
	if (!life->role) {
		io_destroy(life->env.io);
		/* As below: what it had is the kernel's to take back. */
		_exit(EX_CONFIG);
	}
	err = proc_sandbox(life->proc, life->env.instance, life->env.conf,
	    proc_sandbox_parts(life->env.conf), &what);
	if (err)
		return refuse(life, what, err);
	life->env.supervisor = ipc_channel_create(
	    io_stream_open(life->env.io, PROC_FD_SUPERVISOR), &handlers);
	if (life->def->role->start && !life->def->role->start(life->role)) {
		io_destroy(life->env.io);
		/* As below: without rights, what runs at an exit could only fail. */
		_exit(EX_CONFIG);
	}
	ipc_xs_ready_send(life->env.supervisor, &(struct ipc_xs_ready){0});
	io_run(life->env.io);
	/* The kernel frees memory and descriptors faster than we could, and nothing is owed. */
	_exit(EX_OK);
}

int
proc_main(int argc, char **argv)
{
	struct life life = {0};
	uint64_t instance;
	size_t listeners;

	if (argc < 2 || argc > 3 || (argc == 3 && strcmp(argv[2], "died") != 0) ||
	    !find_role(argv[0], &life.proc) ||
	    !span_u64(span_str(argv[1]), PROC_INSTANCES_MAX, &instance)) {
		fprintf(stderr, "postrider: roles are started by \"postrider serve\" only\n");
		return EX_USAGE;
	}
	/* A terminal's Ctrl-C reaches the whole group; the supervisor decides what it means. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (read_conf(PROC_FD_CONF, life.proc, &life.conf)) {
		fprintf(stderr, "postrider: role %s was given no configuration\n", argv[0]);
		return EX_SOFTWARE;
	}
	close(PROC_FD_CONF);
	life.def = proc_def(life.proc);
	listeners = proc_sandbox_close_others(life.def);
	life.env = (struct proc_env){
	    .io = io_create(),
	    .conf = life.conf,
	    .instance = (unsigned)instance,
	    .listener_count = listeners,
	    .privileged = geteuid() == 0,
	    .died = argc == 3,
	};
	life.env.log = (struct event_log){life.env.io, life.def->name, life.conf->log_format};
	map_limits(&life.env);
	io_log_to(life.env.io, PROC_FD_LOG, life.conf->log_target == CONF_LOG_SYSLOG);
	return live(&life);
}
