/*
 * Files and directories as roles reach them.  An operation happens at its end, not at its start, so
 * that those under way together happen in any order; a sync covers what happened before it
 * started.  Of what is under way when its role dies, each may have happened or not.
 */
#include "sim/sim_internal.h"

enum { STALL_US = 20000000, READ_US = 400, WRITE_US = 200 };

struct io_file {
	struct io *io;
	struct sim_inode *inode;
	struct list link;
	uint64_t bytes;
	unsigned under_way;
	bool closed;
};

struct io_dir {
	struct io *io;
	struct sim_inode *inode;
	struct list link;
	unsigned under_way;
	bool closed;
};

struct lock {
	struct list link;
	struct sim_inode *inode;
};

struct job {
	struct sim_event event;
	struct io *io;
	struct io_op *op;
	void (*run)(struct job *job);
	struct io_file *file;
	struct io_dir *dir;
	const char *name, *name_to;
	unsigned flags;
	void *into;
	uint64_t bytes, offset, number;
	const struct span *spans;
	size_t span_count;
	bool dying; /* the role is gone: nobody is told */
	enum err err;
	size_t count;
	struct io_file *opened;
};

static void
file_free(struct io_file *file)
{
	list_remove(&file->link);
	file->io->descriptors--;
	file->inode->handles--;
	sim_inode_use(file->inode, -1);
	sim_free(file);
}

static void
dir_free(struct io_dir *dir)
{
	list_remove(&dir->link);
	dir->io->descriptors--;
	sim_inode_use(dir->inode, -1);
	sim_free(dir);
}

static void
end(struct job *job)
{
	if (job->file && --job->file->under_way == 0 && job->file->closed)
		file_free(job->file);
	if (job->dir && --job->dir->under_way == 0 && job->dir->closed)
		dir_free(job->dir);
	sim_free(job);
}

static void
happened(struct job *job, enum sim_event_kind kind)
{
	struct sim_life *life = job->io->life;

	sim_happened(job->io->sim, kind, life ? life->server : NULL,
	    life ? life->proc : PROC_COUNT);
}

static void
complete(struct job *job)
{
	struct io_op *op = job->op;
	struct sim *sim = job->io->sim;

	if (job->err == ERR_NO_SPACE)
		happened(job, SIM_NO_SPACE);
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
	struct job *job = container_of(event, struct job, event);
	struct io_op *op = job->op;

	job->run(job);
	complete(job);
	op->done(op);
}

static void
drop(struct sim_event *event)
{
	struct job *job = container_of(event, struct job, event);

	job->dying = true;
	if (sim_chance(job->io->sim, 2) == 0)
		job->run(job);
	if (job->opened)
		file_free(job->opened);
	end(job);
}

static struct job *
job_create(struct io *io, struct io_op *op, void (*run)(struct job *job), size_t rest)
{
	struct job *job = sim_alloc(io->sim, sizeof(*job) + rest);

	check(!io->gone);
	sim_op_start(op);
	job->io = io;
	job->op = op;
	job->run = run;
	job->event = (struct sim_event){.fire = fire, .drop = drop, .io = io, .name = "file"};
	return job;
}

static void
job_start(struct job *job, const char *name, uint64_t delay_us)
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
	if (sim_happens(sim, sim->options.faults.disk_stall))
		delay_us += sim_delay_us(sim, STALL_US);
	sim_event_start(sim, &job->event, sim_delay_us(sim, delay_us));
}

static struct job *
file_job(struct io_file *file, struct io_op *op, void (*run)(struct job *job), size_t rest)
{
	struct job *job;

	check(!file->closed);
	job = job_create(file->io, op, run, rest);
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
		file_free(file);
}

