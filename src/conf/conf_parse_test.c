/* What good configurations mean. */
#include "conf/conf_test_kit.h"

static const char everything[] =
    "\xEF\xBB\xBF# all statements\r\n"
    "HostName mail.example.org\r\n"
    "software name in greeting off\n"
    "listen smtp on 0.0.0.0:2525, [::1], *:26 # and a comment\n"
    "listen submission on 192.0.2.1\n"
    "listen submissions on [2001:db8::1]:4465\n"
    "certificate cert.pem key keys/key.pem\n"
    "certificate rsa.pem key keys/rsa.pem\n"
    "client certificates from users-ca.pem\n"
    "minimum tls version 1.3\n"
    "tls ciphers ECDHE+AESGCM:!aNULL; tls groups X25519:P-256\n"
    "tls ticket lifetime 1 h\n"
    "accept mail for Example.ORG,\n\n  # between\n\texample.net\n"
    "accept mail for xn--mller-kva.example\n"
    "relay for 127.0.0.0/8, [::1], 2001:db8::/32, fd00::/8, [fe80::]/10, 192.0.2.7\n"
    "mailboxes from ../tables/boxes; aliases from /a; passwords from p; "
    "credentials from \"a \\\"b\\\" \\\\c\"\n"
    "deliver to maildir mail as vmail\n"
    "postmaster goes to alice\n"
    "detail separator \"-\"\n"
    "hold all mail\n"
    "send mail for Example.com, .example.com through relay.example.net:587 with tls "
    "required as isp\n"
    "send mail for a.test through [2001:db8::25] with tls never\n"
    "send mail for b.test through [IPv6:::1]:26 as x with tls may\n"
    "send mail for c.test through 192.0.2.25:465\n"
    "send mail for d.test through d as isp\n"
    "send mail for e.test by mx with tls verified\n"
    "send mail by mx\n"
    "send from 192.0.2.9, [2001:db8::9] as Out.example for senders A.test, .a.test weight 7\n"
    "send from 192.0.2.9\n"
    "send from 192.0.2.10, 192.0.2.9 in pool Bulk-1 weight 3; send from 192.0.2.10 in pool b\n"
    "warm up 192.0.2.10 from 2026-12-01 with 50 a day times 1.5 every 2 d until 2000\n"
    "warm up [2001:db8::9], 192.0.2.9 from 2026-11-30 with 7 a day at most 70\n"
    "warm up 192.0.2.9 from 2026-11-30 with 9 a day to gmail, \"Microsoft 365\"\n"
    "verp for lists.test, .lists.test; verp for b.test with delimiters \"-#\"\n"
    "ask dns at 127.0.0.1:5353, [::1]\n"
    "spool spool//./x\n"
    "control socket /run/x/../control\n"
    "log as json to syslog\n"
    "reception processes 4; delivery processes automatic\n"
    "limits { message size 35 MB; recipients 500 }\n"
    "limits {\n\tmessages per session unlimited\n\tcommand line 512b; text line 2 KiB\n"
    "\tcommand timeout 90 seconds ; data timeout 1h\n}\n"
    "queue { retry after 500 ms, 5m,\n 1 hour ; expire after 1 d\ndisk reserve 0 }\n"
    "delivery { connect timeout 1m }";

static void
assert_addr(const struct net_addr *addr, const char *wanted)
{
	struct buf text;

	buf_init(&text, NET_TEXT_MAX * 2);
	conf_value_write_endpoint(&text, addr);
	kit_assert_span(buf_span(&text), wanted);
	buf_fini(&text);
}

static void
assert_listeners(const struct conf *conf)
{
	static const struct {
		enum conf_listener_kind kind;
		const char *addr;
	} wanted[] = {
	    {CONF_LISTENER_SMTP, "0.0.0.0:2525"},
	    {CONF_LISTENER_SMTP, "[::1]:25"},
	    {CONF_LISTENER_SMTP, "0.0.0.0:26"},
	    {CONF_LISTENER_SMTP, "[::]:26"},
	    {CONF_LISTENER_SUBMISSION, "192.0.2.1:587"},
	    {CONF_LISTENER_SUBMISSIONS, "[2001:db8::1]:4465"},
	};

	assert_int_equal(conf->listener_count, LEN(wanted));
	for (size_t i = 0; i < LEN(wanted); i++) {
		assert_int_equal(conf->listeners[i].kind, wanted[i].kind);
		assert_addr(&conf->listeners[i].addr, wanted[i].addr);
	}
}

