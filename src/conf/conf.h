/*
 * The configuration: one immutable struct, made from text at once or not at all.
 *
 * Parsing does no I/O.  The supervisor reads the files into a conf_bundle (the
 * main file, what it includes, certificates, tables of routes); every role parses the
 * same bundle again, so that all roles agree whatever happens to the files meanwhile.
 */
#pragma once

#include "base/net.h"

enum {
	CONF_FILES_MAX = 64,
	CONF_FILE_BYTES_MAX = 1 << 20,
	CONF_TABLE_BYTES_MAX = 64 << 20, /* of a file of routes */
	CONF_TABLES_MAX = 8,
	CONF_TABLE_LINES_MAX = 1000000,
	CONF_BUNDLE_BYTES_MAX = CONF_FILES_MAX * (CONF_FILE_BYTES_MAX + 8192) +
	    CONF_TABLES_MAX * CONF_TABLE_BYTES_MAX,
	CONF_ERRORS_MAX = 20,
	CONF_LISTENERS_MAX = 32,
	CONF_SOCKETS_MAX = CONF_LISTENERS_MAX + 1, /* with that for LMTP from this host */
	CONF_HTTP_MAX = 8,
	CONF_RETRIES_MAX = 32,
	CONF_DNS_SERVERS_MAX = 4,
	CONF_CERTIFICATES_MAX = 50,
	CONF_DOMAINS_MAX = 100000,
	CONF_NETWORKS_MAX = 10000,
	CONF_ROUTES_MAX = 10000,
	CONF_DESTINATIONS_MAX = 10000,
	CONF_SOURCES_MAX = 1000,
	CONF_VERPS_MAX = 1000,
	CONF_POOL_BYTES_MAX = 63,
	CONF_SHARE_MAX = 1000000000, /* of a day */
	CONF_WEIGHT_MAX = 1000,
	CONF_LINE_BYTES_MAX = 32768,
	CONF_CREDENTIAL_BYTES_MAX = 128,
	CONF_SOCKET_BYTES_MAX = 107, /* of the path of a Unix socket */
	CONF_REFUSAL_BYTES_MAX = 200,
	CONF_USER_BYTES_MAX = 32,
	CONF_PIPES_MAX = 100,
	CONF_PIPE_TITLE_BYTES_MAX = 63,
	CONF_PIPE_USERS_MAX = 16,
	CONF_PIPE_WORDS_MAX = 64,
	CONF_PIPE_COMMAND_BYTES_MAX = 1000,
	CONF_PIPE_PATH_BYTES_MAX = 200, /* of the program */
	CONF_PIPE_OUTPUT_BYTES_MAX = 64 << 10,
	CONF_PIPE_PROCESSES_MAX = 100,
	CONF_PATH_BYTES_MAX = 4095,
	CONF_RATE_COUNT_MAX = 1000000,
	CONF_RATE_PERIOD_MS_MIN = 1000,
};

#define CONF_RATE_PERIOD_MS_MAX UINT64_C(2592000000) /* 30 days */

enum conf_listener_kind {
	CONF_LISTENER_SMTP, /* port 25: mail from other servers */
	CONF_LISTENER_SUBMISSION, /* port 587: STARTTLS, then AUTH */
	CONF_LISTENER_SUBMISSIONS, /* port 465: TLS from the first byte */
	CONF_LISTENER_LMTP, /* port 24: mail from this host and networks that may relay */
	CONF_LISTENER_KIND_COUNT
};

/* The lowest version of TLS that clients may speak. */
enum conf_tls_version { CONF_TLS_1_2, CONF_TLS_1_3 };

enum conf_tls {
	CONF_TLS_MAY, /* when the other server offers it */
	CONF_TLS_REQUIRED, /* no delivery without it; the certificate is not checked */
	CONF_TLS_VERIFIED, /* no delivery without a certificate that is right */
	CONF_TLS_NEVER,
	CONF_TLS_IMPLICIT, /* TLS from the first byte, certificate checked */
	CONF_TLS_DANE, /* no delivery without TLSA records that the certificate fits */
	CONF_TLS_COUNT
};

