/* What the files of "postrider config" share. */
#pragma once

#include <jansson.h>

#include "conf/conf.h"

/* Every value, defaults too; the caller's. */
json_t *cli_config_json(const struct conf *conf);
