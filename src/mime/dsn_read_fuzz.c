/* A notification that anybody may send us: bounded, inside its memory, the same twice. */
#include "mime/dsn_read.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dsn_read read, again;

	dsn_read(&read, span_of((const char *)data, size));
	dsn_read(&again, span_of((const char *)data, size));
	check(read.rcpt_count == again.rcpt_count && read.rcpt_count <= DSN_READ_RCPTS_MAX);
	check(read.text.len <= DSN_READ_TEXT_BYTES_MAX);
	for (size_t i = 0; i < read.rcpt_count; i++) {
		const struct dsn_read_rcpt *rcpt = &read.rcpts[i];

		check(rcpt->words.len <= DSN_READ_WORDS_BYTES_MAX);
		check(rcpt->status.len < 12 && rcpt->address.len <= 1200);
		check(span_eq(rcpt->words, again.rcpts[i].words));
		check(span_find(rcpt->words, '\n') == rcpt->words.len);
	}
	dsn_read_fini(&read);
	dsn_read_fini(&again);
	return 0;
}
