/* Both texts are anybody's: every length is bounded, and a doubt is a fault. */
#include "mailauth/sts_policy.h"

#include "base/check.h"

enum { NAME_BYTES_MAX = 32, LABEL_BYTES_MAX = 63, AGE_DIGITS_MAX = 10 };

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_name(struct span name)
{
	if (name.len == 0 || name.len > NAME_BYTES_MAX || !ascii_is_alnum(name.ptr[0]))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.ptr[i]) && !memchr("_-.", name.ptr[i], 3))
			return false;
	return true;
}

enum err
sts_txt_join(struct span rdata, char *text, size_t room, struct span *joined)
{
	size_t used = 0;

	while (rdata.len > 0) {
		size_t len = (unsigned char)rdata.ptr[0];

		rdata = span_skip(rdata, 1);
		if (len > rdata.len)
			return ERR_SYNTAX;
		if (len > room - used)
			return ERR_TOO_LONG;
		if (len > 0)
			memmove(text + used, rdata.ptr, len);
		used += len;
		rdata = span_skip(rdata, len);
	}
	*joined = span_of(text, used);
	return OK;
}

static bool
take_id(struct span value, struct sts_record *record)
{
	if (value.len == 0 || value.len > STS_ID_BYTES_MAX)
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (!ascii_is_alnum(value.ptr[i]))
			return false;
	memcpy(record->id, value.ptr, value.len);
	record->id[value.len] = '\0';
	return true;
}

/* What an extension's value may hold (section 3.1). */
static bool
is_value(struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] < 0x21 || value.ptr[i] > 0x7e || value.ptr[i] == '=')
			return false;
	return value.len > 0;
}

enum err
sts_record_parse(struct span txt, struct sts_record *record)
{
	struct span version, field;

	*record = (struct sts_record){0};
	if (!span_starts(txt, SPAN("v=STSv1")))
		return ERR_NOT_FOUND;
	if (!span_cut(&txt, ';', &version) || !span_eq(span_trim(version), SPAN("v=STSv1")))
		return ERR_NOT_FOUND;
	while (span_cut(&txt, ';', &field)) {
		struct span name;

		field = span_trim(field);
		if (field.len == 0 && span_trim(txt).len == 0)
			break;
		if (span_find(field, '=') == field.len)
			return ERR_SYNTAX;
		span_cut(&field, '=', &name);
		if (!is_name(name))
			return ERR_SYNTAX;
		if (!span_eq(name, SPAN("id"))) {
			if (!is_value(field))
				return ERR_SYNTAX;
		} else if (record->id[0] || !take_id(field, record)) {
			return ERR_SYNTAX;
		}
	}
	return record->id[0] ? OK : ERR_SYNTAX;
}

enum err
sts_record_find(const struct span *txts, size_t count, struct sts_record *record)
{
	enum err found = ERR_NOT_FOUND;

	for (size_t i = 0; i < count; i++) {
		struct sts_record one;
		enum err err = sts_record_parse(txts[i], &one);

		if (err == ERR_NOT_FOUND)
			continue;
		if (found != ERR_NOT_FOUND)
			return ERR_SYNTAX;
		*record = one;
		found = err;
	}
	return found;
}

/* A host's name, or one with "*." before it. */
static bool
is_pattern(struct span text)
{
	struct span label;

	if (span_starts(text, SPAN("*.")))
		text = span_skip(text, 2);
	if (text.len == 0 || text.len > STS_MX_BYTES_MAX || text.ptr[text.len - 1] == '.')
		return false;
	while (span_cut(&text, '.', &label)) {
		if (label.len == 0 || label.len > LABEL_BYTES_MAX)
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!ascii_is_alnum(label.ptr[i]) && label.ptr[i] != '-' &&
			    label.ptr[i] != '_')
				return false;
	}
	return true;
}

static bool
add_mx(struct sts_policy *policy, struct span value)
{
	char *mx;

	/* Many write the dot that DNS files have. */
	if (value.len > 1 && value.ptr[value.len - 1] == '.')
		value.len--;
	if (value.len > STS_MX_BYTES_MAX || policy->mx_count == STS_MX_MAX ||
	    !is_pattern(value))
		return false;
	mx = policy->mx[policy->mx_count++];
	span_lower(mx, value);
	mx[value.len] = '\0';
	return true;
}

/* Which of the fields have been seen: of one that is there twice, the first counts. */
struct seen {
	bool version, mode, age;
};

