/*
 * Start-up's other files: the epoch, and the bodies, of which each must be as
 * long as its message says and belong to one.
 */
#include "spool/spool_recovery.h"

#include "base/sim_point.h"

#include <stdio.h>

enum {
	EPOCH_SECOND = 4096,    /* the other slot of the epoch file */
	EPOCHS_LOST_MAX = 1000, /* starts since a segment was made, where both slots are lost */
};

static bool
is_zero(const char *at, size_t bytes)
{
	while (bytes && *at == 0) {
		at++;
		bytes--;
	}
	return bytes == 0;
}

enum err
spool_recovery_copies(
    struct io_file *file, uint64_t second, size_t bytes, struct copies *copies)
{
	struct io_op op = {0};

	memset(copies, 0, sizeof(*copies));
	io_pread(file, &op, copies->bytes[0], bytes, 0);
	if (!op.err)
		io_pread(file, &op, copies->bytes[1], bytes, second);
	copies->second_blank = !op.err && is_zero(copies->bytes[1], bytes);
	copies->blank = copies->second_blank && is_zero(copies->bytes[0], bytes);
	return op.err;
}

enum err
spool_recovery_read_epoch(struct recovery *recovery)
{
	struct io_op op = {0};
	struct copies copies;
	bool found = false, lost = false, unused = false;
	enum err err;

	io_open(recovery->spool->dir, &op, "epoch", IO_OPEN_READ);
	if (op.err)
		return op.err == ERR_NOT_FOUND ? OK : op.err;
	err = spool_recovery_copies(op.file, EPOCH_SECOND, SPOOL_EPOCH_BYTES, &copies);
	for (int i = 0; i < 2 && !err; i++) {
		uint64_t epoch = 0;

		err =
		    spool_epoch_read(span_of(copies.bytes[i], SPOOL_EPOCH_BYTES), &epoch);
		found |= err == OK;
		if (epoch > recovery->epoch)
			recovery->epoch = epoch;
		if (is_zero(copies.bytes[i], SPOOL_EPOCH_BYTES))
			unused = true;
		else
			lost |= err == ERR_CORRUPT;
		if (err == ERR_CORRUPT)
			err = OK;
	}
	io_file_close(op.file);
	if (lost)
		SIM_MARK("spool.epoch_lost");
	/* No epoch comes twice: the slot that cannot be read may have had the last one. */
	if (lost)
		recovery->epochs_lost = 2;
	/*
	 * Segments have epochs too, but only of runs that needed a new one.  Where one slot was
	 * never used the other is the first, perhaps torn as it was written: no damage.
	 */
	if (lost && !found && !unused)
		recovery->epochs_lost = EPOCHS_LOST_MAX;
	if (!err && lost && !found && !unused)
		recovery->scan->damaged(recovery->scan->owner, "epoch", 0, 0);
	return err;
}

/*
 * The file has two slots that are written in turn, so that one of them is whole
 * at any moment, and nothing is asked of a full disk.
 */
enum err
spool_recovery_write_epoch(struct recovery *recovery)
{
	struct spool *spool = recovery->spool;
	char bytes[SPOOL_EPOCH_BYTES] = {0};
	struct span span = span_of(bytes, sizeof(bytes));
	struct io_file *file = NULL;
	struct io_op op = {0};

	spool->epoch = recovery->epoch + recovery->epochs_lost + 1;
	spool_epoch_write(bytes, spool->epoch);
	io_open(spool->dir, &op, "epoch", IO_OPEN_READ | IO_OPEN_WRITE);
	if (op.err == ERR_NOT_FOUND)
		io_open(spool->dir, &op, "epoch",
		    IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
	if (!op.err)
		file = op.file;
	if (file && io_file_bytes(file) < 2 * EPOCH_SECOND)
		io_allocate(file, &op, 2 * EPOCH_SECOND);
	if (!op.err)
		io_pwrite(file, &op, &span, 1, spool->epoch % 2 ? EPOCH_SECOND : 0);
	if (!op.err)
		io_sync(file, &op);
	if (!op.err)
		io_dir_sync(spool->dir, &op, NULL);
	io_file_close(file);
	return op.err;
}

static void
want_file(struct recovery *recovery, uint32_t slot, struct spool_message *message)
{
	(void)slot;
	if (message->flags & SPOOL_IN_FILE)
		map_set_u64(
		    &recovery->files, message->body.file->number, message->body.file);
}

/* A name in body/: a file that is as long as its message says is no more wanted. */
static void
find_file(void *owner, const char *name)
{
	struct recovery *recovery = owner;
	const struct spool_file_body *body;
	char path[NAME_BYTES];
	unsigned long long number;
	struct io_op op = {0};

	if (sscanf(name, "%16llx", &number) != 1)
		return;
	spool_body_name(path, number);
	if (!span_eq(span_str(path + 5), span_str(name)))
		return;
	body = map_get_u64(&recovery->files, number);
	if (body) {
		io_open(recovery->spool->dir, &op, path, IO_OPEN_READ);
		if (op.err)
			return;
		if (io_file_bytes(op.file) == body->bytes)
			map_remove_u64(&recovery->files, number);
		io_file_close(op.file);
		return;
	}
	if (recovery->orphan_count == recovery->orphan_room) {
		recovery->orphan_room = recovery->orphan_room * 2 + 16;
		recovery->orphans = mem_realloc(recovery->orphans,
		    recovery->orphan_room * sizeof(*recovery->orphans));
	}
	recovery->orphans[recovery->orphan_count++] = number;
}

static void
lose_file(struct recovery *recovery, uint32_t slot, struct spool_message *message)
{
	if (!(message->flags & SPOOL_IN_FILE) ||
	    !map_get_u64(&recovery->files, message->body.file->number))
		return;
	SIM_MARK("spool.body_missing");
	spool_recovery_report(recovery, recovery->spool->segments[message->segment],
	    message->offset, message->id);
	spool_recovery_forget(recovery->spool, slot);
}

enum err
spool_recovery_files(struct recovery *recovery)
{
	struct spool *spool = recovery->spool;
	struct io_op op = {0};
	char name[NAME_BYTES];
	enum err err;

	io_mkdir(spool->dir, &op, "body");
	if (op.err && op.err != ERR_EXISTS)
		return op.err;
	spool_recovery_each(recovery, want_file);
	err = io_dir_list(spool->dir, "body", find_file, recovery);
	if (err)
		return err;
	if (recovery->files.count)
		spool_recovery_each(recovery, lose_file);
	for (size_t i = 0; i < recovery->orphan_count; i++) {
		SIM_MARK("spool.orphan_body");
		spool_body_name(name, recovery->orphans[i]);
		io_unlink(spool->dir, &op, name);
		err_ignore(op.err, "it is tried again at the next start");
	}
	return OK;
}
