/*
 * Lookup: knows the tables, and says whose an address is.  The tables are read once, at the start,
 * while there are rights to; a new configuration comes with a new process.
 */
#include "proc/lookup/lookup.h"

#include "base/arena.h"
#include "base/check.h"
#include "ipc/targets.h"
#include "proc/lookup/lookup_auth.h"
#include "proc/proc_tables.h"
#include "route/route.h"
#include "table/senders.h"

struct asker {
	struct lookup *lookup;
	struct ipc_channel *channel;
};

struct lookup {
	struct proc_env *env;
	struct resolve_tables tables;
	struct table *senders;
	struct asker receptions[PROC_INSTANCES_MAX];
	struct asker queue;
	struct lookup_auth *auth;
	struct resolve_result result;
	struct buf targets;
};

static enum ipc_verdict
verdict_of(enum resolve_verdict verdict)
{
	switch (verdict) {
	case RESOLVE_LOCAL:
		return IPC_LOCAL;
	case RESOLVE_REMOTE:
		return IPC_REMOTE;
	case RESOLVE_UNKNOWN:
		return IPC_UNKNOWN;
	case RESOLVE_FAIL:
		break;
	}
	return IPC_LOOKUP_ERROR;
}

static void
write_targets(struct lookup *lookup, struct span address)
{
	buf_reset(&lookup->targets);
	for (size_t i = 0; i < lookup->result.target_count; i++) {
		const struct resolve_target *target = &lookup->result.targets[i];
		struct ipc_target_entry entry = {
		    .kind = IPC_TARGET_REMOTE, .address = target->name};

		if (target->kind == RESOLVE_MAILBOX) {
			entry.kind = IPC_TARGET_MAILBOX;
			entry.address = address;
			entry.mailbox = target->name;
		}
		ipc_target_write(&lookup->targets, &entry);
	}
}

/* Whether a rule says what becomes of mail for one of our addresses: then no table does. */
static bool
is_ruled(const struct lookup *lookup, const struct ipc_xl_resolve *asked)
{
	struct span address = asked->address;
	const struct conf_route *route =
	    route_find(lookup->env->conf, asked->reverse_path, address);
	size_t at = span_find_last(address, '@');

	return route && route->kind >= CONF_ROUTE_PIPE && at > 0 && at < address.len &&
	    resolve_is_ours(&lookup->tables, span_skip(address, at + 1));
}

static void
answer(struct asker *asker, const struct ipc_xl_resolve *asked)
{
	struct lookup *lookup = asker->lookup;
	struct ipc_lx_resolved resolved = {.query = asked->query};
	struct event event;

	if (is_ruled(lookup, asked)) {
		lookup->result.verdict = RESOLVE_LOCAL;
		lookup->result.target_count = 1;
		lookup->result.targets[0] =
		    (struct resolve_target){RESOLVE_ADDRESS, asked->address};
	} else {
		resolve_address(&lookup->tables, asked->address, &lookup->result);
	}
	write_targets(lookup, asked->address);
	resolved.verdict = (uint8_t)verdict_of(lookup->result.verdict);
	resolved.targets = buf_span(&lookup->targets);
	if (lookup->result.verdict == RESOLVE_FAIL || buf_finish(&lookup->targets)) {
		resolved.verdict = IPC_LOOKUP_ERROR;
		resolved.targets = SPAN("");
		event_begin(&event, &lookup->env->log, "alias_too_large");
		event_span(&event, "address", asked->address);
		event_str(&event, "text", "aliases go too deep or to too many targets");
		event_end(&event);
	}
	ipc_lx_resolved_send(asker->channel, &resolved);
}