enum conf_log_format { CONF_LOG_LOGFMT, CONF_LOG_JSON };
enum conf_log_target { CONF_LOG_STDERR, CONF_LOG_SYSLOG };

struct conf_listener {
	enum conf_listener_kind kind;
	struct net_addr addr; /* with its port */
};

enum conf_route_kind {
	CONF_ROUTE_SMTP,    /* a server by name, or the MX of the recipient's domain */
	CONF_ROUTE_LMTP,    /* a server by name, or a Unix socket of this host */
	/* From here on rules, which come before the tables of our own domains. */
	CONF_ROUTE_PIPE,    /* a program that is run */
	CONF_ROUTE_DISCARD, /* nowhere, and nobody is told */
	CONF_ROUTE_REFUSE,  /* nowhere, and the sender is told */
	CONF_ROUTE_TABLE,   /* as the table says, where it says something */
	CONF_ROUTE_KIND_COUNT
};

struct conf_table;
/* What stands in a word of a pipe's command for something of the message. */
enum conf_placeholder {
	CONF_PLACEHOLDER_NONE,
	CONF_PLACEHOLDER_SENDER,    /* the reverse-path; "" where it is null */
	CONF_PLACEHOLDER_RECIPIENT, /* the whole address */
	CONF_PLACEHOLDER_MAILBOX,   /* its name; with "pipe mail", what is before the detail */
	CONF_PLACEHOLDER_LOCAL,     /* all before the @ */
	CONF_PLACEHOLDER_DETAIL,    /* behind the separator; "" where there is none */
	CONF_PLACEHOLDER_DOMAIN,    /* behind the @ */
	CONF_PLACEHOLDER_ID,        /* of the message in the queue */
	CONF_PLACEHOLDER_COUNT
};

/* A program that mail is handed to. */
struct conf_pipe {
	struct conf_pipe *next; /* in the order of the file */
	struct span command;          /* as it stands there */
	/* Its words, with placeholders, see conf_pipe_cut; the first is the program's path. */
	struct span words[CONF_PIPE_WORDS_MAX];
	size_t word_count;
	struct span user;
	struct span title; /* in small letters, which routes call it by ("program"); "": none */
	/* "USER:TITLE"; or "USER:PROGRAM" by its path, of a second one "USER:PROGRAM#2". */
	struct span name;
	uint64_t time_ms, output_bytes;
	uint64_t processes_max; /* at a time */
};

/* Where mail goes. */
struct conf_route {
	enum conf_route_kind kind;
	/* "example.org", ".example.org" (all below), "joe@example.org", "" (all) */
	struct span domain;
	/* Of the reverse-path, likewise; "<>" where there is none, "" is any or none. */
	struct span sender;
	struct span file; /* where the statement stands, or the line of the table */
	unsigned line;    /* of a way of a table: its first line */
	/* Name, or address without brackets; "" is by MX.  LMTP: or the path of a socket. */
	struct span host;
	uint16_t port; /* 0: 25, or 465 for implicit TLS; LMTP: never 0 but for a socket */
	enum conf_tls tls;
	struct span credential; /* name in the credentials file; "" is no AUTH */
	unsigned code; /* REFUSE: what the sender is told */
	struct span status, text;
	const struct conf_table *table; /* TABLE */
	const struct conf_pipe *pipe; /* PIPE */
};

/* Of a limit: nothing is said about it. */
#define CONF_UNSAID UINT64_MAX

/*
 * How mail for a destination is tried: when again, how long, how much at a time.  Of a provider's
 * all may be CONF_UNSAID, and of others the last two.
 */
struct conf_limits {
	uint64_t retry_ms[CONF_RETRIES_MAX]; /* waits; the last one repeats */
	size_t retry_count;
	uint64_t jitter_percent; /* of a wait, added or taken away by chance */
	uint64_t expire_ms;
	uint64_t connections_max;
	uint64_t connections_start; /* the window's; at most connections_max */
	uint64_t connections_far_max; /* where the line is long; 0: see route_far_connections */
	uint64_t rate_count; /* messages in a period; 0: no limit */
	uint64_t rate_period_ms;
	uint64_t tls; /* enum conf_tls; where a route says nothing else than may */
	uint64_t messages_max; /* transactions on one connection; 0 is any number */
	uint64_t rcpts_max;    /* recipients of a transaction */
};

