/*
 * The witness reads the servers' logs and hears of the faults, and keeps what may later excuse a
 * second copy or a lost message.  Nothing is excused but by what it noted.
 *
 * The window of a second copy: from the moment at which the message left for the other side
 * (ON_THE_WAY_MS before it was there) to WINDOW_MS after the server's log said "relayed" or
 * "delivered" (within that time the mark of it is durable).  A role that is lost, or a machine
 * that loses power, within it, may mean a second copy; after it, it may not, unless the spool had
 * broken or was full and could write no mark.
 */
#include "sim_oracle.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/id.h"

/* Longer than two batches, with a stalled disk. */
enum { WINDOW_MS = 30000, NOTES_MAX = 1 << 20 };
/* A message may have been on its way for so long, past partitions, when its sender gave up. */
enum { ON_THE_WAY_MS = 1200000 };

enum note_kind {
	NOTE_ACCEPTED,     /* to: the first recipient; original: the sender */
	NOTE_IN_DOUBT,
	NOTE_DONE,         /* delivered, relayed */
	NOTE_FAILED,       /* bounced, expired */
	NOTE_DROPPED,      /* of the message itself, or of its bounce */
	NOTE_BOUNCE,       /* id is the notification, other the message */
	NOTE_DELETED,
	NOTE_DAMAGED,
	NOTE_DAMAGED_SOMEWHERE,
	NOTE_SEGMENT_LOST,
	NOTE_ROT,
	NOTE_READ_ERROR,
	NOTE_BLIND_START, /* a read failed while the queue started */
	NOTE_CRASH,
	NOTE_NO_MARKS,     /* the spool cannot write for the moment */
	NOTE_MAILDIR_DOUBT,
	NOTE_DISCARDED,
	NOTE_UNKNOWN,      /* another server knows nobody of that name; original: the sender */
	NOTE_KEPT_DELETED, /* so an operator was answered */
	NOTE_KEPT_HELD,
	NOTE_RELEASES,     /* an operator asks for it; id 0: all */
};

struct note {
	enum note_kind kind;
	struct sim_server *server;
	uint64_t id, other, at_ms;
	enum proc proc;
	char to[LETTER_ADDRESS_BYTES], original[LETTER_ADDRESS_BYTES];
	char mailbox[64];
};

struct witness {
	struct oracle *oracle;
	struct note *notes;
	size_t count, room;
};

static struct note *
note_add(struct witness *witness, enum note_kind kind, struct sim_server *server)
{
	struct note *note;

	if (witness->count == NOTES_MAX)
		sim_fail(oracle_sim(witness->oracle), "the witness has too much to note");
	if (witness->count == witness->room) {
		witness->room = witness->room ? 2 * witness->room : 256;
		witness->notes =
		    mem_realloc(witness->notes, witness->room * sizeof(*witness->notes));
	}
	note = &witness->notes[witness->count++];
	*note = (struct note){.kind = kind, .server = server, .proc = PROC_COUNT};
	note->at_ms = sim_now_ms(oracle_sim(witness->oracle));
	return note;
}

/* The value of a field of a logfmt line, without its quotes; "" where it isn't there. */
static struct span
field(struct span line, const char *name)
{
	size_t name_bytes = strlen(name);

	while (line.len > 0) {
		size_t end = 0;
		bool quoted = false;
		struct span part, key;

		while (end < line.len && (quoted || line.ptr[end] != ' ')) {
			if (quoted && line.ptr[end] == '\\')
				end++;
			else if (line.ptr[end] == '"')
				quoted = !quoted;
			end++;
		}
		part = span_first(line, end);
		line = span_skip(line, end + 1);
		key = span_first(part, span_find(part, '='));
		if (key.len != name_bytes || memcmp(key.ptr, name, name_bytes) != 0)
			continue;
		part = span_skip(part, name_bytes + 1);
		if (part.len >= 2 && part.ptr[0] == '"')
			part = span_of(part.ptr + 1, part.len - 2);
		return part;
	}
	return SPAN("");
}

static uint64_t
field_id(struct span line, const char *name)
{
	uint64_t id = 0;

	return id_parse(field(line, name), &id) == OK ? id : 0;
}

