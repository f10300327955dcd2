/* Every mistake, and the exact words about it. */
#include "conf/conf_test_kit.h"

/* Most cases are one wrong line behind a good one; the place is in the fourth line. */
struct mistake {
	const char *line;
	unsigned column;
	const char *text;
};

#define LETTERS_32 "abcdefghijklmnopqrstuvwxyzabcdef"

static const struct mistake mistakes[] = {
    /* words */
    {"hostnmae mail.example.org", 1,
	"unknown statement \"hostnmae\"; did you mean \"hostname\"?"},
    {"frobnicate", 1,
	"unknown statement \"frobnicate\"; \"postrider config manual\" lists all"},
    {"accept mail example.org", 13,
	"expected \"for\" after \"accept mail\", not \"example.org\""},
    {"accept", 7, "expected \"mail\" or \"no\" after \"accept\", not the end of the line"},
    {"\"hostname\" x", 1, "a statement begins with a word, not with \"hostname\""},
    {"message size 5 MB", 1, "\"message size\" belongs in the block \"limits\""},
    {"limits { hostname x }", 10, "\"hostname\" belongs outside of the block \"limits\""},
    {"limits { mesage size 5 MB }", 10,
	"unknown option \"mesage size\"; did you mean \"message size\"?"},
    {"limits { mesages 5 }", 10,
	"unknown option \"mesages\"; did you mean \"messages\" in the block \"queue\"?"},
    {"sesion", 1,
	"unknown statement \"sesion\"; did you mean \"sessions\" in the block "
	"\"limits\"?"},
    {"limits { recipiants 5 }", 10,
	"unknown option \"recipiants\"; did you mean \"recipients\"?"},
    {"queu { messages 5 }", 1, "unknown statement \"queu\"; did you mean \"queue\"?"},
    {"delivery { connect timeuot 5 s }", 12,
	"unknown option \"connect timeuot\"; did you mean \"connect timeout\"?"},
    {"delivery { command timeot 5 s }", 12,
	"unknown option \"command timeot\"; did you mean \"command timeout\" in the "
	"block \"limits\"?"},
    {"limits { hostnam x }", 10,
	"unknown option \"hostnam\"; did you mean \"hostname\" outside of the block?"},
    {"limits", 7, "expected \"{\" after \"limits\", not the end of the line"},
    {"}", 1, "this \"}\" closes no block"},
    {"spool /x y", 10, "expected the end of the line, not \"y\""},
    {"hold all mail maybe", 15,
	"expected yes or no (or nothing, for yes), not \"maybe\""},

    /* numbers */
    {"limits { message size 3 KB }", 23,
	"\"message size\" is from 64 KB to 2 GB, not 3 KB"},
    {"limits { message size 3GB }", 23,
	"\"message size\" is from 64 KB to 2 GB, not 3GB"},
    {"limits { message size 35 }", 23,
	"the number 35 needs a unit, one of B, KB, MB, GB"},
    {"limits { message size big }", 23, "expected a size like 10 MB, not \"big\""},
    {"limits { message size 5 m x }", 27, "expected the end of the line, not \"x\""},
    {"limits { message size 5 h }", 23, "expected a size like 10 MB, not \"5 h\""},
    {"limits { command timeout 5 parsecs }", 28,
	"unknown unit \"parsecs\"; expected one of ms, s, m, h, d"},
    {"limits { command timeout 5 }", 26,
	"the number 5 needs a unit, one of ms, s, m, h, d"},
    {"limits { command timeout 99999999999999999999 s }", 26,
	"expected a time like 5 m, not \"99999999999999999999 s\""},
    {"limits { recipients 99999999999999999999 }", 21,
	"\"recipients\" is from 100 to 100000, not 99999999999999999999"},
    {"limits { recipients -5 }", 21, "expected a number, not \"-5\""},
    {"limits { recipients }", 21, "expected a number, not \"}\""},
    {"limits { messages per session 0x5 }", 31, "expected a number, not \"0x5\""},
    {"reception processes 257", 21,
	"\"reception processes\" is from 1 to 256, or \"automatic\", not 257"},
    {"queue { retry after 1 ms }", 21,
	"\"retry after\" is from 100 ms to 30 d, not 1 ms"},
    {"queue { retry after 1 m, }", 26, "expected a time like 5 m, not \"}\""},

    /* limits of destinations */
    {"destination { }", 13, "expected a domain name, or any, not \"{\""},
    {"destination a.example", 22,
	"expected \"{\" after \"destination\", not the end of the line"},
    {"destination a_b { }", 13,
	"\"a_b\" is not a destination: only letters, digits, hyphens and dots may stand "
	"in it"},
    {"destination any { conections 5 }", 19,
	"unknown option \"conections\"; did you mean \"connections\"?"},
    {"destination any { connections per destination 5 }", 31,
	"expected a number, not \"per\""},
    {"destination any { messages 5 }", 19, "\"messages\" belongs in the block \"queue\""},
    {"connections 5", 1, "\"connections\" belongs in the block \"destination\""},
    {"destination any { jitter 91 % }", 26, "\"jitter\" is from 0 % to 90 %, not 91"},
    {"destination any { jitter 20 }", 26,
	"expected a part of a hundred like 10 %, not \"20\""},
    {"destination any { jitter % }", 26,
	"expected a part of a hundred like 10 %, not \"\""},
    {"destination any { rate 100 }", 28, "expected \"per\", not \"}\""},
    {"destination any { rate 100 per 5 }", 32,
	"the number 5 needs a unit, one of ms, s, m, h, d"},
    {"destination any { rate 100 per ms }", 32, "expected a time like 5 m, not \"ms\""},
    {"destination any { rate 100 per 31 d }", 32,
	"\"per\" is from 1 s to 30 d, not 31 d"},
    {"destination any { rate 1000001 per s }", 24,
	"\"rate\" is from 1 to 1000000, or \"unlimited\", not 1000001"},
    {"destination any { connections 5; connections at first 6 }", 34,
	"there are at most 5 connections, so not 6 at first"},
    {"provider { }", 10, "expected a provider, or an MX host, not \"{\""},
    {"provider Gmial { }", 10,
	"\"Gmial\" is neither a provider that is known nor the name of an MX host; did you "
	"mean \"Gmail\"?"},
    {"provider a_b.example { }", 10,
	"\"a_b.example\" is neither a provider that is known nor the name of an MX host; "
	"\"postrider providers\" lists those that are known"},
    {"provider any { }", 10,
	"\"any\" is neither a provider that is known nor the name of an MX host; "
	"\"postrider providers\" lists those that are known"},
    {"provider Gmail { retry after 1 h }", 18,
	"\"retry after\" belongs in the block \"queue\""},
    {"provider Gmail { connections 5; connections at first 6 }", 33,
	"there are at most 5 connections, so not 6 at first"},
    {"provider Gmail { }; provider \"gmail\" { }", 30,
	"\"Gmail\" was said already, at /etc/p/main.conf:4"},
    {"provider .b.example { }; provider a.b.example { }", 35,
	"this provider for \"a.b.example\" is never used: the one at /etc/p/main.conf:4 comes "
	"first and takes that mail"},
    {"queue { connections per destination 5; connections at first 6 }", 40,
	"there are at most 5 connections per destination, so not 6 at first"},
    {"destination any { jitter 1 %; jitter 2 % }", 31,
	"\"jitter\" was said already, at /etc/p/main.conf:4"},
    {"destination a.b, A.B { }", 18, "\"a.b\" was said already, at /etc/p/main.conf:4"},
    {"destination .b { }; destination a.b { }", 33,
	"this destination for \"a.b\" is never used: the one at /etc/p/main.conf:4 comes "
	"first and takes that mail"},
    {"destination any { }; destination any { }", 34,
	"a destination for all mail was given already, at /etc/p/main.conf:4"},

    /* names */
    {"accept mail for exa_mple.org", 17,
	"\"exa_mple.org\" is not a domain name: only letters, digits, hyphens and dots "
	"may stand in it"},
    {"accept mail for m\303\274ller.example", 17,
	"\"m\303\274ller.example\" is not a domain name: write international names in "
	"ASCII (xn--...)"},
    {"accept mail for example.org.", 17,
	"\"example.org.\" is not a domain name: leave out the dot at the end"},
    {"accept mail for example.org example.net", 29,
	"expected the end of the line, not \"example.net\""},
    {"accept mail for 192.0.2.1", 17,
	"\"192.0.2.1\" is not a domain name: its last part is a number, as in an "
	"address"},
    {"postmaster goes to ../root", 20,
	"\"../root\" is not the name of a mailbox: it begins with a dot"},
    {"postmaster goes to a/b", 20,
	"\"a/b\" is not the name of a mailbox: only letters, digits and - _ . + @ = may "
	"stand in it"},
    {"detail separator ++", 18,
	"expected one character, one of + - = _ . ~ # % & !, or \"none\"; not \"++\""},
    {"deliver to maildir /x as -root", 26,
	"\"-root\" is not the name of a user: letters, digits and - _ . only, at most "
	"32"},
    {"deliver to maildir /x as a12345678901234567890123456789012", 26,
	"\"a12345678901234567890123456789012\" is not the name of a user: letters, "
	"digits and - _ . only, at most 32"},
    {"mailboxes from \"\"", 16, "expected a path, not an empty name"},

    /* addresses */
    {"listen smpt on *", 8,
	"expected smtp, submission, submissions or lmtp, not \"smpt\"; did you mean \"smtp\"?"},
    {"listen pop3 on *", 8, "expected smtp, submission, submissions or lmtp, not \"pop3\""},
    {"listen http at *", 8,
	"expected smtp, submission, submissions or lmtp, not \"http\"; did you mean \"smtp\"?"},
    {"listen http on localhost", 16,
	"\"localhost\" is not an address: expected an IP address, as in 192.0.2.1 or "
	"[2001:db8::1]"},
    {"listen http on *:0", 16,
	"\"*:0\" is not an address: the port is a number from 1 to 65535, after a colon"},
    {"listen http on 127.0.0.1:25, 127.0.0.1:25", 30,
	"\"127.0.0.1:25\" was said already, at /etc/p/main.conf:4"},
    {"listen smtp at *", 13, "expected \"on\", not \"at\""},
    {"listen smtp on ::1:25", 16,
	"\"::1:25\" is not an address: write IPv6 addresses in brackets, [::1]:25"},
    {"listen smtp on localhost", 16,
	"\"localhost\" is not an address: expected an IP address, as in 192.0.2.1 or "
	"[2001:db8::1]"},
    {"listen smtp on [::1", 16, "\"[::1\" is not an address: the bracket is not closed"},
    {"listen smtp on *:0", 16,
	"\"*:0\" is not an address: the port is a number from 1 to 65535, after a colon"},
    {"listen smtp on *:65536", 16,
	"\"*:65536\" is not an address: the port is a number from 1 to 65535, after a "
	"colon"},
    {"listen smtp on *, 0.0.0.0:25", 19,
	"\"0.0.0.0:25\" was said already, at /etc/p/main.conf:4"},
    {"listen submissions on *", 23,
	"submissions is TLS from the first byte and needs a certificate; add "
	"\"certificate FILE key FILE\""},
    {"relay for 127.0.0.1/8", 11,
	"\"127.0.0.1/8\" has bits set behind its prefix; did you mean 127.0.0.0/8?"},
    {"relay for [2001:db8::1]/32", 11,
	"\"[2001:db8::1]/32\" has bits set behind its prefix; did you mean "
	"[2001:db8::]/32?"},
    {"relay for 10.0.0.0/33", 11,
	"\"10.0.0.0/33\" is not a network; expected one like 192.0.2.1, 192.168.1.0/24 "
	"or [2001:db8::]/32"},
    {"relay for 0.0.0.0/0", 11,
	"\"0.0.0.0/0\" is everybody: anyone could send mail to anyone through this "
	"server (an open relay); name your own networks only"},
    {"relay for [::]/0", 11,
	"\"[::]/0\" is everybody: anyone could send mail to anyone through this server "
	"(an open relay); name your own networks only"},
    {"relay for 128.0.0.0/1", 11,
	"\"128.0.0.0/1\" is too much of the internet to trust without a password; the "
	"least is /8"},
    {"relay for 2000::/15", 11,
	"\"2000::/15\" is too much of the internet to trust without a password; the "
	"least is /16"},
    {"relay for 10.0.0.0/8, 10.0.0.0/8", 23,
	"\"10.0.0.0/8\" was said already, at /etc/p/main.conf:4"},
    {"ask dns at 127.0.0.1, 127.0.0.2, 127.0.0.3, 127.0.0.4, 127.0.0.5", 56,
	"at most 4 name servers"},

    /* routes */
    {"send from x", 11, "\"x\" is not an address"},
    {"send from 192.0.2.1:25", 11, "\"192.0.2.1:25\" is not an address"},
    {"send from 192.0.2.1 weight 0", 28, "a weight is from 1 to 1000, not \"0\""},
    {"send from 192.0.2.1 as -x", 24,
	"\"-x\" is not a host name: a part between the dots begins or ends with a "
	"hyphen"},
    {"send from 192.0.2.1 for a.org", 25, "expected \"senders\", not \"a.org\""},
    {"send from 192.0.2.1, 192.0.2.1", 22,
	"\"192.0.2.1\" was said already, at /etc/p/main.conf:4"},
    {"send from 192.0.2.1 in news", 24, "expected \"pool\", not \"news\""},
    {"send from 192.0.2.1 in pool a/b", 29,
	"\"a/b\" is not a name of a pool: at most 63 letters, digits, and - _ ."},
    {"send from 192.0.2.1; warm up 192.0.2.1 from 1.12.2026 with 5 a day", 45,
	"\"1.12.2026\" is not a date, as in 2026-12-01"},
    {"send from 192.0.2.1; warm up 192.0.2.1 from 2026-12-01 with 0 a day", 61,
	"\"0\" is not a number from 1 to 1000000000"},
    {"send from 192.0.2.1; warm up 192.0.2.1 from 2026-12-01 with 5 a week", 65,
	"expected \"day\", not \"week\""},
    {"send from 192.0.2.1; warm up 192.0.2.1 from 2026-12-01 with 5 a day times 0.9", 75,
	"\"0.9\" is not a factor from 1 to 10, as in 1.5"},
    {"send from 192.0.2.1; warm up 192.0.2.1 from 2026-12-01 with 5 a day times 1.125", 75,
	"\"1.125\" is not a factor from 1 to 10, as in 1.5"},
    {"send from 192.0.2.1; warm up 192.0.2.1 from 2026-12-01 with 5 a day every 12 h", 75,
	"a step is of 1 to 365 days, as in 2 d"},
    {"send from 192.0.2.1; warm up 192.0.2.1 from 2026-12-01 with 5 a day until 4", 30,
	"it begins with 5 a day, which is more than the 4 that it ends with"},
    {"send from 192.0.2.1; warm up 192.0.2.1 from 2026-12-01 with 5 a day times 1", 30,
	"times 1 never grows to 100000; say \"at most 5\" for a share that stays"},
    {"send from 192.0.2.1; warm up 192.0.2.1 from 2026-12-01 with 5 a day to Gmial", 72,
	"\"Gmial\" is not a provider that is known; \"postrider providers\" lists those that "
	"are"},
    {"send from 192.0.2.1; warm up 192.0.2.1 from 2026-12-01 with 5 a day to Gmail, gmail", 30,
	"\"192.0.2.1 to Gmail\" was said already, at /etc/p/main.conf:4"},
    {"send from 192.0.2.1; warm up 192.0.2.2 from 2026-12-01 with 5 a day", 30,
	"no mail leaves from 192.0.2.2; add \"send from 192.0.2.2\""},
    {"send from 192.0.2.1; warm up 192.0.2.1, 192.0.2.1 from 2026-12-01 with 5 a day", 41,
	"\"192.0.2.1\" was said already, at /etc/p/main.conf:4"},
    {"verp for x..y", 10,
	"\"x..y\" is not a domain name: a part between the dots is empty"},
    {"verp for a.org with delimiters +", 32, "\"+\" is not two delimiters, of + - = _ . # % & !"},
    {"verp for a.org, a.org", 17,
	"\"a.org\" was said already, at /etc/p/main.conf:4"},
    {"send mail to example.org", 11, "expected through or by mx, not \"to\""},
    {"send mail throuhg b", 11,
	"expected through or by mx, not \"throuhg\"; did you mean \"through\"?"},
    {"send mail through b with tls verifed", 30,
	"expected may, required, verified, never, implicit or dane, not \"verifed\"; did you "
	"mean \"verified\"?"},
    {"send mail by mx with tls implicit", 26,
	"servers found by MX use port 25, which has no implicit TLS; say \"required\" or "
	"\"verified\""},
    {"send mail through 192.0.2.1 with tls dane", 38,
	"an address has no TLSA records; name the server, or say \"verified\""},
    {"destination a.org { tls implicit }", 25,
	"\"implicit\" is for one server; say it with \"send mail through\""},
    {"destination a.org { tls no }", 25,
	"expected may, required, verified, never, implicit or dane, not \"no\""},
    {"send mail by mx as isp", 17,
	"a password is for one server; name it with \"through\""},
    {"send mail through b with tls may as isp", 30,
	"\"may\" could send the password in the clear; say \"verified\", \"implicit\" or "
	"\"required\""},
    {"send mail through b as isp", 11,
	"nothing says what the password of \"isp\" is; add \"credentials from FILE\""},
    {"send mail for a.org by mx; send mail for A.ORG by mx", 42,
	"\"a.org\" was said already, at /etc/p/main.conf:4"},
    {"send mail for .a.org by mx; send mail for .a.org by mx", 43,
	"\".a.org\" was said already, at /etc/p/main.conf:4"},
    {"send mail through b as " LETTERS_32 LETTERS_32 LETTERS_32 LETTERS_32 "a", 24,
	"the name of a credential has from 1 to 128 bytes"},
    {"send mail through b; send mail for a.org by mx", 36,
	"this route for \"a.org\" is never used: the one at /etc/p/main.conf:4 comes "
	"first and takes that mail"},
    {"send mail for .org, x.a.org through b", 21,
	"this route for \"x.a.org\" is never used: the one at /etc/p/main.conf:4 comes "
	"first and takes that mail"},
    {"send mail for @a.org by mx", 15, "\"@a.org\" is not an address: nothing stands before the @"},
    {"send mail for joe@ by mx", 15, "\"joe@\" is not an address: it is empty"},
    {"send mail for a.org by mx; discard mail for joe@a.org", 45,
	"this route for \"joe@a.org\" is never used: the one at /etc/p/main.conf:4 comes "
	"first and takes that mail"},
    {"send mail from a.org by mx; send mail from x@A.org for b.org by mx", 56,
	"this route for \"b.org\" is never used: the one at /etc/p/main.conf:4 comes first and "
	"takes that mail"},
    {"send mail from .a.org for b.org by mx; send mail from x.a.org for x@b.org by mx", 67,
	"this route for \"x@b.org\" is never used: the one at /etc/p/main.conf:4 comes first "
	"and takes that mail"},
    {"send mail for b.org by mx; send mail from a.org for b.org by mx", 53,
	"this route for \"b.org\" is never used: the one at /etc/p/main.conf:4 comes first and "
	"takes that mail"},
    {"send mail from a.org by mx; send mail from A.org by mx", 44,
	"this route for \"A.org\" is never used: the one at /etc/p/main.conf:4 comes first and "
	"takes that mail"},
    {"send mail from a.org for b.org by mx; send mail from a.org for b.org by mx", 64,
	"\"b.org\" was said already, at /etc/p/main.conf:4"},
    {"send mail for <> by mx", 15,
	"\"<>\" is not a domain name: only letters, digits, hyphens and dots may stand in it"},
    {"discard mail", 13, "expected \"from\" or \"for\", not the end of the line"},
    {"discard mail by mx", 14, "expected \"from\" or \"for\", not \"by\""},
    {"send mail by lmtp /run/lmtp with tls may", 38,
	"a socket of this host has no TLS; leave \"with tls\" out"},
    {"deliver to lmtp a:b", 17,
	"\"a:b\" is not a server: the port is a number from 1 to 65535, after a colon"},
    {"refuse mail for a.org", 22, "expected \"with\", not the end of the line"},
    {"refuse mail for a.org with 450 4.7.1 x", 28,
	"\"450\" is not the code of a refusal: from 550 to 559"},
    {"refuse mail for a.org with 550 5.7 x", 32,
	"\"5.7\" is not the status of a refusal, as in 5.7.1"},
    {"refuse mail for a.org with 550 5.7.1 \"\"", 38, "the text has from 1 to 200 bytes"},
    {"pipe mail for a.org /a as v", 21, "expected \"to\", not \"/a\""},
    {"pipe mail for a.org to /a", 26, "expected \"as\", not the end of the line"},
    {"pipe mail for a.org to a as v", 24,
	"\"a\" is not the whole path of a program, as in /usr/local/bin/robot"},
    {"pipe mail for a.org to a", 24,
	"there is no program \"a\"; say \"program a runs \"/PATH ...\" as USER\""},
    {"program robot runs /a as v; pipe mail for a.org to robbot", 52,
	"there is no program \"robbot\"; did you mean \"robot\"?"},
    {"program r runs /a as v; program R runs /b as v", 33, "the program \"R\" was said already"},
    {"program /a runs /a as v", 9,
	"\"/a\" is not a name for a program: at most 63 letters, digits, and - _"},
    {"program a as v", 11, "expected \"runs\", not \"as\""},
    {"program a runs b as v", 16,
	"\"b\" is not the whole path of a program, as in /usr/local/bin/robot"},
    {"program a runs /b as root", 22,
	"mail is handed to no program of root's: anybody can send it; name a user of its own"},
    {"pipe mail for a.org to /a/ as v", 24,
	"\"/a/\" is not the whole path of a program, as in /usr/local/bin/robot"},
    {"pipe mail for a.org to \"\" as v", 24, "the command is empty"},
    {"pipe mail for a.org to \"'' a\" as v", 24, "the program has no name"},
    {"pipe mail for a.org to \"/a 'b\" as v", 24, "a quote in the command is not closed"},
    {"pipe mail for a.org to \"/a/{local}\" as v", 24,
	"a message must not choose which program is run: no placeholder may stand in its path"},
    {"pipe mail for a.org to \"/a {sendr}\" as v", 24,
	"the command has no placeholder \"sendr\"; did you mean {sender}?"},
    {"pipe mail for a.org to \"/a x{\" as v", 24,
	"the command has no placeholder \"\"; there are {sender}, {recipient}, {mailbox}, "
	"{local}, {detail}, {domain} and {id}, and {{ is a brace"},
    {"pipe mail for a.org to /a as root", 30,
	"mail is handed to no program of root's: anybody can send it; name a user of its own"},
    {"pipe mail for a.org to /a as v processes 0", 42,
	"\"processes\" is from 1 to 100, not 0"},
    {"pipe mail for a.org to /a as v time 2 d", 37, "\"time\" is from 1 s to 1 d, not 2 d"},
    {"pipe mail for a.org to /a as v time 2 m time 3 m", 41,
	"expected the end of the line, not \"time\""},
    {"send mail by mx; send mail by mx", 28,
	"a route for all mail was given already, at /etc/p/main.conf:4"},

    /* what belongs together */
    {"accept mail for example.org", 17,
	"nothing says who has a mailbox at these domains; add \"mailboxes from FILE\""},
    {"mailboxes from x", 1,
	"nothing says where the mail of the mailboxes goes; add \"deliver to maildir "
	"FOLDER\", \"deliver to lmtp SERVER\" or \"deliver to pipe COMMAND\""},
    {"accept mail for a.org, b.org; pipe mail for a.org, joe@b.org to /a as v", 24,
	"nothing says who has a mailbox at these domains; add \"mailboxes from FILE\""},
    {"deliver to maildir m; deliver to pipe /a as v", 23,
	"mailboxes are Maildirs already (\"deliver to maildir\"); take one of the two away"},
    {"deliver to lmtp /run/l; deliver to pipe /a as v", 25,
	"mailboxes are another program's already (\"deliver to lmtp\"); take one of the two "
	"away"},
    {"deliver to maildir m; deliver to lmtp /run/lmtp", 23,
	"mailboxes are Maildirs already (\"deliver to maildir\"); take one of the two away"},
    {"deliver to lmtp 127.0.0.1 as dove", 1,
	"nothing says what the password of \"dove\" is; add \"credentials from FILE\""},
    {"passwords from x", 1,
	"passwords are taken over TLS only, which needs a certificate; add \"certificate "
	"FILE key FILE\""},
    {"authenticate with dovecot x", 1,
	"passwords are taken over TLS only, which needs a certificate; add \"certificate "
	"FILE key FILE\""},
    {"certificate a.pem key k; passwords from x; authenticate with dovecot y", 44,
	"passwords are in a table already (\"passwords from\"); take one of the two away"},
    {"certificate a.pem key k; token keys from x; token audience y", 26,
	"nothing says who must have issued tokens; add \"token issuer WORD\""},
    {"certificate a.pem key k; token keys from x; token issuer y", 26,
	"nothing says for whom tokens must be; add \"token audience WORD\""},
    {"token scope \"a b\"", 13,
	"\"a b\" is not a word: only visible ASCII characters may stand in it"},
    {"certificate a.pem key k; certificate a.pem key k", 38,
	"\"/etc/p/a.pem\" was said already, at /etc/p/main.conf:4"},
    {"minimum tls version 1.1", 21, "expected 1.2 or 1.3, not \"1.1\"; did you mean \"1.2\"?"},
    {"tls ciphers \"a b\"", 13,
	"\"a b\" is not a list in one word, with colons: only visible ASCII characters may "
	"stand in it"},
    {"tls ticket lifetime 2 d", 21,
	"\"tls ticket lifetime\" is from 1 s to 1 d, or \"none\", not 2 d"},
    {"certificate x.pem", 18, "expected \"key\", not the end of the line"},
    {"include main.conf", 9,
	"\"/etc/p/main.conf\" is the main file; it cannot include itself"},
    {"log as jsno", 8, "expected logfmt or json, not \"jsno\"; did you mean \"json\"?"},
    {"log", 4, "expected \"to\", not the end of the line"},
    {"spool /a; spool /b", 11, "\"spool\" was said already, at /etc/p/main.conf:4"},

    /* solicitations */
    {"refuse solicitations of \"a:b, c\"", 25,
	"\"a:b, c\" is not a word: only visible ASCII characters may stand in it"},
    {"refuse solicitations of \"a:b,\"", 1,
	"these are no classes of solicitations; expected letters, digits and . : - _ with "
	"commas between the classes, like \"org.example:ADV,net.example:ADV\""},
    {"refuse solicitations of \"a,,b\"", 1,
	"these are no classes of solicitations; expected letters, digits and . : - _ with "
	"commas between the classes, like \"org.example:ADV,net.example:ADV\""},
    {"refuse solicitations of 1a", 1,
	"these are no classes of solicitations; expected letters, digits and . : - _ with "
	"commas between the classes, like \"org.example:ADV,net.example:ADV\""},
    {"refuse solicitations of a/b", 1,
	"these are no classes of solicitations; expected letters, digits and . : - _ with "
	"commas between the classes, like \"org.example:ADV,net.example:ADV\""},

    /* bytes */
    {"spool /a\001b", 9, "control character 0x01; only text and tabs may stand here"},
    {"spool /a\302\205b", 9, "control character 0x85; only text and tabs may stand here"},
    {"spool /a\rb", 9, "control character 0x0D; only text and tabs may stand here"},
    {"# \377", 3, "the byte 0xFF is not UTF-8 text"},
    {"# \300\200", 3, "the byte 0xC0 is not UTF-8 text"},
    {"# \355\240\200", 3, "the byte 0xED is not UTF-8 text"},
    {"spool \"/a b", 7, "the quotes are not closed on this line"},
    {"spool \"/a\\n\"", 10, "a backslash in quotes stands before \" or \\ only"},
};

