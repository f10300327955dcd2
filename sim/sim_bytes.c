/* Bytes that are added at the end and taken from the front. */
#include "sim/sim_internal.h"

void
sim_bytes_add(struct sim *sim, struct sim_bytes *bytes, struct span span)
{
	if (span.len == 0)
		return;
	if (bytes->start > 0 && bytes->start + bytes->len + span.len > bytes->room) {
		memmove(bytes->ptr, bytes->ptr + bytes->start, bytes->len);
		bytes->start = 0;
	}
	if (bytes->len + span.len > bytes->room) {
		bytes->room = 2 * (bytes->len + span.len) + 64;
		bytes->ptr = sim_grow(sim, bytes->ptr, bytes->room);
	}
	memcpy(bytes->ptr + bytes->start + bytes->len, span.ptr, span.len);
	bytes->len += span.len;
}

void
sim_bytes_take(struct sim_bytes *bytes, size_t count)
{
	check(count <= bytes->len);
	bytes->start += count;
	bytes->len -= count;
	if (bytes->len == 0)
		bytes->start = 0;
}

void
sim_bytes_free(struct sim_bytes *bytes)
{
	sim_free(bytes->ptr);
	*bytes = (struct sim_bytes){0};
}
