/*
 * "postrider spool backup" and "restore".  A backup is a spool's directory with one more
 * file, which is written when all else is durable: without it a backup is none.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/date.h"
#include "cli/cli_spool_internal.h"
#include "ledger/ledger_copy.h"
#include "proc/proc.h"
#include "proc/queue/suspensions.h"
#include "spool/spool_copy.h"

enum {
	PATH_BYTES = 4096,
	SUFFIX_BYTES = 64,
	/* No server starts so often between a backup and its use: no id is given twice. */
	RESTORE_EPOCHS = 1000,
};

static const char stamp_name[] = "postrider-backup";

static void
wait_a_moment(void *owner)
{
	const struct timespec moment = {.tv_nsec = CLI_SPOOL_DOUBT_MS * 1000000L};

	(void)owner;
	nanosleep(&moment, NULL);
}

static int
say_errno(const char *what, const char *path)
{
	fprintf(stderr, "postrider: %s %s: %s\n", what, path, strerror(errno));
	return CLI_SPOOL_FAILED;
}

/* Makes the names in a directory durable. */
static int
sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int status = EX_OK;

	if (fd < 0 || fsync(fd))
		status = say_errno("cannot make durable", path);
	if (fd >= 0)
		close(fd);
	return status;
}

static int
sync_parent(const char *path)
{
	char parent[PATH_BYTES];
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	snprintf(parent, sizeof(parent), "%.*s", len ? (int)len : 1, len ? path : ".");
	return sync_directory(parent);
}

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int
write_stamp(const char *to, const char *from, const struct spool_copy_result *result)
{
	char path[PATH_BYTES];
	struct buf time;
	FILE *file;
	int status = EX_OK;

	snprintf(path, sizeof(path), "%s/%s", to, stamp_name);
	buf_init(&time, 64);
	date_write_ms(&time, now_ms());
	file = fopen(path, "wxe");
	if (!file || fprintf(file, "made %.*s\nof %s\nmessages %llu\nepoch %llu\n",
			 SPAN_ARGS(buf_span(&time)), from,
			 (unsigned long long)result->numbers.messages,
			 (unsigned long long)result->numbers.epoch) < 0 ||
	    fflush(file) || fsync(fileno(file)))
		status = say_errno("cannot write", path);
	if (file)
		fclose(file);
	buf_fini(&time);
	if (status == EX_OK)
		status = sync_directory(to);
	return status == EX_OK ? sync_parent(to) : status;
}

