/*
 * Notifications: a multipart/report (RFC 6522) of a text for people, the fields
 * for programs (RFC 3464) and the header of the message that it is about.
 *
 * All of it is 7bit, so that it can be delivered anywhere.  An address that is
 * not ASCII appears as itself in the text (quoted-printable), as RFC 6533's
 * "utf-8" type in the fields, and not in the header.
 *
 * All that somebody else may have said goes through header_write_text() or its
 * likes on the way out: no byte of it can end a line, or be the boundary.
 */
#include "mime/dsn_internal.h"

#include "base/check.h"
#include "mime/header.h"
#include "mime/trace.h"

enum {
	NAME_BYTES_MAX = 255,
	ADDRESS_TEXT_MAX = 400,
	DIAGNOSTIC_BYTES_MAX = 4096,
	FOLD_COLUMN = 68, /* fold at the next blank */
	FOLD_COLUMN_HARD = 900, /* fold anywhere */
	HEADER_BYTES_MAX = 64 << 10,
	MESSAGE_ID_BYTES_MAX = 900,
	BOUNDARY_BYTES_MAX = 64,
	ENVID_BYTES_MAX = 100,
	ORCPT_BYTES_MAX = 500,
	LANGUAGE_BYTES_MAX = 500,
};

static bool
is_printable(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] <= ' ' || text.ptr[i] > 126)
			return false;
	}
	return true;
}

/* "5.1.1": a class, and two numbers of at most three digits. */
static bool
is_status(struct span status)
{
	struct span part;
	size_t count = 0;
	uint64_t value;

	if (status.len > DSN_STATUS_BYTES_MAX ||
	    (status.len && status.ptr[status.len - 1] == '.'))
		return false;
	while (span_cut(&status, '.', &part)) {
		bool known = count > 0 || part.len == 1;

		if (!known || part.len > 3 || !span_u64(part, 999, &value))
			return false;
		if (count == 0 && value != 2 && value != 4 && value != 5)
			return false;
		count++;
	}
	return count == 3;
}

struct dsn_status
dsn_status_of(const struct dsn_recipient *recipient)
{
	static const char classes[DSN_ACTION_COUNT] = {'5', '4', '2', '2', '2'};
	struct dsn_status status = {"5.0.0"};

	if (recipient->action != DSN_FAILED) {
		status.text[0] = classes[recipient->action];
		if (is_status(recipient->status) && recipient->status.ptr[0] == status.text[0])
			memcpy(status.text, recipient->status.ptr, recipient->status.len);
	} else if (is_status(recipient->status))
		memcpy(status.text, recipient->status.ptr, recipient->status.len);
	else if (recipient->code >= 400 && recipient->code < 500)
		status = (struct dsn_status){"4.0.0"};
	else if (recipient->code == 0 && recipient->expired)
		status = (struct dsn_status){"4.4.7"};
	return status;
}

const char *
dsn_action_name(enum dsn_action action)
{
	static const char *const names[DSN_ACTION_COUNT] = {
	    "failed", "delayed", "delivered", "relayed", "expanded"};

	check((unsigned)action < DSN_ACTION_COUNT);
	return names[action];
}

enum dsn_action
dsn_worst(const struct dsn *dsn)
{
	static const enum dsn_action order[] = {
	    DSN_FAILED, DSN_DELAYED, DSN_RELAYED, DSN_EXPANDED};

	for (size_t i = 0; i < LEN(order); i++)
		for (size_t k = 0; k < dsn->recipient_count; k++)
			if (dsn->recipients[k].action == order[i])
				return order[i];
	return DSN_DELIVERED;
}

const struct language *
dsn_language(struct span header)
{
	struct span tags = header_find(header, SPAN("Content-Language")), tag;
	const struct language *language;

	tags = span_first(tags, LANGUAGE_BYTES_MAX);
	while (tags.len && span_cut(&tags, ',', &tag))
		if (language_find(span_trim(tag), &language))
			return language;
	return language_accept(
	    span_first(header_find(header, SPAN("Accept-Language")), LANGUAGE_BYTES_MAX));
}

static unsigned
hex(char c)
{
	return c >= '0' && c <= '9' ? (unsigned)(c - '0')
	    : c >= 'A' && c <= 'F'  ? (unsigned)(c - 'A' + 10)
	                            : 16;
}

