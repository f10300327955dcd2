/*
 * What a request asks for, checked and put to the queue.
 */
#include "proc/admin/admin_internal.h"

#include "base/check.h"
#include "base/id.h"
#include "proc/admin/admin_answer.h"

enum { WHO_BYTES_MAX = 100, SUSPEND_S_MAX = 366 * 86400 };

static bool
id_of(json_t *request, const char *key, uint64_t *id)
{
	const char *text = json_string_value(json_object_get(request, key));

	return text && id_parse(span_str(text), id) == OK;
}

static uint64_t
start_query(struct client *client)
{
	client->query = ++client->admin->next_query;
	map_set_u64(&client->admin->queries, client->query, client);
	return client->query;
}

/* "for": what operators call a destination, see route/name.h; false, told: it is too long. */
static bool
match_of(struct client *client, json_t *request, struct span *match)
{
	*match = span_str(json_string_value(json_object_get(request, "for")));
	if (match->len <= IPC_NAME_MAX)
		return true;
	admin_send_error(client, "\"for\" is longer than the name of a destination may be");
	return false;
}

/* How many are asked for, with "limit". */
static uint32_t
limit_of(json_t *request, uint32_t most)
{
	json_int_t limit = json_integer_value(json_object_get(request, "limit"));

	return limit > 0 && limit <= most ? (uint32_t)limit : most;
}

static void
do_list(struct client *client, json_t *request)
{
	struct ipc_aq_list list = {.limit = limit_of(request, 1000)};
	const char *reason = json_string_value(json_object_get(request, "reason"));

	if (!match_of(client, request, &list.match))
		return;
	list.pool = span_str(json_string_value(json_object_get(request, "pool")));
	if (list.pool.len > IPC_POOL_MAX) {
		admin_send_error(client, "\"pool\" is longer than a name may be");
		return;
	}
	if (reason && !admin_reasons(span_str(reason), &list.reasons)) {
		admin_send_error(client, "\"reason\" names no reason why mail waits");
		return;
	}
	if (json_object_get(request, "after") && !id_of(request, "after", &list.after)) {
		admin_send_error(client, "\"after\" is not a queue id");
		return;
	}
	list.query = start_query(client);
	ipc_aq_list_send(client->admin->queue, &list);
}

static void
do_summary(struct client *client, json_t *request)
{
	struct ipc_aq_summary summary = {.limit = limit_of(request, 1000)};

	if (!match_of(client, request, &summary.match))
		return;
	summary.query = start_query(client);
	ipc_aq_summary_send(client->admin->queue, &summary);
}

static void
do_trace(struct client *client, json_t *request)
{
	struct ipc_aq_trace trace = {.limit = limit_of(request, 100)};

	if (!match_of(client, request, &trace.match))
		return;
	if (json_object_get(request, "id") && !id_of(request, "id", &trace.id)) {
		admin_send_error(client, "\"id\" is not a queue id");
		return;
	}
	trace.query = start_query(client);
	ipc_aq_trace_send(client->admin->queue, &trace);
}

static void
suspend(struct client *client, json_t *request, bool resume)
{
	json_int_t seconds = json_integer_value(json_object_get(request, "seconds"));
	struct ipc_aq_suspend asked = {.resume = resume,
	    .who = span_first(
	        span_str(json_string_value(json_object_get(request, "who"))), WHO_BYTES_MAX)};

	if (!match_of(client, request, &asked.match))
		return;
	if (asked.match.len == 0 || seconds < 0 || seconds > SUSPEND_S_MAX) {
		admin_send_error(client,
		    "\"for\" is to be a destination, \"seconds\" not above a year");
		return;
	}
	asked.for_ms = (uint64_t)seconds * 1000;
	asked.query = start_query(client);
	ipc_aq_suspend_send(client->admin->queue, &asked);
}

static void
do_suspend(struct client *client, json_t *request)
{
	suspend(client, request, false);
}

static void
do_resume(struct client *client, json_t *request)
{
	suspend(client, request, true);
}

