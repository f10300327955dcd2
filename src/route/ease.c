/* See ease.h. */
#include "route/ease.h"

#include "base/check.h"

enum {
	SECOND = 1000,
	MINUTE = 60 * SECOND,
	HOUR = 60 * MINUTE,
	TOGETHER_MS = 5 * SECOND, /* strikes so close are one */
	CALM_MS = 10 * MINUTE,    /* after a pause (or as long as it was), for a strike less */
	INTERVAL_MS_MAX = MINUTE,
};

static const struct {
	uint64_t first_ms, max_ms;
} pauses[EASE_KIND_COUNT] = {
    [EASE_CONNECTIONS] = {30 * SECOND, 10 * MINUTE}, /* only where nothing else is under way */
    [EASE_SLOW] = {MINUTE, HOUR},
    [EASE_PAUSE] = {30 * MINUTE, EASE_PAUSE_MS_MAX},
};

static uint64_t
at_most(uint64_t value, uint64_t max)
{
	return value < max ? value : max;
}

static uint64_t
pause_ms(enum ease_kind kind, uint32_t strikes, uint64_t stated_ms)
{
	uint64_t wait_ms = pauses[kind].first_ms;

	for (uint32_t i = 1; i < strikes && wait_ms < pauses[kind].max_ms; i++)
		wait_ms *= 2;
	wait_ms = at_most(wait_ms, pauses[kind].max_ms);
	/* A server that says how long knows better, once; then it did not suffice. */
	if (stated_ms > 0 && (strikes == 1 || stated_ms > wait_ms))
		wait_ms = at_most(stated_ms, pauses[kind].max_ms);
	return wait_ms;
}

static uint32_t
connections_after(const struct ease *ease, enum ease_kind kind, uint32_t active)
{
	uint32_t had = active + 1, may;

	if (ease->strikes > 0 && ease->connections < had)
		had = ease->connections;
	may = kind == EASE_CONNECTIONS ? active : kind == EASE_SLOW ? had / 2 : 1;
	if (may > had)
		may = had;
	return may > 0 ? may : 1;
}

bool
ease_strike(struct ease *ease, enum ease_kind kind, uint32_t active, uint64_t stated_ms,
    uint64_t now_ms)
{
	uint64_t wait_ms = 0;

	check(kind < EASE_KIND_COUNT);
	if (ease->strikes > 0 && kind <= ease->kind &&
	    (now_ms < ease->pause_until_ms || now_ms < ease->struck_ms + TOGETHER_MS))
		return false;
	ease->connections = connections_after(ease, kind, active);
	/* Pauses of one kind double; a graver one begins with its first. */
	ease->strikes = ease->strikes > 0 && kind == ease->kind ? ease->strikes + 1 : 1;
	if (ease->strikes > EASE_STRIKES_MAX)
		ease->strikes = EASE_STRIKES_MAX;
	ease->kind = kind;
	ease->struck_ms = now_ms;
	if (kind != EASE_CONNECTIONS || active == 0)
		wait_ms = pause_ms(kind, ease->strikes, stated_ms);
	if (kind == EASE_SLOW && ease->strikes > 1)
		ease->interval_ms = ease->interval_ms > 0
		    ? at_most(ease->interval_ms * 2, INTERVAL_MS_MAX)
		    : SECOND;
	ease->pause_until_ms = wait_ms > 0 ? now_ms + wait_ms : 0;
	ease->until_ms = now_ms + wait_ms + (wait_ms > CALM_MS ? wait_ms : CALM_MS);
	return true;
}

bool
ease_pass(struct ease *ease, uint64_t now_ms)
{
	if (ease->strikes == 0 || now_ms < ease->until_ms)
		return false;
	ease->strikes--;
	ease->connections *= 2;
	ease->interval_ms = ease->interval_ms > SECOND ? ease->interval_ms / 2 : 0;
	ease->pause_until_ms = 0;
	ease->until_ms = now_ms + CALM_MS;
	return true;
}

const char *
ease_name(enum ease_kind kind)
{
	static const char *const names[EASE_KIND_COUNT] = {"connections", "slow", "pause"};

	check(kind < EASE_KIND_COUNT);
	return names[kind];
}
