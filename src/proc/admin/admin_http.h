/* The web reference over HTTP, on the sockets that admin was born with. */
#pragma once

#include "proc/proc.h"

/* Begins to serve, with all rights still there; false: it cannot, and has said why in the log. */
bool admin_http_start(struct proc_env *env);
