/* Any lines as Dovecot's: what is found lies in the line, and nobody is let in without a name. */
#include "base/check.h"
#include "sasl/dovecot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_inside(struct span line, struct span part)
{
	check(part.len == 0 ||
	      (part.ptr >= line.ptr && part.ptr + part.len <= line.ptr + line.len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of((const char *)data, size), line;
	struct dovecot_line parsed;

	while (span_cut(&rest, '\n', &line)) {
		if (!dovecot_parse(line, &parsed))
			continue;
		check_inside(line, parsed.user);
		check_inside(line, parsed.data);
		check(parsed.kind != DOVECOT_OK || parsed.user.len > 0);
		check((unsigned)parsed.mechanism <= SASL_MECHANISM_COUNT);
	}
	return 0;
}
