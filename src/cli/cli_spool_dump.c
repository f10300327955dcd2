/* "postrider spool dump": one message as its files have it, for people. */
#include <stdio.h>
#include <sysexits.h>

#include "base/check.h"
#include "base/date.h"
#include "base/id.h"
#include "cli/cli_spool_internal.h"
#include "ipc/ipc_list.h"
#include "proc/queue/envelope.h"
#include "proc/queue/mark.h"
#include "replies/reply.h"

enum { TEXT_BYTES_MAX = 4096, TRIES = 5, OLD_DEFERRED = 2, OLD_KINDS_MAX = 4 };

struct dump {
	struct buf text; /* a line's part, made safe for a terminal */
	unsigned marks;
};

/* "key  value", where the value may have come from the network. */
static void
print_row(struct dump *dump, const char *key, struct span value)
{
	buf_reset(&dump->text);
	reply_clean(&dump->text, value);
	printf("  %-10s %.*s\n", key, SPAN_ARGS(buf_span(&dump->text)));
}

static void
print_time(struct dump *dump, const char *before, uint64_t wall_ms)
{
	buf_reset(&dump->text);
	date_write_ms(&dump->text, wall_ms);
	printf("%s%.*s", before, SPAN_ARGS(buf_span(&dump->text)));
}

static void
print_part(struct dump *dump, const char *before, struct span value, const char *after)
{
	if (value.len == 0)
		return;
	buf_reset(&dump->text);
	reply_clean(&dump->text, value);
	printf("%s%.*s%s", before, SPAN_ARGS(buf_span(&dump->text)), after);
}

static void
print_rcpt(struct dump *dump, uint32_t index, const struct envelope_rcpt *rcpt)
{
	printf("  recipient  %u", index);
	print_part(dump, " ", rcpt->address, "");
	if (rcpt->kind == IPC_TARGET_MAILBOX)
		print_part(dump, ", mailbox ", rcpt->mailbox, "");
	if (rcpt->kind == IPC_TARGET_ALIAS)
		printf(", an alias to be told of");
	print_part(dump, ", given as ", rcpt->original, "");
	if (rcpt->notify)
		printf(", notify%s%s%s%s", rcpt->notify & IPC_NOTIFY_NEVER ? " never" : "",
		    rcpt->notify & IPC_NOTIFY_SUCCESS ? " success" : "",
		    rcpt->notify & IPC_NOTIFY_FAILURE ? " failure" : "",
		    rcpt->notify & IPC_NOTIFY_DELAY ? " delay" : "");
	print_part(dump, ", orcpt ", rcpt->orcpt, "");
	printf("\n");
}

static void
print_extras(struct dump *dump, const struct ipc_extras *extras)
{
	if (extras->ret != IPC_RET_UNSAID)
		printf("  returned   %s\n", extras->ret == IPC_RET_FULL ? "whole" : "header");
	if (extras->envid.len > 0)
		print_row(dump, "envid", extras->envid);
	if (extras->hold_until_wall_ms > 0) {
		print_time(dump, "  not before ", extras->hold_until_wall_ms);
		printf("\n");
	}
	if (extras->by != IPC_BY_NONE) {
		print_time(dump, "  by         ", extras->by_wall_ms);
		printf(extras->by == IPC_BY_RETURN ? ", else returned\n" : ", else told\n");
	}
	if (extras->pool.len > 0)
		print_row(dump, "pool", extras->pool);
	if (extras->has_priority)
		printf("  priority   %d\n", extras->priority);
}

