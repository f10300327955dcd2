/* See suppressions.h. */
#include "proc/queue/suppressions.h"

#include "base/arena.h"
#include "base/check.h"

static const char head[] = "postrider suppressions 1\n";

enum { KEY_BYTES_MAX = SUPPRESSION_SENDER_MAX + 1 + SUPPRESSION_ADDRESS_MAX };

void
suppressions_init(struct suppressions *suppressions, const uint64_t seed[2])
{
	*suppressions = (struct suppressions){0};
	list_init(&suppressions->rows);
	map_init(&suppressions->map, seed);
}

static void
drop(struct suppressions *suppressions, struct suppression *row)
{
	check(suppressions->count > 0);
	if (suppressions->changed)
		suppressions->changed(suppressions->owner, row, true);
	map_remove(&suppressions->map, row->key);
	list_remove(&row->node);
	suppressions->count--;
	suppressions->unwritten -= !row->written;
	mem_free(row);
}

void
suppressions_fini(struct suppressions *suppressions)
{
	suppressions->changed = NULL;
	list_for_each_safe (node, &suppressions->rows)
		drop(suppressions, container_of(node, struct suppression, node));
	map_fini(&suppressions->map);
}

static bool
is_word(struct span text, size_t bytes_max)
{
	if (text.len == 0 || text.len > bytes_max)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
			return false;
	return true;
}

static struct span
key_of(char bytes[KEY_BYTES_MAX], struct span sender, struct span address)
{
	struct span written;

	if (!is_word(sender, SUPPRESSION_SENDER_MAX) ||
	    !is_word(address, SUPPRESSION_ADDRESS_MAX))
		return SPAN("");
	written = span_lower(bytes, sender);
	bytes[written.len++] = '\t';
	written.len += span_lower(bytes + written.len, address).len;
	return written;
}

