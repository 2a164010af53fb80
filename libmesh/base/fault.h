/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, as code and as sentence, on its way up to whoever must know. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stddef.h>
#include <stdint.h>

#include <mesh/error.h>

enum { FAULT_TEXT = 320 };

/* Embedded by value; text is cut at its size. A zeroed fault is none. */
struct fault {
    int32_t code; /* enum mesh_err */
    char text[FAULT_TEXT];
};

/* Sets both and returns the code. `fault` may be NULL. */
int32_t fault_set(struct fault *fault, int32_t code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Puts words in front of the sentence, keeping the code. Returns the code. */
int32_t fault_prefix(struct fault *fault, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Copies the sentence to what a public function was given; out_len 0 is fine. Returns the code. */
int32_t fault_tell(const struct fault *fault, char *out, size_t out_len);
/* The sentence for an errno value, whatever the thread. */
const char *fault_errno(int error, char out[FAULT_TEXT]);

#endif