static void
pread_run(struct job *job)
{
	struct sim *sim = job->io->sim;
	struct sim_inode *inode = job->file->inode;
	uint64_t left = inode->now_len > job->offset ? inode->now_len - job->offset : 0;

	if (job->dying)
		return;
	if (sim_happens(sim, sim->options.faults.read_error)) {
		happened(job, SIM_READ_ERROR);
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
	struct job *job = file_job(file, op, pread_run, 0);

	job->into = into;
	job->bytes = count;
	job->offset = offset;
	job_start(job, "file read", READ_US);
}

/* How much is written before the disk refuses, or the writer dies. */
static size_t
write_limit(struct job *job, size_t total)
{
	struct sim *sim = job->io->sim;
	bool fails = !job->dying && sim_happens(sim, sim->options.faults.write_error);

	if (fails) {
		happened(job, SIM_WRITE_ERROR);
		job->err = ERR_IO;
	}
	if (fails || (job->dying && sim_chance(sim, 2) == 0))
		return (size_t)sim_chance(sim, total + 1);
	return total;
}

static void
pwrite_run(struct job *job)
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
	struct job *job = file_job(file, op, pwrite_run, span_count * sizeof(*spans));

	check(span_count <= IO_WRITE_SPANS_MAX);
	if (span_count > 0)
		memcpy(job + 1, spans, span_count * sizeof(*spans));
	job->spans = (struct span *)(job + 1);
	job->span_count = span_count;
	job->offset = offset;
	job_start(job, "file write", WRITE_US);
}

/* True where the sync fails; what it was to make durable is then anybody's guess. */
static bool
sync_fails(struct job *job)
{
	struct sim *sim = job->io->sim;

	if (job->dying || !sim_happens(sim, sim->options.faults.sync_error))
		return false;
	happened(job, SIM_SYNC_ERROR);
	job->err = ERR_IO;
	return true;
}

static void
sync_run(struct job *job)
{
	if (sync_fails(job))
		sim_inode_sync_failed(job->file->inode);
	else
		sim_inode_sync(job->file->inode, job->number);
}

void
io_sync(struct io_file *file, struct io_op *op)
{
	struct job *job = file_job(file, op, sync_run, 0);

	job->number = file->inode->disk->number;
	job_start(job, "file sync", file->io->sim->options.sync_us_max);
}

static void
resize_run(struct job *job)
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
	struct job *job = file_job(file, op, resize_run, 0);

	job->bytes = bytes;
	job->flags = 1; /* only to grow */
	job_start(job, "file allocate", WRITE_US);
}

void
io_truncate(struct io_file *file, struct io_op *op, uint64_t bytes)
{
	struct job *job = file_job(file, op, resize_run, 0);

	job->bytes = bytes;
	job_start(job, "file truncate", WRITE_US);
}

bool
sim_name_ok(const char *name)
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
	struct sim_server *server = io->host->server;
	struct sim_inode *inode;
	struct io_dir *dir;

	if (!server)
		return ERR_UNSUPPORTED;
	inode = sim_disk_walk(server->disk->root, path);
	if (!inode)
		return ERR_NOT_FOUND;
	if (!inode->is_dir)
		return ERR_IO;
	if (!sim_has_descriptor(io))
		return ERR_DESCRIPTORS;
	dir = sim_alloc(io->sim, sizeof(*dir));
	dir->io = io;
	dir->inode = inode;
	sim_inode_use(inode, 1);
	list_push(&io->dirs, &dir->link);
	io->descriptors++;
	*out = dir;
	return OK;
}

void
io_dir_close(struct io_dir *dir)
{
	if (!dir)
		return;
	check(!dir->closed);
	dir->closed = true;
	if (dir->under_way == 0)
		dir_free(dir);
}

enum err
io_dir_space(struct io_dir *dir, uint64_t *bytes_free)
{
	const struct sim_disk *disk = dir->inode->disk;

	*bytes_free = disk->bytes_max == 0 ? UINT64_C(1) << 40
	    : disk->bytes_used < disk->bytes_max ? disk->bytes_max - disk->bytes_used
	                                         : 0;
	return OK;
}

enum err
io_dir_list(struct io_dir *dir, const char *name, void (*each)(void *owner, const char *name),
    void *owner)
{
	struct sim_inode *inode;
	struct sim_entry *entry = NULL;

	if (name && *name && !sim_name_ok(name))
		return ERR_DENIED;
	inode = sim_disk_walk(dir->inode, name ? name : "");
	if (!inode || !inode->is_dir)
		return ERR_NOT_FOUND;
	while ((entry = sim_entry_next(inode, entry)))
		if (entry->now)
			each(owner, entry->name);
	return OK;
}

