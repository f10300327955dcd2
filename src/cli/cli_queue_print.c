/*
 * Text from the network is made safe for a terminal.  A list may be longer than memory: at most
 * one message is held at a time.
 */
#include "cli/cli_queue_print.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "replies/catalogue.h"

static const char *
text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static long long
number_of(json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

static void
print_safe(const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n')
			fputs(" / ", stdout);
		else
			putchar(c < ' ' || c == 0x7f ? '?' : c);
	}
}

/* "12 s ago", "in 4 min": how far a time of the server is from now. */
static void
print_distance(const char *timestamp)
{
	struct tm tm = {0};
	struct timespec now;
	long long seconds;
	const char *unit = "s";

	if (sscanf(timestamp, "%d-%d-%dT%d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		&tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	clock_gettime(CLOCK_REALTIME, &now);
	seconds = (long long)timegm(&tm) - (long long)now.tv_sec;
	bool ago = seconds <= 0;

	seconds = ago ? -seconds : seconds;
	if (seconds >= 2 * 86400) {
		seconds /= 86400;
		unit = "days";
	} else if (seconds >= 2 * 3600) {
		seconds /= 3600;
		unit = "h";
	} else if (seconds >= 120) {
		seconds /= 60;
		unit = "min";
	}
	printf(ago ? "%lld %s ago" : "in %lld %s", seconds, unit);
}

/* "2026-11-24 04:15:35 UTC" */
static void
print_time(const char *timestamp)
{
	printf("%.10s %.8s UTC", timestamp, strlen(timestamp) > 19 ? timestamp + 11 : "");
}

static void
print_message(const struct queue_printer *printer, json_t *message)
{
	bool held = json_is_true(json_object_get(message, "held"));

	printf("%s  ", text_of(message, "id"));
	print_distance(text_of(message, "arrived"));
	printf("  %lld bytes  from <", number_of(message, "size"));
	print_safe(text_of(message, "from"));
	printf(">%s\n", held ? "  on hold" : "");
	if (!printer->show)
		return;
	printf("  arrived ");
	print_time(text_of(message, "arrived"));
	printf(" from ");
	print_safe(
	    text_of(message, "client")[0] ? text_of(message, "client") : "this server");
	if (text_of(message, "login")[0]) {
		printf(", as ");
		print_safe(text_of(message, "login"));
	}
	printf("\n  given up ");
	print_time(text_of(message, "expires"));
	printf(" (");
	print_distance(text_of(message, "expires"));
	printf(")\n");
	if (held)
		printf("  on hold: nothing is tried until it is released with\n"
		       "      postrider queue release %s\n",
		    text_of(message, "id"));
}

/* Why a recipient waits, and for what. */
static void
print_reason(json_t *rcpt, bool held)
{
	const char *state = text_of(rcpt, "state");
	long long ahead = number_of(rcpt, "ahead");
	long long tries = number_of(rcpt, "tries");

	if (held && strcmp(state, "waiting") == 0) {
		printf("on hold");
	} else if (strcmp(state, "waiting") == 0) {
		printf("next try ");
		print_distance(text_of(rcpt, "next_try"));
	} else if (strcmp(state, "ready") == 0) {
		printf("waits its turn for ");
		print_safe(text_of(rcpt, "destination"));
		if (ahead > 0)
			printf(", %lld ahead", ahead);
	} else if (strcmp(state, "active") == 0) {
		printf("is being delivered");
	} else if (strcmp(state, "bouncing") == 0) {
		printf("failed; the sender is being told");
	}
	if (tries > 0)
		printf(", tried %lld time%s", tries, tries == 1 ? "" : "s");
	printf("\n");
}

static void
print_rcpt(const struct queue_printer *printer, json_t *rcpt, bool held)
{
	const struct catalogue_entry *entry;
	char code[16];

	printf("  to <");
	print_safe(text_of(rcpt, "address"));
	printf(">: ");
	print_reason(rcpt, held);
	if (text_of(rcpt, "reply")[0] == '\0' && number_of(rcpt, "code") == 0)
		return;
	printf("      ");
	if (text_of(rcpt, "host")[0]) {
		print_safe(text_of(rcpt, "host"));
		printf(" said: ");
	}
	snprintf(code, sizeof(code), "%lld", number_of(rcpt, "code"));
	if (number_of(rcpt, "code") > 0)
		printf("%s ", code);
	print_safe(text_of(rcpt, "reply"));
	printf("\n");
	entry = number_of(rcpt, "code") > 0 ? catalogue_find(span_str(code)) : NULL;
	if (printer->show && entry)
		printf("      %s means: %s (more: postrider explain %s)\n", code,
		    entry->name, code);
}

/* Ends the message that was being gathered. */
static void
flush_json(struct queue_printer *printer)
{
	if (!printer->message)
		return;
	if (!printer->show)
		printf(printer->messages++ == 0 ? "{\"messages\":[\n" : ",\n");
	json_dumpf(printer->message, stdout, JSON_COMPACT);
	json_decref(printer->message);
	printer->message = NULL;
}

static void
gather(struct queue_printer *printer, json_t *message, json_t *rcpt)
{
	json_t *rcpts;

	if (message) {
		flush_json(printer);
		printer->message = json_incref(message);
		json_object_set_new(message, "recipients", json_array());
	} else if (rcpt && printer->message) {
		rcpts = json_object_get(printer->message, "recipients");
		json_object_del(rcpt, "id");
		json_array_append(rcpts, rcpt);
	}
}

void
queue_print_part(struct queue_printer *printer, json_t *answer)
{
	json_t *message = json_object_get(answer, "message");
	json_t *rcpt = json_object_get(answer, "recipient");

	if (printer->json) {
		gather(printer, message, rcpt);
		return;
	}
	if (message) {
		/* Kept to know, at its recipients, whether it is held. */
		json_decref(printer->message);
		printer->message = json_incref(message);
		printer->messages++;
		print_message(printer, message);
	} else if (rcpt) {
		print_rcpt(printer, rcpt,
		    json_is_true(json_object_get(printer->message, "held")));
	}
}

static void
end_json(struct queue_printer *printer, long long count, long long total)
{
	flush_json(printer);
	if (printer->list)
		printf("%s],\"count\":%ld,\"total\":%lld}\n",
		    printer->messages == 0 ? "{\"messages\":[" : "\n", printer->messages,
		    total);
	else if (printer->show)
		printf("\n");
	else
		printf("{\"count\":%lld}\n", count);
}

void
queue_print_end(
    struct queue_printer *printer, const char *verb, long long count, long long total)
{
	if (printer->json) {
		end_json(printer, count, total);
		return;
	}
	json_decref(printer->message);
	printer->message = NULL;
	if (printer->list && total == 0)
		printf("The queue is empty.\n");
	else if (printer->list)
		printf("%ld of %lld message%s.\n", printer->messages, total,
		    total == 1 ? "" : "s");
	else if (!printer->show)
		printf("%s: %lld message%s.\n", verb, count, count == 1 ? "" : "s");
}
