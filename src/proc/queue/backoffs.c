/* See backoffs.h. */
#include "proc/queue/backoffs.h"

#include "base/arena.h"
#include "base/check.h"

void
backoffs_init(struct backoffs *backoffs, const uint64_t seed[2])
{
	*backoffs = (struct backoffs){.seed = {seed[0], seed[1]}};
	list_init(&backoffs->rows);
	map_init(&backoffs->map, seed);
}

void
backoffs_fini(struct backoffs *backoffs)
{
	list_for_each_safe (node, &backoffs->rows)
		backoffs_remove(backoffs, container_of(node, struct backoff, node));
	map_fini(&backoffs->map);
}

static uint64_t
id_of(const struct backoffs *backoffs, struct span name, uint64_t kind)
{
	uint64_t id = map_hash(backoffs->seed, name) * 2 + kind;

	return id != 0 ? id : 2;
}

uint64_t
backoffs_destination_id(const struct backoffs *backoffs, struct span key)
{
	return id_of(backoffs, key, 0);
}

uint64_t
backoffs_site_id(const struct backoffs *backoffs, struct span site)
{
	char lower[BACKOFF_NAME_MAX];

	site = span_first(site, sizeof(lower));
	return id_of(backoffs, span_lower(lower, site), 1);
}

struct backoff *
backoffs_find(const struct backoffs *backoffs, uint64_t id)
{
	return id != 0 && backoffs->count > 0 ? map_get_u64(&backoffs->map, id) : NULL;
}

static void
make_room(struct backoffs *backoffs)
{
	struct backoff *first = NULL;

	if (backoffs->count < BACKOFFS_MAX)
		return;
	list_for_each (node, &backoffs->rows) {
		struct backoff *row = container_of(node, struct backoff, node);

		if (!first || row->ease.until_ms < first->ease.until_ms)
			first = row;
	}
	backoffs_remove(backoffs, first);
}

static void
copy_text(char *into, size_t bytes_max, struct span text)
{
	text = span_first(text, bytes_max);
	if (text.len > 0)
		memcpy(into, text.ptr, text.len);
	into[text.len] = '\0';
}

struct backoff *
backoffs_take(struct backoffs *backoffs, uint64_t id, struct span name)
{
	struct backoff *row = backoffs_find(backoffs, id);

	if (row)
		return row;
	make_room(backoffs);
	row = mem_alloc(sizeof(*row));
	row->id = id;
	row->is_site = id & 1;
	copy_text(row->name, BACKOFF_NAME_MAX, name);
	list_push(&backoffs->rows, &row->node);
	map_set_u64(&backoffs->map, id, row);
	backoffs->count++;
	return row;
}

void
backoffs_said(struct backoff *backoff, unsigned code, struct span status, struct span host,
    struct span text)
{
	backoff->code = code;
	copy_text(backoff->status, sizeof(backoff->status) - 1, status);
	copy_text(backoff->host, BACKOFF_NAME_MAX, host);
	copy_text(backoff->text, BACKOFF_TEXT_MAX, text);
}

void
backoffs_remove(struct backoffs *backoffs, struct backoff *backoff)
{
	check(backoffs->count > 0);
	map_remove_u64(&backoffs->map, backoff->id);
	list_remove(&backoff->node);
	backoffs->count--;
	mem_free(backoff);
}

bool
backoffs_kind(const struct rule *rule, enum ease_kind *kind)
{
	if (rule->scope == RULE_RECIPIENT)
		return false;
	if (rule->action == RULE_PAUSE)
		*kind = EASE_PAUSE;
	else if (rule->action == RULE_SLOW)
		*kind = strcmp(rule->reason, "too-many-connections") == 0 ? EASE_CONNECTIONS
		                                                          : EASE_SLOW;
	else
		return false;
	return true;
}

struct span
backoffs_host(struct span remote)
{
	return span_first(remote, span_find(remote, '['));
}

void
backoffs_write_rule(struct buf *out, const struct rule *rule)
{
	buf_addf(out, "%s: %s, %s", rule->provider, rule->reason, rule_action_name(rule->action));
}
