/*
 * Admin: the control socket.  A program connects, sends one request as a line of JSON, and gets
 * lines of JSON back, the last with "done" or "error".  It acts on mail only by asking the queue.
 *
 *   {"do": "list", "after": "ID", "limit": 100, "for": "example.net", "reason": "down,rate",
 *    "pool": "NAME"}
 *   {"do": "summary", "limit": 100, "for": ".example.net"}: "for" is whatever is printed of a
 *    destination, "provider Gmail" and "program NAME" too (route/name.h)
 *   {"do": "show", "id": "ID"}
 *   {"do": "trace", "id": "ID" (or not: of any message), "limit": 100, "for": "example.net"}
 *   {"do": "suspend" | "resume", "for": ".example.net", "seconds": 3600 (or not), "who": "NAME"}
 *   {"do": "suspended"}
 *   {"do": "reroute", "id": "ID" | "all", "for": ".example.net", "from": "ann@home.example" |
 *    "@home.example", "older": seconds, "host": "HOST" (or not: back to normal), "port": 25 (or
 *    not), "who": "NAME"}
 *   {"do": "why", "for": "far.example"}
 *   {"do": "sources"}
 *   {"do": "suppressed", "after": ID, "from": "home.example"}
 *   {"do": "suppress", "address": "a@far.example", "from": "home.example", "seconds": 86400}
 *   {"do": "unsuppress", "address": "a@far.example", "from": "home.example"}
 *   {"do": "save-suppressed"}: after these two; then they are durable
 *   {"do": "retry" | "hold" | "release" | "delete", "id": "ID" | "all", "who": "NAME"}
 *
 *   {"message": {"id", ...}}, then for each of its recipients {"recipient": {...}}
 *   {"destination": {...}}, then {"tally": {"kind", "name", "recipients", "ages"}}
 *   {"transcript": {..., "steps": [{"ms", "kind": "fact" | "sent" | "got" | "gap", "text"}]}}
 *   {"standing": {...}}, and for domains of a provider {"member": {"destination", ...}}
 *   {"done": {"count": in this answer, or acted on; "total": in the queue; "nearest": where
 *    nothing is called so, what may have been meant}}
 *   {"done": {..., "more": true, "last": "ID"}}: ask again, after "last"
 *   {"done": {..., "lost": true}}: the message of "after" is gone; ask with an earlier one; or, of
 *    what changes something: it could not be written, and a restart may undo it
 *   {"done": {..., "recipients": 1}}: of "delete": so many were under way, and are finished first
 *   {"error": "text for people", "name": true where nothing is called so (or not)}
 *
 *   {"do": "flush-ledger"}: done when all that happened until now is in the ledger's files
 *   {"do": "waiting", "after": "ID", "limit": 1000}: what waits, for an audit
 *   {"waiting": [[id as a number, arrival in ms since 1970, open recipients], ...]}
 *
 * A summary has at most 1000 destinations, those with the most recipients.
 * A list is given in pages of at most 1000 messages, in the order of the queue; a page may
 * have fewer and still not be the last.  admin_request.c does what is asked for, admin_answer.c
 * writes the answers.
 */
#include "proc/admin/admin_internal.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/wire.h"
#include "proc/admin/admin_answer.h"
#include "proc/admin/admin_http.h"

enum { CLIENTS_MAX = 64, REQUEST_BYTES_MAX = 4096 };

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

void
admin_send_error(struct client *client, const char *text)
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

/*
 * Of each answer that is passed on as one line: it is decoded, and sent to the client that asked,
 * if that is still there.
 */
#define ANSWER(name)                                                                      \
	static enum err receive_##name(struct admin *admin, struct span payload)          \
	{                                                                                 \
		struct ipc_qa_##name answer;                                              \
		struct client *client;                                                    \
                                                                                          \
		if (ipc_qa_##name##_decode(payload, &answer))                             \
			return ERR_SYNTAX;                                                \
		client = map_get_u64(&admin->queries, answer.query);                      \
		if (client)                                                               \
			send_json(client, admin_##name(&answer));                         \
		return OK;                                                                \
	}

ANSWER(message)
ANSWER(rcpt)
ANSWER(destination)
ANSWER(tally)
ANSWER(transcript)
ANSWER(suspension)
ANSWER(suppression)
ANSWER(standing)
ANSWER(member)
ANSWER(source)

/* The last of an answer. */
static enum err
receive_done(struct admin *admin, struct span payload)
{
	struct ipc_qa_done done;
	struct client *client;

	if (ipc_qa_done_decode(payload, &done))
		return ERR_SYNTAX;
	client = end_query(admin, done.query);
	if (!client)
		return OK;
	send_json(client, admin_done(&done));
	take_lines(client);
	return OK;
}

static enum err
receive_flushed(struct admin *admin, struct span payload)
{
	struct ipc_qa_ledger_flushed flushed;
	struct client *client;

	if (ipc_qa_ledger_flushed_decode(payload, &flushed))
		return ERR_SYNTAX;
	client = end_query(admin, flushed.query);
	if (!client)
		return OK;
	if (flushed.done)
		send_json(client, json_pack("{s:{}}", "done"));
	else
		admin_send_error(client,
		    "the ledger cannot be written for now; the server's log says why");
	take_lines(client);
	return OK;
}

static enum err
receive_waiting(struct admin *admin, struct span payload)
{
	struct ipc_qa_still_waiting waiting;
	struct client *client;
	struct reader reader;
	json_t *list;

	if (ipc_qa_still_waiting_decode(payload, &waiting))
		return ERR_SYNTAX;
	client = end_query(admin, waiting.query);
	if (!client)
		return OK;
	list = json_array();
	reader = reader_init(waiting.messages);
	while (reader.rest.len > 0 && !reader.failed) {
		uint64_t id = reader_u64(&reader), arrival = reader_u64(&reader);

		json_array_append_new(list, json_pack("[I,I,I]", (json_int_t)id,
		    (json_int_t)arrival, (json_int_t)reader_u32(&reader)));
	}
	send_json(client, json_pack("{s:o}", "waiting", list));
	send_json(client, json_pack("{s:{s:b}}", "done", "lost", (int)waiting.lost));
	take_lines(client);
	return OK;
}

static enum err
receive_queue(
    void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	static enum err (*const answers[])(struct admin *, struct span) = {
	    [IPC_qa_MESSAGE] = receive_message,
	    [IPC_qa_RCPT] = receive_rcpt,
	    [IPC_qa_DESTINATION] = receive_destination,
	    [IPC_qa_TALLY] = receive_tally,
	    [IPC_qa_TRANSCRIPT] = receive_transcript,
	    [IPC_qa_SUSPENSION] = receive_suspension,
	    [IPC_qa_SUPPRESSION] = receive_suppression,
	    [IPC_qa_STANDING] = receive_standing,
	    [IPC_qa_MEMBER] = receive_member,
	    [IPC_qa_SOURCE] = receive_source,
	    [IPC_qa_DONE] = receive_done,
	    [IPC_qa_LEDGER_FLUSHED] = receive_flushed,
	    [IPC_qa_STILL_WAITING] = receive_waiting,
	};

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	if (type >= LEN(answers) || !answers[type])
		return ERR_SYNTAX;
	return answers[type](owner, payload);
}

static void
take_line(struct client *client, struct span line)
{
	json_error_t error;
	json_t *request = json_loadb(line.ptr, line.len, 0, &error);

	if (json_is_object(request))
		admin_request(client, request);
	else
		admin_send_error(client, "the request is not a JSON object");
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
		admin_send_error(client, "the request is too long");
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
		admin_send_error(client, "the queue ended, and is started again");
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
