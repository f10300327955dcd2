/*
 * One attempt: where to go, in which order, and what is told to the queue at the end.
 * Every recipient of it gets exactly one result.
 */
#include "proc/delivery/delivery_internal.h"

#include <idn2.h>
#include <stdio.h>

#include "base/check.h"
#include "base/sim_point.h"

enum { ATTEMPT_BYTES_MAX = 8 << 20 };

struct attempt *
attempt_create(struct delivery *delivery, const struct ipc_qd_attempt *order)
{
	struct attempt *attempt = mem_alloc(sizeof(*attempt));

	attempt->delivery = delivery;
	attempt->number = order->attempt;
	attempt->id = order->id;
	attempt->lmtp = order->lmtp;
	attempt->port = order->port;
	attempt->tls_mode =
	    order->tls < CONF_TLS_COUNT ? (enum conf_tls)order->tls : CONF_TLS_MAY;
	attempt->body_bytes = order->body_bytes;
	attempt->flags = order->flags;
	attempt->messages_max = order->messages_max;
	attempt->site = order->site;
	attempt->connections_max = order->connections_max;
	/* The queue is believed; what is read here was read there. */
	check(ipc_extras_read(order->extras, &attempt->extras) == OK);
	attempt->quickest_ms = UINT64_MAX;
	attempt->rcpt_room = order->rcpt_count;
	arena_init(&attempt->arena, ATTEMPT_BYTES_MAX);
	check(arena_copy(&attempt->arena, order->domain, &attempt->domain) &&
	      arena_copy(&attempt->arena, order->host, &attempt->host) &&
	      arena_copy(&attempt->arena, order->credential, &attempt->credential) &&
	      arena_copy(&attempt->arena, attempt->extras.envid, &attempt->extras.envid) &&
	      arena_copy(&attempt->arena, order->reverse_path, &attempt->reverse_path));
	attempt->rcpts = mem_alloc(order->rcpt_count * sizeof(*attempt->rcpts));
	buf_init(&attempt->body, DELIVERY_BODY_KEPT_MAX + IPC_BODY_BYTES_MAX);
	buf_init(&attempt->tls_text, IPC_TLS_MAX);
	buf_init(&attempt->failure.text, IPC_TEXT_MAX);
	buf_init(&attempt->failure.remote, 300);
	attempt_take_sources(attempt, order);
	recorder_begin(attempt);
	list_push(&delivery->attempts, &attempt->node);
	map_set_u64(&delivery->attempt_map, attempt->number, attempt);
	return attempt;
}

void
attempt_free(struct attempt *attempt)
{
	list_remove(&attempt->node);
	check(attempt->state == ATTEMPT_OVER && !attempt->talk);
	if (attempt->password.len)
		mem_wipe((char *)(uintptr_t)attempt->password.ptr, attempt->password.len);
	arena_fini(&attempt->arena);
	mem_free(attempt->rcpts);
	attempt_convert_free(attempt);
	buf_fini(&attempt->body);
	buf_fini(&attempt->tls_text);
	recorder_end(attempt);
	buf_fini(&attempt->failure.text);
	buf_fini(&attempt->failure.remote);
	mem_free(attempt);
}

bool
attempt_wants_tls(const struct attempt *attempt)
{
	/* It is about the way from server to server (RFC 8689). */
	return attempt->flags & IPC_MESSAGE_REQUIRETLS && !attempt->lmtp;
}

void
attempt_event_begin(struct attempt *attempt, struct event *event, const char *name)
{
	event_begin(event, &attempt->delivery->env->log, name);
	event_id(event, attempt->id);
	if (attempt->addr_index < attempt->addr_count) {
		event_span(event, "host", attempt->addrs[attempt->addr_index].host);
		if (attempt->addrs[attempt->addr_index].addr.family)
			event_addr(event, "address", &attempt->addrs[attempt->addr_index].addr);
	}
}

void
attempt_write_remote(const struct attempt *attempt, struct buf *out)
{
	const struct attempt_addr *addr = &attempt->addrs[attempt->addr_index];

	buf_reset(out);
	if (attempt->addr_index >= attempt->addr_count)
		return;
	buf_add(out, span_first(addr->host, IPC_DOMAIN_MAX - 60));
	if (!addr->addr.family)
		return;
	buf_add_str(out, "[");
	net_addr_write(out, &addr->addr);
	buf_add_str(out, "]");
}