enum err
io_dir_lock(struct io_dir *dir, const char *name)
{
	struct sim_inode *parent, *inode;
	struct sim *sim = dir->io->sim;
	struct lock *lock;
	struct span last;

	if (!sim_name_ok(name))
		return ERR_DENIED;
	parent = sim_disk_parent(dir->inode, name, &last);
	if (!parent)
		return ERR_NOT_FOUND;
	inode = sim_disk_walk(dir->inode, name);
	if (!inode) {
		inode = sim_inode_create(parent->disk, false);
		sim_disk_change(parent->disk, 1, &parent, &last, &inode);
	}
	list_for_each(link, &sim->ios)
	{
		struct io *io = container_of(link, struct io, link);

		list_for_each(at, &io->locks) if (container_of(at, struct lock, link)->inode ==
		    inode) return ERR_BUSY;
	}
	lock = sim_alloc(sim, sizeof(*lock));
	lock->inode = inode;
	sim_inode_use(inode, 1);
	list_push(&dir->io->locks, &lock->link);
	return OK;
}

void
sim_files_kill(struct io *io)
{
	while (!list_empty(&io->files))
		file_free(container_of(io->files.next, struct io_file, link));
	while (!list_empty(&io->dirs))
		dir_free(container_of(io->dirs.next, struct io_dir, link));
	while (!list_empty(&io->locks)) {
		struct lock *lock = container_of(list_pop(&io->locks), struct lock, link);

		sim_inode_use(lock->inode, -1);
		sim_free(lock);
	}
}

static struct job *
dir_job(struct io_dir *dir, struct io_op *op, void (*run)(struct job *job), const char *name,
    const char *name_to)
{
	size_t bytes = strlen(name) + 1, bytes_to = name_to ? strlen(name_to) + 1 : 0;
	struct job *job;
	char *rest;

	check(!dir->closed);
	job = job_create(dir->io, op, run, bytes + bytes_to);
	job->dir = dir;
	rest = (char *)(job + 1);
	memcpy(rest, name, bytes);
	job->name = rest;
	if (name_to) {
		memcpy(rest + bytes, name_to, bytes_to);
		job->name_to = rest + bytes;
	}
	if ((*name && !sim_name_ok(name)) || (name_to && !sim_name_ok(name_to)))
		job->err = ERR_DENIED;
	return job;
}

/* Where a name is: its directory, its last part, and what it names now. */
static enum err
find(struct job *job, const char *name, struct sim_inode **dir, struct span *last,
    struct sim_inode **inode)
{
	if (job->err)
		return job->err;
	*dir = sim_disk_parent(job->dir->inode, name, last);
	*inode = *dir ? sim_disk_walk(job->dir->inode, name) : NULL;
	return *dir ? OK : ERR_NOT_FOUND;
}

static void
open_run(struct job *job)
{
	struct sim_inode *dir, *inode;
	struct io_file *file;
	struct span last;

	job->err = find(job, job->name, &dir, &last, &inode);
	if (job->err)
		return;
	if (job->flags & IO_OPEN_CREATE ? inode != NULL : inode == NULL) {
		job->err = inode ? ERR_EXISTS : ERR_NOT_FOUND;
		return;
	}
	if (inode && inode->is_dir) {
		job->err = ERR_UNSUPPORTED;
		return;
	}
	if (!sim_has_descriptor(job->io)) {
		job->err = ERR_DESCRIPTORS;
		return;
	}
	if (!inode) {
		inode = sim_inode_create(dir->disk, false);
		sim_disk_change(dir->disk, 1, &dir, &last, &inode);
	}
	file = sim_alloc(job->io->sim, sizeof(*file));
	file->io = job->io;
	file->inode = inode;
	file->bytes = inode->now_len;
	inode->handles++;
	sim_inode_use(inode, 1);
	list_push(&job->io->files, &file->link);
	job->io->descriptors++;
	job->opened = file;
}

