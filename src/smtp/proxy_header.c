#include "smtp/proxy_header.h"

#include "base/check.h"

enum {
	V2_FIXED_BYTES = 16,
	V2_INET_BYTES = 12,  /* two addresses and two ports */
	V2_INET6_BYTES = 36,
	V2_ADDED_BYTES = 3, /* in front of what is added: a type and a length */
	PORT_DIGITS_MAX = 5,
};

enum v2_family { V2_UNKNOWN, V2_INET, V2_INET6, V2_UNIX, V2_FAMILY_COUNT };
enum v2_transport { V2_ANY_TRANSPORT, V2_STREAM, V2_DATAGRAM, V2_TRANSPORT_COUNT };

static const struct span v1_start = {"PROXY ", 6};
static const struct span v2_start = {"\r\n\r\n\0\r\nQUIT\n", 12};

static enum proxy_header_status
wrong(struct proxy_header *header, const char *why)
{
	*header = (struct proxy_header){.version = header->version, .wrong = why};
	return PROXY_HEADER_WRONG;
}

/* As the text of version 1 has them: no zero in front, no sign. */
static bool
read_port(struct span text, uint16_t *port)
{
	uint64_t number;

	if (text.len > PORT_DIGITS_MAX || (text.len > 1 && text.ptr[0] == '0') ||
	    !span_u64(text, UINT16_MAX, &number))
		return false;
	*port = (uint16_t)number;
	return true;
}

static bool
read_addr(struct span text, bool ipv6, struct net_addr *addr)
{
	/* An IPv4 address within an IPv6 one is read as what it stands for. */
	return (span_find(text, ':') < text.len) == ipv6 && net_addr_parse(text, addr) == OK;
}

/* "TCP4 192.0.2.1 192.0.2.2 40000 25" */
static bool
read_v1(struct span line, struct net_addr *client)
{
	struct span words[5];
	size_t count = 0;
	struct net_addr server;
	uint16_t port, server_port;
	bool ipv6;

	for (;;) {
		size_t blank = span_find(line, ' ');

		if (count == LEN(words))
			return false;
		words[count++] = span_first(line, blank);
		if (blank == line.len)
			break;
		line = span_skip(line, blank + 1);
	}
	/* What may follow UNKNOWN is to be ignored. */
	ipv6 = span_eq(words[0], SPAN("TCP6"));
	if (count != LEN(words) || (!ipv6 && !span_eq(words[0], SPAN("TCP4"))))
		return false;
	if (!read_addr(words[1], ipv6, client) || !read_addr(words[2], ipv6, &server) ||
	    !read_port(words[3], &port) || !read_port(words[4], &server_port))
		return false;
	client->port = port;
	return true;
}

static enum proxy_header_status
take_v1(struct span bytes, struct proxy_header *header)
{
	struct span line = span_first(bytes, PROXY_HEADER_V1_BYTES_MAX);
	size_t end = span_find(line, '\n');
	struct span said;

	header->version = 1;
	if (end == line.len)
		return line.len < PROXY_HEADER_V1_BYTES_MAX
		    ? PROXY_HEADER_MORE
		    : wrong(header, "a PROXY line is longer than 107 bytes");
	if (line.ptr[end - 1] != '\r')
		return wrong(header, "a PROXY line does not end with CR LF");
	said = span_skip(span_first(line, end - 1), v1_start.len);
	header->bytes = end + 1;
	if (span_eq(said, SPAN("UNKNOWN")) || span_starts(said, SPAN("UNKNOWN ")))
		return PROXY_HEADER_DONE;
	if (!read_v1(said, &header->client))
		return wrong(header, "a PROXY line is not written as it should be");
	return PROXY_HEADER_DONE;
}

static size_t
number16(const char *at)
{
	return (size_t)(unsigned char)at[0] << 8 | (unsigned char)at[1];
}

