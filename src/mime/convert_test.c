/* Messages for old servers, in every split: what becomes of them, or why nothing can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"
#include "mime/convert.h"

#define HEADER "From: a@b.example\r\nSubject: x\r\n"
#define MIME HEADER "MIME-Version: 1.0\r\n"
#define CTE(encoding) "Content-Transfer-Encoding: " encoding "\r\n"
#define TYPE(type) "Content-Type: " type "\r\n"
#define UTF8 TYPE("text/plain; charset=utf-8")
#define MIXED(boundary) TYPE("multipart/mixed; boundary=" boundary)
#define UNKNOWN TYPE("text/plain; charset=unknown-8bit")
#define AE "\xc3\xa4"
#define QAE "=C3=A4"
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X1000                                                                            \
	X50 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50
#define X74 X50 "xxxxxxxxxxxxxxxxxxxxxxxx"

struct example {
	const char *name;
	const char *message;
	const char *converted; /* NULL: it cannot be */
	const char *why;       /* a part of the reason */
};

static const struct example to_7bit[] = {
    {"ASCII stays", MIME UTF8 CTE("8bit") "\r\nplain\r\n",
	MIME UTF8 CTE("8bit") "\r\nplain\r\n", ""},
    {"a text becomes quoted-printable",
	MIME UTF8 CTE("8bit") "X: y\r\n\r\nGr" AE "n = good \r\n.\r\n\r\n",
	MIME UTF8 CTE("quoted-printable") "X: y\r\n\r\nGr" QAE "n =3D good=20\r\n.\r\n\r\n", ""},
    {"a field in other letters, folded",
	MIME "content-TRANSFER-encoding \t:\r\n (why?)\t8BIT\r\n" UTF8 "\r\nGr" AE "n as grass\r\n",
	MIME CTE("quoted-printable") UTF8 "\r\nGr" QAE "n as grass\r\n", ""},
    {"no field says so", MIME UTF8 "\r\nGr" AE "n as grass\r\n",
	MIME UTF8 CTE("quoted-printable") "\r\nGr" QAE "n as grass\r\n", ""},
    {"it says that it is 7bit", MIME UTF8 CTE("7bit") "\r\nGr" AE "n as grass\r\n",
	MIME UTF8 CTE("quoted-printable") "\r\nGr" QAE "n as grass\r\n", ""},
    {"without MIME fields", HEADER "\r\nGr" AE "n as grass\r\n",
	HEADER "MIME-Version: 1.0\r\n" UNKNOWN CTE("quoted-printable")
	    "\r\nGr" QAE "n as grass\r\n", ""},
    {"without a type", MIME "\r\nGr" AE "n as grass\r\n",
	MIME UNKNOWN CTE("quoted-printable") "\r\nGr" QAE "n as grass\r\n", ""},
    {"without a version", HEADER UTF8 "\r\nGr" AE "n as grass\r\n",
	HEADER UTF8 "MIME-Version: 1.0\r\n" CTE("quoted-printable")
	    "\r\nGr" QAE "n as grass\r\n", ""},
    {"many such letters are much shorter as base64",
	MIME UTF8 "\r\n" AE AE AE AE AE AE "\r\n",
	MIME UTF8 CTE("base64") "\r\nw6TDpMOkw6TDpMOkDQo=\r\n", ""},
    {"what is no text becomes base64",
	MIME TYPE("application/x") CTE("8bit") "\r\nGr" AE "n\r\n",
	MIME TYPE("application/x") CTE("base64") "\r\nR3LDpG4NCg==\r\n", ""},
    {"a type that is none", MIME TYPE("nonsense") "\r\nGr" AE "n\r\n",
	MIME TYPE("nonsense") CTE("base64") "\r\nR3LDpG4NCg==\r\n", ""},
    {"lines of base64", MIME TYPE("application/x") "\r\n" X50 "xxxxx" AE X50 "xxxxx" AE X50 "\r\n",
	MIME TYPE("application/x") CTE("base64") "\r\n"
	"eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eMOk\r\n"
	"eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eMOk\r\n"
	"eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHgNCg==\r\n", ""},
    {"long lines are broken, also in front of an escape",
	MIME UTF8 "\r\n" X74 "xx\r\n" X74 "x\r\n" X74 AE "\r\n",
	MIME UTF8 CTE("quoted-printable") "\r\n" X74 "x=\r\nx\r\n" X74 "x\r\n" X74
	"=\r\n" QAE "\r\n", ""},
    {"a broken line does not become a boundary",
	MIME MIXED("b") "\r\n--b\r\n\r\n" AE X74 "x\r\n" X74 "x--b\r\n--b--\r\n",
	MIME MIXED("b") "\r\n--b\r\n" CTE("quoted-printable") "\r\n" QAE
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=\r\nxxxxxx\r\n"
	X74 "x=\r\n=2D-b\r\n--b--\r\n", ""},
    {"no end of the last line", MIME UTF8 "\r\nGr" AE "n as grass ",
	MIME UTF8 CTE("quoted-printable") "\r\nGr" QAE "n as grass=20=\r\n", ""},

    {"parts: only what needs it",
	MIME MIXED("\"b b\"") CTE("8bit") "\r\nintro\r\n--b b\r\n\r\nplain\r\n--b b \t\r\n" UTF8
	CTE("8bit") "\r\nGr" AE "n as grass\r\n\r\n--b b\r\n" TYPE("image/x") CTE("base64")
	"\r\nAAAA\r\n--b b--\r\noutro\r\n",
	MIME MIXED("\"b b\"") CTE("7bit") "\r\nintro\r\n--b b\r\n\r\nplain\r\n--b b \t\r\n" UTF8
	CTE("quoted-printable") "\r\nGr" QAE "n as grass\r\n\r\n--b b\r\n" TYPE("image/x")
	CTE("base64") "\r\nAAAA\r\n--b b--\r\noutro\r\n", ""},
    {"the line end in front of a boundary is not the part's",
	MIME MIXED("b") "\r\n--b\r\n" TYPE("application/x") "\r\n" AE "\r\n--b\r\n"
	TYPE("application/x") "\r\n" AE "\r\n\r\n--b--\r\n",
	MIME MIXED("b") "\r\n--b\r\n" TYPE("application/x") CTE("base64") "\r\nw6Q=\r\n--b\r\n"
	TYPE("application/x") CTE("base64") "\r\nw6QNCg==\r\n--b--\r\n", ""},
    {"a part that says more than it has",
	MIME MIXED("b") "\r\n--b\r\n" CTE("8bit") "\r\nplain\r\n--b\r\n" CTE("binary")
	"\r\nx\r\n--b\r\n\r\nGr" AE "n as grass\r\n--b--",
	MIME MIXED("b") "\r\n--b\r\n" CTE("7bit") "\r\nplain\r\n--b\r\n" CTE("7bit")
	"\r\nx\r\n--b\r\n" CTE("quoted-printable") "\r\nGr" QAE "n as grass\r\n--b--", ""},
    {"multiparts in one another; the outer boundary ends the inner",
	MIME MIXED("out") "\r\n--out\r\n" MIXED("in") CTE("8bit") "\r\n--in\r\n\r\nGr" AE
	"n as grass\r\n--out\r\n" MIXED("in") "\r\n--in\r\n\r\nGr" AE
	"n as grass\r\n--in--\r\n--in\r\n--out--\r\n--out\r\n",
	MIME MIXED("out") "\r\n--out\r\n" MIXED("in") CTE("7bit") "\r\n--in\r\n"
	CTE("quoted-printable") "\r\nGr" QAE "n as grass\r\n--out\r\n" MIXED("in") "\r\n--in\r\n"
	CTE("quoted-printable") "\r\nGr" QAE
	"n as grass\r\n--in--\r\n--in\r\n--out--\r\n--out\r\n", ""},
    {"a message in it",
	MIME MIXED("b") "\r\n--b\r\n" TYPE("message/rfc822") CTE("8bit") "\r\n" HEADER "\r\nGr" AE
	"n as grass\r\n--b--\r\n",
	MIME MIXED("b") "\r\n--b\r\n" TYPE("message/rfc822") CTE("7bit") "\r\n" HEADER
	"MIME-Version: 1.0\r\n" UNKNOWN CTE("quoted-printable") "\r\nGr" QAE
	"n as grass\r\n--b--\r\n", ""},
    {"a message that is a message", MIME TYPE("message/rfc822") "\r\n" MIME UTF8 "\r\nGr" AE
	"n as grass\r\n",
	MIME TYPE("message/rfc822") "\r\n" MIME UTF8 CTE("quoted-printable") "\r\nGr" QAE
	"n as grass\r\n", ""},
    {"a digest: its parts are messages",
	MIME TYPE("multipart/digest; boundary=b") "\r\n--b\r\n\r\nSubject: y\r\n\r\nGr" AE
	"n as grass\r\n--b\r\n" TYPE("text/plain") "\r\nGr" AE "n as grass\r\n--b--\r\n",
	MIME TYPE("multipart/digest; boundary=b")
	"\r\n--b\r\n\r\nSubject: y\r\nMIME-Version: 1.0\r\n"
	UNKNOWN CTE("quoted-printable") "\r\nGr" QAE "n as grass\r\n--b\r\n" TYPE("text/plain")
	CTE("quoted-printable") "\r\nGr" QAE "n as grass\r\n--b--\r\n", ""},
    {"headers without a text",
	MIME MIXED("b") "\r\n--b\r\n" UTF8 "--b\r\n--b\r\n" TYPE("message/rfc822") "--b\r\n\r\nGr"
	AE "n as grass\r\n--b--\r\n",
	MIME MIXED("b") "\r\n--b\r\n" UTF8 "--b\r\n--b\r\n" TYPE("message/rfc822") "--b\r\n"
	CTE("quoted-printable") "\r\nGr" QAE "n as grass\r\n--b--\r\n", ""},
    {"nobody reads what stands around parts",
	MIME MIXED("b") "\r\n" AE "--b\r\n--bad\r\n-\r\n",
	NULL, "only begins like the boundary"},
    {"it may be changed",
	MIME MIXED("b") "\r\n" AE "--b\r\n-\r\n--\r\n--b\r\n\r\nx\r\n--b--\r\n" AE "\r\n",
	MIME MIXED("b") "\r\n??" "--b\r\n-\r\n--\r\n--b\r\n\r\nx\r\n--b--\r\n??\r\n", ""},
    {"an 8-bit type of message may be encoded",
	MIME TYPE("message/global") "\r\nSubject: " AE "\r\n\r\n",
	MIME TYPE("message/global") CTE("base64") "\r\nU3ViamVjdDogw6QNCg0K\r\n", ""},
    {"a signature stays, where the text beside it has the eight bits",
	MIME MIXED("b") "\r\n--b\r\n" TYPE("multipart/signed; boundary=c") CTE("8bit")
	"\r\n--c\r\n" CTE("8bit") "\r\nsigned\r\n--c--\r\n--b\r\n\r\nGr" AE
	"n as grass\r\n--b--\r\n",
	MIME MIXED("b") "\r\n--b\r\n" TYPE("multipart/signed; boundary=c") CTE("8bit")
	"\r\n--c\r\n" CTE("8bit") "\r\nsigned\r\n--c--\r\n--b\r\n" CTE("quoted-printable")
	"\r\nGr" QAE "n as grass\r\n--b--\r\n", ""},
    {"strange ASCII stays", HEADER MIXED("b") "\r\nno part\r\n",
	HEADER MIXED("b") "\r\nno part\r\n", ""},

    {"a signature", MIME TYPE("Multipart/SIGNED; boundary=c") "\r\n--c\r\n\r\n" AE "\r\n--c--\r\n",
	NULL, "multipart/signed"},
    {"a signature in a message in it",
	MIME MIXED("b") "\r\n--b\r\n" TYPE("message/rfc822") "\r\n" MIME
	TYPE("multipart/signed; boundary=c") "\r\n--c\r\n\r\n" AE "\r\n--c--\r\n--b--\r\n",
	NULL, "multipart/signed"},
    {"encrypted", MIME TYPE("multipart/encrypted; boundary=c") "\r\n--c\r\n\r\n" AE "\r\n--c--\r\n",
	NULL, "multipart/encrypted"},
    {"a part of a message", MIME TYPE("message/partial; id=x; number=1") "\r\n" AE "\r\n", NULL,
	"message/partial"},
    {"elsewhere", MIME TYPE("message/external-body") "\r\nContent-Type: x/y\r\n\r\n" AE "\r\n",
	NULL, "message/external-body"},
    {"a type that must be 7bit", MIME TYPE("message/delivery-status") "\r\n" AE "\r\n", NULL,
	"7bit"},
    {"eight bits in the header", MIME "Subject: " AE "\r\n\r\nplain\r\n", NULL, "header"},
    {"eight bits in the header of a part",
	MIME MIXED("b") "\r\n--b\r\nContent-Description: " AE "\r\n\r\n--b--\r\n", NULL, "header"},
    {"it says that it is encoded", MIME UTF8 CTE("base64") "\r\n" AE "\r\n", NULL,
	"Content-Transfer-Encoding"},
    {"an encoding that nobody knows", MIME UTF8 CTE("x-uuencode") "\r\n" AE "\r\n", NULL,
	"Content-Transfer-Encoding"},
    {"two encodings in one field", MIME UTF8 CTE("8bit binary") "\r\n" AE "\r\n", NULL,
	"Content-Transfer-Encoding"},
    {"a multipart that says that it is encoded",
	MIME MIXED("b") CTE("base64") "\r\n--b\r\n\r\n" AE "\r\n--b--\r\n", NULL, "encoded"},
    {"not closed", MIME MIXED("b") "\r\n--b\r\n\r\n" AE "\r\n", NULL, "not closed"},
    {"not closed, after what is not there",
	MIME MIXED("b") "\r\n" AE "\r\n --b--\r\n", NULL, "not closed"},
    {"the inner one of the same boundary",
	MIME MIXED("b") "\r\n--b\r\n" MIXED("b") "\r\n--b\r\n\r\n" AE "\r\n--b--\r\n--b--\r\n",
	NULL, "same boundary"},
    {"boundaries that look like ends of others",
	MIME MIXED("b--") "\r\n--b--\r\n" MIXED("b") "\r\n--b\r\n\r\n" AE "\r\n", NULL,
	"same boundary"},
    {"a line that only begins like one",
	MIME MIXED("b") "\r\n--b\r\n\r\n--b-\r\n" AE "\r\n--b--\r\n", NULL, "only begins"},
    {"no boundary", MIME TYPE("multipart/mixed; x=\"boundary=c\"") "\r\n" AE "\r\n", NULL,
	"no boundary"},
    {"an empty boundary", MIME MIXED("\"\"") "\r\n--\r\n" AE "\r\n----\r\n", NULL, "no boundary"},
    {"two boundaries", MIME MIXED("b; boundary=c") "\r\n--b\r\n" AE "\r\n", NULL, "no boundary"},
    {"a boundary in pieces", MIME TYPE("multipart/mixed; boundary*0=b; boundary*1=c") "\r\n" AE,
	NULL, "no boundary"},
    {"a boundary, and one in pieces", MIME TYPE("multipart/mixed; boundary=b; boundary*0=c")
	"\r\n--b\r\n\r\n" AE "\r\n--b--\r\n", NULL, "no boundary"},
    {"two types", MIME UTF8 TYPE("text/html") "\r\n" AE "\r\n", NULL, "two Content-Type"},
    {"two encodings", MIME CTE("8bit") CTE("7bit") "\r\n" AE "\r\n", NULL, "two Content-Type"},
    {"a line that is no field", MIME "nonsense\r\n\r\n" AE "\r\n", NULL, "no field"},
    {"a name with a blank in it", MIME "Con tent-Type: x\r\n\r\n" AE "\r\n", NULL, "no field"},
    {"a header that begins with a blank", " x: y\r\n\r\n" AE "\r\n", NULL, "no field"},
    {"a header line that is too long", MIME "X: " X1000 X1000 X1000 X1000 X1000 X1000 X1000 X1000
	X1000 X1000 X1000 X1000 X1000 X1000 X1000 X1000 X1000 "\r\n\r\n" AE "\r\n", NULL,
	"too long"},
    {"a type that is too long", MIME "Content-Type: text/plain; x=" X1000 "\r\n " X1000 "\r\n "
	X1000 "\r\n " X1000 "\r\n " X1000 "\r\n\r\n" AE "\r\n", NULL, "too long"},
};

