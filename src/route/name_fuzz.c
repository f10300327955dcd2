/*
 * Any bytes as what an operator types: what is read is bounded, and printed again it is read as the
 * same; and any bytes as a key, printed, and held against a selector.
 */
#include "base/check.h"
#include "route/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ports and brackets are printed as they should be, not as they were typed. */
static bool
has_target(struct span words)
{
	return span_starts(words, SPAN("server ")) || span_starts(words, SPAN("lmtp ")) ||
	    span_starts(words, SPAN("via "));
}

static void
read_and_print(struct span words)
{
	static const struct conf conf;
	struct buf selector, printed, again;

	buf_init(&selector, 4 * ROUTE_NAME_BYTES_MAX);
	buf_init(&printed, 4 * ROUTE_NAME_BYTES_MAX);
	buf_init(&again, 4 * ROUTE_NAME_BYTES_MAX);
	if (route_name_read(&selector, words, &conf)) {
		check(buf_finish(&selector) == OK && selector.len <= ROUTE_NAME_BYTES_MAX);
		route_name_write_selector(&printed, buf_span(&selector));
		check((route_name_read(&again, buf_span(&printed), &conf) &&
		          span_eq_nocase(buf_span(&again), buf_span(&selector))) ||
		    has_target(buf_span(&printed)));
		(void)route_name_is_open(buf_span(&selector));
		(void)route_name_rest(buf_span(&printed));
	}
	buf_fini(&selector);
	buf_fini(&printed);
	buf_fini(&again);
}

static void
print_and_fit(struct span key, struct span other)
{
	struct buf words;

	buf_init(&words, 4 * ROUTE_NAME_BYTES_MAX);
	route_name_write(&words, span_first(key, ROUTE_NAME_BYTES_MAX));
	check(buf_finish(&words) == OK);
	(void)route_name_fits(key, other, other);
	check(route_name_fits(SPAN(""), key, other));
	buf_fini(&words);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = span_of((const char *)data, size);
	size_t half = span_find(all, '\n');

	read_and_print(all);
	print_and_fit(span_first(all, half), span_skip(all, half + 1));
	return 0;
}
