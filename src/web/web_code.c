/* Pages of codes and of groups of them. */
#include "web/web_internal.h"

enum { LINE_BYTES_MAX = 4096 };

/* "252 Cannot VRFY user": big, with its colour. */
static void
write_title(struct web_page *page, struct span code, const char *name)
{
	buf_addf(page->out, "<h1 class=\"code %s\">", web_tone(code.ptr[0]));
	web_code(page, code);
	WEB_RAW(page, " <span>");
	web_said(page, name);
	WEB_RAW(page, "</span></h1>\n");
}

static void
begin(struct web_page *page, struct span code, const char *name, const char *meaning)
{
	struct buf title;

	buf_init(&title, LINE_BYTES_MAX);
	buf_addf(&title, "%.*s %s", SPAN_ARGS(code), language_text(page->language, name));
	web_page_begin(
	    page, buf_span(&title), span_str(language_text(page->language, meaning)));
	buf_fini(&title);
	WEB_RAW(page, "<article>\n");
	write_title(page, code, name);
}

static void
write_group_mark(struct web_page *page, const struct catalogue_group *group)
{
	if (!group)
		return;
	WEB_RAW(page, "<li>");
	web_link(page, &(struct web_target){.kind = WEB_GROUP, .group = group});
	web_code(page, span_str(group->code));
	WEB_RAW(page, " ");
	web_said(page, group->name);
	WEB_RAW(page, "</a></li>\n");
}

/* What kind of code it is, and whether to try again. */
static void
write_marks(struct web_page *page, const struct explain_code *code)
{
	char class = code->name[0];

	WEB_RAW(page, "<ul class=\"marks\">\n");
	write_group_mark(page, code->class);
	write_group_mark(page, code->subject);
	if (class == '4' || class == '5') {
		buf_addf(page->out, "<li class=\"%s\"><strong>", web_tone(class));
		web_word(page, code->retry ? WORD_MAY_HELP : WORD_NO_HELP);
		WEB_RAW(page, "</strong></li>\n");
	}
	WEB_RAW(page, "</ul>\n");
	if (code->entry && !catalogue_is_standard(code->entry)) {
		WEB_RAW(page, "<p class=\"note\">");
		web_word(page, WORD_MADE_UP);
		WEB_RAW(page, "</p>\n");
	}
}

void
web_advice(
    struct web_page *page, const char *sender, const char *admin, const char *developer)
{
	const struct {
		enum word word;
		const char *text;
	} advice[] = {
	    {WORD_SENDER, sender}, {WORD_ADMIN, admin}, {WORD_DEVELOPER, developer}};

	if (!*sender && !*admin && !*developer)
		return;
	WEB_RAW(page, "<section>\n");
	web_heading(page, "do", WORD_TO_DO);
	WEB_RAW(page, "<div class=\"advice\">\n");
	for (size_t i = 0; i < LEN(advice); i++) {
		if (!*advice[i].text)
			continue;
		WEB_RAW(page, "<div><h3>");
		web_label(page, advice[i].word);
		WEB_RAW(page, "</h3><div>");
		web_paragraphs(page->out,
		    span_str(language_text(page->language, advice[i].text)), NULL,
	    language_is_right_to_left(page->language));
		WEB_RAW(page, "</div></div>\n");
	}
	WEB_RAW(page, "</div>\n</section>\n");
}

void
web_transcript(struct web_page *page, const char *text)
{
	struct span rest = span_str(text), line;

	if (rest.len == 0)
		return;
	WEB_RAW(page, "<section>\n");
	web_heading(page, "example", WORD_EXAMPLE);
	WEB_RAW(page, "<pre dir=\"ltr\">");
	while (rest.len && span_cut(&rest, '\n', &line)) {
		bool server = span_starts(line, SPAN("S:"));

		buf_add_str(page->out, server ? "<span class=\"server\">" : "<span>");
		web_text(page->out, line);
		WEB_RAW(page, "</span>\n");
	}
	WEB_RAW(page, "</pre>\n</section>\n");
}

