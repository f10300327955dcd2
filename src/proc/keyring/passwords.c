/*
 * Hashes are slow on purpose, so they are computed on other threads.  A login that begins with "!"
 * is none: "!secret" is what made-up salts are made from.
 */
#include "proc/keyring/passwords.h"

#include <crypt.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/map.h"
#include "proc/proc_tables.h"

enum { PASSWORD_JOBS_MAX = 256, SECRET_BYTES = 32 };

struct passwords {
	struct proc_env *env;
	struct table *table;
	char secret[SECRET_BYTES];
	uint64_t seed[2];
	unsigned job_count;
	bool have_scram;
};

struct password_job {
	struct passwords *passwords;
	void (*done)(void *owner, bool right); /* NULL: it was left */
	void *owner;
	char *password;
	size_t password_bytes;
	char *hash;
	bool known, right;
	struct io_op op;
};

static const char no_hash[] =
    "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$oVBhTERooSeDwS5UArf51X8xu7gAADzMM8t3hbAEZo8";

static bool
equal_in_constant_time(const char *a, const char *b)
{
	size_t len = strlen(a);
	unsigned char difference = 0;

	if (strlen(b) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		difference |= (unsigned char)(a[i] ^ b[i]);
	return difference == 0;
}

static void
compute(void *argument)
{
	struct password_job *job = argument;
	struct crypt_data *data = mem_alloc(sizeof(*data));
	const char *hash = crypt_r(job->password, job->hash, data);

	job->right = hash && hash[0] != '*' && equal_in_constant_time(hash, job->hash);
	mem_wipe(data, sizeof(*data));
	mem_free(data);
}

static void
computed(struct io_op *op)
{
	struct password_job *job = op->owner;

	job->passwords->job_count--;
	if (job->done)
		job->done(job->owner, job->known && job->right);
	mem_wipe(job->password, job->password_bytes);
	mem_free(job->password);
	mem_free(job->hash);
	mem_free(job);
}

/* False where there is no such login; *password is then that of another, if there is any. */
static bool
find(const struct passwords *passwords, struct span login, struct password *password)
{
	size_t count = table_count(passwords->table), at;
	struct span value;

	if (login.len > 0 && login.ptr[0] != '!' &&
	    table_find(passwords->table, login, &value) &&
	    password_parse(value, password))
		return true;
	*password = (struct password){.hash = span_str(no_hash)};
	if (count == 0)
		return false;
	/* Always the same one for the same login, so that the time says nothing either. */
	at = map_hash(passwords->seed, login) % count;
	if (table_at(passwords->table, at)->key.ptr[0] == '!')
		at = (at + 1) % count;
	if (table_at(passwords->table, at)->key.ptr[0] == '!' ||
	    !password_parse(table_at(passwords->table, at)->value, password))
		*password = (struct password){.hash = span_str(no_hash)};
	return false;
}

bool
passwords_know(const struct passwords *passwords, struct span login)
{
	struct password password;

	return find(passwords, login, &password);
}

void
passwords_keys(const struct passwords *passwords, struct span login,
    struct scram_keys *keys, bool *known)
{
	char folded[TABLE_KEY_BYTES_MAX];
	struct password password;

	*known = find(passwords, login, &password) && password.has_scram;
	*keys = password.scram;
	if (*known)
		return;
	if (!password.has_scram)
		keys->iterations = SCRAM_ITERATIONS;
	login = span_first(login, sizeof(folded));
	scram_invent(
	    keys, span_of(passwords->secret, SECRET_BYTES), span_lower(folded, login));
}

struct password_job *
passwords_check(struct passwords *passwords, struct span login, struct span password,
    void (*done)(void *owner, bool right), void *owner)
{
	struct password found;
	struct password_job *job;

	if (passwords->job_count >= PASSWORD_JOBS_MAX)
		return NULL;
	job = mem_alloc(sizeof(*job));
	job->passwords = passwords;
	job->done = done;
	job->owner = owner;
	job->known = find(passwords, login, &found);
	job->password = mem_copy(password);
	job->password_bytes = password.len;
	job->hash = mem_copy(found.hash);
	/* A NUL in it would end the password early, and let a shorter one pass. */
	if (span_find(password, '\0') < password.len)
		job->known = false;
	job->op = (struct io_op){.done = computed, .owner = job};
	passwords->job_count++;
	io_work(passwords->env->io, &job->op, compute, job);
	return job;
}

void
password_job_leave(struct password_job *job)
{
	if (job)
		job->done = NULL;
}

bool
passwords_have_scram(const struct passwords *passwords)
{
	return passwords->have_scram;
}

static void
say_unreadable(const struct passwords *passwords, const struct table_entry *entry)
{
	struct event event;

	event_begin(&event, &passwords->env->log, "password_refused");
	event_span(&event, "file", passwords->env->conf->passwords_path);
	event_u64(&event, "line", entry->line);
	event_span(&event, "login", entry->key);
	event_str(
	    &event, "text", "neither a hash nor a hash with SCRAM keys; nobody logs in");
	event_end(&event);
}

static void
take_secret(struct passwords *passwords, struct span value)
{
	struct buf secret;

	buf_init(&secret, SECRET_BYTES);
	if (base64_decode(&secret, value) == OK && secret.len == SECRET_BYTES)
		memcpy(passwords->secret, secret.ptr, SECRET_BYTES);
	buf_fini(&secret);
}

static void
look_through(struct passwords *passwords)
{
	size_t logins = 0, scram = 0;

	for (size_t i = 0; i < table_count(passwords->table); i++) {
		const struct table_entry *entry = table_at(passwords->table, i);
		struct password password;

		if (span_eq(entry->key, SPAN("!secret")))
			take_secret(passwords, entry->value);
		if (entry->key.ptr[0] == '!')
			continue;
		logins++;
		if (!password_parse(entry->value, &password))
			say_unreadable(passwords, entry);
		scram += password.has_scram;
		mem_wipe(&password, sizeof(password));
	}
	passwords->have_scram = logins > 0 && scram == logins;
}

struct passwords *
passwords_create(struct proc_env *env)
{
	struct passwords *passwords = mem_alloc(sizeof(*passwords));

	passwords->env = env;
	io_random(env->io, passwords->seed, sizeof(passwords->seed));
	io_random(env->io, passwords->secret, sizeof(passwords->secret));
	if (!proc_load_table(
		env, env->conf->passwords_path, &table_passwords, &passwords->table)) {
		mem_free(passwords);
		return NULL;
	}
	look_through(passwords);
	return passwords;
}
