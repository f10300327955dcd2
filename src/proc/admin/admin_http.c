/*
 * HTTP by libmicrohttpd, without a thread: it has an epoll set of its own, which io watches, and is
 * run when that has something or a time is over.  What is answered is made by src/web, which knows
 * nothing of sockets.
 *
 * The library is loaded here and only where "listen http on" stands in the configuration: no other
 * role, and no command, has it or what it brings along in its memory.
 *
 * Bounds: connections in all and from one address, bytes of a request's head and body, how long a
 * connection may be silent, and how long it may live whatever it does.
 */
#include "proc/admin/admin_http.h"

#include <assert.h>
#include <dlfcn.h>
#include <linux/filter.h>
#include <microhttpd.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/list.h"
#include "web/web_answer.h"

enum {
	CONNECTIONS_MAX = 128,
	CONNECTIONS_PER_ADDRESS_MAX = 32,
	HEAD_BYTES_MAX = 32 << 10,
	SILENT_S_MAX = 15,
	CONNECTION_MS_MAX = 120 * 1000,
	TURN_MS_MAX = 1000,
};

/* What is used of the library: NAME for each MHD_NAME. */
#define LIBRARY(USE)                                                                     \
	USE(start_daemon)                                                                \
	USE(run)                                                                         \
	USE(get_timeout)                                                                 \
	USE(get_daemon_info)                                                             \
	USE(get_connection_info)                                                         \
	USE(lookup_connection_value)                                                     \
	USE(create_response_from_buffer)                                                 \
	USE(add_response_header)                                                         \
	USE(queue_response)                                                              \
	USE(destroy_response)

struct library {
#define MEMBER(name) __typeof__(MHD_##name) *name;
	LIBRARY(MEMBER)
#undef MEMBER
};

struct http {
	struct proc_env *env;
	struct library library;
	struct MHD_Daemon *daemons[CONF_HTTP_MAX];
	size_t daemon_count;
	struct list connections; /* the oldest first */
	struct io_timer timer;
};

struct connection {
	struct list node;
	int fd;
	uint64_t since_ms;
	bool silenced;
};

/* A request while it comes in. */
struct request {
	char *target;
	struct buf body;
	bool begun;
};

static bool
refuse(struct proc_env *env, const char *text)
{
	event_note(&env->log, "http_not_served", text);
	return false;
}

static bool
load(struct http *http)
{
	static const char *const names[] = {
#define NAME(name) "MHD_" #name,
	    LIBRARY(NAME)
#undef NAME
	};
	void *handle = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
	void *found[LEN(names)];

	static_assert(sizeof(found) == sizeof(http->library), "one pointer for each name");
	if (!handle)
		return refuse(http->env,
		    "\"listen http on\" needs libmicrohttpd.so.12 (Debian: libmicrohttpd12)");
	for (size_t i = 0; i < LEN(names); i++) {
		found[i] = dlsym(handle, names[i]);
		if (!found[i])
			return refuse(http->env, "this libmicrohttpd is too old");
	}
	memcpy(&http->library, found, sizeof(found));
	return true;
}

static void run_all(struct http *http);

/*
 * The library ends what is silent, and a client could send a byte now and then for ever.  So a
 * connection that has lived long enough is made silent: a filter drops all that comes for it.  To
 * shut it down would need a call that the sandbox of this role does not have.
 */
static void
silence(struct connection *connection)
{
	struct sock_filter nothing = {.code = BPF_RET | BPF_K, .k = 0};
	const struct sock_fprog filter = {.len = 1, .filter = &nothing};

	connection->silenced = true;
	err_ignore(setsockopt(connection->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter,
		       sizeof(filter))
		? ERR_CLOSED
		: OK,
	    "it may have ended by itself");
}

static void
end_old(struct http *http)
{
	uint64_t now = io_now_ms(http->env->io);

	list_for_each_safe (node, &http->connections) {
		struct connection *connection = container_of(node, struct connection, node);

		if (now - connection->since_ms < CONNECTION_MS_MAX)
			break;
		if (!connection->silenced)
			silence(connection);
	}
}

static void
run_all(struct http *http)
{
	uint64_t wait = TURN_MS_MAX;

	end_old(http);
	for (size_t i = 0; i < http->daemon_count; i++) {
		unsigned long long timeout;

		(void)http->library.run(http->daemons[i]);
		if (http->library.get_timeout(http->daemons[i], &timeout) == MHD_YES &&
		    timeout < wait)
			wait = timeout;
	}
	if (list_empty(&http->connections))
		io_timer_stop(http->env->io, &http->timer);
	else
		io_timer_start(http->env->io, &http->timer, wait);
}

static void
ready(void *owner)
{
	run_all(owner);
}

static void
timer_fired(struct io_timer *timer)
{
	run_all(timer->owner);
}

static void
connection_changed(void *owner, struct MHD_Connection *connection, void **context,
    enum MHD_ConnectionNotificationCode code)
{
	struct http *http = owner;
	struct connection *known = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *info = http->library.get_connection_info(
		    connection, MHD_CONNECTION_INFO_CONNECTION_FD);