/* Rows of codes, and beside each the way to the comparison with this one. */
static void
write_codes(struct web_page *page, const char *id, enum word heading, const char *codes,
    const struct explain_code *from, bool compare)
{
	struct span rest = span_str(codes), related;

	if (rest.len == 0)
		return;
	WEB_RAW(page, "<section>\n");
	web_heading(page, id, heading);
	WEB_RAW(page, "<ul class=\"rows\">\n");
	while (rest.len && span_cut(&rest, ' ', &related)) {
		struct web_target target = web_related(related, from), both;

		buf_addf(page->out, "<li class=\"%s\">",
		    web_tone(target.kind == WEB_CODE ? target.a.name[0] : 0));
		web_link(page, &target);
		web_code(page, web_target_key(&target));
		WEB_RAW(page, " <span>");
		web_said(page, web_target_name(&target));
		WEB_RAW(page, "</span></a>");
		if (compare && target.kind == WEB_CODE && from->entry &&
		    (web_comparison(span_str(from->name), span_str(target.a.name), &both)) &&
		    (web_is_written(&both) ||
			(web_comparison(span_str(from->entry->code),
			     span_str(target.a.entry->code), &both) &&
			    web_is_written(&both)))) {
			WEB_RAW(page, " <a class=\"versus\" href=\"");
			web_address(page, &both);
			WEB_RAW(page, "\">");
			web_word_with(page, WORD_WEB_COMPARE_WITH,
			    &(struct word_fields){.a = span_str(from->name)});
			WEB_RAW(page, "</a>");
		}
		WEB_RAW(page, "</li>\n");
	}
	WEB_RAW(page, "</ul>\n</section>\n");
}

void
web_standard(struct web_page *page, const char *rfc)
{
	WEB_RAW(page, "<section>\n");
	web_heading(page, "standard", WORD_WEB_STANDARD);
	WEB_RAW(page, "<p>");
	if (strcmp(rfc, "none") == 0)
		web_word(page, WORD_WEB_NO_STANDARD);
	else
		web_standards(page->out, span_str(rfc));
	WEB_RAW(page, "</p>\n</section>\n");
}

/* "X.7.1": the codes that servers say, each with its class. */
static void
write_with_class(struct web_page *page, const struct explain_code *code)
{
	struct web_target target = {.kind = WEB_CODE};

	if (code->name[0] != 'X')
		return;
	WEB_RAW(page, "<section>\n");
	web_heading(page, "class", WORD_WEB_WITH_CLASS);
	WEB_RAW(page, "<ul class=\"rows\">\n");
	for (const char *class = "245"; *class; class++) {
		char name[EXPLAIN_CODE_BYTES];

		memcpy(name, code->name, sizeof(name));
		name[0] = *class;
		if (!web_target_find(span_str(name), &target) || !web_is_written(&target))
			continue;
		buf_addf(page->out, "<li class=\"%s\">", web_tone(*class));
		web_link(page, &target);
		web_code(page, span_str(name));
		WEB_RAW(page, " <span>");
		if (target.a.class)
			web_said(page, target.a.class->name);
		WEB_RAW(page, "</span></a></li>\n");
	}
	WEB_RAW(page, "</ul>\n</section>\n");
}

static void
write_entry(struct web_page *page, const struct explain_code *code)
{
	const struct catalogue_entry *entry = code->entry;

	begin(page, span_str(code->name), entry->name, entry->meaning);
	write_marks(page, code);
	web_paragraphs(
	    page->out, span_str(language_text(page->language, entry->meaning)), "lead",
	    language_is_right_to_left(page->language));
	write_with_class(page, code);
	web_advice(page, entry->sender, entry->admin, entry->developer);
	web_section(page, "when", WORD_WHEN, entry->when);
	web_section(page, "client", WORD_CLIENT, entry->client);
	web_transcript(page, entry->transcript);
	web_section(page, "mistakes", WORD_MISTAKES, entry->mistakes);
	write_codes(page, "with", WORD_WITH, entry->with, code, false);
	write_codes(page, "see", WORD_SEE, entry->see, code, true);
	web_standard(page, entry->rfc);
	WEB_RAW(page, "</article>\n");
	web_page_end(page);
}

