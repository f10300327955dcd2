/*
 * The commands: one table, one runner each.
 *
 * A runner is only entered in the states that its row names; elsewhere the
 * answer is a 503 that says what is expected.  No runner looks at bytes past
 * its own line.
 */
#include "smtp/smtp_server_internal.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/date.h"

enum { HELLO_BYTES_MAX = 2048, HELP_BYTES_MAX = 1024 };

/* Where a session waits for commands. */
#define OUTSIDE (BIT(SERVER_GREETED) | BIT(SERVER_READY))
#define INSIDE (BIT(SERVER_MAIL) | BIT(SERVER_RCPT) | BIT(SERVER_CHUNKS))
#define ANYWHERE (OUTSIDE | INSIDE)

enum arguments { NO_ARGUMENT, OPTIONAL_ARGUMENT, NEEDS_ARGUMENT };

/* A line as its runner sees it; trailing blanks are gone. */
struct command_line {
	struct span args;
	struct smtp_server_event *event;
};

struct command {
	const char *verb;
	unsigned states; /* where it is legal; elsewhere 503 */
	enum arguments arguments;
	void (*run)(struct smtp_server *server, const struct command_line *line);
	const char *syntax;
};

static const struct command *command_at(size_t index);

/* HELO and EHLO. */

/* What stands in a name or an address literal; anything else would spoil trace fields. */
static bool
is_helo(struct span name)
{
	if (name.len == 0 || name.len > ADDRESS_DOMAIN_BYTES_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.ptr[i]) &&
		    (name.ptr[i] == '\0' || !strchr("-._:[]", name.ptr[i])))
			return false;
	return true;
}

static bool
meet(struct smtp_server *server, struct span name, bool esmtp)
{
	if (!is_helo(name)) {
		smtp_server_refuse(server, REPLY_SYNTAX,
		    esmtp ? SPAN("EHLO your.host.name") : SPAN("HELO your.host.name"));
		return false;
	}
	mem_free(server->helo);
	server->helo = mem_copy(name);
	server->esmtp = esmtp;
	smtp_server_move(server, SERVER_READY);
	return true;
}

static void
run_helo(struct smtp_server *server, const struct command_line *line)
{
	if (meet(server, line->args, false))
		smtp_server_say(server, REPLY_HELLO, server->options.hostname);
}

/* What the operator and the kind of listener decide. */
static void
offer_extensions(const struct smtp_server *server, struct buf *hello)
{
	const struct smtp_server_options *options = &server->options;
	unsigned offered = options->extensions;

	if (offered & SMTP_EXTENSION_BINARYMIME)
		buf_add_str(hello, "\nBINARYMIME");
	if (offered & SMTP_EXTENSION_DSN)
		buf_add_str(hello, "\nDSN");
	/* RFC 4865 section 3: the longest time, and until when that is. */
	if (offered & SMTP_EXTENSION_FUTURERELEASE) {
		buf_add_str(hello, "\nFUTURERELEASE ");
		buf_add_u64(hello, options->hold_max_s);
		buf_add_char(hello, ' ');
		date_write(hello, options->wall_ms + options->hold_max_s * 1000);
	}
	if (offered & SMTP_EXTENSION_DELIVERBY) {
		buf_add_str(hello, "\nDELIVERBY");
		if (options->by_min_s > 0) {
			buf_add_char(hello, ' ');
			buf_add_u64(hello, options->by_min_s);
		}
	}
	if (offered & SMTP_EXTENSION_MT_PRIORITY)
		buf_add_str(hello, "\nMT-PRIORITY");
	if ((offered & SMTP_EXTENSION_REQUIRETLS) && server->tls)
		buf_add_str(hello, "\nREQUIRETLS");
	if (offered & SMTP_EXTENSION_NO_SOLICITING) {
		buf_add_str(hello, "\nNO-SOLICITING");
		if (options->solicit_refused.len > 0)
			buf_add_char(hello, ' ');
		buf_add(hello, options->solicit_refused);
	}
}

static void
run_ehlo(struct smtp_server *server, const struct command_line *line)
{
	const struct smtp_server_options *options = &server->options;
	struct buf hello;

	if (!meet(server, line->args, true))
		return;
	buf_init(&hello, HELLO_BYTES_MAX);
	buf_add(&hello, span_first(options->hostname, ADDRESS_DOMAIN_BYTES_MAX));
	buf_add_str(&hello, " greets you\nPIPELINING\nSIZE");
	/* RFC 1870 section 4: without a number there is no fixed limit. */
	if (options->message_bytes_max < UINT64_MAX) {
		buf_add_char(&hello, ' ');
		buf_add_u64(&hello, options->message_bytes_max);
	}
	buf_add_str(&hello, "\n8BITMIME\nENHANCEDSTATUSCODES\nSMTPUTF8\nCHUNKING");
	offer_extensions(server, &hello);
	if (options->tls_offered && !server->tls)
		buf_add_str(&hello, "\nSTARTTLS");
	if (options->auth_mechanisms && server->tls) {
		buf_add_str(&hello, "\nAUTH ");
		sasl_mechanisms_write(&hello, options->auth_mechanisms);
	}
	buf_add_str(&hello, "\nHELP");
	check(buf_finish(&hello) == OK);
	smtp_server_say(server, REPLY_HELLO, buf_span(&hello));
	buf_fini(&hello);
}

