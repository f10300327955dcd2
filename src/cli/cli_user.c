/*
 * postrider user: the logins of the table of passwords.  A login gets a yescrypt hash and the keys
 * of SCRAM; the running server is told to read the table again.
 */
#include "cli/cli_user.h"

#include <crypt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/check.h"
#include "cli/cli.h"
#include "cli/cli_user_internal.h"
#include "proc/supervisor/conf_load.h"
#include "sasl/password.h"
#include "sasl/sasl.h"

static const char usage[] =
    "usage: postrider user list\n"
    "       postrider user add LOGIN\n"
    "       postrider user passwd LOGIN\n"
    "       postrider user remove LOGIN\n"
    "\n"
    "Logins and passwords of those who may send mail, in the file of \"passwords from\".\n"
    "A password is asked for, or is a line of standard input; it is never an argument.\n"
    "\n"
    "  --config FILE   the server's configuration, which names the file\n"
    "                  ($POSTRIDER_CONFIG, else /etc/postrider/postrider.conf)\n"
    "  --file FILE     the file itself; no configuration is read, no server told\n"
    "  --no-reload     the running server is not told; it goes on with what it has read\n"
    "\n"
    "Exit codes: 0 done; 1 no such login, or one that is there already; 65 a login or\n"
    "password that cannot be used; 73 the file cannot be written; 78 or 66 the\n"
    "configuration; 64 wrong use.\n";

static const char *const verbs[] = {"list", "add", "passwd", "remove"};
enum verb { LIST, ADD, PASSWD, REMOVE, VERB_COUNT };

enum { USER_REFUSED = 1 };

static void
fill_random(void *bytes, size_t count)
{
	check(getrandom(bytes, count, 0) == (ssize_t)count);
}

static bool
make_value(struct span password, struct buf *value)
{
	struct password made = {.has_scram = true};
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], random[32],
	    text[SASL_PASSWORD_BYTES_MAX + 1];
	struct crypt_data *data = mem_alloc(sizeof(*data));
	const char *hash;

	fill_random(random, sizeof(random));
	check(password.len < sizeof(text));
	memcpy(text, password.ptr, password.len);
	text[password.len] = '\0';
	check(
	    crypt_gensalt_rn("$y$", 0, random, sizeof(random), setting, sizeof(setting)));
	hash = crypt_r(text, setting, data);
	made.scram.iterations = SCRAM_ITERATIONS;
	made.scram.salt_bytes = SCRAM_SALT_BYTES;
	fill_random(made.scram.salt, SCRAM_SALT_BYTES);
	made.hash = span_str(hash);
	if (hash && hash[0] != '*' && scram_derive(&made.scram, password) == OK)
		password_write(value, &made);
	mem_wipe(text, sizeof(text));
	mem_wipe(data, sizeof(*data));
	mem_free(data);
	mem_wipe(&made, sizeof(made));
	return value->len > 0;
}

/* What stands for the salts of logins that are not there. */
static void
add_secret(struct user_file *file)
{
	struct span there;
	char random[32];
	struct buf value;

	if (table_find(file->table, SPAN("!secret"), &there))
		return;
	fill_random(random, sizeof(random));
	buf_init(&value, 64);
	base64_encode(&value, span_of(random, sizeof(random)));
	user_file_set(file, "!secret", buf_span(&value));
	buf_fini(&value);
}

static int
list(const struct user_file *file)
{
	for (size_t i = 0; i < table_count(file->table); i++) {
		const struct table_entry *entry = table_at(file->table, i);
		struct password password;
		bool good = password_parse(entry->value, &password);

		if (entry->key.ptr[0] == '!')
			continue;
		printf("%-30.*s %s\n", SPAN_ARGS(entry->key),
		    !good		 ? "cannot log in: line is malformed"
		    : password.has_scram ? "PLAIN, LOGIN, SCRAM"
					 : "PLAIN, LOGIN");
	}
	return EX_OK;
}

/* A login is written into a line of its own, and said in logs and headers. */
static bool
is_usable(const char *login)
{
	size_t len = strlen(login);

	if (len == 0 || len > SASL_LOGIN_BYTES_MAX || login[0] == '!' || login[0] == '#')
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)login[i] <= 0x20 || login[i] == 0x7f ||
		    strchr(":\"[]\\", login[i]))
			return false;
	return true;
}

