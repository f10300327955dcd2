/*
 * What is done with files: one step at a time, each chosen from what there is to do.  The order
 * is what makes a block durable: file written, file synced, name synced, and, for the first
 * file ever, the name of the directory.
 */
#include "ledger/ledger_internal.h"

#include "base/check.h"
#include "base/sim_point.h"

static struct ledger_sealed *
first_unwritten(const struct ledger *ledger)
{
	list_for_each (node, &ledger->blocks) {
		struct ledger_sealed *block = container_of(node, struct ledger_sealed, node);

		if (!block->written)
			return block;
	}
	return NULL;
}

static bool
file_is_over(const struct ledger *ledger, const struct ledger_sealed *next)
{
	return (next->anew && ledger->file_bytes > 0) ||
	       ledger->file_bytes >= LEDGER_FILE_BYTES_MAX ||
	       ledger->head.created_ms / LEDGER_DAY_MS !=
		   io_wall_ms(ledger->io) / LEDGER_DAY_MS;
}

/* The oldest file may go: too old as a whole, or there is too much. */
static bool
oldest_may_go(const struct ledger *ledger)
{
	uint64_t bytes = 0;

	if (ledger->file_count < 2)
		return false;
	for (size_t i = 0; i < ledger->file_count; i++)
		bytes += ledger->files[i].bytes;
	if (ledger->options.bytes_max > 0 && bytes > ledger->options.bytes_max)
		return true;
	return ledger->options.keep_ms > 0 &&
	       ledger->files[1].created_ms + ledger->options.keep_ms <
		   io_wall_ms(ledger->io);
}

static enum ledger_step
next_step(struct ledger *ledger)
{
	struct ledger_sealed *next = first_unwritten(ledger);
	bool sync = ledger->sync_serial > ledger->durable_serial ||
		    ledger->unsynced_bytes >= LEDGER_SYNC_BYTES;

	if (next && ledger->file && ledger->unsynced_bytes == 0 && file_is_over(ledger, next)) {
		io_file_close(ledger->file);
		ledger->file = NULL;
	}
	if (next && !ledger->file)
		return ledger->has_dir ? LEDGER_CREATE : LEDGER_MAKE_DIR;
	/* A file that is over is made durable as a whole before the next begins. */
	if (next && !file_is_over(ledger, next))
		return LEDGER_WRITE;
	if (ledger->unsynced_bytes > 0 && (sync || next))
		return LEDGER_SYNC;
	if (ledger->retention_due && oldest_may_go(ledger))
		return LEDGER_UNLINK;
	ledger->retention_due = false;
	return LEDGER_NOTHING;
}