static void
copy_field(char *into, size_t room, struct span line, const char *name)
{
	snprintf(into, room, "%.*s", SPAN_ARGS(field(line, name)));
}

static unsigned
count_notes(const struct witness *witness, enum note_kind kind, struct sim_server *server,
    uint64_t id)
{
	unsigned count = 0;

	for (size_t i = 0; i < witness->count; i++)
		if (witness->notes[i].kind == kind && witness->notes[i].server == server &&
		    witness->notes[i].id == id)
			count++;
	return count;
}

static bool
is_bounce(const struct witness *witness, struct sim_server *server, uint64_t id)
{
	for (size_t i = 0; i < witness->count; i++)
		if (witness->notes[i].kind == NOTE_BOUNCE && witness->notes[i].id == id &&
		    witness->notes[i].server == server)
			return true;
	return false;
}

static void
take_bounce(struct witness *witness, struct sim_server *server, struct span line)
{
	struct note *note;
	uint64_t other = field_id(line, "bounce_of");

	if (is_bounce(witness, server, other) || field(line, "to").len == 0)
		sim_fail(oracle_sim(witness->oracle), "property 5: a bounce of a bounce: %.*s",
		    SPAN_ARGS(line));
	note = note_add(witness, NOTE_BOUNCE, server);
	note->id = field_id(line, "id");
	note->other = other;
}

static void
take_drop(struct witness *witness, struct sim_server *server, struct span line)
{
	struct note *note = note_add(witness, NOTE_DROPPED, server);
	struct span text = field(line, "text");
	const struct oracle_letter *letter;

	note->id = field_id(line, "id");
	copy_field(note->to, sizeof(note->to), line, "to");
	oracle_count(witness->oracle)->dropped++;
	letter = oracle_letter(witness->oracle, letter_number_in(span_str(note->to), 'B'));
	if (memmem(text.ptr, text.len, "does not exist", 14) && letter && !letter->bad_sender)
		sim_fail(oracle_sim(witness->oracle),
		    "property 1: a bounce was dropped, though its sender exists: %.*s",
		    SPAN_ARGS(line));
}

static void
take_damage(struct witness *witness, struct sim_server *server, struct span line)
{
	uint64_t id = field_id(line, "id");
	uint64_t offset = 0;
	bool counted = span_u64(field(line, "offset"), UINT64_MAX, &offset);
	struct note *note;

	/* A power cut, or a failed write, tears the end, and is no damage. */
	if (count_notes(witness, NOTE_ROT, server, 0) == 0 &&
	    count_notes(witness, NOTE_READ_ERROR, server, 0) == 0 &&
	    !span_eq(field(line, "event"), SPAN("spool_read_failed")))
		sim_fail(oracle_sim(witness->oracle),
		    "property 1: damage, though nothing rotted: %.*s", SPAN_ARGS(line));
	if (id)
		note = note_add(witness, NOTE_DAMAGED, server);
	else if (counted && offset > 0)
		note = note_add(witness, NOTE_DAMAGED_SOMEWHERE, server);
	else
		note = note_add(witness, NOTE_SEGMENT_LOST, server);
	note->id = id;
	oracle_count(witness->oracle)->damaged++;
}

static void
take_outcome(struct witness *witness, enum note_kind kind, struct sim_server *server,
    struct span line)
{
	struct note *note = note_add(witness, kind, server);

	note->id = field_id(line, "id");
	copy_field(note->to, sizeof(note->to), line, "to");
	copy_field(note->original, sizeof(note->original), line, "original");
	copy_field(note->mailbox, sizeof(note->mailbox), line, "mailbox");
}

static void
take_accepted(struct witness *witness, struct sim_server *server, struct span line)
{
	struct note *note = note_add(witness, NOTE_ACCEPTED, server);

	note->id = field_id(line, "id");
	copy_field(note->to, sizeof(note->to), line, "to");
	copy_field(note->original, sizeof(note->original), line, "from");
}

static struct span
domain_of(const char *address)
{
	struct span all = span_str(address);

	return span_skip(all, span_find_last(all, '@') + 1);
}

