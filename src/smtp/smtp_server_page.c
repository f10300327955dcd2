#include "smtp/smtp_server_page.h"

#include "base/check.h"
#include "smtp/smtp_server_table.h"

static void
write_reply(struct buf *out, enum reply_id id)
{
	const struct reply reply = {.id = id, .args = {SPAN("..."), SPAN("..."), SPAN("")}};

	buf_add_u64(out, reply_code(id));
	if (*reply_enhanced(id))
		buf_addf(out, " %s", reply_enhanced(id));
	buf_add_char(out, ' ');
	reply_text(out, &reply);
}

static void
write_said(struct buf *out, const struct smtp_server_row *row)
{
	if (row->reply != REPLY_COUNT)
		write_reply(out, row->reply);
	else if (row->cue == CUE_ANSWER)
		buf_add_str(out, "what was answered");
	else
		buf_add_str(out, "-");
}

static void
write_states(struct buf *out, unsigned states)
{
	const char *comma = "";

	for (enum smtp_server_state state = 0; state < SERVER_STATE_COUNT; state++) {
		if (!(states & BIT(state)))
			continue;
		buf_addf(out, "%s%s", comma, smtp_server_state_traits(state)->name);
		comma = ", ";
	}
}

static const char *
next_name(enum smtp_server_state next)
{
	if (next == SERVER_SAME)
		return "stays";
	if (next == SERVER_IDLE)
		return "ready (greeted before EHLO)";
	return smtp_server_state_traits(next)->name;
}

static const char *
takes(const struct smtp_server_traits *traits)
{
	if (traits->lines)
		return "lines";
	if (traits->body)
		return "octets";
	return traits->owes ? "our own answer" : "nothing";
}

static void
write_state_list(struct buf *out, bool markdown)
{
	if (markdown)
		buf_add_str(out, "| state | what it is | waits for | transaction |\n"
				 "|---|---|---|---|\n");
	for (enum smtp_server_state state = 0; state < SERVER_STATE_COUNT; state++) {
		const struct smtp_server_traits *traits = smtp_server_state_traits(state);

		buf_addf(out,
		    markdown ? "| %s | %s | %s | %s |\n" : "  %-11s %s; waits for %s%s\n",
		    traits->name, traits->meaning, takes(traits),
		    traits->open ? (markdown ? "open" : "; a transaction is open") : "");
	}
}

static void
write_row(struct buf *out, const struct smtp_server_row *row, bool markdown)
{
	buf_add_str(out, markdown ? "| " : "  ");
	write_states(out, row->states);
	buf_addf(out, markdown ? " | %s | " : ": %s\n      ", smtp_server_when_name(row->when));
	write_said(out, row);
	buf_addf(out, markdown ? " | %s |\n" : "\n      -> %s\n", next_name(row->next));
}

static void
write_cue(struct buf *out, enum smtp_server_cue cue, bool markdown)
{
	buf_addf(out, markdown ? "\n### %s\n\n" : "\n%s\n", smtp_server_cue_name(cue));
	if (markdown)
		buf_add_str(
		    out, "| in | when | it is answered | next |\n|---|---|---|---|\n");
	for (size_t i = 0; i < smtp_server_row_count(); i++)
		if (smtp_server_row_at(i)->cue == cue)
			write_row(out, smtp_server_row_at(i), markdown);
}

void
smtp_server_page_write(struct buf *out, bool markdown)
{
	buf_addf(out, "%sThe states of a session\n\n", markdown ? "# " : "");
	buf_add_str(out,
	    "What the server answers to each command in each state, and where that leads. This is\n"
	    "the table that the server runs by, printed by \"postrider protocol\". Where several\n"
	    "conditions hold, one of them is told. \"...\" stands for what differs from case to\n"
	    "case; a 421 may follow any reply.\n");
	buf_add_str(out, markdown ? "\n## States\n\n" : "\n");
	write_state_list(out, markdown);
	if (markdown)
		buf_add_str(out, "\n## Commands, and what else happens\n");
	for (enum smtp_server_cue cue = 0; cue < CUE_COUNT; cue++)
		write_cue(out, cue, markdown);
}
