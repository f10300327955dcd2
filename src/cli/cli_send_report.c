/*
 * How it went, for people and for programs.  Outcomes go to standard output,
 * what kept us from an outcome to standard error, each with what to do next.
 *
 * Exit codes: 0 sent to all; EX_UNAVAILABLE a 5xx, or nobody there; EX_TEMPFAIL a
 * 4xx, or no answer in time; EX_NOPERM refused log-in; EX_PROTOCOL not SMTP, no TLS.
 */
#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/check.h"
#include "cli/cli_send_internal.h"
#include "proc/proc_json.h"
#include "replies/catalogue.h"

enum { TEXT_BYTES_MAX = 16384, SENTENCE_BYTES_MIN = 40, PORT_SMTPS = 465 };

static int
exit_code_of(const struct cli_send_answer *answer)
{
	if (answer->code >= 500)
		return EX_UNAVAILABLE;
	return answer->code >= 400 || answer->code == 0 ? EX_TEMPFAIL : EX_OK;
}

/* The answer that decides about a recipient: its own refusal, else the message's. */
static const struct cli_send_answer *
answer_for(const struct cli_send_result *result, size_t index)
{
	const struct cli_send_answer *own = &result->rcpts[index];

	return own->code >= 400 || !result->ended ? own : &result->final;
}

static int
exit_code_of_failure(const struct cli_send_result *result)
{
	if (result->failure == CLI_SEND_NO_TLS)
		return EX_PROTOCOL;
	if (result->err == ERR_DENIED) {
		if (result->stage == SMTP_CLIENT_AUTH && result->final.code >= 500)
			return EX_NOPERM;
		return exit_code_of(&result->final);
	}
	if (result->err == ERR_SYNTAX || result->err == ERR_CRYPTO ||
	    result->err == ERR_UNSUPPORTED || result->err == ERR_TOO_LONG)
		return EX_PROTOCOL;
	if (result->failure == CLI_SEND_NOT_CONNECTED && result->err != ERR_TIMEOUT)
		return EX_UNAVAILABLE;
	return EX_TEMPFAIL;
}

static int
exit_code(const struct cli_send_options *options, const struct cli_send_result *result)
{
	int worst = EX_OK;

	if (!result->ended)
		return exit_code_of_failure(result);
	for (size_t i = 0; i < options->to_count; i++) {
		int code = exit_code_of(answer_for(result, i));

		/* What is refused for good outweighs what may work later. */
		if (worst == EX_OK || code == EX_UNAVAILABLE)
			worst = code == EX_OK ? worst : code;
	}
	return worst;
}

static size_t
sent_count(const struct cli_send_options *options, const struct cli_send_result *result)
{
	size_t count = 0;

	for (size_t i = 0; result->ended && i < options->to_count; i++)
		count += exit_code_of(answer_for(result, i)) == EX_OK;
	return count;
}

static void
add_answer(struct buf *out, const struct cli_send_answer *answer)
{
	buf_addf(out, "%u ", answer->code);
	if (answer->status[0])
		buf_addf(out, "%u.%u.%u ", answer->status[0], answer->status[1],
		    answer->status[2]);
	cli_send_print_safe(out, span_trim(span_str(answer->text)));
}

/* The first sentence of a paragraph, or more of them until there is something said. */
static struct span
sentence(const char *text)
{
	struct span paragraph = span_str(text);
	const char *end = strstr(text, "\n\n");

	if (end)
		paragraph = span_of(text, (size_t)(end - text));
	for (size_t i = SENTENCE_BYTES_MIN; i + 1 < paragraph.len; i++) {
		if (paragraph.ptr[i] == '.' && paragraph.ptr[i + 1] == ' ')
			return span_first(paragraph, i + 1);
	}
	return paragraph;
}

/* What the catalogue knows about a refusal: what it means, and what to do. */
static void
add_explanation(struct buf *out, const struct cli_send_answer *answer)
{
	const struct catalogue_entry *entry = NULL;
	char code[32];
	int bytes;

	if (answer->status[0]) {
		bytes = snprintf(code, sizeof(code), "%u.%u.%u", answer->status[0],
		    answer->status[1], answer->status[2]);
		entry = catalogue_find(span_of(code, (size_t)bytes));
	}
	if (!entry) {
		bytes = snprintf(code, sizeof(code), "%u", answer->code);
		entry = catalogue_find(span_of(code, (size_t)bytes));
	}
	if (!entry)
		return;
	buf_addf(out, "    %.*s\n", SPAN_ARGS(sentence(entry->meaning)));
	buf_addf(out, "    %.*s\n", SPAN_ARGS(sentence(entry->sender)));
	buf_addf(out, "    More: postrider explain %s\n", code);
}