static const struct example binary_to_8bit[] = {
    {"8bit stays", MIME UTF8 CTE("8bit") "\r\nGr" AE "n\r\n",
	MIME UTF8 CTE("8bit") "\r\nGr" AE "n\r\n", ""},
    {"what needs no more than 8bit says so only beside what is encoded",
	MIME MIXED("b") CTE("binary") "\r\n--b\r\n" UTF8 CTE("binary") "\r\nGr" AE "n\r\n--b\r\n"
	TYPE("image/x") CTE("binary") "\r\n\n" AE "\r\n--b--\r\n",
	MIME MIXED("b") CTE("8bit") "\r\n--b\r\n" UTF8 CTE("8bit") "\r\nGr" AE "n\r\n--b\r\n"
	TYPE("image/x") CTE("base64") "\r\nCsOk\r\n--b--\r\n", ""},
    {"a text with line ends of its own becomes base64",
	MIME UTF8 CTE("binary") "\r\na\nb\r\n", MIME UTF8 CTE("base64") "\r\nYQpiDQo=\r\n", ""},
    {"a CR alone", MIME UTF8 "\r\na\rb\r\n", MIME UTF8 CTE("base64") "\r\nYQ1iDQo=\r\n", ""},
    {"a CR at the end", MIME UTF8 "\r\na\r", MIME UTF8 CTE("base64") "\r\nYQ0=\r\n", ""},
    {"a CR in front of a line end", MIME UTF8 "\r\na\r\r\n",
	MIME UTF8 CTE("base64") "\r\nYQ0NCg==\r\n", ""},
    {"a long line of text", MIME UTF8 "\r\n" X1000 "\r\n",
	MIME UTF8 CTE("quoted-printable") "\r\n" X74 "x=\r\n" X74 "x=\r\n" X74 "x=\r\n" X74
	"x=\r\n" X74
	"x=\r\n" X74 "x=\r\n" X74 "x=\r\n" X74 "x=\r\n" X74 "x=\r\n" X74 "x=\r\n" X74 "x=\r\n" X74
	"x=\r\n" X74 "x=\r\nxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", ""},
    {"no end of the last line", MIME UTF8 CTE("binary") "\r\nplain",
	MIME UTF8 CTE("quoted-printable") "\r\nplain=\r\n", ""},
    {"no end of a part's last line", MIME MIXED("b") "\r\n--b\r\n\r\nplain\r\n--b--",
	MIME MIXED("b") "\r\n--b\r\n\r\nplain\r\n--b--", ""},
    {"boundaries are lines that end with CRLF",
	MIME MIXED("b") "\r\n--b\r\n\r\n\n--b\r\n--b--\r\n",
	MIME MIXED("b") "\r\n--b\r\n" CTE("base64") "\r\nCi0tYg==\r\n--b--\r\n", ""},
    {"an LF behind a boundary", MIME MIXED("b") "\r\n--b\r\n\r\n\n--b\n--b--\r\n--b\n\r\n", NULL,
	"only begins"},
    {"an LF in a header", MIME "X: a\nb\r\n\r\n\n", NULL, "stands alone"},
    {"a CR in a header", MIME "X: a\rb\r\n\r\n\n", NULL, "stands alone"},
    {"a CR in the last line of a header", MIME "X: a\rb", NULL, "stands alone"},
    {"a CR in front of its last octet", "\rb", NULL, "stands alone"},
    {"a long line in a header", MIME "X: " X1000 "\r\n\r\n\n", NULL, "998"},
    {"a long line around parts", MIME MIXED("b") "\r\n" X1000 "\r\n--b\r\n\r\n--b--", NULL, "998"},
    {"a signature", MIME TYPE("multipart/signed; boundary=c") "\r\n--c\r\n\r\n\n\r\n--c--\r\n",
	NULL, "multipart/signed"},
    {"a signature of eight bits",
	MIME MIXED("b") "\r\n--b\r\n" TYPE("multipart/signed; boundary=c") "\r\n--c\r\n\r\n" AE
	"\r\n--c--\r\n--b\r\n\r\na\nb\r\n--b--\r\n",
	MIME MIXED("b") "\r\n--b\r\n" TYPE("multipart/signed; boundary=c") "\r\n--c\r\n\r\n" AE
	"\r\n--c--\r\n--b\r\n" CTE("base64") "\r\nYQpi\r\n--b--\r\n", ""},
};

