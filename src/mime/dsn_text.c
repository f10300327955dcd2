/*
 * The part of a notification that people read: what happened, in one sentence a
 * recipient; then what the other server said, in its own words, and what to do.
 * Where the sender's language is known it comes in that, and then in English, in one text: mail
 * programs show the parts of a multipart/multilingual (RFC 8255) one below the other, as
 * attachments, or one of them only.
 *
 * It is UTF-8 in quoted-printable, so that the message stays 7bit whatever the
 * words are.  What could pretend to be ours does not get through: the other
 * server's lines are quoted one by one, and controls, line separators and
 * changes of writing direction become "?".
 */
#include "mime/dsn_internal.h"

#include "base/check.h"
#include "base/utf8.h"
#include "mime/quoted.h"
#include "mime/trace.h"
#include "replies/page.h"

enum {
	TEXT_COLUMNS_MAX = 72,
	PARAGRAPH_BYTES_MAX = 16 << 10,
	WORDS_BYTES_MAX = 4096, /* of another server */
	NAME_BYTES_MAX = 400, /* of an address, a host, an id */
};

bool
dsn_cut_character(struct span *text, uint32_t *character)
{
	size_t bytes = utf8_take(*text, character);

	*text = span_skip(*text, bytes ? bytes : 1);
	return bytes > 0;
}

/* What shows as itself: no controls, line separators, marks of direction or of no width. */
static bool
is_shown(uint32_t c)
{
	return c >= ' ' && c != 127 && (c < 0x80 || c >= 0xa0) &&
	       (c < 0x200b || c > 0x200f) && (c < 0x2028 || c > 0x202e) &&
	       (c < 0x2066 || c > 0x2069) && c != 0xfeff;
}

/* Adds what a peer may have said, on this line. */
static void
put(struct quoted *text, struct span words)
{
	while (words.len) {
		struct span rest = words;
		uint32_t character;

		if (dsn_cut_character(&rest, &character) && is_shown(character))
			quoted_add(text, span_first(words, words.len - rest.len));
		else
			quoted_add(text, SPAN("?"));
		words = rest;
	}
}

/* The same for an address, a host, an id: whoever parsed it, a part of it is enough. */
static void
put_name(struct quoted *text, struct span name)
{
	put(text, span_first(name, NAME_BYTES_MAX));
}

static void
put_str(struct quoted *text, const char *words)
{
	put(text, span_str(words));
}

/* Adds words in lines of their own, with breaks where they are due. */
static void
put_paragraphs(struct quoted *text, struct span words, bool indented)
{
	struct buf lines;
	struct page page = {.out = &lines, .width = TEXT_COLUMNS_MAX};
	struct span rest, line;

	buf_init(&lines, PARAGRAPH_BYTES_MAX);
	if (indented)
		page_text(&page, words);
	else
		page_paragraph(&page, words);
	rest = buf_span(&lines);
	while (rest.len && span_cut(&rest, '\n', &line)) {
		put(text, line);
		quoted_end_line(text);
	}
	buf_fini(&lines);
}

/* Blanks in an address, which it may have in quotes, are no places to break a line at. */
static void
add_name(struct buf *out, struct span name)
{
	name = span_first(name, NAME_BYTES_MAX);
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] == ' ')
			buf_add_str(out, "\u00a0");
		else
			buf_add_char(out, name.ptr[i]);
}

static void
put_word(struct quoted *text, const struct language *language, enum word word,
    const struct word_fields *fields, bool indented)
{
	struct buf words;

	buf_init(&words, PARAGRAPH_BYTES_MAX);
	word_add(&words, language, word, fields);
	put_paragraphs(text, buf_span(&words), indented);
	buf_fini(&words);
}

/* Each line of the other server's words, behind a mark of its own. */
static void
put_quoted(struct quoted *text, const struct dsn_recipient *recipient)
{
	struct span words = span_first(recipient->text, WORDS_BYTES_MAX);
	struct span line = SPAN("");
	bool first = true;

	while (span_cut(&words, '\n', &line) || first) {
		put_str(text, "    > ");
		if (first && recipient->code) {
			char code[] = {(char)('0' + recipient->code / 100 % 10),
			    (char)('0' + recipient->code / 10 % 10),
			    (char)('0' + recipient->code % 10)};

			put(text, span_of(code, sizeof(code)));
			put_str(text, " ");
			put_name(text, recipient->status);
			put_str(text, recipient->status.len ? " " : "");
		}
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		put(text, line);
		quoted_end_line(text);
		first = false;
	}
}

/* What happened to an address, by the part of its status behind the class; the first that fits. */
static const struct {
	const char *status; /* "1.1"; "7." is all that begins so */
	enum word word;
} sentences[] = {
    {"1.1", WORD_BOUNCE_NO_MAILBOX},
    {"1.2", WORD_BOUNCE_NO_DOMAIN},
    {"1.3", WORD_BOUNCE_SYNTAX},
    {"1.6", WORD_BOUNCE_MOVED},
    {"1.10", WORD_BOUNCE_NULL_MX},
    {"2.1", WORD_BOUNCE_DISABLED},
    {"2.2", WORD_BOUNCE_FULL},
    {"2.3", WORD_BOUNCE_TOO_LARGE},
    {"3.4", WORD_BOUNCE_TOO_LARGE},
    {"4.4", WORD_BOUNCE_NO_ROUTE},
    {"4.6", WORD_BOUNCE_LOOP},
    {"6.7", WORD_BOUNCE_UTF8},
    {"7.10", WORD_BOUNCE_TLS},
    {"7.20", WORD_BOUNCE_NOT_PROVEN},
    {"7.21", WORD_BOUNCE_NOT_PROVEN},
    {"7.22", WORD_BOUNCE_NOT_PROVEN},
    {"7.23", WORD_BOUNCE_NOT_PROVEN},
    {"7.24", WORD_BOUNCE_NOT_PROVEN},
    {"7.26", WORD_BOUNCE_NOT_PROVEN},
    {"7.29", WORD_BOUNCE_NOT_PROVEN},
    {"7.30", WORD_BOUNCE_TLS},
    {"7.", WORD_BOUNCE_POLICY},
};

