/* See window.h; the window is never shut, for then nothing could open it again. */
#include "route/window.h"

#include "base/check.h"

static uint16_t
bounded(unsigned value, unsigned max)
{
	if (max > WINDOW_MAX)
		max = WINDOW_MAX;
	if (value > max)
		value = max;
	return (uint16_t)(value > 0 ? value : 1);
}

void
window_init(struct window *window, unsigned start, unsigned max)
{
	*window = (struct window){.size = bounded(start, max)};
}

void
window_limit(struct window *window, unsigned max)
{
	window->size = bounded(window->size, max);
}

void
window_succeed(struct window *window, unsigned max)
{
	check(window->size > 0);
	window_limit(window, max);
	if (window->before > 0) {
		window->before--;
		return;
	}
	if (window->slow && ++window->opened < window->size)
		return;
	window->opened = 0;
	window->size = bounded(window->size + 1u, max);
}

void
window_fail(struct window *window, unsigned active)
{
	check(window->size > 0);
	if (window->before > 0) {
		window->before--;
		return;
	}
	window->size = bounded(window->size / 2u, WINDOW_MAX);
	window->opened = 0;
	window->slow = true;
	window->before = (uint16_t)(active < WINDOW_MAX ? active : WINDOW_MAX);
}
