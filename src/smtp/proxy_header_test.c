#include "smtp/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define TCP4 "\x11"
#define TCP6 "\x21"
#define INET_CLIENT "\xc0\0\2\7\xc0\0\2\1\x9c\x40\0\x19" /* 192.0.2.7:40000 */
#define INET6_CLIENT                                            \
	"\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\7"                 \
	"\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x9c\x40\0\x19"
#define MAPPED_CLIENT                                           \
	"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\7"                \
	"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1\x9c\x40\0\x19"
#define ROW(bytes, read) {{(bytes), sizeof(bytes) - 1}, (read)}

/* What is read: "VERSION CLIENT PORT", "VERSION" without a client; NULL: wrong. */
static const struct {
	struct span bytes;
	const char *read;
} rows[] = {
    ROW("PROXY TCP4 192.0.2.7 192.0.2.1 40000 25\r\n", "1 192.0.2.7 40000"),
    ROW("PROXY TCP6 2001:db8::7 2001:db8::1 40000 25\r\n", "1 2001:db8::7 40000"),
    ROW("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.1 0 65535\r\n", "1 192.0.2.7 0"),
    ROW("PROXY UNKNOWN\r\n", "1"),
    ROW("PROXY UNKNOWN ffff:f...f:ffff whatever 1 2 3\r\n", "1"),
    ROW("PROXY TCP4 192.0.2.7 192.0.2.1 40000 25\n", NULL),
    ROW("PROXY \n", NULL),
    ROW("PROXY \r\n", NULL),
    ROW("PROXY TCP4 192.0.2.7 192.0.2.1 40000\r\n", NULL),
    ROW("PROXY TCP4 192.0.2.7 192.0.2.1 40000 25 \r\n", NULL),
    ROW("PROXY TCP4  192.0.2.7 192.0.2.1 40000 25\r\n", NULL),
    ROW("PROXY TCP4 2001:db8::7 2001:db8::1 40000 25\r\n", NULL),
    ROW("PROXY TCP6 192.0.2.7 192.0.2.1 40000 25\r\n", NULL),
    ROW("PROXY TCP5 192.0.2.7 192.0.2.1 40000 25\r\n", NULL),
    ROW("PROXY TCP4 192.0.2 192.0.2.1 40000 25\r\n", NULL),
    ROW("PROXY TCP4 192.0.2.7 x 40000 25\r\n", NULL),
    ROW("PROXY TCP4 192.0.2.7 192.0.2.1 65536 25\r\n", NULL),
    ROW("PROXY TCP4 192.0.2.7 192.0.2.1 025 25\r\n", NULL),
    ROW("PROXY TCP4 192.0.2.7 192.0.2.1 25 +25\r\n", NULL),
    ROW("PROXY UNKNOWNS\r\n", NULL),
    ROW("PROXY TCP4\0 192.0.2.7 192.0.2.1 25 25\r\n", NULL),
    ROW("proxy UNKNOWN\r\n", NULL),
    ROW("PROXYUNKNOWN\r\n", NULL),
    ROW("EHLO client.example\r\n", NULL),
    ROW("\x16\3\1\2\0", NULL),
    ROW(V2 "\x21" TCP4 "\0\x0c" INET_CLIENT, "2 192.0.2.7 40000"),
    ROW(V2 "\x21" TCP6 "\0\x24" INET6_CLIENT, "2 2001:db8::7 40000"),
    ROW(V2 "\x21" TCP6 "\0\x24" MAPPED_CLIENT, "2 192.0.2.7 40000"),
    ROW(V2 "\x21" TCP4 "\0\x12" INET_CLIENT "\4\0\3abc", "2 192.0.2.7 40000"),
    ROW(V2 "\x21" TCP4 "\0\x0f" INET_CLIENT "\4\0\0", "2 192.0.2.7 40000"),
    ROW(V2 "\x20\0\0\0", "2"),
    ROW(V2 "\x20\x11\0\x0c" INET_CLIENT, "2"),
    ROW(V2 "\x20\xff\0\1x", "2"),
    ROW(V2 "\x21\0\0\0", "2"),
    ROW(V2 "\x21\0\0\3abc", "2"),
    ROW(V2 "\x21\x31\0\4abcd", "2"),
    ROW(V2 "\x21\x12\0\x0c" INET_CLIENT, NULL),
    ROW(V2 "\x21\x41\0\x0c" INET_CLIENT, NULL),
    ROW(V2 "\x21\x13\0\x0c" INET_CLIENT, NULL),
    ROW(V2 "\x21" TCP4 "\0\x0b" INET_CLIENT, NULL),
    ROW(V2 "\x21" TCP6 "\0\x0c" INET_CLIENT, NULL),
    ROW(V2 "\x21" TCP4 "\0\x0e" INET_CLIENT "\4\0", NULL),
    ROW(V2 "\x21" TCP4 "\0\x11" INET_CLIENT "\4\0\3ab", NULL),
    ROW(V2 "\x22" TCP4 "\0\x0c" INET_CLIENT, NULL),
    ROW(V2 "\x11" TCP4 "\0\x0c" INET_CLIENT, NULL),
    ROW(V2 "\x21" TCP4 "\x0f\xf1" INET_CLIENT, NULL), /* 4097 bytes in all */
    ROW("\r\n\r\n\0\r\nQUIT\r", NULL),
};

