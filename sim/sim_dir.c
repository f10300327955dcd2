/* Directories, and the operations on names in them, as roles reach them. */
#include "sim/sim_job.h"

static bool
name_ok(const char *name)
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
		sim_dir_free(dir);
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

	if (name && *name && !name_ok(name))
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
	struct sim_lock *lock;
	struct span last;

	if (!name_ok(name))
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

		list_for_each(at, &io->locks) if (container_of(at, struct sim_lock, link)->inode ==
		    inode) return ERR_BUSY;
	}
	lock = sim_alloc(sim, sizeof(*lock));
	lock->inode = inode;
	sim_inode_use(inode, 1);
	list_push(&dir->io->locks, &lock->link);
	return OK;
}

static struct sim_job *
dir_job(struct io_dir *dir, struct io_op *op, void (*run)(struct sim_job *job), const char *name,
    const char *name_to)
{
	size_t bytes = strlen(name) + 1, bytes_to = name_to ? strlen(name_to) + 1 : 0;
	struct sim_job *job;
	char *rest;

	check(!dir->closed);
	job = sim_job_create(dir->io, op, run, bytes + bytes_to);
	job->dir = dir;
	rest = (char *)(job + 1);
	memcpy(rest, name, bytes);
	job->name = rest;
	if (name_to) {
		memcpy(rest + bytes, name_to, bytes_to);
		job->name_to = rest + bytes;
	}
	if ((*name && !name_ok(name)) || (name_to && !name_ok(name_to)))
		job->err = ERR_DENIED;
	return job;
}

/* Where a name is: its directory, its last part, and what it names now. */
static enum err
find(struct sim_job *job, const char *name, struct sim_inode **dir, struct span *last,
    struct sim_inode **inode)
{
	if (job->err)
		return job->err;
	*dir = sim_disk_parent(job->dir->inode, name, last);
	*inode = *dir ? sim_disk_walk(job->dir->inode, name) : NULL;
	return *dir ? OK : ERR_NOT_FOUND;
}

static void
open_run(struct sim_job *job)
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
	struct sim_job *job = dir_job(dir, op, open_run, name, NULL);

	check(flags & (IO_OPEN_READ | IO_OPEN_WRITE));
	op->file = NULL;
	job->flags = flags;
	sim_job_start(job, "file open", SIM_WRITE_US);
}

static void
rename_run(struct sim_job *job)
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
	sim_job_start(dir_job(dir, op, rename_run, from, to), "rename", SIM_WRITE_US);
}

static void
link_run(struct sim_job *job)
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
	sim_job_start(dir_job(dir, op, link_run, from, to), "link", SIM_WRITE_US);
}

static void
unlink_run(struct sim_job *job)
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
	sim_job_start(dir_job(dir, op, unlink_run, name, NULL), "unlink", SIM_WRITE_US);
}

static void
mkdir_run(struct sim_job *job)
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
	sim_job_start(dir_job(dir, op, mkdir_run, name, NULL), "mkdir", SIM_WRITE_US);
}

static void
dir_sync_run(struct sim_job *job)
{
	struct sim_inode *inode;

	if (job->err)
		return;
	inode = sim_disk_walk(job->dir->inode, job->name);
	if (!inode || !inode->is_dir)
		job->err = ERR_NOT_FOUND;
	else if (!sim_job_sync_fails(job))
		sim_disk_sync_dir(inode->disk, inode, job->number);
}

void
io_dir_sync(struct io_dir *dir, struct io_op *op, const char *name)
{
	struct sim_job *job = dir_job(dir, op, dir_sync_run, name ? name : "", NULL);

	job->number = dir->inode->disk->number;
	sim_job_start(job, "directory sync", dir->io->sim->options.sync_us_max);
}
