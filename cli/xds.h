/* SPDX-License-Identifier: Apache-2.0 */
/* `mesh xds`: what its commands share. */
#ifndef CLI_XDS_H
#define CLI_XDS_H

#include "cli/cli.h"
#include "cli/output.h"

/* Tables: xds_status.c. */
void xds_print_status(const json_t *described);

/* What is to be said about it, as an array of objects: what ("service \"users\""), detail, is_failure; xds_lint.c. */
json_t *xds_findings(const json_t *described, char *const *services, size_t n_services);
void xds_print_findings(const json_t *findings);

#endif
