/*
 * "postrider audit": accepted = ended + waiting, or the ids that don't fit.
 *
 * The ledger says what was accepted and what ended; what waits is said by another witness: the
 * memory of the server that runs, or the spool of one that doesn't.  While a server works, a
 * recipient may end between two looks: so the ledger is read before and after the other witness
 * is heard, and a message counts as missing only if it had no end before, did not wait, and has
 * no end after.
 */
#include "cli/cli_audit.h"

#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/id.h"
#include "cli/cli.h"
#include "cli/cli_ledger_internal.h"
#include "cli/cli_time.h"
#include "ledger/ledger_audit.h"
#include "proc/queue/ledger_record.h"
#include "proc/queue/mark.h"
#include "spool/spool_verify.h"

static const char usage[] =
    "usage: postrider audit [--since TIME] [--json]\n"
    "\n"
    "Holds the ledger against the queue: every recipient that was accepted was delivered,\n"
    "relayed, bounced, expired, discarded or deleted, or waits; or it names the messages\n"
    "of which that is not true.  The server may run, and mail may come and go.\n"
    "\n"
    "  --since TIME    only what was accepted since then: 09:07, 2026-11-26 09:07,\n"
    "                  yesterday, 2h (UTC); else all that the ledger has\n"
    "  --config FILE   the server's configuration, which names the spool\n"
    "                  ($POSTRIDER_CONFIG, else /etc/postrider/postrider.conf)\n"
    "  --json          one JSON document, for programs\n"
    "\n"
    "Exit codes: 0 it balances, 1 it does not, 69 the server cannot be asked, 75 try again,\n"
    "77 not allowed to read it, 78 or 66 the configuration, 64 wrong use.\n";

enum {
	EX_UNBALANCED = 1,
	AGAIN_MAX = 20,          /* looks at ends that may be on their way ... */
	AGAIN_WAIT_NS = 100000000, /* ... one every 100 ms */
	NAMED_MAX = 100,         /* faults of a kind that are named to people */
};

struct work {
	struct cli_ledger *ledger;
	struct ledger_reader *reader;
	struct ledger_audit *audit;
	struct ledger_recorder recorder;
	uint64_t since_ms, last_id, page;
	bool whole_known;
	struct spool_verify *verify;
	uint64_t arrival_ms; /* of the message that is read from the spool */
	uint32_t rcpt_count, marks_ended;
};

static const struct {
	const char *name, *text;
} faults[LEDGER_FAULT_COUNT] = {
    [LEDGER_MISSING] = {"missing", "accepted, without an end, and not in the queue"},
    [LEDGER_STRANGER] = {"unknown", "in the queue or ended, and never accepted"},
    [LEDGER_TWICE] = {"twice", "ended twice, or accepted twice"},
    [LEDGER_UNDEAD] = {"again", "ended, and in the queue all the same"},
};

static int
read_ledger(struct work *work)
{
	struct ledger_entry entry;
	const struct ledger_seen *seen = ledger_reader_seen(work->reader);
	enum err err;

	while ((err = ledger_reader_next(work->reader, &entry)) == OK) {
		if (!work->whole_known && seen->from_the_start)
			ledger_audit_whole(work->audit);
		work->whole_known = true;
		ledger_audit_entry(work->audit, &entry);
	}
	if (err == ERR_END)
		return EX_OK;
	if (err != ERR_AGAIN)
		return cli_ledger_say(work->ledger, err);
	fprintf(stderr,
	    "postrider: the ledger was written again while it was read, after a failure; try "
	    "again\n");
	return EX_TEMPFAIL;
}

static void
take_waiting(void *owner, json_t *answer)
{
	struct work *work = owner;
	json_t *list = json_object_get(answer, "waiting");

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *one = json_array_get(list, i);

		work->last_id = (uint64_t)json_integer_value(json_array_get(one, 0));
		work->page++;
		ledger_audit_waiting(work->audit, work->last_id,
		    (uint64_t)json_integer_value(json_array_get(one, 1)),
		    (uint32_t)json_integer_value(json_array_get(one, 2)));
	}
}

/*
 * Lists what waits, in pages.  *lost: the last message of a page left before the next was asked
 * for.
 */