static void
assert_routes(const struct conf *conf)
{
	static const struct {
		const char *domain, *host, *credential;
		uint16_t port;
		enum conf_tls tls;
	} wanted[] = {
	    {"example.com", "relay.example.net", "isp", 587, CONF_TLS_REQUIRED},
	    {".example.com", "relay.example.net", "isp", 587, CONF_TLS_REQUIRED},
	    {"a.test", "2001:db8::25", "", 0, CONF_TLS_NEVER},
	    {"b.test", "::1", "x", 26, CONF_TLS_MAY},
	    {"c.test", "192.0.2.25", "", 465, CONF_TLS_IMPLICIT},
	    {"d.test", "d", "isp", 0, CONF_TLS_VERIFIED},
	    {"e.test", "", "", 0, CONF_TLS_VERIFIED},
	    {"", "", "", 0, CONF_TLS_MAY},
	};

	assert_int_equal(conf->route_count, LEN(wanted));
	for (size_t i = 0; i < LEN(wanted); i++) {
		kit_assert_span(conf->routes[i].domain, wanted[i].domain);
		kit_assert_span(conf->routes[i].host, wanted[i].host);
		kit_assert_span(conf->routes[i].credential, wanted[i].credential);
		assert_int_equal(conf->routes[i].port, wanted[i].port);
		assert_int_equal(conf->routes[i].tls, wanted[i].tls);
	}
}

static void
assert_networks(const struct conf *conf)
{
	static const char *const wanted[] = {"127.0.0.0/8", "[::1]", "[2001:db8::]/32",
	    "[fd00::]/8", "[fe80::]/10", "192.0.2.7"};
	struct buf text;

	assert_int_equal(conf->relay_network_count, LEN(wanted));
	buf_init(&text, NET_TEXT_MAX * 2);
	for (size_t i = 0; i < LEN(wanted); i++) {
		buf_reset(&text);
		conf_value_write_prefix(&text, &conf->relay_networks[i]);
		kit_assert_span(buf_span(&text), wanted[i]);
	}
	buf_fini(&text);
}

static void
assert_names(const struct conf *conf)
{
	kit_assert_span(conf->hostname, "mail.example.org");
	assert_int_equal(conf->certificate_count, 2);
	kit_assert_span(conf->certificates[0].path, "/etc/p/cert.pem");
	kit_assert_span(conf->certificates[0].pem, KIT_PEM);
	kit_assert_span(conf->certificates[0].key_path, "/etc/p/keys/key.pem");
	kit_assert_span(conf->certificates[1].path, "/etc/p/rsa.pem");
	kit_assert_span(conf->certificates[1].key_path, "/etc/p/keys/rsa.pem");
	kit_assert_span(conf->clients_path, "/etc/p/users-ca.pem");
	kit_assert_span(conf->clients_pem, KIT_PEM);
	assert_int_equal(conf->tls_version_min, CONF_TLS_1_3);
	kit_assert_span(conf->tls_ciphers, "ECDHE+AESGCM:!aNULL");
	kit_assert_span(conf->tls_groups, "X25519:P-256");
	assert_int_equal(conf->tls_ticket_ms, 3600000);
	assert_int_equal(conf->domain_count, 3);
	kit_assert_span(conf->domains[0], "example.org");
	kit_assert_span(conf->domains[1], "example.net");
	kit_assert_span(conf->domains[2], "xn--mller-kva.example");
	kit_assert_span(conf->mailboxes_path, "/etc/tables/boxes");
	kit_assert_span(conf->aliases_path, "/a");
	kit_assert_span(conf->passwords_path, "/etc/p/p");
	kit_assert_span(conf->credentials_path, "/etc/p/a \"b\" \\c");
	kit_assert_span(conf->maildir_path, "/etc/p/mail");
	kit_assert_span(conf->mailbox_user, "vmail");
	kit_assert_span(conf->postmaster, "alice");
	kit_assert_span(conf->spool_path, "/etc/p/spool/x");
	kit_assert_span(conf->control_path, "/run/control");
}

