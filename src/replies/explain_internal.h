/* What the pages of codes and of topics have in common: explain*.c, and nobody else. */
#pragma once

#include "replies/explain.h"

/* A heading and a text in the page's language. */
void explain_section(struct page *page, enum word heading, const char *english);
/* What each can do; for whom there is nothing is left out. */
void explain_advice(
    struct page *page, const char *sender, const char *admin, const char *developer);
