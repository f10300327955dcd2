/* The end of a process that found itself in an impossible state. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void
check_failed(const char *expression, const char *file, int line, const char *function)
{
	char text[512];
	int len;

	len = snprintf(text, sizeof(text), "event=bug check=\"%s\" at=%s:%d in=%s\n",
	    expression, file, line, function);
	if (len > (int)sizeof(text) - 1)
		len = (int)sizeof(text) - 1;
	if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0)
		abort();
	abort();
}