void
attempt_fail(struct attempt *attempt, enum ipc_outcome outcome, unsigned code,
    const char *status, const char *text)
{
	struct attempt_failure *failure = &attempt->failure;

	attempt->troubled = true;
	if (text[0])
		recorder_fact(attempt, "failed: ", span_str(text));
	failure->outcome = outcome;
	failure->code = code;
	attempt->answered |= outcome != IPC_DEFERRED || code > 0 ||
	    !span_starts(span_str(status), SPAN("4.4."));
	snprintf(failure->status, sizeof(failure->status), "%s", status);
	buf_reset(&failure->text);
	buf_add_str(&failure->text, text);
	attempt_write_remote(attempt, &failure->remote);
}

void
attempt_fail_as(struct attempt *attempt, const struct attempt *other)
{
	const struct attempt_failure *failure = &other->failure;

	attempt_fail(attempt, failure->outcome, failure->code, failure->status, "");
	buf_add(&attempt->failure.text, buf_span(&failure->text));
	recorder_fact(attempt, "failed, as another attempt to the same server: ",
	    buf_span(&failure->text));
	attempt->failure.host_level = failure->host_level;
	attempt->failure.down = failure->down;
}

void
attempt_write_status(
    char status[ATTEMPT_STATUS_BYTES], const struct smtp_client_reply *reply)
{
	status[0] = '\0';
	if (reply->status[0])
		snprintf(status, ATTEMPT_STATUS_BYTES, "%u.%u.%u", reply->status[0],
		    reply->status[1], reply->status[2]);
}

void
attempt_tell(struct attempt *attempt, size_t index, enum ipc_outcome outcome,
    const struct smtp_client_reply *reply)
{
	struct buf remote, source;
	char status[ATTEMPT_STATUS_BYTES];
	struct ipc_dq_result result = {
	    .attempt = attempt->number,
	    .index = (uint32_t)index,
	    .outcome = (uint8_t)outcome,
	    .code = (uint16_t)reply->code,
	    .text = reply->text,
	    .passed = outcome == IPC_DELIVERED ? attempt->passed : 0,
	    .tls = outcome == IPC_DELIVERED ? buf_span(&attempt->tls_text) : SPAN(""),
	};

	check(!attempt->rcpts[index].told);
	attempt->rcpts[index].told = true;
	attempt->troubled |= outcome != IPC_DELIVERED;
	attempt_write_status(status, reply);
	result.status = span_str(status);
	buf_init(&remote, 300);
	attempt_write_remote(attempt, &remote);
	result.remote = buf_span(&remote);
	buf_init(&source, IPC_SOURCE_MAX);
	if (attempt->source.addr.family)
		net_addr_write(&source, &attempt->source.addr);
	result.source = buf_span(&source);
	if (attempt->delivery->queue)
		ipc_dq_result_send(attempt->delivery->queue, &result);
	buf_fini(&remote);
	buf_fini(&source);
}

static void
tell_failure(struct attempt *attempt, size_t index)
{
	const struct attempt_failure *failure = &attempt->failure;
	struct ipc_dq_result result = {
	    .attempt = attempt->number,
	    .index = (uint32_t)index,
	    .outcome = (uint8_t)failure->outcome,
	    .code = (uint16_t)failure->code,
	    .status = span_str(failure->status),
	    .remote = buf_span(&failure->remote),
	    .text = buf_span(&failure->text),
	    .in_doubt = attempt->in_doubt,
	};
	struct buf source;

	attempt->rcpts[index].told = true;
	/* It may have been sent from there. */
	buf_init(&source, IPC_SOURCE_MAX);
	if (attempt->in_doubt && attempt->source.addr.family)
		net_addr_write(&source, &attempt->source.addr);
	result.source = buf_span(&source);
	ipc_dq_result_send(attempt->delivery->queue, &result);
	buf_fini(&source);
}

/*
 * Whether the fallback may have it: nobody of the domain's servers was there to be asked, and that
 * is all that is wrong.  What was sent, or refused, or lacks TLS that is demanded, is not it.
 */
