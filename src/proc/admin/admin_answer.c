/* See admin_answer.h.  The names of states and reasons are those of the control socket. */
#include "proc/admin/admin_answer.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/date.h"
#include "base/id.h"
#include "ipc/ages.h"
#include "ipc/transcript.h"
#include "proc/proc_json.h"

static const char *const reasons[IPC_WHY_COUNT] = {
    [IPC_WHY_TIME] = "time",
    [IPC_WHY_DOWN] = "down",
    [IPC_WHY_PROBE] = "probe",
    [IPC_WHY_WINDOW] = "connections",
    [IPC_WHY_RATE] = "rate",
    [IPC_WHY_TURN] = "turn",
    [IPC_WHY_HELD] = "held",
    [IPC_WHY_ASIDE] = "aside",
    [IPC_WHY_SUSPECT] = "suspect",
    [IPC_WHY_ACTIVE] = "active",
    [IPC_WHY_BOUNCING] = "bouncing",
    [IPC_WHY_UNTIL] = "until",
    [IPC_WHY_SUSPENDED] = "suspended",
    [IPC_WHY_PAUSE] = "pause",
    [IPC_WHY_SITE] = "site",
    [IPC_WHY_SITE_RATE] = "site-rate",
    [IPC_WHY_FULL] = "full",
    [IPC_WHY_SOURCE] = "source",
};

static const char *const destination_states[IPC_DESTINATION_COUNT] = {
    "ok", "limited", "down", "suspended", "paused"};

static json_t *
json_id(uint64_t id)
{
	char text[ID_TEXT_MAX];

	return proc_json_text(id_text(text, id));
}

/* null for 0, which is no time. */
static json_t *
json_time(uint64_t wall_ms)
{
	struct buf text;
	json_t *value;

	if (wall_ms == 0)
		return json_null();
	buf_init(&text, 64);
	date_write_ms(&text, wall_ms);
	value = proc_json_text(buf_span(&text));
	buf_fini(&text);
	return value;
}

static json_t *
json_number(uint64_t number)
{
	return json_integer((json_int_t)number);
}

static json_t *
json_name(const char *const *names, size_t count, uint8_t value)
{
	return json_string(value < count && names[value] ? names[value] : "unknown");
}

/* How many there are of each age. */
static json_t *
json_ages(struct span bytes, uint64_t *total)
{
	static const char *const columns[IPC_AGES] = {"5m", "20m", "1h", "6h", "1d", "older"};
	json_t *value = json_object();
	struct ipc_ages ages;

	if (ipc_ages_read(bytes, &ages))
		ages = (struct ipc_ages){0};
	for (unsigned i = 0; i < IPC_AGES; i++)
		json_object_set_new(value, columns[i], json_number(ages.counts[i]));
	*total = ipc_ages_total(&ages);
	return value;
}

json_t *
admin_message(const struct ipc_qa_message *message)
{
	json_t *value = json_object();

	json_object_set_new(value, "id", json_id(message->id));
	json_object_set_new(value, "arrived", json_time(message->arrival_wall_ms));
	json_object_set_new(value, "expires", json_time(message->expire_wall_ms));
	json_object_set_new(value, "size", json_number(message->body_bytes));
	json_object_set_new(value, "held", json_boolean(message->held));
	json_object_set_new(value, "aside", json_boolean(message->aside));
	json_object_set_new(value, "aside_text", proc_json_text(message->aside_text));
	json_object_set_new(value, "from", proc_json_text(message->reverse_path));
	json_object_set_new(value, "client", proc_json_text(message->client));
	json_object_set_new(value, "login", proc_json_text(message->login));
	json_object_set_new(value, "pool", proc_json_text(message->pool));
	json_object_set_new(value, "recipients", json_number(message->rcpt_count));
	return json_pack("{s:o}", "message", value);
}

