/* See queue_limits.h. */
#include "proc/queue/queue_limits.h"

#include "base/check.h"
#include "conf/conf_option.h"
#include "route/site.h"

struct span
queue_limits_name(struct span key)
{
	if (span_starts(key, SPAN("mx:")))
		return span_skip(key, 3);
	if (span_starts(key, SPAN("lmtp:/")))
		return SPAN("");
	if (span_starts(key, SPAN("host:")) || span_starts(key, SPAN("lmtp:")))
		key = span_skip(key, 5);
	else if (span_starts(key, SPAN("via:")))
		key = span_skip(key, 4);
	else
		return SPAN("");
	return span_first(key, span_find_last(key, ':'));
}

const struct conf_limits *
queue_limits_of(const struct conf *conf, struct span key)
{
	return route_limits(conf, queue_limits_name(key));
}

/* The words of the row in a destination's block, and in the queue's. */
static const struct {
	const char *destination, *queue;
} rows[IPC_WHY_COUNT] = {
    [IPC_WHY_TIME] = {"retry after", "retry after"},
    [IPC_WHY_DOWN] = {"retry after", "retry after"},
    [IPC_WHY_PROBE] = {"retry after", "retry after"},
    [IPC_WHY_WINDOW] = {"connections", "connections per destination"},
    [IPC_WHY_RATE] = {"rate", "rate per destination"},
};

static void
write_site(struct buf *out, const struct conf *conf, struct span name, enum ipc_why why)
{
	bool rate = why == IPC_WHY_SITE_RATE;
	struct route_site site;
	enum route_site_source source;
	struct conf_limits limits;

	route_site(conf, name, &site);
	source = rate ? site.rate_source : site.connections_source;
	switch (source) {
	case ROUTE_SITE_PROVIDER:
		check(conf_show_option(out, &site.block->limits,
		    conf_option_find("provider", rate ? "rate" : "connections")));
		buf_addf(out, ", in provider %.*s", SPAN_ARGS(name));
		return;
	case ROUTE_SITE_SHIPPED:
		limits = (struct conf_limits){.connections_max = site.connections_max,
		    .rate_count = site.rate.count,
		    .rate_period_ms = site.rate.period_ms};
		check(conf_show_option(out, &limits,
		    conf_option_find("provider", rate ? "rate" : "connections")));
		buf_add_str(out, ", of \"postrider providers\"");
		return;
	case ROUTE_SITE_QUEUE:
		/* Only its own words can have made it so. */
		if (rate)
			return;
		check(conf_show_option(
		    out, conf, conf_option_find("queue", "connections per mx host")));
		buf_add_str(out, ", in queue");
	}
}

/* How many of a program run at a time stands in the statement that has it. */
static void
write_processes(struct buf *out, const struct conf *conf, struct span key)
{
	const struct conf_pipe *pipe = conf->pipes;

	while (pipe && !span_eq(pipe->name, span_skip(key, span_find(key, ':') + 1)))
		pipe = pipe->next;
	if (pipe)
		buf_addf(out, "processes %llu, of program %.*s",
		    (unsigned long long)pipe->processes_max,
		    SPAN_ARGS(pipe->title.len > 0 ? pipe->title : pipe->name));
}

void
queue_limits_write(struct buf *out, const struct conf *conf, struct span key,
    struct span site, bool far, enum ipc_why why)
{
	const struct conf_destination *block =
	    route_destination(conf, queue_limits_name(key));
	const bool is_far = far && why == IPC_WHY_WINDOW;
	const struct conf_option *option;

	check(why < IPC_WHY_COUNT);
	if (why == IPC_WHY_HELD && conf->hold_all)
		buf_add_str(out, "hold all mail");
	if (why == IPC_WHY_SITE || why == IPC_WHY_SITE_RATE)
		write_site(out, conf, site, why);
	if (!rows[why].queue)
		return;
	if (why == IPC_WHY_WINDOW && span_starts(key, SPAN("pipe:"))) {
		write_processes(out, conf, key);
		return;
	}
	/* How many are written to Maildirs at a time is not configured. */
	if (why == IPC_WHY_WINDOW && queue_limits_name(key).len == 0)
		return;
	if (block)
		option = conf_option_find("destination",
		    is_far ? "far connections" : rows[why].destination);
	else
		option = conf_option_find("queue",
		    is_far ? "connections per far destination" : rows[why].queue);
	check(option != NULL);
	if (block)
		check(conf_show_option(out, &block->limits, option));
	else
		check(conf_show_option(out, conf, option));
	if (!block)
		buf_add_str(out, ", in queue");
	else
		buf_addf(out, ", in destination %.*s",
		    SPAN_ARGS(block->pattern.len ? block->pattern : SPAN("any")));
}
