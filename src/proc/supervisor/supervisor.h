/* The supervisor: starts the roles, wires them, starts them again when they die. */
#pragma once

#include "proc/proc.h"

/*
 * Serves until told to stop (SIGINT, SIGTERM).  program is the path to re-execute for the roles.
 * Gives an exit status of <sysexits.h>; what is wrong is said on standard error or in the log.
 */
int supervisor_serve(const char *program, const char *conf_path);