json_t *
admin_rcpt(const struct ipc_qa_rcpt *rcpt)
{
	static const char *const states[] = {
	    "waiting", "ready", "active", "bouncing", "ended"};
	json_t *value = json_object();

	json_object_set_new(value, "id", json_id(rcpt->id));
	json_object_set_new(value, "address", proc_json_text(rcpt->address));
	json_object_set_new(value, "original", proc_json_text(rcpt->original));
	json_object_set_new(value, "destination", proc_json_text(rcpt->destination));
	json_object_set_new(value, "state", json_name(states, LEN(states), rcpt->state));
	json_object_set_new(value, "reason", json_name(reasons, LEN(reasons), rcpt->why));
	json_object_set_new(value, "next_try", json_time(rcpt->at_wall_ms));
	json_object_set_new(value, "ahead", json_number(rcpt->ahead));
	json_object_set_new(value, "limit", proc_json_text(rcpt->limit));
	json_object_set_new(value, "connections", json_number(rcpt->active));
	json_object_set_new(value, "window", json_number(rcpt->window));
	json_object_set_new(value, "expires", json_time(rcpt->expire_wall_ms));
	json_object_set_new(value, "tries", json_number(rcpt->tries));
	json_object_set_new(value, "tried", json_time(rcpt->tried_wall_ms));
	json_object_set_new(value, "in_doubt", json_boolean(rcpt->in_doubt));
	json_object_set_new(value, "code", json_number(rcpt->code));
	json_object_set_new(value, "status", proc_json_text(rcpt->status));
	json_object_set_new(value, "host", proc_json_text(rcpt->remote));
	json_object_set_new(value, "reply", proc_json_text(rcpt->text));
	json_object_set_new(value, "rule", proc_json_text(rcpt->rule));
	json_object_set_new(value, "route", proc_json_text(rcpt->route));
	json_object_set_new(value, "site", proc_json_text(rcpt->site));
	json_object_set_new(
	    value, "site_destinations", json_number(rcpt->site_destinations));
	return json_pack("{s:o}", "recipient", value);
}

json_t *
admin_destination(const struct ipc_qa_destination *destination)
{
	json_t *value = json_object();
	uint64_t total;

	json_object_set_new(value, "destination", proc_json_text(destination->destination));
	json_object_set_new(value, "state",
	    json_name(destination_states, LEN(destination_states), destination->state));
	json_object_set_new(
	    value, "reason", json_name(reasons, LEN(reasons), destination->why));
	json_object_set_new(value, "next_try", json_time(destination->at_wall_ms));
	json_object_set_new(value, "limit", proc_json_text(destination->limit));
	json_object_set_new(value, "recipients", json_number(destination->rcpt_count));
	json_object_set_new(value, "ready", json_number(destination->ready));
	json_object_set_new(value, "waiting", json_number(destination->waiting));
	json_object_set_new(value, "held", json_number(destination->parked));
	json_object_set_new(value, "connections", json_number(destination->active));
	json_object_set_new(value, "window", json_number(destination->window));
	json_object_set_new(value, "oldest", json_time(destination->oldest_wall_ms));
	json_object_set_new(value, "oldest_id",
	    destination->oldest_id ? json_id(destination->oldest_id) : json_null());
	json_object_set_new(value, "ages", json_ages(destination->ages, &total));
	json_object_set_new(value, "failures", json_number(destination->failures));
	json_object_set_new(value, "replied", json_time(destination->replied_wall_ms));
	json_object_set_new(value, "code", json_number(destination->code));
	json_object_set_new(value, "status", proc_json_text(destination->status));
	json_object_set_new(value, "host", proc_json_text(destination->remote));
	json_object_set_new(value, "reply", proc_json_text(destination->text));
	json_object_set_new(value, "rule", proc_json_text(destination->rule));
	json_object_set_new(value, "site", proc_json_text(destination->site));
	return json_pack("{s:o}", "destination", value);
}

json_t *
admin_tally(const struct ipc_qa_tally *tally)
{
	static const char *const kinds[IPC_TALLY_COUNT] = {
	    "reason", "other reasons", "other destinations"};
	json_t *value = json_object(), *ages;
	uint64_t total;

	ages = json_ages(tally->ages, &total);
	json_object_set_new(value, "kind", json_name(kinds, LEN(kinds), tally->kind));
	json_object_set_new(value, "name", proc_json_text(tally->name));
	json_object_set_new(value, "recipients", json_number(total));
	json_object_set_new(value, "ages", ages);
	return json_pack("{s:o}", "tally", value);
}

