/*
 * The table of the protocol as a page for people: docs/smtp-states.md, and what
 * "postrider protocol" prints.
 */
#pragma once

#include "base/buf.h"

enum { SMTP_SERVER_PAGE_BYTES_MAX = 128 << 10 };

void smtp_server_page_write(struct buf *out, bool markdown);
