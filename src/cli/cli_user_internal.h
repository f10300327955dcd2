/* What the files of "postrider user" share. */
#pragma once

#include "base/buf.h"
#include "table/table.h"

enum { CLI_USER_FILE_BYTES_MAX = TABLE_FILE_BYTES_MAX };

/* The file of passwords, locked against another of us. */
struct user_file {
	const char *path;
	int fd;
	struct buf text;
	struct table *table;
	unsigned mode, uid, gid;
};

/*
 * Opens the file, which is made where it is not there, and reads it.  False, and told, where it
 * can't be; what is wrong in it is told too.
 */
bool user_file_open(struct user_file *file, const char *path);
void user_file_close(struct user_file *file);
/* Replaces the line of a login; value "" removes it.  A new login comes at the end. */
void user_file_set(struct user_file *file, const char *login, struct span value);
/* Puts the text in the place of the old, atomically and durably.  False, and told. */
bool user_file_write(struct user_file *file);

/*
 * A password, from the terminal (asked twice) or a line of standard input.  False, and told, where
 * there is none that can be used.
 */
bool user_password_read(struct buf *password);
