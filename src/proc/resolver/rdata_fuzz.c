/* Any bytes as an MX record: taken apart or refused. */
#include <stdlib.h>

#include "proc/resolver/rdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char exchange[RDATA_NAME_BYTES];
	uint16_t preference;

	if (rdata_mx(span_of((const char *)data, size), &preference, exchange) == OK &&
	    strlen(exchange) >= RDATA_NAME_BYTES)
		abort();
	return 0;
}
