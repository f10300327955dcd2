/*
 * Requests: path, query, form.  A page in the language that the address names, "/reference/de/252",
 * is the same for everybody; "/reference/252" is in the language that the browser asks for.
 */
#include "web/web_answer.h"

#include "base/check.h"
#include "web/web_html.h"

enum { TARGET_BYTES_MAX = 4096, TITLE_BYTES_MAX = 2048 };

/* A target taken apart. */
struct asked {
	struct web_target target;
	bool prefixed;
	const struct language *language;
	struct span query;
	struct buf path; /* decoded, behind "/reference/" */
	struct buf question, a, b; /* fields of the query, or of the form */
};

static void
asked_init(struct asked *asked)
{
	*asked = (struct asked){0};
	buf_init(&asked->path, WEB_PATH_BYTES_MAX);
	buf_init(&asked->question, WEB_PASTE_BYTES_MAX);
	buf_init(&asked->a, EXPLAIN_CODE_BYTES);
	buf_init(&asked->b, EXPLAIN_CODE_BYTES);
}

static void
asked_fini(struct asked *asked)
{
	buf_fini(&asked->path);
	buf_fini(&asked->question);
	buf_fini(&asked->a);
	buf_fini(&asked->b);
}

/* The fields that a page takes; others, and those that are malformed, are left out. */
static void
take_fields(struct asked *asked, struct span fields, const char *question)
{
	struct span field;

	while (fields.len && span_cut(&fields, '&', &field)) {
		size_t equals = span_find(field, '=');
		struct span name = span_first(field, equals);
		struct buf *into = span_eq(name, span_str(question)) ? &asked->question
		    : span_eq(name, SPAN("a"))			     ? &asked->a
		    : span_eq(name, SPAN("b"))			     ? &asked->b
								     : NULL;

		if (!into)
			continue;
		buf_reset(into);
		if (!web_decode(into, span_skip(field, equals + 1), true))
			buf_reset(into);
	}
}

/* Takes "de/" off the path, where that is a language; "en" is one. */
static void
take_language(struct asked *asked, struct span *path, struct span accept)
{
	struct span rest = *path, first;
	const struct language *language;

	asked->language = language_accept(accept);
	if (!span_cut(&rest, '/', &first) || first.len != 2 ||
	    !language_find(first, &language))
		return;
	asked->language = language;
	asked->prefixed = true;
	*path = rest;
}

enum reading { READ_PAGE, READ_NONE, READ_BAD, READ_ROOT };

static enum reading
read_target(const struct web_request *request, struct asked *asked)
{
	static const struct span root = {"/reference", sizeof("/reference") - 1};
	size_t question_mark = span_find(request->target, '?');
	struct span raw = span_first(request->target, question_mark);
	struct span path;

	asked->language = language_accept(request->accept_language);
	asked->query = span_skip(request->target, question_mark + 1);
	if (request->target.len > TARGET_BYTES_MAX || raw.len == 0 || raw.ptr[0] != '/')
		return READ_BAD;
	if (span_eq(raw, SPAN("/")))
		return READ_ROOT;
	if (!web_decode(&asked->path, raw, false))
		return asked->path.full ? READ_NONE : READ_BAD;
	path = buf_span(&asked->path);
	if (!span_starts(path, root) || (path.len > root.len && path.ptr[root.len] != '/')) {
		if (path.len > 0)
			buf_consume(&asked->path, 1);
		return READ_NONE;
	}
	buf_consume(&asked->path, path.len > root.len ? root.len + 1 : root.len);
	path = buf_span(&asked->path);
	take_language(asked, &path, request->accept_language);
	return web_target_find(path, &asked->target) ? READ_PAGE : READ_NONE;
}

static void
make_etag(struct web_answer *answer)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	static const char digits[] = "0123456789abcdef";
	size_t at = 0;

	for (size_t i = 0; i < answer->body.len; i++)
		hash = (hash ^ (unsigned char)answer->body.ptr[i]) * UINT64_C(0x100000001b3);
	answer->etag[at++] = '"';
	for (int shift = 60; shift >= 0; shift -= 4)
		answer->etag[at++] = digits[hash >> shift & 15];
	answer->etag[at++] = '"';
	answer->etag[at] = '\0';
}

