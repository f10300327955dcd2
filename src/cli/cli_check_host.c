/* A host: each of its addresses on each port, the certificates that DANE wants, its name. */
#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli_check_internal.h"
#include "proc/resolver/rdata.h"

enum { PORTS = 3, HOST_ADDRS_MAX = 4 };

static void
subject_of(struct cli_check *check, const char *name, const struct net_addr *addr)
{
	struct buf text;

	buf_init(&text, NET_TEXT_MAX + 2);
	net_addr_write_literal(&text, addr);
	if (*name)
		cli_check_subject(check, "%s %.*s:%u", name, SPAN_ARGS(buf_span(&text)),
		    addr->port);
	else
		cli_check_subject(
		    check, "%.*s:%u", SPAN_ARGS(buf_span(&text)), addr->port);
	buf_fini(&text);
}

/* One address on some ports; each is judged when all have been seen. */
static void
check_ports(struct cli_check *check, const char *name, struct net_addr addr,
    const uint16_t *ports, size_t count)
{
	struct check_session *sessions[PORTS] = {NULL};
	char subjects[PORTS][CHECK_SUBJECT_BYTES_MAX];
	bool answers = false;

	check(count <= PORTS);
	for (size_t i = 0; i < count && !cli_check_is_over(check); i++) {
		sessions[i] = mem_alloc(sizeof(*sessions[i]));
		addr.port = ports[i];
		subject_of(check, name, &addr);
		memcpy(subjects[i], check->subject, sizeof(subjects[i]));
		snprintf(sessions[i]->host, sizeof(sessions[i]->host), "%s", name);
		sessions[i]->port = check_port_of(ports[i]);
		sessions[i]->wanted = count == 1;
		cli_check_session(check, &addr, NULL, sessions[i], NULL);
		answers = answers || sessions[i]->connect == OK;
	}
	for (size_t i = 0; i < count && sessions[i]; i++) {
		sessions[i]->others_answer = answers;
		check_session_judge(check->report, span_str(subjects[i]), sessions[i],
		    (int64_t)(io_wall_ms(check->io) / 1000));
		mem_free(sessions[i]);
	}
}

void
cli_check_host(struct cli_check *check, const char *name, uint16_t port)
{
	const uint16_t all[PORTS] = {25, 465, 587};
	struct net_addr addrs[CHECK_ADDRS_MAX], literal;
	struct cli_check_answer *a;
	size_t count = 0;
	bool is_address = net_addr_parse(span_str(name), &literal) == OK;

	cli_check_subject(check, "%s", name);
	if (is_address) {
		addrs[count++] = literal;
	} else if (!cli_check_addresses(check, name, addrs, &count, &a)) {
		cli_check_find(check, a->bogus ? FINDING_DNSSEC_BOGUS : FINDING_DNS_NO_ANSWER);
		mem_free(a);
	} else {
		if (a->bogus)
			cli_check_find(check, FINDING_DNSSEC_BOGUS);
		else if (a->secure)
			cli_check_find(check, FINDING_DNSSEC_SECURE);
		if (count == 0 && !a->bogus)
			cli_check_find(check, a->rcode == 3 ? FINDING_NAME_MISSING
							    : FINDING_NAME_NO_ADDRESS);
		mem_free(a);
	}
	for (size_t i = 0; i < count && i < HOST_ADDRS_MAX && !cli_check_is_over(check); i++) {
		check_ports(check, is_address ? "" : name, addrs[i], port ? &port : all,
		    port ? 1 : PORTS);
		cli_check_ptr(check, &addrs[i]);
	}
}

static void
judge_dane(struct cli_check *check, const char *name, const struct check_session *session,
    const struct cli_check_chain *chain)
{
	struct check_dane dane = {.talked = check_session_greets(session)};
	char tlsa[CLI_CHECK_NAME_BYTES + 10];
	struct cli_check_answer *answer;

	snprintf(tlsa, sizeof(tlsa), "_%u._tcp.%s", 25U, name);
	answer = cli_check_ask(check, tlsa, IO_DNS_TLSA);
	dane.records = answer->records;
	dane.record_count = answer->count;
	dane.secure = answer->secure;
	for (size_t i = 0; i < chain->count; i++)
		dane.chain[dane.chain_count++] = buf_span(&chain->certificates[i]);
	if (answer->err)
		cli_check_find(check, FINDING_DNS_NO_ANSWER);
	else if (answer->bogus)
		cli_check_find(check, FINDING_DNSSEC_BOGUS);
	else
		check_dane_judge(check->report, span_str(check->subject), &dane);
	mem_free(answer);
}

