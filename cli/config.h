/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where options come from that are not on the command line: WEIR_NAME, then HUBBLE_NAME of the environment, then the
 * configuration file: YAML with the long names of options. That is for the options of config_keys alone.
 */
#ifndef WEIR_CLI_CONFIG_H
#define WEIR_CLI_CONFIG_H

#include <jansson.h>

#include "cli/cli.h"

struct config_key {
	const char *name;     /* of the option; NULL ends the table */
	const char *fallback; /* what holds when nobody says anything */
};
extern const struct config_key config_keys[];

/* For cli_parse: the options that were not given; args is the command's. CLI_WRONG after having said why. */
int config_apply(const struct cli_usage *usage, const bool *given, void *args);

/* --config FILE */
int config_set_file(const struct cli_option *o, const char *value, void *args, struct err *reterr);
/* Of --config, of WEIR_CONFIG, else below XDG_CONFIG_HOME or ~/.config. buf of PATH_MAX. */
int config_path(char *buf, struct err *reterr);
/* An object, empty when there is no file, which is well unless somebody named it. */
int config_load(json_t **ret_root, struct err *reterr);

/* Calls on_text for each value of the option, as text: several for a list, none when nothing is said. */
int config_each(const char *key, const json_t *root,
		int (*on_text)(const char *text, void *userdata, struct err *reterr), void *userdata,
		struct err *reterr);

#endif