static int
change(struct user_file *file, enum verb verb, const char *login)
{
	struct span there;
	bool known = table_find(file->table, span_str(login), &there);
	struct buf password, value;
	int status = EX_DATAERR;

	if (known == (verb == ADD)) {
		fprintf(stderr, "postrider: %s %s\n", cli_quote(login).text,
		    known ? "is there already; \"user passwd\" changes the password"
			  : "is not there; \"user list\" says who is");
		return USER_REFUSED;
	}
	buf_init(&value, PASSWORD_VALUE_BYTES_MAX);
	if (verb == REMOVE) {
		user_file_set(file, login, SPAN(""));
		return user_file_write(file) ? EX_OK : EX_CANTCREAT;
	}
	buf_init(&password, SASL_PASSWORD_BYTES_MAX + 2);
	if (user_password_read(&password) && make_value(buf_span(&password), &value)) {
		/* It goes to the end, so the line numbers of the table stay right. */
		user_file_set(file, login, buf_span(&value));
		add_secret(file);
		status = user_file_write(file) ? EX_OK : EX_CANTCREAT;
	}
	mem_wipe(password.ptr, password.room);
	buf_fini(&password);
	buf_fini(&value);
	return status;
}

/* The server's process: the kernel says who listens at the control socket.  0: none does. */
static pid_t
find_server(struct span control_path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && control_path.len < sizeof(address.sun_path)) {
		memcpy(address.sun_path, control_path.ptr, control_path.len);
		if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) ||
		    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
			peer.pid = 0;
	}
	if (fd >= 0)
		close(fd);
	return peer.pid;
}

static void
tell_server(struct span control_path, bool no_reload)
{
	pid_t pid = find_server(control_path);

	if (pid <= 1)
		return;
	if (no_reload || kill(pid, SIGHUP))
		printf(
		    "The running server knows of it after \"kill -HUP %d\".\n", (int)pid);
	else
		printf("The running server (%d) was told to reload.\n", (int)pid);
}

static int
work(enum verb verb, const char *login, const char *path)
{
	struct user_file file;
	int status = EX_CANTCREAT;

	if (user_file_open(&file, path))
		status = verb == LIST ? list(&file) : change(&file, verb, login);
	user_file_close(&file);
	return status;
}

static int
work_by_config(enum verb verb, const char *login, const char *conf_path, bool no_reload)
{
	struct conf_bundle *bundle = NULL;
	struct conf *conf = NULL;
	struct buf problems;
	int status = EX_CONFIG;
	enum err err;

	buf_init(&problems, 64 << 10);
	err = conf_load(
	    conf_path ? conf_path : conf_load_default_path(), &bundle, &conf, &problems);
	if (err) {
		fprintf(stderr, "postrider: the configuration names the file, but:\n%.*s",
		    SPAN_ARGS(buf_span(&problems)));
		status = err == ERR_SYNTAX ? EX_CONFIG : EX_NOINPUT;
	} else if (conf->passwords_path.len == 0) {
		fprintf(stderr,
		    "postrider: the configuration has no \"passwords from FILE\"\n");
	} else {
		char *path = mem_copy(conf->passwords_path);

		status = work(verb, login, path);
		mem_free(path);
		if (status == EX_OK && verb != LIST)
			tell_server(conf->control_path, no_reload);
	}
	buf_fini(&problems);
	conf_destroy(conf);
	conf_bundle_destroy(bundle);
	return status;
}

int
cli_user(int argc, char **argv)
{
	bool asked = false, no_reload = false;
	const char *conf_path = NULL, *path = NULL;
	const struct cli_option options[] = {{"--help", &asked, NULL},
	    {"--no-reload", &no_reload, NULL}, {"--config", NULL, &conf_path},
	    {"--file", NULL, &path}};
	int words = cli_options(argc, argv, options, LEN(options), usage);
	unsigned verb = 0;

	if (words < 0)
		return EX_USAGE;
	if (asked) {
		fputs(usage, stdout);
		return EX_OK;
	}
	while (words > 0 && verb < VERB_COUNT && strcmp(argv[1], verbs[verb]) != 0)
		verb++;
	if (words == 0 || verb == VERB_COUNT)
		return cli_wrong_use(usage, "user list, add, passwd or remove?");
	if (words != (verb == LIST ? 1 : 2))
		return cli_wrong_use(
		    usage, verb == LIST ? "list takes no login" : "one login is needed");
	if (verb != LIST && !is_usable(argv[2])) {
		fprintf(stderr,
		    "postrider: %s cannot be a login: no blanks, colons, quotes, "
		    "brackets, nor \"!\" or \"#\" at its start\n",
		    cli_quote(argv[2]).text);
		return EX_DATAERR;
	}
	return path ? work((enum verb)verb, verb == LIST ? "" : argv[2], path)
		    : work_by_config((enum verb)verb, verb == LIST ? "" : argv[2],
			  conf_path, no_reload);
}
