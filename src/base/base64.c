/* Strict on input: SASL allows no white space and no missing padding. */
#include "base/base64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(struct buf *out, struct span bytes)
{
	const size_t text_bytes = (bytes.len + 2) / 3 * 4;
	char *text = buf_room(out, text_bytes);

	for (size_t i = 0; text && i < bytes.len; i += 3) {
		size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
		uint32_t word = 0;

		for (size_t k = 0; k < 3; k++)
			word = word << 8 | (k < n ? (uint8_t)bytes.ptr[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			*text++ = k <= n ? alphabet[word >> (18 - 6 * k) & 63] : '=';
	}
	out->len += text ? text_bytes : 0;
}

int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes one group of four; only the last may carry padding. */
static enum err
decode_group(struct buf *out, const char *text, bool last)
{
	size_t n = 3;
	uint32_t word = 0;
	char bytes[3];

	if (last && text[3] == '=')
		n = text[2] == '=' ? 1 : 2;
	for (size_t k = 0; k < 4; k++) {
		int value = k <= n ? base64_value(text[k]) : 0;

		if (value < 0)
			return ERR_SYNTAX;
		word = word << 6 | (uint32_t)value;
	}
	for (size_t k = 0; k < 3; k++)
		bytes[k] = (char)(word >> (16 - 8 * k) & 0xff);
	for (size_t k = n; k < 3; k++)
		if (bytes[k] != 0)
			return ERR_SYNTAX;
	buf_add(out, span_of(bytes, n));
	return OK;
}

enum err
base64_decode(struct buf *out, struct span text)
{
	if (text.len % 4 != 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < text.len; i += 4) {
		enum err err = decode_group(out, text.ptr + i, i + 4 == text.len);

		if (err)
			return err;
	}
	return buf_finish(out);
}

static int
url_value(char c)
{
	if (c == '+' || c == '/')
		return -1;
	return base64_value(c == '-' ? '+' : c == '_' ? '/' : c);
}

enum err
base64url_decode(struct buf *out, struct span text)
{
	unsigned bits = 0, held = 0;

	if (text.len % 4 == 1)
		return ERR_SYNTAX;
	for (size_t i = 0; i < text.len; i++) {
		int value = url_value(text.ptr[i]);

		if (value < 0)
			return ERR_SYNTAX;
		bits = (bits << 6 | (unsigned)value) & 0xfff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			buf_add_char(out, (char)(bits >> held));
		}
	}
	/* There is one way to write bytes: what is left over is zero. */
	return bits & ((1u << held) - 1) ? ERR_SYNTAX : buf_finish(out);
}
