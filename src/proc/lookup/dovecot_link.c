/*
 * Lines to and from Dovecot.  Each may hold a password, so what was read or sent is wiped.
 *
 * Dovecot's process that a connection leads to lives as long as the connection does, also when
 * Dovecot was stopped or started anew meanwhile, and would judge by old settings for ever.  So a
 * connection is used for AGE_MS and then makes place for another, and ends with its last request.
 */
#include "proc/lookup/dovecot_link.h"

#include "base/arena.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/list.h"
#include "base/map.h"
#include "sasl/sasl.h"

enum {
	WAIT_MS_MIN = 200,
	WAIT_MS_MAX = 5000,
	AGE_MS = 10 * 1000,
	AGE_MS_MAX = 13 * 1000, /* without another in sight */
	GREETING_MS = 10 * 1000,
	REQUESTS_MAX = 8192,
	CONNECTIONS_MAX = 8,
	NUMBER_MAX = INT32_MAX,
	PENDING_BYTES_MAX = 4 << 20, /* that Dovecot has not read */
};

struct connection {
	struct list node; /* in link->connections */
	struct dovecot_link *link;
	struct io_stream *stream;
	struct io_op read;
	struct buf input;
	struct io_timer timer; /* the greeting takes too long */
	bool greeted, version_fits;
	uint64_t since_ms;
	unsigned offer;
	size_t request_count;
};

struct request {
	struct connection *connection;
	uint64_t number;
	void *owner;
};

struct dovecot_link {
	struct proc_env *env;
	struct dovecot_handlers handlers;
	struct list connections;
	size_t connection_count;
	struct connection *ready; /* for new requests; NULL: Dovecot is away */
	struct io_timer timer; /* to ask for a connection */
	uint64_t wait_ms;
	bool ready_said, lost_said;
	uint64_t last_number;
	struct map requests; /* by number */
	size_t request_count;
};

static void
send_and_wipe(struct connection *connection, struct buf *line)
{
	check(buf_finish(line) == OK);
	io_send(connection->stream, buf_span(line));
	buf_fini(line);
}

/* Asks for a connection, and again after a while where none comes. */
static void
ask(struct dovecot_link *link)
{
	if (link->env->supervisor && link->connection_count < CONNECTIONS_MAX)
		ipc_xs_dovecot_send(link->env->supervisor, &(struct ipc_xs_dovecot){0});
	io_timer_start(link->env->io, &link->timer, link->wait_ms);
	link->wait_ms = link->wait_ms * 2 < WAIT_MS_MAX ? link->wait_ms * 2 : WAIT_MS_MAX;
}

static void
say(struct dovecot_link *link, const char *name, const char *text)
{
	struct event event;

	event_begin(&event, &link->env->log, name);
	event_span(&event, "socket", link->env->conf->dovecot_path);
	if (text)
		event_str(&event, "text", text);
	event_end(&event);
}

/* Those that are under way have no answer to wait for. */
static void
lose_requests(struct connection *connection)
{
	struct dovecot_link *link = connection->link;
	struct request *request;
	size_t at = 0;

	while ((request = map_next(&link->requests, &at)) != NULL) {
		if (request->connection != connection)
			continue;
		map_remove_u64(&link->requests, request->number);
		link->request_count--;
		link->handlers.verdict(link->handlers.owner, request->owner,
		    IPC_AUTH_TEMPORARY, SPAN(""), SPAN("Dovecot went away"));
		mem_free(request);
	}
}

static void
end(struct connection *connection)
{
	struct dovecot_link *link = connection->link;

	io_timer_stop(link->env->io, &connection->timer);
	io_close(connection->stream);
	list_remove(&connection->node);
	link->connection_count--;
	if (link->ready == connection)
		link->ready = NULL;
	lose_requests(connection);
	buf_fini(&connection->input);
	mem_free(connection);
}

/* A connection that is not used any more ends with its last request. */
static void
retire(struct connection *connection)
{
	if (connection->link->ready != connection && connection->request_count == 0)
		end(connection);
}

static void
say_lost(struct dovecot_link *link, const char *why)
{
	if (!link->lost_said)
		say(link, "dovecot_lost", why);
	link->lost_said = true;
	link->ready_said = false;
}

