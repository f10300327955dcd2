/*
 * IP addresses and networks as values: parsed, printed and compared without
 * a system call.  IPv4 is kept as itself; an IPv4-mapped IPv6 address is
 * turned into the IPv4 address that it stands for.
 */
#pragma once

#include "base/buf.h"

enum { NET_TEXT_MAX = 64 };

struct net_addr {
	uint8_t family; /* 4, 6, or 0: none */
	uint8_t bytes[16];
	uint16_t port; /* host byte order */
};

struct net_prefix {
	struct net_addr addr;
	uint8_t bits;
};

/* "192.0.2.1" or "2001:db8::1", without brackets; port is left 0. */
MUST_USE enum err net_addr_parse(struct span text, struct net_addr *addr);
/* "192.0.2.0/24", "2001:db8::/32", or a bare address.  Bits past the prefix must be zero. */
MUST_USE enum err net_prefix_parse(struct span text, struct net_prefix *prefix);
bool net_prefix_has(const struct net_prefix *prefix, const struct net_addr *addr);
/* Adds "192.0.2.1" or "2001:db8::1". */
void net_addr_write(struct buf *out, const struct net_addr *addr);
/* Adds the RFC 5321 address literal: "[192.0.2.1]" or "[IPv6:2001:db8::1]". */
void net_addr_write_literal(struct buf *out, const struct net_addr *addr);
/* 127.0.0.0/8 and ::1. */
bool net_addr_is_loopback(const struct net_addr *addr);
bool net_addr_same_host(const struct net_addr *a, const struct net_addr *b);
