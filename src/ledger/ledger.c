/*
 * Entries become blocks; blocks wait until they are durable.  Nothing here waits for the disk but
 * the start.
 *
 *   given   entries are in the builder   }
 *   sealed  the block is complete        } in memory
 *   written the block is in its file     }
 *   durable file, name and directory are synced: forgotten here, released in the spool
 */
#include "ledger/ledger_internal.h"

#include "base/check.h"
#include "base/sim_point.h"

static void
seal(struct ledger *ledger)
{
	struct ledger_sealed *block;

	if (ledger_builder_count(ledger->builder) == 0 || ledger->state == LEDGER_STOPPED)
		return;
	block = mem_alloc(sizeof(*block));
	block->from = ledger->sealed;
	block->reached = ledger->given;
	block->serial = ++ledger->serial;
	block->anew = ledger->anew;
	ledger->anew = false;
	buf_init(&block->bytes, LEDGER_PAYLOAD_BYTES_MAX + LEDGER_FILTER_BYTES_MAX +
				    LEDGER_HEADER_BYTES + LEDGER_ALIGN);
	ledger_builder_seal(ledger->builder, block->from, block->reached, &block->bytes);
	check(buf_finish(&block->bytes) == OK);
	ledger_builder_reset(ledger->builder);
	ledger->sealed = block->reached;
	ledger->waiting_bytes += block->bytes.len;
	list_push(&ledger->blocks, &block->node);
}

static void
free_block(struct ledger *ledger, struct ledger_sealed *block)
{
	list_remove(&block->node);
	ledger->waiting_bytes -= block->bytes.len;
	buf_fini(&block->bytes);
	mem_free(block);
}

/* Flushes that are done, or that can't be. */
static void
end_flushes(struct ledger *ledger, enum err err)
{
	struct ledger_op *op = ledger->flushes, *next;

	ledger->flushes = NULL;
	for (; op; op = next) {
		next = op->next;
		if (!err && op->position > ledger->durable_serial) {
			op->next = ledger->flushes;
			ledger->flushes = op;
			continue;
		}
		op->err = err;
		op->done(op);
	}
}

/* It would take too much memory: the spool keeps what is not durable here. */
static void
stop_until_restart(struct ledger *ledger, enum err err)
{
	ledger->state = LEDGER_STOPPED;
	io_timer_stop(ledger->io, &ledger->retry);
	list_for_each_safe (node, &ledger->blocks) {
		free_block(ledger, container_of(node, struct ledger_sealed, node));
	}
	ledger_builder_reset(ledger->builder);
	if (ledger->options.failed)
		ledger->options.failed(ledger->options.owner, err, true);
}

/*
 * After a failed write or sync nothing is known of what the file holds behind what was durable.  It
 * is left; all blocks that are not durable are written again to another, whose head says
 * from where on it counts.
 */
void
ledger_failed(struct ledger *ledger, enum err err)
{
	SIM_MARK("ledger.failed");
	io_file_close(ledger->file);
	ledger->file = NULL;
	ledger->unsynced_bytes = 0;
	list_for_each (node, &ledger->blocks) {
		container_of(node, struct ledger_sealed, node)->written = false;
	}
	if (!ledger->failing && ledger->options.failed)
		ledger->options.failed(ledger->options.owner, err, false);
	ledger->failing = true;
	ledger->state = LEDGER_PAUSED;
	end_flushes(ledger, err);
	if (ledger->waiting_bytes > LEDGER_WAITING_BYTES_MAX)
		stop_until_restart(ledger, err);
	else if (ledger->running)
		io_timer_start(ledger->io, &ledger->retry, ledger->options.retry_ms);
}

void
ledger_made_durable(struct ledger *ledger, uint64_t serial)
{
	list_for_each_safe (node, &ledger->blocks) {
		struct ledger_sealed *block = container_of(node, struct ledger_sealed, node);

		if (block->serial > serial)
			break;
		ledger->unsynced_bytes -= block->bytes.len;
		ledger->durable = block->reached;
		free_block(ledger, block);
	}
	ledger->durable_serial = serial;
	if (ledger->failing)
		SIM_MARK("ledger.works_again");
	if (ledger->failing && ledger->options.works)
		ledger->options.works(ledger->options.owner);
	ledger->failing = false;
	end_flushes(ledger, OK);
	if (!ledger->options.durable)
		return;
	/* Records that say nothing to the ledger need nothing to be durable. */
	if (list_empty(&ledger->blocks) && ledger_builder_count(ledger->builder) == 0)
		ledger->options.durable(ledger->options.owner, ledger->given);
	else
		ledger->options.durable(ledger->options.owner, ledger->durable);
}

static void
idle_over(struct io_timer *timer)
{
	struct ledger *ledger = timer->owner;

	ledger->idle_runs = false;
	ledger_sync(ledger);
}

