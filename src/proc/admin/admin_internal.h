/* What the files of admin share; nobody else includes it. */
#pragma once

#include <jansson.h>

#include "base/list.h"
#include "base/map.h"
#include "proc/admin/admin.h"

struct admin {
	struct proc_env *env;
	struct io_listener *listener;
	struct io_op accept;
	struct list clients;
	struct map queries;
	size_t client_count;
	uint64_t next_query;
	struct ipc_channel *queue;
};

struct client {
	struct list node;
	struct admin *admin;
	struct io_stream *stream;
	struct io_op read;
	struct buf line;
	uint64_t query; /* under way, or 0 */
};

/* Says, as the answer's last line, what is wrong. */
void admin_send_error(struct client *client, const char *text);

/*
 * admin_request.c: does what the object asks for, which is the caller's.  The client has an error
 * as its answer, or a query is under way and its answers come from the queue.
 */
void admin_request(struct client *client, json_t *request);
