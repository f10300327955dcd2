/* "postrider reference": the web reference as files. */
#pragma once

int cli_reference(int argc, char **argv);
