/*
 * The queue's answers, for people and as one JSON document.  Text that came over
 * the network is made safe for a terminal.  A list may be longer than memory: one
 * message is held at a time.
 */
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "cli/cli_queue_internal.h"
#include "replies/reply.h"

enum {
	TEXT_BYTES_MAX = 64 << 10, /* of one message's head, or one recipient */
	LIST_RCPTS_MAX = 5, /* of a message in a list */
	KEY_WIDTH = 9,
	SECOND_MS = 1000,
	MINUTE_S = 60,
	HOUR_S = 60 * MINUTE_S,
	DAY_S = 24 * HOUR_S,
};

const char *
cli_queue_text(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

long long
cli_queue_number(json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

const char *
cli_queue_plural(long long count)
{
	return count == 1 ? "" : "s";
}

bool
cli_queue_time(const char *text, uint64_t *wall_ms)
{
	struct tm tm = {0};
	int ms = 0;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &tm.tm_year, &tm.tm_mon,
		&tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms) != 7 ||
	    tm.tm_year < 1970 || ms < 0)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*wall_ms = (uint64_t)timegm(&tm) * SECOND_MS + (uint64_t)ms;
	return true;
}

void
cli_queue_write_distance(struct buf *out, uint64_t then_ms, uint64_t now_ms)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = {{DAY_S, "days"}, {HOUR_S, "h"}, {MINUTE_S, "min"}, {1, "s"}};
	bool ago = then_ms < now_ms;
	uint64_t seconds =
	    ((ago ? now_ms - then_ms : then_ms - now_ms) + SECOND_MS / 2) / SECOND_MS;
	size_t i = 0;

	if (seconds == 0) {
		buf_add_str(out, ago ? "just now" : "now");
		return;
	}
	/* The largest unit of which there are two, rounded: no "in 1 h" for 110 minutes. */
	while (i + 1 < LEN(units) && seconds < 2 * units[i].seconds)
		i++;
	buf_addf(out, "%s%llu %s%s", ago ? "" : "in ",
	    (unsigned long long)((seconds + units[i].seconds / 2) / units[i].seconds),
	    units[i].name, ago ? " ago" : "");
}

/* "24 Nov 03:04:05 UTC (in 4 min)" */
void
cli_queue_write_time(
    const struct cli_queue_printer *printer, struct buf *out, const char *text)
{
	time_t seconds;
	uint64_t then_ms;
	struct tm tm;
	char when[64];

	if (!cli_queue_time(text, &then_ms)) {
		buf_add_str(out, "at an unknown time");
		return;
	}
	seconds = (time_t)(then_ms / SECOND_MS);
	check(gmtime_r(&seconds, &tm));
	check(strftime(when, sizeof(when), "%e %b %H:%M:%S UTC", &tm) > 0);
	buf_addf(out, "%s (", when + (when[0] == ' '));
	cli_queue_write_distance(out, then_ms, printer->now_ms);
	buf_add_char(out, ')');
}

static void
write_size(struct buf *out, long long bytes)
{
	if (bytes < 1024)
		buf_addf(out, "%lld byte%s", bytes, cli_queue_plural(bytes));
	else if (bytes < 1024 * 1024)
		buf_addf(out, "%.1f KB", (double)bytes / 1024);
	else
		buf_addf(out, "%.1f MB", (double)bytes / (1024 * 1024));
}

/* What a peer said, on one line. */
void
cli_queue_write_reply(struct buf *out, json_t *rcpt)
{
	struct span rest = span_str(cli_queue_text(rcpt, "reply"));
	struct span line;
	struct span status = span_str(cli_queue_text(rcpt, "status"));
	long long code = cli_queue_number(rcpt, "code");
	bool first = true;

	if (code > 0)
		buf_addf(out, "%lld%s", code, rest.len || status.len ? " " : "");
	if (status.len && !span_starts(rest, status)) {
		reply_clean(out, status);
		buf_add_str(out, rest.len ? " " : "");
	}
	while (span_cut(&rest, '\n', &line)) {
		buf_add_str(out, first ? "" : " / ");
		reply_clean(out, span_trim(line));
		first = false;
	}
}

bool
cli_queue_has_reply(json_t *rcpt)
{
	return cli_queue_number(rcpt, "code") > 0 ||
	       cli_queue_text(rcpt, "reply")[0] != '\0';
}

static bool
is_held(const struct cli_queue_printer *printer)
{
	return json_is_true(json_object_get(printer->message, "held"));
}