/* The transaction. */

/* Gives what follows "FROM:" or "TO:"; blanks after it are not the RFC's but many clients'. */
static bool
cut_keyword(struct span *args, struct span keyword)
{
	if (!span_starts_nocase(*args, keyword))
		return false;
	*args = span_skip(*args, keyword.len);
	while (args->len > 0 && args->ptr[0] == ' ')
		*args = span_skip(*args, 1);
	return true;
}

static void
refuse_with(struct smtp_server *server, const struct reply *refusal)
{
	smtp_server_refuse(server, refusal->id, refusal->args[0]);
}

/* False where MAIL is refused whatever its address. */
static bool
may_mail(struct smtp_server *server)
{
	const struct smtp_server_options *options = &server->options;

	if (server->messages >= options->messages_max) {
		smtp_server_close(server, REPLY_TOO_MANY_MESSAGES);
		return false;
	}
	if (options->submission && !server->login) {
		smtp_server_refuse(server,
		    options->tls_offered && !server->tls ? REPLY_TLS_REQUIRED
							 : REPLY_AUTH_REQUIRED,
		    SPAN(""));
		return false;
	}
	return true;
}

static struct smtp_parameter_rules
parameter_rules(const struct smtp_server *server)
{
	const struct smtp_server_options *options = &server->options;

	return (struct smtp_parameter_rules){
	    .extensions = options->extensions,
	    .tls = server->tls,
	    .smtputf8 = server->smtputf8,
	    .hold_max_s = options->hold_max_s,
	    .by_min_s = options->by_min_s,
	    .wall_ms = options->wall_ms + (server->now_ms - server->created_ms),
	    .solicit_refused = options->solicit_refused,
	};
}

static void
run_mail(struct smtp_server *server, const struct command_line *line)
{
	const struct smtp_parameter_rules rules = parameter_rules(server);
	struct smtp_server_event *event = line->event;
	const struct smtp_mail_parameters *mail = &event->mail;
	struct span args = line->args, rest;
	struct reply refusal;
	const char *why = NULL;
	char digits[SERVER_DIGITS_MAX];

	if (!may_mail(server))
		return;
	if (!cut_keyword(&args, SPAN("FROM:"))) {
		smtp_server_refuse(
		    server, REPLY_SYNTAX, SPAN("MAIL FROM:<address> [parameters]"));
		return;
	}
	if (address_parse_path(args, true, false, &event->address, &rest, &why)) {
		smtp_server_refuse(server, REPLY_BAD_SENDER_SYNTAX, span_str(why));
		return;
	}
	if (!smtp_parameter_read_mail(rest, &rules, &event->mail, &refusal)) {
		refuse_with(server, &refusal);
		return;
	}
	if (mail->size > server->options.message_bytes_max) {
		smtp_server_refuse(server, REPLY_MESSAGE_TOO_BIG,
		    smtp_server_number(digits, server->options.message_bytes_max));
		return;
	}
	if (event->address.is_utf8 && !mail->smtputf8) {
		smtp_server_refuse(server, REPLY_UTF8_NOT_ANNOUNCED, SPAN(""));
		return;
	}
	event->kind = SMTP_SERVER_MAIL;
	server->smtputf8 = mail->smtputf8;
	server->binary = mail->body == SMTP_BODY_BINARYMIME;
	smtp_server_move(server, SERVER_MAIL_ASKED);
}

static void
run_rcpt(struct smtp_server *server, const struct command_line *line)
{
	const struct smtp_parameter_rules rules = parameter_rules(server);
	struct span args = line->args, rest;
	struct address *address = &line->event->address;
	struct reply refusal;
	const char *why = NULL;

	if (!cut_keyword(&args, SPAN("TO:"))) {
		smtp_server_refuse(server, REPLY_SYNTAX, SPAN("RCPT TO:<address>"));
		return;
	}
	server->rcpt_tried = true;
	if (address_parse_path(args, false, true, address, &rest, &why)) {
		smtp_server_refuse(server, REPLY_BAD_RECIPIENT_SYNTAX, span_str(why));
	} else if (!smtp_parameter_read_rcpt(
		       rest, &rules, &line->event->rcpt, &refusal)) {
		refuse_with(server, &refusal);
	} else if (address->is_utf8 && !server->smtputf8) {
		smtp_server_refuse(server, REPLY_UTF8_NOT_ANNOUNCED, SPAN(""));
	} else if (server->rcpt_count >= server->options.rcpt_max) {
		smtp_server_refuse(server, REPLY_TOO_MANY_RECIPIENTS, SPAN(""));
	} else {
		line->event->kind = SMTP_SERVER_RCPT;
		smtp_server_move(server, SERVER_RCPT_ASKED);
	}
}