static bool
same_answer(const struct cli_send_answer *a, const struct cli_send_answer *b)
{
	return a->code == b->code && memcmp(a->status, b->status, sizeof(a->status)) == 0;
}

/* One line for each recipient; a refusal is explained once, where it comes first. */
static void
add_recipients(struct buf *out, const struct cli_send_options *options,
    const struct cli_send_result *result)
{
	for (size_t i = 0; i < options->to_count; i++) {
		const struct cli_send_answer *answer = answer_for(result, i);
		bool good = exit_code_of(answer) == EX_OK;
		bool known = false;

		buf_add_str(out, good ? "accepted  " : "refused   ");
		cli_send_print_safe(out, options->to[i]);
		buf_add_str(out, ": ");
		/* What the server said to this recipient tells more than the last reply. */
		add_answer(
		    out, result->rcpts[i].code && good ? &result->rcpts[i] : answer);
		buf_add_char(out, '\n');
		for (size_t j = 0; j < i && !known; j++)
			known = same_answer(answer_for(result, j), answer);
		if (!good && !known)
			add_explanation(out, answer);
	}
}

static void
add_outcome(struct buf *out, const struct cli_send_options *options,
    const struct cli_send_result *result)
{
	size_t sent = sent_count(options, result);

	add_recipients(out, options, result);
	if (sent == 0)
		buf_add_str(out, "not sent to anybody");
	else if (sent == options->to_count)
		buf_addf(out, "sent to %zu recipient%s", sent, sent == 1 ? "" : "s");
	else
		buf_addf(out, "sent to %zu of %zu recipients", sent, options->to_count);
	buf_add_str(out, ": ");
	add_answer(out, &result->final);
	buf_add_char(out, '\n');
}

/* 465 speaks TLS from the first byte: silence there, or noise, has that reason. */
static void
add_way_hint(struct buf *out, const struct cli_send_options *options)
{
	if (options->way != CLI_SEND_TLS && options->port == PORT_SMTPS)
		buf_add_str(out, "Port 465 wants TLS from the first byte: add --tls.\n");
	else if (options->way == CLI_SEND_TLS && options->port != PORT_SMTPS)
		buf_addf(out,
		    "Does port %u speak TLS from the first byte? If not, use --starttls.\n",
		    options->port);
}

static void
add_not_connected(struct buf *out, const struct cli_send_options *options, enum err err)
{
	buf_addf(out, "no connection to %s: %s.\n", options->server, err_text(err));
	if (err == ERR_REFUSED)
		buf_addf(out,
		    "The machine is there, but nothing listens on port %u. Is the server "
		    "running, and is it the right port?\nUsual ones: 25 (servers), 587 and 465 "
		    "(programs); postrider without root: 2525, 5587 and 4465.\n",
		    options->port);
	else if (err == ERR_TIMEOUT)
		buf_add_str(out,
		    "Nothing came back at all. A firewall drops the packets, or the machine is "
		    "off; many networks block port 25.\n");
	else if (err == ERR_UNREACHABLE)
		buf_add_str(out,
		    "There is no way to that network from here. Is this machine "
		    "connected, and is the address right?\n");
}

static void
add_no_tls(struct buf *out, const struct cli_send_options *options,
    const struct cli_send_result *result)
{
	buf_addf(out, "no TLS with %s: ", options->server);
	cli_send_print_safe(out, span_str(result->why));
	buf_add_str(out, ".\n");
	if (strstr(result->why, "certificate"))
		buf_add_str(out, "To send all the same, without knowing who is there: "
				 "--insecure.\n");
	else
		add_way_hint(out, options);
}

