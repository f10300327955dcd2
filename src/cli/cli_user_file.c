/*
 * The file of passwords is changed line by line, so that comments and order stay, and replaced as a
 * whole: written beside it, synced, renamed, the folder synced.  Who reads it sees the old or the
 * new one, also after a power cut.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli_user_internal.h"

enum { PATH_BYTES_MAX = 4096, LOCK_TRIES_MAX = 100 };

static bool
say(const struct user_file *file, const char *what)
{
	fprintf(
	    stderr, "postrider: cannot %s %s: %s\n", what, file->path, strerror(errno));
	return false;
}

/* The file may be replaced while we wait for its lock: then the lock is one of the old file. */
static bool
open_locked(struct user_file *file)
{
	struct stat ours, now;

	for (int i = 0; i < LOCK_TRIES_MAX; i++) {
		file->fd = open(file->path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
		if (file->fd < 0)
			return say(file, "open");
		if (flock(file->fd, LOCK_EX) || fstat(file->fd, &ours))
			return say(file, "lock");
		if (stat(file->path, &now) == 0 && now.st_ino == ours.st_ino &&
		    now.st_dev == ours.st_dev) {
			file->mode = ours.st_mode & 0777;
			file->uid = ours.st_uid;
			file->gid = ours.st_gid;
			return true;
		}
		close(file->fd);
	}
	errno = EBUSY;
	return say(file, "lock");
}

static bool
read_text(struct user_file *file)
{
	char chunk[4096];
	ssize_t count;

	while ((count = read(file->fd, chunk, sizeof(chunk))) > 0)
		buf_add(&file->text, span_of(chunk, (size_t)count));
	mem_wipe(chunk, sizeof(chunk));
	if (count < 0)
		return say(file, "read");
	if (buf_finish(&file->text)) {
		errno = EFBIG;
		return say(file, "read");
	}
	return true;
}

bool
user_file_open(struct user_file *file, const char *path)
{
	struct table_error error;
	struct buf text;

	*file = (struct user_file){.path = path, .fd = -1};
	buf_init(&file->text, CLI_USER_FILE_BYTES_MAX);
	if (!open_locked(file) || !read_text(file))
		return false;
	if (table_parse(buf_span(&file->text), &table_passwords, &file->table, &error) ==
	    OK)
		return true;
	buf_init(&text, PATH_BYTES_MAX);
	table_error_write(&text, &error, path);
	fprintf(stderr, "postrider: %.*s\n", SPAN_ARGS(buf_span(&text)));
	buf_fini(&text);
	return false;
}

void
user_file_close(struct user_file *file)
{
	table_destroy(file->table);
	mem_wipe(file->text.ptr, file->text.len);
	buf_fini(&file->text);
	if (file->fd >= 0)
		close(file->fd);
}

/* The line of the login in the text, from 1; 0 where there is none. */
static unsigned
find_line(const struct user_file *file, const char *login)
{
	for (size_t i = 0; i < table_count(file->table); i++)
		if (span_eq_nocase(table_at(file->table, i)->key, span_str(login)))
			return table_at(file->table, i)->line;
	return 0;
}

static void
add_entry(struct buf *out, const char *login, struct span value)
{
	if (value.len == 0)
		return;
	buf_addf(out, "%s: ", login);
	buf_add(out, value);
	buf_add_char(out, '\n');
}

void
user_file_set(struct user_file *file, const char *login, struct span value)
{
	unsigned line = find_line(file, login), number = 0;
	struct span rest = buf_span(&file->text), text;
	bool gone = false;
	struct buf out;

	buf_init(&out, CLI_USER_FILE_BYTES_MAX);
	while (span_cut(&rest, '\n', &text)) {
		number++;
		/* Lines that begin with a blank belong to the one before. */
		gone = number == line || (gone && text.len > 0 &&
					     (text.ptr[0] == ' ' || text.ptr[0] == '\t'));
		if (number == line)
			add_entry(&out, login, value);
		if (gone)
			continue;
		buf_add(&out, text);
		buf_add_char(&out, '\n');
	}
	if (line == 0)
		add_entry(&out, login, value);
	mem_wipe(file->text.ptr, file->text.len);
	buf_fini(&file->text);
	file->text = out;
}

static bool
write_all(int fd, struct span text)
{
	while (text.len > 0) {
		ssize_t count = write(fd, text.ptr, text.len);

		if (count < 0 && errno != EINTR)
			return false;
		text = span_skip(text, count > 0 ? (size_t)count : 0);
	}
	return true;
}

static bool
sync_folder(const char *path)
{
	char copy[PATH_BYTES_MAX];
	int fd;
	bool good;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	good = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return good;
}

bool
user_file_write(struct user_file *file)
{
	char name[PATH_BYTES_MAX];
	bool good;
	int fd;

	if (buf_finish(&file->text)) {
		errno = EFBIG;
		return say(file, "write");
	}
	if (snprintf(name, sizeof(name), "%s.new", file->path) >= (int)sizeof(name)) {
		errno = ENAMETOOLONG;
		return say(file, "write");
	}
	/* One that somebody left who was ended; nobody else writes it while we hold the lock. */
	(void)unlink(name);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return say(file, "write beside");
	good = (geteuid() != 0 || fchown(fd, file->uid, file->gid) == 0) &&
	       fchmod(fd, file->mode) == 0 && write_all(fd, buf_span(&file->text)) &&
	       fsync(fd) == 0;
	good = close(fd) == 0 && good;
	if (!good || rename(name, file->path)) {
		say(file, "replace");
		(void)unlink(name);
		return false;
	}
	return sync_folder(file->path) || say(file, "make durable");
}
