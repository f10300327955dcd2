/*
 * Another server's dialogue, SMTP or LMTP: who is taken, what becomes of a message, and what the
 * oracle is told.
 */
#include "sim_remote.h"

#include <stdio.h>

static bool
is_for_here(const struct remote *remote, struct span address)
{
	struct span domain = span_skip(address, span_find_last(address, '@') + 1);

	for (size_t i = 0; i < remote->options.domain_count; i++)
		if (span_eq_nocase(domain, span_str(remote->options.domains[i])))
			return true;
	return false;
}

/* Those that no server here has. */
static bool
is_nobody(struct span address)
{
	return span_starts(address, SPAN("nobody")) || span_starts(address, SPAN("gone@"));
}

/* What stands between "<" and ">". */
static struct span
path_of(struct span line)
{
	struct span rest = span_skip(line, span_find(line, '<') + 1);

	return span_first(rest, span_find(rest, '>'));
}

static void
forget(struct visit *visit)
{
	visit->mail = visit->in_body = false;
	visit->rcpt_count = 0;
	buf_reset(&visit->body);
}

static void
take_mail(struct visit *visit, struct span line)
{
	forget(visit);
	visit->mail = true;
	snprintf(visit->from, sizeof(visit->from), "%.*s", SPAN_ARGS(path_of(line)));
	remote_say(visit, "250 2.1.0 ok");
}

static void
take_rcpt(struct visit *visit, struct span line)
{
	const struct remote *remote = visit->remote;
	struct span address = path_of(line);

	if (!visit->mail)
		remote_say(visit, "503 5.5.1 no MAIL");
	else if (!is_for_here(remote, address))
		/* Who stands in for others comes to it by chance: somebody else may have it. */
		remote_say(visit, remote->options.stands_in ? "451 4.7.1 not now"
		                                            : "550-5.7.1 no\r\n550 5.7.1 relay");
	else if (is_nobody(address)) {
		oracle_remote_knows_not(
		    remote->options.oracle, address, span_str(visit->from));
		remote_say(visit, "550 5.1.1 nobody here of that name");
	} else if (visit->rcpt_count >= remote->options.rcpt_max)
		remote_say(visit, "452 4.5.3 too many recipients");
	else {
		snprintf(visit->rcpts[visit->rcpt_count++], LETTER_ADDRESS_BYTES, "%.*s",
		    SPAN_ARGS(address));
		remote_say(visit, "250 2.1.5 ok");
	}
}

static void
take_hello(struct visit *visit, bool extended)
{
	const struct remote *remote = visit->remote;

	visit->hello = true;
	visit->seven_bits = !extended || remote->options.seven_bits;
	forget(visit);
	if (!extended) {
		remote_say(visit, "250 %s", remote->options.name);
		return;
	}
	remote_say(visit, "250-%s", remote->options.name);
	if (remote->options.pipelining)
		remote_say(visit, "250-PIPELINING");
	if (!visit->seven_bits)
		remote_say(visit, "250-8BITMIME");
	remote_say(visit, "250-ENHANCEDSTATUSCODES\r\n250 SIZE 0");
}

/* So many of the recipients, from one on, have the message now. */
static void
take_for(struct visit *visit, size_t first, size_t count, bool replied)
{
	const struct remote *remote = visit->remote;
	struct span rcpts[REMOTE_RCPTS_MAX];
	struct oracle_mail mail = {
	    .from = span_str(visit->from),
	    .bytes = buf_span(&visit->body),
	    .rcpts = rcpts,
	    .rcpt_count = count,
	    .where = remote->options.name,
	    .replied = replied,
	    .seven_bits = visit->seven_bits,
	};

	if (buf_finish(&visit->body))
		sim_fail(remote->sim, "property 3: a message without end at %s",
		    remote->options.name);
	for (size_t i = 0; i < count; i++)
		rcpts[i] = span_str(visit->rcpts[first + i]);
	oracle_remote_took(remote->options.oracle, &mail);
}

/* Nothing more is said, for good; the visit may be over, then it is NULL. */
static void
fall_silent(struct visit **at)
{
	struct visit *visit = *at;

	visit->remote->faults++;
	if (remote_chance(visit, 3) == 0) {
		visit->waiting = true;
		return;
	}
	remote_visit_over(visit, remote_chance(visit, 2));
	*at = NULL;
}

static bool
loses_connection(const struct visit *visit)
{
	const struct remote_options *options = &visit->remote->options;

	return remote_errs(visit) ||
	    (!options->mood->healed && sim_happens(visit->remote->sim, options->cut_ppm));
}

