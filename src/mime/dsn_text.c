/*
 * The part of a notification that people read: what happened, in one sentence a
 * recipient; then what the other server said, in its own words, and what to do.
 *
 * It is UTF-8 in quoted-printable, so that the message stays 7bit whatever the
 * words are.  What could pretend to be ours does not get through: the other
 * server's lines are quoted one by one, and controls, line separators and
 * changes of writing direction become "?".
 */
#include "mime/dsn_internal.h"

#include "base/check.h"
#include "mime/trace.h"

enum {
	QP_LINE_BYTES_MAX = 76,
	TEXT_COLUMNS_MAX = 72,
	WORDS_BYTES_MAX = 4096, /* of another server, or of an explanation */
	NAME_BYTES_MAX = 400, /* of an address, a host, an id */
};

/* Quoted-printable (RFC 2045 section 6.7). */
struct text {
	struct buf *out;
	size_t bytes; /* on the line, as encoded */
	size_t columns; /* on the line, as read */
	bool space; /* one is owed: at the end of a line it is encoded */
};

static void
put_encoded(struct text *text, const char *bytes, size_t count)
{
	if (text->bytes + count > QP_LINE_BYTES_MAX - 1) {
		buf_add_str(text->out, "=\r\n");
		text->bytes = 0;
	}
	buf_add(text->out, span_of(bytes, count));
	text->bytes += count;
}

static void
put_byte(struct text *text, char c)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned char value = (unsigned char)c;
	char encoded[] = {'=', digits[value >> 4], digits[value & 15]};
	bool plain = value > ' ' && value < 127 && value != '=';

	if (text->space)
		put_encoded(text, " ", 1);
	text->space = c == ' ';
	text->columns++;
	if (!text->space)
		put_encoded(text, plain ? &c : encoded, plain ? 1 : sizeof(encoded));
}

static void
end_line(struct text *text)
{
	if (text->space)
		put_encoded(text, "=20", 3);
	buf_add_str(text->out, "\r\n");
	*text = (struct text){.out = text->out};
}

bool
dsn_cut_character(struct span *text, uint32_t *character)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *at = (const unsigned char *)text->ptr;
	size_t bytes = at[0] < 128 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	uint32_t value = bytes == 1 ? at[0] : at[0] & (0x7fu >> bytes);
	bool right =
	    bytes <= text->len && (bytes == 1 || (at[0] >= 0xc2 && at[0] <= 0xf4));

	for (size_t i = 1; right && i < bytes; i++) {
		right = (at[i] & 0xc0) == 0x80;
		value = value << 6 | (at[i] & 0x3f);
	}
	right = right && value >= least[bytes] && value <= 0x10ffff &&
		(value < 0xd800 || value > 0xdfff);
	*character = right ? value : 0xfffd;
	*text = span_skip(*text, right ? bytes : 1);
	return right;
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
put(struct text *text, struct span words)
{
	while (words.len) {
		struct span rest = words;
		uint32_t character;

		if (dsn_cut_character(&rest, &character) && is_shown(character)) {
			for (size_t i = 0; i < words.len - rest.len; i++)
				put_byte(text, words.ptr[i]);
		} else {
			put_byte(text, '?');
		}
		words = rest;
	}
}

/* The same for an address, a host, an id: whoever parsed it, a part of it is enough. */
static void
put_name(struct text *text, struct span name)
{
	put(text, span_first(name, NAME_BYTES_MAX));
}

static void
put_str(struct text *text, const char *words)
{
	put(text, span_str(words));
}

/* Adds words with line breaks between them where they are due; the line stays open. */
static void
put_wrapped(struct text *text, struct span words, const char *indent)
{
	struct span word;

	while (span_cut(&words, ' ', &word)) {
		if (word.len == 0)
			continue;
		if (text->columns + 1 + word.len > TEXT_COLUMNS_MAX && text->columns > 0)
			end_line(text);
		if (text->columns > 0)
			put_str(text, " ");
		else
			put_str(text, indent);
		put(text, word);
	}
}

/* Each line of the other server's words, behind a mark of its own. */
static void
put_quoted(struct text *text, const struct dsn_recipient *recipient)
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
		end_line(text);
		first = false;
	}
}

