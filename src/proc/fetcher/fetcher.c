/*
 * The fetcher: knows the TLS policies of mail domains (MTA-STS, RFC 8461), for delivery.  The
 * resolver answers what is in the DNS; policies are fetched over HTTPS and kept in files.
 *
 * What is fetched comes from anybody who owns a domain, and libcurl reads it: that is why this is a
 * process of its own.
 */
#include "proc/fetcher/fetcher_internal.h"

#include "base/arena.h"
#include "base/check.h"
#include "proc/proc_tables.h"
#include "tls/tls.h"

enum { ROOTS_BYTES_MAX = 8 << 20 };

static enum err
receive_delivery(void *owner, struct ipc_channel *channel, unsigned type, struct span payload,
    int fd)
{
	struct asker *asker = owner;
	struct ipc_df_policy asked;
	struct ipc_df_session session;
	char domain[POLICY_NAME_BYTES];

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	if (type == IPC_df_SESSION) {
		if (ipc_df_session_decode(payload, &session) ||
		    session.kind >= IPC_POLICY_KIND_COUNT || session.result >= IPC_TLS_RESULT_COUNT)
			return ERR_SYNTAX;
		counting_session(asker->fetcher, &session);
		return OK;
	}
	if (type != IPC_df_POLICY || ipc_df_policy_decode(payload, &asked))
		return ERR_SYNTAX;
	if (policy_domain(asked.domain, domain)) {
		entries_ask(asker->fetcher, asker, asked.query, domain);
	} else {
		const struct ipc_fd_policy none = {.query = asked.query};

		ipc_fd_policy_send(asker->channel, &none);
	}
	return OK;
}

static enum err
receive_resolver(void *owner, struct ipc_channel *channel, unsigned type,
    struct span payload, int fd)
{
	struct fetcher *fetcher = owner;
	struct ipc_nf_found found;
	struct ipc_nf_txt txt;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	if (type == IPC_nf_FOUND && ipc_nf_found_decode(payload, &found) == OK) {
		entries_found(fetcher, &found);
		return OK;
	}
	if (type == IPC_nf_TXT && ipc_nf_txt_decode(payload, &txt) == OK) {
		entries_txt(fetcher, &txt);
		return OK;
	}
	return ERR_SYNTAX;
}

static void
delivery_closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct asker *asker = owner;
	struct fetcher *fetcher = asker->fetcher;

	if (err != ERR_CLOSED)
		proc_bad_peer(
		    fetcher->env, PROC_DELIVERY, (unsigned)(asker - fetcher->askers), err);
	asker->channel = NULL;
	entries_asker_gone(fetcher, channel);
	ipc_channel_destroy(channel);
}

static void
resolver_closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct fetcher *fetcher = owner;

	(void)err;
	fetcher->resolver = NULL;
	ipc_channel_destroy(channel);
	entries_resolver_gone(fetcher);
}

/* The directory is the fetcher's own; that of the spool, around it, is the queue's. */
static enum err
open_directory(struct proc_env *env, struct io_dir **dir)
{
	char path[PROC_PATH_BYTES];
	enum err err;

	proc_policies_path(env->conf, path);
	if (env->looks_only)
		return io_dir_open(env->io, path, dir);
	/* conf_parse ends its strings with NUL. */
	err = proc_make_dir(env->conf->spool_path.ptr, proc_user(PROC_QUEUE, 0, env->conf));
	if (!err)
		err = proc_make_dir(path, proc_user(PROC_FETCHER, 0, env->conf));
	if (!err)
		err = io_dir_open(env->io, path, dir);
	return err;
}

/* The issuers that are trusted are read now: there are no files afterwards. */
static void
prepare(struct fetcher *fetcher)
{
	struct proc_env *env = fetcher->env;
	const char *path = tls_roots_file();
	struct buf roots;
	enum err err = OK;

	buf_init(&roots, ROOTS_BYTES_MAX);
	if (path)
		err = proc_read_file(env, span_str(path), &roots);
	if (!err)
		err = io_fetch_prepare(env->io, buf_span(&roots));
	buf_fini(&roots);
	fetcher->can_fetch = err == OK;
	if (err)
		event_note(&env->log, "tls_policies_not_usable",
		    "MTA-STS policies cannot be fetched: libcurl.so.4 is missing, or there are no "
		    "trusted issuers");
}

static void
all_is_written(void *owner)
{
	struct fetcher *fetcher = owner;

	if (fetcher->stopping)
		proc_stopped(fetcher->env);
}

static void *
fetcher_create(struct proc_env *env)
{
	struct fetcher *fetcher = mem_alloc(sizeof(*fetcher));
	struct io_dir *dir = NULL;
	uint64_t seed[2];
	struct event event;
	enum err err = open_directory(env, &dir);

	fetcher->env = env;
	fetcher->conf = env->conf;
	if (err) {
		event_begin(&event, &env->log, "tls_policies_not_kept");
		event_err(&event, err);
		event_str(&event, "text",
		    "the folder tls-policies in that of the spool cannot be used");
		event_end(&event);
		dir = NULL;
	}
	keep_init(&fetcher->keep, env->io, dir, &env->log);
	fetcher->keep.reads_only = env->looks_only;
	fetcher->keep.idle = all_is_written;
	fetcher->keep.owner = fetcher;
	entries_init(fetcher);
	io_random(env->io, seed, sizeof(seed));
	results_init(&fetcher->results, seed);
	prepare(fetcher);
	return fetcher;
}

static bool
fetcher_start(void *role)
{
	entries_load(role);
	counting_init(role);
	return true;
}

static void
fetcher_link(void *role, enum proc peer, unsigned instance, enum proc_link_kind kind,
    struct io_stream *stream)
{
	struct fetcher *fetcher = role;
	struct ipc_handlers to_resolver = {fetcher, receive_resolver, resolver_closed};
	struct ipc_handlers to_delivery = {NULL, receive_delivery, delivery_closed};

	(void)kind;
	if (peer == PROC_RESOLVER) {
		if (fetcher->resolver)
			resolver_closed(fetcher, fetcher->resolver, ERR_CLOSED);
		fetcher->resolver = ipc_channel_create(stream, &to_resolver);
		return;
	}
	if (instance >= PROC_INSTANCES_MAX) {
		io_close(stream);
		return;
	}
	to_delivery.owner = &fetcher->askers[instance];
	fetcher->askers[instance].fetcher = fetcher;
	if (fetcher->askers[instance].channel)
		delivery_closed(&fetcher->askers[instance], fetcher->askers[instance].channel,
		    ERR_CLOSED);
	fetcher->askers[instance].channel = ipc_channel_create(stream, &to_delivery);
}

static void
fetcher_stop(void *role)
{
	struct fetcher *fetcher = role;

	fetcher->stopping = true;
	counting_save(fetcher);
	if (!fetcher->keep.busy)
		proc_stopped(fetcher->env);
}

static void
fetcher_reload(void *role, const struct conf *conf)
{
	struct fetcher *fetcher = role;

	fetcher->conf = conf;
}

const struct proc_role fetcher_role = {
    .create = fetcher_create,
    .start = fetcher_start,
    .link = fetcher_link,
    .stop = fetcher_stop,
    .reload = fetcher_reload,
};
