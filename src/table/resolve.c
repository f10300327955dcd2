/*
 * Resolution is a walk over a list of addresses that grows while it is walked:
 * the asked one first, then what aliases name.  No recursion, and each bound of
 * resolve.h is a place where the list or the targets are full.
 */
#include "table/resolve.h"

#include "base/check.h"

struct step {
	struct span address; /* with or without a domain */
	unsigned depth;
};

struct walk {
	const struct resolve_tables *tables;
	struct resolve_result *result;
	struct step steps[RESOLVE_STEPS_MAX];
	size_t step_count;
	bool overrun; /* a bound was met */
};

bool
resolve_is_ours(const struct resolve_tables *tables, struct span domain)
{
	for (size_t i = 0; i < tables->domain_count; i++) {
		if (span_eq_nocase(tables->domains[i], domain))
			return true;
	}
	return false;
}

static void
add_target(struct walk *walk, enum resolve_kind kind, struct span name)
{
	struct resolve_result *result = walk->result;

	for (size_t i = 0; i < result->target_count; i++) {
		const struct resolve_target *known = &result->targets[i];

		if (known->kind == kind && span_eq(known->name, name))
			return;
	}
	if (result->target_count == RESOLVE_TARGETS_MAX) {
		walk->overrun = true;
		return;
	}
	result->targets[result->target_count++] = (struct resolve_target){kind, name};
}

static void
add_step(struct walk *walk, struct span address, unsigned depth)
{
	struct span mailbox;

	for (size_t i = 0; i < walk->step_count; i++) {
		if (!span_eq_nocase(walk->steps[i].address, address))
			continue;
		if (table_find(walk->tables->mailboxes, address, &mailbox))
			add_target(walk, RESOLVE_MAILBOX, mailbox);
		else if (span_find(address, '@') == address.len)
			add_target(walk, RESOLVE_MAILBOX, address);
		return;
	}
	if (walk->step_count == RESOLVE_STEPS_MAX || depth > RESOLVE_DEPTH_MAX) {
		walk->overrun = true;
		return;
	}
	walk->steps[walk->step_count++] = (struct step){address, depth};
}

/* Takes the alias or the mailbox of a key; false where there is neither. */
static bool
take_key(struct walk *walk, struct span key, unsigned depth)
{
	struct span value, item;

	if (table_find(walk->tables->aliases, key, &value)) {
		while (!walk->overrun && table_item(&value, &item))
			add_step(walk, item, depth + 1);
		return true;
	}
	if (table_find(walk->tables->mailboxes, key, &value)) {
		add_target(walk, RESOLVE_MAILBOX, value);
		return true;
	}
	return false;
}

/* As take_key for local@domain, then for the local part alone. */
static bool
take_local(struct walk *walk, struct span local, struct span domain, unsigned depth)
{
	char joined[TABLE_KEY_BYTES_MAX];
	size_t bytes = local.len + 1 + domain.len;

	if (bytes <= sizeof(joined)) {
		memcpy(joined, local.ptr, local.len);
		joined[local.len] = '@';
		memcpy(joined + local.len + 1, domain.ptr, domain.len);
		if (take_key(walk, span_of(joined, bytes), depth))
			return true;
	}
	return local.len > 0 && take_key(walk, local, depth);
}

/* The local part up to the first separator; all of it where that would leave nothing. */
static struct span
without_detail(const struct resolve_tables *tables, struct span local)
{
	size_t at;

	if (!tables->detail_separator)
		return local;
	at = span_find(local, tables->detail_separator);
	return at > 0 ? span_first(local, at) : local;
}

static void
take_postmaster(struct walk *walk, unsigned depth)
{
	struct span to = walk->tables->postmaster;

	if (span_find(to, '@') < to.len)
		add_step(walk, to, depth + 1);
	else
		add_target(walk, RESOLVE_MAILBOX, to);
}

/* An address in one of our domains. */
static void
take_ours(struct walk *walk, struct span local, struct span domain, unsigned depth)
{
	struct span base = without_detail(walk->tables, local);

	if (take_local(walk, local, domain, depth))
		return;
	if (base.len < local.len && take_local(walk, base, domain, depth))
		return;
	if (span_eq_nocase(base, SPAN("postmaster")) && walk->tables->postmaster.len)
		take_postmaster(walk, depth);
	else
		(void)take_local(walk, span_of("", 0), domain, depth);
}

static void
take_step(struct walk *walk, struct step step)
{
	size_t at = span_find_last(step.address, '@');
	struct span local = span_first(step.address, at);
	struct span domain = span_skip(step.address, at + 1);

	if (at == step.address.len) {
		if (!take_key(walk, step.address, step.depth))
			add_target(walk, RESOLVE_MAILBOX, step.address);
	} else if (resolve_is_ours(walk->tables, domain)) {
		take_ours(walk, local, domain, step.depth);
	} else {
		add_target(walk, RESOLVE_ADDRESS, step.address);
	}
}

static void
take_steps(struct walk *walk, size_t from)
{
	for (size_t i = from; i < walk->step_count && !walk->overrun; i++)
		take_step(walk, walk->steps[i]);
}

static void
take_asked(struct walk *walk, struct span address, struct span local, struct span domain)
{
	size_t from;

	walk->steps[walk->step_count++] = (struct step){address, 0};
	take_ours(walk, local, domain, 0);
	take_steps(walk, 1);
	if (walk->result->target_count || walk->overrun ||
	    !walk->tables->postmaster.len ||
	    !span_eq_nocase(without_detail(walk->tables, local), SPAN("postmaster")))
		return;
	/* Postmaster always resolves (RFC 5321 section 4.5.1), even past aliases to nowhere. */
	from = walk->step_count;
	take_postmaster(walk, 0);
	take_steps(walk, from);
}

void
resolve_address(const struct resolve_tables *tables, struct span address,
    struct resolve_result *result)
{
	struct walk walk = {.tables = tables, .result = result};
	size_t at = span_find_last(address, '@');
	struct span local = span_first(address, at), domain = span_skip(address, at + 1);

	result->target_count = 0;
	if (at == address.len && span_eq_nocase(address, SPAN("postmaster"))) {
		/* The one address without a domain: any of ours will do. */
		domain = tables->domain_count ? tables->domains[0] : domain;
	} else if (at == address.len || at == 0) {
		result->verdict = RESOLVE_UNKNOWN;
		return;
	} else if (!resolve_is_ours(tables, domain)) {
		result->verdict = RESOLVE_REMOTE;
		add_target(&walk, RESOLVE_ADDRESS, address);
		return;
	}
	take_asked(&walk, address, local, domain);
	if (walk.overrun) {
		result->verdict = RESOLVE_FAIL;
		result->target_count = 0;
	} else {
		result->verdict = result->target_count ? RESOLVE_LOCAL : RESOLVE_UNKNOWN;
	}
}
