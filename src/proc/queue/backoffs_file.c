/* See backoffs_file.h. */
#include "proc/queue/backoffs_file.h"

#include "base/check.h"
#include "route/window.h"

static const char head[] = "postrider backoffs 1";

/* The same over versions of the program, as long as the rule says the same. */
static uint64_t
rule_id(const struct rule *rule)
{
	static const uint64_t seed[2] = {1, 2};
	const char *const words[] = {rule->provider, rule->reason, rule_action_name(rule->action),
	    rule_scope_name(rule->scope), rule->code, rule->status, rule->text, rule->host};
	uint64_t id = 0;

	for (size_t i = 0; i < LEN(words); i++)
		id = id * 31 + map_hash(seed, span_str(words[i]));
	return id;
}

static const struct rule *
rule_of(uint64_t id)
{
	const struct rule *rule;

	for (size_t i = 0; (rule = rules_at(i)) != NULL; i++)
		if (rule_id(rule) == id)
			return rule;
	return NULL;
}

static uint64_t
wall_of(uint64_t ms, struct backoffs_clock clock)
{
	if (ms == 0)
		return 0;
	if (ms >= clock.now_ms)
		return clock.now_wall_ms + (ms - clock.now_ms);
	return clock.now_wall_ms - (clock.now_ms - ms);
}

/* What servers say may hold anything. */
static void
write_field(struct buf *out, const char *text)
{
	buf_add_char(out, '\t');
	for (size_t i = 0; text[i]; i++)
		buf_add_char(out, (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i]);
}

static void
write_row(const struct backoff *row, struct backoffs_clock clock, struct buf *out)
{
	const struct ease *ease = &row->ease;
	const uint64_t numbers[] = {ease->kind, ease->strikes, ease->connections,
	    ease->interval_ms, wall_of(ease->pause_until_ms, clock),
	    wall_of(ease->until_ms, clock), wall_of(ease->struck_ms, clock),
	    row->since_wall_ms, rule_id(row->rule), row->code};

	buf_addf(out, "row\t%s", row->is_site ? "site" : "destination");
	for (size_t i = 0; i < LEN(numbers); i++)
		buf_addf(out, "\t%llu", (unsigned long long)numbers[i]);
	write_field(out, row->status);
	write_field(out, row->host);
	write_field(out, row->name);
	write_field(out, row->text);
	buf_add_char(out, '\n');
}

void
backoffs_write(
    const struct backoffs *backoffs, struct backoffs_clock clock, struct buf *out)
{
	buf_addf(out, "%s\n", head);
	list_for_each (node, &backoffs->rows)
		write_row(container_of(node, struct backoff, node), clock, out);
}

