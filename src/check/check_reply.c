#include "check/check_reply.h"

#include <stdio.h>

#include "base/check.h"
#include "base/net.h"

enum { CODE_BYTES = 3, NAME_BYTES_MAX = 255 };

/* The code at the start of a line; 0 where there is none. */
static unsigned
code_of(struct span line)
{
	if (line.len < CODE_BYTES || line.ptr[0] < '2' || line.ptr[0] > '5' ||
	    !ascii_is_digit(line.ptr[1]) || !ascii_is_digit(line.ptr[2]))
		return 0;
	if (line.len > CODE_BYTES && line.ptr[CODE_BYTES] != ' ' &&
	    line.ptr[CODE_BYTES] != '-')
		return 0;
	return (unsigned)(line.ptr[0] - '0') * 100 + (unsigned)(line.ptr[1] - '0') * 10 +
	       (unsigned)(line.ptr[2] - '0');
}

static void
keep_line(struct check_reply *reply, struct span text, bool first)
{
	size_t room = CHECK_REPLY_KEPT_MAX - reply->text_bytes;

	if (!first && room > 0) {
		reply->text[reply->text_bytes++] = '\n';
		room--;
	}
	text = span_first(text, room);
	if (text.len > 0)
		memcpy(reply->text + reply->text_bytes, text.ptr, text.len);
	reply->text_bytes += text.len;
	reply->text[reply->text_bytes] = '\0';
}

/* The start of a line that has not come whole may be wrong already. */
static enum err
check_start(struct span line, unsigned code, bool first)
{
	static const char any[] = "222";

	if (line.len > CHECK_REPLY_LINE_MAX)
		return ERR_TOO_LONG;
	if (line.len > CODE_BYTES) {
		unsigned found = code_of(line);

		return found == 0 || (!first && found != code) ? ERR_SYNTAX : ERR_AGAIN;
	}
	for (size_t i = 0; i < line.len && any[i]; i++)
		if (!ascii_is_digit(line.ptr[i]))
			return ERR_SYNTAX;
	return ERR_AGAIN;
}

enum err
check_reply_take(struct span bytes, struct check_reply *reply, size_t *used)
{
	struct span rest = bytes;
	bool first = true;

	reply->code = 0;
	reply->text_bytes = 0;
	reply->text[0] = '\0';
	for (;;) {
		size_t end = span_find(rest, '\n');
		struct span line = span_first(rest, end);
		unsigned code;

		if (bytes.len - rest.len + end > CHECK_REPLY_BYTES_MAX)
			return ERR_TOO_LONG;
		if (end == rest.len)
			return check_start(line, reply->code, first);
		if (line.len > CHECK_REPLY_LINE_MAX)
			return ERR_TOO_LONG;
		rest = span_skip(rest, end + 1);
		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		code = code_of(line);
		if (code == 0 || (!first && code != reply->code))
			return ERR_SYNTAX;
		reply->code = code;
		keep_line(reply, span_skip(line, CODE_BYTES + 1), first);
		first = false;
		if (line.len == CODE_BYTES || line.ptr[CODE_BYTES] == ' ')
			break;
	}
	*used = bytes.len - rest.len;
	return OK;
}

struct span
check_reply_text(const struct check_reply *reply)
{
	return span_of(reply->text, reply->text_bytes);
}

void
check_reply_first(const struct check_reply *reply, char *out, size_t room)
{
	struct span text = check_reply_text(reply);
	struct span line = span_first(text, span_find(text, '\n'));

	if (reply->code == 0)
		snprintf(out, room, "%s", "");
	else
		snprintf(out, room, "%u %.*s", reply->code, SPAN_ARGS(line));
}

static bool
holds_nocase(struct span text, struct span word)
{
	for (; text.len >= word.len; text = span_skip(text, 1))
		if (span_starts_nocase(text, word))
			return true;
	return false;
}

