/*
 * Any bytes as a client, judged by the driver's checks: transactions balance,
 * no event comes out of turn, replies are whole lines.  The same bytes, whole,
 * one by one and in pieces, must give the same events and the same answers.
 *
 * The first byte chooses the options; what follows is what the client sends.
 */
#include "smtp/test_smtp_server.h"

enum { FUZZ_BYTES_MAX = 16 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct smtp_server_options
choose_options(uint8_t choice)
{
	struct smtp_server_options options = drive_options();

	options.tls_offered = choice & 1;
	options.auth_mechanisms =
	    choice & 2 ? SASL_BIT(SASL_PLAIN) | SASL_BIT(SASL_LOGIN) : 0;
	options.submission = choice & 4;
	options.tls_from_start = choice & 8;
	options.software_in_greeting = choice & 16;
	options.repair_line_ends = choice & 128;
	if (choice & 32) {
		options.message_bytes_max = 200;
		options.line_bytes_max = 40;
		options.header_bytes_max = 100;
		options.received_max = 1;
	}
	if (choice & 64) {
		options.command_bytes_max = 32;
		options.rcpt_max = 1;
		options.errors_max = 2;
		options.commands_max = 12;
		options.messages_max = 1;
		options.auth_failures_max = 1;
	}
	if (choice & 128) {
		options.extensions = UINT32_MAX;
		options.solicit_refused = SPAN("a:ADV");
		options.hold_max_s = 100;
		options.by_min_s = 10;
		options.wall_ms = 1795751306000;
		options.vrfy = options.expn = SMTP_SERVER_FOR_ALL;
		options.xclient = true;
		options.lmtp = choice & 16;
	}
	return options;
}

/* \x02 stands for a handshake: it is taken out where none can be. */
static void
run(struct drive *drive, struct span client, enum drive_split split)
{
	while (client.len > 0) {
		size_t len = span_find(client, '\x02');

		drive_send(drive, span_first(client, len), split);
		if (len < client.len && (drive->server->state == SERVER_CONNECTED ||
					    drive->server->state == SERVER_HANDSHAKE))
			drive_send(drive, SPAN("\x02"), split);
		client = span_skip(client, len + 1);
	}
	drive_pump(drive);
	smtp_server_tick(drive->server, 0);
	smtp_server_tick(drive->server, UINT64_MAX);
	drive_pump(drive);
	check(drive->closed && drive->open == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum drive_split splits[] = {
	    DRIVE_WHOLE, DRIVE_BYTES, DRIVE_RANDOM, (enum drive_split)4};
	struct smtp_server_options options;
	struct drive first, again;

	if (size == 0 || size > FUZZ_BYTES_MAX)
		return 0;
	options = choose_options(data[0]);
	drive_init(&first, &options);
	run(&first, span_of((const char *)data + 1, size - 1), splits[0]);
	for (size_t i = 1; i < LEN(splits); i++) {
		drive_init(&again, &options);
		run(&again, span_of((const char *)data + 1, size - 1), splits[i]);
		check(span_eq(buf_span(&first.events), buf_span(&again.events)));
		check(span_eq(buf_span(&first.output), buf_span(&again.output)));
		drive_fini(&again);
	}
	drive_fini(&first);
	return 0;
}
