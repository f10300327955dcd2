/*
 * Ledger and spool of a server, held against each other as "postrider audit" does it for one that
 * doesn't run: by the files alone, as they are at this moment.
 */
#include "sim_audit.h"

#include "base/arena.h"
#include "base/id.h"
#include "ledger/ledger_audit.h"
#include "ledger/ledger_read.h"
#include "proc/queue/ledger_record.h"
#include "proc/queue/mark.h"
#include "spool/spool_verify.h"

struct work {
	struct ledger_reader *reader;
	struct ledger_audit *audit;
	struct ledger_recorder recorder;
	struct spool_verify *verify;
	uint64_t live, arrival_ms;
	uint32_t rcpt_count, marks_ended;
};

static void
add_entry(void *owner, const struct ledger_entry *entry)
{
	struct work *work = owner;

	ledger_audit_entry(work->audit, entry);
}

/* What the spool has and the ledger had no time for. */
static void
take_record(void *owner, uint64_t position, enum spool_record_type type, uint64_t id,
    struct span payload, uint64_t body_bytes)
{
	struct work *work = owner;

	if (position > ledger_reader_seen(work->reader)->reached)
		ledger_record(&work->recorder, (enum store_change)type, id, payload, body_bytes,
		    LEDGER_READ_BACK);
}

static void
count_ends(void *owner, struct span marks)
{
	struct work *work = owner;
	struct reader reader = reader_init(marks);
	struct mark mark;

	while (reader.rest.len > 0 && mark_read(&reader, &mark))
		work->marks_ended += mark.kind == MARK_ENDED;
}

/* The envelope of a message that lives, as an entry. */
static void
take_envelope(void *owner, const struct ledger_entry *entry)
{
	struct work *work = owner;

	work->arrival_ms = entry->wall_ms;
	work->rcpt_count = entry->rcpt_count;
}

static void
take_live(void *owner, const struct spool_verify_message *message)
{
	struct work *work = owner;
	struct ledger_recorder recorder = {
	    .io = work->recorder.io, .owner = work, .add = take_envelope};
	struct buf envelope;

	buf_init(&envelope, SPOOL_ENVELOPE_BYTES_MAX);
	work->live++;
	work->marks_ended = work->rcpt_count = 0;
	work->arrival_ms = UINT64_MAX;
	if (spool_verify_message(work->verify, message->id, &envelope, count_ends, work) == OK)
		ledger_record(&recorder, STORE_PUT, message->id, buf_span(&envelope), 0, 0);
	ledger_audit_waiting(work->audit, message->id, work->arrival_ms,
	    work->rcpt_count > work->marks_ended ? work->rcpt_count - work->marks_ended : 0);
	mem_free(recorder.rcpts);
	buf_fini(&envelope);
}

static enum err
read_ledger(struct work *work)
{
	bool first = true;
	struct ledger_entry entry;
	enum err err;

	while ((err = ledger_reader_next(work->reader, &entry)) == OK) {
		if (first && ledger_reader_seen(work->reader)->from_the_start)
			ledger_audit_whole(work->audit);
		first = false;
		ledger_audit_entry(work->audit, &entry);
	}
	return err == ERR_END ? OK : err;
}

static enum err
read_all(struct work *work, struct io_dir *dir)
{
	const struct spool_verify_options options = {.owner = work, .record = take_record};
	const struct ledger_query everything = {0};
	struct io *io = work->recorder.io;
	enum err err = ledger_reader_open(io, dir, &everything, &work->reader);

	if (!err)
		err = read_ledger(work);
	if (!err)
		err = spool_verify_open(io, dir, &options, &work->verify);
	if (!err)
		err = spool_verify_pass(work->verify);
	if (err)
		return err;
	ledger_audit_waiting_begin(work->audit);
	spool_verify_each(work->verify, take_live, work);
	return OK;
}

static void
judge(struct work *work, struct sim *sim, struct sim_server *server)
{
	static const char *const texts[LEDGER_FAULT_COUNT] = {
	    [LEDGER_MISSING] = "has no end, and does not wait",
	    [LEDGER_STRANGER] = "waits or ended, and was never accepted",
	    [LEDGER_TWICE] = "ended twice, or was accepted twice",
	    [LEDGER_UNDEAD] = "ended, and waits all the same",
	};
	uint64_t count =
	    ledger_audit_end(work->audit, ledger_reader_seen(work->reader)->begin_ms);
	const struct ledger_fault *fault = ledger_audit_fault(work->audit, 0);
	char text[ID_TEXT_MAX];

	if (count > 0)
		sim_fail(sim,
		    "property 14: ledger and spool of %s do not agree about %u messages: %.*s %s",
		    sim_server_name(server), (unsigned)count, SPAN_ARGS(id_text(text, fault->id)),
		    texts[fault->kind]);
}

bool
audit_server(struct sim *sim, struct sim_server *server, uint64_t *live)
{
	static const uint64_t seed[2] = {1, 2};
	/* What only looks is not struck, and takes no chance from others. */
	const struct sim_faults were = *sim_faults(sim);
	struct io *io = sim_server_io(server);
	struct work work = {.recorder = {.io = io, .owner = &work, .add = add_entry}};
	struct io_dir *dir = NULL;
	enum err err;

	*sim_faults(sim) = (struct sim_faults){0};
	work.audit = ledger_audit_create(0, seed);
	err = io_dir_open(io, AUDIT_SPOOL, &dir);
	if (!err)
		err = read_all(&work, dir);
	if (!err)
		judge(&work, sim, server);
	*live = work.live;
	spool_verify_close(work.verify);
	ledger_reader_close(work.reader);
	ledger_audit_destroy(work.audit);
	mem_free(work.recorder.rcpts);
	io_dir_close(dir);
	sim_server_io_end(io);
	*sim_faults(sim) = were;
	return err == OK;
}
