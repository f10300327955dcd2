/*
 * The part for people, of servers that write no fields for programs.  Each has its own form, but
 * all of them name a recipient at the start of a line, and tell of it until an empty line, or
 * behind a phrase of their own; so one pass over the lines reads them all.
 */
#include "mime/dsn_read_internal.h"

#include "base/check.h"

enum { LOOK_BYTES_MAX = 16 << 10, HOST_BYTES_MAX = 255, LINES_MAX = 4096, GROUP_LINES_MAX = 40 };

/* By what a text is known; the first that is in it. */
static const struct {
	const char *phrase, *writer;
} writers[] = {
    {"This is the qmail-send program", "qmail"},
    {"This message was created automatically by mail delivery software", "Exim"},
    {"A message that you sent has not yet been delivered", "Exim"},
    {"This is the mail system at host", "Postfix"},
    {"This is the Postfix program at host", "Postfix"},
    {"This is the mail server ", "Postrider"},
    {"This is the MAILER-DAEMON, please DO NOT REPLY", "OpenSMTPD"},
    {"Transcript of session follows", "sendmail"},
    {"The following addresses had permanent fatal errors", "sendmail"},
    {"WARNING MESSAGE ONLY", "sendmail"},
    {"Diagnostic information for administrators", "Microsoft Exchange"},
    {"did not reach some or all of the intended recipients", "Microsoft Exchange"},
    {"Delivery has failed to these recipients or groups", "Microsoft Exchange"},
    {"Delivery is delayed to these recipients or groups", "Microsoft Exchange"},
    {"Your message to couldn't be delivered", "Microsoft 365"},
    {"The response from the remote server was:", "Gmail"},
    {"Delivery to the following recipient failed permanently", "Gmail"},
    {"Delivery to the following recipient has been delayed", "Gmail"},
    {"** Address not found **", "Gmail"},
    {"** Message blocked **", "Gmail"},
    {"** Delivery incomplete **", "Gmail"},
    {"** Message not delivered **", "Gmail"},
    {"Message from yahoo.com", "Yahoo"},
    {"Message from  yahoo.com", "Yahoo"},
    {"Sorry, we were unable to deliver your message to the following address", "Yahoo"},
    {"This message has been rejected by Mimecast", "Mimecast"},
    {"mimecast.com", "Mimecast"},
    {"Proofpoint", "Proofpoint"},
    {"pphosted.com", "Proofpoint"},
    {"Barracuda", "Barracuda"},
    {"This report relates to a message you sent", "Lotus Domino"},
    {"This is an automatically generated Delivery Status Notification", "Microsoft SMTP service"},
    {"This is the mail delivery agent at", "Proofpoint"},
    {"This is the mail system at", "Postfix"},
};

/* That it is tried further. */
static const char *const delays[] = {"has been delayed", "has not yet been delivered",
    "YOU DO NOT NEED TO RESEND", "Delivery is delayed", "THIS IS A WARNING MESSAGE ONLY",
    "Delivery incomplete", "There was a temporary problem", "will be retried",
    "keep trying to deliver", "we go on trying", "No action is required on your part"};

/* What follows is what a server said: of a recipient whose lines do not hold it. */
static const struct {
	const char *phrase;
	bool server; /* another server's words */
} answers[] = {
    {"The error that the other server returned was:", true},
    {"The response from the remote server was:", true},
    {"Remote Server returned '", true},
    {"Remote host said:", true},
    {"The response was:", false},
    {"Technical details of permanent failure:", false},
    {"Technical details of temporary failure:", false},
    {"<<< ", true},
    {"(reason: ", true},
    {"Reason: ", false},
    {"The reason:", false},
    {"Error: ", false},
    {"said:", true},
};

/* Behind it is the message that came back. */
static const char *const ends[] = {"--- Below this line is a copy", "------ This is a copy of",
    "Original message headers:", "----- Original message -----", "--- Enclosed are",
    "----- Original message header", "Below is a copy of the original message",
    "--- Original message follows", "Original Message Headers", "----- Message header follows",
    "--- Undelivered message follows", "    Below is the original message",
    "Your message came here on"};

static bool
has(struct span text, const char *phrase)
{
	struct span behind;

	return span_seek(text, span_str(phrase), &behind);
}

