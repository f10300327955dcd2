/*
 * Reading entries: of bytes whose checksum is right, and all the same with suspicion.
 * Addresses are put together again from their parts, in memory that the parser keeps for one
 * entry.
 */
#include "ledger/ledger_layout.h"

/* An envelope of the spool has at most half of it. */
enum { TEXT_BYTES_MAX = 8 << 20 };

struct ledger_parser {
	struct ledger_known_words known;
	struct reader reader;
	uint64_t last_id, last_ms;
	struct ledger_rcpt *rcpts; /* room for as many as any entry until now */
	uint32_t rcpt_room;
	char *text; /* addresses of one entry; never moved while it is read */
	size_t text_len, text_room;
};

struct ledger_parser *
ledger_parser_create(void)
{
	return mem_alloc(sizeof(struct ledger_parser));
}

void
ledger_parser_destroy(struct ledger_parser *parser)
{
	if (!parser)
		return;
	mem_free(parser->rcpts);
	mem_free(parser->text);
	mem_free(parser);
}

void
ledger_parser_begin(struct ledger_parser *parser, struct span payload)
{
	parser->known.count = 0;
	parser->reader = reader_init(payload);
	parser->last_id = parser->last_ms = 0;
}

static uint64_t
number(struct ledger_parser *parser, uint64_t max)
{
	return reader_var(&parser->reader, max);
}

static struct span
word(struct ledger_parser *parser, size_t bytes_max)
{
	return ledger_words_read(&parser->known, &parser->reader, bytes_max);
}

static uint64_t
difference(struct ledger_parser *parser, uint64_t *last)
{
	uint64_t by = number(parser, UINT64_MAX);

	*last += by & 1 ? ~(by >> 1) : by >> 1;
	return *last;
}

static struct span
address(struct ledger_parser *parser, bool has_at)
{
	struct span local = word(parser, LEDGER_ADDRESS_MAX), domain;
	char *at;

	if (!has_at)
		return local;
	domain = word(parser, LEDGER_ADDRESS_MAX);
	if (parser->reader.failed ||
	    parser->text_room - parser->text_len < local.len + 1 + domain.len) {
		parser->reader.failed = true;
		return SPAN("");
	}
	at = parser->text + parser->text_len;
	memcpy(at, local.ptr, local.len);
	at[local.len] = '@';
	memcpy(at + local.len + 1, domain.ptr, domain.len);
	parser->text_len += local.len + 1 + domain.len;
	return span_of(at, local.len + 1 + domain.len);
}

static void
read_rcpt(struct ledger_parser *parser, struct ledger_rcpt *rcpt)
{
	uint64_t flags = number(parser, RCPT_FLAGS_MAX);

	*rcpt = (struct ledger_rcpt){.mailbox = SPAN("")};
	rcpt->address = rcpt->original = address(parser, flags & RCPT_HAS_AT);
	if (flags & RCPT_REWRITTEN)
		rcpt->original = address(parser, flags & RCPT_ORIGINAL_HAS_AT);
	else if (flags & RCPT_ORIGINAL_HAS_AT)
		parser->reader.failed = true;
	if (flags & RCPT_HAS_MAILBOX)
		rcpt->mailbox = word(parser, LEDGER_ADDRESS_MAX);
}

/*
 * A word that comes again is as long as the first time, so the addresses of an entry may be longer
 * than its bytes: each is bounded, and so is their sum.
 */
static void
make_room(struct ledger_parser *parser, uint64_t rcpt_count)
{
	size_t text = (size_t)(1 + 2 * rcpt_count) * (2 * LEDGER_ADDRESS_MAX + 1);

	parser->text_len = 0;
	if (rcpt_count == 0 || rcpt_count > parser->reader.rest.len / RCPT_BYTES_MIN)
		parser->reader.failed = true;
	if (parser->reader.failed)
		return;
	if (text > TEXT_BYTES_MAX)
		text = TEXT_BYTES_MAX;
	if (text > parser->text_room) {
		parser->text = mem_realloc(parser->text, text);
		parser->text_room = text;
	}
	if (rcpt_count > parser->rcpt_room) {
		parser->rcpts =
		    mem_realloc(parser->rcpts, (size_t)rcpt_count * sizeof(*parser->rcpts));
		parser->rcpt_room = (uint32_t)rcpt_count;
	}
}