/* A chain in PEM (its text, from the bundle) and the path of its private key. */
struct conf_certificate {
	struct span path;
	struct span pem;
	struct span key_path;
};

/* The limits of some destinations.  Whatever a block does not say, it has from the queue. */
struct conf_destination {
	struct span pattern; /* as a route's domain; a smart host's name or address too */
	struct conf_limits limits;
};

/* The limits of all destinations that the same servers take mail for, together. */
struct conf_provider {
	struct span name; /* as src/providers has it, or as a destination's pattern: of MX hosts */
	bool is_host;
	struct conf_limits limits;
};

/* An address that mail leaves from. */
struct conf_source {
	struct net_addr addr; /* without a port */
	struct span helo;     /* our name there; "" is the hostname */
	uint64_t weight;      /* its share, beside the others of its pool */
	struct span sender;   /* the pool: of these senders, a pattern; "": of all others */
	struct span pool;     /* its name in small letters, which messages choose it by; "": none */
};

/* A new address, which may send so much a day at first; see route/warmup.h. */
struct conf_warmup {
	struct net_addr addr; /* one that mail leaves from */
	uint64_t from_day;    /* since 1970, in UTC: before it nothing is sent */
	uint64_t start;       /* recipients on that day */
	uint64_t factor_percent; /* each step to the next: 100 stays as it is */
	uint64_t step_days;
	uint64_t end;  /* the share that is the last one */
	bool is_limit; /* which it keeps to from then on; else it has no limit any more */
	struct span provider; /* to whose servers; "": to all together */
};

/* Senders whose mail has the recipient in its reverse-path: "list+ann=far.example@home.example" */
struct conf_verp {
	struct span sender; /* a pattern of domains */
	char before, at;    /* the recipient, and in the place of its "@" */
};

struct conf_networks {
	struct net_prefix *at;
	size_t count;
};

struct conf {
	struct span hostname;
	bool greeting_software; /* "Postrider" after ESMTP in the greeting */
	struct conf_listener listeners[CONF_LISTENERS_MAX];
	size_t listener_count;
	struct net_addr http[CONF_HTTP_MAX]; /* where the web reference is; admin's */
	size_t http_count;

	/* TLS for clients; none without a certificate.  The first one is the default. */
	struct conf_certificate certificates[CONF_CERTIFICATES_MAX];
	size_t certificate_count;
	struct span clients_path; /* who signs clients' certificates; "": not asked for */
	struct span clients_pem;
	enum conf_tls_version tls_version_min;
	struct span tls_ciphers; /* of TLS 1.2, in OpenSSL's language; "": our choice */
	struct span tls_groups; /* of key exchange; "": our choice */
	uint64_t tls_ticket_ms; /* how long a session may be resumed; 0: never */

	/* What roles give up; all of it where the kernel lets us. */
	bool sandbox_calls, sandbox_files; /* seccomp, Landlock */
	bool sandbox_required; /* do not run without them */

	struct span *domains; /* domains whose mailboxes are here */
	size_t domain_count;
	struct net_prefix *relay_networks; /* clients that may relay without AUTH */
	size_t relay_network_count;
	struct conf_networks xclient_networks; /* proxies that may say for whom they speak */
	struct conf_networks proxy_networks;   /* their connections begin with a PROXY header */
	bool no_mail;     /* 521 for everybody */
	bool answer_vrfy; /* to clients that may relay */
	bool answer_expn;
	bool offer_etrn;
	bool no_soliciting; /* offered in EHLO */
	struct span solicit_refused; /* classes of solicitations, with commas between */
	bool refuse_null_mx; /* senders whose domain takes no mail */
	bool hold_all; /* queue everything, deliver nothing until released */

