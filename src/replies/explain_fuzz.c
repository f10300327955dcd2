/*
 * Any question: what is found in it lies inside of it, and its page, in each format, is text
 * without control characters.
 */
#include "base/check.h"
#include "replies/explain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_BYTES_MAX = 4 << 20 };

static void
check_inside(struct span part, struct span whole)
{
	check(part.len == 0 ||
	      (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span question = {(const char *)data, size};
	struct explain explain;
	struct buf out;

	if (explain_parse(question, &explain) != OK)
		return 0;
	check_inside(explain.reply, question);
	check_inside(explain.found, question);
	check(explain.topic_count <= EXPLAIN_TOPICS_MAX);
	buf_init(&out, OUT_BYTES_MAX);
	for (unsigned format = PAGE_TEXT; format <= PAGE_HTML; format++) {
		struct page page = {
		    .out = &out, .width = size % 120, .format = (enum page_format)format};

		buf_reset(&out);
		page_begin(&page, question);
		explain_page(&page, &explain);
		page_end(&page);
		check(buf_finish(&out) == OK);
		for (size_t i = 0; i < out.len; i++)
			check((unsigned char)out.ptr[i] >= ' ' || out.ptr[i] == '\n');
	}
	buf_fini(&out);
	return 0;
}