json_t *
admin_transcript(const struct ipc_qa_transcript *transcript)
{
	static const char *const kinds[TRANSCRIPT_KIND_COUNT] = {"fact", "sent", "got", "gap"};
	struct reader reader = reader_init(transcript->steps);
	json_t *value = json_object(), *steps = json_array();
	struct transcript_step step;

	while (transcript_next(&reader, &step)) {
		json_t *row = json_object();

		json_object_set_new(row, "ms", json_number(step.ms));
		json_object_set_new(row, "kind", json_string(kinds[step.kind]));
		json_object_set_new(row, "text", proc_json_text(step.text));
		json_array_append_new(steps, row);
	}
	json_object_set_new(value, "id", json_id(transcript->id));
	json_object_set_new(value, "destination", proc_json_text(transcript->destination));
	json_object_set_new(value, "began", json_time(transcript->began_wall_ms));
	json_object_set_new(value, "took_ms", json_number(transcript->took_ms));
	json_object_set_new(value, "slow", json_boolean(transcript->slow));
	json_object_set_new(value, "steps", steps);
	return json_pack("{s:o}", "transcript", value);
}

json_t *
admin_standing(const struct ipc_qa_standing *standing)
{
	static const char *const asks[] = {"", "connections", "slow", "pause"};
	json_t *value = json_object(), *asked = json_null(), *site = json_null();

	if (standing->site.len > 0) {
		site = json_object();
		json_object_set_new(site, "name", proc_json_text(standing->site));
		json_object_set_new(
		    site, "destinations", json_number(standing->site_destinations));
		json_object_set_new(site, "connections", json_number(standing->site_active));
		json_object_set_new(site, "window", json_number(standing->site_window));
		json_object_set_new(
		    site, "window_max", json_number(standing->site_connections_max));
		json_object_set_new(
		    site, "interval_ms", json_number(standing->site_interval_ms));
	}
	if (standing->asked > 0) {
		asked = json_object();
		json_object_set_new(asked, "kind", json_name(asks, LEN(asks), standing->asked));
		json_object_set_new(asked, "rule", proc_json_text(standing->rule));
		json_object_set_new(asked, "site",
		    proc_json_text(standing->asked_of_site ? standing->site : SPAN("")));
		json_object_set_new(asked, "times", json_number(standing->strikes));
		json_object_set_new(asked, "since", json_time(standing->since_wall_ms));
		json_object_set_new(asked, "until", json_time(standing->until_wall_ms));
	}
	json_object_set_new(value, "destination", proc_json_text(standing->destination));
	json_object_set_new(value, "state",
	    json_name(destination_states, LEN(destination_states), standing->state));
	json_object_set_new(value, "reason", json_name(reasons, LEN(reasons), standing->why));
	json_object_set_new(value, "next_try", json_time(standing->at_wall_ms));
	json_object_set_new(value, "limit", proc_json_text(standing->limit));
	json_object_set_new(value, "recipients", json_number(standing->rcpt_count));
	json_object_set_new(value, "ready", json_number(standing->ready));
	json_object_set_new(value, "connections", json_number(standing->active));
	json_object_set_new(value, "window", json_number(standing->window));
	json_object_set_new(value, "window_max", json_number(standing->connections_max));
	json_object_set_new(value, "interval_ms", json_number(standing->interval_ms));
	json_object_set_new(value, "site", site);
	json_object_set_new(value, "failures", json_number(standing->failures));
	json_object_set_new(value, "left", json_number(standing->left));
	json_object_set_new(value, "left_ms", json_number(standing->left_ms));
	json_object_set_new(value, "empty", json_time(standing->empty_wall_ms));
	json_object_set_new(value, "asked", asked);
	json_object_set_new(value, "replied", json_time(standing->replied_wall_ms));
	json_object_set_new(value, "code", json_number(standing->code));
	json_object_set_new(value, "status", proc_json_text(standing->status));
	json_object_set_new(value, "host", proc_json_text(standing->remote));
	json_object_set_new(value, "reply", proc_json_text(standing->text));
	return json_pack("{s:o}", "standing", value);
}

json_t *
admin_member(const struct ipc_qa_member *member)
{
	json_t *value = json_object();

	json_object_set_new(value, "destination", proc_json_text(member->destination));
	json_object_set_new(value, "recipients", json_number(member->rcpt_count));
	json_object_set_new(value, "ready", json_number(member->ready));
	json_object_set_new(value, "state",
	    json_name(destination_states, LEN(destination_states), member->state));
	json_object_set_new(value, "reason", json_name(reasons, LEN(reasons), member->why));
	return json_pack("{s:o}", "member", value);
}