/* What xtext stands for (RFC 3461 section 4); what is none of it stays as it is. */
static void
write_xtext(struct buf *out, struct span text, size_t bytes_max)
{
	struct buf plain;

	buf_init(&plain, bytes_max);
	text = span_first(text, bytes_max);
	while (text.len > 0) {
		unsigned high = text.len > 2 ? hex(text.ptr[1]) : 16;
		unsigned low = text.len > 2 ? hex(text.ptr[2]) : 16;
		bool is_code = text.ptr[0] == '+' && high < 16 && low < 16;

		buf_add_char(&plain, is_code ? (char)(high << 4 | low) : text.ptr[0]);
		text = span_skip(text, is_code ? 3 : 1);
	}
	header_write_text(out, buf_span(&plain), bytes_max);
	buf_fini(&plain);
}

/* Adds text, folded; runs of what is not printable become one blank. */
static void
write_folded(struct buf *out, struct span text, size_t column)
{
	bool blank = false;

	text = span_trim(span_first(text, DIAGNOSTIC_BYTES_MAX));
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c <= ' ' || c == 127) {
			blank = true;
			continue;
		}
		if ((blank && column >= FOLD_COLUMN) || column >= FOLD_COLUMN_HARD) {
			buf_add_str(out, "\r\n");
			column = 0;
			blank = true;
		}
		if (blank) {
			buf_add_char(out, ' ');
			column++;
		}
		blank = false;
		buf_add_char(out, c < 127 ? (char)c : '?');
		column++;
	}
	buf_add_str(out, "\r\n");
}

static void
write_field(struct buf *out, const char *name, struct span value)
{
	buf_add_str(out, name);
	write_folded(out, value, strlen(name));
}

static void
write_date_field(struct buf *out, const char *name, uint64_t wall_ms)
{
	buf_add_str(out, name);
	trace_write_date(out, wall_ms);
	buf_add_str(out, "\r\n");
}

/* An address with its type: RFC 3464 section 2.3.2, or RFC 6533 section 3. */
static void
write_address_field(struct buf *out, const char *name, struct span address)
{
	address = span_first(address, ADDRESS_TEXT_MAX);
	buf_add_str(out, name);
	if (is_printable(address)) {
		buf_add_str(out, "rfc822; ");
		buf_add(out, address);
		buf_add_str(out, "\r\n");
		return;
	}
	buf_add_str(out, "utf-8; ");
	for (size_t start = out->len; address.len;) {
		uint32_t c;

		/* Only what is no address in truth, or a very long one, comes so far. */
		if (out->len - start > FOLD_COLUMN_HARD) {
			buf_add_str(out, "\r\n ");
			start = out->len;
		}
		(void)dsn_cut_character(&address, &c);
		if (c > ' ' && c < 127 && c != '\\' && c != '+' && c != '=')
			buf_add_char(out, (char)c);
		else
			buf_addf(out, "\\x{%02X}", (unsigned)c);
	}
	buf_add_str(out, "\r\n");
}

/* Lets the sender's mail program show the notification with its message. */
static void
write_references(struct buf *out, const struct dsn *dsn)
{
	struct span id = header_find(dsn->header, SPAN("Message-ID"));

	if (id.len < 3 || id.len > MESSAGE_ID_BYTES_MAX || !is_printable(id) ||
	    id.ptr[0] != '<' || id.ptr[id.len - 1] != '>')
		return;
	buf_addf(out, "In-Reply-To: %.*s\r\n", SPAN_ARGS(id));
	buf_addf(out, "References: %.*s\r\n", SPAN_ARGS(id));
}

static void
write_header(
    struct buf *out, const struct dsn *dsn, struct span host, struct span boundary)
{
	static const char *const subjects[DSN_ACTION_COUNT] = {
	    "Undelivered mail", "Delayed mail", "Delivered mail", "Relayed mail",
	    "Mail for several"};
	struct span first = dsn->recipients[0].address;

