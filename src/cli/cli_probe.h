/* "postrider probe": the way to a destination, walked as delivery would, without a message. */
#pragma once

int cli_probe(int argc, char **argv);
