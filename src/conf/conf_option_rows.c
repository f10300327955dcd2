/* The rows that stand outside of blocks. */
#include "base/check.h"
#include "conf/conf_rows.h"

/* A Unix socket's path has to fit into sockaddr_un, its NUL included. */
enum { SOCKET_PATH_BYTES_MAX = 107, MAILBOX_BYTES_MAX = 128,
	TLS_TEXT_BYTES_MAX = 1000, TOKEN_TEXT_BYTES_MAX = 250,
	SOLICIT_TEXT_BYTES_MAX = 400, /* they stand in one line of EHLO */
};

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
	.syntax = "smtp | submission | submissions | lmtp  on ADDRESS[:PORT], ...",
	.doc = "Where clients connect: smtp is for other servers (port 25), submission "
	       "for users with STARTTLS (587), submissions for users with TLS from the "
	       "first byte (465). lmtp (24) is for mail to our own recipients that "
	       "another server of yours hands over, with a reply for each recipient: it is "
	       "for this host and the networks of \"relay for\" only. The address * is all "
	       "of IPv4 and all of IPv6. Without any listen statement: smtp on *, and, "
	       "where there are a certificate and users who can log in, submission and "
	       "submissions on *."},
    {.words = "listen http on",
	.type = CONF_HTTP,
	.repeats = true,
	.syntax = "ADDRESS[:PORT], ...",
	.doc = "Where the reference of all reply codes can be read with a browser, below "
	       "/reference (port 80 where none is given); it is served without TLS. The address "
	       "* is all of IPv4 and all of IPv6. Without this statement it is not served. At "
	       "most 8 addresses."},
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
    {.words = "take proxy header from",
	.type = CONF_NETWORKS,
	.repeats = true,
	AT(proxy_networks),
	.syntax = "NETWORK, ...",
	.doc = "Connections from these addresses begin with a PROXY header (version 1 or 2), "
	       "which tells for which client a load balancer speaks; without it they are "
	       "closed. From everywhere else there must be none. Whoever is here is "
	       "believed. Clients of \"lmtp socket\" count as 127.0.0.1 here too."},
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
    {.words = "authenticate with dovecot",
	.type = CONF_PATH,
	AT(dovecot_path),
	.min = 1,
	.max = SOCKET_PATH_BYTES_MAX,
	.syntax = "SOCKET",
	.doc = "Who may send mail with a password is asked of Dovecot, at this Unix socket "
	       "(a \"unix_listener\" of its \"service auth\"); in the place of \"passwords "
	       "from\". Offered are PLAIN, LOGIN, and of Dovecot's mechanisms those that we "
	       "know."},
    {.words = "token keys from",
	.type = CONF_PATH,
	AT(token_keys_path),
	.min = 1,
	.max = CONF_PATH_BYTES_MAX,
	.syntax = "FILE",
	.doc = "Who may send mail with a token (OAUTHBEARER, XOAUTH2): one that a key of this "
	       "file signed, which holds public keys in PEM or is a JSON Web Key Set. RSA "
	       "(RS256), P-256 (ES256) and Ed25519 (EdDSA). Needs \"token issuer\" and "
	       "\"token audience\". Read again on SIGHUP."},
    {.words = "token issuer",
	.type = CONF_TEXT,
	AT(token_issuer),
	.min = 1,
	.max = TOKEN_TEXT_BYTES_MAX,
	.syntax = "WORD",
	.doc = "Who must have issued tokens, as their claim \"iss\" has it."},
    {.words = "token audience",
	.type = CONF_TEXT,
	AT(token_audience),
	.min = 1,
	.max = TOKEN_TEXT_BYTES_MAX,
	.syntax = "WORD",
	.doc = "For whom tokens must be: their claim \"aud\" is or holds it."},
    {.words = "token login claim",
	.type = CONF_TEXT,
	AT(token_claim),
	.min = 1,
	.max = TOKEN_TEXT_BYTES_MAX,
	.preset_text = "email",
	.syntax = "WORD",
	.doc = "The claim of tokens that names the login. \"email\" is not taken where "
	       "\"email_verified\" is false."},
    {.words = "token scope",
	.type = CONF_TEXT,
	AT(token_scope),
	.min = 1,
	.max = TOKEN_TEXT_BYTES_MAX,
	.syntax = "WORD",
	.doc = "What must be among the scopes of tokens (their claim \"scope\" or \"scp\"). "
	       "Without: nothing."},
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
    {.words = "deliver to lmtp",
	.type = CONF_LMTP,
	.syntax = "(HOST[:PORT] | SOCKET) [with tls MODE] [as NAME]",
	.doc = "The mailboxes are another program's, as Dovecot's, which is given their mail by "
	       "LMTP (RFC 2033): on a port, 24 if none is said, or on a Unix socket, whose path "
	       "begins with a slash. Instead of \"deliver to maildir\". The program is told the "
	       "address that the mail was sent to where the mailbox is called like it, and "
	       "MAILBOX@DOMAIN otherwise. The rest is as with \"send mail\"."},
    {.words = "deliver to pipe",
	.type = CONF_PIPE_MAILBOXES,
	.syntax = "\"COMMAND\" as USER [time TIME] [output SIZE] [processes NUMBER] | NAME",
	.doc = "The mail of the mailboxes is handed to a program, which is run for each message "
	       "and recipient. Instead of \"deliver to maildir\". COMMAND and the rest are as "
	       "with \"pipe mail\"."},
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
    {.words = "refuse null mx senders",
	.type = CONF_BOOL,
	AT(refuse_null_mx),
	.preset = 1,
	.syntax = "[yes | no]",
	.doc = "Refuse MAIL FROM where the domain of the address says that it takes no mail (a "
	       "null MX, RFC 7505): nobody could answer, nor be told of a failure. Asked of DNS, "
	       "of clients on port 25 that may not relay; where DNS does not answer within 5 s, "
	       "the address is taken."},
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
    {.words = "refuse solicitations of",
	.type = CONF_TEXT,
	AT(solicit_refused),
	.min = 1,
	.max = SOLICIT_TEXT_BYTES_MAX,
	.syntax = "CLASS | \"CLASS,CLASS,...\"",
	.doc = "Mail whose sender says that it is a solicitation of one of these classes "
	       "(RFC 3865: org.example:ADV:ADLT) is refused with 550, and EHLO says so behind "
	       "NO-SOLICITING."},
    {.words = "send mail",
	.type = CONF_ROUTE,
	.repeats = true,
	.syntax =
	    "[from SENDER, ...] [for DOMAIN | ADDRESS, ...] HOW [with tls MODE] [as NAME]",
	.doc =
	    "How mail leaves: HOW is through HOST[:PORT], by mx, or by lmtp HOST[:PORT] or by lmtp "
	    "SOCKET. The first statement that fits a recipient's address or domain "
	    "counts, of these, of \"routes from\", \"pipe mail\", \"discard mail\" and "
	    "\"refuse mail\"; .example.org is every domain below example.org; without \"for\" it "
	    "is all mail. With "
	    "\"from\" it is mail of those senders only (addresses or domains of reverse-paths; <> "
	    "is mail without one, as bounces are). "
	    "\"by mx\" is what happens without any statement. \"by lmtp\" gives "
	    "it to a program that keeps it (RFC 2033), on a port (24) or a Unix socket. NAME is "
	    "from the credentials. The modes of TLS: may is when it is offered; "
	    "required is always, whatever the certificate; verified is always and with "
	    "the right certificate; dane is always and with a certificate that fits the TLSA "
	    "records of the server; implicit is verified from the first byte (port "
	    "465); and never. With may, what the domain itself demands (DANE, MTA-STS) "
	    "is kept to. Without \"with tls\" it is may, but implicit on port 465, "
	    "and verified where a password is sent."},
    {.words = "routes from",
	.type = CONF_ROUTES,
	.repeats = true,
	.syntax = "FILE",
	.doc = "Routes for many recipients: a line \"PATTERN: HOW\" for each, where PATTERN is an "
	       "address, a domain, .example.org for all below it, or * for all, and HOW what "
	       "\"send mail\" says, or pipe to NAME (of a \"program\"), or discard, or refuse "
	       "with CODE STATUS \"TEXT\". Of the "
	       "lines that fit the nearest counts, wherever it stands: the address, the domain, "
	       "the domains above it, *. Where none fits the next statement is looked at. At "
	       "most 8 files of 64 MB and 1000000 lines, read at the start and on SIGHUP."},
    {.words = "routes by sender from",
	.type = CONF_ROUTES_BY_SENDER,
	.repeats = true,
	.syntax = "FILE",
	.doc = "As \"routes from\", but PATTERN is of senders: of addresses and domains of "
	       "reverse-paths; <> is mail without one."},
    {.words = "send from",
	.type = CONF_SOURCE,
	.repeats = true,
	.syntax = "ADDRESS, ... [as NAME] [weight N] [in pool NAME] [for senders DOMAIN, ...]",
	.doc = "The addresses of this host that mail leaves from, IPv4 and IPv6 each for "
	       "servers of its kind, and our name in EHLO there (the hostname without). Of "
	       "several one is taken by chance, by weight (1 without). With \"for "
	       "senders\" it is for mail of these domains (.example.org: all below it), "
	       "which has no other address then where one of the kind is given; all other "
	       "mail takes those without either. Where there is none the system chooses. \"in "
	       "pool\" is for messages that name the pool in a header field, X-Postrider-Pool: "
	       "of users, and of clients in \"relay for\"; they leave from nowhere else, and "
	       "nobody sees the field. Of others it means nothing."},
    {.words = "warm up",
	.type = CONF_WARMUP,
	.repeats = true,
	.syntax = "ADDRESS, ... from DATE with N a day [times N] [every N d] [until|at most N] "
		  "[to X]",
	.doc = "A new address sends only so much a day at first: to N recipients on that "
	       "date, and with each step (of one day, without \"every\") \"times\" as many, 2 "
	       "without. Days are those of UTC; before the date nothing leaves from it. 20 "
	       "of a day's share, or what an hour has of it, go at once where they wait, and "
	       "the rest evenly over the day. "
	       "Where the share reaches the N of \"until\" (100000 without) the address is "
	       "warm, and has no limit any more; with \"at most\" it stays at that. What is "
	       "more goes by the other addresses of its pool, and waits where none has any "
	       "left. \"to Gmail, Yahoo\" is a share for what goes to each of these "
	       "providers (\"postrider providers\" lists them), beside the one for all. As "
	       "in: warm up 192.0.2.7 from 2026-12-01 with 50 a day times 1.5 until 20000."},
    {.words = "verp for",
	.type = CONF_VERP,
	.repeats = true,
	.syntax = "DOMAIN, ... [with delimiters XY]",
	.doc = "Mail of senders at these domains has the recipient in its reverse-path, "
	       "list@home.example to ann@far.example as "
	       "list+ann=far.example@home.example, so that a bounce says who it is "
	       "about; each recipient gets a transaction of its own. The delimiters are + "
	       "and = without; others are two of + - = _ . # % & !."},
    {.words = "program",
	.type = CONF_PROGRAM,
	.repeats = true,
	.syntax = "NAME runs \"COMMAND\" as USER [LIMIT ...]",
	.doc = "Gives a program a name, which \"pipe mail\", \"deliver to pipe\" and lines of "
	       "tables of routes may call it by: all of these share its limits. COMMAND and the "
	       "rest are as with \"pipe mail\". A table can name nothing that is not declared so."},
    {.words = "pipe mail",
	.type = CONF_PIPE,
	.repeats = true,
	.syntax = "[from SENDER, ...] [for DOMAIN | ADDRESS, ...] to PROGRAM",
	.doc = "Mail that is handed to a program, which is run for each message and recipient "
	       "and reads the message from its standard input. PROGRAM is \"COMMAND\" as USER "
	       "[LIMIT ...], or the name that a \"program\" has. No shell comes between: COMMAND "
	       "is cut into words at blanks ('one word' in quotes), the first is the program's "
	       "whole path, and in the others {sender}, {recipient}, {mailbox}, {local}, "
	       "{detail}, {domain} and {id} stand for what the message has; {{ is a brace. It "
	       "runs as USER, who matters only when Postrider is started as root and is never "
	       "root, for at most \"time TIME\" (5 m), of what it says \"output SIZE\" (4 KB) is "
	       "kept, and \"processes NUMBER\" (10) run at a time. Exit status 0: it has the "
	       "message; 75 and a few others: it is run again later; the rest: the message is "
	       "returned. Stands among \"send mail\", and the "
	       "first that fits counts. For "
	       "addresses of our own domains it comes before mailboxes and aliases."},
    {.words = "discard mail",
	.type = CONF_DISCARD,
	.repeats = true,
	.syntax = "[from SENDER, ...] [for DOMAIN | ADDRESS, ...]",
	.doc = "Mail that is accepted and thrown away: nobody is told, but the log and the "
	       "ledger say so. Stands among \"send mail\", and the first that fits counts. For "
	       "addresses of our own domains it comes before mailboxes and aliases."},
    {.words = "refuse mail",
	.type = CONF_REFUSE,
	.repeats = true,
	.syntax = "[from SENDER, ...] [for DOMAIN | ADDRESS, ...] with CODE STATUS \"TEXT\"",
	.doc = "Mail that is not sent: RCPT is answered with 550 and that status and text, and "
	       "what comes to it by an alias is returned with them (CODE, from 550 to 559, goes "
	       "into the notification). Otherwise as \"discard mail\". As in: refuse mail for "
	       "old.example with 550 5.1.6 \"We are new.example now\"."},
    {.words = "fall back to",
	.type = CONF_FALLBACK,
	.syntax = "HOST[:PORT] [with tls MODE] [as NAME]",
	.doc = "A server that gets the mail for domains none of whose servers can be reached: "
	       "no answer in time, a connection refused or closed before the mail, or no answer "
	       "from DNS. Never after a refusal, nor where TLS that is demanded could not be had, "
	       "nor for mail that \"send mail\" sends elsewhere than by mx."},
    {.words = "ask dns at",
	.type = CONF_DNS,
	.repeats = true,
	.syntax = "ADDRESS[:PORT], ...",
	.doc = "Name servers to ask, at most 4. Without: those of /etc/resolv.conf."},
    {.words = "validate dns with",
	.type = CONF_PATH,
	AT(trust_anchor_path),
	.min = 1,
	.max = CONF_PATH_BYTES_MAX,
	.syntax = "FILE",
	.doc = "The keys that DNSSEC begins with, as DS or DNSKEY records. Without: the "
	       "root's, /usr/share/dns/root.key, where it is there and \"ask dns at\" names "
	       "no servers."},
    {.words = "fetch tls policies",
	.type = CONF_BOOL,
	AT(tls_policies),
	.preset = 1,
	.syntax = "yes | no",
	.doc = "Whether MTA-STS policies of domains that mail goes to are fetched over HTTPS, "
	       "and kept to, where the mode of TLS is may. They are kept in the folder "
	       "tls-policies in that of the spool."},
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
    {.words = "lmtp socket",
	.type = CONF_PATH,
	AT(lmtp_path),
	.min = 1,
	.max = SOCKET_PATH_BYTES_MAX,
	.syntax = "FILE",
	.doc = "A Unix socket that takes mail to our own recipients by LMTP (RFC 2033), as "
	       "\"listen lmtp\" does. It belongs to whoever started the server, and every user "
	       "of this host may connect (mode 0666), as to 127.0.0.1; put it into a folder "
	       "that only some may enter where that is too many. Its clients count as "
	       "127.0.0.1."},
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
};

const struct conf_option *
conf_rows_general(size_t *count)
{
	*count = LEN(options);
	return options;
}
