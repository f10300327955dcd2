/*
 * Plain-text tables: one "key: value" a line, read once and then only asked.
 *
 *     # a comment
 *     alice@example.org: alice
 *     sales@example.org: alice@example.org,
 *             bob@example.net         (starts with a blank: the line goes on)
 *     "john doe"@example.org  john    (the colon may be left out)
 *
 * Keys are compared without regard to the case of ASCII letters.  A key that
 * comes twice is an error, not a surprise.  Parsing does no I/O; table_load,
 * in a file of its own, reads a file for it.
 */
#pragma once

#include "base/buf.h"

struct io_dir;
struct table;

enum {
	TABLE_FILE_BYTES_MAX = 64 << 20,
	TABLE_LINE_BYTES_MAX = 64 << 10, /* of a line with all that continue it */
	TABLE_ENTRIES_MAX = 1000000,
	TABLE_KEY_BYTES_MAX = 512,
	TABLE_ERROR_BYTES_MAX = 256,
};

enum table_value {
	TABLE_VALUE_WORD,  /* one word */
	TABLE_VALUE_LIST,  /* one or more words, commas between them: see table_item */
	TABLE_VALUE_SENDERS, /* as LIST, but items may begin with "@" */
	TABLE_VALUE_LOGIN, /* a word, blanks, and a password that may hold blanks */
};

struct table_options {
	enum table_value value;
	bool secret;      /* memory is overwritten, and errors show no values */
	const char *line; /* how a line looks, for errors: "address: mailbox" */
};

/* The tables that Postrider knows. */
extern const struct table_options table_mailboxes;   /* address: mailbox */
extern const struct table_options table_aliases;     /* address: target, target... */
extern const struct table_options table_senders;     /* login: address, @domain, * */
extern const struct table_options table_passwords;   /* login: crypt-hash */
extern const struct table_options table_credentials; /* name: login password */

struct table_error {
	unsigned line, column; /* from 1; 0: the file as a whole */
	char text[TABLE_ERROR_BYTES_MAX];
};

struct table_entry {
	struct span key;   /* lower case; quotes that were not needed are gone */
	struct span value; /* continuations joined with one blank */
	unsigned line;
};

/*
 * Reads all of text; nothing of it is kept.  On ERR_SYNTAX, ERR_EXISTS (a key comes twice),
 * ERR_TOO_LONG and ERR_LIMIT *error says where and what, and there is no table.
 */
MUST_USE enum err table_parse(struct span text, const struct table_options *options,
    struct table **table, struct table_error *error);
/* Reads a file, blocking: for start-up.  As table_parse, and what io_open can say. */
MUST_USE enum err table_load(struct io_dir *dir, const char *name,
    const struct table_options *options, struct table **table, struct table_error *error);
void table_destroy(struct table *table);

/* True where the key is there; *value lives as long as the table.  table NULL: an empty one. */
bool table_find(const struct table *table, struct span key, struct span *value);
size_t table_count(const struct table *table);
/* The entries in the order of the file. */
const struct table_entry *table_at(const struct table *table, size_t index);

/* Cuts the next item off a TABLE_VALUE_LIST; false at its end.  Quoted commas are no commas. */
bool table_item(struct span *rest, struct span *item);
/* Takes a TABLE_VALUE_LOGIN apart. */
void table_login(struct span value, struct span *login, struct span *password);

/* Adds "NAME:12:3: text", for people. */
void table_error_write(struct buf *out, const struct table_error *error, const char *name);
