/*
 * The parameters, one row each: which extension brings them, how they are read and written.
 */
#include "smtp/smtp_parameter.h"

#include "base/check.h"
#include "base/date.h"

/* What is read, and what may be asked for. */
struct reading {
	const struct smtp_parameter_rules *rules;
	struct smtp_mail_parameters *mail; /* one of these two */
	struct smtp_rcpt_parameters *rcpt;
	struct reply *refusal; /* filled where it is more than bad syntax */
};

#define REFUSED_BY_SYNTAX REPLY_COUNT

static bool
refuse(struct reply *refusal, enum reply_id id, struct span arg)
{
	*refusal = (struct reply){.id = id, .args = {arg}};
	return false;
}

static bool
is_hex(char c)
{
	return ascii_is_digit(c) || (c >= 'A' && c <= 'F');
}

/*
 * xtext of RFC 3461 section 4: printable, with +HH for what is not.  What is decoded
 * ends in notifications, where a control could begin a line: there may be none.
 */
static bool
is_xtext(struct span text, bool utf8)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char octet = (unsigned char)text.ptr[i];

		if (octet == '=' || octet <= ' ' || octet == 0x7f || (octet > 0x7f && !utf8))
			return false;
		if (octet != '+')
			continue;
		if (text.len - i < 3 || !is_hex(text.ptr[i + 1]) || !is_hex(text.ptr[i + 2]))
			return false;
		octet = (unsigned char)(ascii_hex_value(text.ptr[i + 1]) << 4 |
					ascii_hex_value(text.ptr[i + 2]));
		if (octet < ' ' || octet == 0x7f || (octet > 0x7f && !utf8))
			return false;
		i += 2;
	}
	return true;
}

static bool
read_size(struct reading *reading, struct span value)
{
	/* RFC 1870 section 5: at most 20 digits. */
	return value.len <= 20 && span_u64(value, UINT64_MAX, &reading->mail->size);
}

static bool
read_body(struct reading *reading, struct span value)
{
	struct smtp_mail_parameters *mail = reading->mail;

	if (span_eq_nocase(value, SPAN("7BIT")))
		mail->body = SMTP_BODY_7BIT;
	else if (span_eq_nocase(value, SPAN("8BITMIME")))
		mail->body = SMTP_BODY_8BITMIME;
	else if (span_eq_nocase(value, SPAN("BINARYMIME")) &&
		 (reading->rules->extensions & SMTP_EXTENSION_BINARYMIME))
		mail->body = SMTP_BODY_BINARYMIME;
	else
		return false;
	return true;
}

static bool
read_smtputf8(struct reading *reading, struct span value)
{
	(void)value;
	reading->mail->smtputf8 = true;
	return true;
}

/* Who the client says had the message before (RFC 4954 section 5). */
static bool
read_auth(struct reading *reading, struct span value)
{
	reading->mail->auth = value;
	return span_eq(value, SPAN("<>")) || (value.len > 0 && is_xtext(value, false));
}

static bool
read_ret(struct reading *reading, struct span value)
{
	if (span_eq_nocase(value, SPAN("FULL")))
		reading->mail->ret = SMTP_RET_FULL;
	else if (span_eq_nocase(value, SPAN("HDRS")))
		reading->mail->ret = SMTP_RET_HDRS;
	else
		return false;
	return true;
}

static bool
read_envid(struct reading *reading, struct span value)
{
	reading->mail->envid = value;
	return value.len > 0 && value.len <= SMTP_ENVID_BYTES_MAX && is_xtext(value, false);
}

static bool
read_notify(struct reading *reading, struct span value)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = {
	    {"NEVER", SMTP_NOTIFY_NEVER},
	    {"SUCCESS", SMTP_NOTIFY_SUCCESS},
	    {"FAILURE", SMTP_NOTIFY_FAILURE},
	    {"DELAY", SMTP_NOTIFY_DELAY},
	};
	unsigned notify = 0;
	struct span word;

	if (value.len == 0 || value.ptr[value.len - 1] == ',')
		return false;
	while (span_cut(&value, ',', &word)) {
		unsigned bit = 0;

		for (size_t i = 0; i < LEN(words); i++)
			if (span_eq_nocase(word, span_str(words[i].word)))
				bit = words[i].bit;
		if (bit == 0)
			return false;
		notify |= bit;
	}
	reading->rcpt->notify = notify;
	return notify == SMTP_NOTIFY_NEVER || !(notify & SMTP_NOTIFY_NEVER);
}

