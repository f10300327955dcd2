/* Reads a table's file through io.h, blocking: for the start of a role. */
#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "io/io.h"
#include "table/table.h"

static enum err
refuse_file(struct table_error *error, enum err err, const char *what)
{
	*error = (struct table_error){0};
	(void)snprintf(error->text, sizeof(error->text), "%s", what);
	return err;
}

enum err
table_load(struct io_dir *dir, const char *name, const struct table_options *options,
    struct table **table, struct table_error *error)
{
	struct io_op op = {0};
	struct io_file *file;
	uint64_t bytes;
	char *text;
	enum err err;

	io_open(dir, &op, name, IO_OPEN_READ);
	if (op.err)
		return refuse_file(error, op.err, err_text(op.err));
	file = op.file;
	bytes = io_file_bytes(file);
	if (bytes > TABLE_FILE_BYTES_MAX) {
		io_file_close(file);
		return refuse_file(error, ERR_TOO_LONG, "larger than 64 MB");
	}
	text = mem_alloc((size_t)bytes);
	op = (struct io_op){0};
	io_pread(file, &op, text, (size_t)bytes, 0);
	io_file_close(file);
	/* A file that shrinks while it is read is being written: half a table is none. */
	if (!op.err && op.count < bytes)
		op.err = ERR_BUSY;
	err = op.err ? refuse_file(error, op.err, err_text(op.err))
		     : table_parse(span_of(text, op.count), options, table, error);
	if (options->secret)
		mem_wipe(text, (size_t)bytes);
	mem_free(text);
	return err;
}