static void
one_mistake(const struct mistake *mistake)
{
	struct buf text, wanted;
	struct kit kit;

	buf_init(&text, 1 << 20);
	buf_init(&wanted, 1 << 20);
	buf_addf(&text, "# a\n\n" KIT_BASE "%s\n", mistake->line);
	kit_parse(&kit, kit_bundle(buf_span(&text)));
	buf_addf(&wanted, "/etc/p/main.conf:4:%u: %s\n", mistake->column, mistake->text);
	buf_add_char(&wanted, '\0');
	if (strncmp(kit.problems.ptr, wanted.ptr, wanted.len - 1) != 0)
		assert_string_equal(kit.problems.ptr, wanted.ptr);
	assert_null(kit.conf);
	kit_fini(&kit);
	buf_fini(&text);
	buf_fini(&wanted);
}

static void
each_mistake_has_its_words_and_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(mistakes); i++)
		one_mistake(&mistakes[i]);
}

/* The whole text, with line and caret. */
static const struct {
	const char *text, *wanted;
} whole[] = {
    {"# nothing\n",
	"/etc/p/main.conf:1:1: the hostname is missing; say \"hostname mail.example.org\""
	" with this server's own name\n"
	"    # nothing\n"
	"    ^\n"},
    {"",
	"/etc/p/main.conf:1:1: the hostname is missing; say \"hostname mail.example.org\""
	" with this server's own name\n"
	"    \n"
	"    ^\n"},
    {"\tspool\t/x\ty\r\n",
	"/etc/p/main.conf:1:11: expected the end of the line, not \"y\"\n"
	"    \tspool\t/x\ty\n"
	"    \t     \t  \t^\n"},
    {"spool \"\303\274 \342\202\254\" y\n",
	"/etc/p/main.conf:1:13: expected the end of the line, not \"y\"\n"
	"    spool \"\303\274 \342\202\254\" y\n"
	"                ^\n"},
    {"spool \377\001\n", "/etc/p/main.conf:1:7: the byte 0xFF is not UTF-8 text\n"
			 "    spool ??\n"
			 "          ^\n"},
    /* Reading goes on behind a line, a list, a block; one error a line. */
    {"hostname -; spool\n"
     "accept mail for a_a,\n  b_b\n"
     "limts {\n  foo {\n  }\n  bar\n}\n"
     "spool\n"
     "queue { messages x\n  messages 5; messages 6 }\n"
     "limits {\n",
	"/etc/p/main.conf:1:10: \"-\" is not a domain name: a part between the dots "
	"begins or ends with a hyphen\n"
	"    hostname -; spool\n"
	"             ^\n"
	"/etc/p/main.conf:2:17: \"a_a\" is not a domain name: only letters, digits, "
	"hyphens and dots may stand in it\n"
	"    accept mail for a_a,\n"
	"                    ^\n"
	"/etc/p/main.conf:4:1: unknown statement \"limts\"; did you mean \"limits\"?\n"
	"    limts {\n"
	"    ^\n"
	"/etc/p/main.conf:9:6: expected a path, not the end of the line\n"
	"    spool\n"
	"         ^\n"
	"/etc/p/main.conf:10:18: expected a number, not \"x\"\n"
	"    queue { messages x\n"
	"                     ^\n"
	"/etc/p/main.conf:11:3: \"messages\" was said already, at /etc/p/main.conf:10\n"
	"      messages 5; messages 6 }\n"
	"      ^\n"
	"/etc/p/main.conf:12:8: the block \"limits\" is not closed; expected \"}\"\n"
	"    limits {\n"
	"           ^\n"},
};

