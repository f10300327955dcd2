/*
 * The fields of each kind of mark stand in one table; writing and reading go through the
 * same list of them, in the same order.  Each mark has one spelling.
 */
#include "proc/queue/mark.h"

#include "base/check.h"

enum field {
	INDEX = 1 << 0,
	END = 1 << 1,
	DOUBT = 1 << 2,
	TRIES = 1 << 3,
	NEXT = 1 << 4,
	REPLY = 1 << 5, /* code, status, remote */
	TEXT = 1 << 6,
	BOUNCE = 1 << 7,
	TOLD = 1 << 8,
};

/* The fields of a kind after its time; 0: there is no such kind. */
static unsigned
fields_of(unsigned kind)
{
	static const unsigned fields[MARK_KIND_END] = {
	    [MARK_ENDED] = INDEX | END | DOUBT | REPLY | TEXT | BOUNCE,
	    [MARK_DEFERRED] = INDEX | DOUBT | TRIES | NEXT | REPLY | TEXT,
	    [MARK_HELD] = TEXT,
	    [MARK_RELEASED] = TEXT,
	    [MARK_BEGUN] = INDEX | TRIES,
	    [MARK_ASIDE] = TEXT,
	    [MARK_SUCCEEDED] = INDEX | DOUBT | REPLY | TEXT,
	    [MARK_TOLD] = TOLD,
	    [MARK_REROUTED] = INDEX | TEXT,
	};

	return kind < MARK_KIND_END ? fields[kind] : 0;
}

const char *
end_name(enum end_kind end)
{
	static const char *const ends[END_KIND_END] = {
	    [END_DELIVERED] = "delivered",
	    [END_RELAYED] = "relayed",
	    [END_BOUNCED] = "bounced",
	    [END_EXPIRED] = "expired",
	    [END_DISCARDED] = "discarded",
	    [END_DELETED] = "deleted",
	    [END_EXPANDED] = "expanded",
	};

	check(end >= END_DELIVERED && end < END_KIND_END);
	return ends[end];
}

static void
write_reply(struct buf *out, const struct mark *mark)
{
	wire_var(out, mark->code <= MARK_CODE_MAX ? mark->code : 0);
	wire_var_bytes(out, span_first(mark->status, MARK_STATUS_MAX));
	wire_var_bytes(out, span_first(mark->remote, MARK_REMOTE_MAX));
}

void
mark_write(struct buf *out, const struct mark *mark)
{
	unsigned fields = fields_of(mark->kind);

	check(fields != 0);
	wire_u8(out, (uint8_t)mark->kind);
	wire_var(out, mark->wall_ms);
	if (fields & INDEX)
		wire_var(out, mark->index);
	if (fields & END) {
		check(mark->end >= END_DELIVERED && mark->end < END_KIND_END);
		wire_u8(out, (uint8_t)mark->end);
	}
	if (fields & DOUBT)
		wire_u8(out, mark->in_doubt);
	if (fields & TRIES)
		wire_var(out, mark->tries);
	if (fields & NEXT)
		wire_var(out, mark->next_wall_ms);
	if (fields & REPLY)
		write_reply(out, mark);
	if (fields & TEXT)
		wire_var_bytes(out, span_first(mark->text, MARK_TEXT_MAX));
	if (fields & BOUNCE)
		wire_var(out, mark->bounce_id);
	if (fields & TOLD)
		wire_var(out, mark->told);
}

static bool
read_flag(struct reader *reader)
{
	uint8_t value = reader_u8(reader);

	if (value > 1)
		reader->failed = true;
	return value == 1;
}

static enum end_kind
read_end(struct reader *reader)
{
	uint8_t value = reader_u8(reader);

	if (value < END_DELIVERED || value >= END_KIND_END) {
		reader->failed = true;
		return END_DELIVERED;
	}
	return (enum end_kind)value;
}

static void
read_reply(struct reader *reader, struct mark *mark)
{
	mark->code = (uint32_t)reader_var(reader, MARK_CODE_MAX);
	mark->status = reader_var_bytes(reader, MARK_STATUS_MAX);
	mark->remote = reader_var_bytes(reader, MARK_REMOTE_MAX);
}

bool
mark_read(struct reader *reader, struct mark *mark)
{
	unsigned kind = reader_u8(reader);
	unsigned fields = fields_of(kind);

	*mark = (struct mark){.kind = fields ? (enum mark_kind)kind : MARK_ENDED};
	if (fields == 0) {
		reader->failed = true;
		return false;
	}
	mark->wall_ms = reader_var(reader, UINT64_MAX);
	if (fields & INDEX)
		mark->index = (uint32_t)reader_var(reader, UINT32_MAX);
	if (fields & END)
		mark->end = read_end(reader);
	if (fields & DOUBT)
		mark->in_doubt = read_flag(reader);
	if (fields & TRIES)
		mark->tries = (uint32_t)reader_var(reader, UINT32_MAX);
	if (fields & NEXT)
		mark->next_wall_ms = reader_var(reader, UINT64_MAX);
	if (fields & REPLY)
		read_reply(reader, mark);
	if (fields & TEXT)
		mark->text = reader_var_bytes(reader, MARK_TEXT_MAX);
	if (fields & BOUNCE)
		mark->bounce_id = reader_var(reader, UINT64_MAX);
	if (fields & TOLD)
		mark->told = (uint32_t)reader_var(reader, UINT32_MAX);
	return !reader->failed;
}
