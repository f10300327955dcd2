/* "postrider spool": the arguments, and the spool that they mean. */
#include "cli/cli_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/id.h"
#include "cli/cli.h"
#include "cli/cli_conf.h"
#include "cli/cli_spool_internal.h"

static const char usage[] =
    "usage: postrider spool check [DIR] [--json]\n"
    "       postrider spool dump ID [--body]\n"
    "       postrider spool backup TO\n"
    "       postrider spool restore BACKUP [TO] --may-deliver-again [--set-aside]\n"
    "\n"
    "  check     reads every byte of a spool and says what is damaged and what is lost\n"
    "            with it; never writes\n"
    "  dump      one message: where it is, its envelope, and what became of it until\n"
    "            now; with --body its body alone\n"
    "  backup    copies the spool into TO, which is made; the server may run\n"
    "  restore   makes a spool from a backup; the server must not run\n"
    "\n"
    "  --config FILE         the server's configuration, which names the spool\n"
    "                        ($POSTRIDER_CONFIG, else /etc/postrider/postrider.conf)\n"
    "  --spool DIR           the spool itself; no configuration is read\n"
    "  --may-deliver-again   you know that what ended since the backup is there again\n"
    "  --set-aside           a spool that is in TO is renamed, not refused\n"
    "  --json                one JSON document, for programs\n"
    "\n"
    "Exit codes: 0 done, or sound; 1 damaged; 2 it cannot be read or written; 65 no\n"
    "such message, 78 or 66 the configuration, 64 wrong use.\n";

static const char *const verbs[] = {"check", "dump", "backup", "restore"};
enum verb { CHECK, DUMP, BACKUP, RESTORE, VERB_COUNT };

int
cli_spool_say(const char *what, const char *path, enum err err)
{
	fprintf(stderr, "postrider: %s %s: %s\n", what, path, err_text(err));
	if (err == ERR_DENIED)
		fprintf(stderr, "Only root and the queue's user may read a spool.\n");
	if (err == ERR_VERSION)
		fprintf(stderr, "It takes a newer postrider than this one (%s).\n",
		    POSTRIDER_VERSION);
	return CLI_SPOOL_FAILED;
}

struct cli_spool_size
cli_spool_size(uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
	struct cli_spool_size size;
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1000 && unit + 1 < LEN(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(size.text, sizeof(size.text), unit && value < 100 ? "%.1f %s" : "%.0f %s",
	    value, units[unit]);
	return size;
}

/*
 * A file as the kernel's list of locks names it, "MAJOR:MINOR:INODE".  On some file systems (btrfs,
 * overlays) the device there is not what stat() says, so it is asked of the mount.
 */
static bool
name_in_locks(const char *path, char *name, size_t size)
{
	unsigned long long mount;
	unsigned major, minor;
	struct statx file;
	char line[4096];
	bool found = false;
	FILE *mounts;

	if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_MNT_ID, &file))
		return false;
	mounts = fopen("/proc/self/mountinfo", "re");
	while (mounts && !found && fgets(line, sizeof(line), mounts))
		found = sscanf(line, "%llu %*u %u:%u ", &mount, &major, &minor) == 3 &&
			mount == file.stx_mnt_id;
	if (mounts)
		fclose(mounts);
	if (found)
		snprintf(name, size, "%02x:%02x:%llu", major, minor,
		    (unsigned long long)file.stx_ino);
	return found;
}

/*
 * A server holds a lock for as long as it lives.  Trying to take it ourselves could make a server
 * fail that starts at this moment; the kernel's list only says.
 */
bool
cli_spool_is_running(const char *path)
{
	char lock[4096], line[256], ours[64], theirs[64];
	bool found = false;
	FILE *locks;

	snprintf(lock, sizeof(lock), "%s/spool.lock", path);
	if (!name_in_locks(lock, ours, sizeof(ours)))
		return false;
	locks = fopen("/proc/locks", "re");
	while (locks && !found && fgets(line, sizeof(line), locks))
		found = sscanf(line, "%*[^:]: FLOCK %*s WRITE %*d %63s", theirs) == 1 &&
			strcmp(ours, theirs) == 0;
	if (locks)
		fclose(locks);
	return found;
}

bool
cli_spool_use(struct cli_spool *spool, const char *path)
{
	enum err err;

	spool->path = path;
	spool->io = io_create();
	err = io_dir_open(spool->io, path, &spool->dir);
	if (err) {
		cli_spool_say("cannot open the spool", path, err);
		cli_spool_close(spool);
		return false;
	}
	spool->running = cli_spool_is_running(path);
	return true;
}

void
cli_spool_close(struct cli_spool *spool)
{
	io_dir_close(spool->dir);
	io_destroy(spool->io);
	spool->dir = NULL;
	spool->io = NULL;
}

enum err
cli_spool_follow(struct spool_verify *verify)
{
	const struct timespec moment = {.tv_nsec = CLI_SPOOL_DOUBT_MS * 1000000L};
	enum err err = spool_verify_pass(verify);

	for (int i = 0; i < 100 && err == ERR_AGAIN; i++) {
		nanosleep(&moment, NULL);
		err = spool_verify_pass(verify);
	}
	return err;
}

