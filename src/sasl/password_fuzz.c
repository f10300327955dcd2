/*
 * Any word of the table of passwords: what is found lies within its bounds, and what was written
 * from it reads back the same.
 */
#include "base/check.h"
#include "sasl/password.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_keys(const struct scram_keys *keys)
{
	check(keys->iterations >= SCRAM_ITERATIONS_MIN &&
	      keys->iterations <= SCRAM_ITERATIONS_MAX);
	check(keys->salt_bytes > 0 && keys->salt_bytes <= SCRAM_SALT_BYTES_MAX);
}

static void
check_same(const struct password *a, const struct password *b)
{
	check(span_eq(a->hash, b->hash) && a->has_scram == b->has_scram);
	if (!a->has_scram)
		return;
	check(a->scram.iterations == b->scram.iterations &&
	      a->scram.salt_bytes == b->scram.salt_bytes);
	check(memcmp(a->scram.salt, b->scram.salt, a->scram.salt_bytes) == 0 &&
	      memcmp(a->scram.stored, b->scram.stored, SCRAM_KEY_BYTES) == 0 &&
	      memcmp(a->scram.server, b->scram.server, SCRAM_KEY_BYTES) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span value = span_of((const char *)data, size);
	struct password password, again;
	struct buf text;

	if (size > PASSWORD_VALUE_BYTES_MAX || !password_parse(value, &password))
		return 0;
	check(password.hash.len > 0 && password.hash.ptr == value.ptr &&
	      password.hash.len <= value.len);
	check(span_find(password.hash, ';') == password.hash.len);
	if (password.has_scram)
		check_keys(&password.scram);
	else
		check(password.hash.len == value.len);
	buf_init(&text, 2 * PASSWORD_VALUE_BYTES_MAX);
	password_write(&text, &password);
	check(buf_finish(&text) == OK);
	check(password_parse(buf_span(&text), &again));
	check_same(&password, &again);
	buf_fini(&text);
	return 0;
}
