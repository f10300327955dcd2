/*
 * The log: one line for each event, key=value (logfmt) or JSON.  Values may
 * come from the network; they are escaped here and nowhere else.
 */
#pragma once

#include "conf/conf.h"
#include "io/io.h"

enum { EVENT_LINE_BYTES_MAX = 3500 };

/* Where a role's events go. */
struct event_log {
	struct io *io;
	const char *role;
	enum conf_log_format format;
};

/* A line being made; on the caller's stack. */
struct event {
	const struct event_log *log;
	struct buf line;
};

/* Starts a line: time, role, event. */
void event_begin(struct event *event, const struct event_log *log, const char *name);
void event_str(struct event *event, const char *key, const char *value);
void event_span(struct event *event, const char *key, struct span value);
void event_u64(struct event *event, const char *key, uint64_t value);
/* A queue id, key "id"; a session number, key "session"; an address, key "client". */
void event_id(struct event *event, uint64_t id);
void event_addr(struct event *event, const char *key, const struct net_addr *addr);
void event_err(struct event *event, enum err err);
/* Gives the line to the log. */
void event_end(struct event *event);
/* A line with one text: event_note(log, "config_refused", text). */
void event_note(const struct event_log *log, const char *name, const char *text);
