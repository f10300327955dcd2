/*
 * Files go in their order, each up to the last block that is wholly of the copied log.  A
 * server may write meanwhile: it appends, or unlinks its oldest file.
 */
#include "ledger/ledger_copy.h"

#include "base/arena.h"
#include "base/check.h"
#include "ledger/ledger_files.h"

enum { PIECE_BYTES = 256 << 10 };

/* Where the file's blocks of the copied log end; 0: it has none. */
static uint64_t
find_end(struct io_dir *from, uint32_t number, uint64_t until, enum err *err)
{
	struct ledger_block_head head;
	struct ledger_walk walk;
	uint64_t end = LEDGER_FILE_BYTES;
	struct span filter;

	*err = ledger_walk_open(&walk, from, number);
	/* Unlinked meanwhile, or damaged all over: it is of no use to anybody. */
	if (*err == ERR_NOT_FOUND || *err == ERR_CORRUPT)
		*err = OK, end = 0;
	if (*err || end == 0)
		return 0;
	if (walk.head.from > until)
		end = 0;
	while (end && ledger_walk_next(&walk, &head, &filter) == OK &&
	       head.reached <= until)
		end = walk.offset;
	ledger_walk_close(&walk);
	return end;
}

static enum err
copy_bytes(struct io_file *from, struct io_file *to, uint64_t end)
{
	char *piece = mem_alloc(PIECE_BYTES);
	struct io_op op = {0};

	for (uint64_t at = 0; at < end && !op.err;) {
		struct span span;

		io_pread(
		    from, &op, piece, end - at < PIECE_BYTES ? end - at : PIECE_BYTES, at);
		if (op.err || op.count == 0)
			break;
		span = span_of(piece, op.count);
		io_pwrite(to, &op, &span, 1, at);
		at += span.len;
	}
	if (!op.err)
		io_sync(to, &op);
	mem_free(piece);
	return op.err;
}

static enum err
copy_file(struct io_dir *from, struct io_dir *to, uint32_t number, uint64_t end)
{
	char name[LEDGER_NAME_BYTES];
	struct io_op op = {0};
	struct io_file *source;
	enum err err;

	ledger_file_name(name, number);
	io_open(from, &op, name, IO_OPEN_READ);
	if (op.err)
		return op.err == ERR_NOT_FOUND ? OK : op.err;
	source = op.file;
	io_open(to, &op, name, IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
	err = op.err;
	if (!err) {
		struct io_file *target = op.file;

		err = copy_bytes(source, target, end);
		io_file_close(target);
	}
	io_file_close(source);
	return err;
}

enum err
ledger_copy(struct io_dir *from, struct io_dir *to, uint64_t until, uint64_t *bytes)
{
	struct ledger_numbers list;
	struct io_op op = {0};
	enum err err = ledger_list(from, &list);

	*bytes = 0;
	if (!err && list.count > 0) {
		io_mkdir(to, &op, LEDGER_DIR);
		err = op.err;
	}
	for (size_t i = 0; i < list.count && !err; i++) {
		uint64_t end = find_end(from, list.numbers[i], until, &err);

		if (!err && end)
			err = copy_file(from, to, list.numbers[i], end);
		*bytes += end;
	}
	if (!err && list.count > 0) {
		io_dir_sync(to, &op, LEDGER_DIR);
		if (!op.err)
			io_dir_sync(to, &op, NULL);
		err = op.err;
	}
	mem_free(list.numbers);
	return err;
}