/* What a digit says, or that none does. */
static void
write_digit(struct web_page *page, enum word word, enum word none,
    const struct catalogue_group *group)
{
	WEB_RAW(page, "<p>");
	if (group)
		web_word_with(page, word,
		    &(struct word_fields){.a = span_str(group->code),
			.name = span_str(language_text(page->language, group->name)),
			.text = span_str(language_text(page->language, group->meaning))});
	else
		web_word(page, none);
	WEB_RAW(page, "</p>\n");
}

static void
write_unknown(struct web_page *page, const struct explain_code *code)
{
	bool enhanced = code->name[1] == '.';
	struct buf title;

	buf_init(&title, LINE_BYTES_MAX);
	word_add(&title, page->language, WORD_NOT_STANDARD,
	    &(struct word_fields){.a = span_str(code->name)});
	web_page_begin(page, buf_span(&title), SPAN(""));
	WEB_RAW(page, "<article>\n<h1>");
	web_text(page->out, buf_span(&title));
	WEB_RAW(page, "</h1>\n");
	buf_fini(&title);
	write_marks(page, code);
	WEB_RAW(page, "<p class=\"lead\">");
	web_word(page, WORD_SERVERS_MAKE_UP);
	WEB_RAW(page, "</p>\n<section>\n");
	web_heading(page, "meaning", WORD_MEANING);
	if (code->class || !enhanced)
		write_digit(page, WORD_FIRST_DIGIT, WORD_FIRST_DIGIT_NONE, code->class);
	write_digit(page, enhanced ? WORD_SECOND_NUMBER : WORD_SECOND_DIGIT,
	    enhanced ? WORD_SECOND_NUMBER_NONE : WORD_SECOND_DIGIT_NONE, code->subject);
	WEB_RAW(page, "</section>\n");
	if (code->class) {
		web_section(page, "client", WORD_CLIENT, code->class->client);
		web_section(page, "do", WORD_TO_DO, code->class->fix);
	}
	web_standard(page, enhanced ? "RFC 3463 section 2" : "RFC 5321 sections 4.2.1 and 4.3.2");
	WEB_RAW(page, "</article>\n");
	web_page_end(page);
}

void
web_code_write(struct web_page *page)
{
	if (page->target.a.entry)
		write_entry(page, &page->target.a);
	else
		write_unknown(page, &page->target.a);
}

/* Whether the code is what the group says: "4xx", "x5x", "X.7.x", "5.x.x". */
static bool
fits(const char *group, const char *code)
{
	for (; *group; group++, code++) {
		if (*group == 'x' && group[1] == '\0')
			return *code != '\0' && *code != '.';
		/* The class of an enhanced code is open in the catalogue. */
		if (*group != *code && *group != 'x' &&
		    !(*code == 'X' && ascii_is_digit(*group)))
			return false;
		if (*group == 'x' && !ascii_is_alnum(*code))
			return false;
	}
	return *code == '\0';
}

static void
write_members(struct web_page *page, const struct catalogue_group *group)
{
	const struct catalogue_entry *entry;
	bool class = group->code[1] == '.' && group->code[2] == 'x';

	WEB_RAW(page, "<section>\n");
	web_heading(page, "members", WORD_WEB_MEMBERS);
	WEB_RAW(page, "<ul class=\"rows\">\n");
	for (size_t i = 0; !class && (entry = catalogue_at(i)) != NULL; i++) {
		struct web_target target;

		if (fits(group->code, entry->code) &&
		    web_target_find(span_str(entry->code), &target))
			web_row(page, &target);
	}
	for (size_t i = 0; class && catalogue_group_at(i); i++)
		if (catalogue_group_at(i)->code[0] == 'X')
			web_row(page, &(struct web_target){
			    .kind = WEB_GROUP, .group = catalogue_group_at(i)});
	WEB_RAW(page, "</ul>\n</section>\n");
}

void
web_group_write(struct web_page *page)
{
	const struct catalogue_group *group = page->target.group;

	begin(page, span_str(group->code), group->name, group->meaning);
	web_paragraphs(
	    page->out, span_str(language_text(page->language, group->meaning)), "lead",
	    language_is_right_to_left(page->language));
	web_section(page, "client", WORD_CLIENT, group->client);
	web_section(page, "do", WORD_TO_DO, group->fix);
	write_members(page, group);
	WEB_RAW(page, "</article>\n");
	web_page_end(page);
}