static void
assert_numbers(const struct conf *conf)
{
	assert_false(conf->greeting_software);
	assert_true(conf->hold_all);
	assert_int_equal(conf->detail_separator, '-');
	assert_int_equal(conf->log_format, CONF_LOG_JSON);
	assert_int_equal(conf->log_target, CONF_LOG_SYSLOG);
	assert_int_equal(conf->reception_count, 4);
	assert_int_equal(conf->delivery_count, 0);
	assert_int_equal(conf->message_bytes_max, 35 << 20);
	assert_int_equal(conf->rcpt_max, 500);
	assert_int_equal(conf->messages_max, 0);
	assert_int_equal(conf->command_bytes_max, 512);
	assert_int_equal(conf->line_bytes_max, 2048);
	assert_int_equal(conf->command_timeout_ms, 90000);
	assert_int_equal(conf->data_timeout_ms, 3600000);
	assert_int_equal(conf->limits.retry_count, 3);
	assert_int_equal(conf->limits.retry_ms[0], 500);
	assert_int_equal(conf->limits.retry_ms[1], 300000);
	assert_int_equal(conf->limits.retry_ms[2], 3600000);
	assert_int_equal(conf->limits.expire_ms, 86400000);
	assert_int_equal(conf->disk_reserve_bytes, 0);
	assert_int_equal(conf->connect_timeout_ms, 60000);
	assert_int_equal(conf->reply_timeout_ms, 300000);
}

static void
assert_sources(const struct conf *conf)
{
	const struct conf_warmup *first = &conf->warmups[0], *last = &conf->warmups[2];

	assert_int_equal(conf->source_count, 8);
	kit_assert_span(conf->sources[3].sender, ".a.test");
	kit_assert_span(conf->sources[3].pool, "");
	kit_assert_span(conf->sources[5].pool, "bulk-1");
	kit_assert_span(conf->sources[6].pool, "bulk-1");
	assert_int_equal(conf->sources[6].weight, 3);
	kit_assert_span(conf->sources[7].pool, "b");
	assert_int_equal(conf->warmup_count, 5);
	kit_assert_span(conf->warmups[3].provider, "Gmail");
	kit_assert_span(conf->warmups[4].provider, "Microsoft 365");
	kit_assert_span(conf->warmups[2].provider, "");
	assert_addr(&first->addr, "192.0.2.10:0");
	assert_int_equal(first->from_day, 20788);
	assert_int_equal(first->start, 50);
	assert_int_equal(first->factor_percent, 150);
	assert_int_equal(first->step_days, 2);
	assert_int_equal(first->end, 2000);
	assert_false(first->is_limit);
	assert_addr(&last->addr, "192.0.2.9:0");
	assert_int_equal(last->factor_percent, 200);
	assert_int_equal(last->step_days, 1);
	assert_int_equal(last->end, 70);
	assert_true(last->is_limit);
}

static void
every_statement_reaches_the_conf(void **state)
{
	struct kit kit;

	(void)state;
	kit_init(&kit, everything);
	kit_assert_good(&kit);
	assert_names(kit.conf);
	assert_numbers(kit.conf);
	assert_listeners(kit.conf);
	assert_networks(kit.conf);
	assert_routes(kit.conf);
	assert_sources(kit.conf);
	assert_int_equal(kit.conf->dns_server_count, 2);
	assert_addr(&kit.conf->dns_servers[0], "127.0.0.1:5353");
	assert_addr(&kit.conf->dns_servers[1], "[::1]:53");
	kit_fini(&kit);
}

/* The conf owns its memory: the bundle may go before it. */
static void
the_conf_outlives_the_bundle(void **state)
{
	struct kit kit;

	(void)state;
	kit_init(&kit, everything);
	conf_bundle_destroy(kit.bundle);
	kit.bundle = NULL;
	assert_names(kit.conf);
	assert_routes(kit.conf);
	kit_fini(&kit);
}

