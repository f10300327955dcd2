/* What conf_show writes is read again as the same; and the example file is good. */
#include <stdio.h>

#include "conf/conf_test_kit.h"

#define DOMAIN_60 "a234567890123456789012345678901234567890123456789012345678.org"

static const char *const confs[] = {
    KIT_BASE,
    "hostname a\nsoftware name in greeting no\nhold all mail\ndetail separator none\n",
    "hostname a\ndetail separator \"#\"\npostmaster goes to a+b\n",
    "hostname a\nspool \"/a b\"; control socket \"/\\\"\\\\;{},#\"\n",
    "hostname a\nmailboxes from \"#x\"\naliases from \"\303\274\"\npasswords from p\n"
    "credentials from c\ncertificate \"c,\" key \"k;\"\n"
    "certificate c2 key k2; client certificates from \"c a\"\nminimum tls version 1.3\n"
    "tls ciphers ECDHE+AESGCM:!aNULL; tls groups X25519:P-256; tls ticket lifetime none\n"
    "deliver to maildir \"m m\" as v.mail\n",
    "hostname a\nlisten submission on [2001:db8::1]:1, 192.0.2.1:65535\n"
    "listen smtp on *\nlisten lmtp on 127.0.0.1, [::1]:2424\nlmtp socket \"/a b\"\n"
    "refuse null mx senders no\n",
    "hostname a\nlisten http on *, [::1]:8025\nlisten http on 127.0.0.1:81\n",
    "hostname a\nrelay for 10.0.0.0/8, 192.0.2.1, ::1, [2001:db8::]/32, fc00::/7\n"
    "take xclient from 10.0.0.0/8, ::1\ntake proxy header from 10.0.0.0/8, 192.0.2.1\n"
    "accept no mail\nanswer vrfy\nanswer expn yes\noffer etrn\noffer no soliciting\n"
    "refuse solicitations of \"a:b,c\"\n",
    "hostname a\naliases from a\naccept mail for " DOMAIN_60 ", b" DOMAIN_60
    ", c" DOMAIN_60 ", d, e\n",
    "hostname a\ncredentials from c\n"
    "send mail for .a.b, a.b through [::1]:26 as \"x y\"\n"
    "send mail for c through d with tls never\nsend mail for d through 192.0.2.1:465\n"
    "send mail for e by mx with tls required\nsend mail by mx\n",
    "hostname a\nmailboxes from m\ndeliver to lmtp \"/run/dove cot/lmtp\"\n"
    "fall back to [::1]:26 with tls required\n",
    "hostname a\nmailboxes from m\ncredentials from c\ndeliver to lmtp 127.0.0.1 as x\n"
    "fall back to b as y\nsend mail for joe@a.b, d.e by lmtp f:2424 with tls verified\n"
    "send mail for g by lmtp /run/g\ndiscard mail for g@h, i.j\n"
    "refuse mail for .k.l, m@n with 550 5.1.6 \"We are \\\"new\\\" {now}\"\n"
    "send mail by lmtp [::1]\n",
    "hostname a\nmailboxes from m\naccept mail for b.c, d\ndeliver to pipe \"/a -f {sender} "
    "'{{ \\\"x y\\\"'\" as v.m processes 3\n"
    "pipe mail for .k.l, m@n to /b as b-2 time 90 s output 0\n"
    "send mail by mx\n",
    "hostname a\nprogram r-1 runs \"/a {id}\" as v processes 2\npipe mail for b.c to r-1\n"
    "mailboxes from m\naccept mail for d\ndeliver to pipe R-1\npipe mail for k to /b as v\n",
    "hostname a\naccept mail for b.c, c.d\npipe mail for b.c, .d to \"/a {id}\" as v\n",
    "hostname a\nsend mail from .a.b, <>, C@d for e by mx\nsend mail from c.d by mx\n"
    "send mail from c.e by mx; send mail for c.e by mx\nroutes from \"r 1.routes\"\n"
    "discard mail from x@y\nroutes by sender from r2.routes\n"
    "refuse mail from .z for joe@a.b with 550 5.1.6 no\nsend mail by mx\n",
    "hostname a\nauthenticate with dovecot \"/a b\"\ntoken keys from k; token issuer "
    "https://id.example/; token audience smtp; token login claim sub; token scope mail\n"
    "certificate c key k\n",
    "hostname a\nask dns at 127.0.0.1, [::1]:5353\nlog as json to syslog\n",
    "hostname a\nsend from 192.0.2.1, [2001:db8::1] as b.example in pool News weight 2\n"
    "send from 192.0.2.1 for senders a.b; send from 192.0.2.1\n"
    "warm up [2001:db8::1] from 2026-12-01 with 50 a day times 1.05 every 3 d at most 700\n"
    "warm up 192.0.2.1 from 2026-02-28 with 5 a day\n"
    "warm up 192.0.2.1 from 2026-02-28 with 5 a day to Gmail, \"Microsoft 365\"\n",
    "hostname a\nreception processes 256; delivery processes 1\n",
    "hostname a\nlimits { message size 65537 B; messages per session unlimited\n"
    "commands per session 100; command timeout 1001 ms; session timeout 36 h }\n",
    "hostname a\nqueue { disk reserve 0; retry after 101 ms, 1 d; segment size 1 GB }\n"
    "delivery { connect timeout 90 s }\n",
    "hostname a\nprovider Gmail, \"GMX and WEB.DE\", .mx.example { connections 2\n"
    "rate 5 per 1 s }\nprovider b.example { recipients per transaction 4; messages per "
    "connection unlimited; connections at first 3 }\nprovider QQ { }\ndestination any {\n"
    "messages per connection 9; recipients per transaction 8 }\n"
    "queue { provider limits no; connections per mx host unlimited }\n",
    "hostname a\nqueue { jitter 0 %; rate per destination 7 per 90 s; crashes per message "
    "unlimited\nconnections per destination 3 }\nledger { keep forever; size 16 MB }\n",
    "hostname a\nvalidate dns with /etc/anchor\ndestination t.example { tls verified }\n",
    "hostname a\ndestination Slow.example, .slow.example { retry after 1 m, 5 m\n"
    "expire after 2 d; connections 5; connections at first 2; rate 100 per minute\n"
    "jitter 20 % }\ndestination [192.0.2.1], 2001:db8::1 { }\n"
    "destination any { rate unlimited; connections 1 }\n"
    "queue { rate per destination 1 per 30 d }\n",
};

