/*
 * What mail that came with SMTPUTF8 is in truth.  A client may have said it to be safe; towards a
 * server that lacks it such mail goes without, where that changes nothing but how domains are
 * spelled.
 * Nothing of the message itself is changed, so no signature breaks.
 */
#include "proc/delivery/delivery_internal.h"

enum { ADDRESS_BYTES = IPC_PATH_MAX + IPC_DOMAIN_MAX + 1 };

/* The address with its domain's A-labels (RFC 6531 section 3.2); false: it has no such form. */
static bool
to_plain(struct attempt *attempt, struct span *address)
{
	size_t at = span_find_last(*address, '@');
	struct span domain = span_skip(*address, at + 1);
	struct buf plain;
	bool done;

	if (span_is_ascii(*address))
		return true;
	if (at == address->len || !span_is_ascii(span_first(*address, at)) ||
	    !attempt_to_ascii(attempt, &domain))
		return false;
	buf_init(&plain, ADDRESS_BYTES);
	buf_add(&plain, span_first(*address, at + 1));
	buf_add(&plain, domain);
	done = arena_copy(&attempt->arena, buf_span(&plain), address);
	buf_fini(&plain);
	return done;
}

/* The header; all that is here of the message where its end is not. */
static struct span
header_of(const struct attempt *attempt, bool *whole)
{
	struct span body = buf_span(&attempt->body), rest;

	*whole = true;
	if (span_seek(body, SPAN("\r\n\r\n"), &rest))
		return span_first(body, (size_t)(rest.ptr - body.ptr));
	*whole = body.len == attempt->body_bytes;
	return body;
}

bool
attempt_plain_envelope(
    struct attempt *attempt, struct span *reverse_path, struct span *rcpts, size_t count)
{
	struct span header;
	bool whole;

	if (attempt->body_given > 0)
		return false;
	header = header_of(attempt, &whole);
	if (!whole || !span_is_ascii(header) || !to_plain(attempt, reverse_path))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!to_plain(attempt, &rcpts[i]))
			return false;
	return true;
}
