/*
 * "postrider reference DIR": writes the web reference as files, to be opened from a disk or put on
 * any web server.  The same catalogue gives the same bytes.
 *
 * A directory that is not empty is taken only where an earlier run has left its mark there: the
 * names of what it wrote.  A file that has the name of a page and is not in that list is somebody
 * else's, and nothing is written then.
 */
#include "cli/cli_reference.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"
#include "cli/cli.h"
#include "web/web.h"

enum {
	LIST_BYTES_MAX = 16 << 20,
	PATH_BYTES_MAX = 512,
};

static const char list_name[] = ".postrider-reference";
static const char usage[] =
    "usage: postrider reference [--lang LANGUAGE,...] DIR\n"
    "\n"
    "Writes the reference of all codes, comparisons and topics as web pages into DIR,\n"
    "which is made where it is not there. Open DIR/index.html, or put DIR on a web server.\n"
    "The pages load nothing from elsewhere. Run again, it replaces its own files, and\n"
    "removes those that are no longer needed; it never touches the files of others.\n"
    "\n"
    "  --lang LANGUAGE,...    only these languages, as en,de,zh; otherwise all. English is\n"
    "                         at DIR/252, another one at DIR/de/252\n"
    "\n"
    "To serve them from the mail server itself: \"listen http on\" in the configuration.\n";

struct writer {
	const char *dir;
	int fd; /* of dir */
	struct web_site site;
	const struct language *language;
	struct buf page;
	struct buf list;     /* names of what is written now, one a line */
	struct buf old_list; /* and of what was written before */
	struct map old;      /* the same, to be found */
	size_t files, bytes;
	bool check_only;     /* look whether a file is in the way */
	int status;
};

static void
fail(struct writer *writer, const char *what, const char *path)
{
	if (writer->status == EX_OK)
		fprintf(stderr, "postrider: cannot %s %s%s%s: %s\n", what, writer->dir,
		    *path ? "/" : "", path, strerror(errno));
	writer->status = EX_CANTCREAT;
}

/* Makes the folders that a path needs. */
static bool
make_folders(struct writer *writer, char *path)
{
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(writer->fd, path, 0755) && errno != EEXIST) {
			fail(writer, "make the folder", path);
			return false;
		}
		*slash = '/';
	}
	return true;
}

/* Beside it first: whoever reads meanwhile finds the old page or the new one. */
static void
put_file(struct writer *writer, char *path, struct span bytes)
{
	static const char beside[] = ".postrider-reference.new";
	int fd;

	if (!make_folders(writer, path))
		return;
	fd = openat(writer->fd, beside,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0) {
		fail(writer, "write", beside);
		return;
	}
	while (bytes.len) {
		ssize_t count = write(fd, bytes.ptr, bytes.len);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			break;
		bytes = span_skip(bytes, (size_t)count);
	}
	if (bytes.len || close(fd) || renameat(writer->fd, beside, writer->fd, path))
		fail(writer, "write", path);
}

static void
put_list(struct writer *writer, struct span names)
{
	char name[sizeof(list_name)];

	memcpy(name, list_name, sizeof(name));
	put_file(writer, name, names);
}

/* A file that no earlier run has written. */
static void
look_for_foreign(struct writer *writer, const char *path)
{
	struct stat status;

	if (map_get(&writer->old, span_str(path)) ||
	    fstatat(writer->fd, path, &status, AT_SYMLINK_NOFOLLOW))
		return;
	if (writer->status == EX_OK)
		fprintf(stderr,
		    "postrider: %s/%s is there already and is not from \"postrider reference\"; "
		    "nothing was written\n",
		    writer->dir, path);
	writer->status = EX_CANTCREAT;
}

static void
take(void *owner, const struct web_target *target)
{
	struct writer *writer = owner;
	struct web_page page = {.out = &writer->page,
	    .site = &writer->site,
	    .language = writer->language,
	    .target = *target};
	struct buf path;

	if (writer->status != EX_OK)
		return;
	buf_init(&path, PATH_BYTES_MAX);
	web_file_path(&path, writer->language, target);
	buf_add_char(&path, '\0');
	check(buf_finish(&path) == OK);
	if (writer->check_only) {
		look_for_foreign(writer, path.ptr);
		buf_addf(&writer->list, "%s\n", path.ptr);
	} else {
		buf_reset(&writer->page);
		web_page_write(&page);
		check(buf_finish(&writer->page) == OK);
		put_file(writer, path.ptr, buf_span(&writer->page));
		writer->files++;
		writer->bytes += writer->page.len;
	}
	buf_fini(&path);
}

static void
take_all(struct writer *writer)
{
	take(writer, &(struct web_target){.kind = WEB_STYLE});
	take(writer, &(struct web_target){.kind = WEB_SCRIPT});
	for (size_t i = 0; i < writer->site.language_count; i++) {
		writer->language = writer->site.languages[i];
		web_each(take, writer);
	}
}