/* Takes the bytes over. */
static void
print_envelope(struct dump *dump, struct buf *bytes)
{
	size_t len = bytes->len;
	struct envelope *envelope;

	if (envelope_read(bytes, &envelope)) {
		printf("  envelope   %zu bytes that are not understood\n", len);
		return;
	}
	print_time(dump, "  arrived    ", envelope->arrival_wall_ms);
	printf("\n");
	if (envelope->reverse_path.len)
		print_row(dump, "from", envelope->reverse_path);
	else
		printf("  from       <>\n");
	print_row(dump, "client", envelope->client);
	print_row(dump, "helo", envelope->helo);
	if (envelope->login.len)
		print_row(dump, "login", envelope->login);
	printf("  flags     %s%s%s%s%s%s\n", envelope->flags & IPC_MESSAGE_8BIT ? " 8bit" : "",
	    envelope->flags & IPC_MESSAGE_SMTPUTF8 ? " smtputf8" : "",
	    envelope->flags & IPC_MESSAGE_BINARY ? " binary" : "",
	    envelope->flags & IPC_MESSAGE_REQUIRETLS ? " requiretls" : "",
	    envelope->flags & IPC_MESSAGE_BOUNCE ? " bounce" : "",
	    envelope->flags ? "" : " none");
	print_extras(dump, &envelope->extras);
	for (uint32_t i = 0; i < envelope->rcpt_count; i++)
		print_rcpt(dump, i, &envelope->rcpts[i]);
	envelope_free(envelope);
}

static const char *
mark_name(enum mark_kind kind)
{
	switch (kind) {
	case MARK_ENDED:
		return "ended";
	case MARK_DEFERRED:
		return "deferred";
	case MARK_HELD:
		return "held";
	case MARK_RELEASED:
		return "released";
	case MARK_BEGUN:
		return "try begun";
	case MARK_ASIDE:
		return "set aside";
	case MARK_SUCCEEDED:
		return "delivered, its sender is to be told";
	case MARK_TOLD:
		return "its sender was told that it takes longer";
	case MARK_REROUTED:
		return "sent another way";
	case MARK_KIND_END:
		break;
	}
	return "unknown";
}

static void
print_one_mark(struct dump *dump, const struct mark *mark)
{
	bool of_rcpt = mark->kind == MARK_ENDED || mark->kind == MARK_DEFERRED ||
		       mark->kind == MARK_BEGUN || mark->kind == MARK_SUCCEEDED;

	print_time(dump, "  mark       ", mark->wall_ms);
	if (of_rcpt)
		printf(" recipient %u", mark->index);
	printf(" %s", mark->kind == MARK_ENDED ? end_name(mark->end) : mark_name(mark->kind));
	if (mark->kind == MARK_DEFERRED || mark->kind == MARK_BEGUN)
		printf(", tries %u", mark->tries);
	if (mark->kind == MARK_DEFERRED)
		print_time(dump, ", next at ", mark->next_wall_ms);
	if (mark->in_doubt)
		printf(", in doubt");
	if (mark->code)
		printf(", %u", mark->code);
	print_part(dump, " ", mark->status, "");
	print_part(dump, " ", mark->text, "");
	print_part(dump, " (", mark->remote, ")");
	if (mark->bounce_id) {
		char text[ID_TEXT_MAX];

		printf(", bounce %.*s", SPAN_ARGS(id_text(text, mark->bounce_id)));
	}
	printf("\n");
}

/* Marks of the first format: kinds 1 to 4, as message.c still applies them. */
static void
print_old_mark(struct dump *dump, struct span bytes)
{
	static const char *const names[] = {"ended", "deferred", "held", "released"};
	struct reader reader = reader_init(bytes);
	unsigned kind = reader_u8(&reader);
	uint32_t index, tries;
	uint64_t next_wall_ms, wall_ms;
	unsigned code;
	struct span status, remote;

	check(kind > 0 && kind <= LEN(names));
	if (kind > OLD_DEFERRED) {
		printf("  mark       %s\n", names[kind - 1]);
		return;
	}
	index = reader_u32(&reader);
	if (kind != OLD_DEFERRED) {
		printf("  mark       recipient %u %s\n", index, names[kind - 1]);
		return;
	}
	tries = reader_u32(&reader);
	next_wall_ms = reader_u64(&reader);
	wall_ms = reader_u64(&reader);
	code = reader_u16(&reader);
	status = reader_bytes(&reader, MARK_STATUS_MAX);
	remote = reader_bytes(&reader, MARK_REMOTE_MAX);
	print_time(dump, "  mark       ", wall_ms);
	printf(" recipient %u deferred, tries %u", index, tries);
	print_time(dump, ", next at ", next_wall_ms);
	if (code)
		printf(", %u", code);
	print_part(dump, " ", status, "");
	print_part(dump, " ", reader_bytes(&reader, MARK_TEXT_MAX), "");
	print_part(dump, " (", remote, ")");
	printf("\n");
}

