/*
 * The resolver: finds the servers of a mail domain (RFC 5321 section 5.1): its MX hosts in order,
 * equal preferences shuffled, each with its addresses; without MX the domain itself. A null MX
 * (RFC 7505) is told apart from no answer.
 *
 * Answers come from anybody who owns a domain: counts are bounded, names are checked.
 */
#include "proc/resolver/resolver.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/sim_point.h"
#include "proc/resolver/rdata.h"
#include "ipc/targets.h"

enum { HOSTS_MAX = 16, QUESTIONS_MAX = 2000, ADDRS_MAX = IPC_HOST_ADDRS_MAX / 2 };

struct resolver;

struct asker {
	struct resolver *resolver;
	struct ipc_channel *channel;
	enum proc proc;
	unsigned instance;
};

/* A mail host whose addresses are asked for. */
struct host {
	struct search *search;
	char name[IPC_DOMAIN_MAX + 1];
	uint16_t preference;
	uint64_t shuffle;
	struct io_op v4, v6, tlsa;
	unsigned open;  /* questions about addresses without an answer */
	bool insecure;  /* DNSSEC does not vouch for all of its addresses */
	bool at_alias;  /* the records are looked for where its alias led, then at its name */
	char canonical[IPC_DOMAIN_MAX + 1];
	char *records;  /* as entry.tlsa has them */
	struct net_addr v4s[ADDRS_MAX], v6s[ADDRS_MAX];
	size_t v4_count, v6_count;
	struct ipc_host_entry entry;
};

/* One question of a delivery process. */
struct search {
	struct asker *asker;
	struct ipc_channel *channel; /* that asked; it may be gone */
	uint64_t query;
	uint16_t tlsa_port; /* 0: nobody wants them */
	bool secure;        /* DNSSEC vouches for which hosts these are */
	char domain[IPC_DOMAIN_MAX + 1];
	struct io_op mx;
	struct host hosts[HOSTS_MAX];
	size_t host_count;
	unsigned open; /* questions without an answer */
	bool failed;   /* a question got no answer */
	bool bogus;
	bool no_name;
};

struct resolver {
	struct proc_env *env;
	struct asker askers[PROC_INSTANCES_MAX], receptions[PROC_INSTANCES_MAX], fetcher;
	unsigned search_count;
};

static void
send_found(struct ipc_channel *channel, bool to_fetcher, const struct ipc_nd_found *found)
{
	const struct ipc_nf_found same = {.query = found->query, .status = found->status,
	    .hosts = found->hosts, .text = found->text};

	if (to_fetcher)
		ipc_nf_found_send(channel, &same);
	else
		ipc_nd_found_send(channel, found);
}

static void
reply(struct search *search, enum ipc_hosts status, const char *text)
{
	struct resolver *resolver = search->asker->resolver;
	struct ipc_nd_found found = {
	    .query = search->query, .status = (uint8_t)status,
	    .secure = search->secure,
	    .text = span_str(text)};
	struct buf hosts;

	buf_init(&hosts, IPC_HOSTS_MAX);
	if (status == IPC_HOSTS_OK)
		for (size_t i = 0; i < search->host_count; i++)
			if (search->hosts[i].entry.addr_count > 0)
				ipc_host_write(&hosts, &search->hosts[i].entry);
	found.hosts = buf_span(&hosts);
	if (search->asker->channel && search->asker->channel == search->channel)
		send_found(search->asker->channel, search->asker->proc == PROC_FETCHER, &found);
	buf_fini(&hosts);
	resolver->search_count--;
	for (size_t i = 0; i < search->host_count; i++)
		mem_free(search->hosts[i].records);
	mem_free(search);
}

