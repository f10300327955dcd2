/*
 * An HTTPS GET, by libcurl on a thread of its own: no redirects, a bound on the
 * bytes and the time, the address that the check found, the certificate checked.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli_check_internal.h"

enum { URL_BYTES = 600, STATUS_OK = 200 };

struct get {
	struct cli_check *check;
	char url[URL_BYTES], resolve[URL_BYTES];
	long timeout_ms;
	struct buf *body;
	char error[CURL_ERROR_SIZE];
	CURLcode result;
	long status;
};

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
	CURL *curl = curl_easy_init();
	struct curl_slist *resolve = curl_slist_append(NULL, get->resolve);
	const char *roots = getenv("SSL_CERT_FILE");

	check(curl != NULL && resolve != NULL);
	curl_easy_setopt(curl, CURLOPT_URL, get->url);
	curl_easy_setopt(curl, CURLOPT_RESOLVE, resolve);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, get->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "postrider-check");
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, get->error);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, took);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, get);
	if (roots && *roots)
		curl_easy_setopt(curl, CURLOPT_CAINFO, roots);
	get->result = curl_easy_perform(curl);
	if (get->result == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &get->status);
	curl_slist_free_all(resolve);
	curl_easy_cleanup(curl);
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
	io_work(check->io, &op, run, &get);
	/* The transfer has its own end, and what it works on is here. */
	io_run(check->io);
	if (get.result == CURLE_WRITE_ERROR) {
		snprintf(why, why_bytes, "%s", err_text(ERR_TOO_LONG));
		err = ERR_TOO_LONG;
	} else if (get.result != CURLE_OK) {
		snprintf(why, why_bytes, "%s",
		    *get.error ? get.error : curl_easy_strerror(get.result));
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
