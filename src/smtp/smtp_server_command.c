/*
 * The commands: what each is judged by.
 *
 * A judge is only asked in the states that the table has rows for; it looks at the line and at the
 * session, fills the event where the caller is to be asked, and says which condition holds.
 * What is answered then, and where that leads, is the table's (smtp_server_table.c).  No judge
 * looks at bytes past its own line.
 */
#include "smtp/smtp_server_internal.h"

#include "base/arena.h"
#include "base/check.h"
#include "replies/help.h"
#include "smtp/smtp_xclient.h"

enum { TEXT_BYTES_MAX = HELP_BYTES_MAX };

enum arguments { NO_ARGUMENT, OPTIONAL_ARGUMENT, NEEDS_ARGUMENT };

/* A line as its judge sees it; trailing blanks are gone. */
struct command_line {
	struct span args;
	struct smtp_server_event *event;
	struct span arg; /* what the judge gives for the reply's %1 */
	struct buf text; /* for an arg that has to be put together */
	char digits[SERVER_DIGITS_MAX];
};

struct command {
	enum arguments arguments;
	enum smtp_server_when (*judge)(struct smtp_server *server, struct command_line *line);
	const char *syntax;
};

static const struct command commands[CUE_COMMAND_COUNT];

/* For what is wrong with the arguments, with how they are written. */
static enum smtp_server_when
wrong(struct command_line *line, struct span syntax)
{
	line->arg = syntax;
	return WHEN_SYNTAX;
}

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

static enum smtp_server_when
meet(struct smtp_server *server, struct command_line *line, bool esmtp, const char *syntax)
{
	if (!is_helo(line->args))
		return wrong(line, span_str(syntax));
	/* From here on it may be the client itself that speaks through the proxy. */
	if (server->spoken_for)
		server->options.xclient = false;
	mem_free(server->helo);
	server->helo = mem_copy(line->args);
	server->esmtp = esmtp;
	line->arg = server->options.hostname;
	return WHEN_FINE;
}

static enum smtp_server_when
judge_helo(struct smtp_server *server, struct command_line *line)
{
	if (server->options.lmtp)
		return WHEN_NOT_HERE;
	return meet(server, line, false, "HELO your.host.name");
}

static enum smtp_server_when
hello(struct smtp_server *server, struct command_line *line, const char *syntax)
{
	enum smtp_server_when when = meet(server, line, true, syntax);

	if (when != WHEN_FINE)
		return when;
	smtp_server_hello_write(server, &line->text);
	line->arg = buf_span(&line->text);
	return WHEN_FINE;
}

static enum smtp_server_when
judge_ehlo(struct smtp_server *server, struct command_line *line)
{
	if (server->options.lmtp)
		return WHEN_NOT_HERE;
	return hello(server, line, "EHLO your.host.name");
}

