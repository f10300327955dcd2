/* Any operations in any order: the scheduler does as the slow model does. */
#include "sched/test_model_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model model;

	model_run(&model, span_of((const char *)data, size));
	return 0;
}