/* LMTP: a verdict for each, in order, until the connection is lost between two of them. */
static void
judge(struct visit **at)
{
	struct visit *visit = *at;
	size_t count = visit->rcpt_count;

	for (size_t i = 0; i < count; i++) {
		if (loses_connection(visit)) {
			bool kept = remote_chance(visit, 2);

			sim_trace(visit->remote->sim, "%s is lost before verdict %zu of %zu",
			    visit->remote->options.name, i, count);
			if (kept)
				take_for(visit, i, 1 + remote_chance(visit, count - i), false);
			forget(visit);
			if (remote_flush(visit))
				fall_silent(at);
			else
				*at = NULL;
			return;
		}
		/* The mailbox of one of them is full for good. */
		if (remote_errs(visit) || span_starts(span_str(visit->rcpts[i]), SPAN("max"))) {
			remote_say(visit, "%s", remote_chance(visit, 2) ? "452 4.2.2 full"
			                                               : "552 5.2.2 full");
			continue;
		}
		take_for(visit, i, 1, true);
		remote_say(visit, "250 2.0.0 %s has it", visit->rcpts[i]);
	}
	forget(visit);
}

/* The message is here: it is taken before anybody is told. */
static void
take_end(struct visit **at)
{
	struct visit *visit = *at;
	bool silent;

	if (visit->remote->options.lmtp) {
		judge(at);
		return;
	}
	silent = remote_errs(visit);
	if (!silent && remote_fault(at, STEP_END)) {
		if (*at)
			forget(visit);
		return;
	}
	take_for(visit, 0, visit->rcpt_count, !silent);
	forget(visit);
	if (!silent) {
		remote_say(visit, "250 2.0.0 taken");
		if (visit->remote->options.forgets)
			remote_forget(visit);
		return;
	}
	sim_trace(visit->remote->sim, "%s takes and says nothing", visit->remote->options.name);
	fall_silent(at);
}

/* A line of the message. */
void
remote_take_body_line(struct visit **at, struct span line)
{
	struct visit *visit = *at;

	if (span_eq(line, SPAN("."))) {
		take_end(at);
		return;
	}
	if (line.len > 0 && line.ptr[0] == '.')
		line = span_skip(line, 1);
	buf_add(&visit->body, line);
	buf_add_str(&visit->body, "\r\n");
	if (visit->body.len % 50 == 7 && !visit->remote->options.mood->healed &&
	    sim_happens(visit->remote->sim, visit->remote->options.mood->remote_ppm / 50)) {
		sim_trace(visit->remote->sim, "%s drops a body", visit->remote->options.name);
		visit->remote->faults++;
		remote_visit_over(visit, true);
		*at = NULL;
	}
}

static void
take_data(struct visit *visit)
{
	if (visit->rcpt_count == 0) {
		remote_say(visit, "554 5.5.1 nobody to give it to");
		return;
	}
	visit->in_body = true;
	buf_reset(&visit->body);
	remote_say(visit, "354 go on");
}

/* Whether it is greeted as what it is; where the DNS does not lie, it is. */
static bool
is_right_way(const struct remote *remote, struct span verb)
{
	if (span_eq_nocase(verb, SPAN("LHLO")) == remote->options.lmtp)
		return true;
	if (remote->options.mood->dns_ppm == 0)
		sim_fail(remote->sim, "property 15: %.*s at %s, which is no such server",
		    SPAN_ARGS(verb), remote->options.name);
	return false;
}

void
remote_take_command(struct visit **at, struct span line)
{
	struct visit *visit = *at;
	struct span verb = span_first(line, 4);

	if (span_eq_nocase(verb, SPAN("EHLO")) || span_eq_nocase(verb, SPAN("HELO")) ||
	    span_eq_nocase(verb, SPAN("LHLO"))) {
		if (!is_right_way(visit->remote, verb))
			remote_say(visit, "500 5.5.1 what?");
		else if (!remote_fault(at, STEP_HELLO))
			take_hello(visit, !span_eq_nocase(verb, SPAN("HELO")));
	} else if (span_starts_nocase(line, SPAN("MAIL FROM:"))) {
		if (!remote_fault(at, STEP_MAIL))
			take_mail(visit, line);
	} else if (span_starts_nocase(line, SPAN("RCPT TO:"))) {
		if (!remote_fault(at, STEP_RCPT))
			take_rcpt(visit, line);
	} else if (span_starts_nocase(line, SPAN("DATA"))) {
		if (!remote_fault(at, STEP_DATA))
			take_data(visit);
	} else if (span_starts_nocase(line, SPAN("RSET"))) {
		forget(visit);
		remote_say(visit, "250 2.0.0 ok");
	} else if (span_starts_nocase(line, SPAN("NOOP"))) {
		remote_say(visit, "250 2.0.0 ok");
	} else if (span_starts_nocase(line, SPAN("QUIT"))) {
		if (remote_fault(at, STEP_QUIT))
			return;
		remote_say(visit, "221 2.0.0 bye");
		visit->closing = true;
	} else {
		remote_say(visit, "500 5.5.1 what?");
	}
}