/* All answers are there. */
static void
conclude(struct search *search)
{
	char text[IPC_DOMAIN_MAX + 200];
	bool found = false;

	for (size_t i = 0; i < search->host_count; i++)
		found = found || search->hosts[i].entry.addr_count > 0;
	if (found) {
		reply(search, IPC_HOSTS_OK, "");
	} else if (search->bogus) {
		SIM_MARK("resolver.bogus");
		snprintf(text, sizeof(text),
		    "DNSSEC validation of %s failed: its name servers give answers whose "
		    "signatures are wrong",
		    search->domain);
		reply(search, IPC_HOSTS_BOGUS, text);
	} else if (search->failed) {
		SIM_MARK("resolver.no_answer");
		snprintf(text, sizeof(text),
		    "name servers did not answer for %s; is the resolver of this machine "
		    "reachable?",
		    search->domain);
		reply(search, IPC_HOSTS_TRY_LATER, text);
	} else if (search->no_name) {
		snprintf(text, sizeof(text), "the domain %s does not exist", search->domain);
		reply(search, IPC_HOSTS_NO_DOMAIN, text);
	} else {
		snprintf(text, sizeof(text),
		    "the domain %s has no mail exchanger and no address", search->domain);
		reply(search, IPC_HOSTS_NO_DOMAIN, text);
	}
}

static void
close_one(struct search *search)
{
	check(search->open > 0);
	if (--search->open == 0)
		conclude(search);
}

static void
add_addrs(struct host *host, const struct io_dns_answer *answer, uint8_t family)
{
	struct net_addr *addrs = family == 4 ? host->v4s : host->v6s;
	size_t *count = family == 4 ? &host->v4_count : &host->v6_count;
	size_t bytes = family == 4 ? 4 : 16;

	for (size_t i = 0; i < answer->record_count && *count < ADDRS_MAX; i++) {
		if (answer->records[i].len != bytes)
			continue;
		addrs[*count].family = family;
		memcpy(addrs[*count].bytes, answer->records[i].ptr, bytes);
		(*count)++;
	}
}

/* IPv6 and IPv4 by turns, IPv6 first: one of them that leads nowhere costs one try (RFC 8305). */
static void
order_addrs(struct host *host)
{
	struct ipc_host_entry *entry = &host->entry;

	for (size_t i = 0; i < ADDRS_MAX; i++) {
		if (i < host->v6_count)
			entry->addrs[entry->addr_count++] = host->v6s[i];
		if (i < host->v4_count)
			entry->addrs[entry->addr_count++] = host->v4s[i];
	}
}

static void tlsa_found(struct io_op *op);

/* "_25._tcp.mx.example.org" */
static void
ask_tlsa(struct search *search, struct host *host)
{
	char name[IPC_DOMAIN_MAX + 20];

	snprintf(name, sizeof(name), "_%u._tcp.%s", (unsigned)search->tlsa_port,
	    host->at_alias ? host->canonical : host->name);
	host->tlsa = (struct io_op){.done = tlsa_found, .owner = host};
	io_dns(search->asker->resolver->env->io, &host->tlsa, span_str(name), IO_DNS_TLSA);
}

/* Records that have no room are as good as wrong: nothing fits them. */
static void
take_tlsa(struct host *host, const struct io_dns_answer *answer)
{
	struct buf records;

	buf_init(&records, IPC_TLSA_MAX);
	for (size_t i = 0; i < answer->record_count; i++)
		if (answer->records[i].len + 4 <= buf_space(&records))
			wire_bytes(&records, answer->records[i]);
	host->records = mem_copy(buf_span(&records));
	host->entry.dane = IPC_DANE_RECORDS;
	host->entry.base = span_str(host->at_alias ? host->canonical : host->name);
	host->entry.tlsa = span_of(host->records, records.len);
	buf_fini(&records);
}

static void
tlsa_found(struct io_op *op)
{
	struct host *host = op->owner;
	struct search *search = host->search;

	if (op->err || op->answer->bogus) {
		/* An attacker who suppresses them must not win (RFC 7672 section 2.1.1). */
		SIM_MARK("resolver.tlsa_failed");
		host->entry.dane = IPC_DANE_FAILED;
	} else if (op->answer->secure && op->answer->record_count > 0) {
		take_tlsa(host, op->answer);
	} else if (host->at_alias) {
		host->at_alias = false;
		ask_tlsa(search, host);
		return;
	}
	close_one(search);
}

