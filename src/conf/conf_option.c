/*
 * The rows, in the order in which conf_show and the manual have them.  A default or a
 * range is written here once and nowhere else.
 */
#include "conf/conf_option.h"

#include <assert.h>

#include "base/check.h"

#define KB (UINT64_C(1) << 10)
#define MB (UINT64_C(1) << 20)
#define GB (UINT64_C(1) << 30)
#define TB (UINT64_C(1) << 40)
#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define AT(member) .offset = offsetof(struct conf, member)
/* Rows of the block "destination". */
#define LIMIT(member) .offset = offsetof(struct conf_limits, member)

/* A Unix socket's path has to fit into sockaddr_un, its NUL included. */
enum { SOCKET_PATH_BYTES_MAX = 107, MAILBOX_BYTES_MAX = 128, CONNECTIONS_MAX = 1000,
	TLS_TEXT_BYTES_MAX = 1000 };

static const struct conf_option options[] = {
    {.words = "include",
	.type = CONF_INCLUDE,
	.repeats = true,
	.syntax = "FILE",
	.doc = "Reads another file here. Its name, like that of every file, is relative "
	       "to the folder of the file in which it stands; no file is read twice."},
    {.words = "hostname",
	.type = CONF_DOMAIN,
	AT(hostname),
	.syntax = "DOMAIN",
	.doc = "This server's own name, in greetings, in Received fields and to other "
	       "servers. Required."},
    {.words = "software name in greeting",
	.type = CONF_BOOL,
	AT(greeting_software),
	.preset = 1,
	.syntax = "yes | no",
	.doc = "Whether the greeting says \"Postrider\" after the hostname."},
    {.words = "listen",
	.type = CONF_LISTEN,
	.repeats = true,
	.syntax = "smtp | submission | submissions  on ADDRESS[:PORT], ...",
	.doc = "Where clients connect: smtp is for other servers (port 25), submission "
	       "for users with STARTTLS (587), submissions for users with TLS from the "
	       "first byte (465). The address * is all of IPv4 and all of IPv6. Without "
	       "any listen statement: smtp on *, and, where there are a certificate and "
	       "passwords, submission and submissions on *."},
    {.words = "certificate",
	.type = CONF_CERTIFICATE,
	.repeats = true,
	.syntax = "FILE key FILE",
	.doc = "A certificate chain and, in a file of its own, its private key, both in "
	       "PEM; EC (P-256, P-384) or RSA (2048 to 4096 bits). Without any there is "
	       "no TLS for clients. At most 50: a client gets the first one for the name "
	       "that it asks for (SNI), one with an EC key or one with an RSA key, as it "
	       "can use; one that asks for no name or for another gets the first of all. "
	       "Read again on SIGHUP."},
    {.words = "client certificates from",
	.type = CONF_CLIENTS,
	.syntax = "FILE",
	.doc = "Clients are asked for a certificate (and go on without one, too); those "
	       "that the issuers in this file (PEM) signed may log in with it (AUTH "
	       "EXTERNAL)."},
    {.words = "minimum tls version",
	.type = CONF_TLS_VERSION,
	.syntax = "1.2 | 1.3",
	.doc = "The lowest version of TLS that clients may speak; 1.2 without. Many "
	       "servers that send mail still need 1.2."},
    {.words = "tls ciphers",
	.type = CONF_TEXT,
	AT(tls_ciphers),
	.min = 1,
	.max = TLS_TEXT_BYTES_MAX,
	.syntax = "LIST",
	.doc = "The ciphers of TLS 1.2 for clients, as \"openssl ciphers\" takes them. "
	       "Without: those with forward secrecy. TLS 1.3 has only good ones."},
    {.words = "tls groups",
	.type = CONF_TEXT,
	AT(tls_groups),
	.min = 1,
	.max = TLS_TEXT_BYTES_MAX,
	.syntax = "LIST",
	.doc = "The groups for the exchange of keys with clients, the best first, with "
	       "colons between. Without: X25519MLKEM768 (which a quantum computer does "
	       "not break; where the TLS library has it), X25519, P-256, P-384."},
    {.words = "tls ticket lifetime",
	.type = CONF_TIME,
	AT(tls_ticket_ms),
	.preset = 2 * HOUR,
	.min = SECOND,
	.max = DAY,
	.zero = "none",
	.syntax = "TIME | none",
	.doc = "How long a client may resume a TLS session without the work of a full "
	       "handshake. The keys that tickets are sealed with change as often, and are "
	       "never on disk."},
    {.words = "sandbox required",
	.type = CONF_BOOL,
	AT(sandbox_required),
	.syntax = "[yes | no]",
	.doc = "Do not start where the kernel, or the container around it, does not let "
	       "every process of the server give up calls (seccomp) and files (Landlock). "
	       "Without this the log says what is missing, and the server runs."},
    {.words = "sandbox limits calls",
	.type = CONF_BOOL,
	AT(sandbox_calls),
	.preset = 1,
	.syntax = "yes | no",
	.doc = "Whether every process is held to the calls of the kernel that its work "
	       "needs (seccomp). No is for finding out whether this is what breaks something."},
    {.words = "sandbox limits files",
	.type = CONF_BOOL,
	AT(sandbox_files),
	.preset = 1,
	.syntax = "yes | no",
	.doc = "Whether every process is held to the files and connections that its work "
	       "needs (Landlock). No is for finding out whether this is what breaks "
	       "something."},
    {.words = "accept mail for",
	.type = CONF_DOMAINS,
	.repeats = true,
	.syntax = "DOMAIN, ...",
	.doc = "Our domains: those whose mailboxes and aliases are here. International "
	       "names are written in ASCII (xn--...)."},
    {.words = "relay for",
	.type = CONF_NETWORKS,
	.repeats = true,
	AT(relay_networks),
	.syntax = "NETWORK, ...",
	.doc = "Clients at these addresses may send mail anywhere without a password: "
	       "192.0.2.1, 192.168.1.0/24, [2001:db8::]/32."},
    {.words = "take xclient from",
	.type = CONF_NETWORKS,
	.repeats = true,
	AT(xclient_networks),
	.syntax = "NETWORK, ...",
	.doc = "Proxies at these addresses may say with XCLIENT for which client they "
	       "speak, and who that client has authenticated as. Whoever is here is "
	       "believed: it may relay as anybody."},
    {.words = "mailboxes from",
	.type = CONF_PATH,
	AT(mailboxes_path),
	.min = 1,
	.max = CONF_PATH_BYTES_MAX,
	.syntax = "FILE",
	.doc = "The table of our mailboxes: a line \"address: mailbox\" for each."},
    {.words = "aliases from",
	.type = CONF_PATH,
	AT(aliases_path),
	.min = 1,
	.max = CONF_PATH_BYTES_MAX,
	.syntax = "FILE",
	.doc = "The table of aliases: a line \"address: address, ...\" for each."},
    {.words = "passwords from",
	.type = CONF_PATH,
	AT(passwords_path),
	.min = 1,
	.max = CONF_PATH_BYTES_MAX,
	.syntax = "FILE",
	.doc = "Who may send mail with a password: a line \"login: hash\" for each, the "
	       "hash as crypt(3) has it."},
    {.words = "credentials from",
	.type = CONF_PATH,
	AT(credentials_path),
	.min = 1,
	.max = CONF_PATH_BYTES_MAX,
	.syntax = "FILE",
	.doc = "Our own passwords at other servers: a line \"name: login password\" for "
	       "each, for \"send mail ... as NAME\"."},
    {.words = "senders from",
	.type = CONF_PATH,
	AT(senders_path),
	.min = 1,
	.max = CONF_PATH_BYTES_MAX,
	.syntax = "FILE",
	.doc = "What users may send as: a line \"login: address, @domain, ...\" for each; "
	       "* is anything. Whoever is not in it may send as the login, if that is an "
	       "address, and as each address whose mail goes to the login's mailbox and "
	       "nowhere else."},
    {.words = "deliver to maildir",
	.type = CONF_MAILDIR,
	.syntax = "FOLDER [as USER]",
	.doc = "Each mailbox is a Maildir in this folder. They belong to the user, who "
	       "matters only when Postrider is started as root."},
    {.words = "postmaster goes to",
	.type = CONF_MAILBOX,
	AT(postmaster),
	.min = 1,
	.max = MAILBOX_BYTES_MAX,
	.preset_text = "postmaster",
	.syntax = "MAILBOX",
	.doc = "The mailbox of postmaster, who always gets mail, where no table names "
	       "one."},
    {.words = "detail separator",
	.type = CONF_SEPARATOR,
	AT(detail_separator),
	.preset = '+',
	.zero = "none",
	.syntax = "\"CHARACTER\" | none",
	.doc = "What stands between user and detail in user+detail@example.org, which is "
	       "delivered like user@example.org. One of + - = _ . ~ # % & !"},
    {.words = "hold all mail",
	.type = CONF_BOOL,
	AT(hold_all),
	.syntax = "[yes | no]",
	.doc = "Accept and queue mail, but deliver nothing until it is released."},
    {.words = "accept no mail",
	.type = CONF_BOOL,
	AT(no_mail),
	.syntax = "[yes | no]",
	.doc = "Greet everybody with 521 and close: this host takes no mail (RFC 7504)."},
    {.words = "answer vrfy",
	.type = CONF_BOOL,
	AT(answer_vrfy),
	.syntax = "[yes | no]",
	.doc = "Whether clients that may relay (with a password, or in \"relay for\") get "
	       "real answers to VRFY. Everybody else always gets the same 252."},
    {.words = "answer expn",
	.type = CONF_BOOL,
	AT(answer_expn),
	.syntax = "[yes | no]",
	.doc = "Whether clients that may relay are told with EXPN where an address "
	       "leads. Everybody else always gets the same 252."},
    {.words = "offer etrn",
	.type = CONF_BOOL,
	AT(offer_etrn),
	.syntax = "[yes | no]",
	.doc = "Whether clients that may relay can have the mail for a destination tried "
	       "at once (ETRN, RFC 1985)."},
    {.words = "offer no soliciting",
	.type = CONF_BOOL,
	AT(no_soliciting),
	.syntax = "[yes | no]",
	.doc = "Whether EHLO says NO-SOLICITING (RFC 3865): senders may then say of what "
	       "class a solicitation is."},
    {.words = "send mail",
	.type = CONF_ROUTE,
	.repeats = true,
	.syntax =
	    "[for DOMAIN, ...] (through HOST[:PORT] | by mx) [with tls MODE] [as NAME]",
	.doc =
	    "How mail leaves. The first statement that fits a recipient's domain "
	    "counts; .example.org is every domain below example.org; without \"for\" "
	    "it is all mail. \"by mx\" is what happens without any statement. NAME is "
	    "from the credentials. The modes of TLS: may is when it is offered; "
	    "required is always, whatever the certificate; verified is always and with "
	    "the right certificate; implicit is verified from the first byte (port "
	    "465); and never. Without \"with tls\" it is may, but implicit on port 465, "
	    "and verified where a password is sent."},
    {.words = "ask dns at",
	.type = CONF_DNS,
	.repeats = true,
	.syntax = "ADDRESS[:PORT], ...",
	.doc = "Name servers to ask, at most 4. Without: those of /etc/resolv.conf."},
    {.words = "spool",
	.type = CONF_PATH,
	AT(spool_path),
	.min = 1,
	.max = CONF_PATH_BYTES_MAX,
	.preset_text = "/var/spool/postrider",
	.syntax = "FOLDER",
	.doc = "Where accepted mail is kept until it is delivered."},
    {.words = "control socket",
	.type = CONF_PATH,
	AT(control_path),
	.min = 1,
	.max = SOCKET_PATH_BYTES_MAX,
	.preset_text = "/run/postrider/control",
	.syntax = "FILE",
	.doc = "Where \"postrider queue\" and others reach the server."},
    {.words = "log",
	.type = CONF_LOG,
	.syntax = "[as logfmt | json] [to stderr | syslog]",
	.doc = "One line per event. Default: as logfmt to stderr."},
    {.words = "reception processes",
	.type = CONF_PROCESSES,
	AT(reception_count),
	.min = 1,
	.max = 256,
	.zero = "automatic",
	.syntax = "NUMBER | automatic",
	.doc = "Processes that talk with clients; automatic is one for each processor."},
    {.words = "delivery processes",
	.type = CONF_PROCESSES,
	AT(delivery_count),
	.min = 1,
	.max = 256,
	.zero = "automatic",
	.syntax = "NUMBER | automatic",
	.doc = "Processes that talk with other servers; automatic is one for each "
	       "processor."},

    {.words = "limits",
	.type = CONF_BLOCK,
	.repeats = true,
	.syntax = "{ ... }",
	.doc = "What a client may ask for. Whoever goes past a limit is told so in a "
	       "reply."},
    {.block = "limits",
	.words = "message size",
	.type = CONF_SIZE,
	AT(message_bytes_max),
	.preset = 50 * MB,
	.min = 64 * KB,
	.max = 2 * GB,
	.syntax = "SIZE",
	.doc = "The largest message; clients are told by SIZE (RFC 1870)."},
    {.block = "limits",
	.words = "command line",
	.type = CONF_SIZE,
	AT(command_bytes_max),
	.preset = 4 * KB,
	.min = 512,
	.max = 64 * KB,
	.syntax = "SIZE",
	.doc = "The longest command, line end included. RFC 5321 asks for 512 and "
	       "extensions add to it; long AUTH responses are the longest in practice."},
    {.block = "limits",
	.words = "text line",
	.type = CONF_SIZE,
	AT(line_bytes_max),
	.preset = 4 * KB,
	.min = 1000,
	.max = 1 * MB,
	.syntax = "SIZE",
	.doc = "The longest line of a message, line end included. Senders should stop at "
	       "1000 (RFC 5321 4.5.3.1.6), but real mail has longer lines, and refusing "
	       "it would help nobody."},
    {.block = "limits",
	.words = "header size",
	.type = CONF_SIZE,
	AT(header_bytes_max),
	.preset = 256 * KB,
	.min = 4 * KB,
	.max = 16 * MB,
	.syntax = "SIZE",
	.doc = "The largest header of a message."},
    {.block = "limits",
	.words = "recipients",
	.type = CONF_COUNT,
	AT(rcpt_max),
	.preset = 1000,
	.min = 100,
	.max = 100000,
	.syntax = "NUMBER",
	.doc = "Recipients of one message; RFC 5321 asks for at least 100."},
    {.block = "limits",
	.words = "received fields",
	.type = CONF_COUNT,
	AT(received_max),
	.preset = 50,
	.min = 10,
	.max = 1000,
	.syntax = "NUMBER",
	.doc = "A message with more Received fields goes in circles and is refused."},
    {.block = "limits",
	.words = "commands per session",
	.type = CONF_COUNT,
	AT(commands_max),
	.preset = 1000000,
	.min = 100,
	.max = 1000000000,
	.zero = "unlimited",
	.syntax = "NUMBER | unlimited",
	.doc = "Commands before a session is ended."},
    {.block = "limits",
	.words = "messages per session",
	.type = CONF_COUNT,
	AT(messages_max),
	.preset = 100000,
	.min = 1,
	.max = 1000000000,
	.zero = "unlimited",
	.syntax = "NUMBER | unlimited",
	.doc = "Messages before a session is ended."},
    {.block = "limits",
	.words = "errors per session",
	.type = CONF_COUNT,
	AT(errors_max),
	.preset = 20,
	.min = 1,
	.max = 10000,
	.syntax = "NUMBER",
	.doc = "Refused commands before a session is ended."},
    {.block = "limits",
	.words = "authentication failures",
	.type = CONF_COUNT,
	AT(auth_failures_max),
	.preset = 3,
	.min = 1,
	.max = 100,
	.syntax = "NUMBER",
	.doc = "Wrong passwords before a session is ended."},
    {.block = "limits",
	.words = "authentication failures per host",
	.type = CONF_COUNT,
	AT(auth_failures_per_host_max),
	.preset = 30,
	.min = 1,
	.max = 100000,
	.zero = "unlimited",
	.syntax = "NUMBER | unlimited",
	.doc = "Failures of a client address (of IPv6, its /64), over all sessions, from which on "
	       "it must pause: AUTH is then answered 454, without a look at the password."},
    {.block = "limits",
	.words = "authentication failures per login",
	.type = CONF_COUNT,
	AT(auth_failures_per_login_max),
	.preset = 20,
	.min = 1,
	.max = 100000,
	.zero = "unlimited",
	.syntax = "NUMBER | unlimited",
	.doc = "The same for a login, whether it exists or not, from any address. Addresses from "
	       "which it has logged in lately are let through. A success forgets its failures."},
    {.block = "limits",
	.words = "authentication pause",
	.type = CONF_TIME,
	AT(auth_pause_ms),
	.preset = 1 * MINUTE,
	.min = 1 * SECOND,
	.max = 1 * HOUR,
	.syntax = "TIME",
	.doc = "The first pause; it doubles with each failure after it, up to an hour."},
    {.block = "limits",
	.words = "authentication delay",
	.type = CONF_TIME,
	AT(auth_delay_ms),
	.preset = 1 * SECOND,
	.min = 0,
	.max = 1 * MINUTE,
	.syntax = "TIME",
	.doc = "How long after its request a failure is answered. It doubles with each failure of "
	       "the client's address, up to sixteen times as long; a success is told at once."},
    {.block = "limits",
	.words = "sessions",
	.type = CONF_COUNT,
	AT(sessions_max),
	.preset = 10000,
	.min = 1,
	.max = 1000000,
	.syntax = "NUMBER",
	.doc = "Sessions at a time, in all."},
    {.block = "limits",
	.words = "sessions per host",
	.type = CONF_COUNT,
	AT(sessions_per_host_max),
	.preset = 100,
	.min = 1,
	.max = 1000000,
	.syntax = "NUMBER",
	.doc = "Sessions at a time from one address; this machine's own addresses and "
	       "the networks of \"relay for\" are exempt."},
    {.block = "limits",
	.words = "command timeout",
	.type = CONF_TIME,
	AT(command_timeout_ms),
	.preset = 5 * MINUTE,
	.min = 1 * SECOND,
	.max = 1 * HOUR,
	.syntax = "TIME",
	.doc = "How long to wait for the next command (RFC 5321 4.5.3.2: 5 minutes)."},
    {.block = "limits",
	.words = "data timeout",
	.type = CONF_TIME,
	AT(data_timeout_ms),
	.preset = 5 * MINUTE,
	.min = 1 * SECOND,
	.max = 1 * HOUR,
	.syntax = "TIME",
	.doc = "How long to wait for the next piece of a message."},
    {.block = "limits",
	.words = "session timeout",
	.type = CONF_TIME,
	AT(session_timeout_ms),
	.preset = 2 * HOUR,
	.min = 1 * SECOND,
	.max = 7 * DAY,
	.syntax = "TIME",
	.doc = "How long a session may last in all."},

    {.words = "submission",
	.type = CONF_BLOCK,
	.repeats = true,
	.syntax = "{ ... }",
	.doc = "What is asked of mail from clients that logged in. See \"senders from\" "
	       "for what a login may send as."},
    {.block = "submission",
	.words = "check envelope sender",
	.type = CONF_BOOL,
	AT(check_envelope),
	.preset = 1,
	.syntax = "[yes | no]",
	.doc = "Refuses MAIL FROM with an address that the login may not send as."},
    {.block = "submission",
	.words = "check header sender",
	.type = CONF_BOOL,
	AT(check_header),
	.preset = 1,
	.syntax = "[yes | no]",
	.doc = "Refuses mail whose From or Sender field has an address that the login may "
	       "not send as."},
    {.block = "submission",
	.words = "sender field vouches",
	.type = CONF_BOOL,
	AT(sender_vouches),
	.syntax = "[yes | no]",
	.doc = "Holds only the Sender field, or Resent-Sender or Resent-From of mail that "
	       "is sent on, against the login where there is one: From may then be "
	       "anybody."},
    {.block = "submission",
	.words = "add missing from field",
	.type = CONF_BOOL,
	AT(add_from),
	.preset = 1,
	.syntax = "[yes | no]",
	.doc = "Mail without a From field gets one with the address of MAIL FROM; with "
	       "\"no\" it is refused."},
    {.block = "submission",
	.words = "received field hides client",
	.type = CONF_BOOL,
	AT(received_hides_client),
	.syntax = "[yes | no]",
	.doc = "Leaves the client's address and name out of the Received field. The log has "
	       "them anyway."},

    {.words = "queue",
	.type = CONF_BLOCK,
	.repeats = true,
	.syntax = "{ ... }",
	.doc = "How mail waits."},
    {.block = "queue",
	.words = "messages",
	.type = CONF_COUNT,
	AT(queue_messages_max),
	.preset = 10000000,
	.min = 1,
	.max = 1000000000,
	.syntax = "NUMBER",
	.doc = "Messages in the queue before new ones are asked to come later."},
    {.block = "queue",
	.words = "disk reserve",
	.type = CONF_SIZE,
	AT(disk_reserve_bytes),
	.preset = 64 * MB,
	.min = 0,
	.max = 1 * TB,
	.syntax = "SIZE",
	.doc = "No mail is accepted while the spool's disk has less free than this."},
    {.block = "queue",
	.words = "segment size",
	.type = CONF_SIZE,
	AT(segment_bytes),
	.preset = 64 * MB,
	.min = 1 * MB,
	.max = 1 * GB,
	.syntax = "SIZE",
	.doc = "The size of the files that the spool consists of."},
    {.block = "queue",
	.words = "crashes per message",
	.type = CONF_COUNT,
	AT(crashes_max),
	.preset = 3,
	.min = 1,
	.max = 100,
	.zero = "unlimited",
	.syntax = "NUMBER | unlimited",
	.doc = "A message during whose handling a process of this server ended so often "
	       "is set aside: nothing more is tried until \"postrider queue release\"."},
    {.block = "queue",
	.words = "retry after",
	.type = CONF_TIMES,
	AT(limits),
	.min = 100,
	.max = 30 * DAY,
	.syntax = "TIME, ...",
	.doc = "The waits between attempts; the last one repeats."},
    {.block = "queue",
	.words = "jitter",
	.type = CONF_PERCENT,
	AT(limits.jitter_percent),
	.preset = 10,
	.min = 0,
	.max = 90,
	.syntax = "PERCENT",
	.doc = "How much longer or shorter each wait is, by chance: what failed together "
	       "does not come back together."},
    {.block = "queue",
	.words = "expire after",
	.type = CONF_TIME,
	AT(limits.expire_ms),
	.preset = 5 * DAY,
	.min = 1 * SECOND,
	.max = 365 * DAY,
	.syntax = "TIME",
	.doc = "When to give up, and tell the sender (RFC 5321 4.5.4.1: 4 to 5 days)."},
    {.block = "queue",
	.words = "tell of delay after",
	.type = CONF_TIME,
	AT(delay_notice_ms),
	.preset = 4 * HOUR,
	.min = 1 * SECOND,
	.max = 365 * DAY,
	.zero = "never",
	.syntax = "TIME | never",
	.doc = "When a sender who asked for it (NOTIFY=DELAY) is told, once, that a message "
	       "still waits."},
    {.block = "queue",
	.words = "hold at most",
	.type = CONF_TIME,
	AT(hold_max_ms),
	.preset = 30 * DAY,
	.min = 1 * MINUTE,
	.max = 365 * DAY,
	.zero = "never",
	.syntax = "TIME | never",
	.doc = "How long clients that may relay can have a message held before it is sent "
	       "(FUTURERELEASE); with never it is not offered."},
    {.block = "queue",
	.words = "return whole up to",
	.type = CONF_SIZE,
	AT(return_bytes_max),
	.preset = 256 << 10,
	.min = 1 << 10,
	.max = 2 << 20,
	.zero = "never",
	.syntax = "SIZE | never",
	.doc = "A message that failed, and is no larger, is returned whole where its sender "
	       "asked for that (RET=FULL); else its header is."},
    {.block = "queue",
	.words = "connections per destination",
	.type = CONF_COUNT,
	AT(limits.connections_max),
	.preset = 20,
	.min = 1,
	.max = CONNECTIONS_MAX,
	.syntax = "NUMBER",
	.doc = "Connections at a time to one destination. A destination that takes mail "
	       "well gets so many; one that fails gets fewer."},
    {.block = "queue",
	.words = "connections at first",
	.type = CONF_COUNT,
	AT(limits.connections_start),
	.preset = 5,
	.min = 1,
	.max = CONNECTIONS_MAX,
	.syntax = "NUMBER",
	.doc = "Connections at a time to a destination of which nothing is known yet."},
    {.block = "queue",
	.words = "rate per destination",
	.type = CONF_RATE,
	AT(limits),
	.zero = "unlimited",
	.syntax = "NUMBER per TIME | unlimited",
	.doc = "Messages to one destination in any such time: a tenth of them at once "
	       "after a pause, the rest spread evenly. Default unlimited; from 1 to "
	       "1000000 per 1 s to 30 d."},

    {.words = "destination",
	.type = CONF_DESTINATION,
	.repeats = true,
	.syntax = "DOMAIN, ... | any { ... }",
	.doc = "How mail for some destinations is tried, where it differs from what "
	       "\"queue\" says. The first block that fits counts; .example.org is every "
	       "domain below example.org; any is all other servers. Mail that goes "
	       "through another server has that server's name as its destination. What "
	       "a block does not say is as in \"queue\"."},
    {.block = "destination",
	.words = "retry after",
	.type = CONF_TIMES,
	.min = 100,
	.max = 30 * DAY,
	.syntax = "TIME, ...",
	.doc = "The waits between attempts; the last one repeats."},
    {.block = "destination",
	.words = "jitter",
	.type = CONF_PERCENT,
	LIMIT(jitter_percent),
	.min = 0,
	.max = 90,
	.syntax = "PERCENT",
	.doc = "How much longer or shorter each wait is, by chance."},
    {.block = "destination",
	.words = "expire after",
	.type = CONF_TIME,
	LIMIT(expire_ms),
	.min = 1 * SECOND,
	.max = 365 * DAY,
	.syntax = "TIME",
	.doc = "When to give up, and tell the sender."},
    {.block = "destination",
	.words = "connections",
	.type = CONF_COUNT,
	LIMIT(connections_max),
	.min = 1,
	.max = CONNECTIONS_MAX,
	.syntax = "NUMBER",
	.doc = "Connections at a time."},
    {.block = "destination",
	.words = "connections at first",
	.type = CONF_COUNT,
	LIMIT(connections_start),
	.min = 1,
	.max = CONNECTIONS_MAX,
	.syntax = "NUMBER",
	.doc = "Connections at a time while nothing is known of the destination."},
    {.block = "destination",
	.words = "rate",
	.type = CONF_RATE,
	.zero = "unlimited",
	.syntax = "NUMBER per TIME | unlimited",
	.doc = "Messages in any such time: a tenth of them at once after a pause, the "
	       "rest spread evenly. From 1 to 1000000 per 1 s to 30 d."},

    {.words = "ledger",
	.type = CONF_BLOCK,
	.repeats = true,
	.syntax = "{ ... }",
	.doc = "The record of what became of every message, for \"postrider audit\" and "
	       "\"postrider ledger\"."},
    {.block = "ledger",
	.words = "keep",
	.type = CONF_TIME,
	AT(ledger_keep_ms),
	.preset = 30 * DAY,
	.min = 1 * HOUR,
	.max = 3650 * DAY,
	.zero = "forever",
	.syntax = "TIME | forever",
	.doc = "How long it is kept. Its files go as a whole, each of a day at most."},
    {.block = "ledger",
	.words = "size",
	.type = CONF_SIZE,
	AT(ledger_bytes_max),
	.preset = 1 * GB,
	.min = 16 * MB,
	.max = 1 * TB,
	.zero = "unlimited",
	.syntax = "SIZE | unlimited",
	.doc = "How much of the disk it may take; the oldest of it goes first."},

    {.words = "delivery",
	.type = CONF_BLOCK,
	.repeats = true,
	.syntax = "{ ... }",
	.doc = "How we talk with other servers."},
    {.block = "delivery",
	.words = "connect timeout",
	.type = CONF_TIME,
	AT(connect_timeout_ms),
	.preset = 30 * SECOND,
	.min = 100,
	.max = 10 * MINUTE,
	.syntax = "TIME",
	.doc = "How long to wait for a connection."},
    {.block = "delivery",
	.words = "reply timeout",
	.type = CONF_TIME,
	AT(reply_timeout_ms),
	.preset = 5 * MINUTE,
	.min = 100,
	.max = 1 * HOUR,
	.syntax = "TIME",
	.doc = "How long to wait for a reply (RFC 5321 4.5.3.2: 5 minutes)."},
    {.block = "delivery",
	.words = "recipients per transaction",
	.type = CONF_COUNT,
	AT(rcpt_per_transaction_max),
	.preset = 100,
	.min = 1,
	.max = 1000,
	.syntax = "NUMBER",
	.doc = "Recipients that share one transfer of a message."},
    {.block = "delivery",
	.words = "messages per connection",
	.type = CONF_COUNT,
	AT(connection_messages_max),
	.preset = 100,
	.min = 1,
	.max = 1000000,
	.zero = "unlimited",
	.syntax = "NUMBER | unlimited",
	.doc = "Messages that one connection carries, one after the other."},
    {.block = "delivery",
	.words = "idle connections",
	.type = CONF_COUNT,
	AT(idle_connections_max),
	.preset = 200,
	.min = 1,
	.max = 10000,
	.zero = "none",
	.syntax = "NUMBER | none",
	.doc = "Connections that each delivery process keeps for the next message that goes "
	       "the same way."},
    {.block = "delivery",
	.words = "idle timeout",
	.type = CONF_TIME,
	AT(idle_timeout_ms),
	.preset = 3 * SECOND,
	.min = 1 * SECOND,
	.max = 5 * MINUTE,
	.syntax = "TIME",
	.doc = "How long a connection is kept for the next message."},
};

