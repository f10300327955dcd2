/* What the files of story share: story.c, story_log.c (lines of logs), story_page.c. */
#pragma once

#include "rules/story.h"

/* A copy in the story; "" where there is no room any more. */
struct span story_keep(struct story *story, struct span text);
/* Takes a line of a log (Postfix, Exim, sendmail, Postrider) apart; false where it is none. */
bool story_log_line(struct span line, struct story_rcpt *rcpt);
