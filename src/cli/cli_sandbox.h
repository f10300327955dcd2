#pragma once

int cli_sandbox(int argc, char **argv);