static const struct example binary_to_7bit[] = {
    {"both kinds of need", MIME UTF8 CTE("binary") "\r\na\n" AE "\r\n",
	MIME UTF8 CTE("base64") "\r\nYQrDpA0K\r\n", ""},
    {"a text with lines", MIME UTF8 CTE("binary") "\r\nGr" AE "n as grass\r\n",
	MIME UTF8 CTE("quoted-printable") "\r\nGr" QAE "n as grass\r\n", ""},
    {"nothing", MIME UTF8 CTE("binary") "\r\nplain\r\n",
	MIME UTF8 CTE("binary") "\r\nplain\r\n", ""},
};

/* Of pieces of so many bytes; 0: of as many as their place in the message says. */
static size_t
piece_bytes(size_t piece, size_t at)
{
	return piece > 0 ? piece : at * 7919 % 13 + 1;
}

static struct survey *
read_through(struct span message, bool is_binary, size_t piece)
{
	struct survey *survey = survey_create(is_binary);
	size_t at = 0;

	while (at < message.len) {
		struct span bytes = span_first(span_skip(message, at), piece_bytes(piece, at));

		survey_take(survey, bytes);
		at += bytes.len;
	}
	survey_finish(survey);
	return survey;
}

static void
convert(const struct survey *survey, enum survey_target target, struct span message,
    size_t piece, struct buf *out)
{
	struct convert *convert;
	size_t at = 0;

	if (survey_verdict(survey, target) == SURVEY_AS_IS) {
		buf_add(out, message);
		return;
	}
	convert = convert_create(survey, target);
	while (at < message.len) {
		struct span bytes = span_first(span_skip(message, at), piece_bytes(piece, at));

		convert_take(convert, bytes, out);
		at += bytes.len;
	}
	assert_int_equal(convert_finish(convert, out), OK);
	convert_destroy(convert);
	assert_true(out->len <= survey_bytes_max(survey, target));
}