static int
list_waiting(struct work *work, bool *lost)
{
	int status;

	*lost = false;
	work->last_id = 0;
	do {
		json_t *request = json_pack("{s:s}", "do", "waiting"), *done = NULL;

		if (work->last_id)
			json_object_set_new(
			    request, "after", cli_ledger_json_id(work->last_id));
		work->page = 0;
		status =
		    cli_ledger_ask(work->ledger, request, take_waiting, work, &done);
		*lost = json_is_true(json_object_get(done, "lost"));
		json_decref(done);
	} while (status == EX_OK && !*lost && work->page > 0);
	return status;
}

static int
ask_server(struct work *work)
{
	const struct timespec moment = {.tv_nsec = AGAIN_WAIT_NS};
	bool lost = true;
	int status = EX_OK;

	for (int i = 0; i < AGAIN_MAX && status == EX_OK && lost; i++) {
		status = cli_ledger_flush(work->ledger);
		if (status == EX_OK)
			status = read_ledger(work);
		if (status != EX_OK)
			return status;
		ledger_audit_waiting_begin(work->audit);
		status = list_waiting(work, &lost);
	}
	if (status == EX_OK && lost) {
		fprintf(stderr,
		    "postrider: the queue changes faster than it can be listed; try again\n");
		return EX_TEMPFAIL;
	}
	for (int i = 0; i < AGAIN_MAX && status == EX_OK; i++) {
		status = cli_ledger_flush(work->ledger);
		if (status == EX_OK)
			status = read_ledger(work);
		if (status == EX_OK && ledger_audit_suspects(work->audit) == 0)
			break;
		nanosleep(&moment, NULL);
	}
	return status;
}

static void
add_entry(void *owner, const struct ledger_entry *entry)
{
	ledger_audit_entry(((struct work *)owner)->audit, entry);
}

/* What the spool has and the ledger had no time for: its server was killed. */
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
	    .io = work->ledger->io, .owner = work, .add = take_envelope};
	struct buf envelope;

	buf_init(&envelope, SPOOL_ENVELOPE_BYTES_MAX);
	work->marks_ended = work->rcpt_count = 0;
	work->arrival_ms = UINT64_MAX;
	if (spool_verify_message(work->verify, message->id, &envelope, count_ends, work) == OK)
		ledger_record(&recorder, STORE_PUT, message->id, buf_span(&envelope), 0, 0);
	ledger_audit_waiting(work->audit, message->id, work->arrival_ms,
	    work->rcpt_count > work->marks_ended ? work->rcpt_count - work->marks_ended : 0);
	mem_free(recorder.rcpts);
	buf_fini(&envelope);
}

static int
ask_spool(struct work *work)
{
	const struct spool_verify_options options = {.owner = work, .record = take_record};
	int status = read_ledger(work);
	enum err err;

	if (status != EX_OK)
		return status;
	err = spool_verify_open(work->ledger->io, work->ledger->dir, &options, &work->verify);
	if (!err)
		err = spool_verify_pass(work->verify);
	if (err && err != ERR_AGAIN) {
		fprintf(stderr, "postrider: cannot read the spool in %s: %s\n",
		    work->ledger->spool_path, err_text(err));
		spool_verify_close(work->verify);
		return err == ERR_DENIED ? EX_NOPERM : EX_NOINPUT;
	}
	ledger_audit_waiting_begin(work->audit);
	spool_verify_each(work->verify, take_live, work);
	spool_verify_close(work->verify);
	return EX_OK;
}

static void
row(const char *name, uint64_t count, const char *text)
{
	if (count > 0)
		printf("  %-10s %10llu%s\n", name, (unsigned long long)count, text);
}

static void
print_since(const struct work *work, const struct ledger_seen *seen)
{
	uint64_t begin_ms = work->since_ms > seen->begin_ms ? work->since_ms : seen->begin_ms;
	struct buf text;

	buf_init(&text, 128);
	if (seen->files == 0) {
		buf_add_str(&text, "There is no ledger yet.");
	} else {
		buf_add_str(&text, "Accepted since ");
		cli_time_write(&text, begin_ms, cli_time_now_ms());
		if (begin_ms == seen->begin_ms)
			buf_add_str(&text, ", where the ledger begins");
	}
	printf("%.*s\n\n", SPAN_ARGS(buf_span(&text)));
	buf_fini(&text);
}

