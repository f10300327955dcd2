/* Listening sockets, opened with all rights and passed down to the roles. */
#pragma once

#include "conf/conf.h"

/* A listening TCP socket.  On an error *fd is -1. */
MUST_USE enum err listen_open(const struct net_addr *addr, int *fd);
/* A listening Unix socket of a mode (0600); what was left of an old one is removed. */
MUST_USE enum err listen_open_path(const char *path, unsigned mode, int *fd);