/* A small file beside the spool's, which the server replaces as a whole; there may be none. */
static enum err
copy_beside(struct io_dir *from, struct io_dir *to, const char *name, uint64_t bytes_max)
{
	struct io_op op = {0};
	struct io_file *file;
	struct span span;
	char *bytes;

	io_open(from, &op, name, IO_OPEN_READ);
	if (op.err)
		return op.err == ERR_NOT_FOUND ? OK : op.err;
	file = op.file;
	if (io_file_bytes(file) > bytes_max) {
		io_file_close(file);
		return ERR_TOO_LONG;
	}
	bytes = mem_alloc((size_t)io_file_bytes(file) + 1);
	io_pread(file, &op, bytes, (size_t)io_file_bytes(file), 0);
	io_file_close(file);
	span = span_of(bytes, op.err ? 0 : op.count);
	if (!op.err)
		io_open(to, &op, name, IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
	if (!op.err) {
		file = op.file;
		io_pwrite(file, &op, &span, 1, 0);
		if (!op.err)
			io_sync(file, &op);
		io_file_close(file);
	}
	mem_free(bytes);
	if (!op.err)
		io_dir_sync(to, &op, NULL);
	return op.err;
}

/* Copies into a directory that is made; checks the copy. */
static int
copy(struct cli_spool *from, const char *to, const struct spool_copy_options *options,
    struct spool_copy_result *result)
{
	struct cli_spool made = {0};
	uint64_t ledger_bytes;
	enum err err;
	int status;

	if (mkdir(to, 0700))
		return say_errno("cannot make the directory", to);
	if (!cli_spool_use(&made, to))
		return CLI_SPOOL_FAILED;
	err = spool_copy(from->io, from->dir, made.dir, options, result);
	if (err) {
		fprintf(stderr, "postrider: %s: %s\nWhat is in %s is no backup.\n",
		    result->what ? result->what : "cannot copy", err_text(err), to);
		cli_spool_close(&made);
		return err == ERR_AGAIN ? EX_TEMPFAIL : CLI_SPOOL_FAILED;
	}
	made.running = false;
	/* After the log: until its end the ledger then has all that is not in the log any more. */
	err = ledger_copy(from->dir, made.dir, result->numbers.position, &ledger_bytes);
	result->bytes += ledger_bytes;
	if (err) {
		status = cli_spool_say("cannot copy the ledger to", to, err);
	} else {
		err = copy_beside(from->dir, made.dir, SUSPENSIONS_NAME, SUSPENSIONS_BYTES_MAX);
		status = err ? cli_spool_say("cannot copy what is suspended to", to, err)
		             : cli_spool_check_quietly(&made);
	}
	cli_spool_close(&made);
	return status;
}

static void
print_result(const char *verb, const char *from, const char *to,
    const struct spool_copy_result *result)
{
	printf("%s %s to %s: %llu message%s, %s in %llu files, checked\n", verb, from, to,
	    (unsigned long long)result->numbers.messages,
	    result->numbers.messages == 1 ? "" : "s",
	    cli_spool_size(result->bytes).text, (unsigned long long)result->files);
}

int
cli_spool_backup(struct cli_spool *spool, const char *to)
{
	const struct spool_copy_options options = {
	    .running = spool->running, .wait = wait_a_moment};
	struct spool_copy_result result;
	int status = copy(spool, to, &options, &result);
	int stamped = EX_OK;

	if (status != EX_OK && status != CLI_SPOOL_DAMAGED)
		return status;
	stamped = write_stamp(to, spool->path, &result);
	if (stamped != EX_OK)
		return stamped;
	print_result("copied", spool->path, to, &result);
	if (status == CLI_SPOOL_DAMAGED)
		fprintf(stderr,
		    "postrider: the spool is damaged, and so is its copy; what is lost "
		    "stands above\n");
	return status;
}

/* How many names a directory holds; -1 where it is not there. */
static long
count_names(const char *path)
{
	DIR *listing = opendir(path);
	long count = 0;

	if (!listing)
		return errno == ENOENT ? -1 : 1;
	while (readdir(listing))
		count++;
	closedir(listing);
	return count - 2; /* "." and ".." */
}

static int
explain_restore(const char *to)
{
	fprintf(stderr,
	    "postrider: a restored spool is as it was when the backup was made:\n"
	    "  what was delivered, bounced or deleted since is in it again, and is\n"
	    "  delivered or bounced a second time;\n"
	    "  what was accepted since is not in it;\n"
	    "  new messages get ids far above those of the backup.\n"
	    "To hold everything first, and look: hold all mail (in the configuration).\n"
	    "Nothing was done. To restore into %s say --may-deliver-again\n",
	    to);
	return EX_USAGE;
}

/* Whether the target may be written; what is in it is named, not touched. */
static int
check_target(const struct cli_spool *backup, const char *to)
{
	char path[PATH_BYTES];
	struct stat file;

	snprintf(path, sizeof(path), "%s/%s", backup->path, stamp_name);
	if (stat(path, &file)) {
		fprintf(stderr,
		    "postrider: %s is no backup, or one that was not finished: there is "
		    "no %s\n",
		    backup->path, path);
		return CLI_SPOOL_FAILED;
	}
	if (cli_spool_is_running(to)) {
		fprintf(
		    stderr, "postrider: a server has the spool %s open; stop it\n", to);
		return CLI_SPOOL_FAILED;
	}
	if (count_names(to) > 0 && !backup->set_aside) {
		fprintf(stderr,
		    "postrider: %s is not empty; --set-aside renames it and goes on\n",
		    to);
		return CLI_SPOOL_FAILED;
	}
	return backup->may_repeat ? EX_OK : explain_restore(to);
}

/* Gives what was made to the user who has the queue. */
static int
give(const char *path, uid_t uid, gid_t gid)
{
	static const char *const parts[] = {"", "/body", "/ledger"};
	char name[PATH_BYTES];

	for (size_t i = 0; i < LEN(parts); i++) {
		DIR *listing;
		struct dirent *entry;

		snprintf(name, sizeof(name), "%s%s", path, parts[i]);
		listing = opendir(name);
		if (!listing && errno == ENOENT)
			continue;
		if (!listing)
			return say_errno("cannot read", name);
		while ((entry = readdir(listing)))
			if (strcmp(entry->d_name, "..") != 0 &&
			    fchownat(dirfd(listing), entry->d_name, uid, gid,
				AT_SYMLINK_NOFOLLOW)) {
				closedir(listing);
				return say_errno("cannot give to the queue's user", name);
			}
		closedir(listing);
	}
	return EX_OK;
}

/* As root, a restored spool belongs to whom the old one did, else to the queue's user. */
static int
give_to_owner(const char *made, const char *to)
{
	const struct passwd *user = getpwnam(proc_user(PROC_QUEUE, 0, NULL));
	struct stat old;

	if (geteuid() != 0)
		return EX_OK;
	if (stat(to, &old) == 0 && old.st_uid != 0)
		return give(made, old.st_uid, old.st_gid);
	return user ? give(made, user->pw_uid, user->pw_gid) : EX_OK;
}

/* Puts what was made in its place; what is there gets another name. */
static int
put_in_place(const char *made, const char *to)
{
	char aside[PATH_BYTES + SUFFIX_BYTES + SUFFIX_BYTES];
	long names = count_names(to);

	if (names > 0) {
		snprintf(aside, sizeof(aside), "%s.before-restore-%llu", to,
		    (unsigned long long)now_ms() / 1000);
		if (rename(to, aside))
			return say_errno("cannot rename", to);
		printf("what was in %s is in %s now\n", to, aside);
	} else if (names == 0 && rmdir(to)) {
		return say_errno("cannot replace", to);
	}
	if (rename(made, to))
		return say_errno("cannot rename", made);
	return sync_parent(to);
}

int
cli_spool_restore(struct cli_spool *backup, const char *to)
{
	const struct spool_copy_options options = {.epochs = RESTORE_EPOCHS};
	struct spool_copy_result result;
	char made[PATH_BYTES + SUFFIX_BYTES], path[PATH_BYTES];
	size_t len = strlen(to);
	int status, placed;

	while (len > 1 && to[len - 1] == '/')
		len--;
	if (len >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return say_errno("cannot restore into", to);
	}
	snprintf(path, sizeof(path), "%.*s", (int)len, to);
	status = check_target(backup, path);
	if (status != EX_OK)
		return status;
	snprintf(made, sizeof(made), "%s.restoring", path);
	status = copy(backup, made, &options, &result);
	if (status != EX_OK && status != CLI_SPOOL_DAMAGED)
		return status;
	placed = give_to_owner(made, path);
	if (placed == EX_OK)
		placed = put_in_place(made, path);
	if (placed != EX_OK)
		return placed;
	print_result("restored", backup->path, path, &result);
	printf("What ended since the backup was made will be delivered or bounced again.\n");
	if (status == CLI_SPOOL_DAMAGED)
		fprintf(stderr, "postrider: the backup is damaged; what is lost stands above\n");
	return status;
}
