/*
 * A mail server, talked to as its client would: greeting, EHLO, TLS, then what a
 * stranger may try without harm.  Nothing here sends a message: no session gets
 * as far as DATA.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli_check_internal.h"
#include "proc/resolver/rdata.h"

enum { PORTS = 3, HOST_ADDRS_MAX = 4, VERB_BYTES = 60, FIRST_LINE_BYTES = 300 };

struct talk {
	struct cli_check *check;
	const struct net_addr *addr;
	struct check_session *session;
	struct cli_check_link *link;
	struct cli_check_chain *chain; /* may be NULL */
	const char *domain; /* whose mail it takes; NULL */
};

static enum err
reach(struct talk *talk)
{
	struct buf text;
	enum err err;

	buf_init(&text, NET_TEXT_MAX + 8);
	net_addr_write_literal(&text, talk->addr);
	buf_addf(&text, ":%u", talk->addr->port);
	cli_check_begin(talk->check, WORD_CHECK_CONNECTING,
	    &(struct word_fields){.name = buf_span(&text)});
	err = cli_check_connect(talk->check, talk->addr, &talk->link);
	cli_check_end_connect(talk->check, err);
	buf_fini(&text);
	return err;
}

static void
hang_up(struct talk *talk)
{
	if (!talk->link)
		return;
	cli_check_send(talk->link, SPAN("QUIT\r\n"));
	cli_check_close(talk->link);
	talk->link = NULL;
}

/* How a step ends that waited for a reply. */
static void
tell_reply(struct talk *talk, enum err err, const struct check_reply *reply)
{
	char first[FIRST_LINE_BYTES];

	check_reply_first(reply, first, sizeof(first));
	if (err == OK)
		cli_check_end(talk->check, WORD_CHECK_TEXT,
		    &(struct word_fields){.text = span_str(first)});
	else if (err == ERR_TIMEOUT)
		cli_check_end(talk->check, WORD_CHECK_NO_ANSWER, NULL);
	else if (err == ERR_SYNTAX)
		cli_check_end(talk->check, WORD_CHECK_NOT_SMTP,
		    &(struct word_fields){
			.text = span_first(cli_check_input(talk->link), CHECK_FIRST_BYTES)});
	else if (err == ERR_TOO_LONG)
		cli_check_end(talk->check, WORD_CHECK_TOO_MUCH, NULL);
	else
		cli_check_end(talk->check, WORD_CHECK_CLOSED, NULL);
}

