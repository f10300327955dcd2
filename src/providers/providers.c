/* See providers.h. */
#include "providers/providers.h"

#define LOOKED_UP "2026-11"
/* What KumoMTA, a server for large senders, ships; some of it comes from the providers. */
#define KUMOMTA                                                                           \
	"operators' experience, as in KumoMTA's "                                         \
	"https://github.com/KumoCorp/kumomta/blob/main/assets/policy-extras/shaping.toml"
#define KUMOMTA_COMMUNITY                                                                 \
	"operators' experience, as in KumoMTA's "                                         \
	"https://github.com/KumoCorp/kumomta/blob/main/assets/community/shaping.toml"

static const struct provider providers[] = {
    {"Gmail", {"google.com", "googlemail.com"},
        .connections = 5,
        .messages_max = 50,
        .source = KUMOMTA,
        .date = LOOKED_UP},
    {"Outlook.com", {"olc.protection.outlook.com"},
        .connections = 5,
        .messages_max = 50,
        .source = KUMOMTA,
        .date = LOOKED_UP},
    {"Microsoft 365", {"mail.protection.outlook.com", "mx.microsoft"},
        .connections = 5,
        .messages_max = 50,
        .source = KUMOMTA,
        .date = LOOKED_UP},
    {"Yahoo", {"yahoodns.net"},
        .messages_max = 20,
        .source = "https://help.yahoo.com/kb/SLN3433.html",
        .date = LOOKED_UP},
    {"Yahoo Japan", {"mail.yahoo.co.jp"},
        .connections = 2,
        .messages_max = 20,
        .rate_count = 10,
        .rate_period_ms = 1000,
        .source = KUMOMTA_COMMUNITY,
        .date = LOOKED_UP},
    {"iCloud", {"mail.icloud.com"},
        .connections = 10,
        .messages_max = 5,
        .source = KUMOMTA,
        .date = LOOKED_UP},
    {"GMX and WEB.DE", {"gmx.net", "web.de"},
        .connections = 4,
        .messages_max = 20,
        .source = KUMOMTA_COMMUNITY,
        .date = LOOKED_UP},
    {"T-Online", {"t-online.de"}, .date = LOOKED_UP},
    {"Orange", {"orange.fr", "wanadoo.fr"},
        .connections = 3,
        .source = "https://www.postmastery.com/"
                  "orange-protects-its-messaging-infrastructure-with-cloudmark-antispam-solution/",
        .date = LOOKED_UP},
    {"KPN", {"kpnmail.nl"},
        .connections = 10,
        .messages_max = 10,
        .source = KUMOMTA_COMMUNITY,
        .date = LOOKED_UP},
    {"Comcast", {"comcast.net"},
        .connections = 25,
        .rcpts_max = 100,
        .source = "https://postmaster.comcast.net/",
        .date = LOOKED_UP},
    {"Fastmail", {"messagingengine.com"}, .date = LOOKED_UP},
    {"Proton", {"protonmail.ch"}, .date = LOOKED_UP},
    {"Yandex", {"yandex.ru", "yandex.net"}, .date = LOOKED_UP},
    {"Mail.ru", {"mail.ru"}, .date = LOOKED_UP},
    {"QQ", {"qq.com"},
        .connections = 4,
        .messages_max = 8,
        .source = KUMOMTA_COMMUNITY,
        .date = LOOKED_UP},
    {"NetEase", {"netease.com"},
        .connections = 4,
        .messages_max = 7,
        .source = KUMOMTA_COMMUNITY,
        .date = LOOKED_UP},
    /* Its connections are counted in each region by itself. */
    {"Mimecast", {"mimecast.com", "mimecast.co.za", "mimecast-offshore.com"},
        .messages_max = 100,
        .source = KUMOMTA,
        .date = LOOKED_UP},
    {"Barracuda", {"barracudanetworks.com"},
        .connections = 10,
        .messages_max = 15,
        .source = KUMOMTA_COMMUNITY,
        .date = LOOKED_UP},
    {"Netvigator", {"netvigator.com"},
        .connections = 5,
        .messages_max = 10,
        .source = KUMOMTA_COMMUNITY,
        .date = LOOKED_UP},
    {"Proofpoint", {"pphosted.com", "ppe-hosted.com"}, .date = LOOKED_UP},
};

const struct provider *
provider_at(size_t index)
{
	return index < sizeof(providers) / sizeof(providers[0]) ? &providers[index] : NULL;
}

static bool
is_below(struct span host, struct span end)
{
	return span_ends_nocase(host, end) &&
	    (host.len == end.len || host.ptr[host.len - end.len - 1] == '.');
}

const struct provider *
provider_of_host(struct span host)
{
	const struct provider *provider;

	if (host.len > 0 && host.ptr[host.len - 1] == '.')
		host.len--;
	for (size_t i = 0; (provider = provider_at(i)) != NULL; i++)
		for (size_t k = 0; k < PROVIDER_HOSTS_MAX && provider->hosts[k]; k++)
			if (is_below(host, span_str(provider->hosts[k])))
				return provider;
	return NULL;
}

const struct provider *
provider_named(struct span name)
{
	const struct provider *provider;

	for (size_t i = 0; (provider = provider_at(i)) != NULL; i++)
		if (span_eq_nocase(span_str(provider->name), name))
			return provider;
	return NULL;
}
