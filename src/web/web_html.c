/* A character is taken apart before it is looked at: an escape must not begin in half of one. */
#include "web/web_html.h"

#include "base/check.h"
#include "base/utf8.h"

enum { RFC_DIGITS_MAX = 5, SECTION_BYTES_MAX = 16 };

static const char replacement[] = "\xEF\xBF\xBD";

/* Controls, what turns the direction of all that follows, and what is no character. */
static bool
is_unfit(uint32_t c)
{
	if (c < 0x20)
		return c != '\n' && c != '\t';
	return (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || (c >= 0xfdd0 && c <= 0xfdef) ||
	       (c & 0xfffe) == 0xfffe;
}

static const char *
entity_of(uint32_t c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void
web_text(struct buf *out, struct span text)
{
	while (text.len) {
		uint32_t c = 0;
		size_t bytes = utf8_take(text, &c);
		const char *entity = bytes ? entity_of(c) : NULL;

		if (bytes == 0 || is_unfit(c))
			buf_add_str(out, replacement);
		else if (entity)
			buf_add_str(out, entity);
		else
			buf_add(out, span_first(text, bytes));
		text = span_skip(text, bytes ? bytes : 1);
	}
}

static bool
is_latin(char c)
{
	return ascii_is_alnum(c) || (c && strchr("./:=@_-+", c));
}

/* The run at the start: words of Latin letters and digits, blanks between them; its bytes. */
static size_t
latin_run(struct span text, bool *digit)
{
	size_t bytes = 0;

	*digit = false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == ' ')
			continue;
		if (!is_latin(text.ptr[i]))
			break;
		*digit = *digit || ascii_is_digit(text.ptr[i]);
		if (ascii_is_alnum(text.ptr[i]))
			bytes = i + 1;
	}
	return bytes;
}

void
web_text_rtl(struct buf *out, struct span text)
{
	while (text.len) {
		size_t before = 0;
		bool digit = false;
		size_t bytes;

		while (before < text.len && !ascii_is_alnum(text.ptr[before]))
			before++;
		web_text(out, span_first(text, before));
		text = span_skip(text, before);
		bytes = latin_run(text, &digit);
		if (digit)
			buf_add_str(out, "<bdi dir=\"ltr\">");
		web_text(out, span_first(text, bytes));
		if (digit)
			buf_add_str(out, "</bdi>");
		text = span_skip(text, bytes);
	}
}

void
web_paragraphs(struct buf *out, struct span text, const char *first_class, bool rtl)
{
	while (text.len) {
		const char *gap = memmem(text.ptr, text.len, "\n\n", 2);
		size_t bytes = gap ? (size_t)(gap - text.ptr) : text.len;

		if (first_class)
			buf_addf(out, "<p class=\"%s\">", first_class);
		else
			buf_add_str(out, "<p>");
		if (rtl)
			web_text_rtl(out, span_first(text, bytes));
		else
			web_text(out, span_first(text, bytes));
		buf_add_str(out, "</p>\n");
		text = span_skip(text, gap ? bytes + 2 : bytes);
		first_class = NULL;
	}
}

void
web_json(struct buf *out, struct span text)
{
	buf_add_char(out, '"');
	while (text.len) {
		uint32_t c = 0;
		size_t bytes = utf8_take(text, &c);

		if (bytes == 0 || is_unfit(c))
			buf_add_str(out, replacement);
		else if (entity_of(c) || c < 0x20 || c == '\\' || c == 0x2028 || c == 0x2029)
			buf_addf(out, "\\u%04x", (unsigned)c);
		else
			buf_add(out, span_first(text, bytes));
		text = span_skip(text, bytes ? bytes : 1);
	}
	buf_add_char(out, '"');
}

void
web_path_part(struct buf *out, struct span part)
{
	for (size_t i = 0; i < part.len; i++) {
		char c = part.ptr[i];

		if (ascii_is_alnum(c) || (c && strchr("-._~=+", c)))
			buf_add_char(out, c);
		else
			buf_addf(out, "%%%02X", (unsigned)(unsigned char)c);
	}
}

bool
web_decode(struct buf *out, struct span text, bool form)
{
	while (text.len) {
		size_t bytes = 1;
		char c = text.ptr[0];

		if (c == '%') {
			int high = text.len > 2 ? ascii_hex_value(text.ptr[1]) : -1;
			int low = text.len > 2 ? ascii_hex_value(text.ptr[2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			bytes = 3;
		} else if (form && c == '+') {
			c = ' ';
		}
		buf_add_char(out, c);
		text = span_skip(text, bytes);
	}
	return buf_finish(out) == OK;
}

/* "section 3.5.3" at the start, and not the first of several: its number. */
static struct span
section_of(struct span text)
{
	static const struct span word = {" section ", sizeof(" section ") - 1};
	size_t bytes = 0;

	if (!span_starts(text, word))
		return SPAN("");
	text = span_skip(text, word.len);
	while (bytes < text.len && bytes < SECTION_BYTES_MAX &&
	    (ascii_is_digit(text.ptr[bytes]) || text.ptr[bytes] == '.'))
		bytes++;
	return span_first(text, bytes);
}

void
web_standards(struct buf *out, struct span text)
{
	while (text.len) {
		const char *found = memmem(text.ptr, text.len, "RFC ", 4);
		size_t before = found ? (size_t)(found - text.ptr) : text.len;
		struct span number, section;
		size_t digits = 0;

		web_text(out, span_first(text, before));
		text = span_skip(text, before);
		if (text.len == 0)
			break;
		number = span_skip(text, 4);
		while (digits < number.len && digits < RFC_DIGITS_MAX &&
		    ascii_is_digit(number.ptr[digits]))
			digits++;
		number = span_first(number, digits);
		text = span_skip(text, 4 + digits);
		if (digits == 0) {
			buf_add_str(out, "RFC ");
			continue;
		}
		section = section_of(text);
		buf_addf(out, "<a href=\"https://www.rfc-editor.org/rfc/rfc%.*s",
		    SPAN_ARGS(number));
		if (section.len)
			buf_addf(out, "#section-%.*s", SPAN_ARGS(section));
		buf_addf(out, "\" rel=\"external\">RFC&nbsp;%.*s", SPAN_ARGS(number));
		if (section.len) {
			buf_addf(out, " section&nbsp;%.*s", SPAN_ARGS(section));
			text = span_skip(text, SPAN(" section ").len + section.len);
		}
		buf_add_str(out, "</a>");
	}
}
