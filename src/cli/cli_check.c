/*
 * "postrider check": options, and which of the three checks it is.  Exit codes:
 * 0 nothing is wrong, 1 warnings, 2 errors; 64 wrong use; 66 an anchor or a name
 * server that cannot be used.
 */
#include "cli/cli_check.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli.h"
#include "cli/cli_check_internal.h"
#include "cli/cli_explain.h"
#include "smtp/address.h"

enum { PORT_SMTP = 25, PORT_HTTPS = 443, PORT_DNS = 53 };

static const char usage[] =
    "usage: postrider check HOST[:PORT] | DOMAIN | --self [OPTIONS]\n"
    "\n"
    "Finds out what is wrong with a mail server, with what a domain publishes, or with\n"
    "the server on this machine: step by step, with a verdict and what to do.\n"
    "It works against any server, and never sends a message.\n"
    "\n"
    "  postrider check mx.example.org         a host: ports 25, 465 and 587\n"
    "  postrider check mx.example.org:587     ... or one port; [2001:db8::1]:25 for IPv6\n"
    "  postrider check example.org            a domain: MX, each server, SPF, DMARC, ...\n"
    "  postrider check --self                 this machine and its configuration\n"
    "\n"
    "A name with MX records is a domain; --host and --domain say what it is.\n"
    "\n"
    "  --selector S[,S...]    DKIM keys to look at\n"
    "  --relay                also try whether the server relays for strangers; uses\n"
    "                         addresses for examples, and stops before any message\n"
    "  --tls                  TLS from the first byte, on any port\n"
    "  --outbound HOST        with --self: a server to call on port 25\n"
    "  --config FILE          with --self: the configuration\n"
    "  --dns ADDRESS[:PORT]   the name server to ask (/etc/resolv.conf)\n"
    "  --dns-anchor FILE      the keys that DNSSEC begins with, for --dns\n"
    "  --helo NAME            how we call ourselves (this machine's name)\n"
    "  --timeout SECONDS      for one step (15); all of it takes at most 20 times that\n"
    "  --ports SMTP,HTTPS     where mail servers and policies are, in a test network (25,443)\n"
    "  --json                 one document for programs\n"
    "  --lang LANGUAGE        as in postrider explain\n"
    "\n"
    "Exit codes: 0 nothing is wrong, 1 warnings, 2 errors, 64 wrong use.\n";

struct given {
	const char *selectors, *outbound, *conf, *dns, *anchor, *helo, *timeout, *ports, *lang;
	struct net_addr dns_addr;
};

static bool
take_port(struct span text, uint16_t *port)
{
	uint64_t value;

	if (!span_u64(text, UINT16_MAX, &value) || value == 0)
		return false;
	*port = (uint16_t)value;
	return true;
}

/* "name", "name:25", "192.0.2.1:25", "[2001:db8::1]:25", "2001:db8::1". */
static bool
take_host_port(const char *text, char *name, size_t room, uint16_t *port)
{
	struct span all = span_str(text), host = all;
	struct net_addr addr;
	size_t colon = span_find_last(all, ':');

	if (net_addr_parse(all, &addr) != OK && span_starts(all, SPAN("["))) {
		size_t end = span_find(all, ']');

		host = span_skip(span_first(all, end), 1);
		all = span_skip(all, end + 1);
		if (net_addr_parse(host, &addr) != OK ||
		    (all.len > 0 && (all.ptr[0] != ':' || !take_port(span_skip(all, 1), port))))
			return false;
	} else if (net_addr_parse(all, &addr) != OK && colon < all.len) {
		host = span_first(all, colon);
		if (!take_port(span_skip(all, colon + 1), port))
			return false;
	}
	if (host.len > 1 && host.ptr[host.len - 1] == '.')
		host.len--;
	if (host.len == 0 || host.len >= room)
		return false;
	memcpy(name, host.ptr, host.len);
	name[host.len] = '\0';
	return true;
}

/* The part of an address behind "@" is the domain that is meant. */
static int
take_target(struct cli_check_options *options)
{
	const char *at = strrchr(options->target, '@');
	const char *text = at ? at + 1 : options->target;
	struct net_addr addr;

	if (!take_host_port(text, options->name, sizeof(options->name), &options->port) ||
	    (net_addr_parse(span_str(options->name), &addr) != OK &&
		!address_domain_is_valid(span_str(options->name), false)))
		return cli_wrong_use(usage, "\"%s\" is no name of a host or domain",
		    cli_quote(options->target).text);
	options->domain = options->domain || at;
	return EX_OK;
}

static int
take_selectors(struct cli_check_options *options, const char *text)
{
	struct span rest = span_str(text), one;

	while (span_cut(&rest, ',', &one)) {
		if (options->selector_count == CLI_CHECK_SELECTORS_MAX)
			return cli_wrong_use(
			    usage, "at most %d selectors", CLI_CHECK_SELECTORS_MAX);
		if (!address_domain_is_valid(one, false))
			return cli_wrong_use(
			    usage, "\"%s\" is no selector", cli_quote(text).text);
		options->selectors[options->selector_count++] = mem_copy(one);
	}
	return EX_OK;
}

static int
take_ports(struct cli_check_options *options, const char *text)
{
	struct span rest = span_str(text), smtp;

	if (!span_cut(&rest, ',', &smtp) || !take_port(smtp, &options->smtp_port) ||
	    (rest.len > 0 && !take_port(rest, &options->https_port)))
		return cli_wrong_use(usage, "--ports is two numbers, such as 25,443");
	return EX_OK;
}

