/* Tables are named by whole paths, while files are opened relative to a directory. */
#include "proc/proc_tables.h"

#include "base/arena.h"
#include "base/check.h"

static void
say(struct proc_env *env, struct span path, const struct table_error *error, enum err err)
{
	struct event event;

	event_begin(&event, &env->log, "table_refused");
	event_span(&event, "file", path);
	if (error->line > 0) {
		event_u64(&event, "line", error->line);
		event_u64(&event, "column", error->column);
	}
	event_str(&event, "text", error->text[0] ? error->text : err_text(err));
	event_end(&event);
}

/* Opens the folder of a file; *name, for mem_free, is the file's name in it. */
static enum err
open_folder(struct proc_env *env, struct span path, struct io_dir **dir, char **name)
{
	size_t slash = span_find_last(path, '/');
	char *folder = slash == path.len ? mem_copy(SPAN("."))
	    : slash == 0                 ? mem_copy(SPAN("/"))
	                                 : mem_copy(span_first(path, slash));
	enum err err = io_dir_open(env->io, folder, dir);

	*name = NULL;
	if (!err)
		*name = mem_copy(slash == path.len ? path : span_skip(path, slash + 1));
	mem_free(folder);
	return err;
}

bool
proc_load_table(struct proc_env *env, struct span path,
    const struct table_options *options, struct table **table)
{
	struct table_error error = {0};
	struct io_dir *dir;
	char *name;
	enum err err;

	*table = NULL;
	if (path.len == 0)
		return true;
	err = open_folder(env, path, &dir, &name);
	if (!err) {
		err = table_load(dir, name, options, table, &error);
		io_dir_close(dir);
	}
	if (err)
		say(env, path, &error, err);
	mem_free(name);
	return err == OK;
}

bool
proc_check_tables(struct proc_env *env)
{
	const struct {
		struct span path;
		const struct table_options *options;
	} tables[] = {
	    {env->conf->mailboxes_path, &table_mailboxes},
	    {env->conf->aliases_path, &table_aliases},
	    {env->conf->passwords_path, &table_passwords},
	    {env->conf->senders_path, &table_senders},
	    {env->conf->credentials_path, &table_credentials},
	};
	bool good = true;

	for (size_t i = 0; i < LEN(tables); i++) {
		struct table *table;

		/* Every table is looked at, so that all mistakes are told at once. */
		good = proc_load_table(env, tables[i].path, tables[i].options, &table) && good;
		table_destroy(table);
	}
	return good;
}

enum err
proc_read_file(struct proc_env *env, struct span path, struct buf *out)
{
	struct io_op op = {0};
	struct io_dir *dir;
	char chunk[4096];
	char *name;
	uint64_t at = 0;
	enum err err;

	err = open_folder(env, path, &dir, &name);
	if (err)
		return err;
	io_open(dir, &op, name, IO_OPEN_READ);
	err = op.err;
	if (!err) {
		struct io_file *file = op.file;

		do {
			io_pread(file, &op, chunk, sizeof(chunk), at);
			err = op.err;
			if (!err)
				buf_add(out, span_of(chunk, op.count));
			at += op.count;
		} while (!err && op.count > 0);
		io_file_close(file);
	}
	mem_wipe(chunk, sizeof(chunk));
	mem_free(name);
	io_dir_close(dir);
	return err ? err : buf_finish(out);
}
