/* Finding the ledger, and asking the server that writes it. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/id.h"
#include "cli/cli.h"
#include "cli/cli_conf.h"
#include "cli/cli_ledger_internal.h"
#include "cli/cli_queue_internal.h"
#include "cli/cli_spool_internal.h"
#include "cli/cli_time.h"
#include "proc/proc_json.h"

static int
take_conf(struct cli_ledger *ledger, const char *conf_path)
{
	struct conf_bundle *bundle;
	struct conf *conf;
	int status = cli_conf_load(conf_path, "names the spool", "", &bundle, &conf);

	if (status == EX_OK) {
		ledger->spool_path = mem_copy(conf->spool_path);
		ledger->control_path = mem_copy(conf->control_path);
	}
	conf_destroy(conf);
	conf_bundle_destroy(bundle);
	return status;
}

int
cli_ledger_say(const struct cli_ledger *ledger, enum err err)
{
	fprintf(stderr, "postrider: cannot read the ledger in %s/ledger: %s\n",
	    ledger->spool_path, err_text(err));
	if (err == ERR_DENIED)
		fprintf(stderr, "Only root and the queue's user may read it.\n");
	if (err == ERR_VERSION)
		fprintf(stderr, "It takes a newer postrider than this one (%s).\n",
		    POSTRIDER_VERSION);
	return err == ERR_DENIED ? EX_NOPERM : err == ERR_IO ? EX_IOERR : EX_NOINPUT;
}

int
cli_ledger_open(struct cli_ledger *ledger, const char *conf_path)
{
	int status;
	enum err err;

	*ledger = (struct cli_ledger){.fd = -1};
	status = take_conf(ledger, conf_path);
	if (status != EX_OK)
		return status;
	ledger->io = io_create();
	err = io_dir_open(ledger->io, ledger->spool_path, &ledger->dir);
	if (err) {
		status = cli_ledger_say(ledger, err);
		cli_ledger_close(ledger);
		return status;
	}
	ledger->running = cli_spool_is_running(ledger->spool_path);
	return EX_OK;
}

void
cli_ledger_close(struct cli_ledger *ledger)
{
	if (ledger->answers)
		(void)fclose(ledger->answers);
	/* getline() took it. */
	mem_free(ledger->line);
	io_dir_close(ledger->dir);
	io_destroy(ledger->io);
	mem_free(ledger->spool_path);
	mem_free(ledger->control_path);
	*ledger = (struct cli_ledger){.fd = -1};
}

int
cli_ledger_connect(struct cli_ledger *ledger)
{
	int status;

	ledger->fd = cli_queue_connect(ledger->control_path, &status);
	if (ledger->fd < 0)
		return status;
	ledger->answers = fdopen(ledger->fd, "r+e");
	check(ledger->answers != NULL);
	return EX_OK;
}

static int
say_no_answer(void)
{
	fprintf(stderr, "postrider: the server gave no answer; try again\n");
	return EX_TEMPFAIL;
}

int
cli_ledger_ask(struct cli_ledger *ledger, json_t *request,
    void (*take)(void *owner, json_t *answer), void *owner, json_t **done)
{
	char *text = json_dumps(request, JSON_COMPACT);
	int status = EX_OK;
	bool more = true;

	json_decref(request);
	check(text);
	if (fprintf(ledger->answers, "%s\n", text) < 0 || fflush(ledger->answers))
		status = say_no_answer();
	mem_free(text);
	while (status == EX_OK && more) {
		json_t *answer, *last;
		const char *error;

		if (getline(&ledger->line, &ledger->line_room, ledger->answers) <= 0)
			return say_no_answer();
		answer = json_loads(ledger->line, 0, NULL);
		error = json_string_value(json_object_get(answer, "error"));
		last = json_object_get(answer, "done");
		if (error) {
			fprintf(stderr, "postrider: %s\n", error);
			status = EX_TEMPFAIL;
		} else if (last) {
			more = false;
			if (done)
				*done = json_incref(last);
		} else if (take && answer) {
			take(owner, answer);
		}
		json_decref(answer);
	}
	return status;
}

int
cli_ledger_flush(struct cli_ledger *ledger)
{
	if (!ledger->running)
		return EX_OK;
	return cli_ledger_ask(
	    ledger, json_pack("{s:s}", "do", "flush-ledger"), NULL, NULL, NULL);
}

int
cli_ledger_moment(
    const char *usage, const char *option, const char *text, struct cli_moment *moment)
{
	if (cli_time_parse(text, cli_time_now_ms(), moment))
		return EX_OK;
	return cli_wrong_use(usage, "%s takes a time as %s (UTC), not \"%s\"", option,
	    cli_time_forms, cli_quote(text).text);
}

json_t *
cli_ledger_json_text(struct span text)
{
	if (text.len == 0)
		return json_null();
	return proc_json_text(text);
}

json_t *
cli_ledger_json_time(uint64_t wall_ms)
{
	struct buf text;
	json_t *value;

	buf_init(&text, 64);
	cli_time_write_json(&text, wall_ms);
	value = json_stringn(buf_span(&text).ptr, text.len);
	buf_fini(&text);
	return value;
}

json_t *
cli_ledger_json_id(uint64_t id)
{
	char text[ID_TEXT_MAX];
	struct span span = id_text(text, id);

	return json_stringn(span.ptr, span.len);
}
