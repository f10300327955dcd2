/* The server on this machine: its configuration held against the DNS, and what it stands on. */
#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/date.h"
#include "cli/cli_check_internal.h"
#include "conf/conf.h"
#include "proc/supervisor/conf_load.h"
#include "tls/tls_peer.h"

enum {
	LOCAL_ADDRS_MAX = 64,
	DOMAINS_MAX = 10,
	ROUTES_MAX = 3,
	FILES_MAX = 100000,
	OUTBOUND_PORT = 25,
	SUBMISSIONS_PORT = 465,
	CLOCK_SLACK_S = 60,
};

struct self {
	struct cli_check *check;
	const struct conf *conf;
	char hostname[CLI_CHECK_NAME_BYTES];
	struct net_addr local[LOCAL_ADDRS_MAX];
	size_t local_count;
	struct net_addr named[CHECK_ADDRS_MAX]; /* what the host name leads to */
	size_t named_count;
};

static void
find_local(struct self *self)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) != 0)
		return;
	for (struct ifaddrs *at = all; at && self->local_count < LOCAL_ADDRS_MAX;
	     at = at->ifa_next) {
		struct net_addr addr = {0};

		if (at->ifa_addr && at->ifa_addr->sa_family == AF_INET) {
			addr.family = 4;
			memcpy(addr.bytes,
			    &((const struct sockaddr_in *)(const void *)at->ifa_addr)->sin_addr, 4);
		} else if (at->ifa_addr && at->ifa_addr->sa_family == AF_INET6) {
			addr.family = 6;
			memcpy(addr.bytes,
			    &((const struct sockaddr_in6 *)(const void *)at->ifa_addr)->sin6_addr,
			    16);
		} else {
			continue;
		}
		self->local[self->local_count++] = addr;
	}
	freeifaddrs(all);
}

static bool
is_among(const struct net_addr *addr, const struct net_addr *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (net_addr_same_host(addr, &list[i]))
			return true;
	return false;
}

static void
check_name(struct self *self)
{
	struct cli_check *check = self->check;
	struct cli_check_answer *a;
	bool here = false;

	cli_check_subject(check, "%s", self->hostname);
	if (!strchr(self->hostname, '.')) {
		cli_check_find(check, FINDING_SELF_NAME_BARE);
		return;
	}
	if (!cli_check_addresses(check, self->hostname, self->named, &self->named_count, &a))
		cli_check_find(check, FINDING_DNS_NO_ANSWER);
	else if (a->bogus)
		cli_check_find(check, FINDING_DNSSEC_BOGUS);
	else if (self->named_count == 0)
		cli_check_find(check, a->rcode == 3 ? FINDING_NAME_MISSING
						    : FINDING_NAME_NO_ADDRESS);
	mem_free(a);
	for (size_t i = 0; i < self->named_count; i++) {
		struct buf text;

		here = here || is_among(&self->named[i], self->local, self->local_count);
		buf_init(&text, NET_TEXT_MAX);
		net_addr_write(&text, &self->named[i]);
		cli_check_subject(check, "%s [%.*s]", self->hostname,
		    SPAN_ARGS(buf_span(&text)));
		buf_fini(&text);
		cli_check_ptr(check, &self->named[i]);
	}
	cli_check_subject(check, "%s", self->hostname);
	if (self->named_count > 0 && !here)
		cli_check_find(check, FINDING_SELF_NAME_ELSEWHERE);
}

/* Whether mail for a host of that name would come here. */
static bool
leads_here(struct self *self, const char *name)
{
	struct net_addr addrs[CHECK_ADDRS_MAX];
	size_t count;

	if (span_eq_nocase(span_str(name), span_str(self->hostname)))
		return true;
	(void)cli_check_addresses(self->check, name, addrs, &count, NULL);
	for (size_t i = 0; i < count; i++)
		if (is_among(&addrs[i], self->local, self->local_count) ||
		    is_among(&addrs[i], self->named, self->named_count))
			return true;
	return false;
}

