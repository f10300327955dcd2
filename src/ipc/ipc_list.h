/*
 * All links between roles: one list for each link and direction.  Included with
 * IPC_LINK(prefix, file) defined, to make the structs, the types and the codecs.
 * A role can only express what the lists of its own links hold.
 *
 * In the lists: MSG(TYPE, name, fields) with U8, U16, U32, U64(name) and
 * STR(name, bytes_max) for fields.
 */
#pragma once

enum {
	IPC_PATH_MAX = 320,
	IPC_DOMAIN_MAX = 255,
	IPC_NAME_MAX = 320, /* what operators call a destination, see route/name.h */
	IPC_TEXT_MAX = 2100,
	IPC_REPLY_MAX = 500,
	IPC_LIMIT_MAX = 1000,
	IPC_RULE_MAX = 200,
	IPC_SUPPRESSED_MAX = 32 << 10, /* 4096 numbers of 8 bytes */
	IPC_MAILBOX_MAX = 255,
	IPC_CREDENTIAL_MAX = 1024,
	IPC_TICKET_KEY_BYTES = 80,
	IPC_SASL_MAX = 9216,
	IPC_BINDING_MAX = 64,
	IPC_SENDERS_MAX = 24 << 10,
	IPC_TARGETS_MAX = 96 << 10,
	IPC_HOSTS_MAX = 64 << 10,
	IPC_WAITING_MAX = 20 * 1000,
	IPC_EXTRAS_MAX = 240,
	IPC_ORCPT_MAX = 500,
	IPC_TLSA_MAX = 2600,
	IPC_TXT_MAX = 8 << 10,
	IPC_POLICY_HOSTS_MAX = 100 * 258,
	IPC_TLS_MAX = 160,
	IPC_TRANSCRIPT_MAX = 48 << 10,
	IPC_AGES_MAX = 60,
	IPC_SOURCE_MAX = 64,
	IPC_TALLY_NAME_MAX = 63,
	IPC_POOL_MAX = 63,
};

/* What became of a recipient in an attempt. */
enum ipc_outcome {
	IPC_DELIVERED, /* the other side has taken responsibility */
	IPC_DEFERRED,  /* try again later */
	IPC_FAILED,    /* never will */
	IPC_UNSENT,    /* there was no address to send it from; nobody was asked */
	IPC_SUSPENDED, /* its servers are a provider's that is suspended; nobody was asked */
	IPC_OUTCOME_COUNT,
};

/* What became of a transaction that reception gave to the queue. */
enum ipc_commit {
	IPC_COMMIT_OK,
	IPC_COMMIT_DISK_FULL,
	IPC_COMMIT_QUEUE_FULL,
	IPC_COMMIT_BROKEN,
	IPC_COMMIT_IN_DOUBT, /* the write or the sync failed: it may be there after a restart */
	IPC_COMMIT_ERROR,
	IPC_COMMIT_COUNT,
};

/* Flags of a message. */
enum {
	IPC_MESSAGE_8BIT = 1,
	IPC_MESSAGE_SMTPUTF8 = 2,
	IPC_MESSAGE_LARGE = 4, /* the body comes in pieces and may be large */
	IPC_MESSAGE_BOUNCE = 8,
	IPC_MESSAGE_BINARY = 16, /* lines end as they may: only BDAT carries it (RFC 3030) */
	IPC_MESSAGE_REQUIRETLS = 32, /* RFC 8689 */
	IPC_MESSAGE_PROBE = 64, /* of an attempt only: no message is sent */
	/* What a client may ask for. */
	IPC_MESSAGE_ASKED = IPC_MESSAGE_8BIT | IPC_MESSAGE_SMTPUTF8 | IPC_MESSAGE_BINARY |
	    IPC_MESSAGE_REQUIRETLS,
};

/* Bits of what the next server takes over with a recipient. */
enum ipc_passed {
	IPC_PASSED_DSN = 1, /* it tells the sender what is to be told */
	IPC_PASSED_BY = 2,  /* it sees to the time until which it must be there */
	IPC_PASSED_ALL = 3,
};

enum ipc_verdict { IPC_LOCAL, IPC_REMOTE, IPC_UNKNOWN, IPC_LOOKUP_ERROR, IPC_VERDICT_COUNT };
enum ipc_may_send { IPC_MAY_SEND, IPC_MAY_NOT_SEND, IPC_MAY_SEND_COUNT };
enum ipc_target {
	IPC_TARGET_MAILBOX,
	IPC_TARGET_REMOTE,
	IPC_TARGET_COUNT, /* of those that mail is delivered to */
	/* None: its sender is told that the address was expanded to the others; lookup has none. */
	IPC_TARGET_ALIAS = IPC_TARGET_COUNT,
};
/* The end of an AUTH exchange. */
enum ipc_auth {
	IPC_AUTH_OK,
	IPC_AUTH_DENIED,
	IPC_AUTH_TEMPORARY,
	IPC_AUTH_MALFORMED, /* text says what was expected */
	IPC_AUTH_TOO_MANY,  /* of this client, or for this login: not before wait_s */
};

