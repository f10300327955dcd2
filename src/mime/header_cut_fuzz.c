/* Any message, in pieces of any size: what stays and what is kept is the same as in one piece. */
#include "base/arena.h"
#include "base/check.h"
#include "mime/header_cut.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run(struct header_cut *cut, struct span message, size_t piece_bytes, struct buf *out)
{
	*cut = header_cut_init(SPAN("X-Postrider-Pool"));
	while (message.len > 0) {
		struct span piece = span_first(message, piece_bytes);
		size_t taken = header_cut_take(cut, piece, out);

		check(taken == piece.len || header_cut_is_over(cut));
		buf_add(out, span_skip(piece, taken));
		message = span_skip(message, piece.len);
	}
	header_cut_finish(cut, out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header_cut whole, pieces;
	struct buf out, again;
	struct span message;

	if (size == 0)
		return 0;
	message = span_of((const char *)data + 1, size - 1);
	buf_init(&out, size);
	buf_init(&again, size);
	run(&whole, message, message.len, &out);
	run(&pieces, message, 1 + data[0] % 50, &again);
	check(buf_finish(&out) == OK && buf_finish(&again) == OK);
	check(span_eq(buf_span(&out), buf_span(&again)));
	check(span_eq(header_cut_value(&whole), header_cut_value(&pieces)));
	check(whole.count == pieces.count && (whole.count > 0 || out.len == message.len));
	/* No field is left, but what was behind one may be one now. */
	check(out.len <= message.len);
	buf_fini(&out);
	buf_fini(&again);
	return 0;
}
