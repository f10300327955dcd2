/* The small files beside the spool's: their names, and what is said where the disk fails them. */
#include "proc/queue/queue_internal.h"

#include "proc/proc_file.h"
#include "proc/queue/backoffs_file.h"
#include "proc/queue/suspensions.h"

static const struct {
	const char *name, *name_new;
	const char *not_kept, *damaged; /* for people */
} files[KEPT_COUNT] = {
    [KEPT_BACKOFFS] = {BACKOFFS_NAME, BACKOFFS_NAME ".new",
        "a restart forgets who asked for less mail",
        "who asked for less mail before is not known; the next reply tells"},
    [KEPT_SOURCES] = {"sources", "sources.new",
        "what new addresses have sent today may be forgotten by a restart",
        "what new addresses have sent today is not known; they may send a share more"},
    [KEPT_SUPPRESSIONS] = {"suppressions", "suppressions.new",
        "addresses that were suppressed or released may not be so after a restart",
        "no address is suppressed any more"},
    [KEPT_SUSPENSIONS] = {SUSPENSIONS_NAME, SUSPENSIONS_NAME ".new",
        "what was suspended or resumed may not be so after a restart",
        "no destination is suspended any more"},
};

static void
say(const struct queue *queue, const char *name, enum err err, const char *text)
{
	struct event event;

	event_begin(&event, &queue->env->log, name);
	event_err(&event, err);
	event_str(&event, "text", text);
	event_end(&event);
}

enum err
kept_read(const struct queue *queue, enum kept which, struct buf *out)
{
	return proc_file_read(queue->dir, files[which].name, out);
}

void
kept_loaded(const struct queue *queue, enum kept which, enum err err)
{
	static const char *const names[KEPT_COUNT] = {
	    [KEPT_BACKOFFS] = "backoffs_damaged",
	    [KEPT_SOURCES] = "sources_damaged",
	    [KEPT_SUPPRESSIONS] = "suppressions_damaged",
	    [KEPT_SUSPENSIONS] = "suspensions_damaged",
	};

	if (err && err != ERR_NOT_FOUND)
		say(queue, names[which], err, files[which].damaged);
}

static enum err
written(struct queue *queue, enum kept which, enum err err)
{
	static const char *const names[KEPT_COUNT] = {
	    [KEPT_BACKOFFS] = "backoffs_not_kept",
	    [KEPT_SOURCES] = "sources_not_kept",
	    [KEPT_SUPPRESSIONS] = "suppressions_not_kept",
	    [KEPT_SUSPENSIONS] = "suspensions_not_kept",
	};

	if (err && !queue->kept_failing[which])
		say(queue, names[which], err, files[which].not_kept);
	queue->kept_failing[which] = err != OK;
	return err;
}

enum err
kept_replace(struct queue *queue, enum kept which, struct span bytes)
{
	return written(queue, which,
	    proc_file_replace(queue->dir, files[which].name, files[which].name_new, bytes));
}

enum err
kept_append(struct queue *queue, enum kept which, struct span bytes)
{
	struct io_op op = {0};
	struct io_file *file;

	io_open(queue->dir, &op, files[which].name, IO_OPEN_READ | IO_OPEN_WRITE);
	if (op.err)
		return written(queue, which, op.err);
	file = op.file;
	io_pwrite(file, &op, &bytes, 1, io_file_bytes(file));
	if (!op.err)
		io_sync(file, &op);
	io_file_close(file);
	return written(queue, which, op.err);
}
