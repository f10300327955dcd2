/*
 * What the files of this folder share; nobody else may include it.
 *
 *   conf_bundle   files -> conf_lex      bytes -> tokens
 *   conf_parse    tokens -> statements, by the rows of conf_option
 *   conf_scalar   the values of rows;    conf_statement  the richer statements
 *   conf_destination  the block of a destination's limits;  conf_pipe  programs
 *   conf_table    files of routes
 *   conf_check    what must be true of the whole
 *   conf_value    words -> numbers, names, addresses;  conf_near  the nearest word
 *   conf_error    where it went wrong
 */
#pragma once

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"
#include "conf/conf_option.h"

enum {
	CONF_OPTIONS_MAX = 240,
	CONF_WORDS_MAX = 4, /* words of an option */
	CONF_TEXT_MAX = 512, /* bytes of an error's text */
};

enum conf_file_kind {
	CONF_FILE_UNASKED, /* no statement has named it so far */
	CONF_FILE_CONFIG, /* the main file, or an included one */
	CONF_FILE_CERTIFICATE,
	CONF_FILE_ROUTES, /* its text is freed by itself */
};

struct conf_file {
	enum conf_file_kind kind;
	bool unreadable; /* and text is the reason */
	bool scanned; /* what it names is wanted */
	struct span name, text;
	char *owned; /* the text, where it is not in the bundle's arena */
};

struct conf_bundle {
	struct conf_file files[CONF_FILES_MAX];
	size_t count;
	struct conf_file wanted[CONF_FILES_MAX]; /* kind and name only */
	size_t wanted_count;
	struct arena arena;
};

const struct conf_file *
conf_bundle_find(const struct conf_bundle *bundle, struct span name);
/* The path that a name in file means; false where it is empty or too long. */
struct conf_path {
	char bytes[CONF_PATH_BYTES_MAX + 2]; /* a slash behind it, meanwhile */
	size_t len;
};
bool conf_bundle_path(struct span file, struct span name, struct conf_path *path);

/* A place in a file; line and column are found when an error needs them. */
struct conf_place {
	const struct conf_file *file; /* NULL is nowhere */
	size_t at;
};

struct conf_errors {
	struct arena *arena;
	struct conf_error *list;
	size_t count;
	struct conf_place line; /* the last error's line: one error a line is enough */
	size_t line_end;
};