static bool
is_host_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.ptr[i]) && !strchr("-_.", name.ptr[i]))
			return false;
	return name.len > 0 && name.len <= IPC_DOMAIN_MAX;
}

/*
 * The addresses of a host are there.  Only where DNSSEC vouches for the whole way to them do its
 * TLSA records say something (RFC 7672 section 2.2).
 */
static void
addrs_done(struct search *search, struct host *host)
{
	order_addrs(host);
	if (search->tlsa_port == 0 || !search->secure || host->insecure ||
	    host->entry.addr_count == 0) {
		close_one(search);
		return;
	}
	host->at_alias = host->canonical[0] != '\0';
	ask_tlsa(search, host);
}

static void
addrs_found(struct io_op *op)
{
	struct host *host = op->owner;
	struct search *search = host->search;

	if (op->err) {
		search->failed = true;
	} else if (op->answer->bogus) {
		search->bogus = true;
	} else {
		host->insecure = host->insecure || !op->answer->secure;
		if (is_host_name(op->answer->canonical))
			snprintf(host->canonical, sizeof(host->canonical), "%.*s",
			    SPAN_ARGS(op->answer->canonical));
		add_addrs(host, op->answer, op == &host->v4 ? 4 : 6);
	}
	if (--host->open == 0)
		addrs_done(search, host);
}

static void
ask_addrs(struct search *search, struct host *host)
{
	struct io *io = search->asker->resolver->env->io;

	host->search = search;
	host->entry.name = span_str(host->name);
	host->entry.preference = host->preference;
	host->v4 = (struct io_op){.done = addrs_found, .owner = host};
	host->v6 = (struct io_op){.done = addrs_found, .owner = host};
	host->open = 2;
	search->open++;
	io_dns(io, &host->v4, host->entry.name, IO_DNS_A);
	io_dns(io, &host->v6, host->entry.name, IO_DNS_AAAA);
}

static void
ask_domain(struct search *search)
{
	struct host *host = &search->hosts[0];

	search->host_count = 1;
	snprintf(host->name, sizeof(host->name), "%s", search->domain);
	ask_addrs(search, host);
}

static int
by_preference(const void *a, const void *b)
{
	const struct host *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return x->shuffle < y->shuffle ? -1 : x->shuffle > y->shuffle;
}

/* Takes the MX records; true where one of them is the null MX. */
static bool
take_mx(struct search *search, const struct io_dns_answer *answer)
{
	struct io *io = search->asker->resolver->env->io;

	for (size_t i = 0; i < answer->record_count && search->host_count < HOSTS_MAX; i++) {
		struct host *host = &search->hosts[search->host_count];
		enum err err = rdata_mx(answer->records[i], &host->preference, host->name);

		if (err)
			continue;
		if (host->name[0] == '\0')
			return true;
		io_random(io, &host->shuffle, sizeof(host->shuffle));
		search->host_count++;
	}
	qsort(search->hosts, search->host_count, sizeof(search->hosts[0]), by_preference);
	return false;
}

static void
mx_found(struct io_op *op)
{
	struct search *search = op->owner;

	if (op->err) {
		search->failed = true;
		conclude(search);
		return;
	}
	if (op->answer->bogus) {
		search->bogus = true;
		conclude(search);
		return;
	}
	search->secure = op->answer->secure;
	search->no_name = op->answer->rcode == 3;
	if (search->no_name) {
		conclude(search);
		return;
	}
	if (take_mx(search, op->answer)) {
		reply(search, IPC_HOSTS_NULL_MX, "");
		return;
	}
	if (op->answer->record_count == 0) {
		ask_domain(search);
		return;
	}
	/* Only records that cannot be read: whoever wrote them may mend them. */
	search->failed = search->host_count == 0;
	/* Hold one, so that no answer concludes before all are asked. */
	search->open++;
	for (size_t i = 0; i < search->host_count; i++)
		ask_addrs(search, &search->hosts[i]);
	close_one(search);
}

