/*
 * What a request for the reference is answered with: a request of HTTP as bytes and fields in, a
 * status, fields and a body out.  Everything in a request may come from anybody.
 */
#pragma once

#include "web/web.h"

enum { WEB_ETAG_BYTES = 24, WEB_LOCATION_BYTES_MAX = 1024 };

struct web_request {
	struct span method;
	struct span target; /* as in the request line: "/reference/252?q=%41" */
	struct span accept_language;
	struct span if_none_match;
	struct span content_type;
	struct span body;   /* of POST, at most WEB_PASTE_BYTES_MAX */
	bool too_long;      /* more came than that */
};

struct web_answer {
	unsigned status;
	const char *type;
	const char *allow; /* methods, with 405; else NULL */
	const char *cache; /* Cache-Control */
	const struct language *language;
	bool has_language; /* a page: Content-Language */
	bool vary;         /* the language was chosen by Accept-Language */
	char etag[WEB_ETAG_BYTES]; /* "": none */
	char location[WEB_LOCATION_BYTES_MAX]; /* "": none */
	struct buf body;   /* whole; of HEAD too, which is sent none */
};

/* Fills answer, which web_answer_fini() releases. */
void web_answer(const struct web_request *request, struct web_answer *answer);
void web_answer_fini(struct web_answer *answer);
