/*
 * Files are read in the order of their numbers.  The head of a file says from which position on
 * it counts: what an earlier file has above that was written again.  A block that doesn't go on
 * where the last ended is behind a gap.
 */
#include "ledger/ledger_read.h"

#include "base/arena.h"
#include "base/check.h"
#include "ledger/ledger_files.h"

struct ledger_reader {
	struct io_dir *dir;
	struct ledger_query query;
	struct ledger_seen seen;
	struct ledger_numbers list;
	size_t at; /* in list: the file that is read, or is to be opened */
	struct ledger_walk walk;
	bool is_open;
	uint64_t until; /* blocks of the file count up to here: where the next one begins */
	uint64_t reached; /* by the blocks until now */
	uint64_t last_ms;
	struct buf payload;
	struct ledger_parser *parser;
	bool in_block;
};

enum err
ledger_reader_open(struct io *io, struct io_dir *dir, const struct ledger_query *query,
    struct ledger_reader **out)
{
	struct ledger_reader *reader = mem_alloc(sizeof(*reader));
	enum err err;

	(void)io;
	reader->dir = dir;
	reader->query = *query;
	reader->seen.begin_ms = UINT64_MAX;
	if (reader->query.until_ms == 0)
		reader->query.until_ms = UINT64_MAX;
	reader->parser = ledger_parser_create();
	buf_init(&reader->payload, LEDGER_PAYLOAD_BYTES_MAX);
	err = ledger_list(dir, &reader->list);
	if (err) {
		ledger_reader_close(reader);
		return err;
	}
	*out = reader;
	return OK;
}

void
ledger_reader_close(struct ledger_reader *reader)
{
	if (!reader)
		return;
	if (reader->is_open)
		ledger_walk_close(&reader->walk);
	ledger_parser_destroy(reader->parser);
	buf_fini(&reader->payload);
	mem_free(reader->list.numbers);
	mem_free(reader);
}

const struct ledger_seen *
ledger_reader_seen(const struct ledger_reader *reader)
{
	return &reader->seen;
}

static void
note_gap(struct ledger_reader *reader)
{
	if (reader->seen.gaps++ > 0)
		return;
	reader->seen.gap_after_ms = reader->last_ms;
	reader->seen.gap_file = reader->walk.number;
}

/* Where the blocks of the file being read stop to count: the head of the next that can be read. */
static uint64_t
find_until(struct ledger_reader *reader)
{
	for (size_t i = reader->at + 1; i < reader->list.count; i++) {
		struct ledger_walk next;
		uint64_t from;
		bool anew;

		if (ledger_walk_open(&next, reader->dir, reader->list.numbers[i]) != OK)
			continue;
		from = next.head.from;
		anew = next.head.flags & LEDGER_BEGAN_ANEW;
		ledger_walk_close(&next);
		return anew ? UINT64_MAX : from;
	}
	return UINT64_MAX;
}

/* The newest file may not have its head yet. */
static enum err
open_file(struct ledger_reader *reader)
{
	uint32_t number = reader->list.numbers[reader->at];
	enum err err = ledger_walk_open(&reader->walk, reader->dir, number);

	if (err == ERR_VERSION || err == ERR_DENIED)
		return err;
	if (err == ERR_NOT_FOUND && reader->seen.files == 0) {
		/* Its time was over. */
		reader->at++;
		return OK;
	}
	if (err && reader->at + 1 == reader->list.count)
		return ERR_END;
	if (err) {
		/* Where it had anything, the next file does not go on from the one before. */
		reader->at++;
		return OK;
	}
	reader->is_open = true;
	reader->until = find_until(reader);
	if (reader->seen.files++ == 0) {
		reader->seen.begin_ms = reader->walk.head.created_ms;
		reader->seen.from_the_start = reader->walk.head.from == 0;
		reader->reached = reader->walk.head.from;
	}
	if (reader->walk.head.flags & LEDGER_BEGAN_ANEW)
		reader->reached = 0;
	return OK;
}

