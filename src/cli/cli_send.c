/*
 * Options of "postrider send", and what has to be known before the first byte
 * goes out: the message, the password, the server's addresses.  Whatever is
 * wrong here is wrong with the call, and nothing has been sent.
 */
#include "cli/cli_send.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli_send_internal.h"

enum {
	READ_BYTES = 64 << 10,
	PORT_SMTP = 25,
	PORT_SMTPS = 465,
	PASSWORD_BYTES_MAX = 1024,
	HEADER_BYTES_MAX = (SMTP_CLIENT_RCPT_MAX + 4) * (ADDRESS_BYTES_MAX + 100),
};

static const char usage[] =
    "Usage: postrider send --server HOST:PORT --from ADDRESS --to ADDRESS... < message\n"
    "\n"
    "Sends the message on standard input, and says what became of it.\n"
    "\n"
    "  --server HOST:PORT     a name or an address; [2001:db8::1]:25 for IPv6\n"
    "  --from ADDRESS         the envelope's sender; \"<>\" for none\n"
    "  --to ADDRESS           a recipient; may be given again\n"
    "  --tls                  TLS from the first byte (port 465)\n"
    "  --starttls             STARTTLS, or nothing is sent\n"
    "  --starttls-if-offered  STARTTLS where the server has it (the default)\n"
    "  --insecure             any certificate will do\n"
    "  --auth USER            log in; the password is $POSTRIDER_PASSWORD, or asked for\n"
    "  --password-file FILE   ... or the first line of this file\n"
    "  --helo NAME            how we call ourselves (this machine's name)\n"
    "  --verbose              show the dialogue, without the password\n"
    "  --json                 the outcome for programs\n"
    "\n"
    "Lines may end in LF. A text without any header gets From, To, Date and Message-ID.\n"
    "With --tls, --starttls or --auth the certificate must be right, but for a server on\n"
    "this machine.\n"
    "\n"
    "Exit codes: 0 sent to all, 69 refused or nobody there, 75 try later, 77 log-in\n"
    "refused, 76 not SMTP or no TLS, 68 no such host, 64 wrong options.\n"
    "\n"
    "  printf 'Subject: hello\\n\\nHello.\\n' | postrider send --server localhost:2525 \\\n"
    "      --from me@example.org --to you@example.org\n";

bool
cli_send_verifies(const struct cli_send_options *options)
{
	return !options->insecure && !options->loopback &&
	       (options->way != CLI_SEND_STARTTLS_MAY || options->login);
}

static __attribute__((format(printf, 1, 2))) int
say_wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("postrider send: ", stderr);
	vfprintf(stderr, format, args);
	fputs("\nSee postrider send --help.\n", stderr);
	va_end(args);
	return EX_USAGE;
}

/* "<a@b>" is taken as a@b: people copy addresses with their brackets. */
static bool
take_address(
    struct cli_send_options *options, const char *text, bool null_ok, struct span *taken)
{
	struct span span = span_trim(span_str(text));
	struct address address;
	const char *why = "";

	if (span.len >= 2 && span.ptr[0] == '<' && span.ptr[span.len - 1] == '>')
		span = span_of(span.ptr + 1, span.len - 2);
	*taken = span;
	if (span.len == 0 && null_ok)
		return true;
	if (!null_ok && span_eq_nocase(span, SPAN("postmaster")))
		return true;
	if (address_parse(span, &address, &why)) {
		say_wrong("\"%s\" is not an address: %s", text, why);
		return false;
	}
	options->to_utf8 |= address.is_utf8;
	return true;
}

static bool
take_to(struct cli_send_options *options, const char *text)
{
	if (options->to_count == SMTP_CLIENT_RCPT_MAX) {
		say_wrong("more than %d recipients", SMTP_CLIENT_RCPT_MAX);
		return false;
	}
	return take_address(options, text, false, &options->to[options->to_count++]);
}

