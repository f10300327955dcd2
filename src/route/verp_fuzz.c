/*
 * Any two addresses, with any delimiters.  What is read from an address is shorter than it and has
 * both its parts, and what was written is read again, where no delimiter stands in the way.
 */
#include "base/check.h"
#include "route/verp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ADDRESS_BYTES_MAX = 1 << 16 };

static void
try_read(const struct conf_verp *verp, struct span address)
{
	struct buf rcpt;

	buf_init(&rcpt, address.len + 1);
	if (verp_read(&rcpt, verp, address)) {
		size_t at = span_find(buf_span(&rcpt), '@');

		check(rcpt.len + 3 <= address.len);
		check(at > 0 && at + 1 < rcpt.len);
	} else {
		check(rcpt.len == 0);
	}
	buf_fini(&rcpt);
}

/* The recipient comes out again, where the sender has no delimiter and the domain no second one. */
static void
try_both(const struct conf_verp *verp, struct span sender, struct span rcpt)
{
	struct span local = span_first(sender, span_find_last(sender, '@'));
	struct span domain = span_skip(rcpt, span_find_last(rcpt, '@') + 1);
	struct buf address, again;

	buf_init(&address, ADDRESS_BYTES_MAX);
	buf_init(&again, ADDRESS_BYTES_MAX);
	if (verp_write(&address, verp, sender, rcpt)) {
		check(address.len == sender.len + rcpt.len + 1);
		if (span_find(local, verp->before) == local.len &&
		    span_find(domain, verp->at) == domain.len) {
			check(verp_read(&again, verp, buf_span(&address)));
			check(span_eq(buf_span(&again), rcpt));
		}
	} else {
		check(address.len == 0);
	}
	buf_fini(&address);
	buf_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char delimiters[] = "+-=_.#%&!";
	struct span rest = {(const char *)data, size}, sender;
	struct conf_verp verp;

	if (size < 2)
		return 0;
	verp.before = delimiters[data[0] % (sizeof(delimiters) - 1)];
	verp.at = delimiters[data[1] % (sizeof(delimiters) - 1)];
	/* The configuration has no others. */
	if (verp.before == verp.at)
		return 0;
	rest = span_skip(rest, 2);
	try_read(&verp, rest);
	if (span_cut(&rest, '\n', &sender))
		try_both(&verp, sender, rest);
	return 0;
}
