/* "postrider trace": what happened in attempts to deliver, step by step. */
#pragma once

int cli_trace(int argc, char **argv);
