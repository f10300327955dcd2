/*
 * The mailbox role: writes messages into Maildirs.  It touches no network.
 *
 * A message is written to tmp/, synced, renamed to new/, and new/ is synced, before the queue is
 * told that it was delivered; so a crash may leave it twice, never in part and never not at all.
 * Lines end with LF in a Maildir, but for a binary message (RFC 3030), which is kept as it came.
 */
#include "proc/mailbox/mailbox.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/id.h"
#include "base/map.h"
#include "base/sim_point.h"
#include "mime/local.h"

enum { PATH_BYTES = IPC_MAILBOX_MAX + 200, KEPT_BYTES_MAX = IPC_BODY_BYTES_MAX + 2048 };

/* The steps of a delivery, in order. */
enum step { STEP_MAKE, STEP_OPEN, STEP_WRITE, STEP_SYNC, STEP_RENAME, STEP_DIR_SYNC, STEP_OVER };

struct mailbox {
	struct proc_env *env;
	struct io_dir *dir;
	struct map drops; /* by attempt */
	struct map known; /* Maildirs that are there: their names */
	struct ipc_channel *queue;
	bool stopping;
};

/* One delivery. */
struct drop {
	struct mailbox *mailbox;
	uint64_t attempt, id, body_bytes, got;
	char name[IPC_MAILBOX_MAX + 1]; /* of the Maildir */
	char file_name[150];
	char path[PATH_BYTES], new_path[PATH_BYTES];
	enum step step;
	unsigned made; /* of STEP_MAKE: directories made so far */
	struct io_op op;
	bool busy;
	bool dropped; /* the queue is gone */
	bool unreadable; /* the queue cannot read the rest */
	bool binary; /* its octets are kept as they are */
	struct io_file *file;
	uint64_t offset;
	struct buf kept; /* to be written */
	struct buf writing;
	struct span span;
};

static void step_done(struct io_op *op);

static void
free_drop(struct drop *drop)
{
	if (drop->file)
		io_file_close(drop->file);
	map_remove_u64(&drop->mailbox->drops, drop->attempt);
	buf_fini(&drop->kept);
	buf_fini(&drop->writing);
	mem_free(drop);
}

static void
finish(struct drop *drop, enum ipc_outcome outcome, const char *status, const char *text)
{
	struct mailbox *mailbox = drop->mailbox;
	const struct ipc_mq_result result = {
	    .attempt = drop->attempt,
	    .outcome = (uint8_t)outcome,
	    .status = span_str(status),
	    .text = span_str(text),
	};

	if (mailbox->queue && !drop->dropped)
		ipc_mq_result_send(mailbox->queue, &result);
	free_drop(drop);
}

static void
fail(struct drop *drop, enum err err)
{
	static const char *const steps[] = {"make the Maildir", "open a file in tmp/", "write",
	    "sync the file", "rename to new/", "sync new/", ""};
	struct event event;
	char text[200];
	struct io_op now = {0};

	if (drop->step == STEP_DIR_SYNC)
		SIM_MARK("mailbox.folder_not_synced");
	if (err == ERR_NO_SPACE)
		SIM_MARK("mailbox.no_space");
	event_begin(&event, &drop->mailbox->env->log, "maildir_failed");
	event_id(&event, drop->id);
	event_str(&event, "mailbox", drop->name);
	event_str(&event, "step", steps[drop->step]);
	event_err(&event, err);
	event_end(&event);
	if (drop->step >= STEP_WRITE && drop->step <= STEP_RENAME)
		io_unlink(drop->mailbox->dir, &now, drop->path);
	snprintf(text, sizeof(text), "cannot deliver to the Maildir: cannot %s: %s",
	    steps[drop->step], err_text(err));
	finish(drop, IPC_DEFERRED, err == ERR_NO_SPACE ? "4.3.1" : "4.2.0", text);
}

static void
make_next(struct drop *drop)
{
	static const char *const parts[] = {"", "/tmp", "/new", "/cur"};

	if (drop->made < LEN(parts)) {
		snprintf(drop->path, sizeof(drop->path), "%s%s", drop->name, parts[drop->made]);
		io_mkdir(drop->mailbox->dir, &drop->op, drop->path);
	} else if (drop->made == LEN(parts)) {
		io_dir_sync(drop->mailbox->dir, &drop->op, drop->name);
	} else {
		io_dir_sync(drop->mailbox->dir, &drop->op, NULL);
	}
}

static void
write_kept(struct drop *drop)
{
	struct buf swap = drop->writing;

	/* What arrives while this is written is kept apart. */
	drop->writing = drop->kept;
	drop->kept = swap;
	buf_reset(&drop->kept);
	drop->span = buf_span(&drop->writing);
	io_pwrite(drop->file, &drop->op, &drop->span, 1, drop->offset);
	drop->offset += drop->span.len;
}