static bool
may_fall_back(const struct attempt *attempt)
{
	const struct attempt_failure *failure = &attempt->failure;

	if (attempt->delivery->conf->fallback.host.len == 0 || attempt->fell_back ||
	    (attempt->host.len > 0 && !SIM_BUG(FALL_BACK_FROM_ROUTES)) ||
	    attempt->answered || attempt->body_given > 0)
		return false;
	for (size_t i = 0; i < attempt->rcpt_count; i++)
		if (attempt->rcpts[i].told)
			return false;
	return failure->status[0] && (failure->host_level || attempt->unreachable);
}

/* As for another destination, which is a server by name. */
static void
fall_back(struct attempt *attempt)
{
	const struct conf_route *fallback = &attempt->delivery->conf->fallback;
	struct event event;

	attempt_event_begin(attempt, &event, "fell_back");
	event_span(&event, "to", fallback->host);
	event_span(&event, "text", buf_span(&attempt->failure.text));
	event_end(&event);
	SIM_MARK("delivery.fell_back");
	recorder_fact(attempt, "falling back to ", fallback->host);
	pool_leave(&attempt->want);
	attempt->fell_back = true;
	attempt->failure.down = attempt->failure.host_level = false;
	attempt->failure.status[0] = '\0';
	attempt->policy = IPC_POLICY_NONE;
	attempt->without_tls = attempt->without_kept = false;
	attempt->addr_count = attempt->addr_index = 0;
	attempt->port = fallback->port;
	attempt->tls_mode = fallback->tls;
	/* A reload may end this configuration. */
	check(arena_copy(&attempt->arena, fallback->host, &attempt->host) &&
	    arena_copy(&attempt->arena, fallback->credential, &attempt->credential));
	attempt_start(attempt);
}

void
attempt_finish(struct attempt *attempt)
{
	struct delivery *delivery = attempt->delivery;
	const struct ipc_dq_done done = {
	    .attempt = attempt->number,
	    .destination_down = attempt->failure.down,
	    .quickest_ms = attempt->quickest_ms < UINT32_MAX ? (uint32_t)attempt->quickest_ms
							     : UINT32_MAX,
	};

	if (attempt->state == ATTEMPT_OVER)
		return;
	if (may_fall_back(attempt)) {
		fall_back(attempt);
		return;
	}
	for (size_t i = 0; delivery->queue && i < attempt->rcpt_count; i++)
		if (!attempt->rcpts[i].told)
			tell_failure(attempt, i);
	recorder_send(attempt);
	if (delivery->queue)
		ipc_dq_done_send(delivery->queue, &done);
	attempt_drop(attempt);
}

void
attempt_drop(struct attempt *attempt)
{
	struct delivery *delivery = attempt->delivery;

	pool_leave(&attempt->want);
	talk_take_back(attempt);
	talk_close(attempt->talk);
	attempt->state = ATTEMPT_OVER;
	map_remove_u64(&delivery->attempt_map, attempt->number);
	if (attempt->query)
		map_remove_u64(&delivery->query_map, attempt->query);
	attempt->query = 0;
	list_remove(&attempt->node);
	list_push(&delivery->over, &attempt->node);
}