static bool
is_aside(const struct cli_queue_printer *printer)
{
	return json_is_true(json_object_get(printer->message, "aside"));
}

/* Ends a line after so many columns; bytes are enough here, where text is mostly ASCII. */
void
cli_queue_cut_line(struct buf *out, size_t start, size_t width)
{
	size_t room = width > 8 ? width : 8;

	if (out->len - start <= room)
		return;
	out->len = start + room - 3;
	while (out->len > start && ((unsigned char)out->ptr[out->len] & 0xc0) == 0x80)
		out->len--;
	buf_add_str(out, "...");
}

static void
list_rcpt(const struct cli_queue_printer *printer, struct buf *out, json_t *rcpt)
{
	long long tries = cli_queue_number(rcpt, "tries");
	size_t start;

	buf_add_str(out, "  to <");
	reply_clean(out, span_str(cli_queue_text(rcpt, "address")));
	buf_add_str(out, ">: ");
	cli_queue_write_why_short(printer, out, rcpt);
	if (tries > 0)
		buf_addf(out, ", tried %lld time%s", tries, cli_queue_plural(tries));
	buf_add_char(out, '\n');
	if (!cli_queue_has_reply(rcpt))
		return;
	start = out->len;
	buf_add_str(out, "      ");
	cli_queue_write_reply(out, rcpt);
	cli_queue_cut_line(out, start, printer->width);
	buf_add_char(out, '\n');
}

static void
list_message(struct cli_queue_printer *printer, struct buf *out)
{
	json_t *message = printer->message;
	json_t *rcpts = json_object_get(message, "recipients");
	size_t count = json_array_size(rcpts);
	uint64_t arrived_ms;

	buf_addf(out, "%s  ", cli_queue_text(message, "id"));
	if (cli_queue_time(cli_queue_text(message, "arrived"), &arrived_ms))
		cli_queue_write_distance(out, arrived_ms, printer->now_ms);
	buf_add_str(out, "  ");
	write_size(out, cli_queue_number(message, "size"));
	buf_add_str(out, "  from <");
	reply_clean(out, span_str(cli_queue_text(message, "from")));
	buf_addf(out, ">%s%s\n", is_held(printer) ? "  on hold" : "",
	    is_aside(printer) ? "  set aside" : "");
	if (is_aside(printer)) {
		size_t start = out->len;

		buf_add_str(out, "  ");
		reply_clean(out, span_str(cli_queue_text(message, "aside_text")));
		cli_queue_cut_line(out, start, printer->width);
		buf_add_char(out, '\n');
	}
	for (size_t i = 0; i < count && i < LIST_RCPTS_MAX; i++)
		list_rcpt(printer, out, json_array_get(rcpts, i));
	if (count > LIST_RCPTS_MAX)
		buf_addf(out, "  and %zu more: postrider queue show %s\n",
		    count - LIST_RCPTS_MAX, cli_queue_text(message, "id"));
}

static void
show_row(struct page *page, const char *key, const struct buf *text)
{
	page_row(page, span_str(key), KEY_WIDTH, buf_span(text));
}

static void
show_head(struct cli_queue_printer *printer, struct page *page, struct buf *text)
{
	json_t *message = printer->message;
	const char *client = cli_queue_text(message, "client");

	buf_addf(text, "Message %s", cli_queue_text(message, "id"));
	page_title(page, buf_span(text));

	buf_reset(text);
	buf_addf(text, "<%s>", cli_queue_text(message, "from"));
	if (cli_queue_text(message, "from")[0] == '\0')
		buf_add_str(text, ": a notification, which goes back to nobody");
	show_row(page, "from", text);

	buf_reset(text);
	cli_queue_write_time(printer, text, cli_queue_text(message, "arrived"));
	if (client[0])
		buf_addf(text, " from %s", client);
	else
		buf_add_str(text, ", made by this server");
	if (cli_queue_text(message, "login")[0])
		buf_addf(text, ", logged in as %s", cli_queue_text(message, "login"));
	show_row(page, "arrived", text);

	if (cli_queue_text(message, "pool")[0]) {
		buf_reset(text);
		reply_clean(text, span_str(cli_queue_text(message, "pool")));
		show_row(page, "pool", text);
	}

	buf_reset(text);
	write_size(text, cli_queue_number(message, "size"));
	show_row(page, "size", text);

	buf_reset(text);
	cli_queue_write_time(printer, text, cli_queue_text(message, "expires"));
	buf_add_str(text, cli_queue_text(message, "from")[0]
			      ? "; what is not delivered by then goes back to its sender"
			      : "; what is not delivered by then is dropped");
	show_row(page, "expires", text);
	if (is_aside(printer)) {
		buf_reset(text);
		reply_clean(text, span_str(cli_queue_text(message, "aside_text")));
		buf_add_str(text, "; nothing is tried until it is released");
		show_row(page, "set aside", text);
	}
	if (!is_held(printer))
		return;
	buf_reset(text);
	buf_add_str(text,
	    "by an operator or by \"hold all mail\": nothing is tried until it is "
	    "released");
	show_row(page, "on hold", text);
}

