/*
 * File operations: each happens at its end, not at its start, so that those under way together
 * happen in any order; a sync covers what happened before it started.  Of what is under way when
 * its role dies, each may have happened or not.
 */
#include "sim/sim_job.h"

void
sim_file_free(struct io_file *file)
{
	list_remove(&file->link);
	file->io->descriptors--;
	file->inode->handles--;
	sim_inode_use(file->inode, -1);
	sim_free(file);
}

void
sim_dir_free(struct io_dir *dir)
{
	list_remove(&dir->link);
	dir->io->descriptors--;
	sim_inode_use(dir->inode, -1);
	sim_free(dir);
}

static void
end(struct sim_job *job)
{
	if (job->file && --job->file->under_way == 0 && job->file->closed)
		sim_file_free(job->file);
	if (job->dir && --job->dir->under_way == 0 && job->dir->closed)
		sim_dir_free(job->dir);
	sim_free(job);
}

void
sim_job_happened(struct sim_job *job, enum sim_event_kind kind)
{
	struct sim_life *life = job->io->life;

	sim_happened(job->io->sim, kind, life ? life->server : NULL,
	    life ? life->proc : PROC_COUNT);
}

static void
complete(struct sim_job *job)
{
	struct io_op *op = job->op;
	struct sim *sim = job->io->sim;

	if (job->err == ERR_NO_SPACE)
		sim_job_happened(job, SIM_NO_SPACE);
	sim_hash(sim, (uint64_t)job->err << 32 ^ job->count);
	op->err = job->err;
	op->count = job->count;
	if (job->opened)
		op->file = job->opened;
	end(job);
}

static void
fire(struct sim_event *event)
{
	struct sim_job *job = container_of(event, struct sim_job, event);
	struct io_op *op = job->op;

	job->run(job);
	complete(job);
	op->done(op);
}

static void
drop(struct sim_event *event)
{
	struct sim_job *job = container_of(event, struct sim_job, event);

	job->dying = true;
	if (sim_chance(job->io->sim, 2) == 0)
		job->run(job);
	if (job->opened)
		sim_file_free(job->opened);
	end(job);
}

struct sim_job *
sim_job_create(
    struct io *io, struct io_op *op, void (*run)(struct sim_job *job), size_t rest)
{
	struct sim_job *job = sim_alloc(io->sim, sizeof(*job) + rest);

	check(!io->gone);
	sim_op_start(op);
	job->io = io;
	job->op = op;
	job->run = run;
	job->event = (struct sim_event){.fire = fire, .drop = drop, .io = io, .name = "file"};
	return job;
}

void
sim_job_start(struct sim_job *job, const char *name, uint64_t delay_us)
{
	struct sim *sim = job->io->sim;

	if (job->file)
		job->file->under_way++;
	if (job->dir)
		job->dir->under_way++;
	if (!job->op->done) {
		job->run(job);
		complete(job);
		return;
	}
	job->event.name = name;
	job->event.critical = true;
	if (sim_happens(sim, sim->options.faults.disk_stall))
		delay_us += sim_delay_us(sim, SIM_STALL_US);
	sim_event_start(sim, &job->event, sim_delay_us(sim, delay_us));
}

void
sim_files_kill(struct io *io)
{
	while (!list_empty(&io->files))
		sim_file_free(container_of(io->files.next, struct io_file, link));
	while (!list_empty(&io->dirs))
		sim_dir_free(container_of(io->dirs.next, struct io_dir, link));
	while (!list_empty(&io->locks)) {
		struct sim_lock *lock = container_of(list_pop(&io->locks), struct sim_lock, link);

		sim_inode_use(lock->inode, -1);
		sim_free(lock);
	}
}

bool
sim_job_sync_fails(struct sim_job *job)
{
	struct sim *sim = job->io->sim;

	if (job->dying || !sim_happens(sim, sim->options.faults.sync_error))
		return false;
	sim_job_happened(job, SIM_SYNC_ERROR);
	job->err = ERR_IO;
	return true;
}
