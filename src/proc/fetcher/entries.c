/*
 * What is known of domains, and how it becomes known (RFC 8461 sections 3.1 and 3.3): the TXT
 * record says whether there is a policy and which; it is fetched where that is another than the
 * one that is kept.  A policy that is kept holds until its time is over, whatever becomes of record
 * and host since: whoever can suppress those must not win by it.
 */
#include "proc/fetcher/fetcher_internal.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/sim_point.h"

enum { TXTS_MAX = 32 };

static void fetch_next(struct fetcher *fetcher);

static uint64_t
now_ms(const struct fetcher *fetcher)
{
	return io_now_ms(fetcher->env->io);
}

void
entries_init(struct fetcher *fetcher)
{
	uint64_t seed[2];

	io_random(fetcher->env->io, seed, sizeof(seed));
	map_init(&fetcher->by_domain, seed);
	map_init(&fetcher->by_query, seed);
	list_init(&fetcher->entries);
	list_init(&fetcher->queued);
}

static void
forget(struct entry *entry)
{
	struct fetcher *fetcher = entry->fetcher;

	check(entry->state == ENTRY_IDLE && list_empty(&entry->waiting));
	map_remove(&fetcher->by_domain, span_str(entry->domain));
	list_remove(&entry->node);
	fetcher->entry_count--;
	policy_fini(&entry->policy);
	buf_fini(&entry->body);
	mem_free(entry);
}

/* Room for one more: of those that nobody waits for, the one without a policy, or the oldest. */
static void
make_room(struct fetcher *fetcher)
{
	struct entry *oldest = NULL;

	if (fetcher->entry_count < FETCHER_ENTRIES_MAX)
		return;
	list_for_each(node, &fetcher->entries)
	{
		struct entry *entry = container_of(node, struct entry, node);

		if (entry->state != ENTRY_IDLE)
			continue;
		if (!entry->policy.hosts) {
			forget(entry);
			return;
		}
		oldest = oldest ? oldest : entry;
	}
	if (oldest)
		forget(oldest);
}

static struct entry *
find(struct fetcher *fetcher, const char *domain)
{
	struct entry *entry = map_get(&fetcher->by_domain, span_str(domain));

	if (entry) {
		list_remove(&entry->node);
		list_push(&fetcher->entries, &entry->node);
		return entry;
	}
	make_room(fetcher);
	entry = mem_alloc(sizeof(*entry));
	entry->fetcher = fetcher;
	snprintf(entry->domain, sizeof(entry->domain), "%s", domain);
	list_init(&entry->waiting);
	buf_init(&entry->body, STS_POLICY_BYTES_MAX);
	list_push(&fetcher->entries, &entry->node);
	map_set(&fetcher->by_domain, span_str(entry->domain), entry);
	fetcher->entry_count++;
	return entry;
}

static void
load_one(void *owner, const char *name)
{
	struct fetcher *fetcher = owner;
	char domain[POLICY_NAME_BYTES];
	struct policy policy = {0};
	struct buf file;

	if (!policy_file_domain(name, domain) || fetcher->entry_count >= FETCHER_POLICIES_MAX)
		return;
	buf_init(&file, POLICY_FILE_BYTES_MAX);
	if (keep_read(&fetcher->keep, name, &file) == OK &&
	    policy_read(buf_span(&file), &policy) == OK &&
	    policy_is_valid(&policy, io_wall_ms(fetcher->env->io))) {
		struct entry *entry = find(fetcher, domain);

		SIM_MARK("fetcher.kept_over_restart");
		policy_fini(&entry->policy);
		entry->policy = policy;
	} else {
		policy_fini(&policy);
		keep_remove(&fetcher->keep, name);
	}
	buf_fini(&file);
}

void
entries_load(struct fetcher *fetcher)
{
	if (fetcher->keep.dir)
		err_ignore(io_dir_list(fetcher->keep.dir, "", load_one, fetcher),
		    "what cannot be read is fetched again");
}

