/*
 * Any bytes as parameters: what is taken lies within the text, holds no control, and keeps to the
 * bounds that others count on; what is refused has a reply of one line.
 */
#include "base/check.h"
#include "smtp/smtp_parameter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_within(struct span text, struct span part, size_t bytes_max)
{
	check(part.len <= bytes_max);
	if (part.len == 0)
		return;
	check(part.ptr >= text.ptr && part.ptr + part.len <= text.ptr + text.len);
	for (size_t i = 0; i < part.len; i++)
		check((unsigned char)part.ptr[i] > ' ' && part.ptr[i] != 0x7f);
}

static void
check_refusal(const struct reply *refusal)
{
	struct buf line;

	buf_init(&line, 2 * REPLY_LINE_BYTES_MAX);
	reply_write(&line, refusal, true, false);
	check(line.len > 2 && span_find(buf_span(&line), '\n') == line.len - 1);
	check(reply_code(refusal->id) >= 500);
	buf_fini(&line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_parameter_rules rules = {.hold_max_s = 1000, .by_min_s = 5,
	    .wall_ms = 1795751306000, .solicit_refused = SPAN("a,b:c")};
	struct smtp_mail_parameters mail;
	struct smtp_rcpt_parameters rcpt;
	struct reply refusal;
	struct span text;

	if (size < 2)
		return 0;
	rules.extensions = data[0];
	rules.tls = data[1] & 1;
	rules.smtputf8 = data[1] & 2;
	text = span_of((const char *)data + 2, size - 2);
	if (smtp_parameter_read_mail(text, &rules, &mail, &refusal)) {
		check_within(text, mail.envid, SMTP_ENVID_BYTES_MAX);
		check_within(text, mail.solicit, SMTP_SOLICIT_BYTES_MAX);
		check_within(text, mail.auth, text.len);
		check(mail.priority >= -SMTP_PRIORITY_MAX && mail.priority <= SMTP_PRIORITY_MAX);
		check(mail.hold_for_s == 0 || mail.hold_until_wall_ms == 0);
		check(mail.hold_for_s <= 1000);
		check(mail.by != SMTP_BY_RETURN || mail.by_s >= 5);
		check(!mail.requiretls || rules.tls);
	} else {
		check_refusal(&refusal);
	}
	if (smtp_parameter_read_rcpt(text, &rules, &rcpt, &refusal)) {
		check_within(text, rcpt.orcpt, SMTP_ORCPT_BYTES_MAX);
		check(rcpt.notify == SMTP_NOTIFY_NEVER || !(rcpt.notify & SMTP_NOTIFY_NEVER));
	} else {
		check_refusal(&refusal);
	}
	return 0;
}