	buf_addf(out, "From: Mail delivery <MAILER-DAEMON@%.*s>\r\n", SPAN_ARGS(host));
	if (is_printable(dsn->to) && dsn->to.len <= ADDRESS_TEXT_MAX)
		buf_addf(out, "To: <%.*s>\r\n", SPAN_ARGS(dsn->to));
	else
		buf_add_str(out, "To: undisclosed-recipients:;\r\n");
	buf_addf(out, "Subject: %s%s", dsn->notice ? "Postmaster notice: " : "",
	    subjects[dsn_worst(dsn)]);
	if (is_printable(first) && first.len <= ADDRESS_TEXT_MAX) {
		buf_addf(out, ": %.*s", SPAN_ARGS(first));
		if (dsn->recipient_count > 1)
			buf_addf(out, " and %zu more", dsn->recipient_count - 1);
	}
	buf_add_str(out, "\r\n");
	write_date_field(out, "Date: ", dsn->now_wall_ms);
	buf_addf(out, "Message-ID: <dsn.%016llx@%.*s>\r\n",
	    (unsigned long long)dsn->unique, SPAN_ARGS(host));
	write_references(out, dsn);
	buf_add_str(out, "Auto-Submitted: auto-replied\r\n");
	buf_add_str(out, "MIME-Version: 1.0\r\n");
	if (!span_is_ascii(dsn->whole))
		buf_add_str(out, "Content-Transfer-Encoding: 8bit\r\n");
	buf_addf(out,
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"%.*s\"\r\n\r\n",
	    SPAN_ARGS(boundary));
	buf_add_str(out, "This is a report about mail, in MIME format.\r\n");
}

/* "rfc822;xtext", or another type. */
static void
write_asked_orcpt(struct buf *out, struct span orcpt)
{
	struct span type = span_first(orcpt, span_find(orcpt, ';'));

	buf_add_str(out, "Original-Recipient: ");
	header_write_text(out, type, NAME_BYTES_MAX);
	buf_add_str(out, "; ");
	write_xtext(out, span_skip(orcpt, type.len + 1), ORCPT_BYTES_MAX);
	buf_add_str(out, "\r\n");
}

static void
write_recipient(struct buf *out, const struct dsn_recipient *recipient)
{
	struct dsn_status status = dsn_status_of(recipient);
	struct buf diagnostic;

	buf_add_str(out, "\r\n");
	if (recipient->asked_orcpt.len)
		write_asked_orcpt(out, recipient->asked_orcpt);
	else if (recipient->orcpt.len)
		write_address_field(out, "Original-Recipient: ", recipient->orcpt);
	write_address_field(out, "Final-Recipient: ", recipient->address);
	buf_addf(out, "Action: %s\r\n", dsn_action_name(recipient->action));
	buf_addf(out, "Status: %s\r\n", status.text);
	if (recipient->remote.len) {
		buf_add_str(out, "Remote-MTA: dns; ");
		write_folded(out, span_first(recipient->remote, NAME_BYTES_MAX), 17);
	}
	buf_init(&diagnostic, DIAGNOSTIC_BYTES_MAX);
	if (recipient->code)
		buf_addf(&diagnostic, "smtp; %u ", recipient->code % 1000);
	else
		buf_add_str(&diagnostic, "X-Postrider; ");
	if (recipient->code && is_status(recipient->status))
		buf_addf(&diagnostic, "%s ", status.text);
	buf_add(&diagnostic, span_first(recipient->text, buf_space(&diagnostic)));
	if (recipient->code || recipient->text.len)
		write_field(out, "Diagnostic-Code: ", buf_span(&diagnostic));
	buf_fini(&diagnostic);
	if (recipient->last_attempt_wall_ms)
		write_date_field(
		    out, "Last-Attempt-Date: ", recipient->last_attempt_wall_ms);
	if (recipient->action == DSN_DELAYED && recipient->retry_until_wall_ms)
		write_date_field(
		    out, "Will-Retry-Until: ", recipient->retry_until_wall_ms);
}