/* Tells reception whether a login may send as all of the addresses, or which is the first not. */
static void
answer_may_send(struct asker *asker, const struct ipc_xl_may_send *asked)
{
	struct lookup *lookup = asker->lookup;
	struct ipc_lx_senders senders = {.query = asked->query, .address = SPAN("")};
	struct span rest = asked->addresses, address;

	while (senders.verdict == IPC_MAY_SEND && span_cut(&rest, '\n', &address)) {
		if (senders_may(&lookup->tables, lookup->senders, asked->login, address,
			&lookup->result))
			continue;
		senders.verdict = IPC_MAY_NOT_SEND;
		senders.address = span_first(address, IPC_PATH_MAX);
	}
	ipc_lx_senders_send(asker->channel, &senders);
}

static enum err
receive(void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct asker *asker = owner;
	struct ipc_xl_resolve asked;
	struct ipc_xl_may_send may_send;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	if (type == IPC_xl_MAY_SEND && asker != &asker->lookup->queue) {
		if (ipc_xl_may_send_decode(payload, &may_send))
			return ERR_SYNTAX;
		answer_may_send(asker, &may_send);
		return OK;
	}
	if (type != IPC_xl_RESOLVE || ipc_xl_resolve_decode(payload, &asked))
		return ERR_SYNTAX;
	answer(asker, &asked);
	return OK;
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct asker *asker = owner;
	struct lookup *lookup = asker->lookup;

	if (err != ERR_CLOSED && asker == &lookup->queue)
		proc_bad_peer(lookup->env, PROC_QUEUE, 0, err);
	else if (err != ERR_CLOSED)
		proc_bad_peer(lookup->env, PROC_RECEPTION,
		    (unsigned)(asker - lookup->receptions), err);
	ipc_channel_destroy(channel);
	asker->channel = NULL;
}

static void *
lookup_create(struct proc_env *env)
{
	struct lookup *lookup = mem_alloc(sizeof(*lookup));
	const struct conf *conf = env->conf;
	struct table *mailboxes, *aliases;

	lookup->env = env;
	buf_init(&lookup->targets, IPC_TARGETS_MAX);
	if (!proc_load_table(env, conf->mailboxes_path, &table_mailboxes, &mailboxes) ||
	    !proc_load_table(env, conf->aliases_path, &table_aliases, &aliases) ||
	    !proc_load_table(env, conf->senders_path, &table_senders, &lookup->senders))
		return NULL;
	lookup->auth = lookup_auth_create(env);
	if (!lookup->auth)
		return NULL;
	lookup->tables = (struct resolve_tables){
	    .domains = conf->domains,
	    .domain_count = conf->domain_count,
	    .mailboxes = mailboxes,
	    .aliases = aliases,
	    .detail_separator = conf->detail_separator,
	    .postmaster = conf->postmaster,
	};
	return lookup;
}

static bool
lookup_start(void *role)
{
	struct lookup *lookup = role;

	lookup_auth_start(lookup->auth);
	return true;
}

static void
lookup_link(void *role, enum proc peer, unsigned instance, enum proc_link_kind kind,
    struct io_stream *stream)
{
	struct lookup *lookup = role;
	struct asker *asker = peer == PROC_QUEUE ? &lookup->queue
	    : instance < PROC_INSTANCES_MAX      ? &lookup->receptions[instance]
	                                         : NULL;
	struct ipc_handlers handlers = {asker, receive, closed};

	if (kind == PROC_LINK_DOVECOT) {
		lookup_auth_dovecot(lookup->auth, stream);
		return;
	}
	if (peer == PROC_KEYRING) {
		lookup_auth_keyring(lookup->auth, stream);
		return;
	}
	if (!asker) {
		io_close(stream);
		return;
	}
	ipc_channel_destroy(asker->channel);
	asker->lookup = lookup;
	asker->channel = ipc_channel_create(stream, &handlers);
}

static void
lookup_stop(void *role)
{
	struct lookup *lookup = role;

	proc_stopped(lookup->env);
}

const struct proc_role lookup_role = {
    .create = lookup_create,
    .start = lookup_start,
    .link = lookup_link,
    .stop = lookup_stop,
};