static void
check_example(
    const struct example *example, bool is_binary, enum survey_target target, size_t piece)
{
	struct span message = span_str(example->message), why, behind;
	struct survey *survey = read_through(message, is_binary, piece);
	struct buf out;

	buf_init(&out, 1 << 20);
	if (example->converted) {
		if (survey_verdict(survey, target) == SURVEY_CANNOT)
			fail_msg("%s: %s", example->name, survey_why(survey, target));
		convert(survey, target, message, piece, &out);
		buf_add_char(&out, '\0');
		if (strcmp(out.ptr, example->converted) != 0)
			print_message("%s, pieces of %zu\n", example->name, piece);
		assert_string_equal(out.ptr, example->converted);
	} else {
		if (survey_verdict(survey, target) != SURVEY_CANNOT)
			fail_msg("%s: is not refused", example->name);
		why = span_str(survey_why(survey, target));
		if (!span_seek(why, span_str(example->why), &behind))
			fail_msg("%s: %s", example->name, survey_why(survey, target));
	}
	buf_fini(&out);
	survey_destroy(survey);
}

static void
check_all(
    const struct example *examples, size_t count, bool is_binary, enum survey_target target)
{
	static const size_t pieces[] = {CONVERT_PIECE_BYTES_MAX, 1, 2, 3, 5, 0};

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < LEN(pieces); k++)
			check_example(&examples[i], is_binary, target, pieces[k]);
}

