/* What the files of dsn_read share: MIME and fields in dsn_read.c, texts in dsn_read_text.c. */
#pragma once

#include "mime/dsn_read.h"

enum dsn_read_encoding { DSN_READ_PLAIN, DSN_READ_BASE64, DSN_READ_QUOTED };

/* Adds a body decoded; what is no such encoding is passed over. CRs go. */
void dsn_read_decode(struct buf *out, struct span body, enum dsn_read_encoding encoding);
/* Adds the text of HTML: without tags, the commonest entities resolved. */
void dsn_read_strip_html(struct buf *out, struct span html);

/* One more recipient, zeroed; NULL where there are too many. */
struct dsn_read_rcpt *dsn_read_add(struct dsn_read *read);
/* A copy that lives as long as the reader: words in one line, at most bytes_max. */
struct span dsn_read_keep(struct dsn_read *read, struct span text, size_t bytes_max);
/* An address without what stands around it; "" where it has no "@". */
struct span dsn_read_address(struct dsn_read *read, struct span text);

/* Finds who wrote the text, and its recipients where the fields had none. */
void dsn_read_text(struct dsn_read *read);
