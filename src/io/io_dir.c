/*
 * Directories, and the operations on names in them.  Names are checked here,
 * so that no caller's mistake leads out of the directory that it was given.
 */
#include "io/io_job.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FILE_MODE = 0600, DIR_MODE = 0700 };

/* A lock lasts as long as the io does. */
struct lock {
	struct list link;
	int fd;
};

bool
io_name_ok(const char *name)
{
	struct span rest = span_str(name), part;

	if (rest.len == 0 || rest.ptr[0] == '/')
		return false;
	while (span_cut(&rest, '/', &part))
		if (span_eq(part, SPAN("..")))
			return false;
	return true;
}

enum err
io_dir_open(struct io *io, const char *path, struct io_dir **out)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct io_dir *dir;

	if (fd < 0)
		return err_from_errno(errno);
	dir = mem_alloc(sizeof(*dir));
	io_opened_init(&dir->opened, io, fd, &io->dirs);
	*out = dir;
	return OK;
}

void
io_dir_close(struct io_dir *dir)
{
	if (dir)
		io_opened_close(&dir->opened);
}

enum err
io_dir_space(struct io_dir *dir, uint64_t *bytes_free)
{
	struct statvfs stat;

	if (fstatvfs(dir->opened.fd, &stat))
		return err_from_errno(errno);
	*bytes_free = (uint64_t)stat.f_bavail * stat.f_frsize;
	return OK;
}

