/*
 * What the files of "postrider queue" and "postrider trace" share: cli_queue.c reads the arguments,
 * cli_queue_talk.c asks the server, cli_queue_print.c shows the answer, with the words of
 * cli_queue_why.c, cli_queue_summary.c a summary.  Nobody else includes this.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "replies/page.h"
#include "route/name.h"
#include "rules/story.h"

enum cli_queue_verb {
	CLI_QUEUE_LIST,
	CLI_QUEUE_SUMMARY,
	CLI_QUEUE_SHOW,
	CLI_QUEUE_RETRY,
	CLI_QUEUE_HOLD,
	CLI_QUEUE_RELEASE,
	CLI_QUEUE_DELETE,
	CLI_QUEUE_SUSPEND,
	CLI_QUEUE_RESUME,
	CLI_QUEUE_SUSPENDED,
	CLI_QUEUE_REROUTE,
	CLI_QUEUE_WHY, /* how a destination stands */
	CLI_QUEUE_SOURCES, /* the addresses that mail leaves from */
	CLI_QUEUE_TRACE, /* "postrider trace" */
	CLI_QUEUE_VERB_COUNT
};

struct cli_queue_options {
	enum cli_queue_verb verb;
	const char *id; /* or "all", or a destination (name); NULL for a list */
	char name[ROUTE_NAME_BYTES_MAX + 1]; /* of a destination, as it was typed */
	uint64_t seconds; /* of a suspension; 0: until it is resumed.  --older, of reroute */
	bool json;
	const struct language *language; /* of what the catalogue explains; NULL: English */
	uint64_t limit; /* of a list or a summary */
	const char *match, *reasons, *from, *pool; /* NULL: all */
	char host[256]; /* of reroute; "": back to normal */
	unsigned port;  /* 0: the usual one */
};

/* What is being shown: one message is held at a time, however long a list is. */
struct cli_queue_printer {
	const struct cli_queue_options *options;
	uint64_t now_ms; /* for "in 4 min" */
	size_t width; /* of the terminal */
	bool bold;
	json_t *message; /* gathered so far, with its "recipients"; or NULL */
	uint64_t shown; /* messages, or destinations */
	uint64_t rcpt_count; /* of a summary */
	json_t *by_age, *tallies; /* of a summary, gathered for its end; or NULL */
	json_t *standing; /* gathered so far, of a provider with its "domains"; or NULL */
	char nearest[ROUTE_NAME_BYTES_MAX + 1]; /* nothing is called as was asked, but so; or "" */
};

/* A message of the answer begins; whatever was gathered before is printed. */
void cli_queue_print_message(struct cli_queue_printer *printer, json_t *message);
/* A recipient of the message before. */
void cli_queue_print_rcpt(struct cli_queue_printer *printer, json_t *rcpt);
/* The end; count is how many messages an act was for, total how many are in the queue. */
void
cli_queue_print_end(struct cli_queue_printer *printer, uint64_t count, uint64_t total);
/* A destination of a summary. */
void cli_queue_print_destination(struct cli_queue_printer *printer, json_t *destination);
/* What is counted in a summary besides destinations. */
void cli_queue_print_tally(struct cli_queue_printer *printer, json_t *tally);
/* After an error: lets go of what was gathered. */
void cli_queue_print_stop(struct cli_queue_printer *printer);

/* "2026-11-24T03:04:05.123Z" as milliseconds since 1970; false for anything else. */
bool cli_queue_time(const char *text, uint64_t *wall_ms);
/* Adds "in 4 min", "12 s ago", "now" or "just now". */
void cli_queue_write_distance(struct buf *out, uint64_t then_ms, uint64_t now_ms);

/* "24 Nov 03:04:05 UTC (in 4 min)" */
void cli_queue_write_time(
    const struct cli_queue_printer *printer, struct buf *out, const char *text);
/* What a peer said, on one line: code and text of a recipient or a destination. */
void cli_queue_write_reply(struct buf *out, json_t *object);
bool cli_queue_has_reply(json_t *object);
/* Ends a line after so many columns. */
void cli_queue_cut_line(struct buf *out, size_t start, size_t width);
/* "" and 0 where the object has no such member. */
const char *cli_queue_text(json_t *object, const char *key);
long long cli_queue_number(json_t *object, const char *key);
const char *cli_queue_plural(long long count);
/* What is not there is null, not "" or 0. */
void cli_queue_set_nulls(json_t *object, const char *const *keys, size_t count);

/* Why a recipient waits, and for what: in sentences, and in a few words. */
void cli_queue_write_why(
    const struct cli_queue_printer *printer, struct buf *out, json_t *rcpt);
void cli_queue_write_why_short(
    const struct cli_queue_printer *printer, struct buf *out, json_t *rcpt);
/* The same as "postrider why" tells it; all but the address, pointing into waiting. */
void cli_queue_tell(struct story_rcpt *rcpt, json_t *waiting, struct span id);
/* How people call a destination in a sentence: "far.example", "the server relay.example:25". */
void cli_queue_write_destination(struct buf *out, const char *key);
/* What it is called where it may be typed back: "server relay.example:25". */
void cli_queue_write_name(struct buf *out, const char *key);
/* "; did you mean "server relay.example:25"?", or nothing; and as a member of an object. */
void cli_queue_print_nearest(const struct cli_queue_printer *printer);
void cli_queue_print_nearest_json(const struct cli_queue_printer *printer);

/* The end of a summary; total is how many destinations there are. */
void cli_queue_summary_end(struct cli_queue_printer *printer, uint64_t total);
/* Lets go of what was gathered. */
void cli_queue_summary_stop(struct cli_queue_printer *printer);

/* An attempt, with its steps: as a page of its own, or of the message that is shown. */
void cli_queue_print_transcript(struct cli_queue_printer *printer, json_t *transcript);
void cli_queue_transcript_end(const struct cli_queue_printer *printer, uint64_t total);
/* Its last steps, for the page of its message. */
void cli_queue_write_transcript_end(
    const struct cli_queue_printer *printer, struct buf *out, json_t *transcript);

/* A destination that is suspended, and the end of these, and of suspending one. */
void cli_queue_print_suspension(struct cli_queue_printer *printer, json_t *suspension);
void cli_queue_suspension_end(const struct cli_queue_printer *printer, uint64_t total);

/* How a destination stands, a domain of the provider before, and the end of these. */
void cli_queue_print_standing(struct cli_queue_printer *printer, json_t *standing);
void cli_queue_print_member(struct cli_queue_printer *printer, json_t *member);
void cli_queue_standing_end(struct cli_queue_printer *printer);

/* An address that mail leaves from, and the end of these. */
void cli_queue_print_source(struct cli_queue_printer *printer, json_t *source);
void cli_queue_sources_end(const struct cli_queue_printer *printer);

/* The control socket's path from the configuration; NULL, told, with the exit status. */
char *cli_queue_find_socket(const char *conf_path, int *status);
/* "30m", "2h", "1d" in seconds; 0: it is no such time, or longer than days_max. */
uint64_t cli_queue_seconds(const char *text, uint64_t days_max);

/* Does what the options say; the socket's path, or the configuration's, or neither. */
int cli_queue_run(const struct cli_queue_options *options, const char *conf_path,
    const char *socket_path);
/* A stream to the control socket; or -1, told, with the exit status. */
int cli_queue_connect(const char *path, int *status);
/* Asks, shows what comes; gives an exit status.  Closes fd. */
int cli_queue_talk(
    int fd, const struct cli_queue_options *options, struct cli_queue_printer *printer);
/* How the protocol calls a verb. */
const char *cli_queue_verb_name(enum cli_queue_verb verb);