/* A bundle of a main file that is in no folder: relative names stay as they are. */
static struct conf_bundle *
plain_bundle(struct span text)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct span name;

	assert_int_equal(conf_bundle_add(bundle, SPAN("main.conf"), text), OK);
	while (conf_bundle_wants(bundle, &name))
		assert_int_equal(
		    conf_bundle_add(bundle, name,
			span_ends_nocase(name, SPAN(".routes")) ? SPAN("a: by mx\n")
								: SPAN(KIT_PEM)),
		    OK);
	return bundle;
}

static void
assert_same_span(struct span a, struct span b)
{
	assert_int_equal(a.len, b.len);
	assert_true(span_eq(a, b));
}

static void
assert_same_addr(const struct net_addr *a, const struct net_addr *b)
{
	assert_memory_equal(a->bytes, b->bytes, sizeof(a->bytes));
	assert_int_equal(a->family, b->family);
	assert_int_equal(a->port, b->port);
}

static void
assert_same_limits(const struct conf_limits *a, const struct conf_limits *b)
{
	assert_int_equal(a->retry_count, b->retry_count);
	for (size_t i = 0; i < a->retry_count; i++)
		assert_int_equal(a->retry_ms[i], b->retry_ms[i]);
	assert_int_equal(a->jitter_percent, b->jitter_percent);
	assert_int_equal(a->expire_ms, b->expire_ms);
	assert_int_equal(a->connections_max, b->connections_max);
	assert_int_equal(a->connections_start, b->connections_start);
	assert_int_equal(a->connections_far_max, b->connections_far_max);
	assert_int_equal(a->rate_count, b->rate_count);
	assert_int_equal(a->rate_period_ms, b->rate_period_ms);
	assert_int_equal(a->tls, b->tls);
	assert_int_equal(a->messages_max, b->messages_max);
	assert_int_equal(a->rcpts_max, b->rcpts_max);
}

static void
assert_same_route(const struct conf_route *a, const struct conf_route *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_same_span(a->domain, b->domain);
	assert_same_span(a->sender, b->sender);
	assert_same_span(a->host, b->host);
	assert_same_span(a->credential, b->credential);
	assert_int_equal(a->port, b->port);
	assert_int_equal(a->tls, b->tls);
	assert_int_equal(a->code, b->code);
	assert_same_span(a->status, b->status);
	assert_same_span(a->text, b->text);
}

static void
assert_same_lists(const struct conf *a, const struct conf *b)
{
	assert_int_equal(a->listener_count, b->listener_count);
	for (size_t i = 0; i < a->listener_count; i++) {
		assert_int_equal(a->listeners[i].kind, b->listeners[i].kind);
		assert_same_addr(&a->listeners[i].addr, &b->listeners[i].addr);
	}
	assert_int_equal(a->domain_count, b->domain_count);
	for (size_t i = 0; i < a->domain_count; i++)
		assert_same_span(a->domains[i], b->domains[i]);
	assert_int_equal(a->relay_network_count, b->relay_network_count);
	for (size_t i = 0; i < a->relay_network_count; i++) {
		assert_int_equal(a->relay_networks[i].bits, b->relay_networks[i].bits);
		assert_same_addr(&a->relay_networks[i].addr, &b->relay_networks[i].addr);
	}
	assert_int_equal(a->dns_server_count, b->dns_server_count);
	for (size_t i = 0; i < a->dns_server_count; i++)
		assert_same_addr(&a->dns_servers[i], &b->dns_servers[i]);
	assert_same_limits(&a->limits, &b->limits);
	assert_int_equal(a->destination_count, b->destination_count);
	for (size_t i = 0; i < a->destination_count; i++) {
		assert_same_span(a->destinations[i].pattern, b->destinations[i].pattern);
		assert_same_limits(
		    &a->destinations[i].limits, &b->destinations[i].limits);
	}
	assert_int_equal(a->provider_count, b->provider_count);
	for (size_t i = 0; i < a->provider_count; i++) {
		assert_same_span(a->providers[i].name, b->providers[i].name);
		assert_int_equal(a->providers[i].is_host, b->providers[i].is_host);
		assert_same_limits(&a->providers[i].limits, &b->providers[i].limits);
	}
	assert_int_equal(a->route_count, b->route_count);
	for (size_t i = 0; i < a->route_count; i++)
		assert_same_route(&a->routes[i], &b->routes[i]);
}