/* "addr-type;xtext"; UTF-8 in it only with SMTPUTF8 (RFC 6533 section 3). */
static bool
read_orcpt(struct reading *reading, struct span value)
{
	size_t semicolon = span_find(value, ';');
	struct span type = span_first(value, semicolon), rest = span_skip(value, semicolon + 1);

	for (size_t i = 0; i < type.len; i++)
		if (!ascii_is_alnum(type.ptr[i]) && type.ptr[i] != '-')
			return false;
	reading->rcpt->orcpt = value;
	return type.len > 0 && rest.len > 0 && value.len <= SMTP_ORCPT_BYTES_MAX &&
	       is_xtext(rest, reading->rules->smtputf8);
}

static bool
refuse_hold(struct reading *reading, struct span why)
{
	return refuse(reading->refusal, REPLY_HOLD_REFUSED, why);
}

static bool
read_hold_for(struct reading *reading, struct span value)
{
	const struct smtp_parameter_rules *rules = reading->rules;
	struct smtp_mail_parameters *mail = reading->mail;

	/* RFC 4865 section 3: 1 to 9 digits, the first not 0. */
	if (value.len > 9 || !span_u64(value, UINT64_MAX, &mail->hold_for_s) ||
	    value.ptr[0] == '0')
		return false;
	if (mail->hold_until_wall_ms > 0)
		return refuse_hold(reading, SPAN("HOLDFOR or HOLDUNTIL, not both"));
	if (rules->hold_max_s > 0 && mail->hold_for_s > rules->hold_max_s)
		return refuse_hold(reading, SPAN("longer than FUTURERELEASE of EHLO allows"));
	return true;
}

static bool
read_hold_until(struct reading *reading, struct span value)
{
	const struct smtp_parameter_rules *rules = reading->rules;
	struct smtp_mail_parameters *mail = reading->mail;

	if (!date_read(value, &mail->hold_until_wall_ms))
		return false;
	if (mail->hold_for_s > 0)
		return refuse_hold(reading, SPAN("HOLDFOR or HOLDUNTIL, not both"));
	if (mail->hold_until_wall_ms <= rules->wall_ms)
		return refuse_hold(reading, SPAN("the time has passed already"));
	if (rules->hold_max_s > 0 &&
	    (mail->hold_until_wall_ms - rules->wall_ms) / 1000 > rules->hold_max_s)
		return refuse_hold(reading, SPAN("longer than FUTURERELEASE of EHLO allows"));
	return true;
}

/* RFC 2852 section 4: [+-]seconds;R or N, and T. */
static bool
read_by(struct reading *reading, struct span value)
{
	struct smtp_mail_parameters *mail = reading->mail;
	struct span number, mode = value;
	bool minus;
	uint64_t seconds;

	if (!span_cut(&mode, ';', &number))
		return false;
	minus = number.len > 0 && number.ptr[0] == '-';
	if (number.len > 0 && (minus || number.ptr[0] == '+'))
		number = span_skip(number, 1);
	if (number.len > 9 || !span_u64(number, UINT64_MAX, &seconds))
		return false;
	mail->by_s = minus ? -(int64_t)seconds : (int64_t)seconds;
	if (span_starts_nocase(mode, SPAN("R")))
		mail->by = SMTP_BY_RETURN;
	else if (span_starts_nocase(mode, SPAN("N")))
		mail->by = SMTP_BY_NOTIFY;
	else
		return false;
	mail->by_trace = span_eq_nocase(span_skip(mode, 1), SPAN("T"));
	if (mode.len > 1 && !mail->by_trace)
		return false;
	if (mail->by == SMTP_BY_NOTIFY)
		return true;
	if (mail->by_s <= 0)
		return false;
	if (seconds < reading->rules->by_min_s)
		return refuse(reading->refusal, REPLY_BY_TOO_SOON, SPAN(""));
	return true;
}

