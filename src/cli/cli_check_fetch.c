/*
 * An HTTPS GET of a policy, as a step: no redirects, a bound on the bytes and the time, the address
 * that the check found, the certificate checked.
 */
#include <stdio.h>

#include "base/check.h"
#include "cli/cli_check_internal.h"

static void
was_fetched(struct io_op *op)
{
	struct cli_check *check = op->owner;

	io_stop(check->io);
}

enum err
cli_check_fetch(struct cli_check *check, const char *host, const struct net_addr *addr,
    const char *path, struct buf *body, char *why, size_t why_bytes)
{
	struct io_fetch fetch = {.host = host,
	    .path = path,
	    .addr = *addr,
	    .timeout_ms = check->options->timeout_ms,
	    .body = body};
	struct io_op op = {.done = was_fetched, .owner = check};
	char url[400];

	fetch.addr.port = check->options->https_port;
	snprintf(url, sizeof(url), "https://%.250s:%u%.100s", host, fetch.addr.port, path);
	cli_check_begin(check, WORD_CHECK_FETCHING, &(struct word_fields){.name = span_str(url)});
	buf_reset(body);
	if (io_fetch_prepare(check->io, SPAN(""))) {
		op.err = ERR_NOT_FOUND;
		snprintf(fetch.why, sizeof(fetch.why),
		    "libcurl.so.4 is missing (Debian: libcurl4)");
	} else {
		io_fetch(check->io, &op, &fetch);
		/* The transfer has its own end, and what it works on is here. */
		io_run(check->io);
	}
	if (!op.err) {
		cli_check_end(check, WORD_CHECK_FINE, NULL);
		return OK;
	}
	snprintf(why, why_bytes, "%s", fetch.why);
	cli_check_end(check, WORD_CHECK_FAILED, &(struct word_fields){.text = span_str(why)});
	return op.err;
}