static enum word
sentence_of(const struct dsn_recipient *recipient)
{
	static const enum word outcomes[DSN_ACTION_COUNT] = {[DSN_FAILED] = WORD_BOUNCE_FAILED,
	    [DSN_DELAYED] = WORD_BOUNCE_DELAYED,
	    [DSN_DELIVERED] = WORD_BOUNCE_DELIVERED,
	    [DSN_RELAYED] = WORD_BOUNCE_RELAYED,
	    [DSN_EXPANDED] = WORD_BOUNCE_EXPANDED};
	struct dsn_status status = dsn_status_of(recipient);
	struct span detail = span_str(status.text + 2);

	if (recipient->action != DSN_FAILED)
		return outcomes[recipient->action];
	if (recipient->expired)
		return WORD_BOUNCE_EXPIRED;
	for (size_t i = 0; i < LEN(sentences); i++) {
		struct span known = span_str(sentences[i].status);
		bool prefix = known.ptr[known.len - 1] == '.';

		if (prefix ? span_starts(detail, known) : span_eq(detail, known))
			return sentences[i].word;
	}
	return WORD_BOUNCE_FAILED;
}

static void
put_sentence(struct quoted *text, const struct language *language,
    const struct dsn_recipient *recipient)
{
	struct buf address;

	buf_init(&address, 2 * NAME_BYTES_MAX);
	add_name(&address, recipient->address);
	put_word(text, language, sentence_of(recipient),
	    &(struct word_fields){.address = buf_span(&address)}, false);
	buf_fini(&address);
}

static void
put_said(struct quoted *text, const struct language *language,
    const struct dsn_recipient *recipient)
{
	struct buf host;
	enum word word = recipient->code == 0     ? WORD_BOUNCE_REASON
			 : recipient->remote.len ? WORD_BOUNCE_SERVER_SAID
						 : WORD_BOUNCE_SERVER_THERE_SAID;

	if (recipient->text.len == 0 && recipient->code == 0)
		return;
	buf_init(&host, 2 * NAME_BYTES_MAX);
	add_name(&host, recipient->remote);
	put_word(text, language, word, &(struct word_fields){.host = buf_span(&host)}, true);
	buf_fini(&host);
	put_quoted(text, recipient);
}

/* The words of the other server are quoted once, in the first language. */
static void
put_details(struct quoted *text, const struct language *language,
    const struct dsn_recipient *recipient, bool again)
{
	if (again && !recipient->explanation && !recipient->meaning)
		return;
	quoted_end_line(text);
	put_name(text, recipient->address);
	quoted_end_line(text);
	if (!again)
		put_said(text, language, recipient);
	if (recipient->meaning)
		put_paragraphs(
		    text, span_str(language_text(language, recipient->meaning)), true);
	if (recipient->explanation)
		put_word(text, language, WORD_BOUNCE_TO_DO,
		    &(struct word_fields){
			.text = span_str(language_text(language, recipient->explanation))},
		    true);
}

static void
put_origin(struct quoted *text, const struct language *language, const struct dsn *dsn)
{
	struct buf date, host, id;

	buf_init(&date, 64);
	buf_init(&host, 2 * NAME_BYTES_MAX);
	buf_init(&id, 2 * NAME_BYTES_MAX);
	trace_write_date(&date, dsn->arrival_wall_ms);
	add_name(&host, dsn->hostname);
	add_name(&id, dsn->id);
	quoted_end_line(text);
	put_word(text, language, WORD_BOUNCE_ORIGIN,
	    &(struct word_fields){
		.host = buf_span(&host), .time = buf_span(&date), .text = buf_span(&id)},
	    false);
	buf_fini(&date);
	buf_fini(&host);
	buf_fini(&id);
}

/* For whom it is, where it is not for the sender. */
static void
put_notice(struct quoted *text, const struct language *language, const struct dsn *dsn)
{
	struct buf sender;

	if (!dsn->notice)
		return;
	buf_init(&sender, 2 * NAME_BYTES_MAX);
	buf_add_char(&sender, '<');
	add_name(&sender, dsn->sender);
	buf_add_char(&sender, '>');
	put_word(text, language, dsn->lost ? WORD_BOUNCE_LOST : WORD_BOUNCE_COPY,
	    &(struct word_fields){.address = buf_span(&sender), .text = span_str(dsn->lost)},
	    false);
	quoted_end_line(text);
	buf_fini(&sender);
}

static void
put_language(
    struct quoted *text, const struct language *language, const struct dsn *dsn, bool again)
{
	put_notice(text, language, dsn);
	for (size_t i = 0; i < dsn->recipient_count; i++)
		put_sentence(text, language, &dsn->recipients[i]);
	for (size_t i = 0; i < dsn->recipient_count; i++)
		put_details(text, language, &dsn->recipients[i], again);
	put_origin(text, language, dsn);
}

void
dsn_write_text(struct buf *out, const struct dsn *dsn)
{
	struct quoted text = {.out = out};

	put_language(&text, dsn->language, dsn, false);
	if (!dsn->language)
		return;
	quoted_end_line(&text);
	put_str(&text, "* * *");
	quoted_end_line(&text);
	quoted_end_line(&text);
	put_language(&text, NULL, dsn, true);
}