/* "host:25", "192.0.2.1:25", "[::1]:25"; the port may be left out. */
static bool
take_server(struct cli_send_options *options, const char *text)
{
	struct span server = span_str(text), host, port = {"", 0};
	size_t colon = span_find_last(server, ':');
	uint64_t number = options->way == CLI_SEND_TLS ? PORT_SMTPS : PORT_SMTP;

	if (server.len && server.ptr[0] == '[') {
		size_t end = span_find(server, ']');

		host = span_skip(span_first(server, end), 1);
		port = span_skip(server, end + 1);
		if (end == server.len || (port.len && port.ptr[0] != ':'))
			host.len = 0;
		if (span_starts_nocase(host, SPAN("IPv6:")))
			host = span_skip(host, 5);
	} else if (span_find(server, ':') == colon) {
		host = span_first(server, colon);
		port = span_skip(server, colon);
	} else {
		/* More than one colon: an IPv6 address without a port. */
		host = server;
	}
	if (host.len == 0 ||
	    (port.len && !span_u64(span_skip(port, 1), 65535, &number)) || number == 0) {
		say_wrong("--server is HOST:PORT, such as mail.example.org:25; "
			  "not \"%s\"",
		    text);
		return false;
	}
	options->server = text;
	options->host = mem_copy(host);
	options->port = (uint16_t)number;
	return true;
}

/* What an option without a value says; false for others. */
static bool
take_flag(struct cli_send_options *options, struct span name)
{
	if (span_eq(name, SPAN("--tls")))
		options->way = CLI_SEND_TLS;
	else if (span_eq(name, SPAN("--starttls")))
		options->way = CLI_SEND_STARTTLS;
	else if (span_eq(name, SPAN("--starttls-if-offered")))
		options->way = CLI_SEND_STARTTLS_MAY;
	else if (span_eq(name, SPAN("--insecure")))
		options->insecure = true;
	else if (span_eq(name, SPAN("--verbose")) || span_eq(name, SPAN("-v")))
		options->verbose = true;
	else if (span_eq(name, SPAN("--json")))
		options->json = true;
	else if (span_eq(name, SPAN("--help")) || span_eq(name, SPAN("-h")))
		options->help = true;
	else
		return false;
	return true;
}

struct texts {
	const char *server, *from;
};

/* EX_OK where the option and its value were taken. */
static int
take_value(struct cli_send_options *options, struct texts *texts, struct span name,
    const char *value)
{
	const struct {
		struct span name;
		const char **into;
	} rows[] = {
	    {SPAN("--server"), &texts->server},
	    {SPAN("--from"), &texts->from},
	    {SPAN("--auth"), &options->login},
	    {SPAN("--password-file"), &options->password_file},
	};

	if (span_eq(name, SPAN("--to")) || span_eq(name, SPAN("--helo"))) {
		if (!value)
			return say_wrong("%.*s needs a value", SPAN_ARGS(name));
		if (name.len == 4)
			return take_to(options, value) ? EX_OK : EX_USAGE;
		mem_free(options->helo);
		options->helo = mem_copy(span_str(value));
		return EX_OK;
	}
	for (size_t i = 0; i < LEN(rows); i++) {
		if (!span_eq(name, rows[i].name))
			continue;
		if (!value)
			return say_wrong("%.*s needs a value", SPAN_ARGS(name));
		if (*rows[i].into)
			return say_wrong("%.*s comes twice", SPAN_ARGS(name));
		*rows[i].into = value;
		return EX_OK;
	}
	return say_wrong("what is \"%.*s\"?", SPAN_ARGS(name));
}

static int
parse_options(int argc, char **argv, struct cli_send_options *options)
{
	struct texts texts = {0};

	for (int i = 1; i < argc; i++) {
		struct span name = span_str(argv[i]);
		size_t equals = span_find(name, '=');
		const char *value;
		int code;

		if (take_flag(options, name)) {
			if (options->help)
				return EX_OK;
			continue;
		}
		/* "--to=a@b" and "--to a@b" */
		value = equals < name.len ? name.ptr + equals + 1
			: i + 1 < argc	  ? argv[++i]
					  : NULL;
		code = take_value(options, &texts, span_first(name, equals), value);
		if (code != EX_OK)
			return code;
	}
	if (!texts.server)
		return say_wrong("--server HOST:PORT is missing");
	if (!texts.from)
		return say_wrong("--from ADDRESS is missing (\"<>\" for none)");
	if (options->to_count == 0)
		return say_wrong("--to ADDRESS is missing");
	if (!take_server(options, texts.server) ||
	    !take_address(options, texts.from, true, &options->from))
		return EX_USAGE;
	return EX_OK;
}

