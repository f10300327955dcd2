/* "postrider ledger". */
#pragma once

int cli_ledger(int argc, char **argv);
