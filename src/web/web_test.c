/*
 * The reference: what paths stand for, that each page links to pages that there are, and what
 * requests are answered with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"
#include "web/web_answer.h"

static const uint64_t seed[2] = {1, 2};

static const struct {
	const char *path;
	const char *wanted; /* its one path; NULL: stands for nothing */
} paths[] = {
    {"", ""},
    {"index.html", ""},
    {"252", "252"},
    {"252/", "252"},
    {"252/index.html", "252"},
    {"5.7.1", "5.7.1"},
    {"x.7.1", "X.7.1"},
    {"471", "471"},
    {"5.7.999", "5.7.999"},
    {"4XX", "4xx"},
    {"x.7.X", "X.7.x"},
    {"starttls", "STARTTLS"},
    {"keyword/starttls", "STARTTLS"},
    {"TLS-result/certificate-expired", "certificate-expired"},
    {"finding/certificate-expired", "finding/certificate-expired"},
    {"finding/starttls", NULL},
    {"keyword/", NULL},
    {"compare/220-252", "compare/220-252"},
    {"compare/252-220", "compare/220-252"},
    {"compare/5.7.1-4.7.0", "compare/4.7.0-5.7.1"},
    {"compare/550-5.7.1", "compare/550-5.7.1"},
    {"compare/220-220", NULL},
    {"compare/220-499", NULL},
    {"compare/220", NULL},
    {"compare", "compare"},
    {"search", "search"},
    {"paste", "paste"},
    {"style.css", "style.css"},
    {"699", NULL},
    {"25", NULL},
    {"2520", NULL},
    {"252 text behind", NULL},
    {"5.7.1 text", NULL},
    {"../252", NULL},
    {"no-such-topic", NULL},
};

static void
test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(paths); i++) {
		struct web_target target;
		struct buf out;
		bool found = web_target_find(span_str(paths[i].path), &target);

		if (found != (paths[i].wanted != NULL))
			fail_msg("%s: found %d", paths[i].path, found);
		if (!found)
			continue;
		buf_init(&out, WEB_PATH_BYTES_MAX);
		web_target_path(&out, &target);
		buf_add_char(&out, '\0');
		assert_string_equal(out.ptr, paths[i].wanted);
		buf_fini(&out);
	}
}

/* Every path of the files, and then every link of every page, of one language. */
struct crawl {
	struct web_site site;
	const struct language *language;
	struct map files;
	char **names;
	size_t count, links;
	struct buf page;
};

static void
add_file(void *owner, const struct web_target *target)
{
	struct crawl *crawl = owner;
	struct web_target again;
	struct buf path;

	buf_init(&path, WEB_PATH_BYTES_MAX);
	web_target_path(&path, target);
	assert_true(web_target_find(buf_span(&path), &again));
	assert_int_equal(again.kind, target->kind);
	assert_true(web_is_written(target));
	buf_reset(&path);
	web_file_path(&path, crawl->language, target);
	if (map_get(&crawl->files, buf_span(&path)))
		fail_msg("%.*s comes twice", SPAN_ARGS(buf_span(&path)));
	crawl->names[crawl->count] = mem_copy(buf_span(&path));
	map_set(&crawl->files, span_str(crawl->names[crawl->count]), crawl);
	crawl->count++;
	buf_fini(&path);
}

/* "../../252/index.html" from "de/compare/1-2/index.html". */
static void
follow(struct crawl *crawl, struct span from, struct span link)
{
	size_t slash;

	link = span_first(link, span_find(link, '#'));
	if (link.len == 0 || span_starts(link, SPAN("https://www.rfc-editor.org/rfc/")) ||
	    span_eq(link, SPAN("data:,")))
		return;
	crawl->links++;
	slash = span_find_last(from, '/');
	from = span_first(from, slash == from.len ? 0 : slash);
	while (span_starts(link, SPAN("../"))) {
		link = span_skip(link, 3);
		assert_true(from.len > 0);
		slash = span_find_last(from, '/');
		from = span_first(from, slash == from.len ? 0 : slash);
	}
	struct buf path;

	buf_init(&path, 1024);
	buf_add(&path, from);
	buf_add_str(&path, from.len ? "/" : "");
	buf_add(&path, link);
	if (!map_get(&crawl->files, buf_span(&path)) &&
	    !span_eq(buf_span(&path), SPAN("style.css")) &&
	    !span_eq(buf_span(&path), SPAN("reference.js")))
		fail_msg("no page %.*s", SPAN_ARGS(buf_span(&path)));
	buf_fini(&path);
}

