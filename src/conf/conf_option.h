/*
 * The option table: every statement of the language is a row.
 *
 * The parser, the defaults, the range checks, conf_show, the manual and the JSON
 * form all read the same rows; an option that is not here does not exist.
 */
#pragma once

#include "conf/conf.h"

enum conf_type {
	/* One value of struct conf, at the row's offset. */
	CONF_BOOL, /* bool */
	CONF_COUNT, /* uint64_t */
	CONF_PROCESSES, /* unsigned */
	CONF_SIZE, /* uint64_t, bytes */
	CONF_TIME, /* uint64_t, milliseconds */
	CONF_PERCENT, /* uint64_t */
	CONF_DOMAIN, /* struct span */
	CONF_PATH, /* struct span; min and max are its length */
	CONF_MAILBOX, /* struct span; min and max are its length */
	CONF_TEXT, /* struct span, one word; min and max are its length */
	CONF_SEPARATOR, /* char */
	CONF_TLS_MODE, /* uint64_t, enum conf_tls */

	/* Statements with a grammar of their own. */
	CONF_TIMES, /* retry_ms of the limits at offset; min and max are for each */
	CONF_RATE, /* rate_count and rate_period_ms of the limits at offset */
	CONF_LISTEN,
	CONF_HTTP,
	CONF_CERTIFICATE,
	CONF_CLIENTS,
	CONF_TLS_VERSION,
	CONF_DOMAINS,
	CONF_NETWORKS,
	CONF_MAILDIR,
	CONF_LMTP,
	CONF_ROUTE,
	CONF_ROUTES,
	CONF_ROUTES_BY_SENDER,
	CONF_SOURCE,
	CONF_WARMUP,
	CONF_VERP,
	CONF_DISCARD,
	CONF_REFUSE,
	CONF_PROGRAM,
	CONF_PIPE,
	CONF_PIPE_MAILBOXES,
	CONF_FALLBACK,
	CONF_DNS,
	CONF_LOG,
	CONF_INCLUDE,
	CONF_BLOCK, /* opens the block that is called like the row */
	CONF_DESTINATION, /* a block too, with patterns before its brace */
	CONF_PROVIDER, /* and one with names of providers */

	CONF_TYPE_COUNT
};

/*
 * Rows of the blocks "destination" and "provider" are about a struct conf_limits, all others about
 * the conf.
 */
struct conf_option {
	const char *block; /* "limits"; NULL is outside of blocks */
	const char *words; /* "message size" */
	enum conf_type type;
	size_t offset;
	uint64_t preset, min, max;
	const char *preset_text; /* for strings; NULL is "".  Of limits: what holds without it */
	const char *zero; /* the word for 0 ("unlimited"), allowed whatever min says */
	const char *syntax; /* what follows the words, for the manual */
	const char *doc; /* full sentences */
	bool repeats; /* may be given again, and adds */
};

/* All rows, in the order in which conf_show and the manual have them. */
size_t conf_option_count(void);
const struct conf_option *conf_option_at(size_t index);
/* The row of that block (NULL: none) and those words; NULL where there is none. */
const struct conf_option *conf_option_find(const char *block, const char *words);

/* Gives every value its default; strings are static ones. */
void conf_option_presets(struct conf *conf);
/* Whether the row is one of the block "destination" or "provider". */
bool conf_option_is_limit(const struct conf_option *option);
/* Whether anything is said of it, in such a block. */
bool conf_option_is_said(
    const struct conf_limits *limits, const struct conf_option *option);
bool conf_option_is_block(const struct conf_option *option);
/* The limits of a TIMES or RATE row; holder is the conf, or the limits of a destination. */
struct conf_limits *conf_option_limits(void *holder, const struct conf_option *option);

/* The number of a COUNT, PROCESSES, SIZE, TIME, PERCENT, BOOL, SEPARATOR or TLS_MODE row. */
uint64_t conf_option_number(const void *holder, const struct conf_option *option);
void
conf_option_set_number(void *holder, const struct conf_option *option, uint64_t number);
/* The string of a DOMAIN, PATH, MAILBOX or TEXT row. */
struct span conf_option_text(const struct conf *conf, const struct conf_option *option);
void conf_option_set_text(
    struct conf *conf, const struct conf_option *option, struct span text);
/* Whether the row holds a number (true) or a string or a list. */
bool conf_option_is_number(const struct conf_option *option);
bool conf_option_is_text(const struct conf_option *option);

/* The networks of a NETWORKS row. */
struct conf_networks
conf_option_networks(const struct conf *conf, const struct conf_option *option);

/* Adds a number as the language writes it for that row: "50 MB", "5 m", "1000", "yes". */
void conf_option_write_number(
    struct buf *out, const struct conf_option *option, uint64_t number);

/* Adds "100 per 1 m" or "unlimited". */
void conf_option_write_rate(struct buf *out, const struct conf_limits *limits);

/*
 * Adds the statement of a row with one value, or of a list of times, as conf_show has it:
 * "rate 100 per 1 m".  holder is the conf, or the limits of a destination.  False: another row.
 */
bool
conf_show_option(struct buf *out, const void *holder, const struct conf_option *option);

/* The words of enum values, as the language has them. */
const char *conf_listener_kind_name(enum conf_listener_kind kind);
const char *conf_tls_name(enum conf_tls tls);
const char *conf_route_kind_name(enum conf_route_kind kind);
const char *conf_tls_version_name(enum conf_tls_version version);
const char *conf_log_format_name(enum conf_log_format format);
const char *conf_log_target_name(enum conf_log_target target);