enum check_protocol
check_protocol_of(struct span bytes)
{
	struct span line = span_first(bytes, span_find(bytes, '\n'));

	if (bytes.len >= 3 && (bytes.ptr[0] == 0x15 || bytes.ptr[0] == 0x16) &&
	    bytes.ptr[1] == 3 && (unsigned char)bytes.ptr[2] <= 4)
		return CHECK_PROTOCOL_TLS;
	if (span_starts(bytes, SPAN("SSH-")))
		return CHECK_PROTOCOL_SSH;
	if (span_starts(bytes, SPAN("HTTP/")))
		return CHECK_PROTOCOL_HTTP;
	if (span_starts(bytes, SPAN("* OK")) || span_starts(bytes, SPAN("* PREAUTH")) ||
	    span_starts(bytes, SPAN("* BYE")))
		return CHECK_PROTOCOL_IMAP;
	if (span_starts(bytes, SPAN("+OK")) || span_starts(bytes, SPAN("-ERR")))
		return CHECK_PROTOCOL_POP3;
	if (span_starts(bytes, SPAN("220")) && holds_nocase(line, SPAN("ftp")) &&
	    !holds_nocase(line, SPAN("smtp")))
		return CHECK_PROTOCOL_FTP;
	return code_of(span_first(line, CODE_BYTES + 1)) ? CHECK_PROTOCOL_SMTP
							 : CHECK_PROTOCOL_UNKNOWN;
}

const char *
check_protocol_name(enum check_protocol protocol)
{
	static const char *const names[CHECK_PROTOCOL_COUNT] = {
	    [CHECK_PROTOCOL_UNKNOWN] = "?",
	    [CHECK_PROTOCOL_SMTP] = "SMTP",
	    [CHECK_PROTOCOL_SSH] = "SSH",
	    [CHECK_PROTOCOL_HTTP] = "HTTP",
	    [CHECK_PROTOCOL_IMAP] = "IMAP",
	    [CHECK_PROTOCOL_POP3] = "POP3",
	    [CHECK_PROTOCOL_FTP] = "FTP",
	    [CHECK_PROTOCOL_TLS] = "TLS",
	};

	check(protocol < CHECK_PROTOCOL_COUNT);
	return names[protocol];
}

static void
take_offer(struct check_offer *offer, struct span line)
{
	struct span word = line, value = {"", 0};
	size_t end = span_find(line, ' ');

	word = span_first(line, end);
	value = span_trim(span_skip(line, end));
	/* "AUTH=LOGIN" is what old clients want to see. */
	if (span_eq_nocase(word, SPAN("STARTTLS")))
		offer->starttls = true;
	else if (span_eq_nocase(word, SPAN("PIPELINING")))
		offer->pipelining = true;
	else if (span_eq_nocase(word, SPAN("ENHANCEDSTATUSCODES")))
		offer->enhanced = true;
	else if (span_eq_nocase(word, SPAN("SMTPUTF8")))
		offer->utf8 = true;
	else if (span_eq_nocase(word, SPAN("8BITMIME")))
		offer->bits8 = true;
	else if (span_eq_nocase(word, SPAN("AUTH")) ||
		 span_starts_nocase(word, SPAN("AUTH=")))
		offer->auth = true;
	else if (span_eq_nocase(word, SPAN("SIZE"))) {
		offer->size = true;
		if (!span_u64(value, UINT64_MAX, &offer->size_bytes))
			offer->size_bytes = 0;
	}
}

void
check_offer_read(const struct check_reply *ehlo, struct check_offer *offer)
{
	struct span rest = check_reply_text(ehlo), line;

	*offer = (struct check_offer){0};
	if (ehlo->code != 250 || !span_cut(&rest, '\n', &line))
		return;
	while (span_cut(&rest, '\n', &line))
		take_offer(offer, span_trim(line));
}

struct span
check_greeting_name(const struct check_reply *greeting)
{
	struct span text = check_reply_text(greeting), word;
	struct net_addr addr;
	bool dot = false;

	text = span_first(text, span_find(text, '\n'));
	word = span_first(text, span_find(text, ' '));
	if (word.len > NAME_BYTES_MAX || net_addr_parse(word, &addr) == OK)
		return span_of("", 0);
	for (size_t i = 0; i < word.len; i++) {
		dot = dot || (word.ptr[i] == '.' && i > 0 && i + 1 < word.len);
		if (!ascii_is_alnum(word.ptr[i]) && word.ptr[i] != '-' &&
		    word.ptr[i] != '.' && word.ptr[i] != '_')
			return span_of("", 0);
	}
	return dot ? word : span_of("", 0);
}
