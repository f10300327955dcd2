/*
 * "postrider probe": walks the way to a destination as delivery would.  It is delivery that does:
 * the roles delivery, resolver and fetcher run in this process, by the server's configuration, and
 * this file plays the queue, with an attempt that has no message.  They keep nothing.
 */
#include "cli/cli_probe.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli.h"
#include "cli/cli_conf.h"
#include "ipc/extras.h"
#include "ipc/transcript.h"
#include "proc/delivery/delivery.h"
#include "proc/fetcher/fetcher.h"
#include "proc/proc_json.h"
#include "proc/resolver/resolver.h"
#include "route/limits.h"
#include "route/route.h"
#include "route/source.h"
#include "smtp/address.h"

static const char usage[] =
    "usage: postrider probe DOMAIN [--rcpt ADDRESS] [--from ADDRESS] [--timeout SECONDS]\n"
    "                              [--json]\n"
    "\n"
    "Walks the way to a destination as delivery would, by the server's configuration: the\n"
    "route, the DNS, what the domain demands of TLS (DANE, MTA-STS), a connection, the\n"
    "greeting, EHLO, STARTTLS, the certificate; then QUIT. Each step has its time in\n"
    "milliseconds. No message is sent, nothing is kept, and the server does not have to run.\n"
    "\n"
    "  --rcpt ADDRESS     also ask with MAIL FROM:<> and RCPT TO whether the address is taken\n"
    "  --from ADDRESS     by the routes of that sender's mail; without, of mail that has none\n"
    "  --timeout SECONDS  for one step (15); all of it takes at most 20 times that\n"
    "  --config FILE      the server's configuration\n"
    "  --json             one JSON document, for programs\n"
    "\n"
    "A password for a smart host is not asked for: where one is needed AUTH is left out.\n"
    "\n"
    "Exit codes: 0 mail would go, 1 it would wait, 2 it would be returned, 75 there was no end\n"
    "in time, 78 or 66 the configuration, 71 it could not be tried, 64 wrong use.\n";

enum {
	TIMEOUT_S = 15,
	TIMEOUT_S_MAX = 600,
	TIMEOUTS = 20,
	WOULD_WAIT = 1,
	WOULD_FAIL = 2,
	TRANSCRIPT_BYTES = 64 << 10,
	ATTEMPT = 1,
};

struct probe {
	struct conf *conf;
	struct conf_bundle *bundle;
	struct io *io;
	int null_fd;
	struct proc_env envs[PROC_COUNT];
	void *roles[PROC_COUNT];
	struct ipc_channel *delivery;
	struct io_timer timer;
	uint64_t step_ms;
	bool json, late, done, got_result;

	struct span domain, rcpt, from;
	const struct conf_route *route; /* NULL: by MX, without a statement */
	struct route_place place;       /* of that */
	enum conf_tls tls;

	enum ipc_outcome outcome;
	unsigned code;
	char status[20], remote[320], text[IPC_TEXT_MAX + 1], tls_text[IPC_TLS_MAX + 1];
	struct buf steps;
};

static const char *
tls_name(enum conf_tls tls)
{
	static const char *const names[CONF_TLS_COUNT] = {[CONF_TLS_MAY] = "may",
	    [CONF_TLS_REQUIRED] = "required",
	    [CONF_TLS_VERIFIED] = "verified",
	    [CONF_TLS_DANE] = "dane",
	    [CONF_TLS_IMPLICIT] = "implicit",
	    [CONF_TLS_NEVER] = "never"};

	return names[tls];
}