static void
check_domains(struct self *self)
{
	const struct conf *conf = self->conf;

	for (size_t i = 0; i < conf->domain_count && i < DOMAINS_MAX; i++) {
		struct check_mx mx[CHECK_MX_MAX];
		char domain[CLI_CHECK_NAME_BYTES];
		bool here = false;
		size_t count;

		if (cli_check_is_over(self->check) || conf->domains[i].len >= sizeof(domain))
			return;
		snprintf(domain, sizeof(domain), "%.*s", SPAN_ARGS(conf->domains[i]));
		cli_check_subject(self->check, "%s", domain);
		if (!cli_check_mx(self->check, domain, mx, &count))
			continue;
		for (size_t k = 0; k < count && !here; k++)
			here = mx[k].name[0] && leads_here(self, mx[k].name);
		if (count == 0)
			here = leads_here(self, domain);
		if (!here)
			cli_check_find(self->check, FINDING_SELF_MX_ELSEWHERE);
	}
}

static enum check_port
port_of(enum conf_listener_kind kind)
{
	return kind == CONF_LISTENER_SMTP	   ? CHECK_PORT_SMTP
	       : kind == CONF_LISTENER_SUBMISSIONS ? CHECK_PORT_SUBMISSIONS
						   : CHECK_PORT_SUBMISSION;
}

/* Each is called where it listens; one that listens everywhere, on the loopback. */
static void
check_listeners(struct self *self)
{
	const struct conf *conf = self->conf;

	for (size_t i = 0; i < conf->listener_count; i++) {
		struct net_addr addr = conf->listeners[i].addr;
		const struct net_addr any = {.family = addr.family};
		struct check_session *session;
		struct buf text;

		if (cli_check_is_over(self->check))
			return;
		if (net_addr_same_host(&addr, &any)) {
			if (addr.family == 4)
				memcpy(addr.bytes, (const uint8_t[]){127, 0, 0, 1}, 4);
			else
				addr.bytes[15] = 1;
		}
		session = mem_alloc(sizeof(*session));
		buf_init(&text, NET_TEXT_MAX + 2);
		net_addr_write_literal(&text, &addr);
		cli_check_subject(self->check, "%s %.*s:%u", self->hostname,
		    SPAN_ARGS(buf_span(&text)), addr.port);
		buf_fini(&text);
		snprintf(session->host, sizeof(session->host), "%s", self->hostname);
		session->port = port_of(conf->listeners[i].kind);
		session->wanted = true;
		cli_check_session(self->check, &addr, NULL, session, NULL);
		check_session_judge(self->check->report, span_str(self->check->subject), session,
		    (int64_t)(io_wall_ms(self->check->io) / 1000));
		mem_free(session);
	}
}

static void
check_certificates(struct self *self)
{
	const struct conf *conf = self->conf;

	if (conf->certificate_count == 0) {
		cli_check_subject(self->check, "%s", self->hostname);
		cli_check_find(self->check, FINDING_SELF_NO_CERTIFICATE);
	}
	for (size_t i = 0; i < conf->certificate_count; i++) {
		struct span path = conf->certificates[i].path;
		/* The first is for the host; the others may be for any name. */
		struct span name = i == 0 ? span_str(self->hostname) : span_of("", 0);
		struct tls_peer peer;

		cli_check_subject(self->check, "%.*s", SPAN_ARGS(path));
		cli_check_begin(self->check, WORD_CHECK_CERTIFICATE,
		    &(struct word_fields){.name = path});
		if (tls_peer_look_pem(conf->certificates[i].pem, name, &peer) != OK) {
			cli_check_end(self->check, WORD_CHECK_FAILED, NULL);
			continue;
		}
		cli_check_end(self->check, WORD_CHECK_TEXT,
		    &(struct word_fields){.text = span_str(peer.names)});
		check_certificate_judge(self->check->report, span_str(self->check->subject), name,
		    &peer, (int64_t)(io_wall_ms(self->check->io) / 1000));
	}
}