static void
add_addr(struct cli_send_options *options, struct net_addr addr)
{
	if (options->addr_count == CLI_SEND_ADDRS_MAX)
		return;
	addr.port = options->port;
	options->loopback =
	    (options->addr_count == 0 || options->loopback) && net_addr_is_loopback(&addr);
	options->addrs[options->addr_count++] = addr;
}

static void
add_resolved(struct cli_send_options *options, const struct addrinfo *info)
{
	struct net_addr addr = {0};

	if (info->ai_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)info->ai_addr;

		addr.family = 4;
		memcpy(addr.bytes, &in->sin_addr, 4);
		add_addr(options, addr);
	} else if (info->ai_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)info->ai_addr;

		addr.family = 6;
		memcpy(addr.bytes, &in6->sin6_addr, 16);
		add_addr(options, addr);
	}
}

static int
find_server(struct cli_send_options *options)
{
	const struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *found = NULL;
	struct net_addr addr;
	int error;

	if (net_addr_parse(span_str(options->host), &addr) == OK) {
		add_addr(options, addr);
		return EX_OK;
	}
	if (span_eq_nocase(span_str(options->host), SPAN("localhost"))) {
		add_addr(
		    options, (struct net_addr){.family = 4, .bytes = {127, 0, 0, 1}});
		add_addr(options, (struct net_addr){.family = 6, .bytes = {[15] = 1}});
		return EX_OK;
	}
	error = getaddrinfo(options->host, NULL, &hints, &found);
	for (struct addrinfo *at = found; at; at = at->ai_next)
		add_resolved(options, at);
	if (found)
		freeaddrinfo(found);
	if (options->addr_count > 0)
		return EX_OK;
	fprintf(stderr,
	    "postrider send: no address for %s: %s\n"
	    "Is the name right? A domain's mail server is named by its MX record:\n"
	    "dig +short MX %s\n",
	    options->host, error ? gai_strerror(error) : "it has none", options->host);
	return error == EAI_AGAIN ? EX_TEMPFAIL : EX_NOHOST;
}

/* The first line of a stream; wiped by the caller. */
static bool
read_line(FILE *file, char *line, size_t room)
{
	if (!fgets(line, (int)room, file))
		return false;
	line[strcspn(line, "\r\n")] = '\0';
	return true;
}

static int
password_from_file(struct cli_send_options *options, char *line)
{
	FILE *file = fopen(options->password_file, "re");

	if (!file || !read_line(file, line, PASSWORD_BYTES_MAX)) {
		fprintf(stderr, "postrider send: no password in %s: %s\n",
		    options->password_file, file ? "it is empty" : strerror(errno));
		if (file)
			(void)fclose(file);
		return EX_NOINPUT;
	}
	(void)fclose(file);
	return EX_OK;
}

/* Standard input is the message, so the terminal itself is asked. */
static int
password_from_terminal(const struct cli_send_options *options, char *line)
{
	FILE *terminal = fopen("/dev/tty", "r+e");
	struct termios shown, hidden;
	bool got;

	if (!terminal || tcgetattr(fileno(terminal), &shown) != 0) {
		if (terminal)
			(void)fclose(terminal);
		return say_wrong(
		    "--auth needs a password: set POSTRIDER_PASSWORD or give "
		    "--password-file FILE");
	}
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(fileno(terminal), TCSAFLUSH, &hidden);
	fprintf(terminal, "Password of %s at %s: ", options->login, options->server);
	(void)fflush(terminal);
	got = read_line(terminal, line, PASSWORD_BYTES_MAX);
	(void)tcsetattr(fileno(terminal), TCSAFLUSH, &shown);
	fputs("\n", terminal);
	(void)fclose(terminal);
	return got ? EX_OK : EX_USAGE;
}

static int
find_password(struct cli_send_options *options)
{
	const char *given = getenv("POSTRIDER_PASSWORD");
	char line[PASSWORD_BYTES_MAX] = "";
	int code = EX_OK;

	if (!options->login)
		return options->password_file
			   ? say_wrong("--password-file needs --auth USER")
			   : EX_OK;
	if (options->password_file)
		code = password_from_file(options, line);
	else if (!given)
		code = password_from_terminal(options, line);
	options->password =
	    mem_copy(span_str(options->password_file || !given ? line : given));
	mem_wipe(line, sizeof(line));
	return code;
}