/* Into a row's bytes; what would break a line becomes a blank. */
static struct span
put(char **at, struct span text)
{
	struct span kept = span_of(*at, text.len);

	for (size_t i = 0; i < text.len; i++)
		(*at)[i] = (unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f ? ' '
		                                                                   : text.ptr[i];
	*at += text.len;
	return kept;
}

enum err
suppressions_add(struct suppressions *suppressions, const struct suppression_told *told)
{
	char bytes[KEY_BYTES_MAX];
	struct span key = key_of(bytes, told->sender, told->address);
	struct span who = is_word(told->who, SUPPRESSION_WHO_MAX) ? told->who : SPAN("unknown");
	struct span reply = span_first(told->reply, SUPPRESSION_REPLY_MAX);
	size_t at = span_find(told->address, '@');
	struct suppression *row;
	char *end;

	if (key.len == 0 || at == 0 || at + 1 >= told->address.len)
		return ERR_SYNTAX;
	row = map_get(&suppressions->map, key);
	if (row)
		drop(suppressions, row);
	while (suppressions->count >= SUPPRESSIONS_MAX)
		drop(suppressions, container_of(suppressions->rows.next, struct suppression, node));
	row = mem_alloc(sizeof(*row) + key.len + who.len + reply.len);
	end = row->bytes;
	memcpy(end, key.ptr, key.len);
	row->key = span_of(end, key.len);
	row->sender = span_first(row->key, told->sender.len);
	row->address = span_skip(row->key, told->sender.len + 1);
	end += key.len;
	row->who = put(&end, who);
	row->reply = put(&end, reply);
	row->since_wall_ms = told->since_wall_ms;
	row->until_wall_ms = told->until_wall_ms;
	row->code = told->code;
	row->number = ++suppressions->last_number;
	list_push(&suppressions->rows, &row->node);
	map_set(&suppressions->map, row->key, row);
	suppressions->count++;
	suppressions->unwritten++;
	if (suppressions->changed)
		suppressions->changed(suppressions->owner, row, false);
	return OK;
}

bool
suppressions_remove(
    struct suppressions *suppressions, struct span sender, struct span address)
{
	char bytes[KEY_BYTES_MAX];
	struct span key = key_of(bytes, sender, address);
	struct suppression *row = key.len > 0 ? map_get(&suppressions->map, key) : NULL;

	if (row)
		drop(suppressions, row);
	return row != NULL;
}

static const struct suppression *
find(const struct suppressions *suppressions, struct span sender, struct span address,
    uint64_t now_wall_ms)
{
	char bytes[KEY_BYTES_MAX];
	struct span key = key_of(bytes, sender, address);
	const struct suppression *row = key.len > 0 ? map_get(&suppressions->map, key) : NULL;

	return row && (row->until_wall_ms == 0 || row->until_wall_ms > now_wall_ms) ? row : NULL;
}

const struct suppression *
suppressions_find(const struct suppressions *suppressions, struct span sender,
    struct span address, uint64_t now_wall_ms)
{
	const struct suppression *row;

	if (suppressions->count == 0)
		return NULL;
	row = find(suppressions, sender, address, now_wall_ms);
	return row ? row : find(suppressions, SPAN("*"), address, now_wall_ms);
}

size_t
suppressions_expire(struct suppressions *suppressions, uint64_t now_wall_ms, size_t budget)
{
	size_t count = suppressions->count;

	list_for_each_safe (node, &suppressions->rows) {
		struct suppression *row = container_of(node, struct suppression, node);

		if (budget-- == 0)
			break;
		if (row->until_wall_ms > 0 && row->until_wall_ms <= now_wall_ms)
			drop(suppressions, row);
	}
	return count - suppressions->count;
}

void
suppressions_write(struct suppressions *suppressions, struct buf *out, bool all)
{
	if (all)
		buf_add_str(out, head);
	list_for_each (node, &suppressions->rows) {
		struct suppression *row = container_of(node, struct suppression, node);

		if (row->written && !all)
			continue;
		buf_addf(out, "%llu\t%llu\t%u\t%.*s\t%.*s\t%.*s\n",
		    (unsigned long long)row->since_wall_ms,
		    (unsigned long long)row->until_wall_ms, row->code, SPAN_ARGS(row->who),
		    SPAN_ARGS(row->key), SPAN_ARGS(row->reply));
		row->written = true;
	}
	suppressions->unwritten = 0;
}

static bool
cut_u64(struct span *line, uint64_t max, uint64_t *number)
{
	struct span word;

	return span_cut(line, '\t', &word) && span_u64(word, max, number);
}

/* False: it is none. */
static bool
read_row(struct suppressions *suppressions, struct span line, uint64_t now_wall_ms)
{
	struct suppression_told told;
	uint64_t code;

	if (!cut_u64(&line, UINT64_MAX, &told.since_wall_ms) ||
	    !cut_u64(&line, UINT64_MAX, &told.until_wall_ms) || !cut_u64(&line, 999, &code) ||
	    !span_cut(&line, '\t', &told.who) || !span_cut(&line, '\t', &told.sender) ||
	    !span_cut(&line, '\t', &told.address))
		return false;
	told.code = (unsigned)code;
	told.reply = line;
	if (told.until_wall_ms > 0 && told.until_wall_ms <= now_wall_ms) {
		suppressions_remove(suppressions, told.sender, told.address);
		return true;
	}
	return suppressions_add(suppressions, &told) == OK;
}

enum err
suppressions_read(struct suppressions *suppressions, struct span text, uint64_t now_wall_ms)
{
	struct span line;

	if (!span_starts(text, span_str(head)))
		return ERR_SYNTAX;
	text = span_skip(text, sizeof(head) - 1);
	while (span_find(text, '\n') < text.len && span_cut(&text, '\n', &line))
		(void)read_row(suppressions, line, now_wall_ms);
	list_for_each (node, &suppressions->rows)
		container_of(node, struct suppression, node)->written = true;
	suppressions->unwritten = 0;
	return OK;
}
