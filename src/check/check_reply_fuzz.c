/* Any bytes as what a server sends: what is taken is in its bounds, and taken again the same. */
#include "base/arena.h"
#include "base/check.h"
#include "check/check_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of((const char *)data, size);
	struct check_reply *reply = mem_alloc(sizeof(*reply));
	struct check_offer offer;
	char first[100];
	size_t used;

	(void)check_protocol_name(check_protocol_of(rest));
	while (check_reply_take(rest, reply, &used) == OK) {
		struct span name = check_greeting_name(reply);

		check(used > 0 && used <= rest.len);
		check(reply->code >= 200 && reply->code <= 599);
		check(reply->text_bytes <= CHECK_REPLY_KEPT_MAX);
		check(name.len == 0 || span_find(name, '.') < name.len);
		check_offer_read(reply, &offer);
		check_reply_first(reply, first, sizeof(first));
		/* A part of it is not whole, or is known to be wrong. */
		check(check_reply_take(span_first(rest, used - 1), reply, &used) != OK ||
		      used < rest.len);
		check(check_reply_take(rest, reply, &used) == OK);
		rest = span_skip(rest, used);
	}
	mem_free(reply);
	return 0;
}