/* Without the message that came back. */
static struct span
without_copy(struct span text)
{
	for (size_t i = 0; i < LEN(ends); i++) {
		struct span behind;

		if (span_seek(text, span_str(ends[i]), &behind))
			text.len -= strlen(ends[i]) + behind.len;
	}
	return text;
}

static bool
is_address_byte(char c)
{
	return c > ' ' && c != 127 && !strchr("<>()[],;:\"'", c);
}

/* "ann@example.net" and nothing else. */
static bool
is_address(struct span text)
{
	size_t at = span_find(text, '@');

	if (at == 0 || at + 1 >= text.len || text.len > 320)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!is_address_byte(text.ptr[i]) || (i > at && text.ptr[i] == '@'))
			return false;
	return span_find(span_skip(text, at), '.') < text.len - at;
}

/*
 * Whether a line names a recipient: "<ann@example.net>: words", "  ann@example.net",
 * "ann@example.net: words".  What stands behind it goes to words.
 */
static bool
cut_recipient(struct span line, struct span *address, struct span *words)
{
	struct span rest = span_trim(line);
	bool angle = span_starts(rest, SPAN("<"));
	size_t bytes;

	if (angle)
		rest = span_skip(rest, 1);
	bytes = angle ? span_find(rest, '>') : 0;
	while (!angle && bytes < rest.len && is_address_byte(rest.ptr[bytes]))
		bytes++;
	*address = span_first(rest, bytes);
	rest = span_skip(rest, bytes + (angle ? 1 : 0));
	if (!is_address(*address))
		return false;
	*words = span_trim(rest);
	/* "(ann@example.net)" repeats it; "(generated from ...)" says where it came from. */
	if (span_starts(*words, SPAN("("))) {
		*words = span_trim(span_skip(*words, span_find(*words, ')') + 1));
		if (words->len == 0)
			return true;
	}
	if (span_starts(*words, SPAN(":"))) {
		*words = span_trim(span_skip(*words, 1));
		return true;
	}
	return words->len == 0;
}

/* The last word in front of what is behind: a host, without address and brackets. */
static struct span
host_before(struct dsn_read *read, struct span words, struct span behind, const char *phrase)
{
	struct span before =
	    span_first(words, (size_t)(behind.ptr - words.ptr) - strlen(phrase));
	size_t start;

	before = span_trim(before);
	before = span_first(before, span_find_last(before, '[') < before.len
					? span_find_last(before, '[')
					: before.len);
	before = span_trim(before);
	start = span_find_last(before, ' ');
	if (start < before.len)
		before = span_skip(before, start + 1);
	return dsn_read_keep(read, before, HOST_BYTES_MAX);
}

/* What introduces another server's words. */
static const char *const phrases[] = {"Remote host said:", " said:",
    "SMTP error from remote mail server after ", "SMTP error from remote mailer after ",
    " returned '", "The error that the other server returned was:",
    "The response from the remote server was:", "(reason: ", "<<< ", " smtp;"};

static bool
has_answer(struct span words)
{
	for (size_t i = 0; i < LEN(phrases); i++)
		if (has(words, phrases[i]))
			return true;
	return false;
}

/* The other server's words alone, where a known phrase introduces them. */
static void
part_words(struct dsn_read *read, struct dsn_read_rcpt *rcpt)
{
	struct span words = rcpt->words, behind = SPAN("");
	struct span after;
	size_t i = 0;

	while (i < LEN(phrases) && !span_seek(words, span_str(phrases[i]), &behind))
		i++;
	if (span_seek(words, SPAN("host "), &after) && i < LEN(phrases) &&
	    strstr(phrases[i], "SMTP error"))
		rcpt->remote = dsn_read_keep(
		    read, span_first(after, span_find(after, ' ')), HOST_BYTES_MAX);
	else if (i == 1)
		rcpt->remote = host_before(read, words, behind, phrases[i]);
	if (span_seek(words, SPAN("does not like recipient"), &after) && !rcpt->remote.len)
		rcpt->remote = dsn_read_keep(
		    read, span_first(words, span_find(words, ' ')), HOST_BYTES_MAX);
	if (i == LEN(phrases))
		return;
	rcpt->said_by_server = true;
	/* "after RCPT TO:<x@y>: 550 ..." */
	if (strstr(phrases[i], "SMTP error") && span_seek(behind, SPAN(": "), &after))
		behind = after;
	if (span_ends_nocase(behind, SPAN(" command))")))
		behind.len--;
	for (size_t j = 0; j < 3; j++) {
		static const char *const tails[] = {
		    " (in reply to ", " Giving up on ", " >>> "};

		if (span_seek(behind, span_str(tails[j]), &after))
			behind.len = (size_t)(after.ptr - behind.ptr) - strlen(tails[j]);
	}
	behind = span_trim(behind);
	while (behind.len && strchr("'#>", behind.ptr[behind.len - 1]))
		behind.len--;
	if (phrases[i][0] == '(' && behind.len && behind.ptr[behind.len - 1] == ')')
		behind.len--;
	rcpt->words = span_trim(behind);
}