static void
read_page(void *owner, const struct web_target *target)
{
	static const struct span names[] = {{"href=\"", 6}, {"src=\"", 5}, {"action=\"", 8}};
	struct crawl *crawl = owner;
	struct web_page page = {.out = &crawl->page,
	    .site = &crawl->site,
	    .language = crawl->language,
	    .target = *target};
	struct buf path;
	struct span text;

	buf_reset(&crawl->page);
	web_page_write(&page);
	assert_int_equal(buf_finish(&crawl->page), OK);
	if (target->kind == WEB_WORDS)
		return;
	buf_init(&path, WEB_PATH_BYTES_MAX);
	web_file_path(&path, crawl->language, target);
	for (size_t i = 0; i < LEN(names); i++) {
		const char *at;

		text = buf_span(&crawl->page);

		while ((at = memmem(text.ptr, text.len, names[i].ptr, names[i].len)) != NULL) {
			text = span_skip(text, (size_t)(at - text.ptr) + names[i].len);
			follow(crawl, buf_span(&path), span_first(text, span_find(text, '"')));
		}
	}
	buf_fini(&path);
}

static void
test_every_link_leads_to_a_page(void **state)
{
	struct crawl crawl = {.site = {.language_count = 1}};

	(void)state;
	/* In a language that is translated, alone. */
	assert_true(language_find(SPAN("de"), &crawl.language));
	crawl.site.languages[0] = crawl.language;
	map_init(&crawl.files, seed);
	buf_init(&crawl.page, WEB_PAGE_BYTES_MAX);
	crawl.names = mem_alloc(20000 * sizeof(*crawl.names));
	web_each(add_file, &crawl);
	assert_true(crawl.count > 500);
	web_each(read_page, &crawl);
	assert_true(crawl.links > 10 * crawl.count);
	for (size_t i = 0; i < crawl.count; i++)
		mem_free(crawl.names[i]);
	mem_free(crawl.names);
	buf_fini(&crawl.page);
	map_fini(&crawl.files);
}

static const struct {
	const char *method, *target, *accept, *type, *body;
	unsigned status;
	const char *language; /* "": none said */
	const char *location;
	const char *holds;
	const char *lacks;
} requests[] = {
    {"GET", "/reference/252", "de", "", "", 200, "de", "", "lang=\"de\"", NULL},
    {"GET", "/reference/252", "xx, ja;q=0.5", "", "", 200, "ja", "", "lang=\"ja\"", NULL},
    {"GET", "/reference/252", "", "", "", 200, "en", "", "Cannot VRFY", NULL},
    {"GET", "/reference/fr/252", "de", "", "", 200, "fr", "", "href=\"/reference/fr/", NULL},
    {"GET", "/reference/en/252", "de", "", "", 200, "en", "", "href=\"/reference/en/250\"", NULL},
    {"HEAD", "/reference", "", "", "", 200, "en", "", "<h1>", NULL},
    {"GET", "/reference/", "", "", "", 200, "en", "", "<h1>", NULL},
    {"GET", "/", "", "", "", 303, "", "/reference", NULL, NULL},
    {"GET", "/reference/compare/252-220", "", "", "", 200, "en", "", "220 and 252", NULL},
    {"GET", "/reference/compare/334-X.7.30", "", "", "", 200, "en", "", "334 and X.7.30", NULL},
    {"GET", "/reference/compare?a=252&b=+220", "", "", "", 303, "", "/reference/compare/220-252",
	NULL, NULL},
    {"GET", "/reference/de/compare?a=252&b=1", "", "", "", 200, "de", "", "<h1>", NULL},
    {"GET", "/reference/search?q=starttls", "", "", "", 303, "", "/reference/STARTTLS", NULL,
	NULL},
    {"GET", "/reference/de/search?q=%205.7.1", "", "", "", 303, "", "/reference/de/5.7.1", NULL,
	NULL},
    {"GET", "/reference/search?q=mailbox+full", "", "", "", 200, "en", "", "/reference/X.2.2\"",
	NULL},
    {"GET", "/reference/search?q=450+550", "", "", "", 200, "en", "",
	"/reference/compare/450-550", NULL},
    {"GET", "/reference/search?q=%3Cb%3E", "", "", "", 200, "en", "", "&lt;b&gt;", "<b>"},
    {"GET", "/reference/599", "", "", "", 200, "en", "", "599 is not a standard code", NULL},
    {"GET", "/reference/%3Cb%3E", "de", "", "", 404, "de", "", "&lt;b&gt;", "<b>"},
    {"GET", "/elsewhere", "", "", "", 404, "en", "", "&quot;elsewhere&quot;", NULL},
    {"GET", "/references", "", "", "", 404, "en", "", "<h1>", NULL},
    {"GET", "/reference/%zz", "", "", "", 400, "en", "", "cannot be read", NULL},
    {"GET", "reference", "", "", "", 400, "en", "", "<h1>", NULL},
    {"GET", "", "", "", "", 400, "en", "", "<h1>", NULL},
    {"POST", "/reference/252", "", "", "", 405, "en", "", "<h1>", NULL},
    {"DELETE", "/reference/paste", "", "", "", 405, "en", "", "<h1>", NULL},
    {"POST", "/reference/paste", "", "application/x-www-form-urlencoded",
	"text=550+5.1.1+no+%3Cb%3E", 200, "en", "", "href=\"/reference/5.1.1\"", "<b>"},
    {"POST", "/reference/paste", "", "text/plain",
	"550-5.1.1 The email account that you tried to reach does not exist.\n"
	"550 5.1.1 <i>Please</i> try double-checking - gsmtp",
	200, "en", "", "/reference/user-unknown\"", "<i>"},
    {"POST", "/reference/de/paste", "", "text/plain; charset=utf-8",
	"x\nStatus: 4.4.1\nfoo", 200, "de", "", "href=\"/reference/de/4.4.1\"", NULL},
    {"POST", "/reference/paste", "", "text/plain", "more in line 450 below\nStatus: 4.4.1", 200,
	"en", "", "href=\"/reference/4.4.1\"", "/reference/450\""},
    {"POST", "/reference/paste", "", "text/plain", "all is well", 200, "en", "",
	"There is no reply code", NULL},
    {"POST", "/reference/paste", "", "multipart/form-data", "550 x", 415, "en", "", "<h1>", NULL},
};

