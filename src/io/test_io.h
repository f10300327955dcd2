/* What tests with a real loop share: one in the state of each case. */
#pragma once

#include "io/io_internal.h"

static inline int
setup(void **state)
{
	*state = io_create();
	return 0;
}

static inline int
teardown(void **state)
{
	io_destroy(*state);
	return 0;
}
