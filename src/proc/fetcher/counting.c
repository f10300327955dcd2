/*
 * How sessions went today (in UTC), for reports: counted in memory, and written soon after.  What a
 * death takes is the sessions of the last seconds.
 */
#include "proc/fetcher/fetcher_internal.h"

#include "base/check.h"

enum { DAY_MS = 24 * 3600 * 1000 };

void
counting_save(struct fetcher *fetcher)
{
	char name[RESULTS_NAME_BYTES];
	struct buf file;

	if (!fetcher->unsaved)
		return;
	fetcher->unsaved = false;
	results_file_name(fetcher->results.day, name);
	buf_init(&file, RESULTS_BYTES_MAX);
	results_write(&fetcher->results, &file);
	if (buf_finish(&file) == OK)
		keep_file(&fetcher->keep, name, buf_span(&file));
	else
		event_note(&fetcher->env->log, "tls_policies_not_kept",
		    "there are too many results of sessions for a day's file");
	buf_fini(&file);
}

static void
time_to_save(struct io_timer *timer)
{
	counting_save(timer->owner);
}

/* Another day has begun: its results are new, and those of a month ago go. */
static void
look_at_day(struct fetcher *fetcher)
{
	const uint64_t now_ms = io_wall_ms(fetcher->env->io);
	char day[RESULTS_DAY_BYTES], name[RESULTS_NAME_BYTES];

	results_day(now_ms, day);
	if (strcmp(day, fetcher->results.day) == 0)
		return;
	counting_save(fetcher);
	results_begin(&fetcher->results, day);
	results_day(now_ms - (uint64_t)DAY_MS * RESULTS_DAYS_KEPT, day);
	results_file_name(day, name);
	keep_remove(&fetcher->keep, name);
}

static void
remove_old(void *owner, const char *name)
{
	struct fetcher *fetcher = owner;
	char day[RESULTS_DAY_BYTES], oldest[RESULTS_DAY_BYTES];

	results_day(
	    io_wall_ms(fetcher->env->io) - (uint64_t)DAY_MS * RESULTS_DAYS_KEPT, oldest);
	if (results_file_day(name, day) && strcmp(day, oldest) <= 0)
		keep_remove(&fetcher->keep, name);
}

void
counting_init(struct fetcher *fetcher)
{
	char day[RESULTS_DAY_BYTES], name[RESULTS_NAME_BYTES];
	struct buf file;
	enum err err;

	fetcher->save = (struct io_timer){.fired = time_to_save, .owner = fetcher};
	if (fetcher->keep.dir)
		err_ignore(io_dir_list(fetcher->keep.dir, "", remove_old, fetcher),
		    "they are only old");
	results_day(io_wall_ms(fetcher->env->io), day);
	results_file_name(day, name);
	buf_init(&file, RESULTS_BYTES_MAX);
	err = keep_read(&fetcher->keep, name, &file);
	if (!err)
		err = results_read(&fetcher->results, buf_span(&file));
	if (err || strcmp(fetcher->results.day, day) != 0)
		results_begin(&fetcher->results, day);
	buf_fini(&file);
}

static void
add(struct fetcher *fetcher, const struct result *result)
{
	look_at_day(fetcher);
	results_add(&fetcher->results, result);
	if (fetcher->unsaved)
		return;
	fetcher->unsaved = true;
	io_timer_start(fetcher->env->io, &fetcher->save, FETCHER_SAVE_MS);
}

void
counting_session(struct fetcher *fetcher, const struct ipc_df_session *session)
{
	struct result result = {
	    .kind = (enum ipc_policy_kind)session->kind,
	    .result = (enum ipc_tls_result)session->result,
	    .domain = session->domain,
	    .host = session->host,
	    .address = session->address,
	    .reason = session->reason,
	};
	char domain[POLICY_NAME_BYTES];
	struct buf text;

	if (!policy_domain(session->domain, domain))
		return;
	buf_init(&text, RESULTS_TEXT_MAX);
	if (result.kind == IPC_POLICY_KIND_STS)
		entries_text(fetcher, domain, &text);
	result.policy = buf_span(&text);
	add(fetcher, &result);
	buf_fini(&text);
}

void
counting_fetch(struct fetcher *fetcher, const char *domain, enum ipc_tls_result kind,
    const char *why)
{
	const struct result result = {
	    .kind = IPC_POLICY_KIND_STS,
	    .result = kind,
	    .domain = span_str(domain),
	    .reason = span_str(why),
	};

	add(fetcher, &result);
}
