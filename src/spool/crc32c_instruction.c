/* CRC-32C by the instruction of SSE 4.2; on other processors there is none. */
#include "spool/crc32c.h"

#if defined(__x86_64__)

bool
crc32c_has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) uint32_t
crc32c_by_instruction(uint32_t crc, struct span bytes)
{
	const char *at = bytes.ptr;
	size_t left = bytes.len;
	uint64_t sum = ~crc;
	uint64_t word;

	for (; left >= 8; left -= 8, at += 8) {
		memcpy(&word, at, 8);
		sum = __builtin_ia32_crc32di(sum, word);
	}
	for (; left; left--, at++)
		sum = __builtin_ia32_crc32qi((uint32_t)sum, (unsigned char)*at);
	return ~(uint32_t)sum;
}

#else

bool
crc32c_has_instruction(void)
{
	return false;
}

uint32_t
crc32c_by_instruction(uint32_t crc, struct span bytes)
{
	return crc32c_by_table(crc, bytes);
}

#endif
