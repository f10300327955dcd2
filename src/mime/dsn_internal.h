/* The two halves of a notification, shared by dsn*.c and nobody else. */
#pragma once

#include "mime/dsn.h"

enum { DSN_STATUS_BYTES_MAX = 10 };

/* A recipient's enhanced status, "5.1.1": as given where it is one, else made from the code. */
struct dsn_status {
	char text[DSN_STATUS_BYTES_MAX + 1];
};
struct dsn_status dsn_status_of(const struct dsn_recipient *recipient);

/* dsn_text.c: the part for people, quoted-printable, without its MIME header. */
void dsn_write_text(struct buf *out, const struct dsn *dsn);
/* Takes one UTF-8 character off text; false, a byte and U+FFFD for what is none. */
bool dsn_cut_character(struct span *text, uint32_t *character);