	/* Tables; "" is none. */
	struct span mailboxes_path; /* address: mailbox */
	struct span aliases_path; /* address: address, address */
	struct span passwords_path; /* login: crypt(3) hash */
	struct span dovecot_path; /* a socket of Dovecot's that knows passwords instead */
	struct span token_keys_path; /* public keys of those who sign tokens */
	struct span token_issuer, token_audience, token_claim, token_scope;
	struct span credentials_path; /* name: login password, for smart hosts */
	struct span senders_path; /* login: address, @domain, * */
	struct span maildir_path; /* each mailbox is a Maildir below it */
	struct span mailbox_user; /* who owns Maildirs, when started as root */
	struct conf_route lmtp; /* its kind says so: mailboxes are behind it, and no Maildirs */
	const struct conf_pipe *mailbox_pipe; /* or a program gets their mail; NULL */
	struct conf_pipe *pipes; /* all of them, that of the mailboxes too; NULL: none */
	struct span pipe_users[CONF_PIPE_USERS_MAX]; /* whom they run as, each once */
	size_t pipe_user_count;
	struct span postmaster; /* its mailbox where no table names one */
	char detail_separator; /* user+detail; 0 is none */

	struct conf_route *routes; /* in the order of the file; the first that fits */
	size_t route_count;
	struct conf_source *sources; /* none: as the system chooses */
	size_t source_count;
	struct conf_warmup *warmups;
	size_t warmup_count;
	struct conf_verp *verps;
	size_t verp_count;
	struct conf_route fallback; /* where no server of a domain answers; no host: none */
	struct net_addr dns_servers[CONF_DNS_SERVERS_MAX]; /* none: /etc/resolv.conf */
	size_t dns_server_count;
	bool tls_policies; /* MTA-STS policies are fetched */
	struct span trust_anchor_path; /* "": the root's key, of the system */

	struct span spool_path;
	struct span control_path; /* the control socket */
	struct span lmtp_path; /* the socket for LMTP from this host; "" none */

	enum conf_log_format log_format;
	enum conf_log_target log_target;

	unsigned reception_count; /* processes; 0 is one per core */
	unsigned delivery_count;

	/* Limits of reception.  Sizes in bytes, times in milliseconds. */
	uint64_t message_bytes_max;
	uint64_t command_bytes_max; /* a command line, CRLF included */
	uint64_t line_bytes_max; /* a line of a message, CRLF included */
	uint64_t header_bytes_max; /* the header of a message */
	uint64_t rcpt_max; /* recipients of a transaction */
	uint64_t received_max; /* Received fields before it is a loop */
	uint64_t commands_max; /* commands of a session; 0 is any number */
	uint64_t messages_max; /* messages of a session; 0 is any number */
	uint64_t errors_max; /* refused commands of a session */
	uint64_t sessions_max; /* sessions in all */
	uint64_t sessions_per_host_max;
	uint64_t command_timeout_ms;
	uint64_t data_timeout_ms; /* between two pieces of a message */
	uint64_t session_timeout_ms; /* a session in all */
	uint64_t auth_failures_max; /* of a session */
	uint64_t sessions_per_network_max;
	uint64_t ipv4_network_bits, ipv6_network_bits; /* what a network is */
	uint64_t rate_period_ms; /* of the rates below, of which 0 is any */
	uint64_t connections_per_host_rate, connections_per_network_rate;
	uint64_t messages_per_host_rate, messages_per_network_rate;
	uint64_t rcpts_per_host_rate, rcpts_per_network_rate;
	uint64_t failures_per_host_rate, failures_per_network_rate;
	uint64_t idle_commands_max; /* without an accepted message between; 0 is any number */
	uint64_t greeting_delay_ms; /* 0: none */
	uint64_t errors_before_delay;
	uint64_t error_delay_ms, error_delay_max_ms; /* 0: none */
	uint64_t handshake_timeout_ms;
	uint64_t transfer_window_ms, transfer_bytes_min; /* 0 bytes: any rate */
	uint64_t message_timeout_ms;
	uint64_t reception_bytes_max; /* memory of a process for its sessions */
	uint64_t stress_percent;      /* of sessions or memory; 0: never */
	bool repair_line_ends;
	uint64_t auth_failures_per_host_max; /* before it must pause; 0 is any number */
	uint64_t auth_failures_per_login_max;
	uint64_t auth_delay_ms; /* before a failure is answered, the first time */
	uint64_t auth_pause_ms; /* the first time */

