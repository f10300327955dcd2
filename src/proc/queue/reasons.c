/* See reasons.h. */
#include "proc/queue/reasons.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "rules/rules.h"

static struct ipc_ages *
ages_of(struct reasons *reasons, struct span name)
{
	struct reason *row;

	name = span_first(name, IPC_TALLY_NAME_MAX);
	for (size_t i = 0; i < reasons->count; i++)
		if (span_eq(name, span_str(reasons->rows[i].name)))
			return &reasons->rows[i].ages;
	if (reasons->count == REASONS_MAX)
		return &reasons->others;
	row = &reasons->rows[reasons->count++];
	memcpy(row->name, name.ptr, name.len);
	return &row->ages;
}

static struct ipc_ages *
ages_of_reply(struct reasons *reasons, uint32_t reply)
{
	uint32_t count = reasons->reply_count;

	if (reply >= REASON_REPLIES_MAX)
		return &reasons->others;
	if (reply >= count) {
		reasons->reply_count = reply + 1 + reply / 2;
		reasons->by_reply = mem_realloc(
		    reasons->by_reply, reasons->reply_count * sizeof(*reasons->by_reply));
		memset(reasons->by_reply + count, 0,
		    (reasons->reply_count - count) * sizeof(*reasons->by_reply));
	}
	/* It must not become another one before it was looked at. */
	if (ipc_ages_total(&reasons->by_reply[reply]) == 0)
		sched_reply_hold(reasons->sched, reply);
	return &reasons->by_reply[reply];
}

void
reasons_add(struct reasons *reasons, uint32_t at, const struct sched_message *message,
    unsigned age)
{
	struct sched_destination destination;
	struct sched_rcpt rcpt;
	char code[24];
	uint32_t reply;

	sched_rcpt_get(reasons->sched, at, &rcpt);
	sched_destination_get(reasons->sched, rcpt.destination, &destination);
	reply = rcpt.reply ? rcpt.reply : destination.reply;
	if (message->flags & SCHED_ASIDE) {
		ages_of(reasons, SPAN("set aside"))->counts[age]++;
	} else if (message->flags & (SCHED_HELD | SCHED_HELD_ALL)) {
		ages_of(reasons, SPAN("held"))->counts[age]++;
	} else if (destination.limits.suspended) {
		ages_of(reasons, SPAN("suspended"))->counts[age]++;
	} else if (reply) {
		ages_of_reply(reasons, reply)->counts[age]++;
	} else if (rcpt.code > 0) {
		snprintf(code, sizeof(code), "%u", (unsigned)rcpt.code);
		ages_of(reasons, span_str(code))->counts[age]++;
	} else {
		ages_of(reasons, rcpt.tries > 0 ? SPAN("no longer known") : SPAN("not tried yet"))
		    ->counts[age]++;
	}
}

/* A rule's reason, else the enhanced status code, else the code. */
static void
take_reply(struct reasons *reasons, uint32_t at)
{
	const struct sched_reply reply = sched_reply_get(reasons->sched, at);
	/* "mail.example[192.0.2.1]" */
	const struct rules_reply said = {.text = span_first(reply.text, RULES_TEXT_BYTES_MAX),
	    .code = reply.code,
	    .status = reply.status,
	    .host = span_first(reply.remote, span_find(reply.remote, '['))};
	const struct rule *rule = reply.code > 0 ? rules_match(&said) : NULL;
	char name[IPC_TALLY_NAME_MAX + 1];

	if (sources_is_put_off(&reply))
		snprintf(name, sizeof(name), "no address to send from now");
	else if (rule)
		snprintf(name, sizeof(name), "%s", rule->reason);
	else if (reply.status.len > 0)
		snprintf(name, sizeof(name), "%.*s", SPAN_ARGS(reply.status));
	else
		snprintf(name, sizeof(name), "%u", (unsigned)reply.code);
	ipc_ages_add(ages_of(reasons, span_str(name)), &reasons->by_reply[at]);
	reasons->by_reply[at] = (struct ipc_ages){0};
	sched_reply_drop(reasons->sched, at);
}

bool
reasons_look(struct reasons *reasons, unsigned budget)
{
	for (; reasons->next < reasons->reply_count && budget > 0; reasons->next++) {
		if (ipc_ages_total(&reasons->by_reply[reasons->next]) == 0)
			continue;
		take_reply(reasons, reasons->next);
		budget--;
	}
	return reasons->next < reasons->reply_count;
}

static int
compare(const void *left, const void *right)
{
	const struct reason *a = left, *b = right;

	if (a->total != b->total)
		return a->total < b->total ? 1 : -1;
	return strcmp(a->name, b->name);
}

void
reasons_sort(struct reasons *reasons)
{
	for (size_t i = 0; i < reasons->count; i++)
		reasons->rows[i].total = ipc_ages_total(&reasons->rows[i].ages);
	qsort(reasons->rows, reasons->count, sizeof(reasons->rows[0]), compare);
}

void
reasons_fini(struct reasons *reasons)
{
	for (uint32_t i = 0; i < reasons->reply_count; i++)
		if (ipc_ages_total(&reasons->by_reply[i]) > 0)
			sched_reply_drop(reasons->sched, i);
	mem_free(reasons->by_reply);
	*reasons = (struct reasons){0};
}