void conf_error_add(struct conf_errors *errors, struct conf_place place,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
bool conf_errors_full(const struct conf_errors *errors);
unsigned conf_place_line(struct conf_place place);
/* What a user wrote, for error texts: shortened, in quotes, no control characters. */
struct conf_quote {
	char text[96];
};
struct conf_quote conf_quote(struct span span);

/* Whether the character at the front, which is UTF-8, is none that a line may hold. */
bool conf_is_control(struct span text);

enum conf_token_kind {
	CONF_WORD,
	CONF_STRING,
	CONF_COMMA,
	CONF_OPEN,
	CONF_CLOSE,
	CONF_SEMICOLON,
	CONF_NEWLINE,
	CONF_EOF,
};

struct conf_token {
	enum conf_token_kind kind;
	struct span text; /* of a string: without quotes and escapes */
	struct conf_place place;
};

static inline bool
conf_token_is_value(const struct conf_token *token)
{
	return token->kind == CONF_WORD || token->kind == CONF_STRING;
}

struct conf_lexer {
	const struct conf_file *file;
	size_t at;
	struct conf_errors *errors; /* NULL: looks ahead, and tells nobody */
	struct arena *arena; /* for strings with escapes */
};

void conf_lexer_init(struct conf_lexer *lexer, const struct conf_file *file,
    struct conf_errors *errors, struct arena *arena);
/* As conf_lexer_init, but begins at a place within a line. */
void conf_lexer_init_at(struct conf_lexer *lexer, const struct conf_file *file, size_t at,
    struct conf_errors *errors, struct arena *arena);
struct conf_token conf_lexer_next(struct conf_lexer *lexer);
/* How an error text calls a token: "\"on\"", "the end of the line". */
struct conf_quote conf_token_quote(const struct conf_token *token);

/* A growing array, and where each of its items stands. */
struct conf_list {
	void *items;
	struct conf_place *places;
	size_t count, room;
};

struct conf_parser {
	struct conf_bundle *bundle;
	struct conf *conf;
	struct arena *arena; /* of the conf */
	struct arena scratch;
	struct conf_errors errors;
	struct conf_lexer lexer;
	struct conf_token token; /* not yet used */
	struct {
		struct conf_lexer lexer;
		struct conf_token token;
	} stack[CONF_FILES_MAX]; /* files that wait for an included one */
	size_t depth;
	const struct conf_file *include; /* to be entered after its statement */
	const char *block; /* NULL outside of blocks */
	struct conf_place block_place;
	struct conf_place places[CONF_OPTIONS_MAX]; /* of each row's first statement */
	struct conf_place read[CONF_FILES_MAX]; /* where each file was included */
	struct conf_place listeners[CONF_LISTENERS_MAX];
	size_t table_count;
	struct conf_list domains, routes, destinations, providers, sources, warmups, verps;
	struct conf_list relay_networks, xclient_networks, proxy_networks;
	struct conf_list programs; /* struct conf_pipe *, where they are named first */
	struct conf_list patterns; /* of the block "destination" or "provider" that is open */
	struct conf_limits limits; /* and what it says */
	struct map seen; /* what may be said once: text to struct conf_place */
};

/* conf_parse: tokens. */
void conf_parser_advance(struct conf_parser *parser);
bool conf_parser_at_value(const struct conf_parser *parser);
/* Adds an error that ends the statement; false, for "return". */
bool conf_parser_fail(struct conf_parser *parser, struct conf_place place,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* After a value: whether a comma and another value follow. */
bool conf_parser_more(struct conf_parser *parser);
bool conf_parser_is(const struct conf_parser *parser, const char *word);
/* Takes that word; fails where another stands there. */
bool conf_parser_expect(struct conf_parser *parser, const char *word);
/* Takes a value; what is its name in "expected ...". */
bool
conf_parser_value(struct conf_parser *parser, const char *what, struct conf_token *value);
/* Takes one of the words that name gives for 0 ... count - 1. */
bool conf_parser_choice(struct conf_parser *parser, const char *(*name)(unsigned),
    unsigned count, unsigned *choice);
/* Fails where the same was said before. */
bool
conf_parser_once(struct conf_parser *parser, struct conf_place place, struct span what);
/* A copy in lower case, which lives as long as the configuration. */
struct span conf_parser_lower(struct conf_parser *parser, struct span text);
bool conf_parser_path(
    struct conf_parser *parser, const char *what, size_t bytes_max, struct span *path);
/* Fails where an earlier pattern for the same ("route") is the same, or takes all its mail. */
bool conf_pattern_once(struct conf_parser *parser, const char *what,
    struct conf_place place, struct span pattern);
bool conf_parser_user(struct conf_parser *parser, struct span *user);
/* A number of the row's type, in its range. */
bool conf_parser_number(
    struct conf_parser *parser, const struct conf_option *option, uint64_t *number);
/* Likewise for a route's senders and recipients: fails where an earlier route takes all of them. */
bool conf_pattern_route_free(struct conf_parser *parser, struct conf_place place,
    struct span sender, struct span pattern);
/* And remembers it. */
bool conf_pattern_route_once(struct conf_parser *parser, struct conf_place place,
    struct span sender, struct span pattern);
void conf_list_add(
    struct conf_list *list, const void *item, size_t item_bytes, struct conf_place place);
struct conf_place conf_parser_place_of(
    const struct conf_parser *parser, const char *block, const char *words);

/* A statement's words are taken; these take the rest.  False: an error was added. */
bool conf_scalar_parse(struct conf_parser *parser, const struct conf_option *option);
bool conf_statement_parse(struct conf_parser *parser, const struct conf_option *option);
bool conf_route_parse(struct conf_parser *parser);
bool conf_routes_parse(struct conf_parser *parser);
bool conf_routes_by_sender_parse(struct conf_parser *parser);
/* What a line of a table says behind its pattern, up to the end of the line. */
bool conf_route_way(struct conf_parser *parser, struct conf_route *way);
/* What is wrong with a pattern of domains or addresses; NULL: nothing. */
const char *conf_route_pattern_problem(struct span pattern);
bool conf_route_add(struct conf_parser *parser, struct conf_place place,
    const struct conf_route *route);
/* Says of each route where it stands. */
void conf_routes_settle(struct conf_parser *parser);
/* Reads a table; NULL: errors were added. */
struct conf_table *conf_table_parse(
    struct conf_parser *parser, const struct conf_file *file, bool by_sender);
void conf_table_destroy(struct conf_table *table);
/* The different things that its lines say. */
size_t conf_table_way_count(const struct conf_table *table);
const struct conf_route *conf_table_way(const struct conf_table *table, size_t way);
/* Whether a line takes all mail. */
bool conf_table_takes_all(const struct conf_table *table);
bool conf_source_parse(struct conf_parser *parser);
/* Addresses of this host, without ports, with commas between. */
bool conf_source_addrs_parse(struct conf_parser *parser, struct conf_list *addrs);
bool conf_warmup_parse(struct conf_parser *parser);
bool conf_verp_parse(struct conf_parser *parser);
void conf_source_show(struct buf *out, const struct conf *conf);
void conf_warmup_show(struct buf *out, const struct conf *conf);
void conf_verp_show(struct buf *out, const struct conf *conf);
bool conf_lmtp_parse(struct conf_parser *parser);
bool conf_discard_parse(struct conf_parser *parser);
bool conf_refuse_parse(struct conf_parser *parser);
bool conf_pipe_route_parse(struct conf_parser *parser);
bool conf_pipe_mailboxes_parse(struct conf_parser *parser);
/* "COMMAND" as USER, and limits; or the name of a program. */
bool conf_pipe_parse(struct conf_parser *parser, const struct conf_pipe **pipe);
/* The same, as conf_show has it. */
void conf_pipe_show(struct buf *out, const struct conf_pipe *pipe);
/* "program": a name, and what it stands for. */
bool conf_program_parse(struct conf_parser *parser);
/* The name of a program, and nothing else: it may be declared later. */
bool conf_program_named(struct conf_parser *parser, const struct conf_pipe **pipe);
/* Errors for names that nothing declares. */
void conf_programs_check(struct conf_parser *parser);
void conf_programs_show(struct buf *out, const struct conf *conf);
void conf_pipe_mailboxes_show(struct buf *out, const struct conf *conf);
bool conf_fallback_parse(struct conf_parser *parser);
bool conf_networks_parse(struct conf_parser *parser, const struct conf_option *option);
bool conf_certificate_parse(struct conf_parser *parser);
bool conf_clients_parse(struct conf_parser *parser);
bool conf_tls_version_parse(struct conf_parser *parser);
/* A block "destination" or "provider": what stands before its brace, and its end. */
bool conf_destination_open(
    struct conf_parser *parser, const struct conf_option *option);
void conf_destination_close(struct conf_parser *parser);
/* Fills in what the blocks did not say. */
void conf_destinations_settle(struct conf *conf);

/* Adds what was left out, and errors about what does not fit together. */
void conf_check(struct conf_parser *parser);
/* The same for "warm up": its addresses are those that mail leaves from. */
void conf_warmup_check(struct conf_parser *parser);

/* Values. */
bool conf_value_size(struct span number, struct span unit, uint64_t *bytes);
bool conf_value_time(struct span number, struct span unit, uint64_t *ms);
/* What is wrong with a domain name; NULL where it is right. */
const char *conf_value_domain_problem(struct span domain);
const char *conf_value_mailbox_problem(struct span mailbox);
const char *conf_value_text_problem(struct span text);
/* "HOST", "HOST:PORT", "[ADDRESS]:PORT"; NULL, or what is wrong.  Without port: 0. */
const char *conf_value_endpoint(struct span text, struct span *host, uint16_t *port);
bool conf_value_separator(char c);
void conf_value_write_time(struct buf *out, uint64_t ms);
void conf_value_write_size(struct buf *out, uint64_t bytes);
void conf_value_write_endpoint(struct buf *out, const struct net_addr *addr);
void conf_value_write_prefix(struct buf *out, const struct net_prefix *prefix);
/* A word, in quotes where the language needs them. */
void conf_value_write_word(struct buf *out, struct span word);