json_t *
admin_suppression(const struct ipc_qa_suppression *suppression)
{
	json_t *value = json_object();

	json_object_set_new(value, "address", proc_json_text(suppression->address));
	json_object_set_new(value, "from", proc_json_text(suppression->sender));
	json_object_set_new(value, "since", json_time(suppression->since_wall_ms));
	json_object_set_new(value, "until", json_time(suppression->until_wall_ms));
	json_object_set_new(value, "who", proc_json_text(suppression->who));
	json_object_set_new(value, "code", json_number(suppression->code));
	json_object_set_new(value, "reply", proc_json_text(suppression->text));
	return json_pack("{s:o}", "suppression", value);
}

json_t *
admin_suspension(const struct ipc_qa_suspension *suspension)
{
	json_t *value = json_object();

	json_object_set_new(value, "destination", proc_json_text(suspension->match));
	json_object_set_new(value, "who", proc_json_text(suspension->who));
	json_object_set_new(value, "since", json_time(suspension->since_wall_ms));
	json_object_set_new(value, "until", json_time(suspension->until_wall_ms));
	return json_pack("{s:o}", "suspension", value);
}

/* null: there is no limit. */
static json_t *
json_share(uint64_t share)
{
	return share == UINT64_MAX ? json_null() : json_number(share);
}

json_t *
admin_source(const struct ipc_qa_source *source)
{
	json_t *value = json_object(), *warmup = json_null(), *failed = json_null();

	if (source->warms) {
		warmup = json_object();
		json_object_set_new(warmup, "day", json_number(source->number));
		json_object_set_new(warmup, "share", json_share(source->share));
		json_object_set_new(warmup, "free", json_share(source->free));
		json_object_set_new(warmup, "next_free", json_time(source->free_wall_ms));
		json_object_set_new(warmup, "next", json_time(source->next_wall_ms));
		json_object_set_new(warmup, "next_share",
		    source->next_wall_ms ? json_share(source->next_share) : json_null());
	}
	if (source->why.len > 0) {
		failed = json_object();
		json_object_set_new(failed, "error", proc_json_text(source->why));
		json_object_set_new(failed, "next_try", json_time(source->again_wall_ms));
	}
	json_object_set_new(value, "address", proc_json_text(source->address));
	json_object_set_new(value, "pool", proc_json_text(source->pool));
	json_object_set_new(value, "senders", proc_json_text(source->sender));
	json_object_set_new(value, "provider", proc_json_text(source->provider));
	json_object_set_new(value, "helo", proc_json_text(source->helo));
	json_object_set_new(value, "weight", json_number(source->weight));
	json_object_set_new(value, "used", json_number(source->used));
	json_object_set_new(value, "under_way", json_number(source->pending));
	json_object_set_new(value, "warm_up", warmup);
	json_object_set_new(value, "failed", failed);
	return json_pack("{s:o}", "source", value);
}

json_t *
admin_done(const struct ipc_qa_done *done)
{
	json_t *value;

	if (done->problem.len > 0)
		return json_pack("{s:o, s:b}", "error", proc_json_text(done->problem), "name", 1);
	value = json_object();
	json_object_set_new(value, "count", json_number(done->count));
	json_object_set_new(value, "total", json_number(done->total));
	json_object_set_new(value, "lost", json_boolean(done->lost));
	json_object_set_new(value, "more", json_boolean(done->more));
	if (done->more)
		json_object_set_new(value, "last", json_id(done->last));
	if (done->rcpts)
		json_object_set_new(value, "recipients", json_number(done->rcpts));
	if (done->nearest.len > 0)
		json_object_set_new(value, "nearest", proc_json_text(done->nearest));
	return json_pack("{s:o}", "done", value);
}

bool
admin_reasons(struct span names, uint32_t *bits)
{
	struct span name;

	while (span_cut(&names, ',', &name)) {
		uint32_t found = 0;

		for (uint32_t i = 0; i < IPC_WHY_COUNT; i++)
			if (span_eq(name, span_str(reasons[i])))
				found = UINT32_C(1) << i;
		if (!found)
			return false;
		*bits |= found;
		/* For who asks about a server that is down, it is while it is probed. */
		if (found == UINT32_C(1) << IPC_WHY_DOWN)
			*bits |= UINT32_C(1) << IPC_WHY_PROBE;
	}
	return *bits != 0;
}
