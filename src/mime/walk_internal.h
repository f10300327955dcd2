/* What the files of walk share. */
#pragma once

#include "mime/walk.h"

/* What a Content-Type field says. */
struct walk_type {
	enum walk_kind kind;
	const char *opaque; /* OPAQUE: which type */
	bool is_digest;     /* MULTIPART: its parts are messages unless they say otherwise */
	char boundary[WALK_BOUNDARY_BYTES_MAX];
	size_t boundary_len;
};

/* False where it cannot be told what is in the entity, or where its parts are. */
bool walk_read_type(struct span value, struct walk_type *type);
enum walk_encoding walk_read_encoding(struct span value);
