/* See suspensions.h. */
#include "proc/queue/suspensions.h"

#include "base/arena.h"
#include "base/check.h"
#include "route/name.h"

static const char head[] = "postrider suspensions 1";

void
suspensions_fini(struct suspensions *suspensions)
{
	mem_free(suspensions->rows);
	*suspensions = (struct suspensions){0};
}

static bool
is_text(struct span text, size_t bytes_max, char least)
{
	if (text.len == 0 || text.len > bytes_max)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < (unsigned char)least || text.ptr[i] == 0x7f)
			return false;
	return true;
}

static bool
is_word(struct span text, size_t bytes_max)
{
	return is_text(text, bytes_max, ' ' + 1);
}

/* Names of providers, and paths of programs, may have blanks within. */
static bool
is_selector(struct span text)
{
	return is_text(text, SUSPENSION_PATTERN_MAX, ' ') && text.ptr[0] != ' ' &&
	    text.ptr[text.len - 1] != ' ';
}

bool
suspensions_remove(struct suspensions *suspensions, struct span pattern)
{
	for (size_t i = 0; i < suspensions->count; i++) {
		if (!span_eq_nocase(span_str(suspensions->rows[i].pattern), pattern))
			continue;
		suspensions->rows[i] = suspensions->rows[--suspensions->count];
		return true;
	}
	return false;
}

enum err
suspensions_add(struct suspensions *suspensions, struct span pattern, struct span who,
    uint64_t until_wall_ms, uint64_t now_wall_ms)
{
	struct suspension *row;

	if (!is_selector(pattern))
		return ERR_SYNTAX;
	if (!is_word(who, SUSPENSION_WHO_MAX))
		who = SPAN("unknown");
	suspensions_remove(suspensions, pattern);
	if (suspensions->count == SUSPENSIONS_MAX)
		return ERR_LIMIT;
	suspensions->rows = mem_realloc(
	    suspensions->rows, (suspensions->count + 1) * sizeof(*suspensions->rows));
	row = &suspensions->rows[suspensions->count++];
	*row = (struct suspension){
	    .until_wall_ms = until_wall_ms, .since_wall_ms = now_wall_ms};
	memcpy(row->pattern, pattern.ptr, pattern.len);
	memcpy(row->who, who.ptr, who.len);
	return OK;
}

size_t
suspensions_expire(struct suspensions *suspensions, uint64_t now_wall_ms)
{
	size_t kept = 0, count = suspensions->count;

	for (size_t i = 0; i < count; i++) {
		const struct suspension *row = &suspensions->rows[i];

		if (row->until_wall_ms == 0 || row->until_wall_ms > now_wall_ms)
			suspensions->rows[kept++] = *row;
	}
	suspensions->count = kept;
	return count - kept;
}

const struct suspension *
suspensions_find(const struct suspensions *suspensions, struct span key, struct span site)
{
	for (size_t i = 0; i < suspensions->count; i++)
		if (route_name_fits(span_str(suspensions->rows[i].pattern), key, site))
			return &suspensions->rows[i];
	return NULL;
}

void
suspensions_write(const struct suspensions *suspensions, struct buf *out)
{
	buf_addf(out, "%s\n", head);
	for (size_t i = 0; i < suspensions->count; i++) {
		const struct suspension *row = &suspensions->rows[i];

		buf_addf(out, "%llu %llu %s %s\n", (unsigned long long)row->until_wall_ms,
		    (unsigned long long)row->since_wall_ms, row->who, row->pattern);
	}
}

static enum err
read_row(struct suspensions *suspensions, struct span line)
{
	struct span until, since, who;
	uint64_t until_wall_ms, since_wall_ms;

	if (!span_cut(&line, ' ', &until) || !span_cut(&line, ' ', &since) ||
	    !span_cut(&line, ' ', &who) || !span_u64(until, UINT64_MAX, &until_wall_ms) ||
	    !span_u64(since, UINT64_MAX, &since_wall_ms) || !is_word(who, SUSPENSION_WHO_MAX))
		return ERR_SYNTAX;
	return suspensions_add(suspensions, line, who, until_wall_ms, since_wall_ms);
}

enum err
suspensions_read(struct suspensions *suspensions, struct span text)
{
	struct suspensions found = {0};
	struct span line;
	enum err err = ERR_SYNTAX;

	if (text.len > 0 && text.ptr[text.len - 1] == '\n' && span_cut(&text, '\n', &line) &&
	    span_eq(line, span_str(head)))
		err = OK;
	while (!err && text.len > 0 && span_cut(&text, '\n', &line))
		err = read_row(&found, line);
	if (err) {
		suspensions_fini(&found);
		return err;
	}
	suspensions_fini(suspensions);
	*suspensions = found;
	return OK;
}
