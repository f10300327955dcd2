/* Open files, as roles reach them. */
#include "sim/sim_job.h"

static struct sim_job *
file_job(struct io_file *file, struct io_op *op, void (*run)(struct sim_job *job), size_t rest)
{
	struct sim_job *job;

	check(!file->closed);
	job = sim_job_create(file->io, op, run, rest);
	job->file = file;
	return job;
}

uint64_t
io_file_bytes(struct io_file *file)
{
	return file->bytes;
}

void
io_file_close(struct io_file *file)
{
	if (!file)
		return;
	check(!file->closed);
	file->closed = true;
	if (file->under_way == 0)
		sim_file_free(file);
}

static void
pread_run(struct sim_job *job)
{
	struct sim *sim = job->io->sim;
	struct sim_inode *inode = job->file->inode;
	uint64_t left = inode->now_len > job->offset ? inode->now_len - job->offset : 0;

	if (job->dying)
		return;
	if (sim_happens(sim, sim->options.faults.read_error)) {
		sim_job_happened(job, SIM_READ_ERROR);
		job->err = ERR_IO;
		return;
	}
	job->count = (size_t)(job->bytes < left ? job->bytes : left);
	if (job->count > 0)
		memcpy(job->into, inode->now + job->offset, job->count);
	sim_hash_bytes(sim, span_of(job->into, job->count));
}

void
io_pread(struct io_file *file, struct io_op *op, void *into, size_t count, uint64_t offset)
{
	struct sim_job *job = file_job(file, op, pread_run, 0);

	job->into = into;
	job->bytes = count;
	job->offset = offset;
	sim_job_start(job, "file read", SIM_READ_US);
}

/* How much is written before the disk refuses, or the writer dies. */
static size_t
write_limit(struct sim_job *job, size_t total)
{
	struct sim *sim = job->io->sim;
	bool fails = !job->dying && sim_happens(sim, sim->options.faults.write_error);

	if (fails) {
		sim_job_happened(job, SIM_WRITE_ERROR);
		job->err = ERR_IO;
	}
	if (fails || (job->dying && sim_chance(sim, 2) == 0))
		return (size_t)sim_chance(sim, total + 1);
	return total;
}

static void
pwrite_run(struct sim_job *job)
{
	struct sim *sim = job->io->sim;
	size_t total = 0, at = 0, done;
	enum err err;
	char *bytes;

	for (size_t i = 0; i < job->span_count; i++)
		total += job->spans[i].len;
	bytes = sim_alloc(sim, total);
	for (size_t i = 0; i < job->span_count; i++) {
		if (job->spans[i].len > 0)
			memcpy(bytes + at, job->spans[i].ptr, job->spans[i].len);
		at += job->spans[i].len;
	}
	sim_hash_bytes(sim, span_of(bytes, total));
	total = write_limit(job, total);
	err = sim_inode_write(job->file->inode, span_of(bytes, total), job->offset, &done);
	if (err)
		job->err = err;
	job->count = done;
	if (done > 0 && job->offset + done > job->file->bytes)
		job->file->bytes = job->offset + done;
	sim_free(bytes);
}

void
io_pwrite(struct io_file *file, struct io_op *op, const struct span *spans, size_t span_count,
    uint64_t offset)
{
	struct sim_job *job = file_job(file, op, pwrite_run, span_count * sizeof(*spans));

	check(span_count <= IO_WRITE_SPANS_MAX);
	if (span_count > 0)
		memcpy(job + 1, spans, span_count * sizeof(*spans));
	job->spans = (struct span *)(job + 1);
	job->span_count = span_count;
	job->offset = offset;
	sim_job_start(job, "file write", SIM_WRITE_US);
}

static void
sync_run(struct sim_job *job)
{
	if (sim_job_sync_fails(job))
		sim_inode_sync_failed(job->file->inode);
	else
		sim_inode_sync(job->file->inode, job->number);
}

void
io_sync(struct io_file *file, struct io_op *op)
{
	struct sim_job *job = file_job(file, op, sync_run, 0);

	job->number = file->inode->disk->number;
	sim_job_start(job, "file sync", file->io->sim->options.sync_us_max);
}

static void
resize_run(struct sim_job *job)
{
	struct sim_inode *inode = job->file->inode;

	if (!job->flags || job->bytes > inode->now_len)
		job->err = sim_inode_resize(inode, job->bytes);
	if (!job->err && (!job->flags || job->bytes > job->file->bytes))
		job->file->bytes = job->bytes;
}

void
io_allocate(struct io_file *file, struct io_op *op, uint64_t bytes)
{
	struct sim_job *job = file_job(file, op, resize_run, 0);

	job->bytes = bytes;
	job->flags = 1; /* only to grow */
	sim_job_start(job, "file allocate", SIM_WRITE_US);
}

void
io_truncate(struct io_file *file, struct io_op *op, uint64_t bytes)
{
	struct sim_job *job = file_job(file, op, resize_run, 0);

	job->bytes = bytes;
	sim_job_start(job, "file truncate", SIM_WRITE_US);
}
