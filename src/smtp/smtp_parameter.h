/*
 * The parameters of MAIL and RCPT (RFC 5321 section 4.1.1.11), read by a table.
 *
 * An unknown parameter changes what the client believes we promise, so it is refused and never
 * skipped; so is one whose extension is not offered in this session.
 */
#pragma once

#include "replies/reply.h"

enum {
	SMTP_ENVID_BYTES_MAX = 100,   /* RFC 3461 section 4.4 */
	SMTP_ORCPT_BYTES_MAX = 500,   /* RFC 3461 section 4.2 */
	SMTP_SOLICIT_BYTES_MAX = 1000, /* RFC 3865 section 2 */
	SMTP_PRIORITY_MAX = 9,        /* RFC 6710; the least is -9 */
};

/* What EHLO offers where the operator or the kind of listener decides; bits. */
enum smtp_extension {
	SMTP_EXTENSION_BINARYMIME = 1 << 0,    /* RFC 3030 */
	SMTP_EXTENSION_DSN = 1 << 1,           /* RFC 3461 */
	SMTP_EXTENSION_FUTURERELEASE = 1 << 2, /* RFC 4865 */
	SMTP_EXTENSION_DELIVERBY = 1 << 3,     /* RFC 2852 */
	SMTP_EXTENSION_MT_PRIORITY = 1 << 4,   /* RFC 6710 */
	SMTP_EXTENSION_REQUIRETLS = 1 << 5,    /* RFC 8689; under TLS only */
	SMTP_EXTENSION_NO_SOLICITING = 1 << 6, /* RFC 3865 */
	SMTP_EXTENSION_LIMITS = 1 << 7,        /* RFC 9422 */
	SMTP_EXTENSION_ETRN = 1 << 8,          /* RFC 1985 */
};

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME, SMTP_BODY_BINARYMIME };
enum smtp_ret { SMTP_RET_UNSAID, SMTP_RET_FULL, SMTP_RET_HDRS };
enum smtp_by { SMTP_BY_NONE, SMTP_BY_RETURN, SMTP_BY_NOTIFY };

/* NEVER stands alone. */
enum {
	SMTP_NOTIFY_UNSAID = 0,
	SMTP_NOTIFY_NEVER = 1,
	SMTP_NOTIFY_SUCCESS = 2,
	SMTP_NOTIFY_FAILURE = 4,
	SMTP_NOTIFY_DELAY = 8,
};

/* Spans are parts of the command line. */
struct smtp_mail_parameters {
	uint64_t size;               /* 0: unsaid */
	enum smtp_body body;
	bool smtputf8, requiretls;
	enum smtp_ret ret;
	struct span envid;           /* xtext as it came; decodes to printable ASCII; "" none */
	uint64_t hold_for_s;         /* HOLDFOR; 0 none */
	uint64_t hold_until_wall_ms; /* HOLDUNTIL; 0 none.  At most one of the two */
	enum smtp_by by;
	int64_t by_s;                /* seconds from now; negative or 0 with NOTIFY only */
	bool by_trace;
	bool has_priority;
	int priority;
	struct span auth;            /* AUTH as it came: xtext, or "<>" */
	struct span solicit;         /* the classes of SOLICIT, with commas between them */
};

struct smtp_rcpt_parameters {
	unsigned notify;    /* bits of SMTP_NOTIFY_... */
	struct span orcpt;  /* "rfc822;xtext" as it came; "" none.  Without controls when decoded */
};

/* What the session allows. */
struct smtp_parameter_rules {
	unsigned extensions; /* bits of enum smtp_extension */
	bool tls;
	bool smtputf8;        /* RCPT: what MAIL said */
	uint64_t hold_max_s;  /* FUTURERELEASE; 0: no limit */
	uint64_t by_min_s;    /* DELIVERBY: the least BY of mode R */
	uint64_t wall_ms;     /* now, by the calendar */
	struct span solicit_refused; /* NO-SOLICITING: classes with commas between them; "" none */
};

/*
 * text begins right after the path.  False where the parameters are wrong; *refusal then says
 * how, with arguments that live as long as text.
 */
bool smtp_parameter_read_mail(struct span text, const struct smtp_parameter_rules *rules,
    struct smtp_mail_parameters *parameters, struct reply *refusal);
bool smtp_parameter_read_rcpt(struct span text, const struct smtp_parameter_rules *rules,
    struct smtp_rcpt_parameters *parameters, struct reply *refusal);
/* How the parameters that rules allow are written, each behind a blank; for HELP. */
void smtp_parameter_write_syntax(struct buf *out, unsigned extensions, bool of_mail);
