/* "postrider spool check": what a spool holds, and what is damaged. */
#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/check.h"
#include "base/id.h"
#include "cli/cli_spool_internal.h"

static const char *const kind_names[SPOOL_PROBLEM_COUNT] = {
    [SPOOL_BAD_EPOCH] = "bad_epoch",
    [SPOOL_BAD_HEAD] = "bad_head",
    [SPOOL_BAD_HEAD_COPY] = "bad_head_copy",
    [SPOOL_BAD_TWIN] = "bad_twin",
    [SPOOL_BAD_RECORD] = "bad_record",
    [SPOOL_BAD_BODY] = "bad_body",
    [SPOOL_BAD_CHECKPOINT] = "bad_checkpoint",
    [SPOOL_GONE_SEGMENT] = "gone_segment",
    [SPOOL_GONE_BODY] = "gone_body",
    [SPOOL_GONE_END] = "gone_end",
    [SPOOL_TORN_END] = "torn_end",
    [SPOOL_LEFT_BODY] = "left_body",
};

static const char *
loss_name(enum spool_loss loss)
{
	switch (loss) {
	case SPOOL_LOST_NOTHING:
		return "nothing";
	case SPOOL_LOST_MESSAGE:
		return "message";
	case SPOOL_LOST_MARK:
		return "mark";
	case SPOOL_LOST_REMOVAL:
		return "removal";
	case SPOOL_LOST_UNKNOWN:
		break;
	}
	return "unknown";
}

/* A name in the spool's directory may be anything that somebody put there; ours are plain. */
static void
print_problem(FILE *out, const struct spool_problem *problem)
{
	char text[ID_TEXT_MAX];

	fprintf(out, "  %s at %llu", problem->file, (unsigned long long)problem->offset);
	if (problem->bytes)
		fprintf(out, ", %llu bytes", (unsigned long long)problem->bytes);
	fprintf(out, ": %s", spool_problem_text(problem->kind));
	if (problem->err)
		fprintf(out, " (%s)", err_text(problem->err));
	if (problem->id)
		fprintf(out, "; message %.*s", SPAN_ARGS(id_text(text, problem->id)));
	if (spool_problem_is_damage(problem))
		fprintf(out, ": %s", spool_loss_text(problem->loss));
	fputc('\n', out);
}

static void
print_problems(FILE *out, const struct spool_verify *verify)
{
	const struct spool_problem *problem;

	for (int damage = 1; damage >= 0; damage--)
		for (size_t i = 0; (problem = spool_verify_problem(verify, i)); i++)
			if (spool_problem_is_damage(problem) == (damage == 1))
				print_problem(out, problem);
}

static const char *
plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static void
print_text(const struct cli_spool *spool, const struct spool_verify *verify,
    const struct spool_verify_numbers *numbers)
{
	const uint64_t *records = numbers->records;

	printf("spool %s%s: ", spool->path, spool->running ? ", in use" : "");
	if (numbers->damages)
		printf("DAMAGED in %llu place%s\n", (unsigned long long)numbers->damages,
		    plural(numbers->damages));
	else
		printf("sound\n");
	printf("  %llu message%s, %llu bod%s in files (%s), epoch %llu\n",
	    (unsigned long long)numbers->messages, plural(numbers->messages),
	    (unsigned long long)numbers->body_files,
	    numbers->body_files == 1 ? "y" : "ies",
	    cli_spool_size(numbers->body_file_bytes).text,
	    (unsigned long long)numbers->epoch);
	printf("  %llu segment%s, %llu in the log (%s read), format %llu\n",
	    (unsigned long long)numbers->segments, plural(numbers->segments),
	    (unsigned long long)numbers->segments_live,
	    cli_spool_size(numbers->log_bytes).text,
	    (unsigned long long)numbers->version_max);
	printf("  %llu put, %llu moved, %llu marks, %llu removed\n",
	    (unsigned long long)records[SPOOL_PUT],
	    (unsigned long long)records[SPOOL_MOVE],
	    (unsigned long long)records[SPOOL_MARK],
	    (unsigned long long)records[SPOOL_REMOVE]);
	print_problems(stdout, verify);
	if (numbers->damages)
		printf("What can be done: docs/operation-spool.md\n");
}