static void
for_a_server_of_seven_bits(void **state)
{
	(void)state;
	check_all(to_7bit, LEN(to_7bit), false, SURVEY_7BIT);
}

static void
binary_for_a_server_of_eight_bits(void **state)
{
	(void)state;
	check_all(binary_to_8bit, LEN(binary_to_8bit), true, SURVEY_8BIT);
}

static void
binary_for_a_server_of_seven_bits(void **state)
{
	(void)state;
	check_all(binary_to_7bit, LEN(binary_to_7bit), true, SURVEY_7BIT);
}

/* Multiparts in one another, each with the next one as its only part. */
static void
nest(struct buf *message, size_t depth)
{
	buf_add_str(message, HEADER);
	for (size_t i = 0; i < depth; i++)
		buf_addf(message, MIXED("b%zu.") "\r\n--b%zu.\r\n", i, i);
	buf_add_str(message, "\r\nGr" AE "n as grass\r\n");
	while (depth-- > 0)
		buf_addf(message, "--b%zu.--\r\n", depth);
}

static void
depth_and_number_of_parts_are_bounded(void **state)
{
	struct buf message;
	struct survey *survey;

	(void)state;
	buf_init(&message, 1 << 20);
	nest(&message, 50);
	survey = read_through(buf_span(&message), false, CONVERT_PIECE_BYTES_MAX);
	assert_int_equal(survey_verdict(survey, SURVEY_7BIT), SURVEY_CONVERT);
	assert_int_equal(survey_part_count(survey, SURVEY_7BIT), 1);
	survey_destroy(survey);
	buf_reset(&message);
	nest(&message, 51);
	survey = read_through(buf_span(&message), false, CONVERT_PIECE_BYTES_MAX);
	assert_int_equal(survey_verdict(survey, SURVEY_7BIT), SURVEY_CANNOT);
	assert_non_null(strstr(survey_why(survey, SURVEY_7BIT), "50 deep"));
	survey_destroy(survey);

	for (size_t parts = SURVEY_ENTITIES_MAX - 1; parts <= SURVEY_ENTITIES_MAX; parts++) {
		buf_reset(&message);
		buf_add_str(&message, HEADER MIXED("b") "\r\n");
		for (size_t i = 0; i < parts; i++)
			buf_add_str(&message, "--b\r\n\r\n" AE "\r\n");
		buf_add_str(&message, "--b--\r\n");
		survey = read_through(buf_span(&message), false, CONVERT_PIECE_BYTES_MAX);
		assert_int_equal(survey_verdict(survey, SURVEY_7BIT),
		    parts < SURVEY_ENTITIES_MAX ? SURVEY_CONVERT : SURVEY_CANNOT);
		survey_destroy(survey);
	}
	buf_fini(&message);
}

