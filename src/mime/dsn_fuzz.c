/*
 * Any bytes in every field of a notification, cut at bytes of 0xff: it stays
 * 7bit, in CRLF lines of at most 998 octets, and its boundary stands only where
 * it was put.
 */
#include "base/check.h"
#include "mime/dsn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECIPIENTS = 2, OUT_BYTES_MAX = 1 << 20 };

static struct span
next(struct span *rest)
{
	struct span part = SPAN("");

	(void)span_cut(rest, (char)0xff, &part);
	return part;
}

static void
check_shape(struct span out, size_t parts)
{
	size_t found = 0;

	while (out.len) {
		struct span line = span_first(out, span_find(out, '\n'));

		check(
		    line.len < out.len && line.len > 0 && line.ptr[line.len - 1] == '\r');
		line.len--;
		check(line.len <= 998);
		for (size_t i = 0; i < line.len; i++)
			check((line.ptr[i] >= ' ' && line.ptr[i] < 127) ||
			      (line.ptr[i] == '\t' && i == 0));
		found += span_starts(line, SPAN("--=_report-0000000000000007"));
		out = span_skip(out, line.len + 2);
	}
	check(found == parts + 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = {(const char *)data, size};
	struct dsn_recipient recipients[RECIPIENTS];
	struct dsn dsn = {.unique = 7,
	    .recipients = recipients,
	    .recipient_count = RECIPIENTS,
	    .arrival_wall_ms = size,
	    .now_wall_ms = size * 86400000};
	struct buf out;

	if (size > 16384)
		return 0;
	for (size_t i = 0; i < RECIPIENTS; i++)
		recipients[i] = (struct dsn_recipient){.address = next(&rest),
		    .status = next(&rest),
		    .text = next(&rest),
		    .remote = next(&rest),
		    .explanation = i ? NULL : "What to do.",
		    .orcpt = next(&rest),
		    .code = i ? 0 : 550,
		    .expired = i,
		    .asked_orcpt = i ? next(&rest) : SPAN(""),
		    .action = (enum dsn_action)((size + i) % DSN_ACTION_COUNT),
		    .retry_until_wall_ms = size,
		    .last_attempt_wall_ms = i};
	dsn.to = next(&rest);
	dsn.hostname = next(&rest);
	dsn.id = next(&rest);
	dsn.envelope_helo = next(&rest);
	dsn.envid = next(&rest);
	dsn.header = rest;
	dsn.language = size & 1 ? language_at(size / 2 % 8) : dsn_language(dsn.header);

	buf_init(&out, OUT_BYTES_MAX);
	dsn_write(&out, &dsn);
	check(buf_finish(&out) == OK);
	check_shape(buf_span(&out), dsn.header.len ? 3 : 2);
	buf_fini(&out);
	return 0;
}