/* What a whole text says behind a phrase, up to an empty line. */
static struct span
answer_of(struct span text, bool *server)
{
	struct span behind, line;
	struct span answer = SPAN("");

	for (size_t i = 0; i < LEN(answers) && !answer.len; i++) {
		if (!span_seek(text, span_str(answers[i].phrase), &behind))
			continue;
		*server = answers[i].server;
		while (behind.len && strchr(" \t\n", behind.ptr[0]))
			behind = span_skip(behind, 1);
		answer = span_first(behind, 0);
		for (size_t lines = 0;
		     lines < GROUP_LINES_MAX && span_cut(&behind, '\n', &line); lines++) {
			if (span_trim(line).len == 0)
				break;
			answer.len = (size_t)(line.ptr + line.len - answer.ptr);
		}
	}
	return answer;
}

/* Lines that some put between a recipient and what is said of it. */
static bool
is_filler(struct span line)
{
	return span_starts(line, SPAN("(expanded from")) ||
	       span_starts(line, SPAN("(generated from")) ||
	       span_starts(line, SPAN("The mail system")) ||
	       (line.len && span_find(line, ' ') == line.len && span_find(line, '@') == line.len &&
		   span_find(line, '.') < line.len && !ascii_is_digit(line.ptr[0]) &&
		   line.ptr[0] != '#');
}

static struct dsn_read_rcpt *
find_rcpt(struct dsn_read *read, struct span address)
{
	for (size_t i = 0; i < read->rcpt_count; i++)
		if (span_eq_nocase(read->rcpts[i].address, address))
			return &read->rcpts[i];
	return NULL;
}

/* Recipients at the start of lines, each with its words up to an empty line. */
static void
read_lines(struct dsn_read *read, struct span text)
{
	struct dsn_read_rcpt *rcpt = NULL, *before;
	struct span line, address, words;
	struct buf gathered;
	size_t indent = 0;

	buf_init(&gathered, DSN_READ_WORDS_BYTES_MAX);
	for (size_t count = 0; count < LINES_MAX; count++) {
		bool more = span_cut(&text, '\n', &line);
		struct span trimmed = more ? span_trim(line) : SPAN("");
		size_t column = trimmed.len ? (size_t)(trimmed.ptr - line.ptr) : 0;
		/* What is further in than the recipient is told of it, whatever it looks like. */
		bool named = more && !(rcpt && column > indent) &&
			     cut_recipient(line, &address, &words);

		if (rcpt && (named || trimmed.len == 0)) {
			if (gathered.len)
				rcpt->words = dsn_read_keep(
				    read, buf_span(&gathered), DSN_READ_WORDS_BYTES_MAX);
			rcpt = NULL;
		}
		if (!more)
			break;
		if (named) {
			before = find_rcpt(read, address);
			rcpt = before ? before : dsn_read_add(read);
			if (rcpt && !before)
				*rcpt = (struct dsn_read_rcpt){
				    .address = dsn_read_address(read, address)};
			/* sendmail and Exchange name it twice. */
			if (before && has_answer(before->words))
				rcpt = NULL;
			indent = column;
			buf_reset(&gathered);
			buf_add(&gathered, words);
		} else if (rcpt && trimmed.len && !is_filler(trimmed)) {
			if (gathered.len)
				buf_add_char(&gathered, ' ');
			for (size_t i = 0; i < trimmed.len; i++)
				buf_add_char(&gathered, trimmed.ptr[i]);
		}
	}
	buf_fini(&gathered);
}

static void
read_failed(struct dsn_read *read)
{
	struct span rest = read->failed, one;

	while (rest.len && span_cut(&rest, ',', &one)) {
		struct span address = dsn_read_address(read, one);
		struct dsn_read_rcpt *rcpt;

		if (!address.len || find_rcpt(read, address))
			continue;
		rcpt = dsn_read_add(read);
		if (!rcpt)
			break;
		*rcpt = (struct dsn_read_rcpt){.address = address};
	}
}

