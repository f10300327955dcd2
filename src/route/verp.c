/* See verp.h. */
#include "route/verp.h"

#include "route/route.h"

enum { ADDRESS_MAX = 254 };

const struct conf_verp *
verp_find(const struct conf *conf, struct span reverse_path)
{
	size_t at = span_find_last(reverse_path, '@');

	for (size_t i = 0; at < reverse_path.len && i < conf->verp_count; i++)
		if (route_matches(conf->verps[i].sender, span_skip(reverse_path, at + 1)))
			return &conf->verps[i];
	return NULL;
}

/* Local part and domain; false: one is empty, in quotes, has an "@", or is a literal. */
static bool
split(struct span address, struct span *local, struct span *domain)
{
	size_t at = span_find_last(address, '@');

	*local = span_first(address, at);
	*domain = span_skip(address, at + 1 < address.len ? at + 1 : address.len);
	return local->len > 0 && domain->len > 0 && local->ptr[0] != '"' &&
	    span_find(*local, '@') == local->len && domain->ptr[0] != '[';
}

bool
verp_write(
    struct buf *out, const struct conf_verp *verp, struct span reverse_path, struct span rcpt)
{
	struct span local, domain, to, to_domain;

	if (!split(reverse_path, &local, &domain) || !split(rcpt, &to, &to_domain) ||
	    reverse_path.len + rcpt.len + 1 > ADDRESS_MAX)
		return false;
	buf_add(out, local);
	buf_add_char(out, verp->before);
	buf_add(out, to);
	buf_add_char(out, verp->at);
	buf_add(out, to_domain);
	buf_add_char(out, '@');
	buf_add(out, domain);
	return true;
}

bool
verp_read(struct buf *out, const struct conf_verp *verp, struct span address)
{
	struct span local, domain, rcpt;
	size_t at;

	if (!split(address, &local, &domain))
		return false;
	/* Where the sender's own part has a delimiter, another address comes out. */
	rcpt = span_skip(local, span_find(local, verp->before));
	if (rcpt.len < 2)
		return false;
	rcpt = span_skip(rcpt, 1);
	at = span_find_last(rcpt, verp->at);
	if (at == 0 || at + 1 >= rcpt.len)
		return false;
	buf_add(out, span_first(rcpt, at));
	buf_add_char(out, '@');
	buf_add(out, span_skip(rcpt, at + 1));
	return true;
}
