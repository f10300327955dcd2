/*
 * Trace and other header fields that a server adds (RFC 5321 section 4.4,
 * RFC 5322 section 3.6.7).  Pure: time is an argument.
 */
#pragma once

#include "base/net.h"

struct trace_received {
	struct span helo;        /* what the client said; any bytes, made safe here */
	struct net_addr client;
	bool hides_client;       /* neither helo, client nor tls is told */
	struct span by;          /* our host name */
	const char *protocol;    /* "ESMTPS": RFC 3848 */
	struct span tls;         /* "TLSv1.3 TLS_AES_256_GCM_SHA384" or "" */
	struct span id;          /* queue id */
	struct span for_address; /* the one recipient, or "" where there are several */
	uint64_t wall_ms;
};

/* Adds a folded Received field, CRLF included; lines of at most 998 octets. */
void trace_write_received(struct buf *out, const struct trace_received *received);
/* Adds "Return-Path: <reverse-path>" CRLF. */
void trace_write_return_path(struct buf *out, struct span reverse_path);
/* Adds "Tue, 24 Nov 2026 03:04:05 +0000". */
void trace_write_date(struct buf *out, uint64_t wall_ms);
