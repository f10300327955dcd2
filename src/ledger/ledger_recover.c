/*
 * How far the ledger reaches.  Blocks up to a position that a later one knows as durable count,
 * damaged or not: the spool may not have their records any more.  What is behind that is written
 * again, as it is, before it is believed.  Of it, the first block that is not whole, or does not
 * go on where the last ended, was torn by a crash: it and all behind it are fed again, into
 * another file.
 */
#include "ledger/ledger_internal.h"

#include "base/check.h"

enum { AGAIN_BYTES = 64 << 10 }; /* written again at a time */

/* The highest position that was durable, as the blocks of a file tell. */
static uint64_t
find_durable(struct ledger_walk *walk)
{
	uint64_t durable = walk->head.from;
	struct ledger_block_head head;
	struct span filter;

	while (ledger_walk_next(walk, &head, &filter) == OK)
		if (head.durable > durable)
			durable = head.durable;
	walk->offset = LEDGER_FILE_BYTES;
	return durable;
}

/* Where in the file what is known to be durable ends; 0: not even its head is. */
static uint64_t
find_proven(struct ledger_walk *walk, uint64_t durable)
{
	uint64_t end = 0;
	struct ledger_block_head head;
	struct span filter;

	while (ledger_walk_next(walk, &head, &filter) == OK)
		if (head.reached <= durable)
			end = walk->offset;
	walk->offset = LEDGER_FILE_BYTES;
	return end;
}

/*
 * Writes a file again from an offset on.  A sync that failed before this process may have left
 * what was written in the kernel's memory, as if it were on the disk: then no sync ever writes it.
 * *end: what could not be read, and what is behind it, may not be believed when it can be.
 */
static enum err
write_again(struct io_file *file, uint64_t at, uint64_t *end)
{
	char *memory = mem_alloc(AGAIN_BYTES);
	struct io_op op = {0};

	for (;;) {
		struct span span;

		*end = at;
		io_pread(file, &op, memory, AGAIN_BYTES, at);
		if (op.err || op.count == 0) {
			op.err = OK;
			break;
		}
		span = span_of(memory, op.count);
		io_pwrite(file, &op, &span, 1, at);
		if (op.err)
			break;
		at += span.len;
	}
	mem_free(memory);
	return op.err;
}

/* Whether a block that is not known to be durable goes on where the last ended, and is whole. */
static bool
goes_on(struct ledger_walk *walk, const struct ledger_block_head *head, uint64_t end,
    uint64_t reached, struct buf *payload)
{
	return walk->block == end && head->from == reached &&
	       ledger_walk_payload(walk, head, payload) == OK;
}

/*
 * Walks the blocks that count, none of them behind limit, and gives what they reach; *end is
 * where the next may be written.
 */
static uint64_t
find_end(struct ledger_walk *walk, uint64_t durable, uint64_t limit, uint64_t *end)
{
	uint64_t reached = walk->head.from;
	struct ledger_block_head head;
	struct buf payload;
	struct span filter;

	*end = LEDGER_FILE_BYTES;
	buf_init(&payload, LEDGER_PAYLOAD_BYTES_MAX);
	while (ledger_walk_next(walk, &head, &filter) == OK) {
		if (head.reached > durable &&
		    (walk->offset > limit || !goes_on(walk, &head, *end, reached, &payload)))
			break;
		if (head.reached > reached)
			reached = head.reached;
		*end = walk->offset;
	}
	buf_fini(&payload);
	return durable > reached ? durable : reached;
}

/*
 * What is there behind an offset becomes durable: a kill may have come between the writing and the
 * sync, or between a sync that failed and the writing to another file.
 */
static enum err
make_durable(struct ledger *ledger, const struct ledger_walk *walk, uint64_t at, uint64_t *end)
{
	char name[LEDGER_NAME_BYTES];
	struct io_op op = {0};
	struct io_file *file;

	ledger_file_name(name, walk->number);
	io_open(ledger->dir, &op, name, IO_OPEN_READ | IO_OPEN_WRITE);
	if (op.err)
		return op.err;
	file = op.file;
	op.err = write_again(file, at, end);
	if (!op.err)
		io_sync(file, &op);
	if (!op.err)
		io_dir_sync(ledger->dir, &op, LEDGER_DIR);
	if (!op.err)
		io_dir_sync(ledger->dir, &op, NULL);
	io_file_close(file);
	return op.err;
}

/* Appends to the file where nothing is behind its last block. */
static void
append_to(struct ledger *ledger, const struct ledger_walk *walk, uint64_t end)
{
	char name[LEDGER_NAME_BYTES];
	struct io_op op = {0};

	if (io_file_bytes(walk->file) != end)
		return;
	ledger_file_name(name, walk->number);
	io_open(ledger->dir, &op, name, IO_OPEN_READ | IO_OPEN_WRITE);
	if (op.err)
		return;
	ledger->file = op.file;
	ledger->file_bytes = end;
	ledger->head = walk->head;
}

static enum err
take_newest(struct ledger *ledger, struct ledger_walk *walk, bool is_last)
{
	uint64_t durable = find_durable(walk), limit, end;
	enum err err = make_durable(ledger, walk, find_proven(walk, durable), &limit);

	if (err)
		return err;
	/* Only what was read since is known to be on the disk. */
	buf_reset(&walk->window);
	ledger->durable = find_end(walk, durable, limit, &end);
	if (is_last)
		append_to(ledger, walk, end);
	return OK;
}

void
ledger_know_file(struct ledger *ledger, const struct ledger_file_known *file)
{
	if (ledger->file_count == ledger->file_room) {
		ledger->file_room = ledger->file_room ? 2 * ledger->file_room : 16;
		ledger->files = mem_realloc(
		    ledger->files, ledger->file_room * sizeof(*ledger->files));
	}
	ledger->files[ledger->file_count++] = *file;
}

/* What retention must know.  A file that can't be read is as old as the one before it. */
static void
know_files(struct ledger *ledger, const struct ledger_numbers *list)
{
	struct ledger_file_known known = {0};

	for (size_t i = 0; i < list->count; i++) {
		struct ledger_walk walk;

		known.number = list->numbers[i];
		known.bytes = 0;
		if (ledger_walk_open(&walk, ledger->dir, known.number) == OK) {
			known.created_ms = walk.head.created_ms;
			known.bytes = io_file_bytes(walk.file);
			ledger_walk_close(&walk);
		}
		ledger_know_file(ledger, &known);
	}
}

/* The newest file that can be read says how far the ledger reaches. */
static enum err
take_files(struct ledger *ledger, const struct ledger_numbers *list)
{
	bool found = false;

	for (size_t i = list->count; i > 0; i--) {
		struct ledger_walk walk;
		enum err err = ledger_walk_open(&walk, ledger->dir, list->numbers[i - 1]);

		/* What can't be read now is not read later: the next file says where it ends. */
		if (err == ERR_CORRUPT || err == ERR_IO)
			continue;
		if (!err && !found)
			err = take_newest(ledger, &walk, i == list->count);
		ledger_walk_close(&walk);
		if (err)
			return err;
		found = true;
	}
	return OK;
}

enum err
ledger_recover(struct ledger *ledger)
{
	struct ledger_numbers list;
	enum err err = ledger_list(ledger->dir, &list);

	ledger->has_dir = list.count > 0;
	if (!err && list.count > 0) {
		ledger->next_number = list.numbers[list.count - 1] + 1;
		err = take_files(ledger, &list);
		know_files(ledger, &list);
	}
	mem_free(list.numbers);
	return err;
}