/* Dovecot ended it, or broke the protocol. */
static void
fail(struct connection *connection, const char *why)
{
	struct dovecot_link *link = connection->link;
	bool was_used = link->ready == connection;

	end(connection);
	if (link->ready)
		return;
	say_lost(link, why);
	if (was_used)
		io_timer_start(link->env->io, &link->timer, link->wait_ms);
}

/* Where nobody listens any more, what is left of Dovecot must not go on judging. */
static void
time_to_ask(struct io_timer *timer)
{
	struct dovecot_link *link = timer->owner;
	struct connection *old = link->ready;

	if (old && io_now_ms(link->env->io) - old->since_ms > AGE_MS_MAX) {
		link->ready = NULL;
		say_lost(link, "no new connection can be made");
		retire(old);
	}
	ask(link);
}

static void
greeting_is_late(struct io_timer *timer)
{
	fail(timer->owner, "it does not greet");
}

static struct request *
take_request(struct dovecot_link *link, uint64_t number)
{
	struct request *request = map_remove_u64(&link->requests, number);

	if (!request)
		return NULL;
	link->request_count--;
	request->connection->request_count--;
	return request;
}

/* The greeting is over: new requests go here. */
static bool
greeted(struct connection *connection)
{
	struct dovecot_link *link = connection->link;
	struct connection *old = link->ready;

	if (connection->greeted || !connection->version_fits)
		return false;
	connection->greeted = true;
	io_timer_stop(link->env->io, &connection->timer);
	link->ready = connection;
	connection->since_ms = io_now_ms(link->env->io);
	link->wait_ms = WAIT_MS_MIN;
	io_timer_start(link->env->io, &link->timer, AGE_MS);
	if (!link->ready_said)
		say(link, "dovecot_ready", NULL);
	link->ready_said = true;
	link->lost_said = false;
	link->handlers.offer(link->handlers.owner, connection->offer);
	if (old)
		retire(old);
	return true;
}

static bool
take_challenge(struct connection *connection, const struct dovecot_line *line)
{
	struct dovecot_link *link = connection->link;
	struct request *request = map_get_u64(&link->requests, line->number);
	struct buf challenge;
	bool good;

	buf_init_secret(&challenge, SASL_RESPONSE_BYTES_MAX);
	good = base64_decode(&challenge, line->data) == OK;
	if (good && request && request->connection == connection)
		link->handlers.challenge(
		    link->handlers.owner, request->owner, buf_span(&challenge));
	buf_fini(&challenge);
	return good;
}

static void
take_end(struct connection *connection, const struct dovecot_line *line)
{
	struct dovecot_link *link = connection->link;
	struct request *request = map_get_u64(&link->requests, line->number);
	enum ipc_auth result = line->kind == DOVECOT_OK ? IPC_AUTH_OK
	    : line->temporary                           ? IPC_AUTH_TEMPORARY
	                                                : IPC_AUTH_DENIED;
	struct span login = line->user, text = SPAN("");

	/* It was given up, and Dovecot did not know yet. */
	if (!request || request->connection != connection)
		return;
	take_request(link, line->number);
	if (!sasl_is_login(login)) {
		login = SPAN("");
		if (result == IPC_AUTH_OK)
			result = IPC_AUTH_DENIED;
	}
	if (result == IPC_AUTH_TEMPORARY)
		text = SPAN("Dovecot cannot tell now");
	link->handlers.verdict(link->handlers.owner, request->owner, result, login, text);
	mem_free(request);
}

/* False where it is no line of this protocol, or not in its place. */
static bool
take_line(struct connection *connection, struct span text)
{
	struct dovecot_line line;

	if (!dovecot_parse(text, &line))
		return false;
	switch (line.kind) {
	case DOVECOT_OTHER:
		return true;
	case DOVECOT_VERSION:
		connection->version_fits = line.number == 1;
		return connection->version_fits;
	case DOVECOT_MECH:
		if (line.mechanism != SASL_MECHANISM_COUNT)
			connection->offer |= SASL_BIT(line.mechanism);
		return true;
	case DOVECOT_DONE:
		return greeted(connection);
	case DOVECOT_CONT:
		return connection->greeted && take_challenge(connection, &line);
	case DOVECOT_OK:
	case DOVECOT_FAIL:
		if (!connection->greeted)
			return false;
		take_end(connection, &line);
		return true;
	}
	return false;
}

