/*
 * Admin: the control socket.  A program connects, sends one request as a line of JSON, and gets
 * lines of JSON back, the last with "done" or "error".  It acts on mail only by asking the queue.
 *
 *   {"do": "list", "after": "ID", "limit": 100, "for": "example.net", "reason": "down,rate"}
 *   {"do": "summary", "limit": 100, "for": ".example.net"}
 *   {"do": "show", "id": "ID"}
 *   {"do": "trace", "id": "ID" (or not: of any message), "limit": 100, "for": "example.net"}
 *   {"do": "suspend" | "resume", "for": ".example.net", "seconds": 3600 (or not), "who": "NAME"}
 *   {"do": "suspended"}
 *   {"do": "reroute", "id": "ID" | "all", "for": ".example.net", "from": "ann@home.example" |
 *    "@home.example", "older": seconds, "host": "HOST" (or not: back to normal), "port": 25 (or
 *    not), "who": "NAME"}
 *   {"do": "why", "for": "far.example"}
 *   {"do": "suppressed", "after": ID, "from": "home.example"}
 *   {"do": "suppress", "address": "a@far.example", "from": "home.example", "seconds": 86400}
 *   {"do": "unsuppress", "address": "a@far.example", "from": "home.example"}
 *   {"do": "save-suppressed"}: after these two; then they are durable
 *   {"do": "retry" | "hold" | "release" | "delete", "id": "ID" | "all", "who": "NAME"}
 *
 *   {"message": {"id", ...}}, then for each of its recipients {"recipient": {...}}
 *   {"destination": {...}}, then {"tally": {"kind", "name", "recipients", "ages"}}
 *   {"transcript": {..., "steps": [{"ms", "kind": "fact" | "sent" | "got" | "gap", "text"}]}}
 *   {"done": {"count": in this answer, or acted on; "total": in the queue}}
 *   {"done": {..., "more": true, "last": "ID"}}: ask again, after "last"
 *   {"done": {..., "lost": true}}: the message of "after" is gone; ask with an earlier one
 *   {"error": "text for people"}
 *
 *   {"do": "flush-ledger"}: done when all that happened until now is in the ledger's files
 *   {"do": "waiting", "after": "ID", "limit": 1000}: what waits, for an audit
 *   {"waiting": [[id as a number, arrival in ms since 1970, open recipients], ...]}
 *
 * A summary has at most 1000 destinations, those with the most recipients.
 * A list is given in pages of at most 1000 messages, in the order of the queue; a page may
 * have fewer and still not be the last.  admin_answer.c writes the answers.
 */
#include "proc/admin/admin.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/id.h"
#include "base/list.h"
#include "base/map.h"
#include "base/wire.h"
#include "proc/admin/admin_answer.h"
#include "proc/admin/admin_http.h"

enum { WHO_BYTES_MAX = 100, SUSPEND_S_MAX = 366 * 86400 };
enum { CLIENTS_MAX = 64, REQUEST_BYTES_MAX = 4096 };

struct admin {
	struct proc_env *env;
	struct io_listener *listener;
	struct io_op accept;
	struct list clients;
	struct map queries;
	size_t client_count;
	uint64_t next_query;
	struct ipc_channel *queue;
};

struct client {
	struct list node;
	struct admin *admin;
	struct io_stream *stream;
	struct io_op read;
	struct buf line;
	uint64_t query; /* under way, or 0 */
	bool summary; /* which it is */
};

static void
close_client(struct client *client)
{
	struct admin *admin = client->admin;

	if (client->query)
		map_remove_u64(&admin->queries, client->query);
	io_close(client->stream);
	list_remove(&client->node);
	buf_fini(&client->line);
	mem_free(client);
	admin->client_count--;
}

static int
send_piece(const char *bytes, size_t count, void *client)
{
	io_send(((struct client *)client)->stream, span_of(bytes, count));
	return 0;
}

/* Sends a value as a line; takes the reference. */
static void
send_json(struct client *client, json_t *value)
{
	if (json_dump_callback(value, send_piece, client, JSON_COMPACT) == 0)
		io_send(client->stream, SPAN("\n"));
	json_decref(value);
}