	/* Submission: what users send, see docs/submission.md. */
	bool check_envelope; /* MAIL FROM is held against the login */
	bool check_header; /* From and Sender are */
	bool sender_vouches; /* Sender is held, and From not, where there is a Sender */
	bool add_from; /* where there is none; else such mail is refused */
	bool received_hides_client;

	/* The queue. */
	uint64_t queue_messages_max;
	uint64_t disk_reserve_bytes; /* refuse mail when the spool's disk has less free */
	uint64_t segment_bytes;
	uint64_t
	    crashes_max; /* of a message's handlers, before it is set aside; 0: any */
	struct conf_limits limits; /* where no destination's fit, and of mailboxes */
	bool heed_replies; /* back off as other servers' words ask */
	uint64_t suppress_ms; /* addresses that do not exist; 0: never */
	struct conf_destination
	    *destinations; /* the first that fits; see route/limits.h */
	size_t destination_count;
	struct conf_provider *providers; /* the first that fits */
	size_t provider_count;
	uint64_t host_connections_max; /* to a provider or an MX host of which none says; 0: any */
	bool provider_limits; /* those of src/providers are kept to */

	/* The ledger; 0 is without end. */
	uint64_t ledger_keep_ms;
	uint64_t ledger_bytes_max;

	/* Delivery. */
	uint64_t connect_timeout_ms;
	uint64_t reply_timeout_ms;
	uint64_t rcpt_per_transaction_max;
	uint64_t connection_messages_max; /* transactions on one connection; 0 is any number */
	uint64_t idle_connections_max;    /* kept by each process; 0 is none */
	uint64_t delay_notice_ms; /* 0: never */
	bool delay_notice_all; /* to those too who did not say whether they want it */
	bool postmaster_bounces, postmaster_lost; /* he gets a copy; and what nobody gets */
	uint64_t hold_max_ms; /* FUTURERELEASE; 0: not offered */
	uint64_t return_bytes_max; /* of a message in its bounce; 0: never whole */
	uint64_t idle_timeout_ms;
	bool send_chunks; /* BDAT where it is offered, for all mail */
	bool convert_for_old_servers; /* without 8BITMIME or BINARYMIME */
	uint64_t transcripts_max; /* kept of attempts that failed or were slow; 0: none */
	uint64_t transcript_bytes_max, transcript_memory_bytes; /* of one, of all */
	uint64_t slow_attempt_ms; /* 0: none is slow */
};

/* A place in the configuration, for people. */
struct conf_error {
	struct span file;
	unsigned line, column; /* from 1 */
	struct span text; /* "unknown statement \"spol\"; did you mean \"spool\"?" */
	struct span source; /* the whole line */
};

struct conf_bundle;

/* An empty bundle. */
struct conf_bundle *conf_bundle_create(void);
void conf_bundle_destroy(struct conf_bundle *bundle);
/*
 * Adds a file's text, copied; the first is the main file.  ERR_LIMIT, ERR_TOO_LONG;
 * ERR_EXISTS where the bundle has a file of that name, ERR_SYNTAX where it is no name.
 */
MUST_USE enum err
conf_bundle_add(struct conf_bundle *bundle, struct span name, struct span text);
/* How long the text of a wanted file may be. */
size_t conf_bundle_bytes_max(const struct conf_bundle *bundle, struct span name);
/*
 * Frees the text of tables.  Before conf_parse: for who chooses no routes, their tables are empty.
 * After it: the conf has what it needs of them.
 */
void conf_bundle_drop_tables(struct conf_bundle *bundle);
/*
 * Notes that a wanted file cannot be read, and why ("No such file or directory"): it is
 * not wanted again, and conf_parse tells the reason at the statement that names the file.
 */