/* What the catalogue says of the last reply: of the reason of a rule, else of its codes. */
static void
show_meaning(
    const struct cli_queue_printer *printer, struct page *page, const struct story_rcpt *told)
{
	const struct language *language = printer->options->language;
	const char *admin = language_text(language, story_admin(told));
	struct buf text;

	if (!told->reason && !told->codes[0].entry && !told->codes[1].entry)
		return;
	buf_init(&text, TEXT_BYTES_MAX);
	if (!told->reason)
		buf_addf(&text, "%s: ",
		    told->codes[1].entry ? told->codes[1].name : told->codes[0].name);
	buf_addf(&text, "%s. %s", story_reason_name(told, language),
	    language_text(language, story_meaning(told)));
	show_row(page, "means", &text);
	buf_reset(&text);
	if (*admin) {
		word_add(&text, language, WORD_ADMIN,
		    &(struct word_fields){.text = span_str(admin)});
		show_row(page, "to do", &text);
	}
	buf_fini(&text);
}

/* Why it waits: in English with all that is known, else as the catalogue has it. */
static void
show_why(const struct cli_queue_printer *printer, struct page *page, struct buf *text,
    json_t *rcpt, const struct story *story)
{
	buf_reset(text);
	if (printer->options->language)
		story_add_next(text, story, &story->rcpts[0], printer->options->language);
	else
		cli_queue_write_why(printer, text, rcpt);
	show_row(page, "state", text);
}

/* Where it is not when the whole message expires. */
static void
show_expiry(
    struct cli_queue_printer *printer, struct page *page, struct buf *text, json_t *rcpt)
{
	const char *expires = cli_queue_text(rcpt, "expires");

	if (!expires[0] ||
	    strcmp(expires, cli_queue_text(printer->message, "expires")) == 0)
		return;
	buf_reset(text);
	cli_queue_write_time(printer, text, expires);
	show_row(page, "expires", text);
}

static void
show_rcpt(
    struct cli_queue_printer *printer, struct page *page, struct buf *text, json_t *rcpt,
    const struct story *story)
{
	const char *original = cli_queue_text(rcpt, "original");
	uint64_t tried_ms;

	buf_reset(text);
	buf_add_str(text, "To <");
	reply_clean(text, span_str(cli_queue_text(rcpt, "address")));
	buf_add_str(text, ">");
	buf_add_char(text, '\0');
	page_heading(page, buf_span(text).ptr);
	if (original[0] && strcmp(original, cli_queue_text(rcpt, "address")) != 0) {
		buf_reset(text);
		buf_addf(text, "<%s>", original);
		show_row(page, "once", text);
	}
	show_why(printer, page, text, rcpt, story);
	if (cli_queue_text(rcpt, "limit")[0]) {
		buf_reset(text);
		buf_add_str(text, cli_queue_text(rcpt, "limit"));
		show_row(page, "limit", text);
	}
	if (cli_queue_text(rcpt, "rule")[0]) {
		buf_reset(text);
		buf_add_str(text, cli_queue_text(rcpt, "rule"));
		show_row(page, "rule", text);
	}
	if (cli_queue_text(rcpt, "route")[0]) {
		buf_reset(text);
		reply_clean(text, span_str(cli_queue_text(rcpt, "route")));
		show_row(page, "route", text);
	}
	show_expiry(printer, page, text, rcpt);
	if (!cli_queue_has_reply(rcpt))
		return;
	buf_reset(text);
	cli_queue_write_reply(text, rcpt);
	show_row(page, "last said", text);
	show_meaning(printer, page, &story->rcpts[0]);
	buf_reset(text);
	reply_clean(text, span_str(cli_queue_text(rcpt, "host")));
	if (cli_queue_time(cli_queue_text(rcpt, "tried"), &tried_ms)) {
		buf_add_str(text, text->len ? ", " : "");
		cli_queue_write_time(printer, text, cli_queue_text(rcpt, "tried"));
	}
	if (text->len)
		show_row(page, "by", text);
}