static bool
take_mode(struct sts_policy *policy, struct span value)
{
	for (int mode = STS_NONE; mode <= STS_ENFORCE; mode++) {
		if (span_eq(value, span_str(sts_mode_name((enum sts_mode)mode)))) {
			policy->mode = (enum sts_mode)mode;
			return true;
		}
	}
	return false;
}

static bool
take_age(struct sts_policy *policy, struct span value)
{
	uint64_t age;

	if (value.len > AGE_DIGITS_MAX || !span_u64(value, UINT64_MAX, &age))
		return false;
	policy->max_age_s = age < STS_AGE_S_MAX ? (uint32_t)age : STS_AGE_S_MAX;
	return true;
}

static enum sts_fault
take_field(
    struct sts_policy *policy, struct seen *seen, struct span name, struct span value)
{
	if (span_eq(name, SPAN("version")) && !seen->version) {
		seen->version = true;
		return span_eq(value, SPAN("STSv1")) ? STS_FAULT_NONE : STS_FAULT_VERSION;
	}
	if (span_eq(name, SPAN("mode")) && !seen->mode) {
		seen->mode = true;
		return take_mode(policy, value) ? STS_FAULT_NONE : STS_FAULT_MODE;
	}
	if (span_eq(name, SPAN("max_age")) && !seen->age) {
		seen->age = true;
		return take_age(policy, value) ? STS_FAULT_NONE : STS_FAULT_AGE;
	}
	if (span_eq(name, SPAN("mx")))
		return add_mx(policy, value) ? STS_FAULT_NONE : STS_FAULT_MX;
	return STS_FAULT_NONE;
}

static enum sts_fault
take_line(struct sts_policy *policy, struct seen *seen, struct span line)
{
	struct span name;

	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	while (line.len > 0 && is_blank(line.ptr[line.len - 1]))
		line.len--;
	if (line.len == 0)
		return STS_FAULT_NONE;
	for (size_t i = 0; i < line.len; i++)
		if ((unsigned char)line.ptr[i] < 0x20 && line.ptr[i] != '\t')
			return STS_FAULT_LINE;
	if (span_find(line, ':') == line.len)
		return STS_FAULT_LINE;
	span_cut(&line, ':', &name);
	if (!is_name(name))
		return STS_FAULT_LINE;
	return take_field(policy, seen, name, span_trim(line));
}

static enum sts_fault
parse(struct span text, struct sts_policy *policy)
{
	struct seen seen = {0};
	struct span line;

	if (text.len > STS_POLICY_BYTES_MAX)
		return STS_FAULT_TOO_LONG;
	while (span_cut(&text, '\n', &line)) {
		enum sts_fault fault = take_line(policy, &seen, line);

		if (fault)
			return fault;
	}
	if (!seen.version)
		return STS_FAULT_VERSION;
	if (!seen.mode)
		return STS_FAULT_MODE;
	if (!seen.age)
		return STS_FAULT_AGE;
	if (policy->mx_count == 0 && policy->mode != STS_NONE)
		return STS_FAULT_MX;
	return STS_FAULT_NONE;
}

enum err
sts_policy_parse(struct span text, struct sts_policy *policy, enum sts_fault *fault)
{
	*policy = (struct sts_policy){0};
	*fault = parse(text, policy);
	return *fault ? ERR_SYNTAX : OK;
}

bool
sts_name_fits(struct span name, struct span host)
{
	size_t dot;

	if (host.len > 1 && host.ptr[host.len - 1] == '.')
		host.len--;
	if (!span_starts(name, SPAN("*.")))
		return span_eq_nocase(host, name);
	/* One label stands for the star, never more. */
	dot = span_find(host, '.');
	return dot > 0 && dot < host.len &&
	    span_eq_nocase(span_skip(host, dot + 1), span_skip(name, 2));
}

bool
sts_policy_has_mx(const struct sts_policy *policy, struct span host)
{
	for (size_t i = 0; i < policy->mx_count; i++)
		if (sts_name_fits(span_str(policy->mx[i]), host))
			return true;
	return false;
}

const char *
sts_mode_name(enum sts_mode mode)
{
	static const char *const names[] = {
	    [STS_NONE] = "none", [STS_TESTING] = "testing", [STS_ENFORCE] = "enforce"};

	check((size_t)mode < LEN(names));
	return names[mode];
}
