/*
 * What HELP says of refusals, to whoever runs the other side: HELP_TOPIC(tag, keys), in the order
 * of the alphabet.  Every 4xx and 5xx of reply_list.h ends with "(HELP tag)".  The keys are of
 * entries of the catalogue, which explain it.  Included more than once, on purpose.
 */
HELP_TOPIC("address", "X.1.3")
HELP_TOPIC("commands", "X.5.1 protocol")
HELP_TOPIC("early", "protocol")
HELP_TOPIC("header", "content-refused")
HELP_TOPIC("later", "system-trouble")
HELP_TOPIC("limits", "rate-limited too-many-connections")
HELP_TOPIC("lines", "X.5.2 content-refused")
HELP_TOPIC("lmtp", "lmtp-only")
HELP_TOPIC("login", "auth-required auth-failed")
HELP_TOPIC("loop", "loop")
HELP_TOPIC("nomail", "521")
HELP_TOPIC("parameters", "X.5.4")
HELP_TOPIC("proxy", "XCLIENT")
HELP_TOPIC("recipient", "user-unknown")
HELP_TOPIC("recipients", "too-many-recipients")
HELP_TOPIC("relay", "relaying-denied")
HELP_TOPIC("sender", "sender-refused")
HELP_TOPIC("size", "message-too-big")
HELP_TOPIC("slow", "X.4.2")
HELP_TOPIC("solicitation", "NO-SOLICITING")
HELP_TOPIC("tls", "tls-required")