static void
print_faults(const struct work *work, const struct ledger_sums *sums)
{
	for (unsigned kind = 0; kind < LEDGER_FAULT_COUNT; kind++) {
		const struct ledger_fault *fault;
		unsigned named = 0;

		if (sums->faults[kind] == 0)
			continue;
		printf("\n%llu message%s or recipients %s: %s\n",
		    (unsigned long long)sums->faults[kind],
		    sums->faults[kind] == 1 ? "" : "s", faults[kind].name,
		    faults[kind].text);
		for (size_t i = 0; (fault = ledger_audit_fault(work->audit, i)); i++) {
			char id[ID_TEXT_MAX];

			if (fault->kind == kind && named++ < NAMED_MAX)
				printf("  %.*s\n", SPAN_ARGS(id_text(id, fault->id)));
		}
		if (named > NAMED_MAX)
			printf("  and %u more; --json names them\n", named - NAMED_MAX);
	}
}

static void
print_text(const struct work *work, const struct ledger_sums *sums, uint64_t wrong)
{
	static const char *const ends[LEDGER_END_END] = {[LEDGER_DELIVERED] = "delivered",
	    [LEDGER_RELAYED] = "relayed",
	    [LEDGER_BOUNCED] = "bounced",
	    [LEDGER_EXPIRED] = "expired",
	    [LEDGER_DISCARDED] = "discarded",
	    [LEDGER_DELETED] = "deleted",
	    [LEDGER_UNKNOWN] = "before",
	    [LEDGER_EXPANDED] = "expanded"};
	const struct ledger_seen *seen = ledger_reader_seen(work->reader);

	print_since(work, seen);
	printf("  %-10s %10llu recipients of %llu messages, of which %llu are notifications\n",
	    "accepted", (unsigned long long)sums->rcpts, (unsigned long long)sums->messages,
	    (unsigned long long)sums->bounces);
	for (unsigned i = LEDGER_DELIVERED; i < LEDGER_END_END; i++)
		row(ends[i], sums->ended[i],
		    i == LEDGER_UNKNOWN	       ? " ended before there was a ledger"
			: i == LEDGER_EXPANDED ? " aliases; whom they stand for counts too"
					       : "");
	row("open", sums->open, "");
	row("in doubt", sums->doubts,
	    " of those that ended may have the message twice: a reply to it was lost");
	row("", sums->open_doubts, " of those that are open may have it already");
	if (seen->gaps > 0)
		printf("\nThe ledger is damaged in %llu place%s, first in ledger/%08x.led: what "
		       "stood there is missing below\n",
		    (unsigned long long)seen->gaps, seen->gaps == 1 ? "" : "s",
		    (unsigned)seen->gap_file);
	print_faults(work, sums);
	if (wrong == 0)
		printf("\nIt balances: every recipient has one end, or waits in the %s.\n",
		    work->ledger->running ? "queue" : "spool (no server runs)");
	else
		printf("\nIt does NOT balance. What is known of a message: postrider ledger show "
		       "ID\n");
}