static const char *
sender_of(const struct witness *witness, struct sim_server *server, uint64_t id)
{
	for (size_t i = 0; i < witness->count; i++)
		if (witness->notes[i].kind == NOTE_ACCEPTED &&
		    witness->notes[i].server == server && witness->notes[i].id == id)
			return witness->notes[i].original;
	return NULL;
}

bool
witness_may_suppress(struct witness *witness, struct span address, const char *sender)
{
	enum { LATEST_MS = ON_THE_WAY_MS + ORACLE_SUPPRESS_MIN * 60000 };
	uint64_t now_ms = sim_now_ms(oracle_sim(witness->oracle));
	bool clock_is_true = sim_event_count(oracle_sim(witness->oracle), SIM_CLOCK_JUMP) == 0;

	for (size_t i = 0; i < witness->count; i++) {
		const struct note *note = &witness->notes[i];

		if (note->kind == NOTE_UNKNOWN && span_eq(address, span_str(note->to)) &&
		    span_eq(domain_of(note->original), domain_of(sender)) &&
		    (!clock_is_true || note->at_ms + LATEST_MS > now_ms))
			return true;
	}
	return false;
}

/* An address that is not tried any more: a server must have said so, to the sender's domain. */
static void
check_suppressed(struct witness *witness, struct sim_server *server, struct span line)
{
	const char *sender = sender_of(witness, server, field_id(line, "id"));

	if (sender && !witness_may_suppress(witness, field(line, "to"), sender))
		sim_fail(oracle_sim(witness->oracle),
		    "property 15: nobody said that the address does not exist: %.*s",
		    SPAN_ARGS(line));
}

static void
take_failed(struct witness *witness, struct sim_server *server, struct span line)
{
	take_outcome(witness, NOTE_FAILED, server, line);
	if (memmem(line.ptr, line.len, "postrider suppression remove", 28))
		check_suppressed(witness, server, line);
}

/*
 * What an operator was told is so, whatever befell the server since.  On hold, an attempt may still
 * end that was under way; after the loss of the queue nothing is.
 */
static void
check_kept(struct witness *witness, struct sim_server *server, struct span line)
{
	uint64_t id = field_id(line, "id");
	bool deleted = false, held = false, lost = false;

	for (size_t i = 0; i < witness->count; i++) {
		const struct note *note = &witness->notes[i];

		if (note->server != server)
			continue;
		if (note->kind == NOTE_ROT || note->kind == NOTE_READ_ERROR)
			return;
		if (note->kind == NOTE_CRASH)
			lost |= held && (note->proc == PROC_COUNT || note->proc == PROC_QUEUE);
		else if (note->kind == NOTE_RELEASES && (note->id == id || note->id == 0))
			held = lost = false;
		deleted |= note->kind == NOTE_KEPT_DELETED && note->id == id;
		held |= note->kind == NOTE_KEPT_HELD && note->id == id;
	}
	if (deleted || lost)
		sim_fail(oracle_sim(witness->oracle),
		    "property 16: an operator was told that it is %s: %.*s",
		    deleted ? "deleted" : "on hold", SPAN_ARGS(line));
}

static void
take_done(struct witness *witness, struct sim_server *server, struct span line)
{
	take_outcome(witness, NOTE_DONE, server, line);
	check_kept(witness, server, line);
}

void
witness_kept(struct witness *witness, struct sim_server *server, uint64_t id, bool deleted)
{
	note_add(witness, deleted ? NOTE_KEPT_DELETED : NOTE_KEPT_HELD, server)->id = id;
}

void
witness_releases(struct witness *witness, struct sim_server *server, uint64_t id)
{
	note_add(witness, NOTE_RELEASES, server)->id = id;
}

/* The next server is one of ours, and does not know what became of it. */
static bool
says_it_may_arrive_twice(struct span line)
{
	return memmem(line.ptr, line.len, "may then arrive twice", 21) != NULL;
}

