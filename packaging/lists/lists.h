/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What manuals and completions list, written from the tables by which the programs parse and help.
 * Each writes one list as its kind of page wants it.
 */
#ifndef FLOWNER_LISTS_H
#define FLOWNER_LISTS_H

#include <stdio.h>

void mdoc_commands(FILE *out); /* of flowner, with their own options */
void mdoc_filters(FILE *out);
void mdoc_options(FILE *out);	 /* of every command */
void mdoc_arguments(FILE *out);	 /* of flownerd */
void mdoc_settings(FILE *out);	 /* of flowner.yaml */
void mdoc_attributes(FILE *out); /* of a policy: which hook has which */
void mdoc_parameters(FILE *out); /* of the API: filters */
void mdoc_attempt(FILE *out);	 /* the same of an attempt that is tried */

void bash_commands(FILE *out);
void zsh_commands(FILE *out);

#endif