/* One server elsewhere, called on a port; nothing is said to it. */
static void
call_out(struct self *self, const char *name, uint16_t port)
{
	struct cli_check *check = self->check;
	struct net_addr addrs[CHECK_ADDRS_MAX];
	enum err err = ERR_NOT_FOUND;
	size_t count = 0;

	cli_check_subject(check, "%s:%u", name, port);
	if (net_addr_parse(span_str(name), &addrs[0]) == OK)
		count = 1;
	else
		(void)cli_check_addresses(check, name, addrs, &count, NULL);
	for (size_t i = 0; i < count && err && !cli_check_is_over(check); i++) {
		struct cli_check_link *link;
		struct buf text;

		addrs[i].port = port;
		buf_init(&text, NET_TEXT_MAX + 8);
		net_addr_write_literal(&text, &addrs[i]);
		buf_addf(&text, ":%u", port);
		cli_check_begin(check, WORD_CHECK_CONNECTING,
		    &(struct word_fields){.name = buf_span(&text)});
		err = cli_check_connect(check, &addrs[i], &link);
		cli_check_end_connect(check, err);
		buf_fini(&text);
		cli_check_close(link);
	}
	if (err == ERR_TIMEOUT)
		cli_check_find(check, FINDING_SELF_OUTBOUND_BLOCKED);
	else if (err == ERR_REFUSED)
		cli_check_find(check, FINDING_PORT_REFUSED);
	else if (err == ERR_UNREACHABLE)
		cli_check_find(check, FINDING_PORT_UNREACHABLE);
	else if (err == ERR_NOT_FOUND)
		cli_check_find(check, FINDING_NAME_NO_ADDRESS);
}

/* Only whom the configuration names, or the user. */
static void
check_outbound(struct self *self)
{
	const struct conf *conf = self->conf;
	const struct conf_route *route;
	struct conf_ways ways = {0};
	bool tried = false;

	if (self->check->options->outbound) {
		call_out(self, self->check->options->outbound,
		    self->check->options->smtp_port);
		return;
	}
	for (size_t i = 0;
	     i < ROUTES_MAX && (route = conf_ways_next(conf, &ways)) != NULL; i++) {
		char name[CLI_CHECK_NAME_BYTES];
		uint16_t port = route->port;

		if (route->kind != CONF_ROUTE_SMTP || route->host.len == 0 ||
		    route->host.len >= sizeof(name) ||
		    cli_check_is_over(self->check))
			continue;
		if (port == 0)
			port = route->tls == CONF_TLS_IMPLICIT ? SUBMISSIONS_PORT : OUTBOUND_PORT;
		snprintf(name, sizeof(name), "%.*s", SPAN_ARGS(route->host));
		call_out(self, name, port);
		tried = true;
	}
	if (!tried) {
		cli_check_subject(self->check, "%s", self->hostname);
		cli_check_find(self->check, FINDING_SELF_OUTBOUND_UNTRIED);
	}
}