/* RFC 6710 section 4: -9 to 9. */
static bool
read_priority(struct reading *reading, struct span value)
{
	struct smtp_mail_parameters *mail = reading->mail;
	bool minus = value.len > 0 && value.ptr[0] == '-';
	uint64_t number;

	value = span_skip(value, minus);
	if (value.len != 1 || !span_u64(value, SMTP_PRIORITY_MAX, &number))
		return false;
	mail->has_priority = true;
	mail->priority = minus ? -(int)number : (int)number;
	return true;
}

static bool
read_requiretls(struct reading *reading, struct span value)
{
	(void)value;
	if (!reading->rules->tls)
		return refuse(reading->refusal, REPLY_REQUIRETLS_NEEDS_TLS, SPAN(""));
	reading->mail->requiretls = true;
	return true;
}

/* RFC 3865 section 2.3: classes of letters, digits and ". : - _", with commas between. */
static bool
read_solicit(struct reading *reading, struct span value)
{
	struct span classes = value, class, refused, unwanted;

	if (value.len == 0 || value.len > SMTP_SOLICIT_BYTES_MAX ||
	    value.ptr[value.len - 1] == ',')
		return false;
	while (span_cut(&classes, ',', &class)) {
		if (class.len == 0 || !ascii_is_alpha(class.ptr[0]))
			return false;
		for (size_t i = 0; i < class.len; i++)
			if (!ascii_is_alnum(class.ptr[i]) && !memchr(".:-_", class.ptr[i], 4))
				return false;
		refused = reading->rules->solicit_refused;
		while (span_cut(&refused, ',', &unwanted))
			if (span_eq_nocase(class, unwanted))
				return refuse(
				    reading->refusal, REPLY_SOLICITATION_REFUSED, class);
	}
	reading->mail->solicit = value;
	return true;
}

struct parameter {
	const char *name;
	unsigned extension; /* 0: always offered */
	bool has_value;
	bool (*read)(struct reading *reading, struct span value);
	const char *syntax;
	const char *rule; /* what is said to one who got it wrong; NULL: the syntax */
};

static const struct parameter mail_parameters[] = {
    {"SIZE", 0, true, read_size, "SIZE=octets", NULL},
    {"BODY", 0, true, read_body, "BODY=7BIT|8BITMIME",
	"BODY=7BIT or BODY=8BITMIME, or BODY=BINARYMIME where it is offered"},
    {"SMTPUTF8", 0, false, read_smtputf8, "SMTPUTF8", "SMTPUTF8 has no value"},
    {"AUTH", 0, true, read_auth, "AUTH=mailbox", "AUTH=mailbox in xtext, or AUTH=<>"},
    {"RET", SMTP_EXTENSION_DSN, true, read_ret, "RET=FULL|HDRS", NULL},
    {"ENVID", SMTP_EXTENSION_DSN, true, read_envid, "ENVID=id",
	"ENVID=xtext of printable ASCII, at most 100 octets"},
    {"HOLDFOR", SMTP_EXTENSION_FUTURERELEASE, true, read_hold_for, "HOLDFOR=seconds",
	"HOLDFOR=1 to 999999999 seconds"},
    {"HOLDUNTIL", SMTP_EXTENSION_FUTURERELEASE, true, read_hold_until, "HOLDUNTIL=date",
	"HOLDUNTIL=date and time as in 2026-12-31T23:59:59Z"},
    {"BY", SMTP_EXTENSION_DELIVERBY, true, read_by, "BY=seconds;R|N[T]",
	"BY=seconds;R or BY=seconds;N, T after it for trace; with R more than 0"},
    {"MT-PRIORITY", SMTP_EXTENSION_MT_PRIORITY, true, read_priority, "MT-PRIORITY=-9..9",
	"MT-PRIORITY=-9 to 9"},
    {"REQUIRETLS", SMTP_EXTENSION_REQUIRETLS, false, read_requiretls, "REQUIRETLS",
	"REQUIRETLS has no value"},
    {"SOLICIT", SMTP_EXTENSION_NO_SOLICITING, true, read_solicit, "SOLICIT=class,...",
	NULL},
};

