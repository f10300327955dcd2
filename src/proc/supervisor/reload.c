/*
 * Another configuration while the server runs: it is looked into as a whole, and
 * only a good one reaches the roles.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "proc/proc_tables.h"
#include "proc/proc_tls.h"
#include "proc/supervisor/conf_load.h"
#include "proc/supervisor/supervisor_internal.h"
#include "route/limit_table.h"
#include "sasl/guard.h"

enum { CANDIDATE_MS = 30 * 1000, RETIRE_MS = 1000 };

/* SIGHUP that came during a reload. */
static void
retry(struct supervisor *supervisor)
{
	if (!supervisor->reload.again)
		return;
	supervisor->reload.again = false;
	reload_told(supervisor);
}

int
reload_memory_file(struct conf_bundle *bundle)
{
	struct buf wire;
	int fd = memfd_create("postrider.conf", MFD_CLOEXEC);
	size_t at = 0;

	buf_init(&wire, CONF_BUNDLE_BYTES_MAX);
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
	conf_bundle_drop_tables(bundle);
	return fd;
}

/* Memory of a size that nobody can change, for children to share; -1 where it can't be made. */
static int
make_shared(const char *name, size_t bytes, void **mapped)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *memory = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*mapped = memory;
	return fd;
}

int
reload_limits_memory(struct io *io, const struct conf *conf)
{
	const size_t bytes = limit_table_bytes(conf->sessions_max);
	void *memory;
	int fd = make_shared("postrider.limits", bytes, &memory);
	uint64_t seed[2];

	if (fd < 0)
		return -1;
	io_random(io, seed, sizeof(seed));
	limit_table_format(memory, seed);
	/* The supervisor has no use for it. */
	munmap(memory, bytes);
	return fd;
}

int
reload_guards_memory(struct io *io)
{
	const size_t bytes = GUARD_COUNT * guard_bytes();
	void *memory;
	int fd = make_shared("postrider.guards", bytes, &memory);
	uint64_t seed[2];

	if (fd < 0)
		return -1;
	io_random(io, seed, sizeof(seed));
	for (size_t i = 0; i < GUARD_COUNT; i++)
		guard_format((char *)memory + i * guard_bytes(), seed);
	munmap(memory, bytes);
	return fd;
}

static bool
same_listeners(const struct conf *a, const struct conf *b)
{
	return a->http_count == b->http_count && memcmp(a->http, b->http, sizeof(a->http)) == 0 &&
	       a->listener_count == b->listener_count &&
	       span_eq(a->lmtp_path, b->lmtp_path) &&
	       memcmp(a->listeners, b->listeners, sizeof(a->listeners)) == 0;
}

/* The files that the configuration names, all but the private key, which is the keyring's. */
static bool
files_are_good(
    struct supervisor *supervisor, const struct conf *conf, struct buf *problems)
{
	struct proc_env env = {
	    .io = supervisor->io, .conf = conf, .log = supervisor->log};
	const struct tls_signer nobody = {0};
	struct tls_context *context;

	if (proc_tls_context(&supervisor->log, conf, &nobody, NULL, &context))
		return false;
	tls_context_destroy(context);
	return proc_check_tables(&env) && programs_are_good(conf, problems);
}

/* The one that takes a child's place at a reload; NULL where it takes configurations as it runs. */
static struct child *
place_taker(struct supervisor *supervisor, const struct child *child)
{
	if (child->proc != PROC_KEYRING && child->proc != PROC_LOOKUP)
		return NULL;
	for (size_t i = 0; i < supervisor->child_count; i++)
		if (supervisor->children[i].proc == child->proc &&
		    &supervisor->children[i] != child)
			return &supervisor->children[i];
	return NULL;
}

/* The old configuration stays. */
static void
give_up(struct supervisor *supervisor, const char *why)
{
	struct reload *reload = &supervisor->reload;

	event_note(&supervisor->log, "config_refused", why);
	event_note(&supervisor->log, "config_kept", "the old configuration is in use");
	if (reload->conf_fd >= 0)
		close(reload->conf_fd);
	conf_destroy(reload->conf);
	conf_bundle_destroy(reload->bundle);
	reload->conf = NULL;
	reload->bundle = NULL;
	reload->conf_fd = -1;
	reload->under_way = false;
	io_timer_stop(supervisor->io, &reload->late);
	for (size_t i = 0; i < supervisor->child_count; i++)
		if (supervisor->children[i].candidate)
			child_kill(&supervisor->children[i], supervisor->io);
}

/* Whoever reads its files once, before it gives up the right to, has a candidate started. */
static bool
start_candidates(struct supervisor *supervisor)
{
	struct child_world world = supervisor->world;
	bool good = true;

	world.conf_fd = supervisor->reload.conf_fd;
	for (size_t i = 0; i < supervisor->child_count && good; i++) {
		struct child *spare = &supervisor->children[i];

		if (!spare->spare)
			continue;
		spare->candidate = true;
		spare->died = false;
		spare->was_ready = false;
		good = supervisor_start(spare, &world) == OK;
		spare->candidate = good;
		spare->spare = !good;
	}
	return good;
}