static void
run_data(struct smtp_server *server, const struct command_line *line)
{
	if (server->rcpt_count == 0) {
		if (server->rcpt_tried)
			smtp_server_refuse(server, REPLY_NO_RECIPIENTS, SPAN(""));
		else
			smtp_server_refuse_order(server, server->state);
		return;
	}
	/* RFC 3030 section 3: dots can't be stuffed where there are no lines. */
	if (server->binary) {
		smtp_server_refuse(server, REPLY_BINARY_NEEDS_BDAT, SPAN(""));
		return;
	}
	smtp_server_say(server, REPLY_START_MAIL, SPAN(""));
	line->event->kind = SMTP_SERVER_DATA;
	smtp_server_body_begin(&server->body, true, false);
	smtp_server_move(server, SERVER_BODY);
}

/* "octets [LAST]" */
static bool
read_chunk(struct smtp_server *server, struct span args)
{
	size_t space = span_find(args, ' ');
	struct span last = span_trim(span_skip(args, space));

	server->chunk_last = last.len > 0;
	return span_u64(span_first(args, space), UINT64_MAX, &server->chunk_bytes) &&
	       (last.len == 0 || span_eq_nocase(last, SPAN("LAST")));
}

/* The octets follow right away, so they are taken in any state, and then refused. */
static enum reply_id
chunk_refusal(const struct smtp_server *server)
{
	if (server->state == SERVER_MAIL && server->rcpt_tried)
		return REPLY_NO_RECIPIENTS;
	if (server->state != SERVER_RCPT && server->state != SERVER_CHUNKS)
		return REPLY_BAD_SEQUENCE;
	return REPLY_COUNT;
}

static void
run_bdat(struct smtp_server *server, const struct command_line *line)
{
	uint64_t limit = server->options.message_bytes_max;
	struct smtp_server_body *body = &server->body;

	if (!read_chunk(server, line->args)) {
		/* Where the next command begins is not known: message text would be run. */
		smtp_server_move(server, SERVER_CLOSED);
		smtp_server_refuse(server, REPLY_SYNTAX, SPAN("BDAT octets [LAST]"));
		return;
	}
	server->chunk_from = server->state;
	server->chunk_refusal = chunk_refusal(server);
	if (server->state != SERVER_CHUNKS)
		smtp_server_body_begin(body, false, server->binary);
	body->chunk_left = server->chunk_bytes;
	if (server->chunk_refusal != REPLY_COUNT) {
		smtp_server_move(server, SERVER_CHUNK_BAD);
		return;
	}
	if (server->state == SERVER_RCPT)
		line->event->kind = SMTP_SERVER_DATA;
	/* Known before the first octet: nothing of it needs to be stored. */
	if (server->chunk_bytes > limit - body->bytes)
		body->flaws |= BIT(FLAW_TOO_BIG);
	smtp_server_move(server, SERVER_CHUNK);
	if (body->flaws)
		smtp_server_move(server, SERVER_CHUNK_BAD);
}

static void
run_rset(struct smtp_server *server, const struct command_line *line)
{
	(void)line;
	if (server->state != SERVER_GREETED)
		smtp_server_move(server, SERVER_READY);
	smtp_server_say(server, REPLY_OK, SPAN(""));
}

/* The rest. */

static void
run_noop(struct smtp_server *server, const struct command_line *line)
{
	(void)line;
	smtp_server_say(server, REPLY_OK, SPAN(""));
}

static void
run_quit(struct smtp_server *server, const struct command_line *line)
{
	(void)line;
	smtp_server_move(server, SERVER_CLOSED);
	smtp_server_say(server, REPLY_CLOSING, server->options.hostname);
}

/* Says the same, after the same work, whoever is asked for: nothing is looked up. */
static void
run_vrfy(struct smtp_server *server, const struct command_line *line)
{
	(void)line;
	smtp_server_say(server, REPLY_CANNOT_VERIFY, SPAN(""));
}