/* 5 minutes to 4 hours: soon at first, for greylisting; then in peace. */
static const uint64_t retry_presets[] = {
    5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE, 1 * HOUR, 2 * HOUR, 4 * HOUR};

size_t
conf_option_count(void)
{
	return LEN(options);
}

const struct conf_option *
conf_option_at(size_t index)
{
	check(index < LEN(options));
	return &options[index];
}

const struct conf_option *
conf_option_find(const char *block, const char *words)
{
	for (size_t i = 0; i < LEN(options); i++) {
		const struct conf_option *option = &options[i];

		if (span_eq(span_str(option->block), span_str(block)) &&
		    span_eq(span_str(option->words), span_str(words)))
			return option;
	}
	return NULL;
}

bool
conf_option_is_number(const struct conf_option *option)
{
	return option->type == CONF_BOOL || option->type == CONF_COUNT ||
	       option->type == CONF_PROCESSES || option->type == CONF_SIZE ||
	       option->type == CONF_TIME || option->type == CONF_PERCENT ||
	       option->type == CONF_SEPARATOR;
}

bool
conf_option_is_limit(const struct conf_option *option)
{
	return span_eq(span_str(option->block), SPAN("destination"));
}

bool
conf_option_is_block(const struct conf_option *option)
{
	return option->type == CONF_BLOCK || option->type == CONF_DESTINATION;
}

