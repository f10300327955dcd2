/*
 * What the files of "postrider spool" share: cli_spool.c reads the arguments and
 * opens the spool, cli_spool_check.c, _dump.c and _copy.c do what is asked.
 * Nobody else includes this.
 */
#pragma once

#include "io/io.h"
#include "spool/spool_verify.h"

/* Exit codes of check beside EX_OK; every command here fails with the second. */
enum { CLI_SPOOL_DAMAGED = 1, CLI_SPOOL_FAILED = 2 };

enum { CLI_SPOOL_DOUBT_MS = 150 }; /* between passes over a spool in use */

struct cli_spool {
	const char *path; /* the spool's directory */
	bool json, body; /* --json, --body */
	bool may_repeat, set_aside; /* of restore */
	bool running; /* a server has it open */
	struct io *io;
	struct io_dir *dir;
};

/* Opens the directory, and finds out whether a server has it; false, told, where it cannot. */
bool cli_spool_use(struct cli_spool *spool, const char *path);
void cli_spool_close(struct cli_spool *spool);
/* Whether a server has the spool in this directory open. */
bool cli_spool_is_running(const char *path);
/* A look at all of the spool; NULL, told, where it cannot be read. */
struct spool_verify *cli_spool_look(struct cli_spool *spool);
/* The passes over a spool until nothing is in doubt. */
enum err cli_spool_follow(struct spool_verify *verify);
/* Tells why something cannot be done; gives CLI_SPOOL_FAILED. */
int cli_spool_say(const char *what, const char *path, enum err err);
/* For people: "4.2 MB". */
struct cli_spool_size {
	char text[32];
};
struct cli_spool_size cli_spool_size(uint64_t bytes);

int cli_spool_check(struct cli_spool *spool);
/* Checks without words, unless there is damage; CLI_SPOOL_DAMAGED. */
int cli_spool_check_quietly(struct cli_spool *spool);
int cli_spool_dump(struct cli_spool *spool, uint64_t id);
int cli_spool_backup(struct cli_spool *spool, const char *to);
int cli_spool_restore(struct cli_spool *backup, const char *to);