static void
send_conf(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->child_count; i++) {
		struct child *child = &supervisor->children[i];

		if (!child->link || place_taker(supervisor, child))
			continue;
		ipc_sx_conf_encode(ipc_channel_begin(child->link, IPC_sx_CONF),
		    &(struct ipc_sx_conf){0});
		ipc_channel_end_fd(child->link, supervisor->world.conf_fd);
	}
}

/*
 * Everybody has the configuration before a link to whom it made: reception's certificates and the
 * keyring's keys change together.
 */
static void
take_places(struct supervisor *supervisor)
{
	send_conf(supervisor);
	for (size_t i = 0; i < supervisor->child_count; i++) {
		struct child *child = &supervisor->children[i];
		struct child *old = place_taker(supervisor, child);

		if (!child->candidate)
			continue;
		child->candidate = false;
		old->spare = true;
		io_timer_stop(supervisor->io, &old->respawn);
		if (old->state == CHILD_DEAD)
			old->state = CHILD_GONE;
		supervisor_wire(supervisor, child);
	}
	io_timer_start(supervisor->io, &supervisor->reload.retired, RETIRE_MS);
}

static void
replace(struct supervisor *supervisor)
{
	struct reload *reload = &supervisor->reload;

	if (!same_listeners(reload->conf, supervisor->conf))
		event_note(&supervisor->log, "config_partly",
		    "changed \"listen\" statements need a restart");
	close(supervisor->world.conf_fd);
	conf_destroy(supervisor->conf);
	conf_bundle_destroy(supervisor->bundle);
	supervisor->world.conf_fd = reload->conf_fd;
	supervisor->conf = reload->conf;
	supervisor->bundle = reload->bundle;
	reload->conf_fd = -1;
	reload->conf = NULL;
	reload->bundle = NULL;
	supervisor->log.format = supervisor->conf->log_format;
	io_timer_stop(supervisor->io, &reload->late);
	take_places(supervisor);
	programs_reload(supervisor);
	event_note(
	    &supervisor->log, "config_replaced", "the new configuration is in use");
}

void
reload_candidate_ready(struct supervisor *supervisor)
{
	if (!supervisor->reload.under_way || supervisor->stopping)
		return;
	for (size_t i = 0; i < supervisor->child_count; i++)
		if (supervisor->children[i].candidate &&
		    supervisor->children[i].state != CHILD_RUNNING)
			return;
	replace(supervisor);
}

void
reload_spare_ended(struct supervisor *supervisor)
{
	if (supervisor->reload.under_way && supervisor->reload.conf)
		give_up(supervisor, "a key or a table cannot be used: see the lines before");
	retry(supervisor);
}

static void
candidate_late(struct io_timer *timer)
{
	give_up(timer->owner, "keyring and lookup do not get ready with it");
}

static void
retire(struct io_timer *timer)
{
	struct supervisor *supervisor = timer->owner;

	for (size_t i = 0; i < supervisor->child_count; i++)
		if (supervisor->children[i].spare)
			child_stop(&supervisor->children[i]);
	supervisor->reload.under_way = false;
	retry(supervisor);
}

void
reload_init(struct supervisor *supervisor)
{
	supervisor->reload = (struct reload){
	    .conf_fd = -1,
	    .late = {.fired = candidate_late, .owner = supervisor},
	    .retired = {.fired = retire, .owner = supervisor},
	};
}

/* Those whose places were taken, and candidates that were refused, end first. */
static bool
spares_are_free(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->child_count; i++) {
		const struct child *child = &supervisor->children[i];

		if ((child->spare || child->candidate) && child_is_alive(child))
			return false;
	}
	return true;
}

void
reload_told(void *owner)
{
	struct supervisor *supervisor = owner;
	struct reload *reload = &supervisor->reload;
	struct buf problems;

	if (supervisor->stopping)
		return;
	if (reload->under_way || !spares_are_free(supervisor)) {
		reload->again = true;
		return;
	}
	reload->under_way = true;
	buf_init(&problems, 64 << 10);
	if (conf_load(supervisor->conf_path, &reload->bundle, &reload->conf, &problems) ==
		OK &&
	    files_are_good(supervisor, reload->conf, &problems))
		reload->conf_fd = reload_memory_file(reload->bundle);
	if (reload->conf_fd >= 0) {
		io_timer_start(supervisor->io, &reload->late, CANDIDATE_MS);
		if (!start_candidates(supervisor))
			give_up(supervisor, "a process for it cannot be started");
	} else {
		buf_add_char(&problems, '\0');
		give_up(supervisor, problems.len > 1
					? problems.ptr
					: "a file that it names cannot be used");
	}
	buf_fini(&problems);
}