/* The first address in running text: "Your message wasn't delivered to ann@example.net because". */
static struct span
first_address(struct dsn_read *read, struct span text)
{
	text = span_first(text, LOOK_BYTES_MAX);
	for (size_t i = 0; i < text.len; i++) {
		size_t start = i, end = i;

		if (text.ptr[i] != '@')
			continue;
		while (start > 0 && is_address_byte(text.ptr[start - 1]) && i - start < 64)
			start--;
		while (end < text.len && (is_address_byte(text.ptr[end]) || end == i) &&
		       end - i < 255)
			end++;
		while (end > start && text.ptr[end - 1] == '.')
			end--;
		if (is_address(span_of(text.ptr + start, end - start)))
			return dsn_read_address(
			    read, span_of(text.ptr + start, end - start));
	}
	return SPAN("");
}

static void
find_writer(struct dsn_read *read, struct span text)
{
	struct span behind;

	text = span_first(text, LOOK_BYTES_MAX);
	for (size_t i = 0; i < LEN(writers) && !read->writer; i++)
		if (has(text, writers[i].phrase))
			read->writer = writers[i].writer;
	if (read->writer)
		read->notice = true;
	if (!read->reporter.len &&
	    (span_seek(text, SPAN("qmail-send program at "), &behind) ||
		span_seek(text, SPAN("This is the mail system at host "), &behind) ||
		span_seek(text, SPAN("Generating server: "), &behind))) {
		size_t bytes = 0;

		while (bytes < behind.len && is_address_byte(behind.ptr[bytes]))
			bytes++;
		while (bytes && behind.ptr[bytes - 1] == '.')
			bytes--;
		read->reporter =
		    dsn_read_keep(read, span_first(behind, bytes), HOST_BYTES_MAX);
	}
}

/* What a notification is called, whoever writes it. */
static bool
is_notice_header(const struct dsn_read *read)
{
	static const char *const subjects[] = {"Undelivered Mail Returned", "failure notice",
	    "Delivery Status Notification", "Undeliverable", "Mail delivery failed",
	    "Returned mail", "Delivery Failure", "Delivery Notification", "Non remis",
	    "Unzustellbar", "Delayed Mail", "Mail System Error", "could not be delivered",
	    "Warning: message ", "Delivery delayed", "Message not delivered"};

	for (size_t i = 0; i < LEN(subjects); i++)
		if (read->subject.len && has(read->subject, subjects[i]))
			return true;
	return read->from.len && (has(read->from, "MAILER-DAEMON") ||
				     has(read->from, "Mailer-Daemon@") ||
				     has(read->from, "mailer-daemon@") ||
				     has(read->from, "postmaster@"));
}

static bool
is_delay(struct span text)
{
	for (size_t i = 0; i < LEN(delays); i++)
		if (has(text, delays[i]))
			return true;
	return false;
}

static void
fill_words(struct dsn_read *read, struct span text)
{
	bool server = false;
	struct span answer = answer_of(text, &server);
	bool delayed = is_delay(span_first(text, LOOK_BYTES_MAX));

	for (size_t i = 0; i < read->rcpt_count; i++) {
		struct dsn_read_rcpt *rcpt = &read->rcpts[i];

		if (rcpt->words.len == 0) {
			rcpt->words = dsn_read_keep(
			    read, answer.len ? answer : text, DSN_READ_WORDS_BYTES_MAX);
			rcpt->said_by_server = answer.len && server;
		}
		part_words(read, rcpt);
		if (delayed)
			rcpt->action = DSN_READ_DELAYED;
	}
}

void
dsn_read_text(struct dsn_read *read)
{
	struct span text = without_copy(read->text);

	find_writer(read, text);
	if (read->failed.len || is_notice_header(read))
		read->notice = true;
	if (read->rcpt_count || !read->notice)
		return;
	read_lines(read, text);
	read_failed(read);
	if (read->rcpt_count == 0) {
		struct span address = first_address(read, text);
		struct dsn_read_rcpt *rcpt = text.len ? dsn_read_add(read) : NULL;

		if (rcpt)
			*rcpt = (struct dsn_read_rcpt){.address = address};
	}
	fill_words(read, text);
}
