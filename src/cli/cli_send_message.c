/*
 * The message of "postrider send".  It is a file on a Unix machine, so its lines
 * end in LF; on the wire they end in CR LF and nothing else.  Headers are not
 * invented, but for input that has none at all: then it is taken as a text.
 */
#include "base/check.h"
#include "cli/cli_send_internal.h"
#include "mime/trace.h"

void
cli_send_lines_add(struct cli_send_lines *lines, struct span piece)
{
	while (piece.len) {
		size_t plain = 0;

		while (plain < piece.len && piece.ptr[plain] != '\r' &&
		       piece.ptr[plain] != '\n')
			plain++;
		if (plain) {
			buf_add(lines->out, span_first(piece, plain));
			lines->after_cr = false;
			piece = span_skip(piece, plain);
			continue;
		}
		/* The LF of a CR LF was written with its CR. */
		if (piece.ptr[0] == '\r' || !lines->after_cr)
			buf_add(lines->out, SPAN("\r\n"));
		lines->after_cr = piece.ptr[0] == '\r';
		piece = span_skip(piece, 1);
	}
}

void
cli_send_lines_end(struct cli_send_lines *lines)
{
	const struct buf *out = lines->out;

	if (out->len && out->ptr[out->len - 1] != '\n')
		buf_add(lines->out, SPAN("\r\n"));
}

bool
cli_send_has_header(struct span message)
{
	size_t name = 0, colon;

	while (name < message.len && message.ptr[name] > ' ' &&
	       message.ptr[name] < 0x7f && message.ptr[name] != ':')
		name++;
	colon = name;
	while (colon < message.len &&
	       (message.ptr[colon] == ' ' || message.ptr[colon] == '\t'))
		colon++;
	return name > 0 && colon < message.len && message.ptr[colon] == ':';
}

void
cli_send_write_header(struct buf *out, const struct cli_send_options *options,
    uint64_t wall_ms, uint64_t random)
{
	if (options->from.len)
		buf_addf(out, "From: <%.*s>\r\n", SPAN_ARGS(options->from));
	else
		buf_addf(out, "From: <postmaster@%s>\r\n", options->helo);
	for (size_t i = 0; i < options->to_count; i++)
		buf_addf(
		    out, "%s<%.*s>", i ? ",\r\n\t" : "To: ", SPAN_ARGS(options->to[i]));
	buf_add_str(out, "\r\nDate: ");
	trace_write_date(out, wall_ms);
	buf_addf(out, "\r\nMessage-ID: <%llx.%016llx@%s>\r\n\r\n",
	    (unsigned long long)wall_ms, (unsigned long long)random, options->helo);
}
