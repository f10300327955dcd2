/*
 * "postrider ledger": what happened to a message, and what was queued when.  The ledger is read
 * twice for a list: for what was accepted, and for what became of it.
 */
#include "cli/cli_ledger.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/id.h"
#include "base/map.h"
#include "cli/cli.h"
#include "cli/cli_ledger_internal.h"
#include "cli/cli_ledger_story.h"
#include "cli/cli_time.h"
#include "replies/page.h"

static const char usage[] =
    "usage: postrider ledger show ID [--json]\n"
    "       postrider ledger list [--for WHOM] [--from WHOM] [--at TIME | --since TIME]\n"
    "                             [--until TIME] [--limit N] [--json]\n"
    "\n"
    "  show      what happened to a message, from its acceptance to the end of each\n"
    "            recipient, also long after it has left the queue\n"
    "  list      messages, and what became of them\n"
    "\n"
    "  --for WHOM      an address, or a domain: to which it went\n"
    "  --from WHOM     an address, or a domain: from which it came\n"
    "  --at TIME       what was in the queue then: 09:07, 2026-11-26 09:07, yesterday\n"
    "                  09:07, 2h (ago); all times are UTC\n"
    "  --since TIME    what was accepted since then ...\n"
    "  --until TIME    ... and until then\n"
    "  --limit N       the first N messages only (1000)\n"
    "  --config FILE   the server's configuration, which names the spool\n"
    "                  ($POSTRIDER_CONFIG, else /etc/postrider/postrider.conf)\n"
    "  --json          one JSON document, for programs\n"
    "\n"
    "Exit codes: 0 done, 65 no such message, 75 try again, 77 not allowed to read it,\n"
    "78 or 66 the configuration, 64 wrong use.\n";

enum { LIMIT = 1000, TEXT_BYTES_MAX = 64 << 20 };

struct options {
	const char *to, *from, *at, *since, *until, *limit_text;
	bool json;
	uint64_t id;
	uint64_t since_ms, until_ms; /* of the acceptance */
	uint64_t at_ms;              /* not over before; 0: no matter */
	uint64_t limit;
};

struct shelf {
	struct map map; /* of stories */
	struct cli_story **stories; /* in the order of acceptance */
	size_t count, room;
	uint64_t more; /* that would fit, past the limit */
};

static void
shelf_fini(struct shelf *shelf)
{
	for (size_t i = 0; i < shelf->count; i++)
		cli_story_destroy(shelf->stories[i]);
	mem_free(shelf->stories);
	map_fini(&shelf->map);
}

static struct cli_story *
shelf_add(struct shelf *shelf, uint64_t id)
{
	struct cli_story *story = cli_story_create(id);

	if (shelf->count == shelf->room) {
		shelf->room = shelf->room ? 2 * shelf->room : 64;
		shelf->stories =
		    mem_realloc(shelf->stories, shelf->room * sizeof(*shelf->stories));
	}
	shelf->stories[shelf->count++] = story;
	map_set_u64(&shelf->map, id, story);
	return story;
}

/* An address as a whole, or any of a domain. */
static bool
fits(struct span address, const char *whom)
{
	struct span wanted = span_str(whom);
	size_t at = span_find_last(address, '@');

	if (span_find(wanted, '@') < wanted.len)
		return span_eq_nocase(address, wanted);
	return at < address.len && span_eq_nocase(span_skip(address, at + 1), wanted);
}

static bool
is_wanted(const struct options *options, const struct ledger_entry *entry)
{
	bool to = !options->to;

	if (entry->wall_ms < options->since_ms || entry->wall_ms > options->until_ms)
		return false;
	if (options->from && !fits(entry->reverse_path, options->from))
		return false;
	for (uint32_t i = 0; !to && i < entry->rcpt_count; i++)
		to = fits(entry->rcpts[i].address, options->to) ||
		     fits(entry->rcpts[i].original, options->to);
	return to;
}

/* One reading: what is accepted and fits, or (id) all of one; then what became of them. */
static int
read_once(struct cli_ledger *ledger, const struct options *options,
    const struct ledger_query *query, struct shelf *shelf, bool gather)
{
	struct ledger_reader *reader;
	struct ledger_entry entry;
	enum err err = ledger_reader_open(ledger->io, ledger->dir, query, &reader);

	if (err)
		return cli_ledger_say(ledger, err);
	while ((err = ledger_reader_next(reader, &entry)) == OK) {
		struct cli_story *story = map_get_u64(&shelf->map, entry.id);

		if (gather && !story &&
		    (options->id || (entry.kind == LEDGER_ACCEPTED &&
					is_wanted(options, &entry))))
			story = shelf_add(shelf, entry.id);
		if (story && (options->id || gather == (entry.kind == LEDGER_ACCEPTED)))
			cli_story_add(story, &entry);
	}
	ledger_reader_close(reader);
	return err == ERR_END ? EX_OK : cli_ledger_say(ledger, err);
}

