/*
 * "postrider why": why a message did not arrive, told from a bounce, a reply, a line of a log, or
 * from what this server knows of a message of its own.  argv[0] is the name of the sub-command;
 * the result is an exit status of sysexits.h.
 */
#pragma once

#include "base/buf.h"
#include "cli/cli_explain.h"
#include "rules/story.h"

int cli_why(int argc, char **argv);

/*
 * Adds the story of a bounce, a reply or a line of a log, as page or JSON; false where there is
 * none in it.
 */
bool cli_why_answer(
    struct buf *out, struct span input, const struct cli_explain_options *options);
/* The same for bounces alone: "postrider explain" gives it for them. */
bool cli_why_bounce(
    struct buf *out, struct span input, const struct cli_explain_options *options);