static void
print_mark(void *owner, struct span bytes)
{
	struct dump *dump = owner;
	struct reader reader = reader_init(bytes);
	struct mark mark;

	dump->marks++;
	if (bytes.len && bytes.ptr[0] > 0 && bytes.ptr[0] <= OLD_KINDS_MAX) {
		print_old_mark(dump, bytes);
		return;
	}
	while (reader.rest.len > 0 && mark_read(&reader, &mark))
		print_one_mark(dump, &mark);
	if (reader.failed)
		printf("  mark       %zu bytes that are not understood\n", bytes.len);
}

static void
print_place(const struct spool_verify_message *message)
{
	char text[ID_TEXT_MAX];

	printf("message %.*s\n", SPAN_ARGS(id_text(text, message->id)));
	printf("  lies in    %s at %llu, sequence %llu\n", message->segment,
	    (unsigned long long)message->offset, (unsigned long long)message->sequence);
	printf("  body       %llu bytes, %s%s\n", (unsigned long long)message->body_bytes,
	    message->body_file ? "in " : "in the same record",
	    message->body_file ? message->body : "");
}

static void
ignore_piece(void *owner, struct span bytes)
{
	(void)owner;
	(void)bytes;
}

static void
write_piece(void *owner, struct span bytes)
{
	(void)owner;
	(void)fwrite(bytes.ptr, 1, bytes.len, stdout);
}

static enum err
dump_text(struct spool_verify *verify, const struct spool_verify_message *message)
{
	struct dump dump = {0};
	struct buf envelope;
	enum err err;

	buf_init(&dump.text, TEXT_BYTES_MAX);
	buf_init(&envelope, SPOOL_ENVELOPE_BYTES_MAX);
	err = spool_verify_message(verify, message->id, &envelope, NULL, NULL);
	if (!err) {
		print_place(message);
		print_envelope(&dump, &envelope);
		err = spool_verify_message(
		    verify, message->id, NULL, print_mark, &dump);
	}
	if (!err && dump.marks == 0)
		printf("  mark       none yet\n");
	if (!err && spool_verify_body(verify, message->id, ignore_piece, NULL))
		printf("  body       DAMAGED\n");
	buf_fini(&envelope);
	buf_fini(&dump.text);
	return err;
}

/* In a spool in use a message may move or end while we look. */
static enum err
look_again(struct spool_verify *verify, uint64_t id, struct spool_verify_message *message)
{
	enum err err = cli_spool_follow(verify);

	return err && err != ERR_AGAIN ? err : spool_verify_find(verify, id, message);
}

int
cli_spool_dump(struct cli_spool *spool, uint64_t id)
{
	struct spool_verify *verify = cli_spool_look(spool);
	struct spool_verify_message message;
	char text[ID_TEXT_MAX];
	struct span name = id_text(text, id);
	enum err err;

	if (!verify)
		return CLI_SPOOL_FAILED;
	err = spool_verify_find(verify, id, &message);
	for (int i = 0; !err && i < TRIES; i++) {
		err = spool->body ? spool_verify_body(verify, id, write_piece, NULL)
				  : dump_text(verify, &message);
		/* Nothing was written yet only where the record itself could not be read. */
		if (!err || !spool->running || spool->body)
			break;
		err = look_again(verify, id, &message);
	}
	spool_verify_close(verify);
	if (!err)
		return EX_OK;
	if (err == ERR_NOT_FOUND) {
		fprintf(stderr,
		    "postrider: there is no message %.*s in the spool %s\n"
		    "It ended, or was never here; the server's log says which\n",
		    SPAN_ARGS(name), spool->path);
		return EX_DATAERR;
	}
	fprintf(stderr, "postrider: message %.*s: %s\n", SPAN_ARGS(name), err_text(err));
	return err == ERR_CORRUPT ? CLI_SPOOL_DAMAGED : CLI_SPOOL_FAILED;
}
