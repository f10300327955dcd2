/* A file of text as a whole, for the programs here that write tables. */
#pragma once

#include <stdio.h>

#include "base/arena.h"
#include "base/span.h"

/*
 * Gives its memory, for mem_free(), and the bytes in it; "" where it cannot be read, is empty or
 * not shorter than bytes_max.
 */
static inline char *
text_file_read(const char *path, size_t bytes_max, struct span *text)
{
	char *bytes = mem_alloc(bytes_max);
	FILE *file = fopen(path, "rb");

	*text = span_of(bytes, file ? fread(bytes, 1, bytes_max, file) : 0);
	if (!file || ferror(file) || text->len == bytes_max)
		text->len = 0;
	if (file)
		fclose(file);
	return bytes;
}
