/*
 * Reads what the bundle wants until it wants nothing more.  A file that cannot be read is
 * told to the bundle, so that the error has the place where the file is named.
 */
#include "proc/supervisor/conf_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

const char *
conf_load_default_path(void)
{
	const char *path = getenv("POSTRIDER_CONFIG");

	return path && path[0] ? path : "/etc/postrider/postrider.conf";
}

/* Reads all of an open file; *reason says why not. */
static enum err
read_all(int fd, struct buf *text, const char **reason)
{
	char piece[16384];
	ssize_t got;

	for (;;) {
		got = read(fd, piece, sizeof(piece));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			*reason = strerror(errno);
			return err_from_errno(errno);
		}
		if (got == 0)
			return OK;
		buf_add(text, span_of(piece, (size_t)got));
		if (buf_finish(text) != OK) {
			*reason = text->bytes_max > CONF_FILE_BYTES_MAX
			    ? "it is larger than 64 MB"
			    : "it is larger than 1 MB";
			return ERR_TOO_LONG;
		}
	}
}

static enum err
read_file(const char *path, struct buf *text, const char **reason)
{
	struct stat status;
	enum err err;
	int fd;

	/* A pipe without a writer must not stop us, nor a terminal become ours. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		*reason = strerror(errno);
		return err_from_errno(errno);
	}
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
		*reason = "it is not a regular file";
		err = ERR_IO;
	} else {
		err = read_all(fd, text, reason);
	}
	close(fd);
	return err;
}

/* Roles do not keep our working directory, so names in the conf are absolute. */
static void
absolute(const char *path, struct buf *name)
{
	char folder[CONF_PATH_BYTES_MAX];

	while (path[0] == '.' && path[1] == '/')
		path += 2;
	if (path[0] != '/' && getcwd(folder, sizeof(folder)) != NULL) {
		buf_add_str(name, folder);
		buf_add_char(name, '/');
	}
	buf_add_str(name, path);
}

static enum err
load_main(const char *path, struct conf_bundle *bundle, struct buf *problems)
{
	const char *reason = NULL;
	struct buf name, text;
	enum err err;

	buf_init(&name, 2 * (size_t)CONF_PATH_BYTES_MAX);
	buf_init(&text, CONF_FILE_BYTES_MAX);
	absolute(path, &name);
	err = read_file(path, &text, &reason);
	if (!err) {
		err = conf_bundle_add(bundle, buf_span(&name), buf_span(&text));
		reason = err_text(err);
	}
	if (err)
		buf_addf(problems, "cannot read %s: %s\n", path, reason);
	buf_fini(&name);
	buf_fini(&text);
	return err;
}

/* Includes, certificates, tables of routes. */
static enum err
load_wanted(struct conf_bundle *bundle, struct span name)
{
	char *path = mem_copy(name);
	const char *reason = NULL;
	struct buf text;
	enum err err;

	buf_init(&text, conf_bundle_bytes_max(bundle, name));
	if (read_file(path, &text, &reason) == OK)
		err = conf_bundle_add(bundle, name, buf_span(&text));
	else
		err = conf_bundle_add_unreadable(bundle, name, span_str(reason));
	buf_fini(&text);
	mem_free(path);
	return err;
}

static enum err
parse(struct conf_bundle *bundle, struct conf **conf, struct buf *problems)
{
	struct conf_error errors[CONF_ERRORS_MAX];
	size_t count;
	enum err err = conf_parse(bundle, conf, errors, &count);

	for (size_t i = 0; i < count; i++)
		conf_error_write(problems, &errors[i]);
	if (count == CONF_ERRORS_MAX)
		buf_add_str(problems, "There may be more problems after these.\n");
	return err;
}

enum err
conf_load_bundle(const char *path, struct conf_bundle **bundle, struct buf *problems)
{
	struct conf_bundle *files = conf_bundle_create();
	struct span wanted;
	enum err err;

	*bundle = NULL;
	err = load_main(path, files, problems);
	while (!err && conf_bundle_wants(files, &wanted))
		err = load_wanted(files, wanted);
	if (err) {
		conf_bundle_destroy(files);
		return err;
	}
	*bundle = files;
	return OK;
}

enum err
conf_load(const char *path, struct conf_bundle **bundle, struct conf **conf,
    struct buf *problems)
{
	struct conf_bundle *files;
	enum err err;

	*bundle = NULL;
	*conf = NULL;
	err = conf_load_bundle(path, &files, problems);
	if (err)
		return err;
	err = parse(files, conf, problems);
	if (err) {
		conf_bundle_destroy(files);
		return err;
	}
	*bundle = files;
	return OK;
}