static void
test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(requests); i++) {
		const struct web_request request = {.method = span_str(requests[i].method),
		    .target = span_str(requests[i].target),
		    .accept_language = span_str(requests[i].accept),
		    .content_type = span_str(requests[i].type),
		    .body = span_str(requests[i].body)};
		struct web_answer answer;
		const char *name = requests[i].target;

		web_answer(&request, &answer);
		buf_add_char(&answer.body, '\0');
		if (answer.status != requests[i].status)
			fail_msg("%s: %u", name, answer.status);
		if (strcmp(answer.location, requests[i].location) != 0)
			fail_msg("%s: to %s", name, answer.location);
		if (answer.has_language != (*requests[i].language != '\0') ||
		    (answer.has_language && strcmp(language_tag(answer.language),
						requests[i].language) != 0))
			fail_msg("%s: language %s", name, language_tag(answer.language));
		if (requests[i].holds && !strstr(answer.body.ptr, requests[i].holds))
			fail_msg("%s lacks %s", name, requests[i].holds);
		if (requests[i].lacks && strstr(answer.body.ptr, requests[i].lacks))
			fail_msg("%s has %s", name, requests[i].lacks);
		assert_int_equal(answer.status == 405, answer.allow != NULL);
		web_answer_fini(&answer);
	}
}

static void
test_etags(void **state)
{
	struct web_request request = {
	    .method = SPAN("GET"), .target = SPAN("/reference/de/252")};
	struct web_answer first, second;
	char list[100];

	(void)state;
	web_answer(&request, &first);
	snprintf(list, sizeof(list), "\"x\", W/%s", first.etag);
	request.if_none_match = span_str(list);
	web_answer(&request, &second);
	assert_int_equal(second.status, 304);
	assert_int_equal(second.body.len, 0);
	assert_string_equal(first.etag, second.etag);
	assert_false(first.vary);
	web_answer_fini(&second);
	request.target = SPAN("/reference/252");
	web_answer(&request, &second);
	assert_int_equal(second.status, 200);
	assert_string_not_equal(first.etag, second.etag);
	assert_true(second.vary);
	web_answer_fini(&first);
	web_answer_fini(&second);
}

static void
test_a_huge_paste_is_refused_and_a_large_one_answered(void **state)
{
	struct web_request request = {.method = SPAN("POST"),
	    .target = SPAN("/reference/paste"),
	    .content_type = SPAN("text/plain")};
	struct web_answer answer;
	struct buf body;

	(void)state;
	buf_init(&body, WEB_PASTE_BYTES_MAX);
	while (body.len < WEB_PASTE_BYTES_MAX - 20)
		buf_add_str(&body, "<&<&<&<&<&<&<&\n");
	buf_add_str(&body, "\n550 5.7.1 x");
	request.body = buf_span(&body);
	web_answer(&request, &answer);
	assert_int_equal(answer.status, 200);
	assert_non_null(memmem(answer.body.ptr, answer.body.len, "/reference/5.7.1\"", 17));
	assert_string_equal(answer.cache, "no-store");
	web_answer_fini(&answer);
	request.too_long = true;
	web_answer(&request, &answer);
	assert_int_equal(answer.status, 413);
	web_answer_fini(&answer);
	buf_fini(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_every_link_leads_to_a_page),
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_etags),
	    cmocka_unit_test(test_a_huge_paste_is_refused_and_a_large_one_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
