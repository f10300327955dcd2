/* Whatever somebody pastes: a story, and a page of it that is printable. */
#include "rules/story.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct page page = {.width = PAGE_WIDTH};
	struct story story;
	struct buf out;

	buf_init(&out, 8 << 20);
	page.out = &out;
	story_read(&story, span_of((const char *)data, size));
	check((story.kind == STORY_NOTHING) == (story.rcpt_count == 0));
	check(story.rcpt_count <= STORY_RCPTS_MAX);
	story_page(&page, &story);
	check(buf_finish(&out) == OK);
	for (size_t i = 0; i < out.len; i++)
		check((unsigned char)out.ptr[i] >= ' ' || out.ptr[i] == '\n');
	story_fini(&story);
	buf_fini(&out);
	return 0;
}