static void
defaults_are_those_of_the_contract(void **state)
{
	struct kit kit;
	const struct conf *conf;

	(void)state;
	kit_init(&kit, KIT_BASE);
	kit_assert_good(&kit);
	conf = kit.conf;
	assert_true(conf->greeting_software);
	assert_false(conf->hold_all);
	assert_int_equal(conf->listener_count, 2);
	assert_addr(&conf->listeners[0].addr, "0.0.0.0:25");
	assert_addr(&conf->listeners[1].addr, "[::]:25");
	assert_int_equal(conf->domain_count, 0);
	assert_int_equal(conf->certificate_count, 0);
	kit_assert_span(conf->clients_path, "");
	assert_int_equal(conf->tls_version_min, CONF_TLS_1_2);
	kit_assert_span(conf->tls_ciphers, "");
	assert_int_equal(conf->tls_ticket_ms, 7200000);
	kit_assert_span(conf->spool_path, "/var/spool/postrider");
	kit_assert_span(conf->control_path, "/run/postrider/control");
	kit_assert_span(conf->postmaster, "postmaster");
	assert_int_equal(conf->detail_separator, '+');
	assert_int_equal(conf->message_bytes_max, 50 << 20);
	assert_int_equal(conf->messages_max, 100000);
	assert_int_equal(conf->limits.retry_count, 7);
	assert_int_equal(conf->limits.retry_ms[6], 4 * 3600 * 1000);
	assert_int_equal(conf->segment_bytes, 64 << 20);
	assert_int_equal(conf->limits.connections_max, 20);
	assert_int_equal(conf->limits.connections_start, 5);
	assert_int_equal(conf->limits.jitter_percent, 10);
	assert_int_equal(conf->limits.rate_count, 0);
	assert_int_equal(conf->destination_count, 0);
	assert_int_equal(conf->crashes_max, 3);
	assert_int_equal(conf->ledger_keep_ms, UINT64_C(30) * 86400 * 1000);
	assert_int_equal(conf->ledger_bytes_max, 1 << 30);
	kit_fini(&kit);
}

/* What a block does not say is as in the queue, wherever the queue's block stands. */
static void
destinations_have_limits_of_their_own(void **state)
{
	const struct conf_destination *rows;
	struct kit kit;

	(void)state;
	kit_init(&kit, KIT_BASE
	    "destination Slow.Example, [::1] {\n\tretry after 1 m, 5 m; expire after 2 d\n"
	    "\tconnections 4; rate 100 per 1 m; jitter 20%\n}\n"
	    "queue { jitter 30 %; expire after 3 d; rate per destination 5 per second }\n"
	    "destination any { connections at first 9; retry after 7 s; rate unlimited }\n"
	    "destination .never.example { }\n");
	assert_non_null(strstr(kit.problems.ptr, ":8:13: this destination for"));
	kit_fini(&kit);
	kit_init(&kit, KIT_BASE
	    "destination Slow.Example, [::1] {\n\tretry after 1 m, 5 m; expire after 2 d\n"
	    "\tconnections 4; rate 100 per 1 m; jitter 20%; tls dane\n}\n"
	    "queue { jitter 30 %; expire after 3 d; rate per destination 5 per second\n"
	    "connections per far destination 30 }\n"
	    "destination any { connections at first 9; retry after 7 s; rate unlimited }\n");
	kit_assert_good(&kit);
	assert_int_equal(kit.conf->destination_count, 3);
	rows = kit.conf->destinations;
	kit_assert_span(rows[0].pattern, "slow.example");
	kit_assert_span(rows[1].pattern, "::1");
	kit_assert_span(rows[2].pattern, "");
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(rows[i].limits.retry_count, 2);
		assert_int_equal(rows[i].limits.retry_ms[1], 300000);
		assert_int_equal(rows[i].limits.expire_ms, 2 * 86400 * 1000);
		assert_int_equal(rows[i].limits.connections_max, 4);
		assert_int_equal(rows[i].limits.connections_start, 4);
		assert_int_equal(rows[i].limits.connections_far_max, 4);
		assert_int_equal(rows[i].limits.rate_count, 100);
		assert_int_equal(rows[i].limits.rate_period_ms, 60000);
		assert_int_equal(rows[i].limits.jitter_percent, 20);
		assert_int_equal(rows[i].limits.tls, CONF_TLS_DANE);
	}
	assert_int_equal(rows[2].limits.tls, CONF_TLS_MAY);
	assert_int_equal(rows[2].limits.retry_count, 1);
	assert_int_equal(rows[2].limits.retry_ms[0], 7000);
	assert_int_equal(rows[2].limits.expire_ms, 3 * 86400 * 1000);
	assert_int_equal(rows[2].limits.connections_max, 20);
	assert_int_equal(rows[2].limits.connections_start, 9);
	assert_int_equal(rows[2].limits.connections_far_max, 30);
	assert_int_equal(rows[2].limits.rate_count, 0);
	assert_int_equal(rows[2].limits.jitter_percent, 30);
	assert_int_equal(kit.conf->limits.rate_count, 5);
	assert_int_equal(kit.conf->limits.rate_period_ms, 1000);
	kit_fini(&kit);
}

