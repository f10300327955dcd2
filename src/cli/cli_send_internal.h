/*
 * What the files of "postrider send" share: cli_send.c reads the options,
 * cli_send_message.c the message, cli_send_session.c talks to the server, and
 * cli_send_report.c says how it went.  Nobody else includes this.
 */
#pragma once

#include "io/io.h"
#include "smtp/smtp_client.h"

enum {
	CLI_SEND_ADDRS_MAX = 8, /* of one server, tried in turn */
	CLI_SEND_MESSAGE_BYTES_MAX = 256 << 20,
	CLI_SEND_CONNECT_MS = 30000,
	CLI_SEND_HANDSHAKE_MS = 60000,
	CLI_SEND_REPLY_MS = 300000, /* RFC 5321 section 4.5.3.2, the shortest that all may have */
};

enum cli_send_way {
	CLI_SEND_STARTTLS_MAY, /* STARTTLS where the server offers it */
	CLI_SEND_STARTTLS,
	CLI_SEND_TLS, /* from the first byte */
};

struct cli_send_options {
	const char *server; /* as given, for people */
	char *host;
	uint16_t port;
	struct net_addr addrs[CLI_SEND_ADDRS_MAX];
	size_t addr_count;
	bool loopback; /* all of addrs are this machine */
	struct span from;
	struct span to[SMTP_CLIENT_RCPT_MAX];
	size_t to_count;
	bool to_utf8; /* an address is not only ASCII */
	enum cli_send_way way;
	const char *login; /* NULL: no AUTH */
	const char *password_file;
	char *password;
	char *helo;
	bool insecure, verbose, json, help;
};

/* True where the certificate has to be the right one. */
bool cli_send_verifies(const struct cli_send_options *options);

/* A reply, kept. */
struct cli_send_answer {
	unsigned code; /* 0: none */
	unsigned short status[3];
	char *text; /* for mem_free; NULL: none */
};

enum cli_send_failure {
	CLI_SEND_WENT_WELL, /* as far as the dialogue goes; the answers say what came of it */
	CLI_SEND_NOT_CONNECTED,
	CLI_SEND_NO_TLS, /* the handshake failed */
	CLI_SEND_DIALOGUE, /* the session broke off */
};

struct cli_send_result {
	struct cli_send_answer *rcpts; /* one for each of options->to */
	struct cli_send_answer final;  /* to the message, or to what broke off */
	bool ended; /* the transaction ended, with final */
	enum cli_send_failure failure;
	enum err err;
	enum smtp_client_stage stage;
	char *why; /* CLI_SEND_NO_TLS: tls_failure */
	char *tls; /* version and cipher; NULL: none */
	bool in_doubt;
};

/* Connects and sends; everything that can happen ends in *result. */
void cli_send_session(struct io *io, const struct cli_send_options *options,
    struct span message, struct cli_send_result *result);

/* Prints the outcome; gives the exit code. */
int cli_send_report(
    const struct cli_send_options *options, const struct cli_send_result *result);

/*
 * Turns input into a message, piece by piece: every line end becomes CR LF, and the last line
 * gets one.  The buffer's bound is the message's.
 */
struct cli_send_lines {
	struct buf *out;
	bool after_cr; /* the last byte was a CR; its line end is written already */
};
void cli_send_lines_add(struct cli_send_lines *lines, struct span piece);
void cli_send_lines_end(struct cli_send_lines *lines);
/* True where the first line is a header field, so that the message has its own header. */
bool cli_send_has_header(struct span message);
/* A header for a message without one, the blank line included. */
void cli_send_write_header(struct buf *out, const struct cli_send_options *options,
    uint64_t wall_ms, uint64_t random);

/* --verbose: the dialogue on standard error, without passwords and the message. */
struct cli_send_dialogue {
	bool on;
	bool in_body;
	bool secret;         /* the next line of ours answers a challenge */
	uint64_t body_bytes; /* sent and not yet told of */
	struct buf heard;    /* a line of the server's that is not whole yet */
};
void cli_send_dialogue_init(struct cli_send_dialogue *dialogue, bool on);
void cli_send_dialogue_fini(struct cli_send_dialogue *dialogue);
void cli_send_dialogue_heard(struct cli_send_dialogue *dialogue, struct span bytes);
void cli_send_dialogue_said(struct cli_send_dialogue *dialogue, struct span bytes);
void cli_send_dialogue_note(struct cli_send_dialogue *dialogue, const char *note);

/* What a peer said, on a terminal: control characters become '?', line ends blanks. */
void cli_send_print_safe(struct buf *out, struct span text);