static void
take_line(void *owner, struct sim_server *server, struct span line)
{
	struct witness *witness = owner;
	struct span event = field(line, "event");

	if (span_eq(event, SPAN("accepted")))
		take_accepted(witness, server, line);
	else if (span_eq(event, SPAN("delivered")) || span_eq(event, SPAN("relayed")))
		take_done(witness, server, line);
	else if (span_eq(event, SPAN("bounced")) || span_eq(event, SPAN("expired")))
		take_failed(witness, server, line);
	else if (span_eq(event, SPAN("discarded")))
		take_outcome(witness, NOTE_DISCARDED, server, line);
	else if (span_eq(event, SPAN("in_doubt")))
		take_outcome(witness, NOTE_IN_DOUBT, server, line);
	else if (span_eq(event, SPAN("deferred")) && says_it_may_arrive_twice(line))
		take_outcome(witness, NOTE_IN_DOUBT, server, line);
	else if (span_eq(event, SPAN("bounce_queued")))
		take_bounce(witness, server, line);
	else if (span_eq(event, SPAN("bounce_dropped")))
		take_drop(witness, server, line);
	else if (span_eq(event, SPAN("deleted")))
		take_outcome(witness, NOTE_DELETED, server, line);
	else if (span_eq(event, SPAN("spool_damaged")) ||
	    span_eq(event, SPAN("message_damaged")) || span_eq(event, SPAN("mark_damaged")) ||
	    span_eq(event, SPAN("spool_read_failed")))
		take_damage(witness, server, line);
	else if (span_eq(event, SPAN("maildir_failed")) &&
	    span_eq(field(line, "step"), SPAN("sync new/")))
		take_outcome(witness, NOTE_MAILDIR_DOUBT, server, line);
	else if (span_eq(event, SPAN("bad_peer")))
		sim_fail(oracle_sim(witness->oracle), "property 12: a role broke a rule: %.*s",
		    SPAN_ARGS(line));
}

static void
take_event(void *owner, enum sim_event_kind kind, struct sim_server *server, enum proc proc)
{
	struct witness *witness = owner;

	switch ((int)kind) {
	case SIM_POWER_CUT:
	case SIM_SERVER_GAVE_UP:
		note_add(witness, NOTE_CRASH, server);
		break;
	case SIM_ROLE_DIED:
	case SIM_ROLE_ENDED:
		note_add(witness, NOTE_CRASH, server)->proc = proc;
		break;
	case SIM_POWER_ON:
		oracle_audit(witness->oracle, server, false);
		break;
	case SIM_BIT_ROT:
		note_add(witness, NOTE_ROT, server);
		break;
	case SIM_READ_ERROR:
		note_add(witness, NOTE_READ_ERROR, server);
		if (proc == PROC_QUEUE && !sim_server_queue(server))
			note_add(witness, NOTE_BLIND_START, server);
		break;
	case SIM_WRITE_ERROR:
	case SIM_SYNC_ERROR:
	case SIM_NO_SPACE:
		note_add(witness, NOTE_NO_MARKS, server);
		break;
	default:
		break;
	}
}

struct witness *
witness_create(struct oracle *oracle)
{
	struct witness *witness = mem_alloc(sizeof(*witness));

	witness->oracle = oracle;
	sim_on_log(oracle_sim(oracle), take_line, witness);
	sim_on_event(oracle_sim(oracle), take_event, witness);
	return witness;
}

void
witness_destroy(struct witness *witness)
{
	mem_free(witness->notes);
	mem_free(witness);
}

static bool
is_of_key(const struct note *note, const struct oracle_key *key)
{
	if (note->mailbox[0])
		return key->server == note->server && strcmp(note->mailbox, key->name) == 0;
	return strcmp(note->to, key->address) == 0 || strcmp(note->to, key->name) == 0;
}

/* Roles whose loss loses what has not been marked yet. */
static bool
loses_work(enum proc proc)
{
	return proc == PROC_QUEUE || proc == PROC_DELIVERY || proc == PROC_MAILBOX ||
	    proc == PROC_PIPE || proc == PROC_COUNT;
}

