/*
 * XCLIENT: a trusted proxy says for whom it speaks (NAME=, ADDR=, PORT=, HELO=, LOGIN=, ...).
 */
#pragma once

#include "base/net.h"

/* What EHLO says of it. */
#define SMTP_XCLIENT_ATTRIBUTES "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"

enum { SMTP_XCLIENT_LOGIN_BYTES_MAX = 255 };

struct smtp_xclient {
	bool has_addr, has_port; /* addr is set; its port is */
	struct net_addr addr;
	bool has_login; /* LOGIN: "" where the client is nobody */
	size_t login_bytes;
	char login[SMTP_XCLIENT_LOGIN_BYTES_MAX];
};

/* args are what stands behind "XCLIENT "; false where they are wrong. */
bool smtp_xclient_read(struct span args, struct smtp_xclient *xclient);
