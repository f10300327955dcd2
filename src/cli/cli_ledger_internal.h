/*
 * What "postrider audit" and "postrider ledger" share: the ledger's files, which are read here,
 * and the server that writes them, which is asked where it runs.
 */
#pragma once

#include <stdio.h>

#include <jansson.h>

#include "ledger/ledger_read.h"

struct cli_ledger {
	struct io *io;
	struct io_dir *dir; /* the spool's */
	char *spool_path;
	char *control_path;
	bool running; /* a server has the spool open */
	int fd;       /* to its control socket, or -1 */
	FILE *answers;
	char *line;
	size_t line_room;
};

/*
 * Opens the spool that the configuration names; gives an exit status, told where it is not
 * EX_OK.
 */
int cli_ledger_open(struct cli_ledger *ledger, const char *conf_path);
void cli_ledger_close(struct cli_ledger *ledger);
/* Connects to the server, which runs. */
int cli_ledger_connect(struct cli_ledger *ledger);
/*
 * Asks the server; takes the reference of the request.  Each answer but the last goes to take
 * (NULL: there is none); the last, of "done", to *done where that is not NULL.
 */
int cli_ledger_ask(struct cli_ledger *ledger, json_t *request,
    void (*take)(void *owner, json_t *answer), void *owner, json_t **done);
/* Has the server write down what it knows.  Nothing to do where none runs. */
int cli_ledger_flush(struct cli_ledger *ledger);
/* Tells why the ledger can't be read; gives an exit status. */
int cli_ledger_say(const struct cli_ledger *ledger, enum err err);

/* A time option's value; EX_OK or EX_USAGE, told. */
struct cli_moment;
int cli_ledger_moment(
    const char *usage, const char *option, const char *text, struct cli_moment *moment);
/* Text from the network as JSON: what is no UTF-8 becomes "?"; NULL-able: "" is null. */
json_t *cli_ledger_json_text(struct span text);
json_t *cli_ledger_json_time(uint64_t wall_ms);
json_t *cli_ledger_json_id(uint64_t id);