static void
copy(char *into, size_t room, struct span text)
{
	snprintf(into, room, "%.*s", (int)(text.len < room ? text.len : room - 1), text.ptr);
	/* Others said it, and it goes to a terminal. */
	for (char *c = into; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

static void
take_result(struct probe *probe, const struct ipc_dq_result *result)
{
	probe->got_result = true;
	probe->outcome = (enum ipc_outcome)result->outcome;
	probe->code = result->code;
	copy(probe->status, sizeof(probe->status), result->status);
	copy(probe->remote, sizeof(probe->remote), result->remote);
	copy(probe->text, sizeof(probe->text), result->text);
	copy(probe->tls_text, sizeof(probe->tls_text), result->tls);
}

static enum err
receive(void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct probe *probe = owner;
	struct ipc_dq_transcript transcript;
	struct ipc_dq_result result;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	if (type == IPC_dq_RESULT && ipc_dq_result_decode(payload, &result) == OK) {
		take_result(probe, &result);
	} else if (type == IPC_dq_TRANSCRIPT &&
	    ipc_dq_transcript_decode(payload, &transcript) == OK) {
		buf_reset(&probe->steps);
		buf_add(&probe->steps, transcript.steps);
	} else if (type == IPC_dq_DONE) {
		probe->done = true;
		io_stop(probe->io);
	}
	return OK;
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct probe *probe = owner;

	(void)channel;
	(void)err;
	io_stop(probe->io);
}

static void
time_is_over(struct io_timer *timer)
{
	struct probe *probe = timer->owner;

	probe->late = true;
	io_stop(probe->io);
}

static bool
make_role(struct probe *probe, enum proc proc, const struct proc_role *role)
{
	struct proc_env *env = &probe->envs[proc];

	*env = (struct proc_env){.io = probe->io, .conf = probe->conf, .looks_only = true};
	env->log = (struct event_log){probe->io, proc_def(proc)->name, probe->conf->log_format};
	probe->roles[proc] = role->create(env);
	return probe->roles[proc] && (!role->start || role->start(probe->roles[proc]));
}

/* The two ends of a link, each to its role; PROC_QUEUE is us. */
static bool
link_roles(struct probe *probe, enum proc a, enum proc b)
{
	const struct ipc_handlers handlers = {probe, receive, closed};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return false;
	if (a == PROC_QUEUE)
		probe->delivery =
		    ipc_channel_create(io_stream_open(probe->io, pair[0]), &handlers);
	else
		proc_def(a)->role->link(probe->roles[a], b, 0, PROC_LINK_FRAMES,
		    io_stream_open(probe->io, pair[0]));
	proc_def(b)->role->link(
	    probe->roles[b], a, 0, PROC_LINK_FRAMES, io_stream_open(probe->io, pair[1]));
	return true;
}

static bool
make_roles(struct probe *probe)
{
	/* What they would log is in the transcript. */
	probe->null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (probe->null_fd < 0)
		return false;
	io_log_to(probe->io, probe->null_fd, false);
	return make_role(probe, PROC_RESOLVER, &resolver_role) &&
	    make_role(probe, PROC_FETCHER, &fetcher_role) &&
	    make_role(probe, PROC_DELIVERY, &delivery_role) &&
	    link_roles(probe, PROC_FETCHER, PROC_RESOLVER) &&
	    link_roles(probe, PROC_DELIVERY, PROC_RESOLVER) &&
	    link_roles(probe, PROC_DELIVERY, PROC_FETCHER) &&
	    link_roles(probe, PROC_QUEUE, PROC_DELIVERY);
}

/* As the queue chooses it. */
static void
choose_route(struct probe *probe)
{
	const struct conf *conf = probe->conf;
	struct span to = probe->domain;
	char address[IPC_DOMAIN_MAX + 2];

	/* The domain alone is as an address for which there is no statement of its own. */
	snprintf(address, sizeof(address), "@%.*s", SPAN_ARGS(probe->domain));
	probe->route = route_find_place(conf, probe->from,
	    probe->rcpt.len > 0 ? probe->rcpt : span_str(address), &probe->place);
	probe->tls = probe->route ? probe->route->tls : CONF_TLS_MAY;
	if (probe->route && probe->route->host.len > 0)
		to = probe->route->host;
	/* LMTP stays in the house. */
	if (probe->tls == CONF_TLS_MAY &&
	    !(probe->route && probe->route->kind == CONF_ROUTE_LMTP))
		probe->tls = (enum conf_tls)route_limits(conf, to)->tls;
}

/* As for mail without a pool, from nobody in particular; addrs are left to be freed. */
static void
write_sources(const struct probe *probe, struct ipc_qd_attempt *order, struct buf addrs[2])
{
	struct span *const names[] = {&order->source4, &order->source6};
	struct span *const helos[] = {&order->helo4, &order->helo6};

	for (size_t i = 0; i < LEN(names); i++) {
		struct route_source_asked asked = {.family = i == 0 ? 4 : 6};
		const struct conf_source *source;

		io_random(probe->io, &asked.chance, sizeof(asked.chance));
		buf_init(&addrs[i], IPC_SOURCE_MAX);
		if (route_source(probe->conf, &asked, &source) != ROUTE_SOURCE_THIS)
			continue;
		net_addr_write(&addrs[i], &source->addr);
		*names[i] = buf_span(&addrs[i]);
		*helos[i] = source->helo;
	}
}

static void
send_order(struct probe *probe)
{
	struct ipc_qd_attempt order = {
	    .attempt = ATTEMPT,
	    .domain = probe->domain,
	    .tls = (uint8_t)probe->tls,
	    .flags = IPC_MESSAGE_PROBE,
	    .rcpt_count = 1,
	};
	const struct ipc_qd_rcpt rcpt = {.attempt = ATTEMPT, .address = probe->rcpt};
	const struct ipc_qd_body body = {.attempt = ATTEMPT};
	struct buf addrs[2];

	if (probe->route) {
		order.lmtp = probe->route->kind == CONF_ROUTE_LMTP;
		order.host = probe->route->host;
		order.port = probe->route->port;
	}
	write_sources(probe, &order, addrs);
	ipc_qd_attempt_send(probe->delivery, &order);
	for (size_t i = 0; i < LEN(addrs); i++)
		buf_fini(&addrs[i]);
	ipc_qd_rcpt_send(probe->delivery, &rcpt);
	ipc_qd_body_send(probe->delivery, &body);
}

static int
walk(struct probe *probe)
{
	probe->io = io_create();
	if (!make_roles(probe)) {
		fprintf(stderr, "postrider: the DNS or TLS of this machine cannot be used\n");
		return EX_OSERR;
	}
	probe->timer = (struct io_timer){.fired = time_is_over, .owner = probe};
	io_timer_start(probe->io, &probe->timer, TIMEOUTS * probe->step_ms);
	send_order(probe);
	while (!probe->done && !probe->late)
		io_run(probe->io);
	return probe->done && probe->got_result ? EX_OK : EX_TEMPFAIL;
}

static void
print_route(const struct probe *probe)
{
	const struct conf_route *route = probe->route;

	printf("route: ");
	if (route && route->host.len > 0)
		printf("%s %.*s", route->kind == CONF_ROUTE_LMTP ? "by LMTP to" : "through",
		    SPAN_ARGS(route->host));
	else
		printf("by MX");
	printf("%s, TLS mode %s\n", route ? "" : " (no \"send mail\" statement fits)",
	    tls_name(probe->tls));
	if (route)
		printf("       chosen by %.*s:%u\n", SPAN_ARGS(probe->place.file),
		    probe->place.line);
	if (route && route->credential.len > 0)
		printf("       without the password of \"%.*s\", which only the server has\n",
		    SPAN_ARGS(route->credential));
}

static void
print_text(const struct probe *probe)
{
	static const char marks[] = {[TRANSCRIPT_FACT] = ' ', [TRANSCRIPT_SENT] = '>',
	    [TRANSCRIPT_GOT] = '<', [TRANSCRIPT_GAP] = ' '};
	struct reader reader = reader_init(buf_span(&probe->steps));
	struct transcript_step step;

	print_route(probe);
	while (transcript_next(&reader, &step))
		printf("%7llu %c %.*s\n", (unsigned long long)step.ms, marks[step.kind],
		    SPAN_ARGS(step.text));
	if (!probe->got_result)
		printf("result: there was no end in time\n");
	else if (probe->outcome == IPC_DELIVERED)
		printf("result: mail would go to %s, %s%s\n", probe->remote,
		    *probe->tls_text ? "over " : "in the clear", probe->tls_text);
	else
		printf("result: mail would %s: %s%s%s\n",
		    probe->outcome == IPC_FAILED ? "be returned to its sender" : "wait",
		    probe->status, *probe->status ? " " : "", probe->text);
}

static json_t *
json_steps(const struct probe *probe)
{
	static const char *const kinds[] = {[TRANSCRIPT_FACT] = "fact", [TRANSCRIPT_SENT] = "sent",
	    [TRANSCRIPT_GOT] = "got", [TRANSCRIPT_GAP] = "gap"};
	struct reader reader = reader_init(buf_span(&probe->steps));
	struct transcript_step step;
	json_t *steps = json_array();

	while (transcript_next(&reader, &step))
		json_array_append_new(steps, json_pack("{s:I, s:s, s:o}", "ms",
		    (json_int_t)step.ms, "kind", kinds[step.kind], "text",
		    proc_json_text(step.text)));
	return steps;
}

static void
print_json(const struct probe *probe)
{
	static const char *const results[] = {[IPC_DELIVERED] = "goes", [IPC_DEFERRED] = "waits",
	    [IPC_FAILED] = "is returned", [IPC_UNSENT] = "waits", [IPC_SUSPENDED] = "waits"};
	const struct conf_route *route = probe->route;
	json_t *root = json_object();

	json_object_set_new(root, "domain", proc_json_text(probe->domain));
	json_object_set_new(root, "route",
	    route && route->host.len > 0 ? proc_json_text(route->host) : json_null());
	json_object_set_new(root, "route_file",
	    route ? proc_json_text(probe->place.file) : json_null());
	json_object_set_new(root, "route_line",
	    route ? json_integer(probe->place.line) : json_null());
	json_object_set_new(root, "tls_mode", json_string(tls_name(probe->tls)));
	json_object_set_new(root, "steps", json_steps(probe));
	json_object_set_new(root, "result",
	    probe->got_result ? json_string(results[probe->outcome]) : json_null());
	json_object_set_new(root, "remote", proc_json_text(span_str(probe->remote)));
	json_object_set_new(root, "tls", proc_json_text(span_str(probe->tls_text)));
	json_object_set_new(root, "code", json_integer(probe->code));
	json_object_set_new(root, "status", proc_json_text(span_str(probe->status)));
	json_object_set_new(root, "text", proc_json_text(span_str(probe->text)));
	(void)json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
}

/* False: a statement discards or refuses such mail, or hands it to a program. */
static bool
leads_somewhere(const struct probe *probe)
{
	const struct conf_route *route = probe->route;

	if (!route || route->kind < CONF_ROUTE_PIPE)
		return true;
	if (route->kind == CONF_ROUTE_PIPE) {
		fprintf(stderr,
		    "postrider: mail for %.*s goes to no server, but to the program %.*s, which "
		    "runs as %.*s\n",
		    SPAN_ARGS(probe->domain), SPAN_ARGS(route->pipe->words[0]),
		    SPAN_ARGS(route->pipe->user));
		return false;
	}
	fprintf(stderr, "postrider: mail for %.*s goes nowhere: %.*s:%u %s it\n",
	    SPAN_ARGS(probe->domain), SPAN_ARGS(probe->place.file), probe->place.line,
	    route->kind == CONF_ROUTE_DISCARD ? "discards" : "refuses");
	return false;
}

static int
take_conf(struct probe *probe, const char *path)
{
	int status =
	    cli_conf_load(path, "says where mail goes", "", &probe->bundle, &probe->conf);

	if (status != EX_OK)
		return status;
	probe->conf->transcripts_max = 1;
	probe->conf->transcript_bytes_max = IPC_TRANSCRIPT_MAX;
	if (probe->conf->connect_timeout_ms > probe->step_ms)
		probe->conf->connect_timeout_ms = probe->step_ms;
	if (probe->conf->reply_timeout_ms > probe->step_ms)
		probe->conf->reply_timeout_ms = probe->step_ms;
	return EX_OK;
}

static int
parse(struct probe *probe, int words, char **argv, const char *rcpt, const char *timeout)
{
	uint64_t seconds = TIMEOUT_S;

	if (words > 1 || (words == 0 && !rcpt))
		return cli_wrong_use(usage, "which domain?");
	probe->rcpt = span_str(rcpt);
	probe->domain = words == 1 ? span_str(argv[1]) : probe->rcpt;
	if (span_find(probe->domain, '@') < probe->domain.len)
		probe->domain = span_skip(probe->domain, span_find_last(probe->domain, '@') + 1);
	if (probe->domain.len > IPC_DOMAIN_MAX || probe->rcpt.len > IPC_PATH_MAX ||
	    (probe->domain.len > 0 && probe->domain.ptr[0] != '[' &&
		!address_domain_is_valid(probe->domain, true)))
		return cli_wrong_use(usage, "\"%s\" is no domain",
		    cli_quote(words == 1 ? argv[1] : rcpt).text);
	if (rcpt && span_find(probe->rcpt, '@') >= probe->rcpt.len)
		return cli_wrong_use(usage, "\"%s\" is no address", cli_quote(rcpt).text);
	if (probe->from.len > IPC_PATH_MAX ||
	    (probe->from.len > 0 && span_find(probe->from, '@') >= probe->from.len))
		return cli_wrong_use(usage, "--from is an address");
	if (timeout && (!span_u64(span_str(timeout), TIMEOUT_S_MAX, &seconds) || seconds == 0))
		return cli_wrong_use(usage, "--timeout is 1 to %d seconds", TIMEOUT_S_MAX);
	probe->step_ms = seconds * 1000;
	return EX_OK;
}

int
cli_probe(int argc, char **argv)
{
	const char *conf_path = NULL, *rcpt = NULL, *from = NULL, *timeout = NULL;
	struct probe *probe = mem_alloc(sizeof(*probe));
	bool help = false;
	const struct cli_option options[] = {{"--json", &probe->json, NULL},
	    {"--help", &help, NULL}, {"--config", NULL, &conf_path}, {"--rcpt", NULL, &rcpt},
	    {"--from", NULL, &from}, {"--timeout", NULL, &timeout}};
	int words = cli_options(argc, argv, options, LEN(options), usage);
	int status = words < 0 ? EX_USAGE : EX_OK;

	if (help && status == EX_OK) {
		fputs(usage, stdout);
		mem_free(probe);
		return EX_OK;
	}
	buf_init(&probe->steps, TRANSCRIPT_BYTES);
	probe->from = span_str(from);
	if (status == EX_OK)
		status = parse(probe, words, argv, rcpt, timeout);
	if (status == EX_OK)
		status = take_conf(probe, conf_path);
	if (status == EX_OK) {
		choose_route(probe);
		status = leads_somewhere(probe) ? walk(probe) : WOULD_FAIL;
	}
	if (probe->delivery && probe->json)
		print_json(probe);
	else if (probe->delivery)
		print_text(probe);
	if (status == EX_OK && probe->outcome != IPC_DELIVERED)
		status = probe->outcome == IPC_DEFERRED ? WOULD_WAIT : WOULD_FAIL;
	/* What the roles have ends with the process, as it does in the server. */
	_exit(probe->delivery ? cli_finish(status) : status);
}
