/*
 * What is asked of a client that has logged in (docs/submission.md): that it sends as itself, in
 * the envelope and in the header, and that its header is whole.
 *
 * Lookup has the tables.  It is asked at MAIL, and at the end of a message only where that names
 * somebody else than MAIL did.
 */
#include "proc/reception/reception_internal.h"

#include "base/check.h"

bool
submit_applies(const struct session *session)
{
	return session->kind == CONF_LISTENER_SUBMISSION ||
	    session->kind == CONF_LISTENER_SUBMISSIONS ||
	    (session->kind == CONF_LISTENER_SMTP && smtp_server_login(session->smtp).len > 0);
}

/* Adds an address as tables are asked with it; false where it is none. */
static bool
add_canonical(struct buf *out, struct span text)
{
	struct address address;
	const char *why;

	if (address_parse(text, &address, &why))
		return false;
	address_write_canonical(out, &address);
	buf_add_char(out, '\n');
	return true;
}

void
submit_mail(struct session *session)
{
	struct transaction *transaction = &session->transaction;
	struct buf address;

	/* The null reverse-path is for notices about mail, which users' programs send too. */
	if (!session->reception->conf->check_envelope || transaction->reverse_path.len == 0) {
		session_reply_id(session, REPLY_SENDER_OK);
		return;
	}
	buf_init(&address, ADDRESS_BYTES_MAX + 1);
	check(add_canonical(&address, transaction->reverse_path));
	ask_senders(session, buf_span(&address));
	buf_fini(&address);
}

void
submit_begin(struct session *session)
{
	struct reception *reception = session->reception;
	struct transaction *transaction = &session->transaction;
	struct submission_rules rules = {
	    .hostname = reception->conf->hostname,
	    .author = reception->conf->add_from ? transaction->reverse_path : SPAN(""),
	    .sender_vouches = reception->conf->sender_vouches,
	    .wall_ms = io_wall_ms(reception->env->io),
	};

	io_random(reception->env->io, rules.unique, sizeof(rules.unique));
	check(!transaction->submission);
	transaction->submission = submission_create(&rules);
}

struct span
submit_header(struct session *session, struct span bytes, struct buf *kept)
{
	size_t taken = submission_take(session->transaction.submission, bytes, kept);

	return span_skip(bytes, taken);
}

/*
 * Adds the authors that are still to be asked about; false, and which one, where one of them is no
 * address.
 */
static bool
add_authors(struct session *session, struct buf *out, struct span *wrong)
{
	struct transaction *transaction = &session->transaction;
	struct span rest = submission_addresses(transaction->submission), text;
	struct buf known, author;
	bool good = true;

	buf_init(&known, ADDRESS_BYTES_MAX + 1);
	buf_init(&author, ADDRESS_BYTES_MAX + 1);
	if (transaction->sender_checked)
		check(add_canonical(&known, transaction->reverse_path));
	while (good && span_cut(&rest, '\n', &text)) {
		buf_reset(&author);
		good = add_canonical(&author, text);
		if (!good)
			*wrong = text;
		else if (!span_eq_nocase(buf_span(&author), buf_span(&known)))
			buf_add(out, buf_span(&author));
	}
	buf_fini(&author);
	buf_fini(&known);
	return good;
}

/* why ends with the transaction, where it is of its submission. */
static void
refuse_header(struct session *session, struct span why, const char *what)
{
	struct buf text;
	struct reply reply = {.id = REPLY_HEADER_MALFORMED};

	buf_init(&text, ADDRESS_BYTES_MAX + 500);
	buf_add(&text, span_first(why, ADDRESS_BYTES_MAX));
	buf_add_str(&text, what);
	reply.args[0] = buf_span(&text);
	transaction_refuse(session, &reply);
	buf_fini(&text);
}

void
submit_end(struct session *session)
{
	struct submission *submission = session->transaction.submission;
	struct span wrong = submission_wrong(submission);
	struct buf authors;

	if (wrong.len > 0) {
		refuse_header(session, wrong, "");
		return;
	}
	buf_init(&authors, IPC_SENDERS_MAX);
	if (!add_authors(session, &authors, &wrong)) {
		refuse_header(session, wrong, " in From or Sender is not an address");
	} else if (authors.len == 0 || !session->reception->conf->check_header) {
		transaction_ready(session);
	} else {
		check(buf_finish(&authors) == OK);
		ask_senders(session, buf_span(&authors));
	}
	buf_fini(&authors);
}

void
submit_answered(struct session *session, const struct ipc_lx_senders *senders)
{
	struct transaction *transaction = &session->transaction;
	bool of_mail = !transaction->submission;
	struct reply reply = {
	    .id = of_mail ? REPLY_SENDER_NOT_YOURS : REPLY_AUTHOR_NOT_YOURS,
	    .args = {smtp_server_login(session->smtp), senders->address},
	};

	if (senders->verdict != IPC_MAY_SEND) {
		transaction_refuse(session, &reply);
	} else if (of_mail) {
		transaction->sender_checked = true;
		session_reply_id(session, REPLY_SENDER_OK);
	} else {
		transaction_ready(session);
	}
}

void
submit_lost(struct session *session)
{
	const struct reply reply = {.id = REPLY_SENDER_LOOKUP_FAILED};

	transaction_refuse(session, &reply);
}
