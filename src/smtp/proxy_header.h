/*
 * The PROXY header, versions 1 and 2: what a load balancer says in front of a connection of who
 * its client is.
 *
 * What is read depends on the bytes alone, never on how they were cut into pieces: once an answer
 * is not MORE, further bytes don't change it.
 */
#pragma once

#include "base/net.h"

enum {
	PROXY_HEADER_V1_BYTES_MAX = 107, /* CR LF included */
	PROXY_HEADER_BYTES_MAX = 4096,   /* version 2, with all that is added to it */
};

enum proxy_header_status { PROXY_HEADER_MORE, PROXY_HEADER_DONE, PROXY_HEADER_WRONG };

struct proxy_header {
	size_t bytes; /* of it; what follows is the client's */
	unsigned version;
	struct net_addr client; /* family 0: the proxy speaks for itself, or does not know */
	const char *wrong;      /* WRONG: what is */
};

/* Reads the bytes from the start of a connection. */
enum proxy_header_status proxy_header_read(struct span bytes, struct proxy_header *header);