MUST_USE enum err conf_bundle_add_unreadable(
    struct conf_bundle *bundle, struct span name, struct span reason);
/*
 * The name of a file that the configuration needs (an include, a certificate) and that
 * the bundle lacks: add it and ask again.  False when the bundle is complete.  What names
 * files wrongly is found by conf_parse later.
 */
bool conf_bundle_wants(const struct conf_bundle *bundle, struct span *name);
/*
 * The bundle as bytes, and back into an empty bundle; ERR_SYNTAX where the bytes are not
 * a bundle, and then the bundle is good for conf_bundle_destroy only.
 */
void conf_bundle_encode(const struct conf_bundle *bundle, struct buf *out);
MUST_USE enum err conf_bundle_decode(struct span wire, struct conf_bundle *bundle);

/*
 * Parses the bundle.  OK gives an immutable configuration (conf_destroy).  ERR_SYNTAX
 * gives none, and fills errors (their spans live as long as the bundle).
 */
MUST_USE enum err conf_parse(struct conf_bundle *bundle, struct conf **conf,
    struct conf_error errors[CONF_ERRORS_MAX], size_t *error_count);
void conf_destroy(struct conf *conf);
/*
 * Frees the tables of routes of a conf that another one has replaced and that is kept for what
 * else still points into it: its tables fit nothing any more.
 */
void conf_drop_tables(struct conf *conf);
/*
 * The way of the line whose pattern is this one, but for the case of letters, and that line;
 * NULL: there is none.  "*" is the pattern for all.
 */
const struct conf_route *conf_table_find(
    const struct conf_table *table, struct span pattern, unsigned *line);
/*
 * The way of the line that is nearest to an address (or a domain): its own, its domain's, that of a
 * domain above, "*".
 */
const struct conf_route *conf_table_nearest(
    const struct conf_table *table, struct span address, unsigned *line);
/* Whether its patterns are of senders. */
bool conf_table_is_by_sender(const struct conf_table *table);
struct span conf_table_path(const struct conf_table *table);
size_t conf_table_count(const struct conf_table *table);
/* A hash of all that it says. */
uint64_t conf_table_hash(const struct conf_table *table);
/* All ways, those of tables too, in no order; zeroed to begin with. */
struct conf_ways {
	size_t route, way;
};
/* NULL ends. */
const struct conf_route *conf_ways_next(const struct conf *conf, struct conf_ways *at);
/* Whether a route leads to a Unix socket of this host. */
bool conf_route_is_socket(const struct conf_route *route);
/* Adds what a route does, as the language has it: "through mx.example:25 with tls may". */
void conf_route_write(struct buf *out, const struct conf_route *route);
/*
 * Cuts the next part off a pipe's word: *text, which may be empty, and behind it what placeholder
 * says.  False: nothing is left.  PLACEHOLDER_COUNT: no such placeholder, and *text is its name,
 * which no configuration that was parsed has.
 */
bool conf_pipe_cut(
    struct span *rest, struct span *text, enum conf_placeholder *placeholder);
/* Whether anybody can log in, by whatever means. */
bool conf_has_users(const struct conf *conf);

/* Adds "file:line:column: text", the line and a caret below the place, to out. */
void conf_error_write(struct buf *out, const struct conf_error *error);

/* Adds the effective configuration in its language; parsing it gives the same. */
void conf_show(struct buf *out, const struct conf *conf);
/* Adds every option with its default, range and description, one paragraph each. */
void conf_manual(struct buf *out);

/* Whether two words are near enough that one may be a slip for the other. */
bool conf_near(struct span wrong, struct span right, unsigned *distance);
/* The nearest of the words that were offered; zeros at first. */
struct conf_nearest {
	const char *word; /* the caller's; NULL: none was near */
	unsigned distance;
};
/* Keeps right where it is near, and nearer than those before. */
void conf_nearest_offer(struct conf_nearest *nearest, struct span wrong, const char *right);