void
io_open(struct io_dir *dir, struct io_op *op, const char *name, unsigned flags)
{
	struct job *job = dir_job(dir, op, open_run, name, NULL);

	check(flags & (IO_OPEN_READ | IO_OPEN_WRITE));
	op->file = NULL;
	job->flags = flags;
	job_start(job, "file open", WRITE_US);
}

static void
rename_run(struct job *job)
{
	struct sim_inode *dirs[2], *inodes[2], *to[2];
	struct span last[2];

	job->err = find(job, job->name, &dirs[0], &last[0], &inodes[0]);
	if (!job->err)
		job->err = find(job, job->name_to, &dirs[1], &last[1], &inodes[1]);
	if (job->err)
		return;
	if (!inodes[0]) {
		job->err = ERR_NOT_FOUND;
		return;
	}
	if (inodes[0] == inodes[1])
		return;
	to[0] = NULL;
	to[1] = inodes[0];
	/* The new name first: else the last use of the file would go. */
	sim_inode_use(inodes[0], 1);
	sim_disk_change(dirs[0]->disk, 2, dirs, last, to);
	sim_inode_use(inodes[0], -1);
}

void
io_rename(struct io_dir *dir, struct io_op *op, const char *from, const char *to)
{
	job_start(dir_job(dir, op, rename_run, from, to), "rename", WRITE_US);
}

static void
link_run(struct job *job)
{
	struct sim_inode *from, *inode, *dir, *there;
	struct span last;

	job->err = find(job, job->name, &from, &last, &inode);
	if (!job->err)
		job->err = find(job, job->name_to, &dir, &last, &there);
	if (!job->err && !inode)
		job->err = ERR_NOT_FOUND;
	if (!job->err && there)
		job->err = ERR_EXISTS;
	if (!job->err)
		sim_disk_change(dir->disk, 1, &dir, &last, &inode);
}

void
io_link(struct io_dir *dir, struct io_op *op, const char *from, const char *to)
{
	job_start(dir_job(dir, op, link_run, from, to), "link", WRITE_US);
}

static void
unlink_run(struct job *job)
{
	struct sim_inode *dir, *inode, *to = NULL;
	struct span last;

	job->err = find(job, job->name, &dir, &last, &inode);
	if (!job->err && !inode)
		job->err = ERR_NOT_FOUND;
	if (!job->err && inode->is_dir)
		job->err = ERR_IO;
	if (!job->err)
		sim_disk_change(dir->disk, 1, &dir, &last, &to);
}

void
io_unlink(struct io_dir *dir, struct io_op *op, const char *name)
{
	job_start(dir_job(dir, op, unlink_run, name, NULL), "unlink", WRITE_US);
}

static void
mkdir_run(struct job *job)
{
	struct sim_inode *dir, *inode;
	struct span last;

	job->err = find(job, job->name, &dir, &last, &inode);
	if (!job->err && inode)
		job->err = ERR_EXISTS;
	if (job->err)
		return;
	inode = sim_inode_create(dir->disk, true);
	sim_disk_change(dir->disk, 1, &dir, &last, &inode);
}

void
io_mkdir(struct io_dir *dir, struct io_op *op, const char *name)
{
	job_start(dir_job(dir, op, mkdir_run, name, NULL), "mkdir", WRITE_US);
}

static void
dir_sync_run(struct job *job)
{
	struct sim_inode *inode;

	if (job->err)
		return;
	inode = sim_disk_walk(job->dir->inode, job->name);
	if (!inode || !inode->is_dir)
		job->err = ERR_NOT_FOUND;
	else if (!sync_fails(job))
		sim_disk_sync_dir(inode->disk, inode, job->number);
}

void
io_dir_sync(struct io_dir *dir, struct io_op *op, const char *name)
{
	struct job *job = dir_job(dir, op, dir_sync_run, name ? name : "", NULL);

	job->number = dir->inode->disk->number;
	job_start(job, "directory sync", dir->io->sim->options.sync_us_max);
}
