/* "postrider tlsrpt": how TLS sessions with other domains' servers went, as RFC 8460 reports it. */
#pragma once

int cli_tlsrpt(int argc, char **argv);
