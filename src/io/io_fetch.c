/*
 * HTTPS by libcurl.  The library is loaded by io_fetch_prepare and only then: it brings twenty
 * others along, which no other role needs and which would make each start of the program slower.
 */
#define CURL_DISABLE_TYPECHECK
#include <assert.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/io_internal.h"

enum { URL_BYTES = 600, STATUS_OK = 200 };

/* The functions of libcurl that are called, each as name(type). */
#define LIBRARY(FUNCTION)                    \
	FUNCTION(curl_global_init)           \
	FUNCTION(curl_easy_init)             \
	FUNCTION(curl_easy_setopt)           \
	FUNCTION(curl_easy_perform)          \
	FUNCTION(curl_easy_getinfo)          \
	FUNCTION(curl_easy_cleanup)          \
	FUNCTION(curl_easy_strerror)         \
	FUNCTION(curl_slist_append)          \
	FUNCTION(curl_slist_free_all)

struct library {
#define POINTER(name) __typeof__(&(name)) name;
	LIBRARY(POINTER)
#undef POINTER
};

struct io_fetcher {
	struct library library;
	size_t roots_len;
	char roots[];
};

/* One fetch under way. */
struct get {
	struct io_op op;
	struct io_op *caller;
	const struct io_fetcher *fetcher;
	struct io_fetch *fetch;
	char url[URL_BYTES], resolve[URL_BYTES];
	char error[CURL_ERROR_SIZE];
	CURLcode result;
	long status;
};

static bool
load(struct library *library)
{
	static const char *const names[] = {
#define NAME(name) #name,
	    LIBRARY(NAME)
#undef NAME
	};
	void *handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	void *found[LEN(names)];

	static_assert(sizeof(found) == sizeof(*library), "one pointer for each name");
	for (size_t i = 0; i < LEN(names); i++) {
		found[i] = handle ? dlsym(handle, names[i]) : NULL;
		if (!found[i])
			return false;
	}
	memcpy(library, found, sizeof(found));
	return true;
}

enum err
io_fetch_prepare(struct io *io, struct span roots)
{
	struct io_fetcher *fetcher;
	CURL *curl;

	if (io->fetcher)
		return OK;
	fetcher = mem_alloc(sizeof(*fetcher) + roots.len);
	if (!load(&fetcher->library) ||
	    fetcher->library.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		mem_free(fetcher);
		return ERR_NOT_FOUND;
	}
	/* What a first use would look for is found while files can be opened. */
	curl = fetcher->library.curl_easy_init();
	check(curl != NULL);
	fetcher->library.curl_easy_cleanup(curl);
	if (roots.len > 0)
		memcpy(fetcher->roots, roots.ptr, roots.len);
	fetcher->roots_len = roots.len;
	io->fetcher = fetcher;
	return OK;
}

void
io_fetch_destroy(struct io *io)
{
	mem_free(io->fetcher);
	io->fetcher = NULL;
}

static size_t
took(char *bytes, size_t size, size_t count, void *owner)
{
	struct get *get = owner;

	(void)size;
	buf_add(get->fetch->body, span_of(bytes, count));
	/* Less than count ends the transfer. */
	return buf_finish(get->fetch->body) == OK ? count : 0;
}

/* A plain socket, without the protocol that the sandbox does not know. */
static curl_socket_t
open_socket(void *owner, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)owner;
	(void)purpose;
	return socket(address->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void
set_options(CURL *curl, struct get *get, struct curl_slist *resolve)
{
	const struct library *lib = &get->fetcher->library;
	const char *file = getenv("SSL_CERT_FILE");
	struct curl_blob roots = {(void *)(uintptr_t)get->fetcher->roots, get->fetcher->roots_len,
	    CURL_BLOB_NOCOPY};

	lib->curl_easy_setopt(curl, CURLOPT_URL, get->url);
	lib->curl_easy_setopt(curl, CURLOPT_RESOLVE, resolve);
	lib->curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	lib->curl_easy_setopt(curl, CURLOPT_PROXY, "");
	lib->curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	lib->curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	lib->curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	lib->curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)get->fetch->timeout_ms);
	lib->curl_easy_setopt(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	lib->curl_easy_setopt(curl, CURLOPT_USERAGENT, "postrider");
	lib->curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, get->error);
	lib->curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	lib->curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, took);
	lib->curl_easy_setopt(curl, CURLOPT_WRITEDATA, get);
	if (roots.len > 0) {
		/* No file, nor folder, of the system beside. */
		lib->curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
		lib->curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
		lib->curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &roots);
	} else if (file && *file) {
		lib->curl_easy_setopt(curl, CURLOPT_CAINFO, file);
	}
}

/* On another thread. */
static void
run(void *argument)
{
	struct get *get = argument;
	const struct library *lib = &get->fetcher->library;
	CURL *curl = lib->curl_easy_init();
	struct curl_slist *resolve = lib->curl_slist_append(NULL, get->resolve);

	check(curl != NULL && resolve != NULL);
	set_options(curl, get, resolve);
	get->result = lib->curl_easy_perform(curl);
	lib->curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &get->status);
	lib->curl_slist_free_all(resolve);
	lib->curl_easy_cleanup(curl);
}

static enum err
judge(const struct get *get)
{
	switch ((int)get->result) {
	case CURLE_OK:
		return get->status == STATUS_OK ? OK : ERR_NOT_FOUND;
	case CURLE_WRITE_ERROR:
		return ERR_TOO_LONG;
	case CURLE_OPERATION_TIMEDOUT:
		return ERR_TIMEOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
		return ERR_CRYPTO;
	default:
		return ERR_UNREACHABLE;
	}
}

static void
was_run(struct io_op *op)
{
	struct get *get = op->owner;
	struct io_op *caller = get->caller;
	struct io_fetch *fetch = get->fetch;

	caller->err = judge(get);
	fetch->status = (unsigned)get->status;
	fetch->why[0] = '\0';
	if (caller->err == ERR_NOT_FOUND)
		snprintf(fetch->why, sizeof(fetch->why), "HTTP %ld", get->status);
	else if (caller->err == ERR_TOO_LONG)
		snprintf(fetch->why, sizeof(fetch->why), "%s", err_text(ERR_TOO_LONG));
	else if (caller->err)
		snprintf(fetch->why, sizeof(fetch->why), "%s",
		    *get->error ? get->error
				: get->fetcher->library.curl_easy_strerror(get->result));
	mem_free(get);
	caller->done(caller);
}

void
io_fetch(struct io *io, struct io_op *op, struct io_fetch *fetch)
{
	struct get *get = mem_alloc(sizeof(*get));
	const bool v6 = fetch->addr.family == 6;
	struct buf text;

	check(io->fetcher && op->done);
	get->fetcher = io->fetcher;
	get->fetch = fetch;
	get->caller = op;
	get->op = (struct io_op){.done = was_run, .owner = get};
	buf_init(&text, NET_TEXT_MAX);
	net_addr_write(&text, &fetch->addr);
	snprintf(get->url, sizeof(get->url), "https://%.255s:%u%.200s", fetch->host,
	    fetch->addr.port, fetch->path);
	snprintf(get->resolve, sizeof(get->resolve), "%.255s:%u:%s%.*s%s", fetch->host,
	    fetch->addr.port, v6 ? "[" : "", SPAN_ARGS(buf_span(&text)), v6 ? "]" : "");
	buf_fini(&text);
	io_work(io, &get->op, run, get);
}