static void
write_fields(struct buf *out, const struct dsn *dsn, struct span host)
{
	if (dsn->envid.len) {
		buf_add_str(out, "Original-Envelope-Id: ");
		write_xtext(out, dsn->envid, ENVID_BYTES_MAX);
		buf_add_str(out, "\r\n");
	}
	buf_addf(out, "Reporting-MTA: dns; %.*s\r\n", SPAN_ARGS(host));
	if (dsn->id.len) {
		buf_add_str(out, "X-Postrider-Queue-ID: ");
		header_write_text(out, dsn->id, NAME_BYTES_MAX);
		buf_add_str(out, "\r\n");
	}
	if (dsn->envelope_helo.len) {
		buf_add_str(out, "Received-From-MTA: dns; ");
		write_folded(out, span_first(dsn->envelope_helo, NAME_BYTES_MAX), 24);
	}
	write_date_field(out, "Arrival-Date: ", dsn->arrival_wall_ms);
	if (dsn->by_wall_ms)
		write_date_field(out, "Deliver-By-Date: ", dsn->by_wall_ms);
	for (size_t i = 0; i < dsn->recipient_count; i++)
		write_recipient(out, &dsn->recipients[i]);
}

/* One line of the original header; an overlong one goes on in the next. */
static void
write_original_line(struct buf *out, struct span line)
{
	/* Two hyphens might begin the boundary; no field does. */
	if (span_starts(line, SPAN("--"))) {
		buf_add_char(out, '?');
		line = span_skip(line, 1);
	}
	while (line.len > FOLD_COLUMN_HARD) {
		header_write_text(out, line, FOLD_COLUMN_HARD);
		buf_add_str(out, "\r\n ");
		line = span_skip(line, FOLD_COLUMN_HARD);
	}
	header_write_text(out, line, line.len);
	buf_add_str(out, "\r\n");
}

static void
write_original(struct buf *out, struct span header)
{
	struct span rest = span_first(header, HEADER_BYTES_MAX);

	while (rest.len) {
		const char *end = memmem(rest.ptr, rest.len, "\r\n", 2);
		size_t bytes = end ? (size_t)(end - rest.ptr) : rest.len;

		/* The blank line; or a line that the limit cut. */
		if (bytes == 0 || (!end && header.len > HEADER_BYTES_MAX))
			break;
		write_original_line(out, span_first(rest, bytes));
		rest = span_skip(rest, bytes + 2);
	}
}

static void
begin_part(struct buf *out, struct span boundary, const char *type)
{
	buf_addf(out, "\r\n--%.*s\r\nContent-Type: %s\r\n", SPAN_ARGS(boundary), type);
}

static void
write_boundary(struct buf *out, const struct dsn *dsn)
{
	/* "=_" is never a part of quoted-printable text. */
	buf_addf(out, "=_report-%016llx", (unsigned long long)dsn->unique);
}

bool
dsn_takes_whole(const struct dsn *dsn, struct span whole)
{
	struct buf boundary;
	bool takes;

	buf_init(&boundary, BOUNDARY_BYTES_MAX);
	write_boundary(&boundary, dsn);
	takes = whole.len > 0 && !memmem(whole.ptr, whole.len, boundary.ptr, boundary.len);
	buf_fini(&boundary);
	return takes;
}

void
dsn_write(struct buf *out, const struct dsn *dsn)
{
	struct buf host, boundary;

	check(dsn->recipient_count > 0);
	buf_init(&host, NAME_BYTES_MAX);
	header_write_text(&host, dsn->hostname, NAME_BYTES_MAX);
	buf_init(&boundary, BOUNDARY_BYTES_MAX);
	write_boundary(&boundary, dsn);

	write_header(out, dsn, buf_span(&host), buf_span(&boundary));
	begin_part(out, buf_span(&boundary), "text/plain; charset=utf-8");
	if (dsn->language)
		buf_addf(out, "Content-Language: %s, en\r\n", language_tag(dsn->language));
	buf_add_str(out, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	dsn_write_text(out, dsn);
	begin_part(out, buf_span(&boundary), "message/delivery-status");
	buf_add_str(out, "\r\n");
	write_fields(out, dsn, buf_span(&host));
	if (dsn->whole.len) {
		begin_part(out, buf_span(&boundary), "message/rfc822");
		buf_add_str(out, span_is_ascii(dsn->whole) ? "\r\n"
		                                     : "Content-Transfer-Encoding: 8bit\r\n\r\n");
		buf_add(out, dsn->whole);
	} else if (dsn->header.len) {
		begin_part(out, buf_span(&boundary), "text/rfc822-headers");
		buf_add_str(out, "\r\n");
		write_original(out, dsn->header);
	}
	buf_addf(out, "\r\n--%.*s--\r\n", SPAN_ARGS(buf_span(&boundary)));
	buf_fini(&host);
	buf_fini(&boundary);
}
