/*
 * config_text.h - the table of keys as users read it: --help, the manual page, an
 * example file.
 */
#ifndef SESSIONS_CONFIG_TEXT_PRIVATE_H
#define SESSIONS_CONFIG_TEXT_PRIVATE_H

#include <stdio.h>

#include "config.h"

/* At most 80 columns wide. */
void config_print_help(FILE *out);

/* The flags as a manual page has them, in roff. */
void config_print_manual(FILE *out);

/* A configuration file in which every key stands at its default, behind a #. */
void config_print_example(FILE *out);

#endif /* SESSIONS_CONFIG_TEXT_PRIVATE_H */
