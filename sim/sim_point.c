/* Marks and deliberate bugs, as the simulator sees them. */
#include "sim/sim_internal.h"

/* The linker's names for both ends of the section. */
extern struct sim_mark *const __start_sim_marks[];
extern struct sim_mark *const __stop_sim_marks[];

bool
sim_bug_is(enum sim_bug bug)
{
	struct sim *sim = sim_current()->sim;

	return sim && sim->options.bug == bug;
}

size_t
sim_mark_count(void)
{
	return (size_t)(__stop_sim_marks - __start_sim_marks);
}

const struct sim_mark *
sim_mark_at(size_t index)
{
	check(index < sim_mark_count());
	return __start_sim_marks[index];
}

void
sim_marks_reset(void)
{
	for (size_t i = 0; i < sim_mark_count(); i++)
		__start_sim_marks[i]->hits = 0;
}

void
sim_mark_add(size_t index, uint64_t hits)
{
	check(index < sim_mark_count());
	__start_sim_marks[index]->hits += hits;
}

const char *
sim_bug_name(enum sim_bug bug)
{
	static const char *const names[] = {
#define SIM_BUG_NAME(name, text) #name,
	    SIM_BUGS(SIM_BUG_NAME)
#undef SIM_BUG_NAME
	};

	return (size_t)bug < LEN(names) ? names[bug] : "?";
}

const char *
sim_bug_text(enum sim_bug bug)
{
	static const char *const texts[] = {
#define SIM_BUG_TEXT(name, text) text,
	    SIM_BUGS(SIM_BUG_TEXT)
#undef SIM_BUG_TEXT
	};

	return (size_t)bug < LEN(texts) ? texts[bug] : "?";
}
