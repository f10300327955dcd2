/*
 * Any bytes as a PROXY header: what is said of them once stays so whatever follows, and is the
 * same however they are cut; never is more than the bound waited for.
 */
#include "base/check.h"
#include "smtp/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_same(const struct proxy_header *a, const struct proxy_header *b)
{
	check(a->bytes == b->bytes && a->version == b->version);
	check(a->client.family == b->client.family && a->client.port == b->client.port);
	check(memcmp(a->client.bytes, b->client.bytes, sizeof(a->client.bytes)) == 0);
	check(span_eq(span_str(a->wrong), span_str(b->wrong)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = span_of((const char *)data, size);
	struct proxy_header whole, part;
	enum proxy_header_status status, last;
	size_t end = size;

	status = proxy_header_read(bytes, &whole);
	if (status == PROXY_HEADER_MORE)
		check(size < PROXY_HEADER_BYTES_MAX);
	if (status == PROXY_HEADER_DONE) {
		check(whole.bytes > 0 && whole.bytes <= size);
		check(whole.bytes <= PROXY_HEADER_BYTES_MAX);
		check(whole.version == 2 || whole.bytes <= PROXY_HEADER_V1_BYTES_MAX);
		check(whole.client.family == 0 || whole.client.family == 4 ||
		    whole.client.family == 6);
	}
	check((status == PROXY_HEADER_WRONG) == (whole.wrong != NULL));
	/* Behind the bound nothing can change any more. */
	if (end > PROXY_HEADER_BYTES_MAX)
		end = PROXY_HEADER_BYTES_MAX;
	for (size_t n = 0; n <= end; n++) {
		last = proxy_header_read(span_first(bytes, n), &part);
		if (last == PROXY_HEADER_MORE)
			continue;
		check(last == status);
		check_same(&part, &whole);
	}
	return 0;
}