static void
the_size_that_is_told_is_enough(void **state)
{
	static const char *const lines[] = {"-", "- ", "x \r\n", "--=", X74 AE "\r\n"};
	struct buf message, out;
	struct survey *survey;

	(void)state;
	buf_init(&message, 1 << 20);
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < LEN(lines); i++) {
		buf_reset(&message);
		buf_reset(&out);
		buf_add_str(&message, MIME UTF8 "\r\n" AE);
		while (message.len < 100000)
			buf_add_str(&message, lines[i]);
		survey = read_through(buf_span(&message), false, CONVERT_PIECE_BYTES_MAX);
		/* It is checked there. */
		convert(survey, SURVEY_7BIT, buf_span(&message), 1000, &out);
		survey_destroy(survey);
	}
	buf_fini(&message);
	buf_fini(&out);
}

static void
another_message_than_the_survey_was_of_is_noticed(void **state)
{
	static const char *const others[] = {
	    MIME UTF8 "\r\nGr" AE "n as grass",
	    MIME UTF8 "\r\nGr" AE "n as grass\r\n\r\n",
	    MIME MIXED("b") "\r\nGr",
	};
	struct span message = span_str(MIME UTF8 "\r\nGr" AE "n as grass\r\n");
	struct survey *survey = read_through(message, false, message.len);
	struct convert *convert;
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 16);
	for (size_t i = 0; i < LEN(others); i++) {
		convert = convert_create(survey, SURVEY_7BIT);
		convert_take(convert, span_str(others[i]), &out);
		assert_int_equal(convert_finish(convert, &out), ERR_SYNTAX);
		convert_destroy(convert);
	}
	survey_destroy(survey);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(for_a_server_of_seven_bits),
	    cmocka_unit_test(binary_for_a_server_of_eight_bits),
	    cmocka_unit_test(binary_for_a_server_of_seven_bits),
	    cmocka_unit_test(depth_and_number_of_parts_are_bounded),
	    cmocka_unit_test(the_size_that_is_told_is_enough),
	    cmocka_unit_test(another_message_than_the_survey_was_of_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