static void
do_why(struct client *client, json_t *request)
{
	struct ipc_aq_why asked = {0};

	if (!match_of(client, request, &asked.match))
		return;
	if (asked.match.len == 0) {
		admin_send_error(client, "\"for\" is to be a destination");
		return;
	}
	asked.query = start_query(client);
	ipc_aq_why_send(client->admin->queue, &asked);
}

static void
do_sources(struct client *client, json_t *request)
{
	const struct ipc_aq_sources asked = {.query = start_query(client)};

	(void)request;
	ipc_aq_sources_send(client->admin->queue, &asked);
}

/* {"do": "suppress" | "unsuppress" | "save-suppressed"} */
static void
suppress(struct client *client, json_t *request, enum ipc_suppress act)
{
	json_int_t seconds = json_integer_value(json_object_get(request, "seconds"));
	struct ipc_aq_suppress asked = {
	    .act = (uint8_t)act,
	    .address = span_str(json_string_value(json_object_get(request, "address"))),
	    .sender = span_str(json_string_value(json_object_get(request, "from"))),
	    .who = span_first(
	        span_str(json_string_value(json_object_get(request, "who"))), WHO_BYTES_MAX),
	};

	if (asked.address.len > IPC_PATH_MAX || asked.sender.len > IPC_DOMAIN_MAX || seconds < 0 ||
	    seconds > 10 * SUSPEND_S_MAX) {
		admin_send_error(client, "\"address\", \"from\" or \"seconds\" is too long");
		return;
	}
	asked.for_ms = (uint64_t)seconds * 1000;
	asked.query = start_query(client);
	ipc_aq_suppress_send(client->admin->queue, &asked);
}

static void
do_suppress(struct client *client, json_t *request)
{
	suppress(client, request, IPC_SUPPRESS_ADD);
}

static void
do_unsuppress(struct client *client, json_t *request)
{
	suppress(client, request, IPC_SUPPRESS_REMOVE);
}

static void
do_save_suppressed(struct client *client, json_t *request)
{
	suppress(client, request, IPC_SUPPRESS_SAVE);
}

static void
do_suppressed(struct client *client, json_t *request)
{
	struct ipc_aq_suppressed asked = {
	    .sender = span_str(json_string_value(json_object_get(request, "from")))};

	if (asked.sender.len > IPC_DOMAIN_MAX ||
	    (json_object_get(request, "after") && !id_of(request, "after", &asked.after))) {
		admin_send_error(client, "\"from\" is no domain, or \"after\" no id");
		return;
	}
	asked.query = start_query(client);
	ipc_aq_suppressed_send(client->admin->queue, &asked);
}

static void
do_suspended(struct client *client, json_t *request)
{
	const struct ipc_aq_suspended asked = {.query = start_query(client)};

	(void)request;
	ipc_aq_suspended_send(client->admin->queue, &asked);
}

/* A name or an address; what goes into a destination's key. */
static bool
is_host(struct span host)
{
	struct net_addr addr;

	if (net_addr_parse(host, &addr) == OK)
		return true;
	for (size_t i = 0; i < host.len; i++)
		if (!ascii_is_alnum(host.ptr[i]) &&
		    !strchr("-._", host.ptr[i]))
			return false;
	return host.len > 0;
}