static void
run_starttls(struct smtp_server *server, const struct command_line *line)
{
	if (server->tls) {
		smtp_server_refuse(
		    server, REPLY_BAD_SEQUENCE, SPAN("TLS is active already"));
		return;
	}
	if (!server->options.tls_offered) {
		smtp_server_refuse(server, REPLY_TLS_UNAVAILABLE, SPAN(""));
		return;
	}
	/*
	 * What stands behind STARTTLS in the clear was put there by somebody in
	 * between, to be run as if it had come through TLS: it is dropped now, and
	 * so is what comes before the handshake is done.
	 */
	line->event->kind = SMTP_SERVER_STARTTLS;
	smtp_server_input_release(server);
	smtp_server_say(server, REPLY_TLS_READY, SPAN(""));
	smtp_server_move(server, SERVER_HANDSHAKE);
}

static void
run_auth(struct smtp_server *server, const struct command_line *line)
{
	smtp_server_auth_begin(server, line->args, line->event);
}

static void
run_help(struct smtp_server *server, const struct command_line *line)
{
	const struct command *command;
	struct buf help;

	for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
		if (span_eq_nocase(line->args, span_str(command->verb))) {
			smtp_server_say(server, REPLY_HELP, span_str(command->syntax));
			return;
		}
	}
	buf_init(&help, HELP_BYTES_MAX);
	buf_add_str(&help, "Commands:");
	for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
		buf_add_char(&help, ' ');
		buf_add_str(&help, command->verb);
	}
	buf_add_str(&help, "\nHELP and a command tells how it is written");
	check(buf_finish(&help) == OK);
	smtp_server_say(server, REPLY_HELP, buf_span(&help));
	buf_fini(&help);
}

static const struct command commands[] = {
    {"HELO", ANYWHERE, NEEDS_ARGUMENT, run_helo, "HELO your.host.name"},
    {"EHLO", ANYWHERE, NEEDS_ARGUMENT, run_ehlo, "EHLO your.host.name"},
    {"MAIL", BIT(SERVER_READY), NEEDS_ARGUMENT, run_mail,
	"MAIL FROM:<address> [SIZE=octets] [BODY=7BIT|8BITMIME] [SMTPUTF8]"},
    {"RCPT", BIT(SERVER_MAIL) | BIT(SERVER_RCPT), NEEDS_ARGUMENT, run_rcpt,
	"RCPT TO:<address>"},
    {"DATA", BIT(SERVER_MAIL) | BIT(SERVER_RCPT), NO_ARGUMENT, run_data, "DATA"},
    {"BDAT", ANYWHERE, OPTIONAL_ARGUMENT, run_bdat, "BDAT octets [LAST]"},
    {"RSET", ANYWHERE, NO_ARGUMENT, run_rset, "RSET"},
    {"NOOP", ANYWHERE, OPTIONAL_ARGUMENT, run_noop, "NOOP [text]"},
    {"QUIT", ANYWHERE, NO_ARGUMENT, run_quit, "QUIT"},
    {"HELP", ANYWHERE, OPTIONAL_ARGUMENT, run_help, "HELP [command]"},
    {"VRFY", ANYWHERE, NEEDS_ARGUMENT, run_vrfy, "VRFY name"},
    {"EXPN", ANYWHERE, NEEDS_ARGUMENT, run_vrfy, "EXPN name"},
    {"STARTTLS", OUTSIDE, NO_ARGUMENT, run_starttls, "STARTTLS"},
    {"AUTH", BIT(SERVER_READY), NEEDS_ARGUMENT, run_auth,
	"AUTH mechanism [initial response]"},
};

/* NULL past the end. */
static const struct command *
command_at(size_t index)
{
	return index < LEN(commands) ? &commands[index] : NULL;
}

static const struct command *
find_command(struct span verb)
{
	for (size_t i = 0; i < LEN(commands); i++)
		if (span_eq_nocase(verb, span_str(commands[i].verb)))
			return &commands[i];
	return NULL;
}

static bool
arguments_fit(const struct command *command, struct span args)
{
	if (command->arguments == NO_ARGUMENT)
		return args.len == 0;
	return command->arguments == OPTIONAL_ARGUMENT || args.len > 0;
}

void
smtp_server_run_line(
    struct smtp_server *server, struct span line, struct smtp_server_event *event)
{
	size_t space = span_find(line, ' ');
	const struct command *command = find_command(span_first(line, space));
	struct command_line command_line = {
	    .args = span_trim(span_skip(line, space)), .event = event};

	if (++server->commands > server->options.commands_max)
		smtp_server_close(server, REPLY_TOO_MANY_COMMANDS);
	else if (span_find(line, '\0') < line.len)
		smtp_server_refuse(server, REPLY_NUL_IN_COMMAND, SPAN(""));
	else if (!command)
		smtp_server_refuse(server, REPLY_UNKNOWN_COMMAND, SPAN(""));
	else if (!(command->states & BIT(server->state)))
		smtp_server_refuse_order(server, server->state);
	else if (!arguments_fit(command, command_line.args))
		smtp_server_refuse(server, REPLY_SYNTAX, span_str(command->syntax));
	else
		command->run(server, &command_line);
}