/* What an earlier run wrote; an empty list where there was none. */
static void
read_list(struct writer *writer)
{
	int fd = openat(writer->fd, list_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char bytes[65536];
	struct span rest, line;
	ssize_t count;

	while (fd >= 0 && (count = read(fd, bytes, sizeof(bytes))) > 0)
		buf_add(&writer->old_list, span_of(bytes, (size_t)count));
	if (fd >= 0)
		close(fd);
	rest = buf_span(&writer->old_list);
	while (rest.len && span_cut(&rest, '\n', &line))
		map_set(&writer->old, line, writer);
}

/* Pages of an earlier run that there are no more; folders that are empty then. */
static void
remove_old(struct writer *writer)
{
	struct span rest = buf_span(&writer->list), line;

	while (rest.len && span_cut(&rest, '\n', &line))
		(void)map_remove(&writer->old, line);
	rest = buf_span(&writer->old_list);
	while (rest.len && span_cut(&rest, '\n', &line)) {
		char path[PATH_BYTES_MAX];
		char *slash;

		if (!map_get(&writer->old, line) || line.len >= sizeof(path) ||
		    line.ptr[0] == '/' || memmem(line.ptr, line.len, "..", 2))
			continue;
		memcpy(path, line.ptr, line.len);
		path[line.len] = '\0';
		(void)unlinkat(writer->fd, path, 0);
		while ((slash = strrchr(path, '/')) != NULL) {
			*slash = '\0';
			if (unlinkat(writer->fd, path, AT_REMOVEDIR))
				break;
		}
	}
}

static int
write_all(struct writer *writer)
{
	if (mkdir(writer->dir, 0755) && errno != EEXIST) {
		fail(writer, "make", "");
		return writer->status;
	}
	writer->fd = open(writer->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (writer->fd < 0) {
		fail(writer, "open", "");
		return writer->status;
	}
	read_list(writer);
	writer->check_only = true;
	take_all(writer);
	writer->check_only = false;
	/* The old and the new first: a run that is cut off leaves nothing that looks foreign. */
	if (writer->status == EX_OK) {
		buf_add(&writer->page, buf_span(&writer->old_list));
		buf_add(&writer->page, buf_span(&writer->list));
		put_list(writer, buf_span(&writer->page));
	}
	if (writer->status == EX_OK)
		take_all(writer);
	if (writer->status == EX_OK)
		remove_old(writer);
	if (writer->status == EX_OK)
		put_list(writer, buf_span(&writer->list));
	close(writer->fd);
	return writer->status;
}

/* "en,de": the languages of the site, each once. */
static bool
choose(struct web_site *site, const char *tags)
{
	struct span rest = span_str(tags), tag;

	site->language_count = 0;
	while (rest.len && span_cut(&rest, ',', &tag)) {
		const struct language *language;
		bool there = false;

		if (!language_find(span_trim(tag), &language)) {
			fprintf(stderr,
			    "postrider: there is no language \"%s\" here; there are en",
			    cli_quote(tags).text);
			for (size_t i = 0; (language = language_at(i)) != NULL; i++)
				fprintf(stderr, ", %s", language_tag(language));
			fprintf(stderr, "\n");
			return false;
		}
		for (size_t i = 0; i < site->language_count; i++)
			there = there || site->languages[i] == language;
		if (!there)
			site->languages[site->language_count++] = language;
	}
	if (site->language_count > 0)
		return true;
	fprintf(stderr, "postrider: --lang names no language\n");
	return false;
}

int
cli_reference(int argc, char **argv)
{
	static const uint64_t seed[2] = {1, 2};
	struct writer writer = {.status = EX_OK};
	const char *tags = NULL;
	bool help = false;
	const struct cli_option rows[] = {{"--help", &help, NULL}, {"--lang", NULL, &tags}};
	int words = cli_options(argc, argv, rows, LEN(rows), usage);
	int status;

	if (words < 0)
		return EX_USAGE;
	if (help) {
		fputs(usage, stdout);
		return EX_OK;
	}
	if (words != 1)
		return cli_wrong_use(
		    usage, words ? "one directory at a time" : "into which directory?");
	web_site_init(&writer.site, false);
	if (tags && !choose(&writer.site, tags))
		return EX_USAGE;
	writer.dir = argv[1];
	buf_init(&writer.page, WEB_PAGE_BYTES_MAX);
	buf_init(&writer.list, LIST_BYTES_MAX);
	buf_init(&writer.old_list, LIST_BYTES_MAX);
	map_init(&writer.old, seed);
	status = write_all(&writer);
	if (status == EX_OK)
		printf("%zu files, %zu.%zu MB, in %zu language%s; open %s/%s%sindex.html\n",
		    writer.files, writer.bytes / 1000000, writer.bytes / 100000 % 10,
		    writer.site.language_count, writer.site.language_count == 1 ? "" : "s",
		    writer.dir,
		    writer.site.languages[0] ? language_tag(writer.site.languages[0]) : "",
		    writer.site.languages[0] ? "/" : "");
	buf_fini(&writer.page);
	buf_fini(&writer.list);
	buf_fini(&writer.old_list);
	map_fini(&writer.old);
	return status;
}