static void
answer_one(struct entry *entry, struct waiter *waiter)
{
	const bool valid = policy_is_valid(&entry->policy, io_wall_ms(entry->fetcher->env->io));
	struct ipc_fd_policy answer = {
	    .query = waiter->query,
	    .text = span_str(valid ? "" : entry->why),
	};

	if (valid) {
		answer.mode = entry->policy.mode == STS_ENFORCE ? IPC_POLICY_ENFORCE
		    : entry->policy.mode == STS_TESTING         ? IPC_POLICY_TESTING
								: IPC_POLICY_NONE;
		answer.id = span_str(entry->policy.id);
		answer.hosts = span_of(entry->policy.hosts, entry->policy.hosts_len);
	}
	if (waiter->asker->channel && waiter->asker->channel == waiter->channel)
		ipc_fd_policy_send(waiter->asker->channel, &answer);
}

/* Nothing is under way any more, or what is there is good enough. */
static void
answer_all(struct entry *entry)
{
	struct list *node;

	while ((node = list_pop(&entry->waiting)) != NULL) {
		struct waiter *waiter = container_of(node, struct waiter, node);

		answer_one(entry, waiter);
		mem_free(waiter);
	}
}

static void
rest(struct entry *entry)
{
	entry->state = ENTRY_IDLE;
	answer_all(entry);
}

static uint64_t
ask_resolver(struct entry *entry, enum entry_state state)
{
	struct fetcher *fetcher = entry->fetcher;

	entry->state = state;
	entry->query = ++fetcher->next_query;
	map_set_u64(&fetcher->by_query, entry->query, entry);
	return entry->query;
}

static struct entry *
answered(struct fetcher *fetcher, uint64_t query, enum entry_state state)
{
	struct entry *entry = map_remove_u64(&fetcher->by_query, query);

	if (!entry || entry->state != state)
		return NULL;
	entry->query = 0;
	return entry;
}

void
entries_ask(struct fetcher *fetcher, struct asker *asker, uint64_t query, const char *domain)
{
	struct entry *entry = find(fetcher, domain);
	struct waiter *waiter = mem_alloc(sizeof(*waiter));
	struct ipc_fn_txt txt = {0};
	char name[POLICY_NAME_BYTES + 16];

	*waiter = (struct waiter){.asker = asker, .channel = asker->channel, .query = query};
	list_push(&entry->waiting, &waiter->node);
	if (entry->state != ENTRY_IDLE) {
		/* It waits; but not for a policy that is only fetched anew. */
		if (entry->state != ENTRY_TXT && strcmp(entry->id, entry->policy.id) == 0 &&
		    policy_is_valid(&entry->policy, io_wall_ms(fetcher->env->io)))
			answer_all(entry);
		return;
	}
	if (now_ms(fetcher) < entry->fresh_ms || !fetcher->resolver) {
		answer_all(entry);
		return;
	}
	snprintf(name, sizeof(name), "_mta-sts.%s", domain);
	txt.query = ask_resolver(entry, ENTRY_TXT);
	txt.name = span_str(name);
	ipc_fn_txt_send(fetcher->resolver, &txt);
}

static void
note_failure(
    struct entry *entry, enum ipc_tls_result result, const char *what, const char *why)
{
	struct fetcher *fetcher = entry->fetcher;
	struct event event;

	SIM_MARK("fetcher.fetch_failed");
	entry->again_ms = now_ms(fetcher) + FETCHER_AGAIN_MS;
	snprintf(entry->why, sizeof(entry->why), "%s: %s", what, why);
	event_begin(&event, &fetcher->env->log, "tls_policy_not_fetched");
	event_str(&event, "domain", entry->domain);
	event_str(&event, "text", entry->why);
	if (policy_is_valid(&entry->policy, io_wall_ms(fetcher->env->io)))
		event_str(&event, "kept", entry->policy.id);
	event_end(&event);
	counting_fetch(fetcher, entry->domain, result, entry->why);
	rest(entry);
}

static void
begin_fetch(struct entry *entry)
{
	struct fetcher *fetcher = entry->fetcher;
	struct ipc_fn_host host = {0};

	if (!fetcher->can_fetch) {
		note_failure(entry, IPC_TLS_STS_POLICY_FETCH_ERROR, "nothing can be fetched",
		    "libcurl is missing");
		return;
	}
	if (!fetcher->resolver) {
		note_failure(entry, IPC_TLS_STS_POLICY_FETCH_ERROR, "nothing can be fetched",
		    "the resolver is starting");
		return;
	}
	snprintf(entry->host, sizeof(entry->host), "mta-sts.%s", entry->domain);
	host.query = ask_resolver(entry, ENTRY_ADDRESS);
	host.name = span_str(entry->host);
	ipc_fn_host_send(fetcher->resolver, &host);
}