static void
read_accepted(struct ledger_parser *parser, struct ledger_entry *entry)
{
	uint64_t flags = number(parser, ACCEPTED_FLAGS_MAX);

	entry->flags = (uint8_t)(flags >> 1);
	entry->rcpt_count = (uint32_t)number(parser, LEDGER_RCPTS_MAX);
	make_room(parser, entry->rcpt_count);
	entry->body_bytes = number(parser, UINT64_MAX);
	entry->reverse_path = address(parser, flags & ACCEPTED_HAS_AT);
	entry->client = word(parser, LEDGER_ADDRESS_MAX);
	entry->login = word(parser, LEDGER_ADDRESS_MAX);
	for (uint32_t i = 0; !parser->reader.failed && i < entry->rcpt_count; i++)
		read_rcpt(parser, &parser->rcpts[i]);
	entry->rcpts = parser->rcpts;
}

static void
read_reply(struct ledger_parser *parser, struct ledger_entry *entry)
{
	entry->code = (uint32_t)number(parser, CODE_MAX);
	entry->status = word(parser, LEDGER_STATUS_MAX);
	entry->host = word(parser, LEDGER_HOST_MAX);
	entry->text = word(parser, LEDGER_TEXT_MAX);
}

static void
read_ended(struct ledger_parser *parser, struct ledger_entry *entry)
{
	uint64_t end;

	entry->index = (uint32_t)number(parser, LEDGER_RCPTS_MAX);
	end = number(parser, 2 * LEDGER_END_END - 1);
	entry->in_doubt = end & 1;
	if (end >> 1 < LEDGER_DELIVERED) {
		parser->reader.failed = true;
		return;
	}
	entry->end = (enum ledger_end)(end >> 1);
	read_reply(parser, entry);
	if (entry->end == LEDGER_BOUNCED || entry->end == LEDGER_EXPIRED)
		entry->bounce_id = number(parser, UINT64_MAX);
}

static void
read_deferred(struct ledger_parser *parser, struct ledger_entry *entry)
{
	uint64_t tries;

	entry->index = (uint32_t)number(parser, LEDGER_RCPTS_MAX);
	tries = number(parser, (uint64_t)UINT32_MAX << 1 | 1);
	entry->in_doubt = tries & 1;
	entry->tries = (uint32_t)(tries >> 1);
	entry->next_wall_ms = entry->wall_ms + number(parser, UINT64_MAX);
	read_reply(parser, entry);
}

static void
read_fields(struct ledger_parser *parser, struct ledger_entry *entry)
{
	switch (entry->kind) {
	case LEDGER_ACCEPTED:
		read_accepted(parser, entry);
		return;
	case LEDGER_ENDED:
		read_ended(parser, entry);
		return;
	case LEDGER_DEFERRED:
		read_deferred(parser, entry);
		return;
	case LEDGER_HELD:
	case LEDGER_RELEASED:
	case LEDGER_ASIDE:
		entry->text = word(parser, LEDGER_TEXT_MAX);
		return;
	case LEDGER_REMOVED:
		entry->flags = (uint8_t)number(parser, LEDGER_ADOPTED);
		return;
	case LEDGER_KIND_END:
		break;
	}
	parser->reader.failed = true;
}

enum err
ledger_parser_next(struct ledger_parser *parser, struct ledger_entry *entry)
{
	uint8_t kind;

	if (parser->reader.failed)
		return ERR_SYNTAX;
	if (parser->reader.rest.len == 0)
		return ERR_END;
	kind = reader_u8(&parser->reader);
	*entry = (struct ledger_entry){.kind = LEDGER_KIND_END};
	if (kind >= LEDGER_ACCEPTED && kind < LEDGER_KIND_END)
		entry->kind = (enum ledger_kind)kind;
	entry->id = difference(parser, &parser->last_id);
	entry->wall_ms = difference(parser, &parser->last_ms);
	read_fields(parser, entry);
	return parser->reader.failed ? ERR_SYNTAX : OK;
}