static void
do_reroute(struct client *client, json_t *request)
{
	const char *all = json_string_value(json_object_get(request, "id"));
	json_int_t older = json_integer_value(json_object_get(request, "older"));
	json_int_t port = json_integer_value(json_object_get(request, "port"));
	struct ipc_aq_reroute asked = {
	    .from = span_str(json_string_value(json_object_get(request, "from"))),
	    .host = span_str(json_string_value(json_object_get(request, "host"))),
	    .normal = !json_object_get(request, "host"),
	    .who = span_first(
	        span_str(json_string_value(json_object_get(request, "who"))), WHO_BYTES_MAX)};

	if ((!all || strcmp(all, "all") != 0) && !id_of(request, "id", &asked.id)) {
		admin_send_error(client, "\"id\" is neither a queue id nor \"all\"");
		return;
	}
	if (!match_of(client, request, &asked.match))
		return;
	if ((!asked.normal && !is_host(asked.host)) || asked.host.len > IPC_DOMAIN_MAX ||
	    port < 0 || port > UINT16_MAX || older < 0 || older > SUSPEND_S_MAX ||
	    asked.from.len > IPC_PATH_MAX) {
		admin_send_error(client, "\"host\", \"port\", \"older\" or \"from\" is none");
		return;
	}
	asked.older_ms = (uint64_t)older * 1000;
	asked.port = (uint16_t)port;
	asked.query = start_query(client);
	ipc_aq_reroute_send(client->admin->queue, &asked);
}

static void
do_act(struct client *client, json_t *request, enum ipc_act kind)
{
	const char *all = json_string_value(json_object_get(request, "id"));
	const char *who = json_string_value(json_object_get(request, "who"));
	struct ipc_aq_act act = {.act = (uint8_t)kind, .who = span_str(who)};

	if ((!all || strcmp(all, "all") != 0) && !id_of(request, "id", &act.id)) {
		admin_send_error(client, "\"id\" is neither a queue id nor \"all\"");
		return;
	}
	act.query = start_query(client);
	ipc_aq_act_send(client->admin->queue, &act);
}

static void
do_show(struct client *client, json_t *request)
{
	struct ipc_aq_show show = {0};

	if (!id_of(request, "id", &show.id)) {
		admin_send_error(client, "\"id\" is not a queue id");
		return;
	}
	show.query = start_query(client);
	ipc_aq_show_send(client->admin->queue, &show);
}

static void
do_waiting(struct client *client, json_t *request)
{
	struct ipc_aq_waiting waiting = {.limit = 1000};

	if (json_object_get(request, "after") && !id_of(request, "after", &waiting.after)) {
		admin_send_error(client, "\"after\" is not a queue id");
		return;
	}
	waiting.query = start_query(client);
	ipc_aq_waiting_send(client->admin->queue, &waiting);
}

static void
do_flush_ledger(struct client *client, json_t *request)
{
	const struct ipc_aq_flush_ledger flush = {.query = start_query(client)};

	(void)request;
	ipc_aq_flush_ledger_send(client->admin->queue, &flush);
}

void
admin_request(struct client *client, json_t *request)
{
	static const char *const acts[IPC_ACT_COUNT] = {
	    "retry", "hold", "release", "delete"};
	static const struct {
		const char *name;
		void (*run)(struct client *client, json_t *request);
	} verbs[] = {{"list", do_list}, {"summary", do_summary}, {"show", do_show},
	    {"trace", do_trace}, {"suspend", do_suspend}, {"resume", do_resume},
	    {"suspended", do_suspended}, {"reroute", do_reroute}, {"why", do_why},
	    {"sources", do_sources},
	    {"suppress", do_suppress}, {"unsuppress", do_unsuppress},
	    {"save-suppressed", do_save_suppressed}, {"suppressed", do_suppressed},
	    {"waiting", do_waiting},
	    {"flush-ledger", do_flush_ledger}};
	const char *verb = json_string_value(json_object_get(request, "do"));

	if (!verb) {
		admin_send_error(client, "the request has no \"do\"");
		return;
	}
	if (!client->admin->queue) {
		admin_send_error(client, "the queue is starting; try again in a moment");
		return;
	}
	for (size_t i = 0; i < LEN(verbs); i++)
		if (strcmp(verb, verbs[i].name) == 0) {
			verbs[i].run(client, request);
			return;
		}
	for (unsigned i = 0; i < IPC_ACT_COUNT; i++)
		if (strcmp(verb, acts[i]) == 0) {
			do_act(client, request, (enum ipc_act)i);
			return;
		}
	admin_send_error(
	    client, "\"do\" is not list, summary, show, trace, suspend, resume, "
	            "suspended, reroute, why, sources, retry, hold, release or delete");
}