/* A name of something: not empty, no control characters. */
static bool
is_name(struct span name)
{
	if (name.len == 0 || name.len > BACKOFF_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
			return false;
	return true;
}

void
backoffs_write_of(struct buf *out, struct span site, struct span destination)
{
	if (is_name(site) && is_name(destination))
		buf_addf(out, "of\t%.*s\t%.*s\n", SPAN_ARGS(site), SPAN_ARGS(destination));
}

/* The time that is so long from now; at least now, and no later than max_ms from it. */
static uint64_t
ms_of(uint64_t wall_ms, struct backoffs_clock clock, uint64_t max_ms)
{
	uint64_t ms = wall_ms > clock.now_wall_ms ? wall_ms - clock.now_wall_ms : 0;

	return clock.now_ms + (ms < max_ms ? ms : max_ms);
}

enum { KIND, STRIKES, CONNECTIONS, INTERVAL, PAUSE, UNTIL, STRUCK, SINCE, RULE, CODE, NUMBERS };

static bool
read_numbers(struct span *line, uint64_t numbers[NUMBERS])
{
	static const uint64_t max[NUMBERS] = {[KIND] = EASE_KIND_COUNT - 1,
	    [STRIKES] = EASE_STRIKES_MAX,
	    [CONNECTIONS] = UINT32_MAX,
	    [INTERVAL] = EASE_PAUSE_MS_MAX,
	    [PAUSE] = UINT64_MAX,
	    [UNTIL] = UINT64_MAX,
	    [STRUCK] = UINT64_MAX,
	    [SINCE] = UINT64_MAX,
	    [RULE] = UINT64_MAX,
	    [CODE] = 999};
	struct span field;

	for (unsigned i = 0; i < NUMBERS; i++)
		if (!span_cut(line, '\t', &field) || !span_u64(field, max[i], &numbers[i]))
			return false;
	return numbers[STRIKES] > 0 && numbers[CONNECTIONS] > 0;
}

static struct ease
ease_of(const uint64_t numbers[NUMBERS], struct backoffs_clock clock)
{
	uint64_t connections = numbers[CONNECTIONS];

	return (struct ease){
	    .kind = (enum ease_kind)numbers[KIND],
	    .strikes = (uint32_t)numbers[STRIKES],
	    .connections = (uint32_t)(connections < WINDOW_MAX ? connections : WINDOW_MAX),
	    .interval_ms = numbers[INTERVAL],
	    .pause_until_ms = numbers[PAUSE] > clock.now_wall_ms
	        ? ms_of(numbers[PAUSE], clock, EASE_PAUSE_MS_MAX)
	        : 0,
	    .until_ms = ms_of(numbers[UNTIL], clock, 2 * EASE_PAUSE_MS_MAX),
	    .struck_ms = 0,
	};
}

static enum err
read_row(struct backoffs *backoffs, struct backoffs_clock clock, struct span line)
{
	struct span type, status, host, name;
	uint64_t numbers[NUMBERS];
	const struct rule *rule;
	struct backoff *row;
	uint64_t id;
	bool site;

	if (!span_cut(&line, '\t', &type) || !read_numbers(&line, numbers) ||
	    !span_cut(&line, '\t', &status) || !span_cut(&line, '\t', &host) ||
	    !span_cut(&line, '\t', &name) || !is_name(name) || line.len > BACKOFF_TEXT_MAX)
		return ERR_SYNTAX;
	site = span_eq(type, SPAN("site"));
	if (!site && !span_eq(type, SPAN("destination")))
		return ERR_SYNTAX;
	rule = rule_of(numbers[RULE]);
	if (!rule)
		return OK;
	id = site ? backoffs_site_id(backoffs, name) : backoffs_destination_id(backoffs, name);
	row = backoffs_take(backoffs, id, name);
	row->ease = ease_of(numbers, clock);
	row->since_wall_ms = numbers[SINCE];
	row->rule = rule;
	backoffs_said(row, (unsigned)numbers[CODE], status, host, line);
	return OK;
}

static enum err
read_of(struct sites *sites, struct span line)
{
	struct span site;

	if (!span_cut(&line, '\t', &site) || !is_name(site) || !is_name(line))
		return ERR_SYNTAX;
	if (sites)
		(void)sites_learn(sites, line, site);
	return OK;
}

/* sites NULL: only looked at. */
static enum err
read_lines(struct backoffs *backoffs, struct sites *sites, struct backoffs_clock clock,
    struct span text)
{
	struct span line, type;
	enum err err = OK;

	while (!err && text.len > 0 && span_cut(&text, '\n', &line)) {
		if (!span_cut(&line, '\t', &type))
			return ERR_SYNTAX;
		if (span_eq(type, SPAN("row")))
			err = read_row(backoffs, clock, line);
		else
			err = span_eq(type, SPAN("of")) ? read_of(sites, line) : ERR_SYNTAX;
	}
	return err;
}

enum err
backoffs_read(struct backoffs *backoffs, struct sites *sites, struct backoffs_clock clock,
    struct span text)
{
	struct backoffs tried;
	struct span first;
	enum err err;

	check(backoffs->count == 0);
	if (text.len == 0 || text.ptr[text.len - 1] != '\n' || !span_cut(&text, '\n', &first) ||
	    !span_eq(first, span_str(head)))
		return ERR_SYNTAX;
	backoffs_init(&tried, backoffs->seed);
	err = read_lines(&tried, NULL, clock, text);
	backoffs_fini(&tried);
	return err ? err : read_lines(backoffs, sites, clock, text);
}