/* When the newest file of a directory was written; 0 where there is none to see. */
static int64_t
newest_in(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int64_t newest = 0;

	for (int i = 0; dir && i < FILES_MAX && (entry = readdir(dir)) != NULL; i++) {
		struct stat file;

		if (fstatat(dirfd(dir), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(file.st_mode) && file.st_mtime > newest)
			newest = file.st_mtime;
	}
	if (dir)
		closedir(dir);
	return newest;
}

static void
check_clock(struct self *self, const char *spool)
{
	int64_t now = (int64_t)(io_wall_ms(self->check->io) / 1000), newest = newest_in(spool);
	const char *what = spool;
	struct buf clock, other;
	struct stat program;

	cli_check_subject(self->check, "%s", self->hostname);
	cli_check_begin(self->check, WORD_CHECK_CLOCK, NULL);
	if (stat("/proc/self/exe", &program) == 0 && program.st_mtime > newest) {
		newest = program.st_mtime;
		what = "postrider";
	}
	buf_init(&clock, DATE_TEXT_BYTES + 1);
	buf_init(&other, DATE_TEXT_BYTES + 1);
	date_write(&clock, (uint64_t)now * 1000);
	date_write(&other, (uint64_t)newest * 1000);
	cli_check_end(self->check, WORD_CHECK_TEXT,
	    &(struct word_fields){.text = buf_span(&clock)});
	if (newest > now + CLOCK_SLACK_S)
		check_add(self->check->report, FINDING_SELF_CLOCK, span_str(self->hostname),
		    WORD_CHECK_BEFORE,
		    &(struct word_fields){.a = buf_span(&clock), .b = buf_span(&other),
			.name = span_str(what)});
	buf_fini(&clock);
	buf_fini(&other);
}

static void
check_disk(struct self *self, const char *spool)
{
	struct io_dir *dir;
	uint64_t bytes = 0;
	enum err err = io_dir_open(self->check->io, spool, &dir);
	char free[32], reserve[32];

	cli_check_begin(self->check, WORD_CHECK_DISK,
	    &(struct word_fields){.name = span_str(spool)});
	if (!err) {
		err = io_dir_space(dir, &bytes);
		io_dir_close(dir);
	}
	if (err) {
		cli_check_end(self->check, WORD_CHECK_FAILED,
		    &(struct word_fields){.text = span_str(err_text(err))});
		return;
	}
	snprintf(free, sizeof(free), "%llu", (unsigned long long)(bytes >> 20));
	snprintf(reserve, sizeof(reserve), "%llu",
	    (unsigned long long)(self->conf->disk_reserve_bytes >> 20));
	cli_check_end(self->check, WORD_CHECK_MEGABYTES,
	    &(struct word_fields){.a = span_str(free)});
	if (bytes < self->conf->disk_reserve_bytes)
		check_add(self->check->report, FINDING_SELF_DISK, span_str(spool),
		    WORD_CHECK_FREE,
		    &(struct word_fields){.a = span_str(free), .b = span_str(reserve)});
}

static void
check_control(struct self *self)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct span path = self->conf->control_path;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool runs = false;

	cli_check_begin(self->check, WORD_CHECK_CONTROL, &(struct word_fields){.name = path});
	if (fd >= 0 && path.len < sizeof(un.sun_path)) {
		memcpy(un.sun_path, path.ptr, path.len);
		runs = connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0;
	}
	if (fd >= 0)
		close(fd);
	cli_check_end(
	    self->check, runs ? WORD_CHECK_ACCEPTED : WORD_CHECK_NO_ANSWER, NULL);
	if (!runs)
		check_add(self->check->report, FINDING_SELF_CONTROL, path, WORD_COUNT, NULL);
}

static void
check_all(struct cli_check *check, const struct conf *conf)
{
	struct self *self = mem_alloc(sizeof(*self));
	char *spool = mem_copy(conf->spool_path);

	self->check = check;
	self->conf = conf;
	snprintf(self->hostname, sizeof(self->hostname), "%.*s",
	    SPAN_ARGS(span_first(conf->hostname, CLI_CHECK_NAME_BYTES - 1)));
	find_local(self);
	check_clock(self, spool);
	check_disk(self, spool);
	check_control(self);
	check_certificates(self);
	check_name(self);
	check_domains(self);
	check_listeners(self);
	check_outbound(self);
	mem_free(spool);
	mem_free(self);
}

void
cli_check_self(struct cli_check *check)
{
	const char *path = check->options->conf_path ? check->options->conf_path
						     : conf_load_default_path();
	struct conf_bundle *bundle;
	struct conf *conf;
	struct buf problems;
	enum err err;

	buf_init(&problems, 64 << 10);
	cli_check_subject(check, "%s", path);
	cli_check_begin(check, WORD_CHECK_CONFIG, &(struct word_fields){.name = span_str(path)});
	err = conf_load(path, &bundle, &conf, &problems);
	if (err) {
		struct span why = span_trim(buf_span(&problems));

		cli_check_end(check, WORD_CHECK_FAILED,
		    &(struct word_fields){.text = span_str(err_text(err))});
		check_add(check->report, FINDING_SELF_CONFIG, span_str(path), WORD_CHECK_REASON,
		    &(struct word_fields){.text = span_first(why, span_find(why, '\n'))});
	} else {
		cli_check_end(check, WORD_CHECK_FINE, NULL);
		check_all(check, conf);
	}
	buf_fini(&problems);
	conf_destroy(conf);
	conf_bundle_destroy(bundle);
}
