/*
 * Any bytes as a submitted header, whole and in pieces: both give the same; what is kept has no
 * Bcc, one From, a Date and a Message-ID, and its addresses have no line ends in them.
 */
#include "base/check.h"
#include "mime/header.h"
#include "mime/submission.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct submission *
run(const struct submission_rules *rules, struct span message, size_t piece_bytes,
    struct buf *kept)
{
	struct submission *submission = submission_create(rules);

	while (message.len > 0) {
		struct span piece = span_first(message, piece_bytes);
		size_t before = kept->len, taken = submission_take(submission, piece, kept);

		check(taken <= piece.len);
		check(kept->len - before <= taken + SUBMISSION_ADDED_BYTES_MAX);
		if (submission_wrong(submission).len == 0)
			buf_add(kept, span_skip(piece, taken));
		message = span_skip(message, piece.len);
	}
	submission_finish(submission, kept);
	return submission;
}

static void
check_kept(struct span kept)
{
	struct header_field field;
	size_t froms = 0;

	while (header_next(&kept, &field)) {
		check(!span_eq_nocase(field.name, SPAN("bcc")));
		check(!span_eq_nocase(field.name, SPAN("resent-bcc")));
		froms += span_eq_nocase(field.name, SPAN("from"));
	}
	/* The whole of it was fields, up to the empty line. */
	check(kept.len == 0 || span_starts(kept, SPAN("\r\n")));
	check(froms == 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct submission_rules rules = {
	    .hostname = SPAN("mail.example.org"), .author = SPAN("me@b.example")};
	struct submission *whole, *cut;
	struct buf kept, kept_cut;
	struct span message, addresses, one;

	if (size < 1)
		return 0;
	rules.sender_vouches = data[0] & 1;
	message = span_of((const char *)data + 1, size - 1);
	buf_init(&kept, size + 4 * SUBMISSION_ADDED_BYTES_MAX);
	buf_init(&kept_cut, size + 4 * SUBMISSION_ADDED_BYTES_MAX);
	whole = run(&rules, message, size, &kept);
	cut = run(&rules, message, 1 + (data[0] >> 1), &kept_cut);
	check(span_eq(submission_wrong(whole), submission_wrong(cut)));
	if (submission_wrong(whole).len == 0) {
		check(buf_finish(&kept) == OK && buf_finish(&kept_cut) == OK);
		check(span_eq(buf_span(&kept), buf_span(&kept_cut)));
		check_kept(buf_span(&kept));
		check(header_has(buf_span(&kept), SPAN("date")));
		check(header_has(buf_span(&kept), SPAN("message-id")));
		addresses = submission_addresses(whole);
		check(span_eq(addresses, submission_addresses(cut)));
		check(addresses.len > 0 && addresses.ptr[addresses.len - 1] == '\n');
		while (span_cut(&addresses, '\n', &one)) {
			check(span_find(one, '@') < one.len);
			check(span_find(one, '\r') == one.len);
		}
	}
	submission_destroy(whole);
	submission_destroy(cut);
	buf_fini(&kept);
	buf_fini(&kept_cut);
	return 0;
}
