#pragma once

int cli_protocol(int argc, char **argv);
