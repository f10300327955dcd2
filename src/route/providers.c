/* See providers.h. */
#include "route/providers.h"

static const struct provider providers[] = {
    {"Gmail", {"google.com", "googlemail.com"}},
    {"Outlook.com", {"olc.protection.outlook.com"}},
    {"Microsoft 365", {"mail.protection.outlook.com", "mx.microsoft"}},
    {"Yahoo", {"yahoodns.net"}},
    {"iCloud", {"mail.icloud.com"}},
    {"GMX and WEB.DE", {"gmx.net", "web.de"}},
    {"T-Online", {"t-online.de"}},
    {"Orange", {"orange.fr", "wanadoo.fr"}},
    {"Comcast", {"comcast.net"}},
    {"Fastmail", {"messagingengine.com"}},
    {"Proton", {"protonmail.ch"}},
    {"Yandex", {"yandex.ru", "yandex.net"}},
    {"Mail.ru", {"mail.ru"}},
    {"Mimecast", {"mimecast.com", "mimecast.co.za"}},
    {"Proofpoint", {"pphosted.com", "ppe-hosted.com"}},
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
