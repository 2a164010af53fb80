/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share. Each is one file: LLVMFuzzerTestOneInput() takes what strangers could send. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What always holds. */
#define FUZZ_CHECK(holds) ((holds) ? (void) 0 : fuzz_failed(#holds, __FILE__, __LINE__))

static inline void fuzz_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

/* A text of its own, so that reading beyond it is noticed; ends at the first NUL. Freed by the caller. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

#endif