static bool
take_bytes(struct connection *connection, struct span bytes)
{
	struct buf *input = &connection->input;
	struct span rest, text;
	size_t at;

	buf_add(input, bytes);
	if (buf_finish(input))
		return false;
	rest = buf_span(input);
	while ((at = span_find(rest, '\n')) < rest.len) {
		text = span_first(rest, at);
		rest = span_skip(rest, at + 1);
		if (!take_line(connection, text))
			return false;
	}
	buf_consume(input, input->len - rest.len);
	return input->len <= DOVECOT_LINE_BYTES_MAX;
}

static void
read_done(struct io_op *op)
{
	struct connection *connection = op->owner;

	if (op->err) {
		fail(connection, err_text(op->err));
		return;
	}
	if (op->fd >= 0)
		io_fd_close(op->fd);
	if (!take_bytes(connection, op->bytes)) {
		fail(connection, "it does not speak Dovecot's authentication protocol");
		return;
	}
	io_read(connection->stream, &connection->read);
	if (connection->greeted)
		retire(connection);
}

void
dovecot_link_open(struct dovecot_link *link, struct io_stream *stream)
{
	struct connection *connection = mem_alloc(sizeof(*connection));
	uint32_t pid;
	struct buf hello;

	connection->link = link;
	connection->stream = stream;
	io_stream_secret(stream);
	connection->read = (struct io_op){.done = read_done, .owner = connection};
	connection->timer =
	    (struct io_timer){.fired = greeting_is_late, .owner = connection};
	buf_init_secret(&connection->input, DOVECOT_LINE_BYTES_MAX + IO_READ_BYTES);
	list_push(&link->connections, &connection->node);
	link->connection_count++;
	io_timer_start(link->env->io, &connection->timer, GREETING_MS);
	/* It wants a number that no other client has: ours in a container may be. */
	io_random(link->env->io, &pid, sizeof(pid));
	buf_init_secret(&hello, 64);
	dovecot_write_hello(&hello, pid);
	send_and_wipe(connection, &hello);
	io_read(connection->stream, &connection->read);
}

uint64_t
dovecot_link_begin(struct dovecot_link *link, void *owner, enum sasl_mechanism mechanism,
    struct span client, bool has_response, struct span response)
{
	struct request *request;
	struct buf line;

	if (!link->ready || link->request_count >= REQUESTS_MAX ||
	    io_pending(link->ready->stream) > PENDING_BYTES_MAX)
		return 0;
	request = mem_alloc(sizeof(*request));
	request->connection = link->ready;
	request->owner = owner;
	/* Enough numbers that those of the first have long ended when it is their turn again. */
	request->number = link->last_number = link->last_number % NUMBER_MAX + 1;
	map_set_u64(&link->requests, request->number, request);
	link->request_count++;
	link->ready->request_count++;
	buf_init_secret(&line, DOVECOT_LINE_BYTES_MAX);
	dovecot_write_auth(
	    &line, request->number, mechanism, client, has_response, response);
	send_and_wipe(link->ready, &line);
	return request->number;
}

bool
dovecot_link_go_on(struct dovecot_link *link, uint64_t number, struct span response)
{
	struct request *request = map_get_u64(&link->requests, number);
	struct buf line;

	check(request);
	if (response.len > DOVECOT_RESPONSE_BYTES_MAX)
		return false;
	buf_init_secret(&line, DOVECOT_LINE_BYTES_MAX);
	dovecot_write_cont(&line, number, response);
	send_and_wipe(request->connection, &line);
	return true;
}

void
dovecot_link_cancel(struct dovecot_link *link, uint64_t number)
{
	struct request *request = take_request(link, number);
	struct buf line;

	if (!request)
		return;
	buf_init_secret(&line, 64);
	dovecot_write_cancel(&line, number);
	send_and_wipe(request->connection, &line);
	retire(request->connection);
	mem_free(request);
}

struct dovecot_link *
dovecot_link_create(struct proc_env *env, const struct dovecot_handlers *handlers)
{
	struct dovecot_link *link = mem_alloc(sizeof(*link));
	uint64_t seed[2];

	link->env = env;
	link->handlers = *handlers;
	link->wait_ms = WAIT_MS_MIN;
	link->timer = (struct io_timer){.fired = time_to_ask, .owner = link};
	list_init(&link->connections);
	io_random(env->io, seed, sizeof(seed));
	map_init(&link->requests, seed);
	return link;
}

void
dovecot_link_start(struct dovecot_link *link)
{
	ask(link);
}
