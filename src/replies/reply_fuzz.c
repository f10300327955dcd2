/*
 * Any bytes as a reply line of another server, as a question to "explain", and
 * as the arguments of each reply of ours: what we write must read back as
 * itself, line by line.
 */
#include "base/check.h"
#include "replies/explain.h"
#include "replies/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_back(struct span out, unsigned code)
{
	struct reply_parts parts = {.more = true};
	struct span line;

	while (span_cut(&out, '\n', &line)) {
		check(parts.more);
		check(line.len > 0 && line.len < REPLY_LINE_BYTES_MAX);
		check(line.ptr[line.len - 1] == '\r');
		line = span_first(line, line.len - 1);
		check(span_find(line, '\r') == line.len);
		check(reply_parse(line, &parts) == OK);
		check(parts.code == code);
	}
	check(!parts.more);
}

/* The page about anything is whole, and passes no control character on. */
static void
explain_any(struct span question)
{
	struct explain explain;
	struct page page = {.width = PAGE_WIDTH};
	struct buf out;

	if (explain_parse(question, &explain) != OK)
		return;
	check(explain.group || *explain.basic.name || *explain.status.name ||
	      explain.topic_count);
	buf_init(&out, 1 << 16);
	page.out = &out;
	explain_page(&page, &explain);
	check(buf_finish(&out) == OK);
	check(out.len > 0);
	for (size_t i = 0; i < out.len; i++)
		check((unsigned char)out.ptr[i] >= 0x20 || out.ptr[i] == '\n');
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_of((const char *)data, size);
	struct reply_parts parts;
	struct reply reply = {0};
	struct buf out;

	if (reply_parse(input, &parts) == OK) {
		check(parts.code >= 200 && parts.code <= 599);
		check(parts.status[0] == 0 || parts.status[0] == parts.code / 100);
		check(parts.status[1] <= 999 && parts.status[2] <= 999);
		check(parts.text.len <= size);
		check(parts.text.len == 0 ||
		      parts.text.ptr + parts.text.len == input.ptr + size);
	}
	explain_any(input);
	if (size < 2)
		return 0;
	reply.id = (enum reply_id)(data[0] % REPLY_COUNT);
	input = span_skip(input, 2);
	for (size_t i = 0; i < REPLY_ARGS_MAX; i++)
		reply.args[i] = span_skip(input, i);
	/* Each line feed of the input may become a line with its code in front. */
	buf_init(&out, 64 + (size + REPLY_LINE_BYTES_MAX) * 16);
	reply_write(&out, &reply, data[1] & 1, data[1] & 2);
	check(buf_finish(&out) == OK);
	read_back(buf_span(&out), reply_code(reply.id));
	buf_reset(&out);
	reply_text(&out, &reply);
	check(buf_finish(&out) == OK);
	buf_fini(&out);
	return 0;
}
