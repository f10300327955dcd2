/*
 * Mail for servers without 8BITMIME or BINARYMIME: whether it can be converted, and how it goes.
 *
 * It is read as a whole before MAIL is said: a message of which a part must not be changed never
 * begins to go.  Pieces beyond those at hand pass by, and are asked for again when it is sent.
 *
 * A message that was signed (DKIM) goes unchanged where any of the destination's hosts takes it
 * so; the first that lacks something gets it converted only after all others were tried.
 */
#include "proc/delivery/delivery_internal.h"

#include "base/check.h"
#include "base/sim_point.h"
#include "mime/header.h"

void
attempt_convert_free(struct attempt *attempt)
{
	survey_destroy(attempt->conversion.survey);
	convert_destroy(attempt->conversion.convert);
	attempt->conversion.survey = NULL;
	attempt->conversion.convert = NULL;
}

/* The pieces at hand are the next ones again. */
static void
rewind_body(struct attempt *attempt)
{
	attempt->conversion.is_reading = false;
	attempt->conversion.is_stale = attempt->more_asked;
	attempt->body_got = attempt->body.len;
}

static void
stop_reading(struct attempt *attempt)
{
	if (!attempt->conversion.is_reading)
		return;
	rewind_body(attempt);
	attempt_convert_free(attempt);
}

static void
end_reading_if_whole(struct attempt *attempt)
{
	if (attempt->body_got < attempt->body_bytes) {
		delivery_ask_more(attempt);
		return;
	}
	survey_finish(attempt->conversion.survey);
	rewind_body(attempt);
}

static void
start_reading(struct attempt *attempt)
{
	check(attempt->body_given == 0 && attempt->body_got == attempt->body.len);
	attempt->conversion.survey = survey_create(attempt->flags & IPC_MESSAGE_BINARY);
	attempt->conversion.is_reading = true;
	survey_take(attempt->conversion.survey, buf_span(&attempt->body));
	end_reading_if_whole(attempt);
}

void
attempt_convert_read(struct attempt *attempt, struct span bytes)
{
	check(attempt->conversion.is_reading);
	SIM_MARK("delivery.read_to_convert");
	attempt->body_got += bytes.len;
	survey_take(attempt->conversion.survey, bytes);
	end_reading_if_whole(attempt);
	if (!attempt->conversion.is_reading && attempt->conversion.waits)
		talk_mail_again(attempt->talk);
}

static bool
is_signed(const struct attempt *attempt)
{
	const struct span header = buf_span(&attempt->body);

	return header_has(header, SPAN("DKIM-Signature")) ||
	    header_has(header, SPAN("ARC-Message-Signature"));
}

/* What breaks a signature comes after all hosts that could take the message as it is. */
static bool
is_put_off(struct attempt *attempt)
{
	struct attempt_conversion *conversion = &attempt->conversion;

	if (conversion->after_all || attempt->addr_index + 1 == attempt->addr_count ||
	    !is_signed(attempt))
		return false;
	if (!conversion->is_put_off)
		conversion->put_off = attempt->addr_index;
	conversion->is_put_off = true;
	return true;
}

bool
attempt_convert_after_all(struct attempt *attempt)
{
	struct attempt_conversion *conversion = &attempt->conversion;

	if (!conversion->is_put_off || conversion->after_all)
		return false;
	SIM_MARK("delivery.signed_converted");
	conversion->after_all = true;
	attempt->addr_index = conversion->put_off;
	recorder_fact(attempt, "no other server takes the message as it is", SPAN(""));
	return true;
}

/* The mail goes to a server that lacks what was said with it. */
static void
use(struct attempt *attempt, enum survey_target target, struct smtp_client_mail *mail)
{
	struct attempt_conversion *conversion = &attempt->conversion;
	const struct survey *survey = conversion->survey;

	conversion->target = target;
	switch (survey_verdict(survey, target)) {
	case SURVEY_CANNOT:
		conversion->why = survey_why(survey, target);
		return;
	case SURVEY_CONVERT:
		conversion->convert = convert_create(survey, target);
		mail->body_bytes = survey_bytes_max(survey, target);
		break;
	case SURVEY_AS_IS:
		break;
	}
	mail->body_8bit = target == SURVEY_8BIT && survey_has_8bit(survey);
	mail->body_binary = false;
}

bool
attempt_convert(struct talk *talk, struct smtp_client_mail *mail)
{
	struct attempt *attempt = talk->attempt;
	struct attempt_conversion *conversion = &attempt->conversion;
	bool takes_8bit = smtp_client_takes_8bit(talk->smtp);

	convert_destroy(conversion->convert);
	conversion->convert = NULL;
	conversion->waits = false;
	conversion->why = NULL;
	if (!(mail->body_binary && !smtp_client_takes_binary(talk->smtp)) &&
	    !(mail->body_8bit && !takes_8bit)) {
		stop_reading(attempt);
		return true;
	}
	if (!attempt->delivery->conf->convert_for_old_servers)
		conversion->why = "this is switched off here (\"convert for old servers no\")";
	if (conversion->why || is_put_off(attempt))
		return true;
	if (!conversion->survey)
		start_reading(attempt);
	conversion->waits = conversion->is_reading;
	if (!conversion->waits)
		use(attempt, takes_8bit ? SURVEY_8BIT : SURVEY_7BIT, mail);
	return !conversion->waits;
}

static void
say_converted(struct attempt *attempt)
{
	const struct attempt_conversion *conversion = &attempt->conversion;
	struct event event;

	SIM_MARK("delivery.converted");
	attempt_event_begin(attempt, &event, "converted");
	event_str(&event, "lacks",
	    conversion->target == SURVEY_8BIT ? "BINARYMIME" : "8BITMIME");
	event_u64(&event, "parts", survey_part_count(conversion->survey, conversion->target));
	if (is_signed(attempt))
		event_str(&event, "text", "the message is signed (DKIM), which the next "
					  "server can no longer verify");
	event_end(&event);
	recorder_fact(attempt, "converted, for the server lacks ",
	    conversion->target == SURVEY_8BIT ? SPAN("BINARYMIME") : SPAN("8BITMIME"));
}

enum err
attempt_convert_body(struct attempt *attempt, struct span bytes, bool last, struct buf *out)
{
	struct convert *convert = attempt->conversion.convert;

	if (attempt->body_given == 0 && bytes.len > 0)
		say_converted(attempt);
	convert_take(convert, bytes, out);
	return last ? convert_finish(convert, out) : OK;
}
