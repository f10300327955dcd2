/*
 * Any bytes as an address: what parses has no control character, and parses
 * again, to the same, both bare and from its canonical form.
 */
#include "smtp/address.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_clean(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		check((unsigned char)text.ptr[i] >= 0x20 && text.ptr[i] != 0x7f);
}

static void
check_canonical(const struct address *address)
{
	struct address again;
	struct buf first, second;
	const char *why = NULL;

	buf_init(&first, ADDRESS_BYTES_MAX);
	buf_init(&second, ADDRESS_BYTES_MAX);
	address_write_canonical(&first, address);
	check(buf_finish(&first) == OK);
	check(address_parse(buf_span(&first), &again, &why) == OK);
	check(again.is_literal == address->is_literal);
	address_write_canonical(&second, &again);
	check(span_eq(buf_span(&first), buf_span(&second)));
	buf_fini(&first);
	buf_fini(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size), rest;
	struct address address, bare;
	const char *why = NULL;

	if (address_parse_path(text, true, true, &address, &rest, &why) == OK) {
		check_clean(address.whole);
		check(address.whole.len <= ADDRESS_BYTES_MAX);
		check(rest.len < text.len && rest.ptr[-1] == '>');
		if (address.domain.len > 0) {
			check(address_parse(address.whole, &bare, &why) == OK);
			check(bare.is_utf8 == address.is_utf8);
			check_canonical(&address);
		}
	} else {
		check(why != NULL);
	}
	if (address_parse(text, &bare, &why) == OK)
		check_clean(bare.whole);
	(void)address_domain_is_valid(text, true);
	return 0;
}
