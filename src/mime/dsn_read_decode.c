/* Encodings of a body (RFC 2045 section 6), read as leniently as mail programs write them. */
#include "mime/dsn_read_internal.h"

#include "base/base64.h"

static void
add(struct buf *out, char c)
{
	if (c != '\r')
		buf_add_char(out, c);
}

static void
decode_base64(struct buf *out, struct span body)
{
	uint32_t bits = 0;
	unsigned count = 0;

	for (size_t i = 0; i < body.len && !out->full; i++) {
		int digit = base64_value(body.ptr[i]);

		if (body.ptr[i] == '=')
			bits = count = 0;
		if (digit < 0)
			continue;
		bits = bits << 6 | (uint32_t)digit;
		count += 6;
		if (count >= 8) {
			count -= 8;
			add(out, (char)(bits >> count & 0xff));
		}
	}
}

static void
decode_quoted(struct buf *out, struct span body)
{
	size_t i = 0;

	while (i < body.len && !out->full) {
		size_t end = i + 1;

		if (body.ptr[i] != '=') {
			add(out, body.ptr[i++]);
			continue;
		}
		while (end < body.len && (body.ptr[end] == ' ' || body.ptr[end] == '\r'))
			end++;
		if (end >= body.len || body.ptr[end] == '\n') {
			i = end + 1;
		} else if (i + 2 < body.len && ascii_hex_value(body.ptr[i + 1]) >= 0 &&
			   ascii_hex_value(body.ptr[i + 2]) >= 0) {
			add(out, (char)(ascii_hex_value(body.ptr[i + 1]) << 4 |
					ascii_hex_value(body.ptr[i + 2])));
			i += 3;
		} else {
			add(out, body.ptr[i++]);
		}
	}
}

void
dsn_read_decode(struct buf *out, struct span body, enum dsn_read_encoding encoding)
{
	body = span_first(body, DSN_READ_BYTES_MAX);
	switch (encoding) {
	case DSN_READ_BASE64:
		decode_base64(out, body);
		break;
	case DSN_READ_QUOTED:
		decode_quoted(out, body);
		break;
	case DSN_READ_PLAIN:
		for (size_t i = 0; i < body.len && !out->full; i++)
			add(out, body.ptr[i]);
		break;
	}
}

static bool
cut_entity(struct span *html, char *c)
{
	static const struct {
		struct span name;
		char c;
	} entities[] = {{SPAN("&lt;"), '<'}, {SPAN("&gt;"), '>'}, {SPAN("&amp;"), '&'},
	    {SPAN("&quot;"), '"'}, {SPAN("&apos;"), '\''}, {SPAN("&#39;"), '\''},
	    {SPAN("&#64;"), '@'}, {SPAN("&nbsp;"), ' '}};

	for (size_t i = 0; i < sizeof(entities) / sizeof(*entities); i++)
		if (span_starts_nocase(*html, entities[i].name)) {
			*c = entities[i].c;
			*html = span_skip(*html, entities[i].name.len);
			return true;
		}
	return false;
}

/* Whether a tag ends a line. */
static bool
is_block(struct span tag)
{
	static const struct span names[] = {SPAN("br"), SPAN("p"), SPAN("/p"), SPAN("div"),
	    SPAN("/div"), SPAN("tr"), SPAN("/tr"), SPAN("/td"), SPAN("li"), SPAN("/h")};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (span_starts_nocase(tag, names[i]) &&
		    (tag.len == names[i].len || !ascii_is_alpha(tag.ptr[names[i].len])))
			return true;
	return false;
}

void
dsn_read_strip_html(struct buf *out, struct span html)
{
	bool hidden = false; /* in <style> or <script> */

	while (html.len && !out->full) {
		char c = html.ptr[0];

		if (c == '<') {
			struct span tag = span_skip(html, 1);

			tag = span_first(tag, span_find(tag, '>'));
			if (is_block(tag))
				buf_add_char(out, '\n');
			if (span_starts_nocase(tag, SPAN("style")) ||
			    span_starts_nocase(tag, SPAN("script")))
				hidden = true;
			else if (span_starts_nocase(tag, SPAN("/style")) ||
				 span_starts_nocase(tag, SPAN("/script")))
				hidden = false;
			html = span_skip(html, tag.len + 2);
			continue;
		}
		if (c != '&' || !cut_entity(&html, &c))
			html = span_skip(html, 1);
		if (!hidden)
			buf_add_char(out, c);
	}
}