static int
find_helo(struct cli_send_options *options)
{
	char name[256] = "";

	if (options->helo) {
		if (options->helo[0] == '[' ||
		    address_domain_is_valid(span_str(options->helo), false))
			return EX_OK;
		return say_wrong("--helo NAME is a host name or an address in brackets");
	}
	if (gethostname(name, sizeof(name) - 1) != 0 ||
	    !address_domain_is_valid(span_str(name), false))
		options->helo = mem_copy(SPAN("localhost"));
	else
		options->helo = mem_copy(span_str(name));
	return EX_OK;
}

static int
read_message(struct buf *message)
{
	struct cli_send_lines lines = {.out = message};
	char *piece = mem_alloc(READ_BYTES);
	size_t bytes;

	if (isatty(STDIN_FILENO))
		fputs(
		    "postrider send: type the message; Ctrl-D on a line of its own ends it\n",
		    stderr);
	while (!message->full && (bytes = fread(piece, 1, READ_BYTES, stdin)) > 0)
		cli_send_lines_add(&lines, span_of(piece, bytes));
	cli_send_lines_end(&lines);
	mem_free(piece);
	if (ferror(stdin)) {
		perror("postrider send: standard input");
		return EX_NOINPUT;
	}
	if (buf_finish(message)) {
		fprintf(stderr, "postrider send: the message is larger than %d MB\n",
		    CLI_SEND_MESSAGE_BYTES_MAX >> 20);
		return EX_DATAERR;
	}
	return EX_OK;
}

/* The message with a header in front, where it has none. */
static struct buf
with_header(struct io *io, const struct cli_send_options *options, struct buf message)
{
	struct buf whole;
	uint64_t random;

	if (cli_send_has_header(buf_span(&message)))
		return message;
	buf_init(&whole, message.len + HEADER_BYTES_MAX);
	io_random(io, &random, sizeof(random));
	cli_send_write_header(&whole, options, io_wall_ms(io), random);
	buf_add(&whole, buf_span(&message));
	check(!whole.full);
	buf_fini(&message);
	return whole;
}

static int
send_message(const struct cli_send_options *options, struct buf *message)
{
	struct cli_send_result result = {0};
	struct io *io = io_create();
	int code;

	result.rcpts = mem_alloc(options->to_count * sizeof(*result.rcpts));
	*message = with_header(io, options, *message);
	cli_send_session(io, options, buf_span(message), &result);
	io_destroy(io);
	code = cli_send_report(options, &result);
	for (size_t i = 0; i < options->to_count; i++)
		mem_free(result.rcpts[i].text);
	mem_free(result.rcpts);
	mem_free(result.final.text);
	mem_free(result.why);
	mem_free(result.tls);
	return code;
}

int
cli_send(int argc, char **argv)
{
	struct cli_send_options *options = mem_alloc(sizeof(*options));
	struct buf message;
	int code;

	buf_init(&message, CLI_SEND_MESSAGE_BYTES_MAX);
	code = parse_options(argc, argv, options);
	if (options->help) {
		fputs(usage, stdout);
		goto out;
	}
	if (code == EX_OK)
		code = find_helo(options);
	if (code == EX_OK)
		code = find_password(options);
	if (code == EX_OK)
		code = find_server(options);
	/* A password in clear to another machine takes more than the lack of an option. */
	if (options->login && options->way == CLI_SEND_STARTTLS_MAY &&
	    !options->insecure && !options->loopback)
		options->way = CLI_SEND_STARTTLS;
	/* Each side would wait for the other to speak first, for minutes. */
	if (code == EX_OK && options->port == PORT_SMTPS && options->way != CLI_SEND_TLS)
		fputs("postrider send: port 465 usually wants TLS from the first byte; "
		      "if nothing happens, add --tls\n",
		    stderr);
	if (code == EX_OK)
		code = read_message(&message);
	if (code != EX_OK)
		goto out;
	code = send_message(options, &message);
out:
	if (options->password)
		mem_wipe(options->password, strlen(options->password));
	mem_free(options->password);
	mem_free(options->host);
	mem_free(options->helo);
	mem_free(options);
	buf_fini(&message);
	return code;
}