static const struct parameter rcpt_parameters[] = {
    {"NOTIFY", SMTP_EXTENSION_DSN, true, read_notify, "NOTIFY=NEVER|SUCCESS,FAILURE,DELAY",
	"NOTIFY=NEVER alone, or NOTIFY= with some of SUCCESS,FAILURE,DELAY"},
    {"ORCPT", SMTP_EXTENSION_DSN, true, read_orcpt, "ORCPT=rfc822;address",
	"ORCPT=type;address in xtext, at most 500 octets"},
};

/* Cuts the next word off text, which is at a space or at the end; "" where none follows. */
static bool
cut_word(struct span *text, struct span *word)
{
	if (text->len > 0 && text->ptr[0] != ' ')
		return false;
	while (text->len > 0 && text->ptr[0] == ' ')
		*text = span_skip(*text, 1);
	*word = span_first(*text, span_find(*text, ' '));
	*text = span_skip(*text, word->len);
	return true;
}

/* Only what is offered is found. */
static const struct parameter *
find_parameter(const struct reading *reading, struct span name)
{
	const struct parameter *rows = reading->mail ? mail_parameters : rcpt_parameters;
	size_t count = reading->mail ? LEN(mail_parameters) : LEN(rcpt_parameters);

	for (size_t i = 0; i < count; i++) {
		bool offered = rows[i].extension == 0 ||
			       (reading->rules->extensions & rows[i].extension);

		if (offered && span_eq_nocase(name, span_str(rows[i].name)))
			return &rows[i];
	}
	return NULL;
}

static bool
read_parameter(struct reading *reading, struct span word, unsigned *seen)
{
	size_t equals = span_find(word, '=');
	struct span name = span_first(word, equals), value = span_skip(word, equals + 1);
	const struct parameter *parameter = find_parameter(reading, name);
	unsigned bit;

	if (!parameter)
		return refuse(reading->refusal, REPLY_PARAMETER_UNKNOWN, name);
	bit = 1u << (parameter - (reading->mail ? mail_parameters : rcpt_parameters));
	if (*seen & bit)
		return refuse(
		    reading->refusal, REPLY_SYNTAX, SPAN("each parameter at most once"));
	*seen |= bit;
	*reading->refusal = (struct reply){.id = REFUSED_BY_SYNTAX};
	if (parameter->has_value == (equals < word.len) && parameter->read(reading, value))
		return true;
	if (reading->refusal->id != REFUSED_BY_SYNTAX)
		return false;
	return refuse(reading->refusal, REPLY_SYNTAX,
	    span_str(parameter->rule ? parameter->rule : parameter->syntax));
}

static bool
read_all(struct reading *reading, struct span text)
{
	struct span word;
	unsigned seen = 0;

	do {
		if (!cut_word(&text, &word))
			return refuse(reading->refusal, REPLY_SYNTAX,
			    SPAN("a space is needed after the address"));
		if (word.len > 0 && !read_parameter(reading, word, &seen))
			return false;
	} while (word.len > 0);
	return true;
}

bool
smtp_parameter_read_mail(struct span text, const struct smtp_parameter_rules *rules,
    struct smtp_mail_parameters *parameters, struct reply *refusal)
{
	struct reading reading = {.rules = rules, .mail = parameters, .refusal = refusal};

	*parameters = (struct smtp_mail_parameters){0};
	return read_all(&reading, text);
}

bool
smtp_parameter_read_rcpt(struct span text, const struct smtp_parameter_rules *rules,
    struct smtp_rcpt_parameters *parameters, struct reply *refusal)
{
	struct reading reading = {.rules = rules, .rcpt = parameters, .refusal = refusal};

	*parameters = (struct smtp_rcpt_parameters){0};
	return read_all(&reading, text);
}

void
smtp_parameter_write_syntax(struct buf *out, unsigned extensions, bool of_mail)
{
	const struct parameter *rows = of_mail ? mail_parameters : rcpt_parameters;
	size_t count = of_mail ? LEN(mail_parameters) : LEN(rcpt_parameters);

	for (size_t i = 0; i < count; i++) {
		if (rows[i].extension != 0 && !(extensions & rows[i].extension))
			continue;
		buf_add_str(out, " [");
		buf_add_str(out, rows[i].syntax);
		if (rows[i].read == read_body && (extensions & SMTP_EXTENSION_BINARYMIME))
			buf_add_str(out, "|BINARYMIME");
		buf_add_char(out, ']');
	}
}