struct spool_verify *
cli_spool_look(struct cli_spool *spool)
{
	const struct spool_verify_options options = {.running = spool->running};
	struct spool_verify *verify = NULL;
	enum err err = spool_verify_open(spool->io, spool->dir, &options, &verify);

	if (!err) {
		err = cli_spool_follow(verify);
		if (err == ERR_AGAIN)
			err = OK; /* what is in doubt still is told as it is */
		if (err)
			spool_verify_close(verify);
	}
	if (!err)
		return verify;
	if (err == ERR_NOT_FOUND)
		fprintf(stderr, "postrider: there is no spool in %s\n", spool->path);
	else
		cli_spool_say("cannot read the spool", spool->path, err);
	return NULL;
}

/* The spool's directory from the configuration; NULL, told, with the exit status. */
static char *
find_spool(const char *conf_path, int *status)
{
	struct conf_bundle *bundle;
	struct conf *conf;
	char *path = NULL;
	int loaded = cli_conf_load(
	    conf_path, "names the spool", "; --spool DIR does without", &bundle, &conf);

	if (loaded == EX_OK)
		path = mem_copy(conf->spool_path);
	else
		*status = loaded;
	conf_destroy(conf);
	conf_bundle_destroy(bundle);
	return path;
}

static int
run(struct cli_spool *spool, enum verb verb, const char *path, int words, char **argv)
{
	const char *from = verb == RESTORE ? argv[2] : path;
	const char *restore_to = words > 2 ? argv[3] : path;
	uint64_t id = 0;
	int status = CLI_SPOOL_FAILED;

	if (verb == DUMP && id_parse(span_str(argv[2]), &id) != OK)
		return cli_wrong_use(usage,
		    "\"%s\" is not a queue id; ids are letters and digits, at most %d",
		    cli_quote(argv[2]).text, ID_TEXT_MAX);
	if (!cli_spool_use(spool, from))
		return status;
	switch (verb) {
	case CHECK:
		status = cli_spool_check(spool);
		break;
	case DUMP:
		status = cli_spool_dump(spool, id);
		break;
	case BACKUP:
		status = cli_spool_backup(spool, argv[2]);
		break;
	case RESTORE:
		status = cli_spool_restore(spool, restore_to);
		break;
	case VERB_COUNT:
		check(false);
	}
	cli_spool_close(spool);
	return status;
}

static int
take_verb(const char *word, enum verb *verb)
{
	const char *nearest;

	for (*verb = CHECK; *verb < VERB_COUNT; ++*verb)
		if (strcmp(word, verbs[*verb]) == 0)
			return EX_OK;
	nearest = cli_nearest(word, verbs, LEN(verbs));
	return cli_wrong_use(usage, "there is no \"spool %s\"%s%s%s", cli_quote(word).text,
	    nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static int
check_words(const struct cli_spool *spool, enum verb verb, int words)
{
	static const struct {
		int min, max;
		const char *wanted;
	} rows[VERB_COUNT] = {
	    [CHECK] = {1, 2, "check takes one directory at most"},
	    [DUMP] = {2, 2, "dump which message? Give its id"},
	    [BACKUP] = {2, 2, "backup where to? Give a directory that is not there yet"},
	    [RESTORE] = {2, 3, "restore which backup? Give its directory"},
	};

	if (words < rows[verb].min || words > rows[verb].max)
		return cli_wrong_use(usage, "%s", rows[verb].wanted);
	if (spool->body && verb != DUMP)
		return cli_wrong_use(usage, "--body is for dump");
	if (spool->json && verb != CHECK)
		return cli_wrong_use(usage, "--json is for check");
	if ((spool->may_repeat || spool->set_aside) && verb != RESTORE)
		return cli_wrong_use(
		    usage, "--may-deliver-again and --set-aside are for restore");
	return EX_OK;
}

int
cli_spool(int argc, char **argv)
{
	struct cli_spool spool = {0};
	const char *conf_path = NULL, *given = NULL;
	bool help = false;
	const struct cli_option rows[] = {{"--json", &spool.json, NULL},
	    {"--body", &spool.body, NULL}, {"--help", &help, NULL},
	    {"--may-deliver-again", &spool.may_repeat, NULL},
	    {"--set-aside", &spool.set_aside, NULL}, {"--config", NULL, &conf_path},
	    {"--spool", NULL, &given}};
	int words = cli_options(argc, argv, rows, LEN(rows), usage);
	enum verb verb;
	char *path = NULL;
	int status;

	if (words < 0)
		return EX_USAGE;
	if (help || (words == 1 && strcmp(argv[1], "help") == 0)) {
		fputs(usage, stdout);
		return EX_OK;
	}
	if (words == 0)
		return cli_wrong_use(usage, "what is to be done with the spool?");
	status = take_verb(argv[1], &verb);
	if (status == EX_OK)
		status = check_words(&spool, verb, words);
	if (status != EX_OK)
		return status;
	if (!given && verb == CHECK && words > 1)
		given = argv[2];
	if (given || (verb == RESTORE && words > 2))
		path = mem_copy(span_str(given ? given : argv[3]));
	else
		path = find_spool(conf_path, &status);
	if (path)
		status = run(&spool, verb, path, words, argv);
	mem_free(path);
	return status;
}
