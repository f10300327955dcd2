/* CRC-32C by tables, and the choice between the two ways. */
#include "spool/crc32c.h"

#include "spool/crc32c_table.h"

static uint32_t
step(uint32_t crc, uint8_t byte)
{
	return crc32c_table[0][(crc ^ byte) & 0xff] ^ crc >> 8;
}

static uint32_t
step_eight(uint32_t crc, const uint8_t *at)
{
	crc ^= (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
	return crc32c_table[7][crc & 0xff] ^ crc32c_table[6][crc >> 8 & 0xff] ^
	       crc32c_table[5][crc >> 16 & 0xff] ^ crc32c_table[4][crc >> 24] ^
	       crc32c_table[3][at[4]] ^ crc32c_table[2][at[5]] ^ crc32c_table[1][at[6]] ^
	       crc32c_table[0][at[7]];
}

uint32_t
crc32c_by_table(uint32_t crc, struct span bytes)
{
	const uint8_t *at = (const uint8_t *)bytes.ptr;
	size_t left = bytes.len;

	crc = ~crc;
	for (; left >= 8; left -= 8, at += 8)
		crc = step_eight(crc, at);
	for (; left; left--, at++)
		crc = step(crc, *at);
	return ~crc;
}

uint32_t
crc32c(uint32_t crc, struct span bytes)
{
	if (crc32c_has_instruction())
		return crc32c_by_instruction(crc, bytes);
	return crc32c_by_table(crc, bytes);
}