struct conf_limits *
conf_option_limits(void *holder, const struct conf_option *option)
{
	check(option->type == CONF_TIMES || option->type == CONF_RATE);
	return (struct conf_limits *)(void *)((char *)holder + option->offset);
}

bool
conf_option_is_text(const struct conf_option *option)
{
	return option->type == CONF_DOMAIN || option->type == CONF_PATH ||
	       option->type == CONF_MAILBOX || option->type == CONF_TEXT;
}

void
conf_option_presets(struct conf *conf)
{
	static_assert(LEN(retry_presets) <= CONF_RETRIES_MAX, "the defaults fit");

	for (size_t i = 0; i < LEN(options); i++) {
		/* A destination's come from the queue's; see conf_destination.c. */
		if (conf_option_is_limit(&options[i]))
			continue;
		if (conf_option_is_number(&options[i]))
			conf_option_set_number(conf, &options[i], options[i].preset);
		if (conf_option_is_text(&options[i]))
			conf_option_set_text(
			    conf, &options[i], span_str(options[i].preset_text));
	}
	memcpy(conf->limits.retry_ms, retry_presets, sizeof(retry_presets));
	conf->limits.retry_count = LEN(retry_presets);
	conf->log_format = CONF_LOG_LOGFMT;
	conf->log_target = CONF_LOG_STDERR;
}