static void
write_read(struct buf *out, const struct proxy_header *header)
{
	buf_addf(out, "%u", header->version);
	if (header->client.family == 0)
		return;
	buf_add_char(out, ' ');
	net_addr_write(out, &header->client);
	buf_addf(out, " %u", header->client.port);
}

static void
headers_are_read(void **state)
{
	struct proxy_header header;
	struct buf text;

	(void)state;
	buf_init(&text, 200);
	for (size_t i = 0; i < LEN(rows); i++) {
		enum proxy_header_status status = proxy_header_read(rows[i].bytes, &header);

		buf_reset(&text);
		if (!rows[i].read) {
			assert_int_equal(status, PROXY_HEADER_WRONG);
			assert_non_null(header.wrong);
			continue;
		}
		assert_int_equal(status, PROXY_HEADER_DONE);
		assert_int_equal(header.bytes, rows[i].bytes.len);
		write_read(&text, &header);
		buf_add_char(&text, '\0');
		assert_string_equal(text.ptr, rows[i].read);
	}
	buf_fini(&text);
}

/* Nothing is known before the last byte of a good header, and nothing changes behind it. */
static void
it_matters_not_how_bytes_are_cut(void **state)
{
	struct proxy_header header;
	char more[300];

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct span bytes = rows[i].bytes;

		for (size_t n = 0; rows[i].read && n < bytes.len; n++)
			assert_int_equal(proxy_header_read(span_first(bytes, n), &header),
			    PROXY_HEADER_MORE);
		memcpy(more, bytes.ptr, bytes.len);
		memcpy(more + bytes.len, "EHLO a\r\n", 8);
		assert_int_equal(proxy_header_read(span_of(more, bytes.len + 8), &header),
		    rows[i].read ? PROXY_HEADER_DONE : PROXY_HEADER_WRONG);
		if (rows[i].read)
			assert_int_equal(header.bytes, bytes.len);
	}
}

static void
a_line_has_an_end(void **state)
{
	char line[200] = "PROXY UNKNOWN ";
	const size_t max = PROXY_HEADER_V1_BYTES_MAX;
	const struct span whole = span_of(line, sizeof(line));
	struct proxy_header header;

	(void)state;
	memset(line + 14, 'x', sizeof(line) - 14);
	assert_int_equal(proxy_header_read(span_of(line, max - 1), &header), PROXY_HEADER_MORE);
	assert_int_equal(proxy_header_read(span_of(line, max), &header), PROXY_HEADER_WRONG);
	memcpy(line + max - 2, "\r\n", 2);
	assert_int_equal(proxy_header_read(whole, &header), PROXY_HEADER_DONE);
	assert_int_equal(header.bytes, max);
	memcpy(line + max - 2, "x\r\n", 3);
	assert_int_equal(proxy_header_read(whole, &header), PROXY_HEADER_WRONG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(headers_are_read),
	    cmocka_unit_test(it_matters_not_how_bytes_are_cut),
	    cmocka_unit_test(a_line_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
