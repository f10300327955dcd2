/* inet_pton and inet_ntop do the parsing; they touch nothing outside. */
#include "base/net.h"

#include <arpa/inet.h>

static void
unmap(struct net_addr *addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (addr->family != 6 || memcmp(addr->bytes, mapped, sizeof(mapped)) != 0)
		return;
	addr->family = 4;
	memmove(addr->bytes, addr->bytes + 12, 4);
	memset(addr->bytes + 4, 0, 12);
}

enum err
net_addr_parse(struct span text, struct net_addr *addr)
{
	char string[NET_TEXT_MAX];

	*addr = (struct net_addr){0};
	if (text.len == 0 || text.len >= sizeof(string) ||
	    memchr(text.ptr, '\0', text.len) != NULL)
		return ERR_SYNTAX;
	memcpy(string, text.ptr, text.len);
	string[text.len] = '\0';
	if (inet_pton(AF_INET, string, addr->bytes) == 1)
		addr->family = 4;
	else if (inet_pton(AF_INET6, string, addr->bytes) == 1)
		addr->family = 6;
	else
		return ERR_SYNTAX;
	unmap(addr);
	return OK;
}

enum err
net_prefix_parse(struct span text, struct net_prefix *prefix)
{
	size_t slash = span_find(text, '/');
	uint64_t bits;
	uint64_t bits_max;
	enum err err;

	*prefix = (struct net_prefix){0};
	err = net_addr_parse(span_first(text, slash), &prefix->addr);
	if (err)
		return err;
	bits = bits_max = prefix->addr.family == 4 ? 32 : 128;
	if (slash < text.len && !span_u64(span_skip(text, slash + 1), bits_max, &bits))
		return ERR_SYNTAX;
	prefix->bits = (uint8_t)bits;
	for (size_t bit = bits; bit < bits_max; bit++)
		if (prefix->addr.bytes[bit / 8] & 0x80 >> bit % 8)
			return ERR_SYNTAX;
	return OK;
}

bool
net_prefix_has(const struct net_prefix *prefix, const struct net_addr *addr)
{
	size_t whole = prefix->bits / 8;
	unsigned rest = prefix->bits % 8;

	if (prefix->addr.family != addr->family ||
	    memcmp(prefix->addr.bytes, addr->bytes, whole) != 0)
		return false;
	return rest == 0 ||
	    (prefix->addr.bytes[whole] ^ addr->bytes[whole]) >> (8 - rest) == 0;
}

void
net_addr_write(struct buf *out, const struct net_addr *addr)
{
	char string[INET6_ADDRSTRLEN];

	if (addr->family == 0) {
		buf_add_str(out, "unknown");
		return;
	}
	if (inet_ntop(addr->family == 4 ? AF_INET : AF_INET6, addr->bytes, string,
	        sizeof(string)) != NULL)
		buf_add_str(out, string);
}

void
net_addr_write_literal(struct buf *out, const struct net_addr *addr)
{
	buf_add_str(out, addr->family == 6 ? "[IPv6:" : "[");
	net_addr_write(out, addr);
	buf_add_char(out, ']');
}

bool
net_addr_is_loopback(const struct net_addr *addr)
{
	static const uint8_t one[16] = {[15] = 1};

	if (addr->family == 4)
		return addr->bytes[0] == 127;
	return addr->family == 6 && memcmp(addr->bytes, one, sizeof(one)) == 0;
}

bool
net_addr_same_host(const struct net_addr *a, const struct net_addr *b)
{
	return a->family == b->family &&
	    memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}