/* DNS knows an internationalized name by its A-labels (RFC 5890, RFC 6531 section 3.2). */
bool
attempt_to_ascii(struct attempt *attempt, struct span *domain)
{
	char name[IPC_DOMAIN_MAX + 1];
	char *ascii = NULL;
	bool done;

	if (domain->len == 0 || domain->len > IPC_DOMAIN_MAX)
		return false;
	if (span_is_ascii(*domain))
		return true;
	memcpy(name, domain->ptr, domain->len);
	name[domain->len] = '\0';
	if (idn2_to_ascii_8z(name, &ascii, IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	done = arena_copy(&attempt->arena, span_str(ascii), domain);
	idn2_free(ascii);
	return done;
}

/* Nobody has to be asked where to go. */
static void
take_literal(struct attempt *attempt, struct span literal, const struct net_addr *addr)
{
	const struct ipc_host_entry host = {.name = literal};

	attempt->addrs[0] = (struct attempt_addr){.host = literal, .addr = *addr};
	if (!attempt_choose_tls(attempt, &host, &attempt->addrs[0])) {
		attempt_finish(attempt);
		return;
	}
	attempt->addr_count = 1;
	talk_start(attempt);
}

static void
look_up(struct attempt *attempt)
{
	struct delivery *delivery = attempt->delivery;
	struct ipc_dn_hosts hosts = {
	    .mx = attempt->host.len == 0,
	    .tlsa_port = attempt_tlsa_port(attempt),
	    .domain = attempt->host.len > 0 ? attempt->host : attempt->domain,
	};
	struct span literal = attempt->host.len > 0 ? attempt->host : attempt->domain;
	struct net_addr addr;

	if (attempt->lmtp && attempt->host.ptr[0] == '/') {
		attempt->addrs[0] =
		    (struct attempt_addr){.host = attempt->host, .tls = CONF_TLS_NEVER};
		attempt->addr_count = 1;
		talk_start(attempt);
		return;
	}
	/* An address instead of a name needs no look-up. */
	if (literal.len > 2 && literal.ptr[0] == '[' &&
	    literal.ptr[literal.len - 1] == ']')
		literal = span_of(literal.ptr + 1, literal.len - 2);
	if (span_starts_nocase(literal, SPAN("IPv6:")))
		literal = span_skip(literal, 5);
	if (net_addr_parse(literal, &addr) == OK) {
		take_literal(attempt, literal, &addr);
		return;
	}
	attempt->state = ATTEMPT_LOOKING_UP;
	recorder_fact(attempt, hosts.mx ? "looking up the mail exchangers of " : "looking up ",
	    hosts.domain);
	if (!attempt_to_ascii(attempt, &hosts.domain)) {
		attempt_fail(attempt, IPC_FAILED, 0, "5.1.2", "the domain is not a name");
		attempt_finish(attempt);
		return;
	}
	attempt->ascii = hosts.domain;
	if (!delivery->resolver) {
		attempt_fail(
		    attempt, IPC_DEFERRED, 0, "4.4.3", "the resolver is starting");
		attempt_finish(attempt);
		return;
	}
	hosts.query = delivery_ask(attempt);
	ipc_dn_hosts_send(delivery->resolver, &hosts);
}

uint16_t
attempt_port(const struct attempt *attempt)
{
	if (attempt->port)
		return attempt->port;
	return attempt->tls_mode == CONF_TLS_IMPLICIT ? 465 : 25;
}

struct net_addr
attempt_to(const struct attempt *attempt, size_t index)
{
	struct net_addr to = attempt->addrs[index].addr;

	check(index < attempt->addr_count);
	to.port = attempt_port(attempt);
	return to;
}

void
attempt_start(struct attempt *attempt)
{
	struct ipc_dk_credential ask = {.name = attempt->credential};

	if (attempt->credential.len == 0) {
		look_up(attempt);
		return;
	}
	attempt->state = ATTEMPT_ASKING;
	if (!attempt->delivery->keyring) {
		attempt_fail(
		    attempt, IPC_DEFERRED, 0, "4.3.0", "the keyring is starting");
		attempt_finish(attempt);
		return;
	}
	recorder_fact(attempt, "asking for the credential ", attempt->credential);
	ask.query = delivery_ask(attempt);
	ipc_dk_credential_send(attempt->delivery->keyring, &ask);
}

void
attempt_credential(struct attempt *attempt, const struct ipc_kd_credential *credential)
{
	if (attempt->state != ATTEMPT_ASKING)
		return;
	if (!credential->found ||
	    !arena_copy(&attempt->arena, credential->login, &attempt->login) ||
	    !arena_copy(&attempt->arena, credential->password, &attempt->password)) {
		attempt_fail(attempt, IPC_DEFERRED, 0, "4.3.5",
		    "the credentials table has no entry for this smart host");
		attempt_finish(attempt);
		return;
	}
	look_up(attempt);
}

void
attempt_next(struct attempt *attempt)
{
	struct event event;
	bool goes_on = attempt->failure.host_level;

	attempt_event_begin(attempt, &event, "try_failed");
	event_span(&event, "text", buf_span(&attempt->failure.text));
	event_end(&event);
	if (goes_on && attempt->addr_index + 1 < attempt->addr_count)
		attempt->addr_index++;
	else
		goes_on = goes_on && attempt_convert_after_all(attempt);
	if (!goes_on) {
		attempt_finish(attempt);
		return;
	}
	SIM_MARK("delivery.next_address");
	attempt->without_tls = attempt->without_kept = false;
	talk_start(attempt);
}