/* The directory itself for NULL or "", or one below it. */
static int
open_below(int at, const char *name)
{
	if (!name || !*name)
		name = ".";
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

enum err
io_dir_list(struct io_dir *dir, const char *name,
    void (*each)(void *owner, const char *name), void *owner)
{
	struct dirent *entry;
	DIR *listing;
	int fd, errnum;

	if (name && *name && !io_name_ok(name))
		return ERR_DENIED;
	fd = open_below(dir->opened.fd, name);
	if (fd < 0)
		return err_from_errno(errno);
	listing = fdopendir(fd);
	if (!listing) {
		errnum = errno;
		close(fd);
		return err_from_errno(errnum);
	}
	while ((errno = 0, entry = readdir(listing)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			each(owner, entry->d_name);
	errnum = errno;
	closedir(listing);
	return err_from_errno(errnum);
}

enum err
io_dir_lock(struct io_dir *dir, const char *name)
{
	struct io *io = dir->opened.io;
	struct lock *lock;
	int fd, errnum;

	if (!io_name_ok(name))
		return ERR_DENIED;
	fd = openat(
	    dir->opened.fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, FILE_MODE);
	if (fd < 0)
		return err_from_errno(errno);
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		errnum = errno;
		close(fd);
		return errnum == EWOULDBLOCK ? ERR_BUSY : err_from_errno(errnum);
	}
	lock = mem_alloc(sizeof(*lock));
	lock->fd = fd;
	list_push(&io->locks, &lock->link);
	return OK;
}

static void
refuse(struct io *io, struct io_op *op)
{
	io_op_start(op);
	if (op->done)
		io_op_end(io, op, ERR_DENIED);
	else
		op->err = ERR_DENIED;
}

/* A job with copies of one or two names; NULL where one is bad, and the op ends. */
static struct io_job *
job_on_names(struct io_dir *dir, struct io_op *op, void (*run)(struct io_job *),
    const char *name, const char *name_to)
{
	size_t bytes, bytes_to;
	struct io_job *job;

	if (!io_name_ok(name) || (name_to && !io_name_ok(name_to))) {
		refuse(dir->opened.io, op);
		return NULL;
	}
	bytes = strlen(name) + 1;
	bytes_to = name_to ? strlen(name_to) + 1 : 0;
	job = io_job_create(dir->opened.io, op, run, bytes + bytes_to);
	io_job_use(job, &dir->opened);
	memcpy(job->rest, name, bytes);
	job->name = job->rest;
	if (name_to) {
		memcpy(job->rest + bytes, name_to, bytes_to);
		job->name_to = job->rest + bytes;
	}
	return job;
}

static void
open_run(struct io_job *job)
{
	/* Somebody else's pipe or terminal must not hold a thread, or become ours. */
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct stat stat;

	flags |= job->flags & IO_OPEN_WRITE ? O_RDWR : O_RDONLY;
	if (job->flags & IO_OPEN_CREATE)
		flags |= O_CREAT | O_EXCL;
	job->fd = openat(job->at, job->name, flags, FILE_MODE);
	if (job->fd < 0 || fstat(job->fd, &stat)) {
		job->err = err_from_errno(errno);
	} else if (!S_ISREG(stat.st_mode)) {
		job->err = ERR_UNSUPPORTED;
	} else {
		job->bytes = (uint64_t)stat.st_size;
	}
}

static void
open_finish(struct io_job *job)
{
	struct io_file *file;

	job->op->file = NULL;
	if (job->err) {
		if (job->fd >= 0)
			close(job->fd);
		return;
	}
	file = mem_alloc(sizeof(*file));
	io_opened_init(&file->opened, job->io, job->fd, &job->io->files);
	file->bytes = job->bytes;
	job->op->file = file;
}

void
io_open(struct io_dir *dir, struct io_op *op, const char *name, unsigned flags)
{
	struct io_job *job = job_on_names(dir, op, open_run, name, NULL);

	check(flags & (IO_OPEN_READ | IO_OPEN_WRITE));
	op->file = NULL;
	if (!job)
		return;
	job->flags = flags;
	job->finish = open_finish;
	io_job_start(job);
}

static void
rename_run(struct io_job *job)
{
	io_job_result(job, renameat(job->at, job->name, job->at, job->name_to));
}

static void
link_run(struct io_job *job)
{
	io_job_result(job, linkat(job->at, job->name, job->at, job->name_to, 0));
}

static void
unlink_run(struct io_job *job)
{
	io_job_result(job, unlinkat(job->at, job->name, 0));
}

static void
mkdir_run(struct io_job *job)
{
	io_job_result(job, mkdirat(job->at, job->name, DIR_MODE));
}

static void
dir_sync_run(struct io_job *job)
{
	int fd = open_below(job->at, job->name);

	if (fd < 0) {
		job->err = err_from_errno(errno);
		return;
	}
	io_job_result(job, fsync(fd));
	close(fd);
}

/* Starts a job that needs no more than its names. */
static void
start_on_names(struct io_dir *dir, struct io_op *op, void (*run)(struct io_job *),
    const char *name, const char *name_to)
{
	struct io_job *job = job_on_names(dir, op, run, name, name_to);

	if (job)
		io_job_start(job);
}

void
io_rename(struct io_dir *dir, struct io_op *op, const char *from, const char *to)
{
	check(to != NULL);
	start_on_names(dir, op, rename_run, from, to);
}

void
io_link(struct io_dir *dir, struct io_op *op, const char *from, const char *to)
{
	check(to != NULL);
	start_on_names(dir, op, link_run, from, to);
}

void
io_unlink(struct io_dir *dir, struct io_op *op, const char *name)
{
	start_on_names(dir, op, unlink_run, name, NULL);
}

void
io_mkdir(struct io_dir *dir, struct io_op *op, const char *name)
{
	start_on_names(dir, op, mkdir_run, name, NULL);
}

void
io_dir_sync(struct io_dir *dir, struct io_op *op, const char *name)
{
	start_on_names(dir, op, dir_sync_run, name && *name ? name : ".", NULL);
}

void
io_locks_destroy(struct io *io)
{
	struct list *link;

	while ((link = list_pop(&io->locks))) {
		struct lock *lock = container_of(link, struct lock, link);

		close(lock->fd);
		mem_free(lock);
	}
}