/* The session broke off without a reply that says why. */
static void
add_broken(struct buf *out, const struct cli_send_options *options,
    const struct cli_send_result *result)
{
	const char *stage = smtp_client_stage_name(result->stage);

	if (result->err == ERR_CRYPTO) {
		buf_addf(out, "%s does not offer STARTTLS%s.\n", options->server,
		    options->login ? ", and a password is not sent in clear" : "");
		return;
	}
	if (result->err == ERR_UNSUPPORTED) {
		buf_addf(out,
		    "%s offers no way to log in that we know (PLAIN, LOGIN).\n"
		    "Servers often offer AUTH on ports 587 and 465 only.\n",
		    options->server);
		return;
	}
	if (result->err == ERR_SYNTAX && result->stage == SMTP_CLIENT_STARTTLS) {
		buf_addf(out,
		    "%s sent more than its answer to STARTTLS, in clear. A broken server "
		    "does that, or somebody on the way who adds commands.\n",
		    options->server);
		return;
	}
	if (result->err == ERR_SYNTAX || result->err == ERR_TOO_LONG) {
		buf_addf(
		    out, "what %s says is not SMTP (%s): \"", options->server, stage);
		cli_send_print_safe(out, span_first(span_str(result->final.text), 200));
		buf_add_str(out, "\".\n");
	} else {
		buf_addf(out, "%s %s (%s).\n", options->server,
		    result->err == ERR_TIMEOUT ? "stopped answering"
					       : "closed the connection",
		    stage);
	}
	if (result->in_doubt)
		buf_add_str(out,
		    "The message had been sent whole: the server may have taken "
		    "it. Sending again may make a second copy.\n");
	else if (result->stage == SMTP_CLIENT_GREETING)
		add_way_hint(out, options);
}

static void
add_failure(struct buf *out, const struct cli_send_options *options,
    const struct cli_send_result *result)
{
	buf_add_str(out, "postrider send: ");
	if (result->failure == CLI_SEND_NOT_CONNECTED) {
		add_not_connected(out, options, result->err);
	} else if (result->failure == CLI_SEND_NO_TLS) {
		add_no_tls(out, options, result);
	} else if (result->final.code) {
		buf_addf(out, "refused by %s (%s): ", options->server,
		    smtp_client_stage_name(result->stage));
		add_answer(out, &result->final);
		buf_add_char(out, '\n');
		add_explanation(out, &result->final);
	} else {
		add_broken(out, options, result);
	}
}

static json_t *
json_answer(const struct cli_send_answer *answer)
{
	char status[32] = "";

	if (answer->code == 0)
		return json_null();
	if (answer->status[0])
		(void)snprintf(status, sizeof(status), "%u.%u.%u", answer->status[0],
		    answer->status[1], answer->status[2]);
	return json_pack("{s:i, s:s, s:o}", "code", (int)answer->code, "enhanced", status,
	    "text", proc_json_text(span_str(answer->text)));
}

static int
add_piece(const char *piece, size_t bytes, void *out)
{
	buf_add(out, span_of(piece, bytes));
	return 0;
}

/* Keys and their order are a contract: programs read this. */
static void
add_json(struct buf *out, const struct cli_send_options *options,
    const struct cli_send_result *result, int code)
{
	json_t *rcpts = json_array(), *root;
	size_t sent = sent_count(options, result);
	struct buf error;

	for (size_t i = 0; i < options->to_count; i++) {
		const struct cli_send_answer *answer = answer_for(result, i);
		bool good = result->ended && exit_code_of(answer) == EX_OK;

		json_array_append_new(rcpts,
		    json_pack("{s:o, s:b, s:o}", "address", proc_json_text(options->to[i]),
			"accepted", good, "reply", json_answer(answer)));
	}
	root = json_pack("{s:o, s:b, s:i, s:o, s:o, s:s?, s:b, s:i}", "server",
	    proc_json_text(span_str(options->server)), "sent", sent == options->to_count,
	    "sent_count", (int)sent, "recipients", rcpts, "reply",
	    json_answer(&result->final), "tls", result->tls, "in_doubt", result->in_doubt,
	    "exit_code", code);
	buf_init(&error, TEXT_BYTES_MAX);
	if (!result->ended)
		add_failure(&error, options, result);
	json_object_set_new(root, "error",
	    error.len ? proc_json_text(span_trim(buf_span(&error))) : json_null());
	buf_fini(&error);
	(void)json_dump_callback(root, add_piece, out, JSON_INDENT(2));
	buf_add_char(out, '\n');
	json_decref(root);
}

int
cli_send_report(
    const struct cli_send_options *options, const struct cli_send_result *result)
{
	bool to_error = !result->ended && !options->json;
	int code = exit_code(options, result);
	struct buf out;

	/* Each recipient may have an answer, an explanation and an address. */
	buf_init(&out, (options->to_count + 1) * TEXT_BYTES_MAX);
	if (options->json)
		add_json(&out, options, result, code);
	else if (result->ended)
		add_outcome(&out, options, result);
	else
		add_failure(&out, options, result);
	if (fwrite(out.ptr, 1, out.len, to_error ? stderr : stdout) != out.len ||
	    fflush(stdout) != 0) {
		perror("postrider send: standard output");
		code = code == EX_OK ? EX_IOERR : code;
	}
	buf_fini(&out);
	return code;
}
