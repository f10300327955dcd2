/*
 * What the files of "postrider check" share.  cli_check_net.c does the I/O, one
 * thing at a time and each within its time; cli_check_talk.c talks to a server,
 * and cli_check_host.c chooses its addresses and ports;
 * cli_check_domain.c asks what a domain publishes; cli_check_self.c looks at
 * this machine; cli_check_print.c tells.  What follows from what was seen is
 * decided in src/check.
 */
#pragma once

#include "check/check_domain.h"
#include "check/check_session.h"
#include "io/io.h"
#include "replies/page.h"

enum {
	CLI_CHECK_TIMEOUT_S = 15,
	CLI_CHECK_TIMEOUT_S_MAX = 600,
	CLI_CHECK_WAITS = 20, /* the whole check may take so many times the time of one step */
	CLI_CHECK_PROBE_MS = 3000,
	CLI_CHECK_RECORDS_MAX = 64,
	CLI_CHECK_RECORD_BYTES_MAX = 64 << 10,
	CLI_CHECK_INPUT_BYTES_MAX = 32 << 10,
	CLI_CHECK_SELECTORS_MAX = 16,
	CLI_CHECK_NAME_BYTES = 256,
};

struct cli_check_options {
	const char *target; /* NULL: --self */
	bool self, relay, json, domain, host, tls, help;
	const char *selectors[CLI_CHECK_SELECTORS_MAX];
	size_t selector_count;
	const char *outbound;
	const char *conf_path;
	uint16_t port;       /* of the target; 0: none was given */
	uint16_t smtp_port;  /* of mail servers; 25 */
	uint16_t https_port; /* of policies; 443 */
	char name[CLI_CHECK_NAME_BYTES]; /* of the target, without the port */
	char helo[CLI_CHECK_NAME_BYTES];
	uint64_t timeout_ms;
	const struct language *language;
};

struct cli_check_late; /* questions that were given up */

struct cli_check {
	const struct cli_check_options *options;
	struct io *io;
	struct tls_context *look, *look_old;
	struct check_report *report;
	struct check_step step; /* under way */
	uint64_t began_ms, step_ms;
	struct cli_check_late *late;
	char subject[CHECK_SUBJECT_BYTES_MAX];
	bool terminal;
	bool subject_told;
};

/* What the DNS said, kept. */
struct cli_check_answer {
	enum err err; /* OK; ERR_DNS, ERR_TIMEOUT: none came */
	unsigned rcode;
	bool secure, bogus;
	struct span records[CLI_CHECK_RECORDS_MAX];
	size_t count;
	char bytes[CLI_CHECK_RECORD_BYTES_MAX];
	size_t used;
};

struct cli_check_link; /* a connection */

/* True where the time for the whole check is over; said once. */
bool cli_check_is_over(struct cli_check *check);

/* The time as of now. */
uint64_t cli_check_now(struct cli_check *check);

/* Asks, as a step of its own.  The caller frees the answer (mem_free); never NULL. */
struct cli_check_answer *cli_check_ask(
    struct cli_check *check, const char *name, enum io_dns_type type);
/* The TXT records of a name, their strings joined, in place. */
struct cli_check_answer *cli_check_ask_txt(struct cli_check *check, const char *name);
/* Adds what addresses a name has; false where the name servers failed. */
bool cli_check_addresses(struct cli_check *check, const char *name, struct net_addr *addrs,
    size_t *count, struct cli_check_answer **a);

/* OK and *link, or ERR_REFUSED, ERR_TIMEOUT, ERR_UNREACHABLE. */
MUST_USE enum err cli_check_connect(
    struct cli_check *check, const struct net_addr *addr, struct cli_check_link **link);
void cli_check_close(struct cli_check_link *link);
void cli_check_send(struct cli_check_link *link, struct span bytes);
/* ERR_TIMEOUT, ERR_CLOSED, ERR_SYNTAX, ERR_TOO_LONG. */
MUST_USE enum err cli_check_reply(
    struct cli_check_link *link, struct check_reply *reply, uint64_t timeout_ms);
/* Waits for some bytes. */
MUST_USE enum err cli_check_wait(struct cli_check_link *link, uint64_t timeout_ms);
/* What has come and was not taken. */
struct span cli_check_input(const struct cli_check_link *link);
/* A handshake; why says what failed. */
MUST_USE enum err cli_check_handshake(struct cli_check_link *link,
    struct tls_context *context, const char *name, char *why, size_t why_bytes);
const struct tls *cli_check_tls(const struct cli_check_link *link);
void cli_check_net_fini(struct cli_check *check);

/* An HTTPS GET of a policy.  ERR_*, and why. */
MUST_USE enum err cli_check_fetch(struct cli_check *check, const char *host,
    const struct net_addr *addr, const char *path, struct buf *body, char *why,
    size_t why_bytes);

/* Steps.  Between the two the step is what is being waited for. */
void cli_check_subject(struct cli_check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void cli_check_begin(struct cli_check *check, enum word what, const struct word_fields *fields);
void cli_check_end(struct cli_check *check, enum word result, const struct word_fields *fields);
/* The same, of a connection: "accepted", "refused", ... */
void cli_check_end_connect(struct cli_check *check, enum err err);
/* What EHLO offers, explained. */
void cli_check_offers(struct cli_check *check, const struct check_reply *ehlo);
void cli_check_find(struct cli_check *check, enum finding id);
/* The verdict, or all of it in JSON; gives the exit code. */
int cli_check_verdict(const struct cli_check *check);

/* The certificates that a session showed, for DANE. */
struct cli_check_chain {
	struct buf certificates[CHECK_CHAIN_MAX];
	size_t count;
};
/* One session; what was seen goes into session, nothing is judged. */
void cli_check_session(struct cli_check *check, const struct net_addr *addr,
    const char *domain, struct check_session *session, struct cli_check_chain *chain);
/* A host by name or address, on one port, or on all three (0). */
void cli_check_host(struct cli_check *check, const char *name, uint16_t port);
/* A server of the domain. */
void cli_check_mx_host(
    struct cli_check *check, const char *domain, const char *name, struct net_addr *addrs,
    size_t count);
void cli_check_ptr(struct cli_check *check, const struct net_addr *addr);
void cli_check_domain(struct cli_check *check, const char *domain);
/* True where the name has MX records: it is a domain. */
bool cli_check_has_mx(struct cli_check *check, const char *name);
/* The MX records of a domain, in order; false where it failed, and that was found. */
bool cli_check_mx(
    struct cli_check *check, const char *domain, struct check_mx *mx, size_t *count);
void cli_check_self(struct cli_check *check);