static enum smtp_server_when
judge_lhlo(struct smtp_server *server, struct command_line *line)
{
	if (!server->options.lmtp)
		return WHEN_NOT_HERE;
	return hello(server, line, "LHLO your.host.name");
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

/* WHEN_FINE where MAIL is not refused whatever its address. */
static enum smtp_server_when
judge_sender(const struct smtp_server *server, struct command_line *line)
{
	const struct smtp_server_options *options = &server->options;

	if (server->messages >= options->messages_max) {
		line->arg = options->hostname;
		return WHEN_MESSAGES;
	}
	if (options->submission && !server->login)
		return options->tls_offered && !server->tls ? WHEN_NEEDS_TLS : WHEN_NEEDS_AUTH;
	return WHEN_FINE;
}

/* The condition under which the table has this refusal. */
static enum smtp_server_when
refused_as(const struct smtp_server *server, enum smtp_server_cue cue,
    const struct reply *refusal, struct command_line *line)
{
	const struct smtp_server_row *row =
	    smtp_server_row_find_reply(server->state, cue, refusal->id);

	check(row != NULL);
	line->arg = refusal->args[0];
	return row->when;
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

static enum smtp_server_when
judge_mail(struct smtp_server *server, struct command_line *line)
{
	const struct smtp_parameter_rules rules = parameter_rules(server);
	struct smtp_server_event *event = line->event;
	const struct smtp_mail_parameters *mail = &event->mail;
	struct span args = line->args, rest;
	struct reply refusal;
	const char *why = NULL;
	enum smtp_server_when when = judge_sender(server, line);

	if (when != WHEN_FINE)
		return when;
	if (!cut_keyword(&args, SPAN("FROM:")))
		return wrong(line, SPAN("MAIL FROM:<address> [parameters]"));
	if (address_parse_path(args, true, false, &event->address, &rest, &why)) {
		line->arg = span_str(why);
		return WHEN_BAD_ADDRESS;
	}
	if (!smtp_parameter_read_mail(rest, &rules, &event->mail, &refusal))
		return refused_as(server, CUE_MAIL, &refusal, line);
	if (mail->size > server->options.message_bytes_max) {
		line->arg =
		    smtp_server_number(line->digits, server->options.message_bytes_max);
		return WHEN_TOO_BIG;
	}
	if (event->address.is_utf8 && !mail->smtputf8)
		return WHEN_UTF8;
	event->kind = SMTP_SERVER_MAIL;
	server->smtputf8 = mail->smtputf8;
	server->binary = mail->body == SMTP_BODY_BINARYMIME;
	return WHEN_FINE;
}

static enum smtp_server_when
judge_rcpt(struct smtp_server *server, struct command_line *line)
{
	const struct smtp_parameter_rules rules = parameter_rules(server);
	struct span args = line->args, rest;
	struct address *address = &line->event->address;
	struct reply refusal;
	const char *why = NULL;

	if (!cut_keyword(&args, SPAN("TO:")))
		return wrong(line, SPAN("RCPT TO:<address>"));
	server->rcpt_tried = true;
	if (address_parse_path(args, false, true, address, &rest, &why)) {
		line->arg = span_str(why);
		return WHEN_BAD_ADDRESS;
	}
	if (!smtp_parameter_read_rcpt(rest, &rules, &line->event->rcpt, &refusal))
		return refused_as(server, CUE_RCPT, &refusal, line);
	if (address->is_utf8 && !server->smtputf8)
		return WHEN_UTF8;
	if (server->rcpt_count >= server->options.rcpt_max)
		return WHEN_RCPTS;
	line->event->kind = SMTP_SERVER_RCPT;
	return WHEN_FINE;
}

static enum smtp_server_when
judge_data(struct smtp_server *server, struct command_line *line)
{
	if (server->rcpt_count == 0) {
		line->arg = smtp_server_expected(server->state);
		return server->rcpt_tried ? WHEN_NO_RCPT : WHEN_ORDER;
	}
	/* RFC 3030 section 3: dots can't be stuffed where there are no lines. */
	if (server->binary)
		return WHEN_BINARY;
	line->event->kind = SMTP_SERVER_DATA;
	smtp_server_body_begin(&server->body, true, false);
	return WHEN_FINE;
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

static enum smtp_server_when
judge_bdat(struct smtp_server *server, struct command_line *line)
{
	struct smtp_server_body *body = &server->body;

	/* Where the next command begins is not known then: message text would be run. */
	if (!read_chunk(server, line->args))
		return wrong(line, SPAN("BDAT octets [LAST]"));
	server->chunk_from = server->state;
	server->chunk_refusal = chunk_refusal(server);
	if (server->state != SERVER_CHUNKS)
		smtp_server_body_begin(body, false, server->binary);
	body->chunk_left = server->chunk_bytes;
	if (server->chunk_refusal != REPLY_COUNT)
		return WHEN_MISPLACED;
	if (server->state == SERVER_RCPT)
		line->event->kind = SMTP_SERVER_DATA;
	/* Known before the first octet: nothing of it needs to be stored. */
	if (server->chunk_bytes > server->options.message_bytes_max - body->bytes)
		body->flaws |= BIT(FLAW_TOO_BIG);
	return WHEN_FINE;
}

/* The rest. */

static enum smtp_server_when
judge_quit(struct smtp_server *server, struct command_line *line)
{
	line->arg = server->options.hostname;
	return WHEN_FINE;
}

/*
 * To strangers the same is said, after the same work, whoever is asked for: nothing is looked up.
 * Within a transaction everybody is one.
 */
static enum smtp_server_when
judge_query(struct smtp_server *server, struct command_line *line,
    enum smtp_server_for who, enum smtp_server_event_kind kind)
{
	if (server->state != SERVER_READY || !smtp_server_is_for(server, who))
		return WHEN_FINE;
	line->event->kind = kind;
	line->event->query = line->args;
	return WHEN_ASK;
}

static enum smtp_server_when
judge_vrfy(struct smtp_server *server, struct command_line *line)
{
	return judge_query(server, line, server->options.vrfy, SMTP_SERVER_VRFY);
}

static enum smtp_server_when
judge_expn(struct smtp_server *server, struct command_line *line)
{
	return judge_query(server, line, server->options.expn, SMTP_SERVER_EXPN);
}

/* RFC 1985: "@" asks for all domains below too, "#" for a queue by name, of which we have none. */
static enum smtp_server_when
judge_etrn(struct smtp_server *server, struct command_line *line)
{
	struct span domain = line->args;

	if (!(server->options.extensions & SMTP_EXTENSION_ETRN))
		return WHEN_NOT_HERE;
	if (domain.ptr[0] == '@')
		domain = span_skip(domain, 1);
	if (!address_domain_is_valid(domain, false))
		return wrong(line, SPAN("ETRN domain"));
	line->event->kind = SMTP_SERVER_ETRN;
	line->event->query = domain;
	return WHEN_FINE;
}

static enum smtp_server_when
judge_starttls(struct smtp_server *server, struct command_line *line)
{
	if (server->tls) {
		line->arg = SPAN("TLS is active already");
		return WHEN_TLS_ACTIVE;
	}
	if (!server->options.tls_offered)
		return WHEN_NOT_HERE;
	/*
	 * What stands behind STARTTLS in the clear was put there by somebody in
	 * between, to be run as if it had come through TLS: it is dropped now, and
	 * so is what comes before the handshake is done.
	 */
	line->event->kind = SMTP_SERVER_STARTTLS;
	smtp_server_input_release(server);
	return WHEN_FINE;
}

static enum smtp_server_when
judge_auth(struct smtp_server *server, struct command_line *line)
{
	if (server->login)
		line->arg = SPAN("authenticated already");
	return smtp_server_auth_begin(server, line->args, line->event);
}

static enum smtp_server_when
judge_xclient(struct smtp_server *server, struct command_line *line)
{
	struct smtp_xclient xclient;

	if (!server->options.xclient)
		return WHEN_STRANGER;
	if (!smtp_xclient_read(line->args, &xclient))
		return wrong(line, SPAN("XCLIENT attribute=value ..."));
	server->spoken_for = true;
	line->event->kind = SMTP_SERVER_XCLIENT;
	if (xclient.has_addr)
		line->event->client = xclient.addr;
	mem_free(server->helo);
	server->helo = NULL;
	server->esmtp = false;
	if (xclient.has_login) {
		mem_free(server->login);
		server->login = xclient.login_bytes == 0
				    ? NULL
				    : mem_copy(span_of(xclient.login, xclient.login_bytes));
	}
	return WHEN_FINE;
}

static void
write_syntax(const struct smtp_server *server, enum smtp_server_cue cue, struct buf *out)
{
	buf_add_str(out, commands[cue].syntax);
	if (cue == CUE_MAIL || cue == CUE_RCPT)
		smtp_parameter_write_syntax(out, server->options.extensions, cue == CUE_MAIL);
}

static bool
is_offered(const struct smtp_server *server, enum smtp_server_cue cue)
{
	const struct smtp_server_options *options = &server->options;

	if (cue == CUE_LHLO)
		return options->lmtp;
	if (cue == CUE_HELO || cue == CUE_EHLO)
		return !options->lmtp;
	if (cue == CUE_ETRN)
		return options->extensions & SMTP_EXTENSION_ETRN;
	return cue != CUE_XCLIENT || options->xclient;
}

static enum smtp_server_cue
find_command(struct span verb)
{
	enum smtp_server_cue cue = 0;

	while (cue < CUE_COMMAND_COUNT &&
	       !span_eq_nocase(verb, span_str(smtp_server_cue_name(cue))))
		cue++;
	return cue;
}

static enum smtp_server_when
judge_help(struct smtp_server *server, struct command_line *line)
{
	enum smtp_server_cue cue = find_command(line->args);

	/* What our refusals end with, before commands; and what they begin with. */
	if (help_add_topic(&line->text, line->args)) {
		/* All is said. */
	} else if (cue < CUE_COMMAND_COUNT && is_offered(server, cue)) {
		write_syntax(server, cue, &line->text);
	} else if (line->args.len > 0) {
		if (!help_add_code(&line->text, line->args))
			return WHEN_UNKNOWN;
	} else {
		buf_add_str(&line->text, "Commands:");
		for (cue = 0; cue < CUE_COMMAND_COUNT; cue++) {
			if (!is_offered(server, cue))
				continue;
			buf_add_char(&line->text, ' ');
			buf_add_str(&line->text, smtp_server_cue_name(cue));
		}
		buf_add_str(&line->text, "\nHELP and a command tells how it is written\nTopics:");
		for (size_t i = 0; help_tag_at(i).len > 0; i++) {
			buf_add_char(&line->text, ' ');
			buf_add(&line->text, help_tag_at(i));
		}
		buf_add_str(&line->text, "\nHELP and a topic or a code (550, 5.7.1) tells what a "
					 "refusal with it means");
	}
	line->arg = buf_span(&line->text);
	return WHEN_FINE;
}

static enum smtp_server_when
judge_nothing(struct smtp_server *server, struct command_line *line)
{
	(void)server;
	(void)line;
	return WHEN_FINE;
}

static const struct command commands[CUE_COMMAND_COUNT] = {
    [CUE_HELO] = {NEEDS_ARGUMENT, judge_helo, "HELO your.host.name"},
    [CUE_EHLO] = {NEEDS_ARGUMENT, judge_ehlo, "EHLO your.host.name"},
    [CUE_LHLO] = {NEEDS_ARGUMENT, judge_lhlo, "LHLO your.host.name"},
    [CUE_MAIL] = {NEEDS_ARGUMENT, judge_mail, "MAIL FROM:<address>"},
    [CUE_RCPT] = {NEEDS_ARGUMENT, judge_rcpt, "RCPT TO:<address>"},
    [CUE_DATA] = {NO_ARGUMENT, judge_data, "DATA"},
    [CUE_BDAT] = {OPTIONAL_ARGUMENT, judge_bdat, "BDAT octets [LAST]"},
    [CUE_RSET] = {NO_ARGUMENT, judge_nothing, "RSET"},
    [CUE_NOOP] = {OPTIONAL_ARGUMENT, judge_nothing, "NOOP [text]"},
    [CUE_QUIT] = {NO_ARGUMENT, judge_quit, "QUIT"},
    [CUE_HELP] = {OPTIONAL_ARGUMENT, judge_help, "HELP [command or topic]"},
    [CUE_VRFY] = {NEEDS_ARGUMENT, judge_vrfy, "VRFY name"},
    [CUE_EXPN] = {NEEDS_ARGUMENT, judge_expn, "EXPN name"},
    [CUE_ETRN] = {NEEDS_ARGUMENT, judge_etrn, "ETRN domain"},
    [CUE_STARTTLS] = {NO_ARGUMENT, judge_starttls, "STARTTLS"},
    [CUE_AUTH] = {NEEDS_ARGUMENT, judge_auth, "AUTH mechanism [initial response]"},
    [CUE_XCLIENT] = {NEEDS_ARGUMENT, judge_xclient, "XCLIENT attribute=value ..."},
};

static bool
arguments_fit(const struct command *command, struct span args)
{
	if (command->arguments == NO_ARGUMENT)
		return args.len == 0;
	return command->arguments == OPTIONAL_ARGUMENT || args.len > 0;
}

/* What is not offered is not told apart from what is written wrong, but for being in its place. */
static enum smtp_server_when
judge(struct smtp_server *server, enum smtp_server_cue cue, struct command_line *line)
{
	const struct command *command = &commands[cue];

	if (!smtp_server_row_is_legal(server->state, cue)) {
		line->arg = smtp_server_expected(server->state);
		return WHEN_ORDER;
	}
	if (!arguments_fit(command, line->args) &&
	    smtp_server_row_find(server->state, cue, WHEN_SYNTAX)) {
		write_syntax(server, cue, &line->text);
		return wrong(line, buf_span(&line->text));
	}
	return command->judge(server, line);
}

static void
run_command(struct smtp_server *server, enum smtp_server_cue cue, struct command_line *line)
{
	enum smtp_server_when when;

	buf_init(&line->text, TEXT_BYTES_MAX);
	when = judge(server, cue, line);
	check(buf_finish(&line->text) == OK);
	smtp_server_take(server, cue, when, line->arg);
	buf_fini(&line->text);
	if (server->state == SERVER_CHUNK && server->body.flaws)
		smtp_server_take(server, CUE_OCTETS, WHEN_FLAW, SPAN(""));
}

void
smtp_server_run_line(
    struct smtp_server *server, struct span line, struct smtp_server_event *event)
{
	size_t space = span_find(line, ' ');
	enum smtp_server_cue cue = find_command(span_first(line, space));
	struct command_line command_line = {
	    .args = span_trim(span_skip(line, space)), .arg = SPAN(""), .event = event};

	if (++server->commands > server->options.commands_max)
		smtp_server_take(server, CUE_LIMIT, WHEN_COMMANDS, server->options.hostname);
	else if (span_find(line, '\0') < line.len)
		smtp_server_take(server, CUE_LINE, WHEN_NUL, SPAN(""));
	else if (cue == CUE_COMMAND_COUNT)
		smtp_server_take(server, CUE_LINE, WHEN_UNKNOWN, SPAN(""));
	else
		run_command(server, cue, &command_line);
}