/* Says a command and takes the answer; false where the session is over by that. */
static bool say(struct talk *talk, struct check_ask *ask, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool
say(struct talk *talk, struct check_ask *ask, const char *format, ...)
{
	struct check_session *session = talk->session;
	enum err err;
	va_list args;
	struct buf line;

	if (session->broke || !talk->link)
		return false;
	va_start(args, format);
	vsnprintf(ask->command, sizeof(ask->command), format, args);
	va_end(args);
	ask->asked = true;
	buf_init(&line, sizeof(ask->command) + 2);
	buf_add_str(&line, ask->command);
	buf_add_str(&line, "\r\n");
	cli_check_begin(talk->check, WORD_CHECK_SAYING,
	    &(struct word_fields){.a = span_str(ask->command)});
	cli_check_send(talk->link, buf_span(&line));
	buf_fini(&line);
	err = cli_check_reply(talk->link, &ask->reply, talk->check->options->timeout_ms);
	tell_reply(talk, err, &ask->reply);
	if (talk->check->step_ms > session->slowest_ms) {
		session->slowest_ms = talk->check->step_ms;
		snprintf(session->slowest, sizeof(session->slowest), "%s", ask->command);
	}
	if (!err)
		return true;
	ask->reply.code = 0;
	session->broke = err;
	snprintf(session->broke_at, sizeof(session->broke_at), "%s", ask->command);
	return false;
}

static enum check_start
start_of(enum err err, struct span first)
{
	/* A line that was whole, and then no end of lines, is a reply that does not end. */
	if (err == ERR_TOO_LONG || (err == ERR_TIMEOUT && span_find(first, '\n') < first.len))
		return CHECK_START_ENDLESS;
	if (first.len > 0)
		return CHECK_START_MALFORMED;
	return err == ERR_TIMEOUT ? CHECK_START_SILENT : CHECK_START_CLOSED;
}

static void
greeting(struct talk *talk)
{
	struct check_session *session = talk->session;
	char first[FIRST_LINE_BYTES];
	struct span input;
	enum err err;

	cli_check_begin(talk->check, WORD_CHECK_GREETING, NULL);
	err = cli_check_reply(
	    talk->link, &session->greeting, talk->check->options->timeout_ms);
	tell_reply(talk, err, &session->greeting);
	session->greeting_ms = talk->check->step_ms;
	if (err == OK) {
		session->start = CHECK_START_GREETED;
		check_reply_first(&session->greeting, first, sizeof(first));
		session->protocol = check_protocol_of(span_str(first));
		return;
	}
	session->greeting.code = 0;
	input = cli_check_input(talk->link);
	session->start = start_of(err, input);
	session->protocol = check_protocol_of(input);
	session->first_bytes = input.len < CHECK_FIRST_BYTES ? input.len : CHECK_FIRST_BYTES;
	if (session->first_bytes > 0)
		memcpy(session->first, input.ptr, session->first_bytes);
}

static uint64_t
probe_ms(const struct cli_check *check)
{
	return check->options->timeout_ms < CLI_CHECK_PROBE_MS ? check->options->timeout_ms
							       : CLI_CHECK_PROBE_MS;
}

/* Nothing was said: whoever waits for us to begin may show what it is. */
static void
prod(struct talk *talk)
{
	struct check_session *session = talk->session;

	cli_check_begin(talk->check, WORD_CHECK_TRYING_ANYTHING, NULL);
	cli_check_send(talk->link, SPAN("EHLO check\r\n\r\n"));
	if (cli_check_wait(talk->link, probe_ms(talk->check)) == OK &&
	    cli_check_input(talk->link).len > 0) {
		enum check_protocol protocol = check_protocol_of(cli_check_input(talk->link));

		if (protocol != CHECK_PROTOCOL_SMTP)
			session->protocol = protocol;
		cli_check_end(talk->check, WORD_CHECK_NOT_SMTP,
		    &(struct word_fields){
			.text = span_first(cli_check_input(talk->link), CHECK_FIRST_BYTES)});
	} else {
		cli_check_end(talk->check, WORD_CHECK_NOTHING, NULL);
	}
	cli_check_close(talk->link);
	talk->link = NULL;
	if (session->protocol != CHECK_PROTOCOL_UNKNOWN &&
	    session->protocol != CHECK_PROTOCOL_TLS)
		return;
	if (cli_check_is_over(talk->check) || reach(talk) != OK)
		return;
	cli_check_begin(talk->check, WORD_CHECK_TRYING_TLS, NULL);
	session->tls_answers = cli_check_handshake(talk->link, talk->check->look, session->host,
				   session->tls_why, sizeof(session->tls_why)) == OK;
	if (session->tls_answers)
		cli_check_end(talk->check, WORD_CHECK_FINE, NULL);
	else
		cli_check_end(talk->check, WORD_CHECK_FAILED,
		    &(struct word_fields){.text = span_str(session->tls_why)});
	cli_check_close(talk->link);
	talk->link = NULL;
}

static void
keep_chain(struct talk *talk)
{
	const struct tls *tls = cli_check_tls(talk->link);
	struct cli_check_chain *chain = talk->chain;

	if (!chain || chain->count > 0)
		return;
	while (chain->count < CHECK_CHAIN_MAX) {
		struct buf *der = &chain->certificates[chain->count];

		buf_init(der, 64 << 10);
		if (!tls_peer_certificate(tls, chain->count, der) || buf_finish(der) != OK) {
			buf_fini(der);
			return;
		}
		chain->count++;
	}
}

/* True where it went well. */
static bool
handshake(struct talk *talk)
{
	struct check_session *session = talk->session;
	const char *name = session->host;
	struct buf literal, text;

	buf_init(&literal, NET_TEXT_MAX);
	net_addr_write(&literal, talk->addr);
	buf_add_char(&literal, '\0');
	cli_check_begin(talk->check, WORD_CHECK_HANDSHAKE, NULL);
	session->tls_tried = true;
	session->tls_done = cli_check_handshake(talk->link, talk->check->look,
				*name ? name : literal.ptr, session->tls_why,
				sizeof(session->tls_why)) == OK;
	if (session->tls_done) {
		tls_peer_look(cli_check_tls(talk->link), span_str(session->host),
		    &session->peer);
		keep_chain(talk);
		buf_init(&text, 200);
		tls_describe(cli_check_tls(talk->link), &text);
		cli_check_end(talk->check, WORD_CHECK_TEXT,
		    &(struct word_fields){.text = buf_span(&text)});
		buf_fini(&text);
	} else {
		cli_check_end(talk->check, WORD_CHECK_FAILED,
		    &(struct word_fields){.text = span_str(session->tls_why)});
	}
	buf_fini(&literal);
	return session->tls_done;
}

/* Another session, to where the first one was before TLS failed. */
static bool
again(struct talk *talk)
{
	struct check_reply *reply = mem_alloc(sizeof(*reply));
	uint64_t timeout = talk->check->options->timeout_ms;
	bool good;

	cli_check_close(talk->link);
	talk->link = NULL;
	good = !cli_check_is_over(talk->check) &&
	       cli_check_connect(talk->check, talk->addr, &talk->link) == OK &&
	       cli_check_reply(talk->link, reply, timeout) == OK;
	if (good) {
		char line[CLI_CHECK_NAME_BYTES + 10];

		snprintf(line, sizeof(line), "EHLO %s\r\n", talk->check->options->helo);
		cli_check_send(talk->link, span_str(line));
		good = cli_check_reply(talk->link, reply, timeout) == OK && reply->code == 250;
	}
	mem_free(reply);
	return good;
}

static void
secure(struct talk *talk)
{
	struct check_session *session = talk->session;
	struct check_offer offer;

	check_offer_read(&session->ehlo.reply, &offer);
	if (session->tls_implicit || !offer.starttls)
		return;
	if (!say(talk, &session->starttls, "STARTTLS") || session->starttls.reply.code != 220)
		return;
	if (handshake(talk))
		say(talk, &session->ehlo_tls, "EHLO %s", talk->check->options->helo);
	else
		again(talk);
}

static void
hello(struct talk *talk)
{
	struct check_session *session = talk->session;

	if (!say(talk, &session->ehlo, "EHLO %s", talk->check->options->helo) ||
	    session->ehlo.reply.code == 250)
		return;
	say(talk, &session->helo, "HELO %s", talk->check->options->helo);
}

/* Two addresses of which one is everywhere, and one nowhere. */
static void
ask_vrfy(struct talk *talk)
{
	struct check_session *session = talk->session;
	const char *at = talk->domain ? "@" : "", *domain = talk->domain ? talk->domain : "";
	unsigned random;

	io_random(talk->check->io, &random, sizeof(random));
	if (say(talk, &session->vrfy_known, "VRFY postmaster%s%.60s", at, domain) &&
	    say(talk, &session->vrfy_unknown, "VRFY nobody-%u%s%.60s", random, at, domain))
		say(talk, &session->expn, "EXPN postmaster");
}

/*
 * Two commands where LF ends one, one command where it does not: the first reply is for either, and
 * a second one is there at once or, behind the answer to what is said next, never.
 */
static void
ask_line_feed(struct talk *talk)
{
	struct check_session *session = talk->session;
	struct check_ask *ask = mem_alloc(sizeof(*ask));

	if (!session->broke && talk->link) {
		cli_check_begin(talk->check, WORD_CHECK_SAYING,
		    &(struct word_fields){.a = SPAN("NOOP LF NOOP")});
		cli_check_send(talk->link, SPAN("NOOP\nNOOP\r\n"));
		while (session->lf_replies < 2 &&
		       cli_check_reply(talk->link, &ask->reply,
			   session->lf_replies ? probe_ms(talk->check) / 3
					       : talk->check->options->timeout_ms) == OK)
			session->lf_replies++;
		if (session->lf_replies == 0)
			cli_check_end(talk->check, WORD_CHECK_NO_ANSWER, NULL);
		else
			cli_check_end(talk->check, WORD_CHECK_TEXT,
			    &(struct word_fields){.text = session->lf_replies > 1
							      ? SPAN("LF")
							      : SPAN("CR LF")});
	}
	mem_free(ask);
}

/* Addresses that are for examples, so that nobody else is named; no session gets to DATA. */
static void
ask_relay(struct talk *talk)
{
	static const char *const rcpts[] = {"relay-check@example.net",
	    "relay-check%example.net@example.org", "\"relay-check@example.net\"@example.org"};
	struct check_session *session = talk->session;
	struct check_ask *rset = mem_alloc(sizeof(*rset));

	if (say(talk, &session->relay_mail, "MAIL FROM:<relay-check@example.com>") &&
	    session->relay_mail.reply.code == 250) {
		for (size_t i = 0; i < LEN(rcpts); i++) {
			if (!say(talk, &session->relays[i], "RCPT TO:<%s>", rcpts[i]))
				break;
			session->relay_count++;
		}
		say(talk, rset, "RSET");
	}
	mem_free(rset);
}

/* Whether the name that it gives itself leads to where it is. */
static void
place_greeting(struct talk *talk)
{
	struct check_session *session = talk->session;
	struct span name = check_greeting_name(&session->greeting);
	struct net_addr addrs[CHECK_ADDRS_MAX];
	char text[CLI_CHECK_NAME_BYTES];
	size_t count;

	if (name.len == 0 || name.len >= sizeof(text) || cli_check_is_over(talk->check))
		return;
	memcpy(text, name.ptr, name.len);
	text[name.len] = '\0';
	if (*session->host && span_eq_nocase(name, span_str(session->host))) {
		session->greeting_place = CHECK_PLACE_HERE;
		return;
	}
	if (!cli_check_addresses(talk->check, text, addrs, &count, NULL))
		return;
	session->greeting_place = CHECK_PLACE_ELSEWHERE;
	for (size_t i = 0; i < count; i++)
		if (net_addr_same_host(&addrs[i], talk->addr))
			session->greeting_place = CHECK_PLACE_HERE;
}

/* A session of its own that offers nothing newer. */
static void
try_old_tls(struct talk *talk)
{
	struct check_session *session = talk->session;
	struct check_reply *reply = mem_alloc(sizeof(*reply));
	uint64_t timeout = talk->check->options->timeout_ms;
	char why[CHECK_WHY_BYTES];
	bool good = true;

	cli_check_begin(talk->check, WORD_CHECK_TRYING_OLD_TLS, NULL);
	if (session->tls_implicit) {
		good = cli_check_connect(talk->check, talk->addr, &talk->link) == OK;
	} else {
		good = again(talk);
		if (good) {
			cli_check_send(talk->link, SPAN("STARTTLS\r\n"));
			good = cli_check_reply(talk->link, reply, timeout) == OK &&
			       reply->code == 220;
		}
	}
	session->tls_old = good && cli_check_handshake(talk->link, talk->check->look_old,
				       session->host, why, sizeof(why)) == OK;
	cli_check_end(talk->check, session->tls_old ? WORD_CHECK_ACCEPTED : WORD_CHECK_REFUSED,
	    NULL);
	cli_check_close(talk->link);
	talk->link = NULL;
	mem_free(reply);
}

/* TLS first; where that fails and a greeting comes in the clear, that is what the port speaks. */
static bool
start_implicit(struct talk *talk)
{
	struct check_session *session = talk->session;

	session->tls_implicit = true;
	if (handshake(talk)) {
		greeting(talk);
		return true;
	}
	cli_check_close(talk->link);
	talk->link = NULL;
	if (cli_check_is_over(talk->check) || reach(talk) != OK)
		return false;
	greeting(talk);
	if (session->start == CHECK_START_GREETED) {
		session->tls_implicit = session->tls_tried = false;
		return true;
	}
	return false;
}

static void
probe(struct talk *talk)
{
	struct check_session *session = talk->session;
	bool tls;

	place_greeting(talk);
	hello(talk);
	secure(talk);
	tls = session->tls_done;
	if (session->ehlo.reply.code == 250)
		cli_check_offers(talk->check, session->ehlo_tls.reply.code == 250
						  ? &session->ehlo_tls.reply
						  : &session->ehlo.reply);
	ask_vrfy(talk);
	ask_line_feed(talk);
	if (talk->check->options->relay)
		ask_relay(talk);
	hang_up(talk);
	if (tls && !session->broke && !cli_check_is_over(talk->check))
		try_old_tls(talk);
}

/* True where this machine has no way to any address of the family of addr. */
static bool
has_no_way(const struct net_addr *addr)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
	bool none;
	int fd;

	if (addr->family != 6)
		return false;
	memcpy(&to.sin6_addr, addr->bytes, 16);
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	none = fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0;
	if (fd >= 0)
		close(fd);
	return none;
}

void
cli_check_session(struct cli_check *check, const struct net_addr *addr,
    const char *domain, struct check_session *session, struct cli_check_chain *chain)
{
	struct talk talk = {.check = check,
	    .addr = addr,
	    .session = session,
	    .domain = domain,
	    .chain = chain};

	session->connect = reach(&talk);
	session->connect_ms = check->step_ms;
	if (session->connect) {
		session->no_ipv6 = session->connect == ERR_UNREACHABLE && has_no_way(addr);
		return;
	}
	if (session->port == CHECK_PORT_SUBMISSIONS || check->options->tls) {
		if (!start_implicit(&talk)) {
			cli_check_close(talk.link);
			return;
		}
	} else {
		greeting(&talk);
	}
	if (check_session_greets(session))
		probe(&talk);
	else if (session->start == CHECK_START_SILENT)
		prod(&talk);
	hang_up(&talk);
}

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