static void
start_search(struct asker *asker, const struct ipc_dn_hosts *asked)
{
	struct resolver *resolver = asker->resolver;
	struct search *search = mem_alloc(sizeof(*search));

	resolver->search_count++;
	search->asker = asker;
	search->channel = asker->channel;
	search->query = asked->query;
	search->tlsa_port = asked->tlsa_port;
	if (asked->domain.len > 0)
		memcpy(search->domain, asked->domain.ptr, asked->domain.len);
	if (resolver->search_count > QUESTIONS_MAX) {
		reply(search, IPC_HOSTS_TRY_LATER, "too many DNS questions at a time");
	} else if (strlen(search->domain) != asked->domain.len || asked->domain.len == 0) {
		reply(search, IPC_HOSTS_NO_DOMAIN, "the domain is not a name");
	} else if (asked->mx) {
		search->mx = (struct io_op){.done = mx_found, .owner = search};
		io_dns(resolver->env->io, &search->mx, asked->domain, IO_DNS_MX);
	} else {
		/* The operator said which host it is. */
		search->secure = true;
		ask_domain(search);
	}
}

static enum err
receive(void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct ipc_dn_hosts asked;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	if (type != IPC_dn_HOSTS || ipc_dn_hosts_decode(payload, &asked))
		return ERR_SYNTAX;
	start_search(owner, &asked);
	return OK;
}

/* A question of the fetcher or of reception for the records of one name. */
struct question {
	struct asker *asker;
	struct ipc_channel *channel; /* that asked; it may be gone */
	uint64_t query;
	struct io_op op;
};

static void
txt_found(struct io_op *op)
{
	struct question *question = op->owner;
	struct asker *asker = question->asker;
	struct ipc_nf_txt answer = {.query = question->query,
	    .failed = op->err != OK || op->answer->bogus};
	struct buf records;

	buf_init(&records, IPC_TXT_MAX);
	for (size_t i = 0; !answer.failed && i < op->answer->record_count; i++)
		if (op->answer->records[i].len + 4 <= buf_space(&records))
			wire_bytes(&records, op->answer->records[i]);
	answer.records = buf_span(&records);
	if (asker->channel && asker->channel == question->channel)
		ipc_nf_txt_send(asker->channel, &answer);
	buf_fini(&records);
	asker->resolver->search_count--;
	mem_free(question);
}

/* A null MX stands alone (RFC 7505 section 3): beside others nobody knows what is meant. */
static bool
is_null_mx(const struct io_dns_answer *answer)
{
	char name[IPC_DOMAIN_MAX + 1];
	uint16_t preference;

	return answer->record_count == 1 &&
	    rdata_mx(answer->records[0], &preference, name) == OK && name[0] == '\0';
}

static void
null_mx_found(struct io_op *op)
{
	struct question *question = op->owner;
	struct asker *asker = question->asker;
	const struct ipc_nr_null_mx answer = {.query = question->query,
	    .null_mx = !op->err && !op->answer->bogus && is_null_mx(op->answer)};

	if (asker->channel && asker->channel == question->channel)
		ipc_nr_null_mx_send(asker->channel, &answer);
	asker->resolver->search_count--;
	mem_free(question);
}

static struct question *
start_question(struct asker *asker, uint64_t query, io_done *done)
{
	struct question *question = mem_alloc(sizeof(*question));

	asker->resolver->search_count++;
	*question = (struct question){
	    .asker = asker,
	    .channel = asker->channel,
	    .query = query,
	    .op = {.done = done, .owner = question},
	};
	return question;
}