/* What the resolver found for a domain. */
enum ipc_hosts {
	IPC_HOSTS_OK,
	IPC_HOSTS_NO_DOMAIN, /* no such name, or no MX and no address */
	IPC_HOSTS_NULL_MX,   /* RFC 7505 */
	IPC_HOSTS_TRY_LATER, /* name servers do not answer */
	IPC_HOSTS_BOGUS,     /* DNSSEC validation failed */
};

/* What DNS says of the certificate of a host (RFC 7672). */
enum ipc_dane {
	IPC_DANE_NONE,    /* no TLSA records, or none that DNSSEC vouches for */
	IPC_DANE_RECORDS, /* these */
	IPC_DANE_FAILED,  /* no answer, or a forged one: nobody knows */
	IPC_DANE_COUNT,
};

/* What the MTA-STS policy of a domain asks for (RFC 8461). */
enum ipc_policy {
	IPC_POLICY_NONE,    /* there is none, or it says so */
	IPC_POLICY_TESTING, /* tell of what would fail */
	IPC_POLICY_ENFORCE,
	IPC_POLICY_COUNT,
};

/* Under which policy a session was (RFC 8460). */
enum ipc_policy_kind {
	IPC_POLICY_KIND_NONE,
	IPC_POLICY_KIND_STS,
	IPC_POLICY_KIND_TLSA,
	IPC_POLICY_KIND_COUNT,
};

/* How a session went: the result types of RFC 8460 section 4.3. */
enum ipc_tls_result {
	IPC_TLS_SUCCESS,
	IPC_TLS_STARTTLS_NOT_SUPPORTED,
	IPC_TLS_CERTIFICATE_HOST_MISMATCH,
	IPC_TLS_CERTIFICATE_EXPIRED,
	IPC_TLS_CERTIFICATE_NOT_TRUSTED,
	IPC_TLS_VALIDATION_FAILURE,
	IPC_TLS_TLSA_INVALID,
	IPC_TLS_DNSSEC_INVALID,
	IPC_TLS_DANE_REQUIRED,
	IPC_TLS_STS_POLICY_FETCH_ERROR,
	IPC_TLS_STS_POLICY_INVALID,
	IPC_TLS_STS_WEBPKI_INVALID,
	IPC_TLS_RESULT_COUNT,
};

/* What is done with an address that does not exist. */
enum ipc_suppress {
	IPC_SUPPRESS_ADD,
	IPC_SUPPRESS_REMOVE,
	IPC_SUPPRESS_SAVE,
};

/* Why a recipient waits, or what is being done with it. */
enum ipc_why {
	IPC_WHY_TIME,     /* its next try is at a time */
	IPC_WHY_DOWN,     /* the destination is down; it is probed at a time */
	IPC_WHY_PROBE,    /* the destination is down; it is being probed */
	IPC_WHY_WINDOW,   /* the destination has as many connections as it may */
	IPC_WHY_RATE,     /* the destination's rate; its next attempt may start at a time */
	IPC_WHY_TURN,     /* others are before it, or no process is there */
	IPC_WHY_HELD,     /* an operator must release it */
	IPC_WHY_ASIDE,    /* it was set aside; an operator must decide */
	IPC_WHY_SUSPECT,  /* a process ended while it had it; it is tried by itself soon */
	IPC_WHY_ACTIVE,   /* it is under way */
	IPC_WHY_BOUNCING, /* it failed, and its sender is being told */
	IPC_WHY_UNTIL,    /* its sender wants it to be sent not before a time */
	IPC_WHY_SUSPENDED, /* an operator suspended the destination, perhaps until a time */
	IPC_WHY_PAUSE,     /* the destination's words asked for a pause, until a time */
	IPC_WHY_SITE,      /* its site has as many connections as it may */
	IPC_WHY_SITE_RATE, /* its site's rate; the next attempt there may start at a time */
	IPC_WHY_FULL,   /* as many attempts are under way as may be, but for some kept for others */
	IPC_WHY_SOURCE, /* no address that it may leave from can take it now: see queue/sources.c */
	IPC_WHY_COUNT,
};

/* How a destination does. */
enum ipc_destination {
	IPC_DESTINATION_OK,
	IPC_DESTINATION_LIMITED, /* by its connections or its rate */
	IPC_DESTINATION_DOWN,
	IPC_DESTINATION_SUSPENDED, /* by an operator */
	IPC_DESTINATION_PAUSED,    /* as its words asked */
	IPC_DESTINATION_COUNT,
};

enum ipc_act { IPC_ACT_RETRY, IPC_ACT_HOLD, IPC_ACT_RELEASE, IPC_ACT_DELETE, IPC_ACT_COUNT };
