/* Runs of what goes as itself are added at once. */
#include "mime/quoted.h"

static void
make_room(struct quoted *quoted, size_t count)
{
	if (quoted->bytes + count < QUOTED_LINE_BYTES_MAX)
		return;
	buf_add(quoted->out, SPAN("=\r\n"));
	quoted->bytes = 0;
	quoted->broken = true;
}

static void
put_escaped(struct quoted *quoted, char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const unsigned char value = (unsigned char)c;
	const char encoded[] = {'=', digits[value >> 4], digits[value & 15]};

	make_room(quoted, sizeof(encoded));
	buf_add(quoted->out, span_of(encoded, sizeof(encoded)));
	quoted->bytes += sizeof(encoded);
}

static void
put(struct quoted *quoted, char c)
{
	if (quoted_escapes(c)) {
		put_escaped(quoted, c);
		return;
	}
	make_room(quoted, 1);
	if (c == '-' && quoted->broken && quoted->bytes == 0) {
		put_escaped(quoted, c);
		return;
	}
	buf_add_char(quoted->out, c);
	quoted->bytes++;
}

/* What was held is not in front of the end of a line. */
static void
release(struct quoted *quoted)
{
	if (quoted->blank)
		put(quoted, quoted->blank);
	if (quoted->after_cr)
		put_escaped(quoted, '\r');
	quoted->blank = 0;
	quoted->after_cr = false;
}

void
quoted_end_line(struct quoted *quoted)
{
	if (quoted->blank)
		put_escaped(quoted, quoted->blank);
	buf_add(quoted->out, SPAN("\r\n"));
	*quoted = (struct quoted){.out = quoted->out};
}

/* How many octets go as they are, on this line, with none that the next one must be known for. */
static size_t
run_of(const struct quoted *quoted, struct span bytes)
{
	size_t room = QUOTED_LINE_BYTES_MAX - 1 - quoted->bytes;
	size_t count = 0;

	if (quoted->bytes == 0)
		return 0;
	while (count < bytes.len && count < room && !quoted_escapes(bytes.ptr[count]) &&
	    bytes.ptr[count] != '\t')
		count++;
	while (count > 0 && bytes.ptr[count - 1] == ' ')
		count--;
	return count;
}

void
quoted_add(struct quoted *quoted, struct span bytes)
{
	while (bytes.len > 0) {
		const char c = bytes.ptr[0];
		size_t run;

		if (quoted->after_cr && c == '\n') {
			quoted_end_line(quoted);
			bytes = span_skip(bytes, 1);
			continue;
		}
		if (quoted->after_cr || (quoted->blank && c != '\r'))
			release(quoted);
		run = run_of(quoted, bytes);
		buf_add(quoted->out, span_first(bytes, run));
		quoted->bytes += run;
		bytes = span_skip(bytes, run);
		if (run > 0)
			continue;
		if (c == '\r')
			quoted->after_cr = true;
		else if (c == ' ' || c == '\t')
			quoted->blank = c;
		else
			put(quoted, c);
		bytes = span_skip(bytes, 1);
	}
}

void
quoted_finish(struct quoted *quoted, bool mid_line)
{
	if (quoted->after_cr)
		release(quoted);
	if (quoted->blank)
		put_escaped(quoted, quoted->blank);
	quoted->blank = 0;
	if (mid_line && quoted->bytes > 0)
		buf_add(quoted->out, SPAN("=\r\n"));
}