/* Takes out what was over by then, and what is too much. */
static void
sort_out(struct shelf *shelf, const struct options *options)
{
	size_t kept = 0;

	for (size_t i = 0; i < shelf->count; i++) {
		struct cli_story *story = shelf->stories[i];

		cli_story_settle(story);
		if (options->at_ms && story->over_ms && story->over_ms < options->at_ms) {
			cli_story_destroy(story);
		} else if (kept >= options->limit) {
			shelf->more++;
			cli_story_destroy(story);
		} else {
			shelf->stories[kept++] = story;
		}
	}
	shelf->count = kept;
}

static int
gather(struct cli_ledger *ledger, const struct options *options, struct shelf *shelf)
{
	struct ledger_query query = {.id = options->id};
	struct span domain = span_str(options->to);
	size_t at = span_find_last(domain, '@');
	int status;

	if (options->id)
		return read_once(ledger, options, &query, shelf, true);
	query.since_ms = options->since_ms;
	query.until_ms = options->until_ms;
	query.domain = at < domain.len ? span_skip(domain, at + 1) : domain;
	status = read_once(ledger, options, &query, shelf, true);
	if (status != EX_OK || shelf->count == 0)
		return status;
	query = (struct ledger_query){.since_ms = shelf->stories[0]->accepted_ms};
	for (size_t i = 0; i < shelf->count; i++)
		if (shelf->stories[i]->accepted_ms < query.since_ms)
			query.since_ms = shelf->stories[i]->accepted_ms;
	return read_once(ledger, options, &query, shelf, false);
}

static void
print_list(const struct shelf *shelf, const struct options *options)
{
	uint64_t now_ms = cli_time_now_ms();
	struct buf out;

	buf_init(&out, TEXT_BYTES_MAX);
	for (size_t i = 0; i < shelf->count; i++) {
		buf_reset(&out);
		cli_story_tell_short(&out, shelf->stories[i], now_ms);
		(void)fwrite(out.ptr, 1, out.len, stdout);
	}
	if (shelf->count == 0)
		printf("Nothing %s.\n",
		    options->at ? "was queued then, or the ledger has no more of it"
				: "fits, or the ledger has no more of it");
	else
		printf("%zu of %llu message%s. More about one: postrider ledger show ID\n",
		    shelf->count, (unsigned long long)(shelf->count + shelf->more),
		    shelf->count + shelf->more == 1 ? "" : "s");
	buf_fini(&out);
}

static void
print_list_json(const struct shelf *shelf)
{
	printf("{\"messages\":[");
	for (size_t i = 0; i < shelf->count; i++) {
		json_t *value = cli_story_json(shelf->stories[i]);

		printf("%s\n", i ? "," : "");
		(void)json_dumpf(value, stdout, JSON_COMPACT);
		json_decref(value);
	}
	printf("\n],\"count\":%zu,\"total\":%llu}\n", shelf->count,
	    (unsigned long long)(shelf->count + shelf->more));
}

static int
print_one(const struct shelf *shelf, const struct options *options)
{
	const char *no_color = getenv("NO_COLOR");
	struct winsize size = {0};
	size_t width = PAGE_WIDTH;
	struct buf out;
	json_t *value;
	char id[ID_TEXT_MAX];

	if (shelf->count == 0) {
		fprintf(stderr,
		    "postrider: the ledger has no message %.*s\n"
		    "It was never here, or longer ago than the ledger is kept\n",
		    SPAN_ARGS(id_text(id, options->id)));
		return EX_DATAERR;
	}
	if (options->json) {
		value = cli_story_json(shelf->stories[0]);
		(void)json_dumpf(value, stdout, JSON_COMPACT);
		printf("\n");
		json_decref(value);
		return EX_OK;
	}
	if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
	    size.ws_col > 0)
		width = size.ws_col;
	buf_init(&out, TEXT_BYTES_MAX);
	cli_story_tell(&out, shelf->stories[0], cli_time_now_ms(), width,
	    isatty(STDOUT_FILENO) && (!no_color || !*no_color));
	(void)fwrite(out.ptr, 1, out.len, stdout);
	buf_fini(&out);
	return EX_OK;
}

