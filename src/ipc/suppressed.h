/*
 * What reception knows of addresses that do not exist: a number for each, made of the domain of
 * senders ("*": all) and the address.  It says that the queue is to be asked, and no more.  Pure.
 */
#pragma once

#include "base/span.h"

/* The same in every process; letters' case makes no difference. */
uint64_t ipc_suppressed_hash(struct span sender, struct span address);
