/*
 * An HTTPS GET, by libcurl on a thread of its own: no redirects, a bound on the
 * bytes and the time, the address that the check found, the certificate checked.
 *
 * The library is loaded here and only now: it brings twenty others along, which no role needs and
 * which would make each start of the program slower.
 */
#define CURL_DISABLE_TYPECHECK
#include <assert.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli_check_internal.h"

enum { URL_BYTES = 600, STATUS_OK = 200 };

/* The functions of libcurl that are called, each as name(type). */
#define LIBRARY(FUNCTION)                    \
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

struct get {
	struct cli_check *check;
	struct library library;
	char url[URL_BYTES], resolve[URL_BYTES];
	long timeout_ms;
	struct buf *body;
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

static size_t
took(char *bytes, size_t size, size_t count, void *owner)
{
	struct get *get = owner;

	(void)size;
	buf_add(get->body, span_of(bytes, count));
	/* Less than count ends the transfer. */
	return buf_finish(get->body) == OK ? count : 0;
}

static void
run(void *argument)
{
	struct get *get = argument;
	const struct library *lib = &get->library;
	CURL *curl = lib->curl_easy_init();
	struct curl_slist *resolve = lib->curl_slist_append(NULL, get->resolve);
	const char *roots = getenv("SSL_CERT_FILE");

	check(curl != NULL && resolve != NULL);
	lib->curl_easy_setopt(curl, CURLOPT_URL, get->url);
	lib->curl_easy_setopt(curl, CURLOPT_RESOLVE, resolve);
	lib->curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	lib->curl_easy_setopt(curl, CURLOPT_PROXY, "");
	lib->curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	lib->curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	lib->curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, get->timeout_ms);
	lib->curl_easy_setopt(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	lib->curl_easy_setopt(curl, CURLOPT_USERAGENT, "postrider-check");
	lib->curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, get->error);
	lib->curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, took);
	lib->curl_easy_setopt(curl, CURLOPT_WRITEDATA, get);
	if (roots && *roots)
		lib->curl_easy_setopt(curl, CURLOPT_CAINFO, roots);
	get->result = lib->curl_easy_perform(curl);
	if (get->result == CURLE_OK)
		lib->curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &get->status);
	lib->curl_slist_free_all(resolve);
	lib->curl_easy_cleanup(curl);
}

static void
was_run(struct io_op *op)
{
	struct get *get = op->owner;

	io_stop(get->check->io);
}

enum err
cli_check_fetch(struct cli_check *check, const char *host, const struct net_addr *addr,
    const char *path, struct buf *body, char *why, size_t why_bytes)
{
	struct get get = {.check = check,
	    .body = body,
	    .timeout_ms = (long)check->options->timeout_ms};
	struct io_op op = {.done = was_run, .owner = &get};
	unsigned port = check->options->https_port;
	enum err err = OK;
	struct buf text;

	buf_init(&text, NET_TEXT_MAX);
	net_addr_write(&text, addr);
	snprintf(get.url, sizeof(get.url), "https://%.250s:%u%.100s", host, port, path);
	snprintf(get.resolve, sizeof(get.resolve), "%.250s:%u:%s%.*s%s", host, port,
	    addr->family == 6 ? "[" : "", SPAN_ARGS(buf_span(&text)),
	    addr->family == 6 ? "]" : "");
	buf_fini(&text);
	cli_check_begin(check, WORD_CHECK_FETCHING,
	    &(struct word_fields){.name = span_str(get.url)});
	buf_reset(body);
	if (!load(&get.library)) {
		snprintf(why, why_bytes, "libcurl.so.4 is missing (Debian: libcurl4)");
		cli_check_end(check, WORD_CHECK_FAILED,
		    &(struct word_fields){.text = span_str(why)});
		return ERR_NOT_FOUND;
	}
	io_work(check->io, &op, run, &get);
	/* The transfer has its own end, and what it works on is here. */
	io_run(check->io);
	if (get.result == CURLE_WRITE_ERROR) {
		snprintf(why, why_bytes, "%s", err_text(ERR_TOO_LONG));
		err = ERR_TOO_LONG;
	} else if (get.result != CURLE_OK) {
		snprintf(why, why_bytes, "%s",
		    *get.error ? get.error : get.library.curl_easy_strerror(get.result));
		err = ERR_IO;
	} else if (get.status != STATUS_OK) {
		snprintf(why, why_bytes, "HTTP %ld", get.status);
		err = ERR_IO;
	}
	if (err)
		cli_check_end(check, WORD_CHECK_FAILED,
		    &(struct word_fields){.text = span_str(why)});
	else
		cli_check_end(check, WORD_CHECK_FINE, NULL);
	return err;
}