static void
show_advice(const struct cli_queue_printer *printer, struct buf *out)
{
	static const struct {
		const char *verb, *what;
		bool held, free; /* of use for a message on hold, for one that is not */
	} rows[] = {
	    {"release", "try it now, and go on", true, false},
	    {"retry", "try now, not at the next try", false, true},
	    {"hold", "try nothing until it is released", false, true},
	    {"delete", "remove it; nobody is told", true, true},
	};
	const char *id = cli_queue_text(printer->message, "id");

	buf_add_str(out,
	    printer->bold ? "\n\033[1mWhat you can do\033[0m\n" : "\nWhat you can do\n");
	for (size_t i = 0; i < LEN(rows); i++)
		if (is_held(printer) || is_aside(printer) ? rows[i].held : rows[i].free)
			buf_addf(out, "  postrider queue %-7s %-13s  %s\n", rows[i].verb,
			    id, rows[i].what);
}

static void
print_buf(struct buf *out)
{
	check(buf_finish(out) == OK);
	(void)fwrite(buf_span(out).ptr, 1, out->len, stdout);
	buf_reset(out);
}

/* A recipient at a time goes out, for there may be thousands. */
static void
show_message(struct cli_queue_printer *printer, struct buf *out)
{
	struct page page = {.out = out, .width = printer->width, .bold = printer->bold};
	json_t *rcpts = json_object_get(printer->message, "recipients");
	struct buf text;

	buf_init(&text, TEXT_BYTES_MAX);
	show_head(printer, &page, &text);
	for (size_t i = 0; i < json_array_size(rcpts); i++) {
		json_t *rcpt = json_array_get(rcpts, i);
		struct story_rcpt told = {0};
		struct story story;

		story_init(&story, STORY_OWN);
		cli_queue_tell(&told, rcpt, span_str(cli_queue_text(printer->message, "id")));
		story_add(&story, &told);
		show_rcpt(printer, &page, &text, rcpt, &story);
		story_fini(&story);
		print_buf(out);
	}
	if (json_object_get(printer->message, "last_attempt"))
		cli_queue_write_transcript_end(
		    printer, out, json_object_get(printer->message, "last_attempt"));
	show_advice(printer, out);
	buf_fini(&text);
}

/* Prints the message that was gathered. */
static void
print_gathered(struct cli_queue_printer *printer)
{
	bool list = printer->options->verb == CLI_QUEUE_LIST;
	struct buf out;

	if (!printer->message)
		return;
	if (printer->options->json) {
		if (list)
			printf(printer->shown == 0 ? "{\"messages\":[\n" : ",\n");
		(void)json_dumpf(printer->message, stdout, JSON_COMPACT);
	} else {
		buf_init(&out, 2 * TEXT_BYTES_MAX);
		if (list)
			list_message(printer, &out);
		else
			show_message(printer, &out);
		print_buf(&out);
		buf_fini(&out);
	}
	printer->shown++;
	json_decref(printer->message);
	printer->message = NULL;
}

/* What is not there is null, not "" or 0. */
void
cli_queue_set_nulls(json_t *object, const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		json_t *value = json_object_get(object, keys[i]);

		if ((json_is_string(value) && json_string_length(value) == 0) ||
		    (json_is_integer(value) && json_integer_value(value) == 0))
			check(json_object_set_new(object, keys[i], json_null()) == 0);
	}
}

void
cli_queue_print_message(struct cli_queue_printer *printer, json_t *message)
{
	static const char *const keys[] = {"client", "login", "pool", "aside_text"};

	print_gathered(printer);
	printer->message = json_incref(message);
	cli_queue_set_nulls(message, keys, LEN(keys));
	check(json_object_set_new(message, "recipients", json_array()) == 0);
}

void
cli_queue_print_rcpt(struct cli_queue_printer *printer, json_t *rcpt)
{
	static const char *const keys[] = {"original", "code", "status", "host", "reply", "rule",
	    "route", "limit", "window", "site"};

	if (!printer->message)
		return;
	cli_queue_set_nulls(rcpt, keys, LEN(keys));
	(void)json_object_del(rcpt, "id");
	if (printer->options->json) {
		struct buf why;

		buf_init(&why, TEXT_BYTES_MAX);
		cli_queue_write_why(printer, &why, rcpt);
		check(json_object_set_new(
			  rcpt, "why", json_stringn(buf_span(&why).ptr, why.len)) == 0);
		buf_fini(&why);
	}
	check(json_array_append(json_object_get(printer->message, "recipients"), rcpt) ==
	      0);
}

