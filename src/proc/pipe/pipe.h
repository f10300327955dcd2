/* The pipe role; see README.md beside this file. */
#pragma once

#include "proc/proc.h"

extern const struct proc_role pipe_role;
