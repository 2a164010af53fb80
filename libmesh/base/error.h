/* SPDX-License-Identifier: Apache-2.0 */
/* The table behind the error codes of mesh/error.h: name, class and text of each. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include <mesh/error.h>

struct error_entry {
    int32_t code;
    int32_t class;
    const char *name; /* "MESH_ERR_TIMEOUT" */
    const char *text;
};

/* NULL for numbers that are no error of ours. */
const struct error_entry *error_entry(int32_t code);
const char *error_name(int32_t code);
const char *error_text(int32_t code);
/* Walks the table, for the test that compares it with the header; NULL beyond the end. */
const struct error_entry *error_entry_at(size_t index);

#endif
