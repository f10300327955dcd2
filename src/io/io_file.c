/*
 * Open files.  Their size is kept here, so that nobody has to ask for it; it
 * is what io_open found, changed by each operation that ends well.
 */
#include "io/io_job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CACHED_BYTES_MAX = 256 << 10 };

_Static_assert(IO_WRITE_SPANS_MAX <= IOV_MAX, "one pwritev takes all spans");

static struct io_job *
job_on_file(struct io_file *file, struct io_op *op, void (*run)(struct io_job *),
    size_t rest_bytes)
{
	struct io_job *job = io_job_create(file->opened.io, op, run, rest_bytes);

	io_job_use(job, &file->opened);
	return job;
}

static struct io_file *
job_file(struct io_job *job)
{
	return container_of(job->opened, struct io_file, opened);
}

void
io_file_close(struct io_file *file)
{
	if (file)
		io_opened_close(&file->opened);
}

uint64_t
io_file_bytes(struct io_file *file)
{
	return file->bytes;
}

static void
pread_run(struct io_job *job)
{
	while (job->count < job->bytes) {
		ssize_t got = pread(job->at, job->into + job->count,
		    job->bytes - job->count, (off_t)(job->offset + job->count));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			job->err = err_from_errno(errno);
		if (got <= 0)
			return;
		job->count += (size_t)got;
	}
}

/* Reads what the kernel has in memory, without a thread; false where it lacks some of it. */
static bool
pread_cached(
    struct io_file *file, struct io_op *op, void *into, size_t count, uint64_t offset)
{
	struct iovec iov = {into, count};

	if (!op->done || count > CACHED_BYTES_MAX ||
	    preadv2(file->opened.fd, &iov, 1, (off_t)offset, RWF_NOWAIT) != (ssize_t)count)
		return false;
	io_op_start(op);
	op->count = count;
	io_op_end(file->opened.io, op, OK);
	return true;
}

void
io_pread(
    struct io_file *file, struct io_op *op, void *into, size_t count, uint64_t offset)
{
	struct io_job *job;

	check(!file->opened.closed);
	if (pread_cached(file, op, into, count, offset))
		return;
	job = job_on_file(file, op, pread_run, 0);
	job->into = into;
	job->bytes = count;
	job->offset = offset;
	io_job_start(job);
}

/* Leaves out what is written: whole spans, and the front of the next. */
static struct iovec *
iov_skip(struct iovec *iov, int *count, size_t bytes)
{
	while (*count > 0 && bytes >= iov->iov_len) {
		bytes -= iov->iov_len;
		iov++;
		--*count;
	}
	if (*count > 0) {
		iov->iov_base = (char *)iov->iov_base + bytes;
		iov->iov_len -= bytes;
	}
	return iov;
}

static void
pwrite_run(struct io_job *job)
{
	int count = job->iov_count;
	struct iovec *iov = iov_skip((struct iovec *)(void *)job->rest, &count, 0);

	while (count > 0) {
		ssize_t wrote =
		    pwritev(job->at, iov, count, (off_t)(job->offset + job->count));

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0) {
			/* A regular file that takes nothing and does not say why. */
			job->err = wrote < 0 ? err_from_errno(errno) : ERR_IO;
			return;
		}
		job->count += (size_t)wrote;
		iov = iov_skip(iov, &count, (size_t)wrote);
	}
}

static void
pwrite_finish(struct io_job *job)
{
	struct io_file *file = job_file(job);

	if (job->count > 0 && job->offset + job->count > file->bytes)
		file->bytes = job->offset + job->count;
}

void
io_pwrite(struct io_file *file, struct io_op *op, const struct span *spans,
    size_t span_count, uint64_t offset)
{
	struct io_job *job;
	struct iovec *iov;

	check(span_count <= IO_WRITE_SPANS_MAX);
	job = job_on_file(file, op, pwrite_run, span_count * sizeof(*iov));
	iov = (struct iovec *)(void *)job->rest;
	for (size_t i = 0; i < span_count; i++) {
		iov[i].iov_base = (void *)(uintptr_t)spans[i].ptr;
		iov[i].iov_len = spans[i].len;
	}
	job->iov_count = (int)span_count;
	job->offset = offset;
	job->finish = pwrite_finish;
	io_job_start(job);
}

static void
sync_run(struct io_job *job)
{
	io_job_result(job, fdatasync(job->at));
}

void
io_sync(struct io_file *file, struct io_op *op)
{
	io_job_start(job_on_file(file, op, sync_run, 0));
}

static void
allocate_run(struct io_job *job)
{
	int errnum;

	/* Where the file system has no fallocate, the C library writes zeros. */
	do {
		errnum = posix_fallocate(job->at, 0, (off_t)job->bytes);
	} while (errnum == EINTR);
	job->err = err_from_errno(errnum);
}

static void
allocate_finish(struct io_job *job)
{
	struct io_file *file = job_file(job);

	if (!job->err && job->bytes > file->bytes)
		file->bytes = job->bytes;
}

void
io_allocate(struct io_file *file, struct io_op *op, uint64_t bytes)
{
	struct io_job *job = job_on_file(file, op, allocate_run, 0);

	job->bytes = bytes;
	job->finish = allocate_finish;
	io_job_start(job);
}

static void
truncate_run(struct io_job *job)
{
	int result;

	do {
		result = ftruncate(job->at, (off_t)job->bytes);
	} while (result < 0 && errno == EINTR);
	io_job_result(job, result);
}

static void
truncate_finish(struct io_job *job)
{
	if (!job->err)
		job_file(job)->bytes = job->bytes;
}

void
io_truncate(struct io_file *file, struct io_op *op, uint64_t bytes)
{
	struct io_job *job = job_on_file(file, op, truncate_run, 0);

	job->bytes = bytes;
	job->finish = truncate_finish;
	io_job_start(job);
}

void
io_files_destroy(struct io *io)
{
	while (!list_empty(&io->files))
		io_opened_close(container_of(io->files.next, struct io_opened, link));
	while (!list_empty(&io->dirs))
		io_opened_close(container_of(io->dirs.next, struct io_opened, link));
}