static void
errors_show_the_line_and_a_caret(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(whole); i++) {
		struct kit kit;

		kit_init(&kit, whole[i].text);
		assert_string_equal(kit.problems.ptr, whole[i].wanted);
		kit_fini(&kit);
	}
}

static void
a_nul_byte_is_an_error_at_its_place(void **state)
{
	struct kit kit;

	(void)state;
	kit_parse(&kit, kit_bundle(SPAN("hostname a\nspool /\0x\n")));
	assert_string_equal(kit.problems.ptr,
	    "/etc/p/main.conf:2:8: control character 0x00; only text and tabs may stand "
	    "here\n    spool /?x\n           ^\n");
	kit_fini(&kit);
}

static void
a_long_line_is_refused_and_shown_in_part(void **state)
{
	struct buf text;
	struct kit kit;

	(void)state;
	buf_init(&text, 1 << 20);
	buf_add_str(&text, "hostname a\nspool /");
	for (size_t i = 0; i < 150; i++)
		buf_add_char(&text, 'a');
	buf_add_str(&text, " y z\n# ");
	for (size_t i = 0; i < CONF_LINE_BYTES_MAX; i++)
		buf_add_char(&text, 'b');
	kit_parse(&kit, kit_bundle(buf_span(&text)));
	assert_string_equal(kit.problems.ptr,
	    "/etc/p/main.conf:2:159: expected the end of the line, not \"y\"\n"
	    "    ...aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa y z\n"
	    "                                                                   ^\n"
	    "/etc/p/main.conf:3:1: the line is longer than 32768 bytes; a list may go on "
	    "in the next line after a comma\n"
	    "    # bbbb"
	    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	    "bbbbbbbbbbbbbbbbbbbbbbbb...\n"
	    "    ^\n");
	kit_fini(&kit);
	buf_fini(&text);
}

static void
errors_end_at_their_maximum(void **state)
{
	struct conf_error errors[CONF_ERRORS_MAX];
	struct conf_bundle *bundle;
	struct conf *conf;
	struct buf text;
	size_t count;

	(void)state;
	buf_init(&text, CONF_FILE_BYTES_MAX);
	while (buf_space(&text) > 8)
		buf_add_str(&text, "x {};}\n");
	bundle = kit_bundle(buf_span(&text));
	assert_int_equal(conf_parse(bundle, &conf, errors, &count), ERR_SYNTAX);
	assert_int_equal(count, CONF_ERRORS_MAX);
	assert_int_equal(errors[19].line, 20);
	conf_bundle_destroy(bundle);
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_mistake_has_its_words_and_its_place),
	    cmocka_unit_test(errors_show_the_line_and_a_caret),
	    cmocka_unit_test(a_nul_byte_is_an_error_at_its_place),
	    cmocka_unit_test(a_long_line_is_refused_and_shown_in_part),
	    cmocka_unit_test(errors_end_at_their_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
