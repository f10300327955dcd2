/*
 * What a role gives up once it holds what it needs, compiled from its row in proc_table.c:
 *
 *   root directory, groups, user       where started as root
 *   new privileges, core files, being traced
 *   descriptors, memory, threads       resource limits
 *   files, TCP, signals to others      Landlock, proc_sandbox_files.c
 *   every call of the kernel but those listed: seccomp, proc_sandbox_calls.c
 *
 * A call that is not listed ends the process with SIGSYS.  Its last words, the number of the
 * call, stand in a memory file that the supervisor keeps, and reads when the process is gone.
 */
#pragma once

#include "proc/proc.h"

/* What this kernel, and the container around it, let us use. */
struct proc_sandbox_support {
	bool calls;       /* seccomp */
	int landlock_abi; /* 0: none */
};

enum {
	/* The first that lets files move between directories, as Maildirs need it. */
	PROC_LANDLOCK_FILES = 2,
	PROC_LANDLOCK_TCP = 4,
	PROC_LANDLOCK_SIGNALS = 6,
};

/* What is switched on, by the configuration or by whoever tests one part without another. */
struct proc_sandbox_parts {
	bool calls, files;
};

struct proc_sandbox_support proc_sandbox_probe(void);
struct proc_sandbox_parts proc_sandbox_parts(const struct conf *conf);
/* What a full sandbox lacks here, in words; NULL: nothing. */
const char *proc_sandbox_lacks(const struct proc_sandbox_support *support);

/*
 * Gives up rights for good.  On an error *what says at which step.  What the kernel does not have
 * is left out, unless "sandbox required" is on.
 */
MUST_USE enum err proc_sandbox(enum proc proc, unsigned instance, const struct conf *conf,
    struct proc_sandbox_parts parts, const char **what);
/* The supervisor's, who stays root: it loses what neither it nor any role ever needs. */
MUST_USE enum err proc_sandbox_supervisor(const struct conf *conf);
/*
 * Closes all descriptors but those that proc.h names, which no program that is started gets; gives
 * the number of listeners.
 */
size_t proc_sandbox_close_others(const struct proc_def *def);

/* A memory file for the last words of a process; -1 where there is none. */
int proc_words_create(void);
/* Of a process that SIGSYS ended: the call's number, or -1. */
int proc_words_call(int fd);
/* The name of a call; the caller frees it with mem_free.  NULL: it has none. */
char *proc_call_name(int number);

/* proc_sandbox_calls.c: loads the filter of a set of enum proc_may. */
MUST_USE enum err proc_calls_forbid(unsigned may);
MUST_USE enum err proc_calls_forbid_supervisor(void);
/* Calls each once for every call that a set lets through, with the condition or "". */
void proc_calls_list(unsigned may, void (*each)(void *owner, int number, const char *condition),
    void *owner);

/* proc_sandbox_files.c */
int proc_files_abi(void);
/*
 * Makes the rules while paths can still be found; *rules is a descriptor, or -1 where the kernel
 * has no Landlock that serves.
 */
MUST_USE enum err proc_files_prepare(unsigned may, const struct conf *conf, int *rules);
MUST_USE enum err proc_files_forbid(int rules);
/* The directory of a role whose files it may use; "" where it may use none. */
void proc_files_directory(
    unsigned may, const struct conf *conf, char path[PROC_PATH_BYTES]);

/* proc_sandbox_words.c: SIGSYS says which call it was. */
MUST_USE enum err proc_words_listen(void);