static void
start_create(struct ledger *ledger)
{
	const struct ledger_sealed *first = first_unwritten(ledger);

	ledger->head = (struct ledger_file_head){
	    .version = LEDGER_VERSION,
	    .flags = first->anew ? LEDGER_BEGAN_ANEW : 0,
	    .number = ledger->next_number++,
	    .created_ms = io_wall_ms(ledger->io),
	    .from = first->from,
	};
	io_random(ledger->io, &ledger->head.salt, sizeof(ledger->head.salt));
	ledger_file_write(ledger->head_bytes, &ledger->head);
	ledger_file_name(ledger->name, (uint32_t)ledger->head.number);
	ledger->names_dirty = true;
	io_open(ledger->dir, &ledger->op, ledger->name,
	    IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
}

/* The head goes with the first blocks of its file. */
static void
start_write(struct ledger *ledger)
{
	struct span spans[LEDGER_WRITE_BLOCKS_MAX + 1];
	size_t count = 0;
	uint64_t begin = ledger->file_bytes, end = begin;

	if (begin == 0) {
		spans[count++] = span_of(ledger->head_bytes, LEDGER_FILE_BYTES);
		end = LEDGER_FILE_BYTES;
	}
	list_for_each (node, &ledger->blocks) {
		struct ledger_sealed *block = container_of(node, struct ledger_sealed, node);

		if (block->written)
			continue;
		if (count > LEDGER_WRITE_BLOCKS_MAX - 1 || (block->anew && end > LEDGER_FILE_BYTES))
			break;
		ledger_block_place(&block->bytes, ledger->head.salt, end,
		    ledger->durable < block->from ? ledger->durable : block->from);
		spans[count++] = buf_span(&block->bytes);
		end += block->bytes.len;
		block->written = true;
		ledger->unsynced_bytes += block->bytes.len;
	}
	ledger->file_bytes = end;
	io_pwrite(ledger->file, &ledger->op, spans, count, begin);
}

static void
start_sync(struct ledger *ledger)
{
	list_for_each (node, &ledger->blocks) {
		struct ledger_sealed *block = container_of(node, struct ledger_sealed, node);

		if (!block->written)
			break;
		ledger->op_serial = block->serial;
	}
	if (SIM_BUG(LEDGER_NOT_SYNCED))
		io_dir_sync(ledger->dir, &ledger->op, LEDGER_DIR);
	else
		io_sync(ledger->file, &ledger->op);
}

static void
start(struct ledger *ledger)
{
	switch (ledger->step) {
	case LEDGER_MAKE_DIR:
		ledger->top_dirty = true;
		io_mkdir(ledger->dir, &ledger->op, LEDGER_DIR);
		return;
	case LEDGER_CREATE:
		start_create(ledger);
		return;
	case LEDGER_WRITE:
		start_write(ledger);
		return;
	case LEDGER_SYNC:
		start_sync(ledger);
		return;
	case LEDGER_SYNC_DIR:
		io_dir_sync(ledger->dir, &ledger->op, LEDGER_DIR);
		return;
	case LEDGER_SYNC_TOP:
		io_dir_sync(ledger->dir, &ledger->op, NULL);
		return;
	case LEDGER_UNLINK:
		ledger_file_name(ledger->name, ledger->files[0].number);
		io_unlink(ledger->dir, &ledger->op, ledger->name);
		return;
	case LEDGER_NOTHING:
		check(false);
	}
}

static void
created(struct ledger *ledger)
{
	const struct ledger_file_known known = {
	    .number = (uint32_t)ledger->head.number, .created_ms = ledger->head.created_ms};

	ledger->file = ledger->op.file;
	ledger->file_bytes = 0;
	ledger->numbers_tried = 0;
	ledger->retention_due = true;
	ledger_know_file(ledger, &known);
}

/* Whether what the step met is no failure of the ledger. */
static bool
is_harmless(struct ledger *ledger, enum err err)
{
	if (ledger->step == LEDGER_MAKE_DIR)
		return err == ERR_EXISTS;
	/* A file that was made and lost its name in memory: another number. */
	if (ledger->step == LEDGER_CREATE)
		return err == ERR_EXISTS &&
		       ++ledger->numbers_tried < LEDGER_NUMBERS_TRIED_MAX;
	/* Old files that can't be removed are only in the way. */
	return ledger->step == LEDGER_UNLINK;
}

/* The step ended well (or as good as); gives the one that must follow at once. */
static enum ledger_step
advance(struct ledger *ledger, enum err err)
{
	switch (ledger->step) {
	case LEDGER_MAKE_DIR:
		ledger->has_dir = true;
		break;
	case LEDGER_CREATE:
		if (!err)
			created(ledger);
		break;
	case LEDGER_WRITE:
		ledger->files[ledger->file_count - 1].bytes = ledger->file_bytes;
		break;
	case LEDGER_SYNC:
		if (ledger->names_dirty)
			return LEDGER_SYNC_DIR;
		ledger_made_durable(ledger, ledger->op_serial);
		break;
	case LEDGER_SYNC_DIR:
		ledger->names_dirty = false;
		if (ledger->top_dirty)
			return LEDGER_SYNC_TOP;
		ledger_made_durable(ledger, ledger->op_serial);
		break;
	case LEDGER_SYNC_TOP:
		ledger->top_dirty = false;
		ledger_made_durable(ledger, ledger->op_serial);
		break;
	case LEDGER_UNLINK:
		ledger->file_count--;
		memmove(ledger->files, ledger->files + 1,
		    ledger->file_count * sizeof(*ledger->files));
		break;
	case LEDGER_NOTHING:
		check(false);
	}
	return LEDGER_NOTHING;
}

static void step_done(struct io_op *op);

static void
run(struct ledger *ledger, enum ledger_step step)
{
	ledger->state = LEDGER_BUSY;
	ledger->step = step;
	ledger->op = (struct io_op){
	    .done = ledger->running ? step_done : NULL, .owner = ledger};
	start(ledger);
}

/* Takes the result of a step; true: it was the last that must follow at once. */
static bool
finish(struct ledger *ledger)
{
	enum err err = ledger->op.err;
	enum ledger_step next;

	ledger->state = LEDGER_READY;
	if (err && !is_harmless(ledger, err)) {
		ledger_failed(ledger, err);
		return true;
	}
	next = advance(ledger, err);
	if (next == LEDGER_NOTHING)
		return true;
	run(ledger, next);
	return false;
}

static void
step_done(struct io_op *op)
{
	struct ledger *ledger = op->owner;

	if (finish(ledger))
		ledger_pump(ledger);
}

void
ledger_pump(struct ledger *ledger)
{
	while (ledger->state == LEDGER_READY) {
		enum ledger_step step = next_step(ledger);
		bool at_once = !ledger->running;

		if (step == LEDGER_NOTHING)
			return;
		run(ledger, step);
		if (!at_once)
			return;
		while (!finish(ledger))
			continue;
	}
}
