/*
 * Another configuration while the server runs: it is looked into as a whole, and
 * only a good one reaches the roles.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "proc/proc_tables.h"
#include "proc/supervisor/conf_load.h"
#include "proc/supervisor/supervisor_internal.h"
#include "route/limit_table.h"
#include "tls/tls.h"

int
reload_memory_file(const struct conf_bundle *bundle)
{
	struct buf wire;
	int fd = memfd_create("postrider.conf", MFD_CLOEXEC);
	size_t at = 0;

	buf_init(&wire, (size_t)CONF_FILES_MAX * (CONF_FILE_BYTES_MAX + 4096));
	conf_bundle_encode(bundle, &wire);
	while (fd >= 0 && at < wire.len) {
		ssize_t n = write(fd, wire.ptr + at, wire.len - at);

		if (n <= 0) {
			close(fd);
			fd = -1;
			break;
		}
		at += (size_t)n;
	}
	buf_fini(&wire);
	return fd;
}

int
reload_limits_memory(struct io *io, const struct conf *conf)
{
	const size_t bytes = limit_table_bytes(conf->sessions_max);
	int fd = memfd_create("postrider.limits", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *memory = MAP_FAILED;
	uint64_t seed[2];

	if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	io_random(io, seed, sizeof(seed));
	limit_table_format(memory, seed);
	/* The supervisor has no use for it. */
	munmap(memory, bytes);
	return fd;
}

static bool
same_listeners(const struct conf *a, const struct conf *b)
{
	return a->listener_count == b->listener_count &&
	       memcmp(a->listeners, b->listeners, sizeof(a->listeners)) == 0;
}

static void
send_conf(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->child_count; i++) {
		struct child *child = &supervisor->children[i];

		if (!child->link)
			continue;
		if (child->proc == PROC_KEYRING || child->proc == PROC_LOOKUP) {
			/* They read their files once, before they give up the right to. */
			child->restart = true;
			child_stop(child);
			continue;
		}
		ipc_sx_conf_encode(ipc_channel_begin(child->link, IPC_sx_CONF),
		    &(struct ipc_sx_conf){0});
		ipc_channel_end_fd(child->link, supervisor->world.conf_fd);
	}
}

/* The files that the configuration names, all but the private key, which is the keyring's. */
static bool
files_are_good(struct supervisor *supervisor, const struct conf *conf)
{
	struct proc_env env = {
	    .io = supervisor->io, .conf = conf, .log = supervisor->log};
	const struct tls_signer nobody = {0};
	struct tls_context *context = NULL;
	const char *why = "";
	struct event event;

	if (conf->certificate_pem.len > 0 &&
	    tls_server_context_create(conf->certificate_pem, &nobody, &context, &why)) {
		event_begin(&event, &supervisor->log, "certificate_refused");
		event_span(&event, "file", conf->certificate_path);
		event_str(&event, "text", why);
		event_end(&event);
		return false;
	}
	tls_context_destroy(context);
	return proc_check_tables(&env);
}

void
reload_told(void *owner)
{
	struct supervisor *supervisor = owner;
	struct conf_bundle *bundle = NULL;
	struct conf *conf = NULL;
	struct buf problems;
	int fd = -1;

	buf_init(&problems, 64 << 10);
	if (conf_load(supervisor->conf_path, &bundle, &conf, &problems) == OK &&
	    files_are_good(supervisor, conf))
		fd = reload_memory_file(bundle);
	if (fd < 0) {
		buf_add_char(&problems, '\0');
		event_note(&supervisor->log, "config_refused",
		    problems.len > 1 ? problems.ptr
				     : "a file that it names cannot be used");
		event_note(
		    &supervisor->log, "config_kept", "the old configuration is in use");
		conf_destroy(conf);
		conf_bundle_destroy(bundle);
	} else {
		if (!same_listeners(conf, supervisor->conf))
			event_note(&supervisor->log, "config_partly",
			    "changed \"listen\" statements need a restart");
		close(supervisor->world.conf_fd);
		supervisor->world.conf_fd = fd;
		conf_destroy(supervisor->conf);
		conf_bundle_destroy(supervisor->bundle);
		supervisor->conf = conf;
		supervisor->bundle = bundle;
		supervisor->log.format = conf->log_format;
		send_conf(supervisor);
		event_note(&supervisor->log, "config_replaced",
		    "the new configuration is in use");
	}
	buf_fini(&problems);
}
