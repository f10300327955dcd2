/* Names come uncompressed: a compression pointer is an error here. */
#include "proc/resolver/rdata.h"

static bool
is_host_byte(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_';
}

enum err
rdata_mx(struct span rdata, uint16_t *preference, char exchange[RDATA_NAME_BYTES])
{
	size_t out = 0;

	if (rdata.len < 3)
		return ERR_SYNTAX;
	*preference = (uint16_t)((uint8_t)rdata.ptr[0] << 8 | (uint8_t)rdata.ptr[1]);
	rdata = span_skip(rdata, 2);
	for (;;) {
		size_t len;

		if (rdata.len == 0)
			return ERR_SYNTAX;
		len = (uint8_t)rdata.ptr[0];
		rdata = span_skip(rdata, 1);
		if (len == 0)
			break;
		if (len > 63 || len > rdata.len || out + len + 2 > RDATA_NAME_BYTES)
			return ERR_SYNTAX;
		if (out > 0)
			exchange[out++] = '.';
		for (size_t i = 0; i < len; i++) {
			if (!is_host_byte(rdata.ptr[i]))
				return ERR_SYNTAX;
			exchange[out++] = rdata.ptr[i];
		}
		rdata = span_skip(rdata, len);
	}
	exchange[out] = '\0';
	return rdata.len == 0 ? OK : ERR_SYNTAX;
}
