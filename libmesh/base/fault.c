/* SPDX-License-Identifier: Apache-2.0 */
/* Making and passing on faults. */
#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int32_t fault_set(struct fault *fault, int32_t code, const char *format, ...)
{
    va_list args;

    if (!fault)
        return code;
    fault->code = code;
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    return code;
}

int32_t fault_prefix(struct fault *fault, const char *format, ...)
{
    char text[FAULT_TEXT];
    va_list args;
    int n;

    if (!fault)
        return MESH_ERR_INTERNAL;
    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= 0 && (size_t) n < sizeof text)
        snprintf(text + n, sizeof text - (size_t) n, "%s", fault->text);
    memcpy(fault->text, text, sizeof text);
    return fault->code;
}

int32_t fault_tell(const struct fault *fault, char *out, size_t out_len)
{
    if (out && out_len > 0)
        snprintf(out, out_len, "%s", fault->text);
    return fault->code;
}

const char *fault_errno(int error, char out[FAULT_TEXT])
{
    const char *text = strerror_r(error, out, FAULT_TEXT);

    if (text != out)
        snprintf(out, FAULT_TEXT, "%s", text);
    return out;
}
