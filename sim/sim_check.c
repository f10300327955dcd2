/* A check that fails ends the simulation, with the seed that shows it. */
#include "sim/sim_internal.h"

_Noreturn void
check_failed(const char *expression, const char *file, int line, const char *function)
{
	sim_fail(sim_current()->sim, "check(%s) at %s:%d in %s", expression, file, line, function);
}