		known = mem_alloc(sizeof(*known));
		known->fd = info ? info->connect_fd : -1;
		known->since_ms = io_now_ms(http->env->io);
		list_push(&http->connections, &known->node);
		*context = known;
	} else if (known) {
		list_remove(&known->node);
		mem_free(known);
		*context = NULL;
	}
}

/* The request line has come: its target as it was sent. */
static void *
request_begins(void *owner, const char *target, struct MHD_Connection *connection)
{
	struct request *request = mem_alloc(sizeof(*request));

	(void)owner;
	(void)connection;
	request->target = mem_copy(span_str(target));
	buf_init(&request->body, WEB_PASTE_BYTES_MAX);
	return request;
}

static void
request_ended(void *owner, struct MHD_Connection *connection, void **context,
    enum MHD_RequestTerminationCode code)
{
	struct request *request = *context;

	(void)owner;
	(void)connection;
	(void)code;
	if (!request)
		return;
	buf_fini(&request->body);
	mem_free(request->target);
	mem_free(request);
	*context = NULL;
}

static struct span
field(struct http *http, struct MHD_Connection *connection, const char *name)
{
	return span_str(
	    http->library.lookup_connection_value(connection, MHD_HEADER_KIND, name));
}

static void
add(struct http *http, struct MHD_Response *response, const char *name, const char *value)
{
	if (value && *value)
		(void)http->library.add_response_header(response, name, value);
}

static void
add_fields(struct http *http, struct MHD_Response *response, const struct web_answer *answer)
{
	add(http, response, "Content-Type", answer->type);
	add(http, response, "Cache-Control", answer->cache);
	add(http, response, "ETag", answer->etag);
	add(http, response, "Allow", answer->allow);
	add(http, response, "Location", answer->location);
	if (answer->has_language)
		add(http, response, "Content-Language", language_tag(answer->language));
	if (answer->vary)
		add(http, response, "Vary", "Accept-Language");
	add(http, response, "Content-Security-Policy",
	    "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; "
	    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
	add(http, response, "X-Content-Type-Options", "nosniff");
	add(http, response, "Referrer-Policy", "no-referrer");
	add(http, response, "Cross-Origin-Resource-Policy", "same-origin");
	add(http, response, "Cross-Origin-Opener-Policy", "same-origin");
}

static enum MHD_Result
respond(struct http *http, struct MHD_Connection *connection, const char *method,
    struct request *request)
{
	const struct web_request asked = {.method = span_str(method),
	    .target = span_str(request->target),
	    .accept_language = field(http, connection, "Accept-Language"),
	    .if_none_match = field(http, connection, "If-None-Match"),
	    .content_type = field(http, connection, "Content-Type"),
	    .body = buf_span(&request->body),
	    .too_long = request->body.full};
	struct MHD_Response *response;
	struct web_answer answer;
	enum MHD_Result queued;

	web_answer(&asked, &answer);
	response = http->library.create_response_from_buffer(answer.body.len,
	    (void *)(uintptr_t)buf_span(&answer.body).ptr, MHD_RESPMEM_MUST_COPY);
	if (!response) {
		web_answer_fini(&answer);
		return MHD_NO;
	}
	add_fields(http, response, &answer);
	queued = http->library.queue_response(connection, answer.status, response);
	http->library.destroy_response(response);
	web_answer_fini(&answer);
	return queued;
}

static enum MHD_Result
take_request(void *owner, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_bytes,
    void **context)
{
	struct request *request = *context;

	(void)url;
	(void)version;
	if (!request)
		return MHD_NO;
	if (!request->begun) {
		request->begun = true;
		return MHD_YES;
	}
	if (*upload_bytes > 0) {
		/* What does not fit is read and dropped: the answer says so. */
		buf_add(&request->body, span_of(upload, *upload_bytes));
		*upload_bytes = 0;
		return MHD_YES;
	}
	return respond(owner, connection, method, request);
}

static bool
start_daemon(struct http *http, int fd)
{
	const union MHD_DaemonInfo *info;
	struct MHD_Daemon *daemon = http->library.start_daemon(MHD_USE_EPOLL, 0, NULL, NULL,
	    take_request, http, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
	    (unsigned)CONNECTIONS_PER_ADDRESS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)SILENT_S_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES_MAX,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, request_begins, http,
	    MHD_OPTION_NOTIFY_COMPLETED, request_ended, http, MHD_OPTION_NOTIFY_CONNECTION,
	    connection_changed, http, MHD_OPTION_END);

	if (!daemon)
		return refuse(http->env, "libmicrohttpd does not start");
	http->daemons[http->daemon_count++] = daemon;
	info = http->library.get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || io_watch_fd(http->env->io, info->epoll_fd, ready, http))
		return refuse(http->env, "libmicrohttpd has nothing to watch");
	return true;
}

bool
admin_http_start(struct proc_env *env)
{
	struct http *http = mem_alloc(sizeof(*http));
	bool good;

	*http = (struct http){.env = env};
	http->timer = (struct io_timer){.fired = timer_fired, .owner = http};
	list_init(&http->connections);
	good = load(http);
	/* Behind the control socket. */
	for (size_t i = 1; good && i < env->listener_count && i <= env->conf->http_count; i++)
		good = start_daemon(http, PROC_FD_LISTENERS + (int)i);
	if (!good)
		mem_free(http);
	return good;
}