/* The log said long before the crash that it is done, and marks could be written meanwhile. */
static bool
was_marked(const struct witness *witness, const struct note *crash, uint64_t id,
    const struct oracle_key *key, uint64_t from_ms)
{
	for (size_t i = 0; i < witness->count; i++) {
		const struct note *done = &witness->notes[i];
		bool could = true;

		if (done->kind != NOTE_DONE || done->server != crash->server || done->id != id ||
		    done->at_ms < from_ms || done->at_ms + WINDOW_MS > crash->at_ms ||
		    !is_of_key(done, key))
			continue;
		for (size_t j = 0; j < witness->count && could; j++)
			if (witness->notes[j].kind == NOTE_NO_MARKS &&
			    witness->notes[j].server == crash->server &&
			    witness->notes[j].at_ms <= crash->at_ms)
				could = false;
		if (could)
			return true;
	}
	return false;
}

/*
 * What became of the recipient was in the log before the doubt, and no process was lost since: the
 * doubt is another one's, of the same message.
 */
static bool
was_known(
    const struct witness *witness, const struct note *doubt, const struct oracle_key *key)
{
	bool known = false;

	for (const struct note *note = witness->notes; note < doubt; note++) {
		if (note->server != doubt->server)
			continue;
		if (note->kind == NOTE_DONE && note->id == doubt->id && is_of_key(note, key))
			known = true;
		else if (note->kind == NOTE_CRASH || note->kind == NOTE_NO_MARKS ||
		    note->kind == NOTE_ROT)
			known = false;
	}
	return known;
}

static const char *
excuse_of(const struct witness *witness, const struct note *note, uint64_t id,
    const struct oracle_key *key, uint64_t from_ms)
{
	switch (note->kind) {
	case NOTE_IN_DOUBT:
		return note->id == id && !was_known(witness, note, key) ? "the reply was lost"
		                                                        : NULL;
	case NOTE_MAILDIR_DOUBT:
		return note->id == id ? "the Maildir could not be synced" : NULL;
	case NOTE_DAMAGED:
		return note->id == id ? "its mark is damaged" : NULL;
	case NOTE_DAMAGED_SOMEWHERE:
	case NOTE_SEGMENT_LOST:
	case NOTE_ROT:
		return "a mark is damaged";
	case NOTE_CRASH:
		if (loses_work(note->proc) && !was_marked(witness, note, id, key, from_ms))
			return "a crash fell in the window";
		return NULL;
	case NOTE_DONE:
	case NOTE_FAILED:
	case NOTE_DROPPED:
	case NOTE_BOUNCE:
	case NOTE_ACCEPTED:
	case NOTE_DELETED:
	case NOTE_READ_ERROR:
	case NOTE_BLIND_START:
	case NOTE_NO_MARKS:
	case NOTE_DISCARDED:
	case NOTE_UNKNOWN:
	case NOTE_KEPT_DELETED:
	case NOTE_KEPT_HELD:
	case NOTE_RELEASES:
		break;
	}
	return NULL;
}

const char *
witness_excuse(struct witness *witness, struct sim_server *server, uint64_t id,
    const struct oracle_key *key, uint64_t from_ms, uint64_t to_ms)
{
	from_ms = from_ms > ON_THE_WAY_MS ? from_ms - ON_THE_WAY_MS : 0;
	for (size_t i = 0; i < witness->count; i++) {
		const struct note *note = &witness->notes[i];
		const char *why;

		/* What rotted was read at a start after it, whenever that was. */
		if (note->server != server || note->at_ms > to_ms ||
		    (note->at_ms < from_ms && note->kind != NOTE_ROT))
			continue;
		why = excuse_of(witness, note, id, key, from_ms);
		if (why)
			return why;
	}
	return NULL;
}

unsigned
witness_excuse_count(struct witness *witness, struct sim_server *server, uint64_t id,
    const struct oracle_key *key)
{
	unsigned count = 0;

	for (size_t i = 0; i < witness->count; i++)
		if (witness->notes[i].server == server &&
		    excuse_of(witness, &witness->notes[i], id, key, 0))
			count++;
	return count;
}

void
witness_unknown(struct witness *witness, struct span address, struct span from)
{
	struct note *note = note_add(witness, NOTE_UNKNOWN, NULL);

	snprintf(note->to, sizeof(note->to), "%.*s", SPAN_ARGS(address));
	snprintf(note->original, sizeof(note->original), "%.*s", SPAN_ARGS(from));
}

