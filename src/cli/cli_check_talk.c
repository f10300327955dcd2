/*
 * A mail server, talked to as its client would: greeting, EHLO, TLS, then what a
 * stranger may try without harm.  Nothing here sends a message: no session gets
 * as far as DATA.
 */
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli_check_internal.h"

enum { VERB_BYTES = 60, FIRST_LINE_BYTES = 300 };

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
