/* HTTP is outside of the simulation: no configuration of it listens for it. */
#include "proc/admin/admin_http.h"

bool
admin_http_start(struct proc_env *env)
{
	(void)env;
	return false;
}
