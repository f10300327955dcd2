#pragma once

/* "postrider providers": those that are known, what they let a sender have, and who says so. */
int cli_providers(int argc, char **argv);