static void
send_error(struct client *client, const char *text)
{
	send_json(client, json_pack("{s:s}", "error", text));
}

static void take_lines(struct client *client);

/* The client of a query that has its whole answer; NULL: it is gone. */
static struct client *
end_query(struct admin *admin, uint64_t query)
{
	struct client *client = map_remove_u64(&admin->queries, query);

	if (client)
		client->query = 0;
	return client;
}

static void
take_flushed(struct admin *admin, const struct ipc_qa_ledger_flushed *flushed)
{
	struct client *client = end_query(admin, flushed->query);

	if (!client)
		return;
	if (flushed->done)
		send_json(client, json_pack("{s:{}}", "done"));
	else
		send_error(client,
		    "the ledger cannot be written for now; the server's log says why");
	take_lines(client);
}

static void
take_waiting(struct admin *admin, const struct ipc_qa_still_waiting *waiting)
{
	struct client *client = end_query(admin, waiting->query);
	struct reader reader = reader_init(waiting->messages);
	json_t *list = json_array();

	while (reader.rest.len > 0 && !reader.failed) {
		uint64_t id = reader_u64(&reader), arrival = reader_u64(&reader);

		json_array_append_new(list, json_pack("[I,I,I]", (json_int_t)id,
		    (json_int_t)arrival, (json_int_t)reader_u32(&reader)));
	}
	if (!client) {
		json_decref(list);
		return;
	}
	send_json(client, json_pack("{s:o}", "waiting", list));
	send_json(client, json_pack("{s:{s:b}}", "done", "lost", (int)waiting->lost));
	take_lines(client);
}

static enum err
receive_tally(struct admin *admin, struct span payload)
{
	struct ipc_qa_tally tally;
	struct client *client;

	if (ipc_qa_tally_decode(payload, &tally))
		return ERR_SYNTAX;
	client = map_get_u64(&admin->queries, tally.query);
	if (client)
		send_json(client, admin_tally(&tally));
	return OK;
}

static enum err
receive_audit(struct admin *admin, unsigned type, struct span payload)
{
	struct ipc_qa_ledger_flushed flushed;
	struct ipc_qa_still_waiting waiting;

	if (type == IPC_qa_LEDGER_FLUSHED && !ipc_qa_ledger_flushed_decode(payload, &flushed))
		take_flushed(admin, &flushed);
	else if (type == IPC_qa_STILL_WAITING &&
	    !ipc_qa_still_waiting_decode(payload, &waiting))
		take_waiting(admin, &waiting);
	else
		return ERR_SYNTAX;
	return OK;
}

static void
take_done(struct admin *admin, const struct ipc_qa_done *done)
{
	struct client *client = end_query(admin, done->query);

	if (!client)
		return;
	send_json(client, admin_done(done));
	take_lines(client);
}

static enum err
receive_of_destinations(struct admin *admin, unsigned type, struct span payload)
{
	struct ipc_qa_suspension suspension;
	struct ipc_qa_suppression suppression;
	struct ipc_qa_standing standing;
	struct ipc_qa_source source;
	struct client *client;

	switch (type) {
	case IPC_qa_STANDING:
		if (ipc_qa_standing_decode(payload, &standing))
			return ERR_SYNTAX;
		client = map_get_u64(&admin->queries, standing.query);
		if (client)
			send_json(client, admin_standing(&standing));
		return OK;
	case IPC_qa_SOURCE:
		if (ipc_qa_source_decode(payload, &source))
			return ERR_SYNTAX;
		client = map_get_u64(&admin->queries, source.query);
		if (client)
			send_json(client, admin_source(&source));
		return OK;
	case IPC_qa_SUSPENSION:
		if (ipc_qa_suspension_decode(payload, &suspension))
			return ERR_SYNTAX;
		client = map_get_u64(&admin->queries, suspension.query);
		if (client)
			send_json(client, admin_suspension(&suspension));
		return OK;
	case IPC_qa_SUPPRESSION:
		if (ipc_qa_suppression_decode(payload, &suppression))
			return ERR_SYNTAX;
		client = map_get_u64(&admin->queries, suppression.query);
		if (client)
			send_json(client, admin_suppression(&suppression));
		return OK;
	default:
		return receive_audit(admin, type, payload);
	}
}