/* The id of the record, where there is just one that is right. */
static bool
find_id(const struct ipc_nf_txt *answer, char id[STS_ID_BYTES_MAX + 1])
{
	struct reader reader = reader_init(answer->records);
	char *text = mem_alloc(IPC_TXT_MAX);
	struct span txts[TXTS_MAX];
	struct sts_record record;
	size_t count = 0, used = 0;
	bool found;

	while (reader.rest.len > 0 && !reader.failed && count < TXTS_MAX) {
		struct span rdata = reader_bytes(&reader, IPC_TXT_MAX);

		if (sts_txt_join(rdata, text + used, IPC_TXT_MAX - used, &txts[count]) == OK)
			used += txts[count++].len;
	}
	found = sts_record_find(txts, count, &record) == OK;
	if (found)
		snprintf(id, STS_ID_BYTES_MAX + 1, "%s", record.id);
	mem_free(text);
	return found;
}

void
entries_txt(struct fetcher *fetcher, const struct ipc_nf_txt *answer)
{
	struct entry *entry = answered(fetcher, answer->query, ENTRY_TXT);
	const uint64_t wall_ms = io_wall_ms(fetcher->env->io);
	char id[STS_ID_BYTES_MAX + 1] = "";

	if (!entry)
		return;
	entry->fresh_ms =
	    now_ms(fetcher) + (answer->failed ? FETCHER_SOON_MS : FETCHER_FRESH_MS);
	if (!find_id(answer, id)) {
		rest(entry);
		return;
	}
	if (strcmp(id, entry->id) != 0)
		entry->again_ms = 0;
	snprintf(entry->id, sizeof(entry->id), "%s", id);
	if (now_ms(fetcher) < entry->again_ms) {
		rest(entry);
		return;
	}
	if (policy_is_valid(&entry->policy, wall_ms) && strcmp(id, entry->policy.id) == 0) {
		rest(entry);
		if (policy_is_old(&entry->policy, wall_ms))
			begin_fetch(entry);
		return;
	}
	begin_fetch(entry);
}

void
entries_found(struct fetcher *fetcher, const struct ipc_nf_found *found)
{
	struct entry *entry = answered(fetcher, found->query, ENTRY_ADDRESS);
	struct reader reader = reader_init(found->hosts);
	struct ipc_host_entry host;
	char why[IPC_REPLY_MAX / 2];

	if (!entry)
		return;
	entry->addr_count = entry->addr_index = 0;
	if (found->status == IPC_HOSTS_OK && ipc_host_next(&reader, &host))
		for (size_t i = 0; i < host.addr_count && i < FETCHER_ADDRS_MAX; i++)
			entry->addrs[entry->addr_count++] = host.addrs[i];
	if (entry->addr_count == 0) {
		snprintf(why, sizeof(why), "%.*s", SPAN_ARGS(span_first(found->text, 200)));
		note_failure(entry, IPC_TLS_STS_POLICY_FETCH_ERROR, entry->host,
		    why[0] ? why : "no address");
		return;
	}
	entry->state = ENTRY_QUEUED;
	list_push(&fetcher->queued, &entry->queued);
	fetch_next(fetcher);
}

static const char *
fault_text(enum sts_fault fault)
{
	static const char *const texts[STS_FAULT_COUNT] = {
	    [STS_FAULT_TOO_LONG] = "it is too long",
	    [STS_FAULT_LINE] = "a line is no \"key: value\"",
	    [STS_FAULT_VERSION] = "its version is not STSv1",
	    [STS_FAULT_MODE] = "its mode is missing or unknown",
	    [STS_FAULT_AGE] = "its max_age is missing or no number",
	    [STS_FAULT_MX] = "its mx lines are missing or malformed",
	};

	return texts[fault] ? texts[fault] : "";
}