static void
print_list_end(const struct cli_queue_printer *printer, unsigned long long count,
    unsigned long long total)
{
	if (printer->options->json) {
		printf("%s],\"count\":%llu,\"total\":%llu",
		    printer->shown == 0 ? "{\"messages\":[" : "\n", count, total);
		cli_queue_print_nearest_json(printer);
		printf("}\n");
	} else if (count == 0 && total > 0) {
		printf("None of %llu message%s waits for that", total,
		    total == 1 ? "" : "s");
		cli_queue_print_nearest(printer);
		printf("%s\n", printer->nearest[0] ? "" : ".");
	} else if (count == 0) {
		printf("The queue is empty.\n");
	} else {
		printf(
		    "%llu of %llu message%s. More about one: postrider queue show ID\n",
		    count, total > count ? total : count, total == 1 ? "" : "s");
	}
}

static void
print_reroute_end(const struct cli_queue_printer *printer, unsigned long long count,
    unsigned long long under_way)
{
	const struct cli_queue_options *options = printer->options;
	unsigned long long rcpts = printer->rcpt_count;

	if (options->json) {
		printf("{\"count\":%llu,\"recipients\":%llu,\"under_way\":%llu}\n", count,
		    rcpts, under_way);
		return;
	}
	if (count == 0)
		printf("Nothing that waits is to go another way than it does.\n");
	else
		printf("%llu recipient%s of %llu message%s %s %s now.\n", rcpts,
		    rcpts == 1 ? "" : "s", count, count == 1 ? "" : "s",
		    rcpts == 1 ? "goes" : "go", options->host[0] ? "that way" : "the usual way");
	if (under_way > 0)
		printf("%llu recipient%s being tried meanwhile, and went on as before.\n",
		    under_way, under_way == 1 ? " was" : "s were");
}

static void
print_act_end(const struct cli_queue_printer *printer, unsigned long long count)
{
	static const struct {
		const char *one, *many;
	} texts[CLI_QUEUE_VERB_COUNT] = {
	    [CLI_QUEUE_RETRY] = {"is tried now, unless it is on hold",
		"tried now, but for those on hold"},
	    [CLI_QUEUE_HOLD] = {"is on hold, until it is released", "put on hold"},
	    [CLI_QUEUE_RELEASE] = {"is released, and tried now",
		"released, and tried now"},
	    [CLI_QUEUE_DELETE] = {"is deleted; what is under way is finished first",
		"deleted; what is under way is finished first"},
	};
	enum cli_queue_verb verb = printer->options->verb;

	if (strcmp(printer->options->id, "all") != 0)
		printf("%s %s.\n", printer->options->id, texts[verb].one);
	else if (count == 0)
		printf("The queue is empty; there is nothing to %s.\n",
		    cli_queue_verb_name(verb));
	else
		printf("%llu message%s %s.\n", count, count == 1 ? "" : "s",
		    texts[verb].many);
}

void
cli_queue_print_end(struct cli_queue_printer *printer, uint64_t count, uint64_t total)
{
	print_gathered(printer);
	if (printer->options->verb == CLI_QUEUE_LIST)
		print_list_end(printer, count, total);
	else if (printer->options->verb == CLI_QUEUE_SUMMARY)
		cli_queue_summary_end(printer, total);
	else if (printer->options->verb == CLI_QUEUE_WHY)
		cli_queue_standing_end(printer);
	else if (printer->options->verb == CLI_QUEUE_SOURCES)
		cli_queue_sources_end(printer);
	else if (printer->options->verb == CLI_QUEUE_SUSPENDED ||
	    printer->options->verb == CLI_QUEUE_SUSPEND ||
	    printer->options->verb == CLI_QUEUE_RESUME)
		cli_queue_suspension_end(printer, total);
	else if (printer->options->verb == CLI_QUEUE_REROUTE)
		print_reroute_end(printer, count, total);
	else if (printer->options->verb == CLI_QUEUE_TRACE)
		cli_queue_transcript_end(printer, total);
	else if (printer->options->verb == CLI_QUEUE_SHOW)
		printf("%s", printer->options->json ? "\n" : "");
	else if (printer->options->json)
		printf("{\"count\":%llu}\n", (unsigned long long)count);
	else
		print_act_end(printer, count);
}

void
cli_queue_print_stop(struct cli_queue_printer *printer)
{
	json_decref(printer->message);
	printer->message = NULL;
	json_decref(printer->standing);
	printer->standing = NULL;
	cli_queue_summary_stop(printer);
}