static void
assert_same(const struct conf *a, const struct conf *b)
{
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);

		if (conf_option_is_number(option) && !conf_option_is_limit(option))
			assert_int_equal(
			    conf_option_number(a, option), conf_option_number(b, option));
		if (conf_option_is_text(option))
			assert_same_span(
			    conf_option_text(a, option), conf_option_text(b, option));
	}
	assert_int_equal(a->certificate_count, b->certificate_count);
	for (size_t i = 0; i < a->certificate_count; i++) {
		assert_same_span(a->certificates[i].path, b->certificates[i].path);
		assert_same_span(a->certificates[i].pem, b->certificates[i].pem);
		assert_same_span(a->certificates[i].key_path, b->certificates[i].key_path);
	}
	assert_same_span(a->clients_path, b->clients_path);
	assert_same_span(a->clients_pem, b->clients_pem);
	assert_int_equal(a->tls_version_min, b->tls_version_min);
	assert_same_span(a->maildir_path, b->maildir_path);
	assert_same_span(a->mailbox_user, b->mailbox_user);
	assert_same_route(&a->lmtp, &b->lmtp);
	assert_same_route(&a->fallback, &b->fallback);
	assert_int_equal(a->log_format, b->log_format);
	assert_int_equal(a->log_target, b->log_target);
	assert_same_lists(a, b);
}

static void
round_trip(struct conf_bundle *bundle)
{
	struct kit first, second;
	struct buf shown, again;

	buf_init(&shown, 1 << 20);
	buf_init(&again, 1 << 20);
	kit_parse(&first, bundle);
	kit_assert_good(&first);
	conf_show(&shown, first.conf);
	assert_int_equal(buf_finish(&shown), OK);
	kit_parse(&second, plain_bundle(buf_span(&shown)));
	kit_assert_good(&second);
	assert_same(first.conf, second.conf);
	conf_show(&again, second.conf);
	assert_same_span(buf_span(&shown), buf_span(&again));
	kit_fini(&first);
	kit_fini(&second);
	buf_fini(&shown);
	buf_fini(&again);
}

static void
what_is_shown_is_read_as_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(confs); i++) {
		struct buf more;

		round_trip(plain_bundle(span_str(confs[i])));
		/* A certificate and passwords add listeners to those that name none. */
		buf_init(&more, 4096);
		buf_add_str(&more, confs[i]);
		if (!strstr(confs[i], "certificate")) {
			buf_add_str(&more, "\ncertificate c key k\npasswords from p\n");
			round_trip(kit_bundle(buf_span(&more)));
		}
		buf_fini(&more);
	}
}

static void
long_lists_are_broken_into_lines(void **state)
{
	struct buf shown;
	struct kit kit;

	(void)state;
	buf_init(&shown, 1 << 20);
	kit_init(&kit, "hostname a\naliases from a\naccept mail for " DOMAIN_60
		       ", " DOMAIN_60 "x, b\n");
	kit_assert_good(&kit);
	conf_show(&shown, kit.conf);
	buf_add_char(&shown, '\0');
	assert_non_null(strstr(shown.ptr,
	    "\naccept mail for " DOMAIN_60 ",\n    " DOMAIN_60 "x, b\naliases from"));
	kit_fini(&kit);
	buf_fini(&shown);
}

static void
the_example_is_good(void **state)
{
	FILE *file = fopen(TEST_SOURCE_DIR "/etc/postrider.conf", "rb");
	struct conf_bundle *bundle;
	static char text[65536];
	struct kit kit;
	size_t len;

	(void)state;
	assert_non_null(file);
	len = fread(text, 1, sizeof(text), file);
	assert_int_equal(fclose(file), 0);
	assert_in_range(len, 100, sizeof(text) - 1);
	bundle = kit_bundle(span_of(text, len));
	kit_parse(&kit, bundle);
	kit_assert_good(&kit);
	assert_true(kit.conf->domain_count > 0);
	kit_fini(&kit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_shown_is_read_as_the_same),
	    cmocka_unit_test(long_lists_are_broken_into_lines),
	    cmocka_unit_test(the_example_is_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