static void
take_body(struct entry *entry)
{
	struct fetcher *fetcher = entry->fetcher;
	struct sts_policy *parsed = mem_alloc(sizeof(*parsed));
	enum sts_fault fault = STS_FAULT_NONE;
	char name[POLICY_NAME_BYTES];
	struct event event;
	struct buf file;

	if (sts_policy_parse(buf_span(&entry->body), parsed, &fault)) {
		mem_free(parsed);
		note_failure(entry, IPC_TLS_STS_POLICY_INVALID, "the policy is malformed",
		    fault_text(fault));
		return;
	}
	SIM_MARK("fetcher.fetched");
	policy_take(&entry->policy, parsed, entry->id, io_wall_ms(fetcher->env->io));
	mem_free(parsed);
	entry->why[0] = '\0';
	entry->again_ms = 0;
	event_begin(&event, &fetcher->env->log, "tls_policy_fetched");
	event_str(&event, "domain", entry->domain);
	event_str(&event, "policy", entry->policy.id);
	event_str(&event, "mode", sts_mode_name(entry->policy.mode));
	event_u64(&event, "max_age_s", entry->policy.max_age_s);
	event_end(&event);
	buf_init(&file, POLICY_FILE_BYTES_MAX);
	policy_write(&entry->policy, &file);
	policy_file_name(entry->domain, name);
	if (buf_finish(&file) == OK)
		keep_file(&fetcher->keep, name, buf_span(&file));
	buf_fini(&file);
	rest(entry);
}

static void start_fetch(struct entry *entry);

static void
fetched(struct io_op *op)
{
	struct entry *entry = op->owner;
	struct fetcher *fetcher = entry->fetcher;

	fetcher->fetching--;
	if (!op->err) {
		take_body(entry);
	} else if (op->err == ERR_UNREACHABLE && entry->addr_index + 1 < entry->addr_count) {
		entry->addr_index++;
		start_fetch(entry);
		return;
	} else {
		note_failure(entry,
		    op->err == ERR_CRYPTO ? IPC_TLS_STS_WEBPKI_INVALID
					  : IPC_TLS_STS_POLICY_FETCH_ERROR,
		    op->err == ERR_CRYPTO ? "no certificate that can be trusted" : entry->host,
		    entry->fetch.why);
	}
	buf_fini(&entry->body);
	fetch_next(fetcher);
}

static void
start_fetch(struct entry *entry)
{
	struct fetcher *fetcher = entry->fetcher;

	entry->state = ENTRY_FETCHING;
	buf_reset(&entry->body);
	entry->fetch = (struct io_fetch){
	    .host = entry->host,
	    .path = "/.well-known/mta-sts.txt",
	    .addr = entry->addrs[entry->addr_index],
	    .timeout_ms = FETCHER_TIMEOUT_MS,
	    .body = &entry->body,
	};
	entry->fetch.addr.port = 443;
	entry->op = (struct io_op){.done = fetched, .owner = entry};
	fetcher->fetching++;
	io_fetch(fetcher->env->io, &entry->op, &entry->fetch);
}

static void
fetch_next(struct fetcher *fetcher)
{
	while (fetcher->fetching < FETCHER_FETCHES_MAX) {
		struct list *node = list_pop(&fetcher->queued);

		if (!node)
			return;
		start_fetch(container_of(node, struct entry, queued));
	}
}

void
entries_resolver_gone(struct fetcher *fetcher)
{
	list_for_each(node, &fetcher->entries)
	{
		struct entry *entry = container_of(node, struct entry, node);

		if (entry->state != ENTRY_TXT && entry->state != ENTRY_ADDRESS)
			continue;
		map_remove_u64(&fetcher->by_query, entry->query);
		entry->query = 0;
		entry->fresh_ms = 0;
		rest(entry);
	}
}

void
entries_text(struct fetcher *fetcher, const char *domain, struct buf *out)
{
	const struct entry *entry = map_get(&fetcher->by_domain, span_str(domain));

	if (entry && policy_is_valid(&entry->policy, io_wall_ms(fetcher->env->io)))
		policy_write_text(&entry->policy, out);
}

void
entries_asker_gone(struct fetcher *fetcher, const struct ipc_channel *channel)
{
	list_for_each(node, &fetcher->entries)
	{
		struct entry *entry = container_of(node, struct entry, node);

		list_for_each_safe(at, &entry->waiting)
		{
			struct waiter *waiter = container_of(at, struct waiter, node);

			if (waiter->channel != channel)
				continue;
			list_remove(&waiter->node);
			mem_free(waiter);
		}
	}
}