static enum err
receive_queue(
    void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct admin *admin = owner;
	struct ipc_qa_message message;
	struct ipc_qa_rcpt rcpt;
	struct ipc_qa_destination destination;
	struct ipc_qa_transcript transcript;
	struct ipc_qa_done done;
	struct client *client;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	switch (type) {
	case IPC_qa_MESSAGE:
		if (ipc_qa_message_decode(payload, &message))
			return ERR_SYNTAX;
		client = map_get_u64(&admin->queries, message.query);
		if (client)
			send_json(client, admin_message(&message));
		return OK;
	case IPC_qa_RCPT:
		if (ipc_qa_rcpt_decode(payload, &rcpt))
			return ERR_SYNTAX;
		client = map_get_u64(&admin->queries, rcpt.query);
		if (client)
			send_json(client, admin_rcpt(&rcpt));
		return OK;
	case IPC_qa_DESTINATION:
		if (ipc_qa_destination_decode(payload, &destination))
			return ERR_SYNTAX;
		client = map_get_u64(&admin->queries, destination.query);
		if (client)
			send_json(client, admin_destination(&destination));
		return OK;
	case IPC_qa_TALLY:
		return receive_tally(admin, payload);
	case IPC_qa_TRANSCRIPT:
		if (ipc_qa_transcript_decode(payload, &transcript))
			return ERR_SYNTAX;
		client = map_get_u64(&admin->queries, transcript.query);
		if (client)
			send_json(client, admin_transcript(&transcript));
		return OK;
	case IPC_qa_DONE:
		if (ipc_qa_done_decode(payload, &done))
			return ERR_SYNTAX;
		take_done(admin, &done);
		return OK;
	default:
		return receive_of_destinations(admin, type, payload);
	}
}

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

/* "for": a domain, a host, or one with a dot in front; false, told: it is too long. */
static bool
match_of(struct client *client, json_t *request, struct span *match)
{
	*match = span_str(json_string_value(json_object_get(request, "for")));
	if (match->len <= IPC_DOMAIN_MAX)
		return true;
	send_error(client, "\"for\" is longer than a domain may be");
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
		send_error(client, "\"pool\" is longer than a name may be");
		return;
	}
	if (reason && !admin_reasons(span_str(reason), &list.reasons)) {
		send_error(client, "\"reason\" names no reason why mail waits");
		return;
	}
	if (json_object_get(request, "after") && !id_of(request, "after", &list.after)) {
		send_error(client, "\"after\" is not a queue id");
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
		send_error(client, "\"id\" is not a queue id");
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
		send_error(client, "\"for\" is to be a destination, \"seconds\" not above a year");
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
		send_error(client, "\"for\" is to be a destination");
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
		send_error(client, "\"address\", \"from\" or \"seconds\" is too long");
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
		send_error(client, "\"from\" is no domain, or \"after\" no id");
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
		send_error(client, "\"id\" is neither a queue id nor \"all\"");
		return;
	}
	if (!match_of(client, request, &asked.match))
		return;
	if ((!asked.normal && !is_host(asked.host)) || asked.host.len > IPC_DOMAIN_MAX ||
	    port < 0 || port > UINT16_MAX || older < 0 || older > SUSPEND_S_MAX ||
	    asked.from.len > IPC_PATH_MAX) {
		send_error(client, "\"host\", \"port\", \"older\" or \"from\" is none");
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
		send_error(client, "\"id\" is neither a queue id nor \"all\"");
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
		send_error(client, "\"id\" is not a queue id");
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
		send_error(client, "\"after\" is not a queue id");
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

static void
do_request(struct client *client, json_t *request)
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
		send_error(client, "the request has no \"do\"");
		return;
	}
	if (!client->admin->queue) {
		send_error(client, "the queue is starting; try again in a moment");
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
	send_error(
	    client, "\"do\" is not list, summary, show, trace, suspend, resume, "
	            "suspended, reroute, why, sources, retry, hold, release or delete");
}

