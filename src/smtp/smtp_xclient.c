/*
 * Attributes are NAME=value with values in xtext; "[UNAVAILABLE]" and "[TEMPUNAVAIL]" stand for
 * none.  Names are in any case; an attribute that we did not offer is wrong.
 */
#include "smtp/smtp_xclient.h"

#include "base/check.h"

/* Adds what xtext stands for; false where it is none, or stands for a control. */
static bool
decode(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '+') {
			int high = i + 1 < text.len ? ascii_hex_value(text.ptr[i + 1]) : -1;
			int low = i + 2 < text.len ? ascii_hex_value(text.ptr[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if ((unsigned char)c < ' ' || c == 0x7f)
			return false;
		buf_add_char(out, c);
	}
	return buf_finish(out) == OK;
}

static bool
is_none(struct span value)
{
	return span_eq_nocase(value, SPAN("[UNAVAILABLE]")) ||
	       span_eq_nocase(value, SPAN("[TEMPUNAVAIL]"));
}

static bool
read_addr(struct smtp_xclient *xclient, struct span value)
{
	uint16_t port = xclient->addr.port;

	if (is_none(value))
		return true;
	if (span_starts_nocase(value, SPAN("IPV6:")))
		value = span_skip(value, 5);
	xclient->has_addr = net_addr_parse(value, &xclient->addr) == OK;
	xclient->addr.port = port;
	return xclient->has_addr;
}

static bool
read_port(struct smtp_xclient *xclient, struct span value)
{
	uint64_t port;

	if (is_none(value))
		return true;
	if (!span_u64(value, UINT16_MAX, &port))
		return false;
	xclient->has_port = true;
	xclient->addr.port = (uint16_t)port;
	return true;
}

static bool
read_login(struct smtp_xclient *xclient, struct span value)
{
	xclient->has_login = true;
	xclient->login_bytes = 0;
	if (is_none(value))
		return true;
	xclient->login_bytes = value.len;
	memcpy(xclient->login, value.ptr, value.len);
	return value.len > 0;
}

/* Names, HELO and the rest: the client says HELO anew, and nothing here asks for the others. */
static bool
read_nothing(struct smtp_xclient *xclient, struct span value)
{
	(void)xclient;
	(void)value;
	return true;
}

static const struct {
	const char *name;
	bool (*read)(struct smtp_xclient *xclient, struct span value);
} attributes[] = {
    {"NAME", read_nothing},
    {"ADDR", read_addr},
    {"PORT", read_port},
    {"PROTO", read_nothing},
    {"HELO", read_nothing},
    {"LOGIN", read_login},
    {"DESTADDR", read_nothing},
    {"DESTPORT", read_nothing},
};

static bool
read_attribute(struct smtp_xclient *xclient, struct span name, struct span text)
{
	struct buf value;
	bool right = false;

	buf_init(&value, SMTP_XCLIENT_LOGIN_BYTES_MAX);
	if (decode(&value, text)) {
		for (size_t i = 0; i < LEN(attributes); i++)
			if (span_eq_nocase(name, span_str(attributes[i].name)))
				right = attributes[i].read(xclient, buf_span(&value));
	}
	buf_fini(&value);
	return right;
}

bool
smtp_xclient_read(struct span args, struct smtp_xclient *xclient)
{
	struct span word;
	bool any = false;

	*xclient = (struct smtp_xclient){0};
	while (span_cut(&args, ' ', &word)) {
		size_t equals = span_find(word, '=');

		if (word.len == 0)
			continue;
		if (equals == word.len || !read_attribute(xclient, span_first(word, equals),
					      span_skip(word, equals + 1)))
			return false;
		any = true;
	}
	return any;
}
