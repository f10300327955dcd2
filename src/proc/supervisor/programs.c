/*
 * The processes that run programs: one for each user that the configuration names, whoever that
 * is after a reload.  What one does is its user's; so it never becomes another's, but ends, and
 * another process starts in its place.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "proc/supervisor/supervisor_internal.h"

/* As root none of the users may be root by another name. */
static void
check_user(struct span user, struct buf *problems)
{
	const struct passwd *entry = getpwnam(user.ptr);

	if (!entry)
		buf_addf(problems,
		    "postrider: mail is handed to programs that run as %s, a user that does not "
		    "exist.\nMake it: useradd --system --shell /usr/sbin/nologin %s\n",
		    user.ptr, user.ptr);
	else if (entry->pw_uid == 0)
		buf_addf(problems,
		    "postrider: mail is handed to programs that run as %s, who is root; name a "
		    "user of its own.\n",
		    user.ptr);
}

/* Whether its user may run it is seen by the process that does. */
static void
check_program(const struct conf_pipe *pipe, struct buf *problems)
{
	const mode_t executable = S_IXUSR | S_IXGRP | S_IXOTH;
	struct stat status;
	const char *problem = NULL;

	if (stat(pipe->words[0].ptr, &status))
		problem = strerror(errno);
	else if (!S_ISREG(status.st_mode))
		problem = "it is no regular file";
	else if (!(status.st_mode & executable))
		problem = "it is not executable (chmod +x)";
	if (problem)
		buf_addf(problems, "postrider: mail is handed to the program %s, but: %s.\n",
		    pipe->words[0].ptr, problem);
}

bool
programs_are_good(const struct conf *conf, struct buf *problems)
{
	const size_t len = problems->len;

	for (size_t i = 0; geteuid() == 0 && i < conf->pipe_user_count; i++)
		check_user(conf->pipe_users[i], problems);
	for (const struct conf_pipe *pipe = conf->pipes; pipe; pipe = pipe->next)
		check_program(pipe, problems);
	return problems->len == len;
}

static struct child *
find(struct supervisor *supervisor, unsigned instance)
{
	for (size_t i = 0; i < supervisor->child_count; i++)
		if (supervisor->children[i].proc == PROC_PIPE &&
		    supervisor->children[i].instance == instance)
			return &supervisor->children[i];
	return NULL;
}

static void
start(struct child *child)
{
	struct supervisor *supervisor = child->supervisor;

	child->again = false;
	child->died = false;
	child->was_ready = false;
	snprintf(child->user, sizeof(child->user), "%s",
	    proc_user(PROC_PIPE, child->instance, supervisor->conf));
	supervisor_start_child(child);
}

void
programs_reload(struct supervisor *supervisor)
{
	const struct conf *conf = supervisor->conf;
	struct child *child;

	for (unsigned i = 0; i < CONF_PIPE_USERS_MAX; i++) {
		bool wanted = i < conf->pipe_user_count;

		child = find(supervisor, i);
		if (child && wanted && span_eq(span_str(child->user), conf->pipe_users[i]) &&
		    (child->state == CHILD_STARTING || child->state == CHILD_RUNNING ||
			child->state == CHILD_DEAD))
			continue;
		if (!child && wanted)
			child = supervisor_list(supervisor, PROC_PIPE, i, false);
		if (!child)
			continue;
		io_timer_stop(supervisor->io, &child->respawn);
		child->again = wanted && child_is_alive(child);
		if (child_is_alive(child))
			child_stop(child);
		else if (wanted)
			start(child);
		else
			child->state = CHILD_GONE;
	}
}

void
programs_ended(struct child *child)
{
	if (child->again)
		start(child);
}
