/*
 * Any bytes as a request: method, target, fields and body, parted by line ends.  Each answer is
 * whole, and whatever was asked, no byte of it is mark-up that the pages do not have themselves.
 */
#include "base/check.h"
#include "web/web_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "zqx" followed by a sign of mark-up would be the question's own: it is in no page of ours. */
static void
look_at(struct span body)
{
	for (size_t i = 0; i < body.len; i++) {
		unsigned char c = (unsigned char)body.ptr[i];

		check(c >= 0x20 || c == '\n' || c == '\t');
		check(body.len - i < 4 || memcmp(body.ptr + i, "<zqx", 4) != 0);
		check(body.len - i < 5 || memcmp(body.ptr + i, "\" zqx", 5) != 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of((const char *)data, size);
	struct span *fields[5];
	struct web_request request = {0};
	struct web_answer answer;

	fields[0] = &request.method;
	fields[1] = &request.target;
	fields[2] = &request.accept_language;
	fields[3] = &request.if_none_match;
	fields[4] = &request.content_type;
	for (size_t i = 0; i < LEN(fields); i++)
		(void)span_cut(&rest, '\n', fields[i]);
	request.body = span_first(rest, WEB_PASTE_BYTES_MAX);
	request.too_long = rest.len > WEB_PASTE_BYTES_MAX;
	web_answer(&request, &answer);
	check(answer.status >= 200 && answer.status < 500);
	check(answer.type && answer.cache);
	check((answer.status == 303) == (*answer.location != '\0'));
	check(answer.status == 303 || answer.status == 304 || answer.body.len > 0);
	check((answer.status == 405) == (answer.allow != NULL));
	for (const char *c = answer.location; *c; c++)
		check(*c > 0x20 && *c < 0x7f && *c != '"');
	look_at(buf_span(&answer.body));
	web_answer_fini(&answer);
	return 0;
}