void
cli_check_mx_host(struct cli_check *check, const char *domain, const char *name,
    struct net_addr *addrs, size_t count)
{
	for (size_t i = 0; i < count && i < HOST_ADDRS_MAX && !cli_check_is_over(check); i++) {
		struct check_session *session = mem_alloc(sizeof(*session));
		struct cli_check_chain chain = {.count = 0};

		addrs[i].port = check->options->smtp_port;
		subject_of(check, name, &addrs[i]);
		snprintf(session->host, sizeof(session->host), "%s", name);
		session->port = CHECK_PORT_SMTP;
		session->wanted = true;
		cli_check_session(check, &addrs[i], domain, session, &chain);
		check_session_judge(check->report, span_str(check->subject), session,
		    (int64_t)(io_wall_ms(check->io) / 1000));
		judge_dane(check, name, session, &chain);
		for (size_t c = 0; c < chain.count; c++)
			buf_fini(&chain.certificates[c]);
		mem_free(session);
		cli_check_ptr(check, &addrs[i]);
	}
}

static void
reverse_name(const struct net_addr *addr, char *name, size_t room)
{
	size_t used = 0;

	if (addr->family == 4) {
		snprintf(name, room, "%u.%u.%u.%u.in-addr.arpa", addr->bytes[3],
		    addr->bytes[2], addr->bytes[1], addr->bytes[0]);
		return;
	}
	for (size_t i = 16; i-- > 0;)
		used += (size_t)snprintf(name + used, room - used, "%x.%x.",
		    addr->bytes[i] & 15u, addr->bytes[i] >> 4);
	snprintf(name + used, room - used, "ip6.arpa");
}

/* The name in a PTR record; false where it is none of a host. */
static bool
ptr_name(struct span rdata, char name[RDATA_NAME_BYTES])
{
	char mx[2 + RDATA_NAME_BYTES] = {0};
	uint16_t preference;

	if (rdata.len > RDATA_NAME_BYTES)
		return false;
	memcpy(mx + 2, rdata.ptr, rdata.len);
	return rdata_mx(span_of(mx, rdata.len + 2), &preference, name) == OK && name[0];
}

void
cli_check_ptr(struct cli_check *check, const struct net_addr *addr)
{
	char reverse[80], name[RDATA_NAME_BYTES] = "", first[RDATA_NAME_BYTES] = "";
	struct net_addr addrs[CHECK_ADDRS_MAX];
	struct cli_check_answer *answer;
	bool confirmed = false, quiet = check_addr_is_private(addr);
	size_t count;

	if (cli_check_is_over(check))
		return;
	reverse_name(addr, reverse, sizeof(reverse));
	answer = cli_check_ask(check, reverse, IO_DNS_PTR);
	for (size_t i = 0; i < answer->count && i < 3 && !confirmed; i++) {
		if (!ptr_name(answer->records[i], name))
			continue;
		if (!first[0])
			memcpy(first, name, sizeof(first));
		(void)cli_check_addresses(check, name, addrs, &count, NULL);
		for (size_t k = 0; k < count; k++)
			confirmed = confirmed || net_addr_same_host(&addrs[k], addr);
	}
	/* Nobody else asks who has a private address. */
	if (answer->err || answer->bogus || !first[0]) {
		if (!quiet)
			cli_check_find(check, answer->bogus ? FINDING_DNSSEC_BOGUS
					      : answer->err ? FINDING_DNS_NO_ANSWER
							    : FINDING_PTR_MISSING);
	} else {
		check_add(check->report, confirmed ? FINDING_PTR_GOOD : FINDING_PTR_UNCONFIRMED,
		    span_str(check->subject), WORD_CHECK_FOUND,
		    &(struct word_fields){.text = span_str(confirmed ? name : first)});
	}
	mem_free(answer);
}
