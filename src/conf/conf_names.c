/* The words of enum values, and numbers as their rows write them. */
#include "conf/conf_internal.h"

const char *
conf_listener_kind_name(enum conf_listener_kind kind)
{
	static const char *const names[] = {
	    [CONF_LISTENER_SMTP] = "smtp",
	    [CONF_LISTENER_SUBMISSION] = "submission",
	    [CONF_LISTENER_SUBMISSIONS] = "submissions",
	    [CONF_LISTENER_LMTP] = "lmtp",
	};

	check((unsigned)kind < LEN(names));
	return names[kind];
}

const char *
conf_tls_name(enum conf_tls tls)
{
	static const char *const names[] = {
	    [CONF_TLS_MAY] = "may",
	    [CONF_TLS_REQUIRED] = "required",
	    [CONF_TLS_VERIFIED] = "verified",
	    [CONF_TLS_NEVER] = "never",
	    [CONF_TLS_IMPLICIT] = "implicit",
	    [CONF_TLS_DANE] = "dane",
	};

	check((unsigned)tls < LEN(names));
	return names[tls];
}

const char *
conf_route_kind_name(enum conf_route_kind kind)
{
	static const char *const names[CONF_ROUTE_KIND_COUNT] = {
	    [CONF_ROUTE_SMTP] = "smtp",
	    [CONF_ROUTE_LMTP] = "lmtp",
	    [CONF_ROUTE_PIPE] = "pipe",
	    [CONF_ROUTE_DISCARD] = "discard",
	    [CONF_ROUTE_REFUSE] = "refuse",
	    [CONF_ROUTE_TABLE] = "table",
	};

	return names[kind];
}

const char *
conf_tls_version_name(enum conf_tls_version version)
{
	return version == CONF_TLS_1_3 ? "1.3" : "1.2";
}

const char *
conf_log_format_name(enum conf_log_format format)
{
	return format == CONF_LOG_JSON ? "json" : "logfmt";
}

const char *
conf_log_target_name(enum conf_log_target target)
{
	return target == CONF_LOG_SYSLOG ? "syslog" : "stderr";
}

void
conf_option_write_number(
    struct buf *out, const struct conf_option *option, uint64_t number)
{
	if (number == 0 && option->zero)
		buf_add_str(out, option->zero);
	else if (option->type == CONF_BOOL)
		buf_add_str(out, number ? "yes" : "no");
	else if (option->type == CONF_SIZE)
		conf_value_write_size(out, number);
	else if (option->type == CONF_TIME || option->type == CONF_TIMES)
		conf_value_write_time(out, number);
	else if (option->type == CONF_PERCENT)
		buf_addf(out, "%llu %%", (unsigned long long)number);
	else if (option->type == CONF_SEPARATOR)
		buf_addf(out, "\"%c\"", (char)number);
	else if (option->type == CONF_TLS_MODE)
		buf_add_str(out, conf_tls_name((enum conf_tls)number));
	else
		buf_add_u64(out, number);
}

void
conf_option_write_rate(struct buf *out, const struct conf_limits *limits)
{
	if (limits->rate_count == 0) {
		buf_add_str(out, "unlimited");
		return;
	}
	buf_addf(out, "%llu per ", (unsigned long long)limits->rate_count);
	conf_value_write_time(out, limits->rate_period_ms);
}
