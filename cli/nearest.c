/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the name that takes the fewest edits. */
#include "cli/cli.h"

#include <string.h>

enum { LONGEST_NAME = 63 };

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions and replacements from one text to the other (Wagner-Fischer, one row). */
static size_t edits_between(const char *a, const char *b)
{
    size_t row[LONGEST_NAME + 1], b_len = strlen(b);

    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (; *a; a++) {
        size_t diagonal = row[0]++;

        for (size_t j = 1; j <= b_len; j++) {
            size_t replaced = diagonal + (*a != b[j - 1]);

            diagonal = row[j];
            row[j] = least_of(replaced, least_of(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_len];
}

const char *nearest_name(const char *typed, const char *const *names, size_t n_names)
{
    size_t len = strlen(typed), fewest = len / 3 + 2;
    const char *nearest = NULL;

    if (len == 0 || len > LONGEST_NAME)
        return NULL;
    for (size_t i = 0; i < n_names; i++) {
        size_t edits;

        if (strlen(names[i]) > LONGEST_NAME)
            continue;
        edits = strncmp(names[i], typed, len) == 0 ? 0 : edits_between(typed, names[i]);
        if (edits < fewest && edits < strlen(names[i])) {
            fewest = edits;
            nearest = names[i];
        }
    }
    return nearest;
}