uint64_t
conf_option_number(const void *holder, const struct conf_option *option)
{
	const char *at = (const char *)holder + option->offset;
	uint64_t number;
	unsigned small;

	check(conf_option_is_number(option));
	if (option->type == CONF_BOOL)
		return *(const bool *)at;
	if (option->type == CONF_SEPARATOR)
		return (unsigned char)*at;
	if (option->type == CONF_PROCESSES) {
		memcpy(&small, at, sizeof(small));
		return small;
	}
	memcpy(&number, at, sizeof(number));
	return number;
}

void
conf_option_set_number(void *holder, const struct conf_option *option, uint64_t number)
{
	char *at = (char *)holder + option->offset;
	unsigned small = (unsigned)number;
	bool yes = number != 0;

	check(conf_option_is_number(option));
	if (option->type == CONF_BOOL)
		memcpy(at, &yes, sizeof(yes));
	else if (option->type == CONF_SEPARATOR)
		*at = (char)number;
	else if (option->type == CONF_PROCESSES)
		memcpy(at, &small, sizeof(small));
	else
		memcpy(at, &number, sizeof(number));
}

struct conf_networks
conf_option_networks(const struct conf *conf, const struct conf_option *option)
{
	check(option->type == CONF_NETWORKS);
	if (option->offset == offsetof(struct conf, xclient_networks))
		return conf->xclient_networks;
	return (struct conf_networks){conf->relay_networks, conf->relay_network_count};
}

struct span
conf_option_text(const struct conf *conf, const struct conf_option *option)
{
	struct span text;

	check(conf_option_is_text(option));
	memcpy(&text, (const char *)conf + option->offset, sizeof(text));
	return text;
}

void
conf_option_set_text(
    struct conf *conf, const struct conf_option *option, struct span text)
{
	check(conf_option_is_text(option));
	memcpy((char *)conf + option->offset, &text, sizeof(text));
}
