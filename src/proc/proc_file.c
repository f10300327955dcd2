/* See proc_file.h. */
#include "proc/proc_file.h"

enum err
proc_file_read(struct io_dir *dir, const char *name, struct buf *out)
{
	struct io_op op = {0};
	struct io_file *file;
	uint64_t count;
	char *into;

	io_open(dir, &op, name, IO_OPEN_READ);
	if (op.err)
		return op.err;
	file = op.file;
	count = io_file_bytes(file);
	if (count > buf_space(out)) {
		io_file_close(file);
		return ERR_TOO_LONG;
	}
	into = buf_room(out, (size_t)count);
	if (into) {
		io_pread(file, &op, into, (size_t)count, 0);
		out->len += op.err ? 0 : op.count;
	}
	io_file_close(file);
	return op.err;
}

enum err
proc_file_replace(struct io_dir *dir, const char *name, const char *name_new, struct span bytes)
{
	struct io_op op = {0};
	struct io_file *file;
	enum err err;

	io_unlink(dir, &op, name_new);
	io_open(dir, &op, name_new, IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
	if (op.err)
		return op.err;
	file = op.file;
	io_pwrite(file, &op, &bytes, 1, 0);
	if (!op.err)
		io_sync(file, &op);
	err = op.err;
	io_file_close(file);
	if (err)
		return err;
	io_rename(dir, &op, name_new, name);
	if (!op.err)
		io_dir_sync(dir, &op, NULL);
	return op.err;
}