/* If-None-Match names what the answer is: a list, "*", weak or not. */
static bool
is_matched(struct span field, const char *etag)
{
	struct span one;

	while (field.len && span_cut(&field, ',', &one)) {
		one = span_trim(one);
		if (span_starts(one, SPAN("W/")))
			one = span_skip(one, 2);
		if (span_eq(one, SPAN("*")) || span_eq(one, span_str(etag)))
			return true;
	}
	return false;
}

static struct web_page
page_of(struct web_answer *answer, const struct web_site *site, const struct asked *asked)
{
	answer->language = asked->language;
	answer->has_language = true;
	answer->vary = !asked->prefixed;
	answer->type = web_type(WEB_INDEX);
	return (struct web_page){.out = &answer->body,
	    .site = site,
	    .language = asked->language,
	    .prefixed = asked->prefixed,
	    .target = asked->target};
}

/* A page about what is wrong; {text} of both is of the same field. */
static void
answer_problem(struct web_answer *answer, const struct web_site *site, const struct asked *asked,
    unsigned status, enum word title, enum word text, struct span field)
{
	const struct word_fields fields = {.text = field};
	struct web_page page = page_of(answer, site, asked);
	struct buf titles, texts;

	buf_init(&titles, TITLE_BYTES_MAX);
	buf_init(&texts, TITLE_BYTES_MAX);
	word_add(&titles, asked->language, title, &fields);
	word_add(&texts, asked->language, text, &fields);
	/* Links to other languages lead to their first pages. */
	page.target = (struct web_target){.kind = WEB_INDEX};
	answer->status = status;
	answer->cache = "no-store";
	web_problem_write(&page, buf_span(&titles), buf_span(&texts));
	buf_fini(&titles);
	buf_fini(&texts);
}

static void
redirect(struct web_answer *answer, const struct asked *asked, const struct web_target *target)
{
	struct buf location;

	buf_init(&location, WEB_LOCATION_BYTES_MAX - 1);
	buf_add_str(&location, "/reference");
	if (asked->prefixed)
		buf_addf(&location, "/%s", language_tag(asked->language));
	if (target->kind != WEB_INDEX)
		buf_add_char(&location, '/');
	web_target_path(&location, target);
	check(buf_finish(&location) == OK);
	memcpy(answer->location, location.ptr, location.len);
	answer->location[location.len] = '\0';
	buf_fini(&location);
	answer->status = 303;
	answer->type = "text/plain; charset=utf-8";
	answer->cache = "no-store";
}

/* What a form of GET asks for may have a page of its own: then the way to it. */
static bool
leads_elsewhere(struct web_answer *answer, struct asked *asked)
{
	struct web_target found;

	take_fields(asked, asked->query, "q");
	if (asked->target.kind == WEB_PAIRS && asked->a.len && asked->b.len &&
	    web_target_find(SPAN("compare"), &found)) {
		struct buf path;
		bool there;

		buf_init(&path, WEB_PATH_BYTES_MAX);
		buf_addf(&path, "compare/%.*s-%.*s", SPAN_ARGS(span_trim(buf_span(&asked->a))),
		    SPAN_ARGS(span_trim(buf_span(&asked->b))));
		there = web_target_find(buf_span(&path), &found);
		buf_fini(&path);
		if (there)
			redirect(answer, asked, &found);
		return there;
	}
	if (asked->target.kind != WEB_SEARCH ||
	    !web_target_find(span_trim(buf_span(&asked->question)), &found) ||
	    (found.kind != WEB_CODE && found.kind != WEB_GROUP && found.kind != WEB_TOPIC))
		return false;
	redirect(answer, asked, &found);
	return true;
}