bool
witness_was_discarded(struct witness *witness, const struct oracle_key *key,
    struct sim_server *server, uint64_t id)
{
	for (size_t i = 0; i < witness->count; i++)
		if (witness->notes[i].kind == NOTE_DISCARDED &&
		    witness->notes[i].server == server && witness->notes[i].id == id &&
		    is_of_key(&witness->notes[i], key))
			return true;
	return false;
}

bool
witness_was_deleted(struct witness *witness, struct sim_server *server, uint64_t id)
{
	return count_notes(witness, NOTE_DELETED, server, id) > 0;
}

bool
witness_was_deleted_later(struct witness *witness, const struct oracle_letter *letter)
{
	for (size_t i = 0; i < witness->count; i++) {
		const struct note *note = &witness->notes[i];

		if (note->kind == NOTE_ACCEPTED && note->server != letter->first &&
		    (letter_number_in(span_str(note->to), 'T') == letter->letter.number ||
		        letter_number_in(span_str(note->original), 'B') ==
		            letter->letter.number) &&
		    count_notes(witness, NOTE_DELETED, note->server, note->id) > 0)
			return true;
	}
	return false;
}

bool
witness_was_damaged(struct witness *witness, struct sim_server *server, uint64_t id)
{
	return count_notes(witness, NOTE_DAMAGED, server, id) > 0;
}

unsigned
witness_rot_count(struct witness *witness, struct sim_server *server)
{
	return count_notes(witness, NOTE_ROT, server, 0);
}

bool
witness_has_no_marks(struct witness *witness, struct sim_server *server)
{
	return count_notes(witness, NOTE_NO_MARKS, server, 0) > 0;
}

bool
witness_was_hurt(struct witness *witness, struct sim_server *server)
{
	return count_notes(witness, NOTE_ROT, server, 0) > 0 ||
	    count_notes(witness, NOTE_BLIND_START, server, 0) > 0;
}

bool
witness_lost_segment(struct witness *witness, struct sim_server *server)
{
	return count_notes(witness, NOTE_SEGMENT_LOST, server, 0) > 0;
}

/* The message, or the bounce that was made of it, was dropped. */
static bool
is_dropped(const struct witness *witness, struct sim_server *server, uint64_t id)
{
	if (count_notes(witness, NOTE_DROPPED, server, id) > 0)
		return true;
	for (size_t i = 0; i < witness->count; i++) {
		const struct note *note = &witness->notes[i];

		if (note->kind == NOTE_BOUNCE && note->server == server && note->other == id &&
		    count_notes(witness, NOTE_DROPPED, server, note->id) > 0)
			return true;
	}
	return false;
}

/* A bounce of the letter was handed on, and the server that had it next could not deliver it. */
static bool
is_dropped_later(const struct witness *witness, unsigned number)
{
	for (size_t i = 0; i < witness->count; i++) {
		const struct note *note = &witness->notes[i];

		if (note->kind == NOTE_FAILED &&
		    letter_number_in(span_str(note->to), 'B') == number &&
		    count_notes(witness, NOTE_DROPPED, note->server, note->id) > 0)
			return true;
	}
	return false;
}

bool
witness_was_dropped(struct witness *witness, struct oracle_letter *letter,
    const struct oracle_key *key, struct sim_server *server, uint64_t id)
{
	for (size_t i = 0; i < witness->count; i++) {
		const struct note *note = &witness->notes[i];

		if (note->kind != NOTE_FAILED || !is_of_key(note, key))
			continue;
		/* One that was handed on has another id, even where a server met itself. */
		if (note->server == server && note->id != id &&
		    oracle_is_promised(letter, note->id))
			continue;
		if (is_dropped(witness, note->server, note->id) ||
		    is_dropped_later(witness, letter->letter.number))
			return true;
	}
	return false;
}

bool
witness_crash_between(struct witness *witness, struct sim_server *server, uint64_t from_ms,
    uint64_t to_ms)
{
	for (size_t i = 0; i < witness->count; i++)
		if (witness->notes[i].kind == NOTE_CRASH && witness->notes[i].server == server &&
		    witness->notes[i].at_ms >= from_ms && witness->notes[i].at_ms <= to_ms)
			return true;
	return false;
}