static json_t *
problem_json(const struct spool_problem *problem)
{
	char text[ID_TEXT_MAX];
	struct span id = id_text(text, problem->id);
	json_t *row = json_pack("{s:s,s:b,s:s,s:I,s:I,s:s,s:s}", "kind",
	    kind_names[problem->kind], "damage", spool_problem_is_damage(problem), "file",
	    problem->file, "offset", (json_int_t)problem->offset, "bytes",
	    (json_int_t)problem->bytes, "lost", loss_name(problem->loss), "text",
	    spool_problem_text(problem->kind));

	check(row);
	if (problem->id)
		check(json_object_set_new(row, "id", json_stringn(id.ptr, id.len)) == 0);
	if (problem->err)
		check(json_object_set_new(
			  row, "error", json_string(err_text(problem->err))) == 0);
	return row;
}

static void
print_json(const struct cli_spool *spool, const struct spool_verify *verify,
    const struct spool_verify_numbers *numbers)
{
	const struct {
		const char *key;
		uint64_t value;
	} rows[] = {
	    {"damages", numbers->damages},
	    {"epoch", numbers->epoch},
	    {"format", numbers->version_max},
	    {"messages", numbers->messages},
	    {"checkpoint_messages", numbers->checkpoint_messages},
	    {"body_files", numbers->body_files},
	    {"body_file_bytes", numbers->body_file_bytes},
	    {"segments", numbers->segments},
	    {"log_bytes", numbers->log_bytes},
	    {"puts", numbers->records[SPOOL_PUT]},
	    {"moves", numbers->records[SPOOL_MOVE]},
	    {"marks", numbers->records[SPOOL_MARK]},
	    {"removes", numbers->records[SPOOL_REMOVE]},
	};
	json_t *all = json_pack("{s:s,s:b,s:b}", "spool", spool->path, "sound",
	    numbers->damages == 0, "running", spool->running);
	json_t *problems = json_array();
	const struct spool_problem *problem;

	check(all && problems);
	for (size_t i = 0; i < LEN(rows); i++)
		check(json_object_set_new(all, rows[i].key,
			  json_integer((json_int_t)rows[i].value)) == 0);
	for (size_t i = 0; (problem = spool_verify_problem(verify, i)); i++)
		check(json_array_append_new(problems, problem_json(problem)) == 0);
	check(json_object_set_new(all, "problems", problems) == 0);
	json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	printf("\n");
	json_decref(all);
}

/* Reads all of it; NULL, told, where that cannot be. */
static struct spool_verify *
look_at_all(struct cli_spool *spool, struct spool_verify_numbers *numbers)
{
	struct spool_verify *verify = cli_spool_look(spool);
	enum err err;

	if (!verify)
		return NULL;
	err = spool_verify_checkpoint(verify);
	if (!err)
		err = spool_verify_bodies(verify);
	spool_verify_numbers(verify, numbers);
	if (!err)
		return verify;
	cli_spool_say("cannot read all of", spool->path, err);
	spool_verify_close(verify);
	return NULL;
}

int
cli_spool_check(struct cli_spool *spool)
{
	struct spool_verify_numbers numbers;
	struct spool_verify *verify = look_at_all(spool, &numbers);

	/* A server that started meanwhile changes files under our hands. */
	if (verify && numbers.damages && !spool->running &&
	    cli_spool_is_running(spool->path)) {
		spool_verify_close(verify);
		spool->running = true;
		verify = look_at_all(spool, &numbers);
	}
	if (!verify)
		return CLI_SPOOL_FAILED;
	if (spool->json)
		print_json(spool, verify, &numbers);
	else
		print_text(spool, verify, &numbers);
	spool_verify_close(verify);
	return numbers.damages ? CLI_SPOOL_DAMAGED : EX_OK;
}

int
cli_spool_check_quietly(struct cli_spool *spool)
{
	struct spool_verify_numbers numbers;
	struct spool_verify *verify = look_at_all(spool, &numbers);

	if (!verify)
		return CLI_SPOOL_FAILED;
	if (numbers.damages)
		print_problems(stderr, verify);
	spool_verify_close(verify);
	return numbers.damages ? CLI_SPOOL_DAMAGED : EX_OK;
}
