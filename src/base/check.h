/*
 * check() states what must be true whatever anybody outside does.  It stays on
 * in every build; where it fails the process ends with file, line and the
 * expression, and the supervisor starts a new one.
 */
#pragma once

#define check(expression)                                                                \
	((expression) ? (void)0 : check_failed(#expression, __FILE__, __LINE__, __func__))

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

/* The struct that holds member, from a pointer to that member. */
#define container_of(pointer, type, member)                                              \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Writes one line to standard error and aborts. */
_Noreturn void check_failed(
    const char *expression, const char *file, int line, const char *function);