static void
try_again(struct io_timer *timer)
{
	struct ledger *ledger = timer->owner;

	if (ledger->state == LEDGER_PAUSED)
		ledger->state = LEDGER_READY;
	ledger_pump(ledger);
}

static void
hour_passed(struct io_timer *timer)
{
	struct ledger *ledger = timer->owner;

	ledger->retention_due = true;
	ledger_pump(ledger);
	io_timer_start(ledger->io, &ledger->hourly, LEDGER_HOUR_MS);
}

enum err
ledger_open(struct io *io, struct io_dir *dir, const struct ledger_options *options,
    struct ledger **out)
{
	struct ledger *ledger = mem_alloc(sizeof(*ledger));
	uint64_t seed[2];
	enum err err;

	io_random(io, seed, sizeof(seed));
	ledger->io = io;
	ledger->dir = dir;
	ledger->options = *options;
	ledger->builder = ledger_builder_create(seed);
	list_init(&ledger->blocks);
	ledger->idle = (struct io_timer){.fired = idle_over, .owner = ledger};
	ledger->retry = (struct io_timer){.fired = try_again, .owner = ledger};
	ledger->hourly = (struct io_timer){.fired = hour_passed, .owner = ledger};
	ledger->next_number = 1;
	err = ledger_recover(ledger);
	if (err) {
		ledger_close(ledger);
		return err;
	}
	ledger->given = ledger->sealed = ledger->durable;
	*out = ledger;
	return OK;
}

void
ledger_close(struct ledger *ledger)
{
	if (!ledger)
		return;
	check(!ledger->running || ledger->state != LEDGER_BUSY);
	io_timer_stop(ledger->io, &ledger->idle);
	io_timer_stop(ledger->io, &ledger->retry);
	io_timer_stop(ledger->io, &ledger->hourly);
	list_for_each_safe (node, &ledger->blocks) {
		free_block(ledger, container_of(node, struct ledger_sealed, node));
	}
	io_file_close(ledger->file);
	ledger_builder_destroy(ledger->builder);
	mem_free(ledger->files);
	mem_free(ledger);
}

void
ledger_run(struct ledger *ledger)
{
	ledger->running = true;
	if (ledger->state == LEDGER_PAUSED)
		io_timer_start(ledger->io, &ledger->retry, ledger->options.retry_ms);
	ledger->retention_due = true;
	io_timer_start(ledger->io, &ledger->hourly, LEDGER_HOUR_MS);
	ledger_sync(ledger);
}

void
ledger_limits(struct ledger *ledger, uint64_t keep_ms, uint64_t bytes_max)
{
	ledger->options.keep_ms = keep_ms;
	ledger->options.bytes_max = bytes_max;
	ledger->retention_due = true;
	ledger_pump(ledger);
}

uint64_t
ledger_reached(const struct ledger *ledger)
{
	return ledger->given;
}

void
ledger_begin_anew(struct ledger *ledger)
{
	seal(ledger);
	ledger->given = ledger->sealed = 0;
	ledger->anew = true;
}

void
ledger_add(struct ledger *ledger, const struct ledger_entry *entry)
{
	if (ledger->state == LEDGER_STOPPED)
		return;
	ledger_builder_add(ledger->builder, entry);
	if (!ledger->running || ledger->idle_runs)
		return;
	ledger->idle_runs = true;
	io_timer_start(ledger->io, &ledger->idle, ledger->options.idle_ms);
}

void
ledger_reach(struct ledger *ledger, uint64_t position)
{
	check(position >= ledger->given);
	ledger->given = position;
	if (ledger_builder_bytes(ledger->builder) < LEDGER_BLOCK_BYTES)
		return;
	seal(ledger);
	if (ledger->state == LEDGER_PAUSED && ledger->waiting_bytes > LEDGER_WAITING_BYTES_MAX)
		stop_until_restart(ledger, ERR_LIMIT);
	ledger_pump(ledger);
}

void
ledger_sync(struct ledger *ledger)
{
	seal(ledger);
	ledger->sync_serial = ledger->serial;
	if (ledger->state != LEDGER_STOPPED && ledger->durable_serial == ledger->serial &&
	    ledger->options.durable)
		ledger->options.durable(ledger->options.owner, ledger->given);
	ledger_pump(ledger);
}

void
ledger_flush(struct ledger *ledger, struct ledger_op *op)
{
	seal(ledger);
	op->position = ledger->serial;
	op->next = ledger->flushes;
	ledger->flushes = op;
	if (ledger->state == LEDGER_STOPPED || ledger->state == LEDGER_PAUSED)
		end_flushes(ledger, ERR_BROKEN);
	else if (ledger->durable_serial == ledger->serial)
		end_flushes(ledger, OK);
	else
		ledger_sync(ledger);
}