/* Version 2 has IPv6 addresses that stand for IPv4 ones, too. */
static void
take_addr(struct span body, size_t addr_bytes, struct net_addr *client)
{
	static const unsigned char mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	const char *addr = body.ptr;

	client->port = (uint16_t)number16(body.ptr + 2 * addr_bytes);
	client->family = addr_bytes == 4 ? 4 : 6;
	if (client->family == 6 && memcmp(addr, mapped, sizeof(mapped)) == 0) {
		client->family = 4;
		addr += sizeof(mapped);
		addr_bytes -= sizeof(mapped);
	}
	memcpy(client->bytes, addr, addr_bytes);
}

/* What is added behind the addresses: nothing of it is of use here, but it must be whole. */
static bool
added_is_whole(struct span added)
{
	while (added.len > 0) {
		size_t bytes;

		if (added.len < V2_ADDED_BYTES)
			return false;
		bytes = V2_ADDED_BYTES + number16(added.ptr + 1);
		if (bytes > added.len)
			return false;
		added = span_skip(added, bytes);
	}
	return true;
}

static enum proxy_header_status
take_client(struct span body, unsigned protocol, struct proxy_header *header)
{
	unsigned family = protocol >> 4, transport = protocol & 0xf;
	size_t bytes = family == V2_INET ? V2_INET_BYTES : V2_INET6_BYTES;

	if (family >= V2_FAMILY_COUNT || transport >= V2_TRANSPORT_COUNT)
		return wrong(header, "a PROXY header has a protocol that does not exist");
	if (family == V2_UNKNOWN || family == V2_UNIX)
		return PROXY_HEADER_DONE;
	if (transport != V2_STREAM)
		return wrong(header, "a PROXY header is about something else than TCP");
	if (body.len < bytes)
		return wrong(header, "a PROXY header is too short for its addresses");
	if (!added_is_whole(span_skip(body, bytes)))
		return wrong(header, "what is added to a PROXY header is cut off");
	take_addr(body, family == V2_INET ? 4 : 16, &header->client);
	return PROXY_HEADER_DONE;
}

static enum proxy_header_status
take_v2(struct span bytes, struct proxy_header *header)
{
	unsigned version, command;

	header->version = 2;
	if (bytes.len < V2_FIXED_BYTES)
		return PROXY_HEADER_MORE;
	version = (unsigned char)bytes.ptr[12] >> 4;
	command = (unsigned char)bytes.ptr[12] & 0xf;
	header->bytes = V2_FIXED_BYTES + number16(bytes.ptr + 14);
	if (version != 2 || command > 1)
		return wrong(header, "a PROXY header is of a version that does not exist");
	if (header->bytes > PROXY_HEADER_BYTES_MAX)
		return wrong(header, "a PROXY header is longer than 4096 bytes");
	if (bytes.len < header->bytes)
		return PROXY_HEADER_MORE;
	/* LOCAL: the proxy asks whether we live; what else it says is to be ignored. */
	if (command == 0)
		return PROXY_HEADER_DONE;
	return take_client(span_skip(span_first(bytes, header->bytes), V2_FIXED_BYTES),
	    (unsigned char)bytes.ptr[13], header);
}

/* Whether the bytes, as far as they go, are how the header begins. */
static bool
begins(struct span bytes, struct span start)
{
	size_t len = bytes.len < start.len ? bytes.len : start.len;

	return span_eq(span_first(bytes, len), span_first(start, len));
}

enum proxy_header_status
proxy_header_read(struct span bytes, struct proxy_header *header)
{
	*header = (struct proxy_header){0};
	if (begins(bytes, v1_start))
		return bytes.len < v1_start.len ? PROXY_HEADER_MORE : take_v1(bytes, header);
	if (begins(bytes, v2_start))
		return bytes.len < v2_start.len ? PROXY_HEADER_MORE : take_v2(bytes, header);
	return wrong(header, "the connection does not begin with a PROXY header");
}