static void
print_json(const struct work *work, const struct ledger_sums *sums, uint64_t wrong)
{
	const struct ledger_seen *seen = ledger_reader_seen(work->reader);
	json_t *all = json_object(), *list[LEDGER_FAULT_COUNT];
	const struct ledger_fault *fault;

	json_object_set_new(all, "balanced", json_boolean(wrong == 0));
	json_object_set_new(all, "running", json_boolean(work->ledger->running));
	json_object_set_new(all, "since",
	    seen->files ? cli_ledger_json_time(work->since_ms > seen->begin_ms
				? work->since_ms
				: seen->begin_ms)
			: json_null());
	json_object_set_new(all, "accepted",
	    json_pack("{s:I,s:I,s:I}", "messages", (json_int_t)sums->messages, "recipients",
		(json_int_t)sums->rcpts, "notifications", (json_int_t)sums->bounces));
	json_object_set_new(all, "ended",
	    json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "delivered",
		(json_int_t)sums->ended[LEDGER_DELIVERED], "relayed",
		(json_int_t)sums->ended[LEDGER_RELAYED], "bounced",
		(json_int_t)sums->ended[LEDGER_BOUNCED], "expired",
		(json_int_t)sums->ended[LEDGER_EXPIRED], "discarded",
		(json_int_t)sums->ended[LEDGER_DISCARDED], "deleted",
		(json_int_t)sums->ended[LEDGER_DELETED], "before_the_ledger",
		(json_int_t)sums->ended[LEDGER_UNKNOWN], "expanded",
		(json_int_t)sums->ended[LEDGER_EXPANDED]));
	json_object_set_new(all, "open", json_integer((json_int_t)sums->open));
	json_object_set_new(all, "in_doubt",
	    json_pack("{s:I,s:I}", "ended", (json_int_t)sums->doubts, "open",
		(json_int_t)sums->open_doubts));
	json_object_set_new(all, "gaps", json_integer((json_int_t)seen->gaps));
	for (unsigned kind = 0; kind < LEDGER_FAULT_COUNT; kind++)
		json_object_set_new(all, faults[kind].name, list[kind] = json_array());
	for (size_t i = 0; (fault = ledger_audit_fault(work->audit, i)); i++)
		json_array_append_new(list[fault->kind], cli_ledger_json_id(fault->id));
	(void)json_dumpf(all, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(all);
}

static int
run(struct work *work, bool json)
{
	const struct ledger_query query = {.since_ms = work->since_ms};
	struct cli_ledger *ledger = work->ledger;
	struct ledger_sums sums;
	uint64_t seed[2], wrong;
	int status = ledger->running ? cli_ledger_connect(ledger) : EX_OK;
	enum err err;

	if (status == EX_OK)
		status = cli_ledger_flush(ledger);
	if (status != EX_OK)
		return status;
	err = ledger_reader_open(ledger->io, ledger->dir, &query, &work->reader);
	if (err)
		return cli_ledger_say(ledger, err);
	io_random(ledger->io, seed, sizeof(seed));
	work->audit = ledger_audit_create(work->since_ms, seed);
	work->recorder = (struct ledger_recorder){
	    .io = ledger->io, .owner = work, .add = add_entry};
	status = ledger->running ? ask_server(work) : ask_spool(work);
	if (status == EX_OK) {
		const struct ledger_seen *seen = ledger_reader_seen(work->reader);

		/* A file is made some seconds after the first message that is in it. */
		wrong = ledger_audit_end(work->audit,
			    seen->from_the_start ? 0 : seen->begin_ms) +
			seen->gaps;
		ledger_audit_sums(work->audit, &sums);
		if (json)
			print_json(work, &sums, wrong);
		else
			print_text(work, &sums, wrong);
		status = wrong ? EX_UNBALANCED : EX_OK;
	}
	mem_free(work->recorder.rcpts);
	ledger_audit_destroy(work->audit);
	ledger_reader_close(work->reader);
	return status;
}

int
cli_audit(int argc, char **argv)
{
	const char *conf_path = NULL, *since = NULL;
	bool help = false, json = false;
	const struct cli_option rows[] = {{"--json", &json, NULL}, {"--help", &help, NULL},
	    {"--config", NULL, &conf_path}, {"--since", NULL, &since}};
	int words = cli_options(argc, argv, rows, LEN(rows), usage);
	struct cli_ledger ledger;
	struct work work = {.ledger = &ledger};
	struct cli_moment moment;
	int status;

	if (words < 0)
		return EX_USAGE;
	if (help) {
		fputs(usage, stdout);
		return EX_OK;
	}
	if (words > 0)
		return cli_wrong_use(usage, "audit takes no \"%s\"; one message is shown by: "
		    "postrider ledger show ID", cli_quote(argv[1]).text);
	if (since) {
		status = cli_ledger_moment(usage, "--since", since, &moment);
		if (status != EX_OK)
			return status;
		work.since_ms = moment.from_ms;
	}
	status = cli_ledger_open(&ledger, conf_path);
	if (status != EX_OK)
		return status;
	status = run(&work, json);
	cli_ledger_close(&ledger);
	return status;
}
