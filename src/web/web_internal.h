/* Shared by the files of this folder. */
#pragma once

#include "base/check.h"
#include "web/web.h"
#include "web/web_html.h"

/* web_address.c */
/* Adds the address of a page from this one, for an attribute: "../252/index.html". */
void web_address(const struct web_page *page, const struct web_target *target);
/* The same in another language. */
void web_address_in(const struct web_page *page, const struct web_target *target,
    const struct language *language);
/* The page of a code of the catalogue ("X.1.1") as it is best seen from a code ("5.7.1"). */
struct web_target web_related(struct span related, const struct explain_code *from);
/* A comparison, in its one order; false where one of them is not in the catalogue. */
bool web_comparison(struct span a, struct span b, struct web_target *target);

/* web_page.c */
#define WEB_RAW(page, literal) buf_add((page)->out, SPAN(literal))
void web_word(struct web_page *page, enum word word);
void web_word_with(struct web_page *page, enum word word, const struct word_fields *fields);
/* What a word says before and behind its {text}, without the colon: "Sender: {text}". */
void web_label(struct web_page *page, enum word word);
/* A text of the catalogue, in the page's language, escaped. */
void web_said(struct web_page *page, const char *english);
/* <a href=...>, to be closed with WEB_RAW(page, "</a>"). */
void web_link(struct web_page *page, const struct web_target *target);
/* <h2 id=...> of a word. */
void web_heading(struct web_page *page, const char *id, enum word word);
/* A section of a heading and a text of the catalogue; nothing where that is "". */
void web_section(struct web_page *page, const char *id, enum word word, const char *english);
/* Head and all up to <main>; then the end. */
void web_page_begin(struct web_page *page, struct span title, struct span description);
void web_page_end(struct web_page *page);
/* A code or key, which is written from left to right in every script. */
void web_code(struct web_page *page, struct span code);
/* One row of a list: link to a page, its code or key, its name. */
void web_row(struct web_page *page, const struct web_target *target);
/* Its code or key, and its name in the page's language. */
struct span web_target_key(const struct web_target *target);
const char *web_target_name(const struct web_target *target);
/* "good" to "bad": a class for the style, by the first digit of a code. */
const char *web_tone(char class);

/* web_code.c */
void web_code_write(struct web_page *page);
void web_group_write(struct web_page *page);
/* What each can do; "" where there is nothing. */
void web_advice(
    struct web_page *page, const char *sender, const char *admin, const char *developer);
/* The same without section and heading. */
void web_advice_cards(
    struct web_page *page, const char *sender, const char *admin, const char *developer);
void web_transcript(struct web_page *page, const char *text);
void web_standard(struct web_page *page, const char *rfc);

/* web_topic.c */
void web_topic_write(struct web_page *page);

/* web_compare.c */
void web_compare_write(struct web_page *page);
void web_pairs_write(struct web_page *page);

/* web_list.c */
void web_index_write(struct web_page *page);
/* All pages, in sections. */
void web_list_all(struct web_page *page);

/* web_search.c */
void web_search_write(struct web_page *page);
void web_words_write(struct web_page *page);

/* web_story.c */
/*
 * What a pasted bounce, reply or line of a log tells, for each recipient; false where it tells
 * nothing, and then nothing is written.
 */
bool web_story_write(struct web_page *page, struct span pasted);

/* web_paste.c */
void web_paste_write(struct web_page *page);