static int
run(const char *conf_path, const struct options *options)
{
	struct cli_ledger ledger;
	struct shelf shelf = {0};
	uint64_t seed[2];
	int status = cli_ledger_open(&ledger, conf_path);

	if (status != EX_OK)
		return status;
	/* Where the server can't be asked its last seconds may be missing: better than nothing. */
	if (ledger.running && access(ledger.control_path, R_OK | W_OK) == 0 &&
	    cli_ledger_connect(&ledger) == EX_OK)
		(void)cli_ledger_flush(&ledger);
	io_random(ledger.io, seed, sizeof(seed));
	map_init(&shelf.map, seed);
	status = gather(&ledger, options, &shelf);
	if (status == EX_OK) {
		sort_out(&shelf, options);
		if (options->id)
			status = print_one(&shelf, options);
		else if (options->json)
			print_list_json(&shelf);
		else
			print_list(&shelf, options);
	}
	shelf_fini(&shelf);
	cli_ledger_close(&ledger);
	return status;
}

static int
take_times(struct options *options)
{
	struct cli_moment moment;
	int status = EX_OK;

	options->until_ms = UINT64_MAX;
	if (options->at && (options->since || options->until))
		return cli_wrong_use(usage, "--at is a moment; --since and --until are a range");
	if (options->at) {
		status = cli_ledger_moment(usage, "--at", options->at, &moment);
		options->at_ms = moment.from_ms;
		options->until_ms = moment.until_ms;
	}
	if (options->since && status == EX_OK) {
		status = cli_ledger_moment(usage, "--since", options->since, &moment);
		options->since_ms = moment.from_ms;
	}
	if (options->until && status == EX_OK) {
		status = cli_ledger_moment(usage, "--until", options->until, &moment);
		options->until_ms = moment.until_ms;
	}
	return status;
}

static int
take_words(int words, char **argv, struct options *options)
{
	static const char *const verbs[] = {"show", "list"};
	bool filters = options->to || options->from || options->at || options->since ||
		       options->until || options->limit_text;
	const char *nearest;

	if (words == 0)
		return cli_wrong_use(usage, "show one message, or list some?");
	if (strcmp(argv[1], "show") == 0) {
		if (words != 2)
			return cli_wrong_use(usage, words < 2 ? "show which message? Give its id"
							      : "show takes one id");
		if (id_parse(span_str(argv[2]), &options->id) != OK)
			return cli_wrong_use(usage,
			    "\"%s\" is not a queue id; ids are letters and digits, at most %d",
			    cli_quote(argv[2]).text, ID_TEXT_MAX);
		return filters ? cli_wrong_use(usage, "show takes an id and no filters")
			       : EX_OK;
	}
	if (strcmp(argv[1], "list") != 0) {
		nearest = cli_nearest(argv[1], verbs, LEN(verbs));
		return cli_wrong_use(usage, "there is no \"ledger %s\"%s%s%s",
		    cli_quote(argv[1]).text, nearest ? "; did you mean " : "",
		    nearest ? nearest : "", nearest ? "?" : "");
	}
	if (words > 1)
		return cli_wrong_use(usage, "list takes options only: what is \"%s\"?",
		    cli_quote(argv[2]).text);
	options->limit = LIMIT;
	if (options->limit_text &&
	    (!span_u64(span_str(options->limit_text), UINT32_MAX, &options->limit) ||
		options->limit == 0))
		return cli_wrong_use(usage, "--limit takes a number from 1, not \"%s\"",
		    cli_quote(options->limit_text).text);
	return take_times(options);
}

int
cli_ledger(int argc, char **argv)
{
	struct options options = {.limit = 1};
	const char *conf_path = NULL;
	bool help = false;
	const struct cli_option rows[] = {{"--json", &options.json, NULL},
	    {"--help", &help, NULL}, {"--config", NULL, &conf_path},
	    {"--for", NULL, &options.to}, {"--from", NULL, &options.from},
	    {"--at", NULL, &options.at}, {"--since", NULL, &options.since},
	    {"--until", NULL, &options.until}, {"--limit", NULL, &options.limit_text}};
	int words = cli_options(argc, argv, rows, LEN(rows), usage);
	int status;

	if (words < 0)
		return EX_USAGE;
	if (help || (words == 1 && strcmp(argv[1], "help") == 0)) {
		fputs(usage, stdout);
		return EX_OK;
	}
	status = take_words(words, argv, &options);
	return status == EX_OK ? run(conf_path, &options) : status;
}