/* What happened to an address, by the part of its status behind the class. */
static const struct {
	const char *status; /* "1.1"; "7." is all that begins so */
	const char *before, *after;
} sentences[] = {
    {"1.1", "The address ", " does not exist there."},
    {"1.2", "The domain of the address ", " cannot be found."},
    {"1.3", "The address ", " is not written in a way that a server can use."},
    {"1.6", "The mailbox ", " has moved, and nobody knows where to."},
    {"1.10", "The domain of the address ", " says that it takes no mail at all."},
    {"2.1", "The mailbox ", " is switched off."},
    {"2.2", "The mailbox ", " is full."},
    {"2.3", "The message is too large for ", "."},
    {"3.4", "The message is too large for ", "."},
    {"4.4", "No server for the address ", " could be found."},
    {"4.6", "The message went round in a circle on its way to ", "."},
    {"6.7", "The server of ", " cannot take addresses or headers in UTF-8."},
    {"7.", "The server of ", " refused the message by its own rules."},
};

static void
put_sentence(struct text *text, const struct dsn_recipient *recipient)
{
	static const char *const outcomes[DSN_ACTION_COUNT] = {
	    [DSN_DELAYED] = " could not be delivered so far; we go on trying.",
	    [DSN_DELIVERED] = " has been delivered.",
	    [DSN_RELAYED] = " was handed to the next server, which tells nothing more of it."};
	bool failed = recipient->action == DSN_FAILED;
	struct dsn_status status = dsn_status_of(recipient);
	struct span detail = span_str(status.text + 2);
	const char *before = "The message to ";
	const char *after = " could not be delivered.";

	if (recipient->action != DSN_FAILED)
		after = outcomes[recipient->action];
	else if (recipient->expired)
		after = " could not be delivered in time, and we stopped trying.";
	for (size_t i = 0; i < LEN(sentences) && !recipient->expired && failed; i++) {
		struct span known = span_str(sentences[i].status);
		bool prefix = span_eq(known, SPAN("7."));

		if (prefix ? span_starts(detail, known) : span_eq(detail, known)) {
			before = sentences[i].before;
			after = sentences[i].after;
		}
	}
	put_wrapped(text, span_str(before), "");
	put_str(text, " ");
	put_name(text, recipient->address);
	/* A full stop or a blank follows; neither may begin a line. */
	if (*after == ' ')
		put_wrapped(text, span_str(after), "");
	else
		put_str(text, after);
	end_line(text);
}

static void
put_details(struct text *text, const struct dsn_recipient *recipient)
{
	struct span words = span_first(recipient->explanation, WORDS_BYTES_MAX);
	struct span line;

	end_line(text);
	put_name(text, recipient->address);
	end_line(text);
	if (recipient->text.len || recipient->code) {
		put_str(text, "  ");
		put_str(text, recipient->code ? "The server " : "The reason");
		if (recipient->code)
			put(text,
			    recipient->remote.len ? recipient->remote : SPAN("there"));
		put_str(text, recipient->code ? " said:" : ":");
		end_line(text);
		put_quoted(text, recipient);
	}
	while (span_cut(&words, '\n', &line)) {
		put_wrapped(text, line, "  ");
		end_line(text);
	}
}

static void
put_origin(struct text *text, const struct dsn *dsn)
{
	struct buf date;

	buf_init(&date, 64);
	trace_write_date(&date, dsn->arrival_wall_ms);
	end_line(text);
	put_str(text, "This is the mail server ");
	put_name(text, dsn->hostname);
	put_str(text, ".");
	end_line(text);
	put_str(text, "Your message came here on ");
	put(text, buf_span(&date));
	put_str(text, ",");
	end_line(text);
	put_str(text, "and its number here was ");
	put_name(text, dsn->id);
	put_str(text, ".");
	end_line(text);
	buf_fini(&date);
}

void
dsn_write_text(struct buf *out, const struct dsn *dsn)
{
	struct text text = {.out = out};

	for (size_t i = 0; i < dsn->recipient_count; i++)
		put_sentence(&text, &dsn->recipients[i]);
	for (size_t i = 0; i < dsn->recipient_count; i++)
		put_details(&text, &dsn->recipients[i]);
	put_origin(&text, dsn);
}