/* What is not said stays so: others may have said it. */
static void
providers_have_limits_for_all_of_theirs(void **state)
{
	const struct conf_provider *rows;
	struct kit kit;

	(void)state;
	kit_init(&kit,
	    KIT_BASE "provider \"microsoft 365\", .Hoster.example {\n\tconnections 7\n"
		     "\trate 600 per 1 m; recipients per transaction 30 }\n"
		     "provider mx.far.example { connections at first 2; messages per connection "
		     "unlimited }\ndestination a.example { messages per connection 3 }\n"
		     "queue { connections per mx host unlimited; provider limits no }\n");
	assert_non_null(kit.conf);
	assert_int_equal(kit.conf->host_connections_max, 0);
	assert_false(kit.conf->provider_limits);
	assert_int_equal(kit.conf->provider_count, 3);
	rows = kit.conf->providers;
	assert_true(span_eq(rows[0].name, SPAN("Microsoft 365")) && !rows[0].is_host);
	assert_true(span_eq(rows[1].name, SPAN(".hoster.example")) && rows[1].is_host);
	assert_int_equal(rows[1].limits.connections_max, 7);
	assert_int_equal(rows[1].limits.rate_count, 600);
	assert_int_equal(rows[1].limits.rcpts_max, 30);
	assert_true(rows[1].limits.messages_max == CONF_UNSAID);
	assert_true(rows[2].limits.connections_max == CONF_UNSAID);
	assert_true(rows[2].limits.rate_count == CONF_UNSAID);
	assert_int_equal(rows[2].limits.connections_start, 2);
	assert_int_equal(rows[2].limits.messages_max, 0);
	assert_int_equal(kit.conf->destinations[0].limits.messages_max, 3);
	assert_true(kit.conf->destinations[0].limits.rcpts_max == CONF_UNSAID);
	assert_true(kit.conf->limits.messages_max == CONF_UNSAID);
	kit_fini(&kit);
}

static void
users_get_ports_where_they_can_log_in(void **state)
{
	struct kit kit;

	(void)state;
	kit_init(&kit, KIT_BASE "certificate c key k\n");
	kit_assert_good(&kit);
	assert_int_equal(kit.conf->listener_count, 2);
	kit_fini(&kit);
	kit_init(&kit, KIT_BASE "certificate c key k\nauthenticate with dovecot d\n");
	kit_assert_good(&kit);
	assert_int_equal(kit.conf->listener_count, 6);
	kit_assert_span(kit.conf->dovecot_path, "/etc/p/d");
	kit_assert_span(kit.conf->token_claim, "email");
	kit_fini(&kit);
	kit_init(&kit, KIT_BASE "certificate c key k\ntoken keys from t\ntoken issuer i\n"
				"token audience a\n");
	kit_assert_good(&kit);
	assert_int_equal(kit.conf->listener_count, 6);
	kit_fini(&kit);
	kit_init(&kit, KIT_BASE "certificate c key k\npasswords from p\n");
	kit_assert_good(&kit);
	assert_int_equal(kit.conf->listener_count, 6);
	assert_addr(&kit.conf->listeners[2].addr, "0.0.0.0:587");
	assert_int_equal(kit.conf->listeners[2].kind, CONF_LISTENER_SUBMISSION);
	assert_addr(&kit.conf->listeners[5].addr, "[::]:465");
	assert_int_equal(kit.conf->listeners[5].kind, CONF_LISTENER_SUBMISSIONS);
	kit_fini(&kit);
}

static const char *const good[] = {
    /* Passwords without TLS are let be where nobody can use them. */
    KIT_BASE "listen smtp on *\npasswords from p\n",
    KIT_BASE "accept mail for a.org\naliases from a\n",
    KIT_BASE "accept mail for localhost, a\nmailboxes from m\ndeliver to maildir d\n",
    KIT_BASE "listen submission on 127.0.0.1:587\n",
    /* A password to this very machine needs no TLS. */
    KIT_BASE "credentials from c\nsend mail through localhost with tls never as x\n",
    KIT_BASE "credentials from c\nsend mail through 127.9.9.9 with tls may as x\n",
    KIT_BASE "credentials from c\nsend mail through [::1] with tls may as x\n",
    /* The domain itself is not below itself. */
    KIT_BASE "send mail for .a.org by mx; send mail for a.org by mx; send mail by mx\n",
    KIT_BASE ";;;{}",
    KIT_BASE "limits{recipients 100;}queue{}delivery{\n\n}\n",
    KIT_BASE "detail separator none\n",
    KIT_BASE "log to syslog\nlimits { commands per session 0 }\n",
    "hostname \"mail.example.org\"",
};

