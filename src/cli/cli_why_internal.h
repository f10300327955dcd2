/* What the files of "postrider why" share; nobody else includes this. */
#pragma once

#include "cli/cli_why.h"

/* Fills a story from the ledger and the queue; gives an exit status, told. */
int cli_why_gather(struct story *story, const char *conf_path, uint64_t id);
/* Adds a story as JSON. */
void cli_why_json(struct buf *out, const struct story *story, const struct language *language);
/* Adds it as a page or as JSON. */
void cli_why_write(
    struct buf *out, const struct story *story, const struct cli_explain_options *options);
