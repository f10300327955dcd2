/* Words about topics: what their kinds are called. */
WORD(WORD_KIND_KEYWORD, "Keyword of EHLO")
WORD(WORD_KIND_ACTION, "Action of a delivery status notification")
WORD(WORD_KIND_AUTH_RESULT, "Result of an authentication check")
WORD(WORD_KIND_TLS_RESULT, "Result type of a TLS report")
WORD(WORD_KIND_REASON, "Reason of a refusal")
WORD(WORD_KIND_FINDING, "Finding of postrider check")