/* A question of reception. */
static enum err
receive_reception(
    void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct asker *asker = owner;
	struct ipc_rn_null_mx asked;
	struct question *question;

	if (fd >= 0)
		io_fd_close(fd);
	if (type != IPC_rn_NULL_MX || ipc_rn_null_mx_decode(payload, &asked))
		return ERR_SYNTAX;
	if (!is_host_name(asked.domain) || asker->resolver->search_count >= QUESTIONS_MAX) {
		ipc_nr_null_mx_send(channel, &(struct ipc_nr_null_mx){.query = asked.query});
		return OK;
	}
	question = start_question(asker, asked.query, null_mx_found);
	io_dns(asker->resolver->env->io, &question->op, asked.domain, IO_DNS_MX);
	return OK;
}

static void
start_txt(struct asker *asker, const struct ipc_fn_txt *asked)
{
	struct resolver *resolver = asker->resolver;
	const struct ipc_nf_txt later = {.query = asked->query, .failed = true};
	struct question *question;

	if (resolver->search_count >= QUESTIONS_MAX) {
		ipc_nf_txt_send(asker->channel, &later);
		return;
	}
	question = start_question(asker, asked->query, txt_found);
	io_dns(resolver->env->io, &question->op, asked->name, IO_DNS_TXT);
}

static enum err
receive_fetcher(
    void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct ipc_dn_hosts same = {0};
	struct ipc_fn_host host;
	struct ipc_fn_txt txt;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	if (type == IPC_fn_TXT && ipc_fn_txt_decode(payload, &txt) == OK) {
		start_txt(owner, &txt);
		return OK;
	}
	if (type != IPC_fn_HOST || ipc_fn_host_decode(payload, &host))
		return ERR_SYNTAX;
	same.query = host.query;
	same.domain = host.name;
	start_search(owner, &same);
	return OK;
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct asker *asker = owner;
	struct resolver *resolver = asker->resolver;

	if (err != ERR_CLOSED)
		proc_bad_peer(resolver->env, asker->proc, asker->instance, err);
	ipc_channel_destroy(channel);
	asker->channel = NULL;
}

static void *
resolver_create(struct proc_env *env)
{
	struct resolver *resolver = mem_alloc(sizeof(*resolver));
	struct event event;
	enum err err;

	resolver->env = env;
	/* conf_parse ends its strings with NUL. */
	if (env->conf->trust_anchor_path.len > 0)
		io_dns_anchor(env->io, env->conf->trust_anchor_path.ptr);
	err = io_dns_servers(env->io, env->conf->dns_servers, env->conf->dns_server_count);
	if (!err)
		return resolver;
	event_begin(&event, &env->log, "dns_not_usable");
	event_err(&event, err);
	event_end(&event);
	return NULL;
}

static void
resolver_link(void *role, enum proc peer, unsigned instance, enum proc_link_kind kind,
    struct io_stream *stream)
{
	struct resolver *resolver = role;
	struct asker *asker;
	struct ipc_handlers handlers = {NULL, receive, closed};

	(void)kind;
	if (instance >= PROC_INSTANCES_MAX) {
		io_close(stream);
		return;
	}
	asker = peer == PROC_FETCHER    ? &resolver->fetcher
	    : peer == PROC_RECEPTION ? &resolver->receptions[instance]
				     : &resolver->askers[instance];
	asker->proc = peer;
	asker->instance = instance;
	if (peer == PROC_FETCHER)
		handlers.receive = receive_fetcher;
	else if (peer == PROC_RECEPTION)
		handlers.receive = receive_reception;
	ipc_channel_destroy(asker->channel);
	handlers.owner = asker;
	asker->resolver = resolver;
	asker->channel = ipc_channel_create(stream, &handlers);
}

static void
resolver_stop(void *role)
{
	struct resolver *resolver = role;

	proc_stopped(resolver->env);
}

const struct proc_role resolver_role = {
    .create = resolver_create,
    .link = resolver_link,
    .stop = resolver_stop,
};