static void
take_line(struct client *client, struct span line)
{
	json_error_t error;
	json_t *request = json_loadb(line.ptr, line.len, 0, &error);

	if (json_is_object(request))
		do_request(client, request);
	else
		send_error(client, "the request is not a JSON object");
	json_decref(request);
}

/* One question at a time; what comes meanwhile waits in the buffer, which is small. */
static void
take_lines(struct client *client)
{
	size_t end;

	while (!client->query &&
	       (end = span_find(buf_span(&client->line), '\n')) < client->line.len) {
		take_line(client, span_first(buf_span(&client->line), end));
		buf_consume(&client->line, end + 1);
	}
}

static void
client_read(struct io_op *op)
{
	struct client *client = op->owner;

	if (op->err) {
		close_client(client);
		return;
	}
	if (op->fd >= 0)
		io_fd_close(op->fd);
	buf_add(&client->line, op->bytes);
	if (buf_finish(&client->line)) {
		send_error(client, "the request is too long");
		close_client(client);
		return;
	}
	take_lines(client);
	io_read(client->stream, &client->read);
}

static void
accepted(struct io_op *op)
{
	struct admin *admin = op->owner;
	struct client *client;

	if (!op->err && admin->client_count >= CLIENTS_MAX) {
		io_close(op->stream);
	} else if (!op->err) {
		client = mem_alloc(sizeof(*client));
		client->admin = admin;
		client->stream = op->stream;
		client->read = (struct io_op){.done = client_read, .owner = client};
		buf_init(&client->line, REQUEST_BYTES_MAX);
		list_push(&admin->clients, &client->node);
		admin->client_count++;
		io_read(client->stream, &client->read);
	}
	io_accept(admin->listener, &admin->accept);
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct admin *admin = owner;

	(void)err;
	ipc_channel_destroy(channel);
	admin->queue = NULL;
	list_for_each_safe (node, &admin->clients) {
		struct client *client = container_of(node, struct client, node);

		if (!client->query)
			continue;
		send_error(client, "the queue ended, and is started again");
		close_client(client);
	}
}

static void *
admin_create(struct proc_env *env)
{
	struct admin *admin = mem_alloc(sizeof(*admin));
	uint64_t seed[2];

	admin->env = env;
	io_random(env->io, seed, sizeof(seed));
	/* jansson would open /dev/urandom for its own seed, which an empty root has not. */
	json_object_seed((size_t)seed[0] | 1);
	map_init(&admin->queries, seed);
	list_init(&admin->clients);
	admin->accept = (struct io_op){.done = accepted, .owner = admin};
	if (env->conf->http_count > 0 && !admin_http_start(env)) {
		mem_free(admin);
		return NULL;
	}
	return admin;
}

static bool
admin_start(void *role)
{
	struct admin *admin = role;

	check(
	    io_listener_open(admin->env->io, PROC_FD_LISTENERS, &admin->listener) == OK);
	io_accept(admin->listener, &admin->accept);
	return true;
}

static void
admin_link(void *role, enum proc peer, unsigned instance, enum proc_link_kind kind,
    struct io_stream *stream)
{
	struct admin *admin = role;
	const struct ipc_handlers handlers = {admin, receive_queue, closed};

	(void)peer;
	(void)instance;
	(void)kind;
	if (admin->queue)
		closed(admin, admin->queue, ERR_CLOSED);
	admin->queue = ipc_channel_create(stream, &handlers);
}

static void
admin_stop(void *role)
{
	struct admin *admin = role;

	proc_stopped(admin->env);
}

const struct proc_role admin_role = {
    .create = admin_create,
    .start = admin_start,
    .link = admin_link,
    .stop = admin_stop,
};