static void
answer_page(struct web_answer *answer, const struct web_site *site, struct asked *asked,
    const struct web_request *request)
{
	struct web_page page = page_of(answer, site, asked);

	if (asked->target.kind != WEB_PASTE)
		page.question =
		    span_first(buf_span(&asked->question), WEB_QUESTION_BYTES_MAX);
	else
		page.question = buf_span(&asked->question);
	web_page_write(&page);
	answer->status = 200;
	answer->type = web_type(asked->target.kind);
	if (asked->target.kind == WEB_STYLE || asked->target.kind == WEB_SCRIPT) {
		answer->has_language = false;
		answer->vary = false;
	}
	if (asked->target.kind == WEB_PASTE && asked->question.len) {
		answer->cache = "no-store";
		return;
	}
	answer->cache = "public, max-age=300";
	make_etag(answer);
	if (is_matched(request->if_none_match, answer->etag)) {
		answer->status = 304;
		buf_reset(&answer->body);
	}
}

static bool
is_type(struct span type, struct span wanted)
{
	return span_eq_nocase(span_trim(span_first(type, span_find(type, ';'))), wanted);
}

/* A form, or the text alone as a program sends it. */
static void
answer_post(struct web_answer *answer, const struct web_site *site, struct asked *asked,
    const struct web_request *request)
{
	static const enum word bad = WORD_WEB_BAD, bad_what = WORD_WEB_BAD_WHAT;

	if (request->too_long || request->body.len > WEB_PASTE_BYTES_MAX) {
		answer_problem(answer, site, asked, 413, WORD_WEB_TOO_LONG,
		    WORD_WEB_TOO_LONG_WHAT, SPAN("256"));
		return;
	}
	if (is_type(request->content_type, SPAN("application/x-www-form-urlencoded"))) {
		take_fields(asked, request->body, "text");
	} else if (is_type(request->content_type, SPAN("text/plain")) ||
		   is_type(request->content_type, SPAN("message/rfc822")) ||
		   is_type(request->content_type, SPAN("message/delivery-status"))) {
		buf_add(&asked->question, request->body);
	} else {
		answer_problem(answer, site, asked, 415, bad, bad_what, SPAN(""));
		return;
	}
	answer_page(answer, site, asked, request);
}

static void
answer_method(struct web_answer *answer, const struct web_site *site, const struct asked *asked)
{
	bool takes = asked->target.kind == WEB_PASTE;

	answer_problem(answer, site, asked, 405, WORD_WEB_METHOD, WORD_WEB_METHOD_WHAT,
	    span_str(word_text(asked->language, WORD_WEB_PASTE)));
	answer->allow = takes ? "GET, HEAD, POST" : "GET, HEAD";
}

void
web_answer(const struct web_request *request, struct web_answer *answer)
{
	bool get = span_eq(request->method, SPAN("GET")) ||
		   span_eq(request->method, SPAN("HEAD"));
	bool post = span_eq(request->method, SPAN("POST"));
	struct web_site site;
	struct asked asked;
	enum reading reading;

	web_site_init(&site, true);
	asked_init(&asked);
	*answer = (struct web_answer){.status = 200, .cache = "no-store"};
	buf_init(&answer->body, WEB_PAGE_BYTES_MAX);
	reading = read_target(request, &asked);
	if (reading == READ_BAD)
		answer_problem(answer, &site, &asked, 400, WORD_WEB_BAD, WORD_WEB_BAD_WHAT,
		    SPAN(""));
	else if (reading == READ_NONE)
		answer_problem(answer, &site, &asked, 404, WORD_WEB_NOT_FOUND,
		    WORD_WEB_NOT_FOUND_WHAT, buf_span(&asked.path));
	else if (!get && !(post && asked.target.kind == WEB_PASTE && reading == READ_PAGE))
		answer_method(answer, &site, &asked);
	else if (reading == READ_ROOT)
		redirect(answer, &asked, &(struct web_target){.kind = WEB_INDEX});
	else if (post)
		answer_post(answer, &site, &asked, request);
	else if (!leads_elsewhere(answer, &asked))
		answer_page(answer, &site, &asked, request);
	check(buf_finish(&answer->body) == OK);
	asked_fini(&asked);
}

void
web_answer_fini(struct web_answer *answer)
{
	buf_fini(&answer->body);
}
