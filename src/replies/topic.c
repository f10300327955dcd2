#include "replies/topic.h"

#include "base/check.h"
#include "replies/catalogue.h"

enum { COLUMNS_MAX = 76 };

static const struct topic topics[] = {
    {"relay", REPLY_RELAY_DENIED},
    {"user", REPLY_USER_UNKNOWN},
    {"auth", REPLY_AUTH_REQUIRED},
    {"tls", REPLY_TLS_REQUIRED},
    {"lines", REPLY_BARE_LINE_END_IN_DATA},
    {"loop", REPLY_LOOP},
    {"size", REPLY_MESSAGE_TOO_BIG},
    {"recipients", REPLY_TOO_MANY_RECIPIENTS},
    {"limits", REPLY_TOO_MANY_FROM_HOST},
    {"order", REPLY_BAD_SEQUENCE},
    {"syntax", REPLY_SYNTAX},
    {"parameters", REPLY_PARAMETER_UNKNOWN},
    {"utf8", REPLY_UTF8_NOT_ANNOUNCED},
    {"full", REPLY_DISK_FULL},
    {"later", REPLY_LOOKUP_FAILED},
    {"etrn", REPLY_RETRY_REFUSED},
};

const struct topic *
topic_at(size_t index)
{
	return index < LEN(topics) ? &topics[index] : NULL;
}

const struct topic *
topic_find(struct span tag)
{
	for (size_t i = 0; i < LEN(topics); i++)
		if (span_eq_nocase(tag, span_str(topics[i].tag)))
			return &topics[i];
	return NULL;
}

/* Adds a paragraph, in lines. */
static void
write_lines(struct buf *out, struct span text)
{
	size_t columns = 0;
	struct span word;

	buf_add_char(out, '\n');
	while (span_cut(&text, ' ', &word)) {
		if (columns > 0 && columns + 1 + word.len > COLUMNS_MAX) {
			buf_add_char(out, '\n');
			columns = 0;
		} else if (columns > 0) {
			buf_add_char(out, ' ');
			columns++;
		}
		buf_add(out, word);
		columns += word.len;
	}
}

/* The first paragraph. */
static struct span
first_part(const char *text)
{
	const char *end = strstr(text, "\n\n");

	return span_of(text, end ? (size_t)(end - text) : strlen(text));
}

void
topic_write(struct buf *out, const struct topic *topic)
{
	const struct reply reply = {.id = topic->reply, .args = {SPAN("..."), SPAN("...")}};
	const struct catalogue_entry *entry =
	    catalogue_find(span_str(reply_enhanced(topic->reply)));

	check(entry != NULL);
	buf_addf(out, "%s: %u %s ", topic->tag, reply_code(topic->reply),
	    reply_enhanced(topic->reply));
	reply_text(out, &reply);
	write_lines(out, first_part(entry->meaning));
	write_lines(out, first_part(entry->admin));
}