static int
take_helo(struct cli_check_options *options, const char *given)
{
	if (given && (strlen(given) >= sizeof(options->helo) ||
			 !address_domain_is_valid(span_str(given), false)))
		return cli_wrong_use(usage, "--helo is a host name");
	if (given)
		snprintf(options->helo, sizeof(options->helo), "%s", given);
	else if (gethostname(options->helo, sizeof(options->helo) - 1) != 0 ||
		 !address_domain_is_valid(span_str(options->helo), false))
		snprintf(options->helo, sizeof(options->helo), "localhost");
	return EX_OK;
}

static int
take_values(struct cli_check_options *options, struct given *given)
{
	char name[NET_TEXT_MAX];
	uint64_t seconds = CLI_CHECK_TIMEOUT_S;
	uint16_t port = PORT_DNS;
	int status = EX_OK;

	if (given->timeout && (!span_u64(span_str(given->timeout), CLI_CHECK_TIMEOUT_S_MAX,
				   &seconds) ||
				  seconds == 0))
		return cli_wrong_use(
		    usage, "--timeout is 1 to %d seconds", CLI_CHECK_TIMEOUT_S_MAX);
	options->timeout_ms = seconds * 1000;
	if (given->dns && (!take_host_port(given->dns, name, sizeof(name), &port) ||
			      net_addr_parse(span_str(name), &given->dns_addr) != OK))
		return cli_wrong_use(usage, "--dns is an address, such as 192.0.2.1:53");
	given->dns_addr.port = port;
	if (given->selectors)
		status = take_selectors(options, given->selectors);
	if (status == EX_OK && given->ports)
		status = take_ports(options, given->ports);
	if (status == EX_OK)
		status = take_helo(options, given->helo);
	options->outbound = given->outbound;
	options->conf_path = given->conf;
	return status;
}

static int
parse(int argc, char **argv, struct cli_check_options *options, struct given *given)
{
	const struct cli_option rows[] = {{"--self", &options->self, NULL},
	    {"--relay", &options->relay, NULL}, {"--json", &options->json, NULL},
	    {"--domain", &options->domain, NULL}, {"--host", &options->host, NULL},
	    {"--tls", &options->tls, NULL}, {"--help", &options->help, NULL},
	    {"--selector", NULL, &given->selectors}, {"--outbound", NULL, &given->outbound},
	    {"--config", NULL, &given->conf}, {"--dns", NULL, &given->dns},
	    {"--dns-anchor", NULL, &given->anchor}, {"--helo", NULL, &given->helo},
	    {"--timeout", NULL, &given->timeout}, {"--ports", NULL, &given->ports},
	    {"--lang", NULL, &given->lang}};
	int words = cli_options(argc, argv, rows, LEN(rows), usage);

	if (words < 0)
		return EX_USAGE;
	if (options->help)
		return EX_OK;
	if (!cli_explain_language_of(given->lang, &options->language))
		return EX_USAGE;
	if (words > 1 || (words == 1) == options->self)
		return cli_wrong_use(usage, "one host or domain, or --self");
	if (options->self && options->relay)
		return cli_wrong_use(usage,
		    "--relay is for strangers: run it from a network that may not relay");
	if (options->host && options->domain)
		return cli_wrong_use(usage, "--host or --domain, not both");
	options->target = words == 1 ? argv[1] : NULL;
	if (options->target) {
		int status = take_target(options);

		if (status != EX_OK)
			return status;
	}
	return take_values(options, given);
}

static int
start(struct cli_check *check, const struct given *given)
{
	enum err err;

	check->io = io_create();
	check->report = check_report_create();
	check->terminal = isatty(STDOUT_FILENO) == 1;
	check->began_ms = io_now_ms(check->io);
	if (given->anchor)
		io_dns_anchor(check->io, given->anchor);
	err = io_dns_servers(check->io, &given->dns_addr, given->dns ? 1 : 0);
	if (err) {
		fprintf(stderr, "postrider check: name servers cannot be asked: %s\n",
		    given->anchor ? "is --dns-anchor a file of keys?" : err_text(err));
		return EX_NOINPUT;
	}
	err_ignore(tls_look_context_create(0, &check->look), "fails for lack of memory only");
	err_ignore(tls_look_context_create(0x0302, &check->look_old),
	    "fails for lack of memory only");
	return EX_OK;
}

static int
run(struct cli_check *check)
{
	const struct cli_check_options *options = check->options;
	struct net_addr addr;

	cli_check_subject(check, "%s", options->name);
	if (options->self)
		cli_check_self(check);
	else if (!options->domain && (options->host || options->port || options->tls ||
					 net_addr_parse(span_str(options->name), &addr) == OK ||
					 !cli_check_has_mx(check, options->name)))
		cli_check_host(check, options->name, options->port);
	else
		cli_check_domain(check, options->name);
	return cli_check_verdict(check);
}

int
cli_check(int argc, char **argv)
{
	struct cli_check_options *options = mem_alloc(sizeof(*options));
	struct cli_check *check = mem_alloc(sizeof(*check));
	struct given given = {0};
	int status;

	options->smtp_port = PORT_SMTP;
	options->https_port = PORT_HTTPS;
	check->options = options;
	status = parse(argc, argv, options, &given);
	if (status == EX_OK && options->help) {
		fputs(usage, stdout);
	} else if (status == EX_OK) {
		status = start(check, &given);
		if (status == EX_OK)
			status = run(check);
		tls_context_destroy(check->look);
		tls_context_destroy(check->look_old);
		cli_check_net_fini(check);
		check_report_destroy(check->report);
	}
	for (size_t i = 0; i < options->selector_count; i++)
		mem_free((char *)(uintptr_t)options->selectors[i]);
	mem_free(options);
	mem_free(check);
	return status;
}
