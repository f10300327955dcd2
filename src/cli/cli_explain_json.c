/* The answers of "postrider explain" for programs. */
#include "base/check.h"
#include "cli/cli_explain.h"
#include "replies/reply.h"

static json_t *
json_text(struct span text)
{
	json_t *json;
	struct buf clean;

	buf_init(&clean, 2 * EXPLAIN_QUESTION_BYTES_MAX);
	reply_clean(&clean, text);
	json = json_stringn(clean.ptr ? clean.ptr : "", clean.len);
	check(json);
	buf_fini(&clean);
	return json;
}

static void
set(json_t *object, const char *key, json_t *value)
{
	check(json_object_set_new(object, key, value) == 0);
}

static json_t *
codes_json(struct span codes, const struct explain_code *code)
{
	struct span related;
	json_t *list = json_array();

	while (codes.len && span_cut(&codes, ' ', &related)) {
		struct buf name;

		buf_init(&name, EXPLAIN_CODE_BYTES);
		explain_related(&name, related, code);
		check(json_array_append_new(list, json_text(buf_span(&name))) == 0);
		buf_fini(&name);
	}
	return list;
}

/* A text of the catalogue in a language. */
static void
set_text(json_t *object, const char *key, const struct language *language, const char *english)
{
	set(object, key, json_string(language_text(language, english)));
}

static json_t *
code_json(const struct explain_code *code, const struct language *language)
{
	const struct catalogue_entry *entry = code->entry;
	json_t *object = json_object();

	set(object, "code", json_string(code->name));
	set(object, "standard", json_boolean(entry && catalogue_is_standard(entry)));
	set(object, "retry", json_boolean(code->retry));
	if (code->class)
		set_text(object, "class", language, code->class->name);
	if (code->subject)
		set_text(object, "subject", language, code->subject->name);
	if (entry) {
		set_text(object, "name", language, entry->name);
		set(object, "category", json_string(entry->category));
		set_text(object, "meaning", language, entry->meaning);
		set_text(object, "when", language, entry->when);
		set_text(object, "client", language, entry->client);
		set_text(object, "sender", language, entry->sender);
		set_text(object, "admin", language, entry->admin);
		set_text(object, "developer", language, entry->developer);
		set_text(object, "mistakes", language, entry->mistakes);
		set(object, "transcript", json_string(entry->transcript));
		set(object, "rfc", json_string(entry->rfc));
		set(object, "with", codes_json(span_str(entry->with), code));
		set(object, "see", codes_json(span_str(entry->see), code));
	} else if (code->class) {
		set_text(object, "meaning", language, code->class->meaning);
		set_text(object, "client", language, code->class->client);
		set_text(object, "fix", language, code->class->fix);
	}
	return object;
}

/* Of a topic: what is "" in it is left out. */
static json_t *
topic_json(const struct catalogue_topic *topic, const struct language *language)
{
	const struct {
		const char *key, *text;
	} texts[] = {{"name", topic->name}, {"meaning", topic->meaning}, {"when", topic->when},
	    {"sender", topic->sender}, {"admin", topic->admin}, {"developer", topic->developer}};
	json_t *object = json_object(), *see = json_array();
	struct span rest = span_str(topic->see), word;

	set(object, "kind", json_string(catalogue_kind_key(topic->kind)));
	set(object, "key", json_string(topic->key));
	if (*topic->severity)
		set(object, "severity", json_string(topic->severity));
	for (size_t i = 0; i < LEN(texts); i++)
		if (*texts[i].text)
			set_text(object, texts[i].key, language, texts[i].text);
	if (*topic->transcript)
		set(object, "transcript", json_string(topic->transcript));
	set(object, "rfc", json_string(topic->rfc));
	while (rest.len && span_cut(&rest, ' ', &word))
		check(json_array_append_new(see, json_text(word)) == 0);
	set(object, "see", see);
	return object;
}

static json_t *
topics_json(const struct explain *explain, const struct language *language)
{
	json_t *list = json_array();

	for (size_t i = 0; i < explain->topic_count; i++)
		check(json_array_append_new(list, topic_json(explain->topics[i], language)) == 0);
	return list;
}

json_t *
cli_explain_json(const struct explain *explain, const struct language *language)
{
	json_t *object = json_object();

	if (explain->group) {
		set(object, "group", json_string(explain->group->code));
		set_text(object, "name", language, explain->group->name);
		set_text(object, "meaning", language, explain->group->meaning);
		if (*explain->group->client) {
			set_text(object, "client", language, explain->group->client);
			set_text(object, "fix", language, explain->group->fix);
		}
		return object;
	}
	if (explain->reply.len)
		set(object, "question", json_text(explain->reply));
	if (*explain->basic.name)
		set(object, "reply", code_json(&explain->basic, language));
	if (*explain->status.name)
		set(object, "status", code_json(&explain->status, language));
	if (explain->clash)
		set(object, "contradiction", json_true());
	if (explain->topic_count)
		set(object, "topics", topics_json(explain, language));
	return object;
}

static void
add_entry(json_t *list, const struct catalogue_entry *entry, const struct language *language)
{
	json_t *object = json_object();

	set(object, "kind", json_string(entry->code[1] == '.' ? "status" : "code"));
	set(object, "code", json_string(entry->code));
	set_text(object, "name", language, entry->name);
	set(object, "category", json_string(entry->category));
	check(json_array_append_new(list, object) == 0);
}

static void
add_topic(json_t *list, const struct catalogue_topic *topic, const struct language *language)
{
	json_t *object = json_object();

	set(object, "kind", json_string(catalogue_kind_key(topic->kind)));
	set(object, "key", json_string(topic->key));
	set_text(object, "name", language, topic->name);
	check(json_array_append_new(list, object) == 0);
}

json_t *
cli_explain_json_list(const struct language *language)
{
	const struct catalogue_entry *entry;
	const struct catalogue_topic *topic;
	json_t *list = json_array();

	for (size_t i = 0; (entry = catalogue_at(i)) != NULL; i++)
		add_entry(list, entry, language);
	for (size_t i = 0; (topic = catalogue_topic_at(i)) != NULL; i++)
		add_topic(list, topic, language);
	return list;
}

json_t *
cli_explain_json_found(
    const struct search_found *found, size_t count, const struct language *language)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		if (found[i].entry)
			add_entry(list, found[i].entry, language);
		else
			add_topic(list, found[i].topic, language);
	}
	return list;
}

static int
add_json(const char *bytes, size_t size, void *out)
{
	buf_add(out, span_of(bytes, size));
	return 0;
}

void
cli_explain_json_write(struct buf *out, json_t *json)
{
	check(json_dump_callback(json, add_json, out, JSON_INDENT(2)) == 0);
	buf_add_char(out, '\n');
	json_decref(json);
}
