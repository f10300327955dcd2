/* "postrider queue sources": the addresses that mail leaves from, and what each may send. */
#include <stdio.h>

#include "base/check.h"
#include "cli/cli_queue_internal.h"
#include "replies/reply.h"

enum { TEXT_BYTES_MAX = 4 << 10 };

static void
write_count(struct buf *out, json_t *share)
{
	if (json_is_integer(share))
		buf_addf(out, "%lld", (long long)json_integer_value(share));
	else
		buf_add_str(out, "any number");
}

/* A warm-up spreads its share over the day: "; 12 more may go now" */
static void
write_free(const struct cli_queue_printer *printer, struct buf *out, json_t *warmup)
{
	const char *next = cli_queue_text(warmup, "next_free");

	if (json_is_null(json_object_get(warmup, "share")) ||
	    cli_queue_number(warmup, "day") == 0)
		return;
	if (next[0]) {
		buf_add_str(out, "; the next may go ");
		cli_queue_write_time(printer, out, next);
	} else {
		buf_addf(out, "; %lld more may go now", cli_queue_number(warmup, "free"));
	}
}

/* "27 of 50 today, day 3 of its schedule; 100 from 28 Nov 00:00:00 UTC (in 9 h)" */
static void
write_use(const struct cli_queue_printer *printer, struct buf *out, json_t *source)
{
	json_t *warmup = json_object_get(source, "warm_up");
	long long used = cli_queue_number(source, "used");
	long long under_way = cli_queue_number(source, "under_way");

	buf_addf(out, "  sent        %lld", used);
	if (json_is_object(warmup)) {
		buf_add_str(out, " of ");
		write_count(out, json_object_get(warmup, "share"));
	}
	buf_add_str(out, " today");
	if (under_way > 0)
		buf_addf(out, ", and %lld under way", under_way);
	if (json_is_object(warmup))
		write_free(printer, out, warmup);
	buf_add_char(out, '\n');
	if (!json_is_object(warmup))
		return;
	if (cli_queue_number(warmup, "day") == 0)
		buf_add_str(out, "  warm-up     has not begun");
	else
		buf_addf(out, "  warm-up     day %lld", cli_queue_number(warmup, "day"));
	if (cli_queue_text(warmup, "next")[0]) {
		buf_add_str(out, "; ");
		write_count(out, json_object_get(warmup, "next_share"));
		buf_add_str(out, " a day from ");
		cli_queue_write_time(printer, out, cli_queue_text(warmup, "next"));
	} else if (json_is_null(json_object_get(warmup, "share"))) {
		buf_add_str(out, "; it is warm: its statement can be taken away");
	} else {
		buf_add_str(out, "; it stays so");
	}
	buf_add_char(out, '\n');
}

static void
write_failed(const struct cli_queue_printer *printer, struct buf *out, json_t *failed)
{
	if (!json_is_object(failed))
		return;
	buf_add_str(out, "  cannot be used: ");
	reply_clean(out, span_str(cli_queue_text(failed, "error")));
	buf_add_str(out, "; tried again ");
	if (cli_queue_text(failed, "next_try")[0])
		cli_queue_write_time(printer, out, cli_queue_text(failed, "next_try"));
	else
		buf_add_str(out, "with the next mail");
	buf_add_char(out, '\n');
}

static void
print(struct buf *out)
{
	check(buf_finish(out) == OK);
	(void)fwrite(out->ptr, 1, out->len, stdout);
	buf_fini(out);
}

void
cli_queue_print_source(struct cli_queue_printer *printer, json_t *source)
{
	static const char *const keys[] = {"pool", "senders", "provider"};
	struct buf out;

	if (printer->options->json) {
		cli_queue_set_nulls(source, keys, LEN(keys));
		printf(printer->shown++ == 0 ? "{\"sources\":[\n" : ",\n");
		(void)json_dumpf(source, stdout, JSON_COMPACT);
		return;
	}
	printer->shown++;
	buf_init(&out, TEXT_BYTES_MAX);
	if (cli_queue_text(source, "provider")[0]) {
		buf_add_str(&out, "  to ");
		reply_clean(&out, span_str(cli_queue_text(source, "provider")));
		buf_add_str(&out, ":\n");
		write_use(printer, &out, source);
		print(&out);
		return;
	}
	reply_clean(&out, span_str(cli_queue_text(source, "address")));
	buf_add_str(&out, " as ");
	reply_clean(&out, span_str(cli_queue_text(source, "helo")));
	if (cli_queue_text(source, "pool")[0]) {
		buf_add_str(&out, ", pool ");
		reply_clean(&out, span_str(cli_queue_text(source, "pool")));
	}
	if (cli_queue_text(source, "senders")[0]) {
		buf_add_str(&out, ", for senders at ");
		reply_clean(&out, span_str(cli_queue_text(source, "senders")));
	}
	buf_addf(&out, ", weight %lld\n", cli_queue_number(source, "weight"));
	write_use(printer, &out, source);
	write_failed(printer, &out, json_object_get(source, "failed"));
	print(&out);
}

void
cli_queue_sources_end(const struct cli_queue_printer *printer)
{
	if (printer->options->json)
		printf("%s],\"count\":%llu}\n", printer->shown == 0 ? "{\"sources\":[" : "\n",
		    (unsigned long long)printer->shown);
	else if (printer->shown == 0)
		printf("The configuration names no addresses (\"send from\"); the system "
		       "chooses.\n");
}
