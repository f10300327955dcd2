/* Names, lists and walks: what the writer at its start and the reader have in common. */
#include "ledger/ledger_files.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"

void
ledger_file_name(char name[LEDGER_NAME_BYTES], uint32_t number)
{
	(void)snprintf(name, LEDGER_NAME_BYTES, LEDGER_DIR "/%08x.led", (unsigned)number);
}

static void
list_one(void *owner, const char *name)
{
	struct ledger_numbers *list = owner;
	char again[LEDGER_NAME_BYTES];
	unsigned number;

	if (sscanf(name, "%8x.led", &number) != 1)
		return;
	ledger_file_name(again, number);
	if (strcmp(again + sizeof(LEDGER_DIR), name) != 0)
		return;
	if (list->count == list->room && list->room < LEDGER_FILES_MAX) {
		list->room = list->room ? 2 * list->room : 64;
		list->numbers =
		    mem_realloc(list->numbers, list->room * sizeof(*list->numbers));
	}
	if (list->count < list->room)
		list->numbers[list->count++] = number;
	else
		list->too_many = true;
}

static int
compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

enum err
ledger_list(struct io_dir *dir, struct ledger_numbers *list)
{
	enum err err;

	*list = (struct ledger_numbers){0};
	err = io_dir_list(dir, LEDGER_DIR, list_one, list);
	if (err == ERR_NOT_FOUND)
		err = OK;
	if (!err && list->too_many)
		err = ERR_LIMIT;
	if (list->count > 0)
		qsort(list->numbers, list->count, sizeof(*list->numbers), compare);
	return err;
}

/* Bytes from an offset on: want of them, or fewer at the end of the file. */
static enum err
look(struct ledger_walk *walk, uint64_t offset, size_t want, struct span *bytes)
{
	struct buf *window = &walk->window;
	struct io_op op = {0};
	char piece[LEDGER_WINDOW_BYTES];

	check(want <= sizeof(piece));
	if (offset < walk->window_at || offset + want > walk->window_at + window->len) {
		io_pread(walk->file, &op, piece, sizeof(piece), offset);
		if (op.err)
			return op.err;
		buf_reset(window);
		buf_add(window, span_of(piece, op.count));
		walk->window_at = offset;
	}
	*bytes = span_skip(buf_span(window), (size_t)(offset - walk->window_at));
	return OK;
}

/* The header of the block at an offset; ERR_CORRUPT: none; ERR_END: the file is not so long. */
static enum err
header_at(struct ledger_walk *walk, uint64_t offset, struct ledger_block_head *head,
    struct span *filter)
{
	struct span bytes;
	enum err err = look(walk, offset, LEDGER_HEADER_BYTES, &bytes);

	if (err)
		return err;
	err = ledger_block_read(bytes, offset, head, filter);
	if (err == ERR_AGAIN) {
		err = look(
		    walk, offset, LEDGER_HEADER_BYTES + LEDGER_FILTER_BYTES_MAX, &bytes);
		if (!err)
			err = ledger_block_read(bytes, offset, head, filter);
	}
	return err == ERR_AGAIN ? ERR_END : err;
}

enum err
ledger_walk_open(struct ledger_walk *walk, struct io_dir *dir, uint32_t number)
{
	char name[LEDGER_NAME_BYTES];
	struct ledger_block_head first;
	struct io_op op = {0};
	struct span bytes;
	enum err err;

	*walk = (struct ledger_walk){.number = number, .offset = LEDGER_FILE_BYTES};
	buf_init(&walk->window, LEDGER_WINDOW_BYTES);
	ledger_file_name(name, number);
	io_open(dir, &op, name, IO_OPEN_READ);
	if (op.err)
		return op.err;
	walk->file = op.file;
	err = look(walk, 0, LEDGER_FILE_BYTES, &bytes);
	if (!err)
		err = ledger_file_read(bytes, &walk->head);
	if (!err && walk->head.number != number)
		err = ERR_CORRUPT;
	if (err == ERR_CORRUPT &&
	    header_at(walk, LEDGER_FILE_BYTES, &first, &bytes) == OK) {
		walk->head = (struct ledger_file_head){.version = LEDGER_VERSION,
		    .number = number,
		    .salt = first.salt,
		    .created_ms = first.time_min,
		    .from = first.from};
		err = OK;
	}
	if (err)
		ledger_walk_close(walk);
	return err;
}

void
ledger_walk_close(struct ledger_walk *walk)
{
	io_file_close(walk->file);
	walk->file = NULL;
	buf_fini(&walk->window);
}

enum err
ledger_walk_next(
    struct ledger_walk *walk, struct ledger_block_head *head, struct span *filter)
{
	for (uint64_t at = walk->offset;; at += LEDGER_ALIGN) {
		enum err err = header_at(walk, at, head, filter);

		if (!err && head->salt == walk->head.salt) {
			walk->block = at;
			walk->offset = at + ledger_block_bytes(head);
			return OK;
		}
		/* What cannot be a block yet may be one later: the offset stays. */
		if (err && err != ERR_CORRUPT)
			return err;
	}
}

enum err
ledger_walk_payload(
    struct ledger_walk *walk, const struct ledger_block_head *head, struct buf *out)
{
	char *bytes = mem_alloc(head->payload_bytes);
	struct io_op op = {0};

	io_pread(walk->file, &op, bytes, head->payload_bytes,
	    walk->block + LEDGER_HEADER_BYTES + head->filter_bytes);
	buf_reset(out);
	if (!op.err)
		buf_add(out, span_of(bytes, op.count));
	mem_free(bytes);
	if (op.err)
		return op.err;
	return ledger_block_is_whole(head, buf_span(out)) ? OK : ERR_CORRUPT;
}
