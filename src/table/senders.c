/* An address is looked at as it is, and without its detail. */
#include "table/senders.h"

/* The address without "+detail", in text; as it is where it has none. */
static struct span
without_detail(const struct resolve_tables *tables, struct span address,
    char text[TABLE_KEY_BYTES_MAX])
{
	size_t at = span_find_last(address, '@');
	size_t detail = tables->detail_separator
	    ? span_find(span_first(address, at), tables->detail_separator)
	    : at;

	if (detail == 0 || detail >= at || address.len > TABLE_KEY_BYTES_MAX)
		return address;
	memcpy(text, address.ptr, detail);
	memcpy(text + detail, address.ptr + at, address.len - at);
	return span_of(text, detail + address.len - at);
}

static bool
item_fits(struct span item, struct span address)
{
	if (span_eq(item, SPAN("*")))
		return true;
	if (item.ptr[0] == '@')
		address = span_skip(address, span_find_last(address, '@'));
	return span_eq_nocase(item, address);
}

/* The mailbox that is the login's own; false where there is none. */
static bool
find_mailbox(const struct resolve_tables *tables, struct span login, struct span *mailbox)
{
	if (table_find(tables->mailboxes, login, mailbox))
		return true;
	*mailbox = login;
	return span_find(login, '@') == login.len;
}

static bool
is_own(const struct resolve_tables *tables, struct span mailbox, struct span address,
    struct resolve_result *result)
{
	struct span found;

	resolve_address(tables, address, result);
	if (result->verdict == RESOLVE_LOCAL && result->target_count == 1 &&
	    result->targets[0].kind == RESOLVE_MAILBOX &&
	    span_eq_nocase(result->targets[0].name, mailbox))
		return true;
	return result->verdict == RESOLVE_LOCAL &&
	    table_find(tables->mailboxes, address, &found) && span_eq_nocase(found, mailbox);
}

bool
senders_may(const struct resolve_tables *tables, const struct table *senders,
    struct span login, struct span address, struct resolve_result *result)
{
	char text[TABLE_KEY_BYTES_MAX];
	struct span base = without_detail(tables, address, text);
	struct span value, item, mailbox;

	if (login.len == 0)
		return false;
	if (table_find(senders, login, &value)) {
		while (table_item(&value, &item)) {
			if (item_fits(item, address) || item_fits(item, base))
				return true;
		}
		return false;
	}
	if (span_find(login, '@') < login.len &&
	    (span_eq_nocase(login, address) || span_eq_nocase(login, base)))
		return true;
	return find_mailbox(tables, login, &mailbox) &&
	    (is_own(tables, mailbox, address, result) || is_own(tables, mailbox, base, result));
}