static void
more_that_is_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(good); i++) {
		struct kit kit;

		kit_init(&kit, good[i]);
		/* A block has a name: the one case here that is not good. */
		if (strstr(good[i], ";{}"))
			assert_non_null(strstr(kit.problems.ptr, "begins with a word"));
		else
			kit_assert_good(&kit);
		kit_fini(&kit);
	}
}

static void
long_lists_are_bounded(void **state)
{
	struct buf text;
	struct kit kit;

	(void)state;
	buf_init(&text, 1 << 20);
	buf_add_str(&text, KIT_BASE "listen smtp on ");
	for (unsigned i = 0; i <= CONF_LISTENERS_MAX; i++)
		buf_addf(&text, "%s127.0.0.1:%u", i ? ",\n" : "", i + 1);
	kit_parse(&kit, kit_bundle(buf_span(&text)));
	assert_non_null(strstr(
	    kit.problems.ptr, "main.conf:34:1: at most 32 addresses to listen on\n"));
	kit_fini(&kit);

	buf_reset(&text);
	buf_add_str(&text, KIT_BASE "queue { retry after 1 s");
	for (unsigned i = 0; i < CONF_RETRIES_MAX; i++)
		buf_add_str(&text, ", 1 s");
	buf_add_str(&text, " }");
	kit_parse(&kit, kit_bundle(buf_span(&text)));
	assert_non_null(
	    strstr(kit.problems.ptr, "at most 32 times; the last one repeats"));
	kit_fini(&kit);

	buf_reset(&text);
	buf_add_str(&text, KIT_BASE "relay for 10.0.0.0");
	for (unsigned i = 1; i <= CONF_NETWORKS_MAX; i++)
		buf_addf(&text, ",\n10.0.%u.%u", i / 250, i % 250);
	kit_parse(&kit, kit_bundle(buf_span(&text)));
	assert_non_null(strstr(kit.problems.ptr, "at most 10000 networks"));
	kit_fini(&kit);
	buf_fini(&text);
}

static void
a_hundred_thousand_domains_and_no_more(void **state)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct buf text;
	struct kit kit;

	(void)state;
	buf_init(&text, CONF_FILE_BYTES_MAX);
	buf_add_str(&text,
	    KIT_BASE "include b\ninclude c\nmailboxes from m\ndeliver to maildir d\n");
	assert_int_equal(conf_bundle_add(bundle, SPAN("a"), buf_span(&text)), OK);
	for (unsigned part = 0; part < 2; part++) {
		buf_reset(&text);
		buf_add_str(&text, "accept mail for first");
		for (unsigned i = 1; i < CONF_DOMAINS_MAX / 2; i++)
			buf_addf(&text, ",\nd%u", part * CONF_DOMAINS_MAX + i);
		if (part == 0)
			buf_add_str(&text, ",\nx");
		else
			buf_add_str(&text, "");
		assert_int_equal(buf_finish(&text), OK);
		/* The second file has "second" in place of "first". */
		if (part == 1)
			memcpy(text.ptr + 16, "secon", 5);
		assert_int_equal(conf_bundle_add(bundle, part ? SPAN("c") : SPAN("b"),
				     buf_span(&text)),
		    OK);
	}
	kit_parse(&kit, bundle);
	assert_non_null(strstr(kit.problems.ptr, "at most 100000 domains"));
	kit_fini(&kit);
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_statement_reaches_the_conf),
	    cmocka_unit_test(the_conf_outlives_the_bundle),
	    cmocka_unit_test(defaults_are_those_of_the_contract),
	    cmocka_unit_test(destinations_have_limits_of_their_own),
	    cmocka_unit_test(providers_have_limits_for_all_of_theirs),
	    cmocka_unit_test(users_get_ports_where_they_can_log_in),
	    cmocka_unit_test(more_that_is_good),
	    cmocka_unit_test(long_lists_are_bounded),
	    cmocka_unit_test(a_hundred_thousand_domains_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