/* Takes up the names of files that came since. */
static enum err
list_again(struct ledger_reader *reader)
{
	struct ledger_numbers list;
	uint32_t last = reader->list.count ? reader->list.numbers[reader->list.count - 1] : 0;
	enum err err = ledger_list(reader->dir, &list);

	for (size_t i = 0; !err && i < list.count; i++) {
		if (list.numbers[i] <= last)
			continue;
		if (reader->list.count == reader->list.room) {
			reader->list.room = reader->list.room ? 2 * reader->list.room : 64;
			reader->list.numbers = mem_realloc(reader->list.numbers,
			    reader->list.room * sizeof(*reader->list.numbers));
		}
		reader->list.numbers[reader->list.count++] = list.numbers[i];
	}
	mem_free(list.numbers);
	return err;
}

/* The file that is read has no more blocks. */
static enum err
next_file(struct ledger_reader *reader)
{
	if (reader->at + 1 >= reader->list.count) {
		enum err err = list_again(reader);

		if (err)
			return err;
		if (reader->at + 1 >= reader->list.count)
			return ERR_END;
		/* It may have grown before the next one was begun. */
		reader->until = find_until(reader);
		return reader->until < reader->reached ? ERR_AGAIN : OK;
	}
	ledger_walk_close(&reader->walk);
	reader->is_open = false;
	reader->at++;
	return OK;
}

static bool
is_wanted(const struct ledger_reader *reader, const struct ledger_block_head *head,
    struct span filter)
{
	const struct ledger_query *query = &reader->query;

	return head->time_max >= query->since_ms && head->time_min <= query->until_ms &&
	       (query->id == 0 || ledger_block_may_hold_id(head, filter, query->id)) &&
	       (query->domain.len == 0 ||
		   ledger_block_may_hold_domain(head, filter, query->domain));
}

/* Nothing comes after the block given last, in the newest file: perhaps it is being written. */
static bool
is_at_the_end(struct ledger_reader *reader)
{
	uint64_t block = reader->walk.block, offset = reader->walk.offset;
	struct ledger_block_head head;
	struct span filter;
	bool more = reader->at + 1 < reader->list.count ||
		    ledger_walk_next(&reader->walk, &head, &filter) == OK;

	reader->walk.block = block;
	reader->walk.offset = offset;
	return !more;
}

static enum err
read_block(struct ledger_reader *reader, const struct ledger_block_head *head)
{
	enum err err = ledger_walk_payload(&reader->walk, head, &reader->payload);

	if (err == ERR_CORRUPT && is_at_the_end(reader)) {
		reader->walk.offset = reader->walk.block;
		return ERR_END;
	}
	if (err) {
		note_gap(reader);
		return OK;
	}
	reader->seen.blocks++;
	reader->in_block = true;
	ledger_parser_begin(reader->parser, buf_span(&reader->payload));
	return OK;
}

/* The next block of the file that counts, and is wanted. */
static enum err
next_block(struct ledger_reader *reader)
{
	struct ledger_block_head head;
	struct span filter;
	enum err err = ledger_walk_next(&reader->walk, &head, &filter);

	if (err)
		return err;
	if (head.reached > reader->until)
		return OK;
	if (is_wanted(reader, &head, filter))
		err = read_block(reader, &head);
	else
		reader->seen.blocks_skipped++;
	if (err)
		return err;
	if (head.from != reader->reached)
		note_gap(reader);
	reader->reached = reader->seen.reached = head.reached;
	reader->last_ms = head.time_max;
	return OK;
}

static enum err
advance(struct ledger_reader *reader)
{
	enum err err;

	if (reader->is_open) {
		err = next_block(reader);
		return err == ERR_END ? next_file(reader) : err;
	}
	if (reader->at >= reader->list.count) {
		err = list_again(reader);
		return err                                    ? err
		       : reader->at < reader->list.count ? OK
							 : ERR_END;
	}
	return open_file(reader);
}

enum err
ledger_reader_next(struct ledger_reader *reader, struct ledger_entry *entry)
{
	for (;;) {
		enum err err;

		if (!reader->in_block) {
			err = advance(reader);
			if (err)
				return err;
			continue;
		}
		err = ledger_parser_next(reader->parser, entry);
		if (err) {
			reader->in_block = false;
			if (err != ERR_END)
				note_gap(reader);
			continue;
		}
		if (reader->query.id == 0 || entry->id == reader->query.id) {
			reader->seen.entries++;
			return OK;
		}
	}
}