static void
ask_more(struct drop *drop)
{
	const struct ipc_mq_more more = {.attempt = drop->attempt, .offset = drop->got};

	if (drop->mailbox->queue)
		ipc_mq_more_send(drop->mailbox->queue, &more);
}

/* Starts the step that the delivery is at, if it can be started. */
static void
go_on(struct drop *drop)
{
	struct io_dir *dir = drop->mailbox->dir;

	if (drop->busy)
		return;
	if (drop->step == STEP_WRITE && drop->kept.len == 0) {
		if (drop->got < drop->body_bytes) {
			ask_more(drop);
			return;
		}
		drop->step = STEP_SYNC;
	}
	drop->busy = true;
	drop->op = (struct io_op){.done = step_done, .owner = drop};
	switch (drop->step) {
	case STEP_MAKE:
		make_next(drop);
		return;
	case STEP_OPEN:
		snprintf(drop->path, sizeof(drop->path), "%s/tmp/%s", drop->name,
		    drop->file_name);
		io_open(dir, &drop->op, drop->path,
		    IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
		return;
	case STEP_WRITE:
		write_kept(drop);
		return;
	case STEP_SYNC:
		if (SIM_BUG(MAILDIR_NOT_SYNCED)) {
			step_done(&drop->op);
			return;
		}
		io_sync(drop->file, &drop->op);
		return;
	case STEP_RENAME:
		snprintf(drop->new_path, sizeof(drop->new_path), "%s/new/%s", drop->name,
		    drop->file_name);
		io_rename(dir, &drop->op, drop->path, drop->new_path);
		return;
	case STEP_DIR_SYNC:
		if (SIM_BUG(MAILDIR_NO_DIRECTORY_SYNC)) {
			step_done(&drop->op);
			return;
		}
		snprintf(drop->path, sizeof(drop->path), "%s/new", drop->name);
		io_dir_sync(dir, &drop->op, drop->path);
		return;
	case STEP_OVER:
		check(false);
	}
}

static void
remember(struct mailbox *mailbox, const char *name)
{
	char *copy;

	if (map_get(&mailbox->known, span_str(name)))
		return;
	copy = mem_copy(span_str(name));
	map_set(&mailbox->known, span_str(copy), copy);
}

/* A step of STEP_MAKE is done: directories may be there already. */
static enum err
made_one(struct drop *drop, enum err err)
{
	enum { PARTS = 4, SYNCS = 2 };

	if (err && err != ERR_EXISTS)
		return err;
	if (++drop->made == PARTS + SYNCS) {
		remember(drop->mailbox, drop->name);
		drop->step = STEP_OPEN;
	}
	return OK;
}

static void
step_done(struct io_op *op)
{
	struct drop *drop = op->owner;
	enum err err = op->err;

	drop->busy = false;
	if (drop->step == STEP_OPEN && !err)
		drop->file = op->file;
	if (drop->dropped) {
		SIM_MARK("mailbox.queue_gone");
		fail(drop, ERR_CLOSED);
		return;
	}
	if (drop->unreadable) {
		fail(drop, ERR_CORRUPT);
		return;
	}
	if (drop->step == STEP_OPEN && err == ERR_NOT_FOUND && drop->made == 0) {
		/* Somebody removed a Maildir that was there. */
		drop->step = STEP_MAKE;
		err = OK;
	} else if (drop->step == STEP_MAKE)
		err = made_one(drop, err);
	else if (!err && drop->step != STEP_WRITE)
		drop->step++;
	if (err)
		fail(drop, err);
	else if (drop->step == STEP_OVER)
		finish(drop, IPC_DELIVERED, "2.0.0", "");
	else
		go_on(drop);
}

/* A name that stays within the directory, whatever the tables hold. */
static bool
is_safe_name(struct span name)
{
	return name.len > 0 && name.len <= IPC_MAILBOX_MAX && name.ptr[0] != '.' &&
	    span_find(name, '/') == name.len && span_find(name, '\0') == name.len;
}

/* Unique: no id is given twice, and an attempt has its number. */
static void
write_file_name(struct drop *drop)
{
	struct mailbox *mailbox = drop->mailbox;
	char id[ID_TEXT_MAX];
	struct span id_span = id_text(id, drop->id);
	struct span host = span_first(mailbox->env->conf->hostname, 60);

	snprintf(drop->file_name, sizeof(drop->file_name), "%llu.P%.*sA%llu.%.*s",
	    (unsigned long long)(io_wall_ms(mailbox->env->io) / 1000), SPAN_ARGS(id_span),
	    (unsigned long long)drop->attempt, SPAN_ARGS(host));
}

static enum err
take_deliver(struct mailbox *mailbox, const struct ipc_qm_deliver *deliver)
{
	struct drop *drop;

	if (map_get_u64(&mailbox->drops, deliver->attempt))
		return ERR_SYNTAX;
	drop = mem_alloc(sizeof(*drop));
	drop->mailbox = mailbox;
	drop->attempt = deliver->attempt;
	drop->id = deliver->id;
	drop->body_bytes = deliver->body_bytes;
	drop->binary = deliver->flags & IPC_MESSAGE_BINARY;
	buf_init(&drop->kept, KEPT_BYTES_MAX);
	buf_init(&drop->writing, KEPT_BYTES_MAX);
	map_set_u64(&mailbox->drops, drop->attempt, drop);
	if (!is_safe_name(deliver->mailbox)) {
		finish(drop, IPC_FAILED, "5.3.5", "the mailbox has a name that cannot be used");
		return OK;
	}
	memcpy(drop->name, deliver->mailbox.ptr, deliver->mailbox.len);
	write_file_name(drop);
	local_write_fields(
	    &drop->kept, deliver->reverse_path, deliver->address, drop->binary);
	drop->step = map_get(&mailbox->known, deliver->mailbox) ? STEP_OPEN : STEP_MAKE;
	return OK;
}

static enum err
take_body(struct mailbox *mailbox, const struct ipc_qm_body *body)
{
	struct drop *drop = map_get_u64(&mailbox->drops, body->attempt);

	if (!drop)
		return OK;
	if (body->error) {
		SIM_MARK("mailbox.body_unreadable");
		drop->unreadable = true;
		if (!drop->busy)
			fail(drop, ERR_CORRUPT);
		return OK;
	}
	if (body->offset != drop->got || body->bytes.len > drop->body_bytes - drop->got)
		return ERR_SYNTAX;
	local_write_body(&drop->kept, body->bytes, drop->binary);
	if (buf_finish(&drop->kept))
		return ERR_TOO_LONG;
	drop->got += body->bytes.len;
	go_on(drop);
	return OK;
}

static enum err
receive(void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct mailbox *mailbox = owner;
	struct ipc_qm_deliver deliver;
	struct ipc_qm_body body;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	switch (type) {
	case IPC_qm_DELIVER:
		return ipc_qm_deliver_decode(payload, &deliver)
		    ? ERR_SYNTAX
		    : take_deliver(mailbox, &deliver);
	case IPC_qm_BODY:
		return ipc_qm_body_decode(payload, &body) ? ERR_SYNTAX
		                                          : take_body(mailbox, &body);
	default:
		return ERR_SYNTAX;
	}
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct mailbox *mailbox = owner;
	struct drop *drop;
	size_t at = 0;

	if (err != ERR_CLOSED)
		proc_bad_peer(mailbox->env, PROC_QUEUE, 0, err);
	ipc_channel_destroy(channel);
	mailbox->queue = NULL;
	/* The queue that comes next counts them as lost, and gives them again. */
	while ((drop = map_next(&mailbox->drops, &at)) != NULL) {
		drop->dropped = true;
		if (!drop->busy)
			free_drop(drop);
	}
}

static void *
mailbox_create(struct proc_env *env)
{
	struct mailbox *mailbox = mem_alloc(sizeof(*mailbox));
	const char *path = env->conf->maildir_path.ptr;
	struct event event;
	uint64_t seed[2];
	enum err err;

	mailbox->env = env;
	io_random(env->io, seed, sizeof(seed));
	map_init(&mailbox->drops, seed);
	map_init(&mailbox->known, seed);
	if (env->conf->maildir_path.len == 0)
		return mailbox;
	err = proc_make_dir(path, proc_user(PROC_MAILBOX, 0, env->conf));
	if (!err)
		err = io_dir_open(env->io, path, &mailbox->dir);
	if (!err)
		return mailbox;
	event_begin(&event, &env->log, "maildir_not_opened");
	event_str(&event, "path", path);
	event_err(&event, err);
	event_end(&event);
	return NULL;
}

static void
mailbox_link(void *role, enum proc peer, unsigned instance, enum proc_link_kind kind,
    struct io_stream *stream)
{
	struct mailbox *mailbox = role;
	const struct ipc_handlers handlers = {mailbox, receive, closed};

	(void)peer;
	(void)instance;
	(void)kind;
	if (!mailbox->dir) {
		/* Without a place for mailboxes no table may name any; conf_parse sees to it. */
		io_close(stream);
		return;
	}
	if (mailbox->queue)
		closed(mailbox, mailbox->queue, ERR_CLOSED);
	mailbox->queue = ipc_channel_create(stream, &handlers);
}

static void
mailbox_stop(void *role)
{
	struct mailbox *mailbox = role;

	/* What is under way stays in the queue; a part in tmp/ is nobody's message. */
	proc_stopped(mailbox->env);
}

const struct proc_role mailbox_role = {
    .create = mailbox_create,
    .link = mailbox_link,
    .stop = mailbox_stop,
};
