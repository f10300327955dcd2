/* A story as JSON. */
#include "cli/cli_why_internal.h"

#include "base/check.h"
#include "base/date.h"

enum { TEXT_BYTES_MAX = 64 << 10 };

static void
set(json_t *object, const char *key, json_t *value)
{
	check(value && json_object_set_new(object, key, value) == 0);
}

/* Text of anybody: what is not printable UTF-8 is escaped. "" becomes null. */
static void
set_text(json_t *object, const char *key, struct span text)
{
	struct buf safe;

	buf_init(&safe, TEXT_BYTES_MAX);
	story_add_said(&safe, text);
	set(object, key,
	    safe.len ? json_stringn(safe.ptr, safe.len) : json_null());
	buf_fini(&safe);
}

static void
set_known(json_t *object, const char *key, const struct language *language, const char *text)
{
	set(object, key, *text ? json_string(language_text(language, text)) : json_null());
}

static json_t *
rule_json(const struct rule *rule)
{
	if (!rule)
		return json_null();
	return json_pack("{s:s,s:s,s:s,s:s}", "provider", rule->provider, "source",
	    rule->source, "date", rule->date, "words", rule->text);
}

static void
set_sentences(json_t *object, const char *key, const struct story *story,
    const struct story_rcpt *rcpt, const struct language *language,
    void (*write)(struct buf *, const struct story *, const struct story_rcpt *,
	const struct language *))
{
	struct buf text;

	buf_init(&text, TEXT_BYTES_MAX);
	write(&text, story, rcpt, language);
	set_text(object, key, buf_span(&text));
	buf_fini(&text);
}

static json_t *
rcpt_json(const struct story *story, const struct story_rcpt *rcpt,
    const struct language *language)
{
	json_t *object = json_object();
	struct buf time;

	set_text(object, "address", rcpt->address);
	set(object, "outcome", json_string(story_outcome_name(rcpt->outcome)));
	set(object, "decided_by", json_string(story_decider_name(rcpt->decider)));
	set_text(object, "host", rcpt->host);
	set(object, "reason", json_string(story_reason_key(rcpt)));
	set(object, "name", json_string(story_reason_name(rcpt, language)));
	set_known(object, "meaning", language, story_meaning(rcpt));
	set_known(object, "sender", language, story_sender(rcpt));
	set_known(object, "admin", language, story_admin(rcpt));
	set(object, "action",
	    rcpt->rule ? json_string(rule_action_name(rcpt->rule->action)) : json_null());
	set(object, "code", rcpt->code ? json_integer(rcpt->code) : json_null());
	set_text(object, "status", span_str(rcpt->status));
	set_text(object, "said", rcpt->said);
	set(object, "said_by_server", json_boolean(rcpt->said_by_them));
	set(object, "rule", rule_json(rcpt->rule));
	set_sentences(object, "what", story, rcpt, language, story_add_what);
	set_sentences(object, "next", story, rcpt, language, story_add_next);
	set_text(object, "retry_until", rcpt->retry_until);
	buf_init(&time, 64);
	if (rcpt->next_wall_ms)
		date_write(&time, rcpt->next_wall_ms);
	set_text(object, "next_try", buf_span(&time));
	buf_fini(&time);
	set_text(object, "notification", rcpt->told_by);
	return object;
}

void
cli_why_json(struct buf *out, const struct story *story, const struct language *language)
{
	static const char *const kinds[] = {"nothing", "bounce", "reply", "log", "message"};
	json_t *object = json_object(), *rcpts = json_array();

	check((unsigned)story->kind < LEN(kinds));
	set(object, "kind", json_string(kinds[story->kind]));
	set(object, "writer", story->writer ? json_string(story->writer) : json_null());
	set_text(object, "reporter", story->reporter);
	for (size_t i = 0; i < story->rcpt_count; i++)
		check(json_array_append_new(
			  rcpts, rcpt_json(story, &story->rcpts[i], language)) == 0);
	set(object, "recipients", rcpts);
	set(object, "more", json_integer((json_int_t)story->more));
	cli_explain_json_write(out, object);
}
