#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "providers/providers.h"

static void
hosts_have_their_providers(void **state)
{
	static const struct {
		const char *host, *name;
	} cases[] = {
	    {"gmail-smtp-in.l.google.com", "Gmail"},
	    {"ASPMX3.GoogleMail.com.", "Gmail"},
	    {"outlook-com.olc.protection.outlook.com", "Outlook.com"},
	    {"example-org.mail.protection.outlook.com", "Microsoft 365"},
	    {"mta7.am0.yahoodns.net", "Yahoo"},
	    {"mx01.mail.icloud.com", "iCloud"},
	    {"mx.notgoogle.com", NULL},
	    {"google.com.example.net", NULL},
	    {"protection.outlook.com", NULL},
	    {".", NULL},
	    {"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct provider *found = provider_of_host(span_str(cases[i].host));

		assert_int_equal(found != NULL, cases[i].name != NULL);
		if (found)
			assert_string_equal(found->name, cases[i].name);
	}
}

/* None hides another: each host name is that of the row it stands in. */
static void
no_provider_hides_another(void **state)
{
	const struct provider *provider;

	(void)state;
	for (size_t i = 0; (provider = provider_at(i)) != NULL; i++)
		for (size_t k = 0; k < PROVIDER_HOSTS_MAX && provider->hosts[k]; k++)
			assert_ptr_equal(
			    provider_of_host(span_str(provider->hosts[k])), provider);
}

/* Two rows of one name would be two sites; and "connections 0" is not what one means. */
static void
every_row_says_where_it_is_from(void **state)
{
	const struct provider *row;

	(void)state;
	for (size_t i = 0; (row = provider_at(i)) != NULL; i++) {
		bool figures = row->connections > 0 || row->messages_max > 0 ||
		    row->rcpts_max > 0 || row->rate_count > 0;

		assert_ptr_equal(provider_named(span_str(row->name)), row);
		assert_non_null(row->hosts[0]);
		assert_int_equal(strlen(row->date), 7);
		assert_int_equal(strspn(row->date, "0123456789"), 4);
		assert_int_equal(strspn(row->date + 5, "0123456789"), 2);
		/* Who has figures says whose they are, and nobody else. */
		assert_int_equal(figures, row->source != NULL);
		assert_int_equal(row->rate_count > 0, row->rate_period_ms > 0);
		assert_true(!row->source || strstr(row->source, "https://") != NULL);
		assert_true(row->connections <= 1000 && row->rcpts_max <= 1000);
	}
	assert_ptr_equal(provider_named(span_str("gmail")), provider_at(0));
	assert_null(provider_named(span_str("gmai")));
	assert_null(provider_named(span_str("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hosts_have_their_providers),
	    cmocka_unit_test(no_provider_hides_another),
	    cmocka_unit_test(every_row_says_where_it_is_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
