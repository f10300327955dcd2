/* What the parser fills and the lookups read.  Nobody outside this folder includes it. */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "table/table.h"

struct table {
	struct arena memory;
	char *text; /* keys and values, one after the other */
	size_t text_bytes, text_room;
	struct table_entry *entries;
	size_t entry_count, entry_room;
	struct map by_key;
	bool secret;
};

/* An empty table with room for so much, and no more. */
struct table *table_create(size_t text_bytes, size_t entry_count);
