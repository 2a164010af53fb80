/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of codes ("statuscodes.md", "http-grpc-status-mapping.md", "PROTOCOL-HTTP2.md" of gRPC), and percent-encoding. */
#include "grpc/status.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/base.h"

void grpc_status_set(struct grpc_status *status, enum grpc_code code, const char *format, ...)
{
    va_list args;

    *status = (struct grpc_status){ .code = code };
    va_start(args, format);
    vsnprintf(status->message, sizeof status->message, format, args);
    va_end(args);
}

const char *grpc_code_name(int code)
{
    static const char *const names[GRPC_CODES] = {
        "OK",        "CANCELLED",       "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
        "NOT_FOUND", "ALREADY_EXISTS",  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
        "ABORTED",   "OUT_OF_RANGE",    "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
        "DATA_LOSS", "UNAUTHENTICATED",
    };

    return code >= 0 && code < GRPC_CODES ? names[code] : "?";
}

enum grpc_code grpc_code_of_http(int status)
{
    switch (status) {
    case 400:
    case 431:
        return GRPC_INTERNAL;
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
        return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_UNKNOWN;
    }
}

/* STREAM_CLOSED and HTTP_1_1_REQUIRED are not in the specification's table: INTERNAL as in grpc-go. */
enum grpc_code grpc_code_of_reset(uint32_t error_code)
{
    enum { REFUSED_STREAM = 7, CANCEL = 8, ENHANCE_YOUR_CALM = 11, INADEQUATE_SECURITY = 12 };

    switch (error_code) {
    case REFUSED_STREAM:
        return GRPC_UNAVAILABLE;
    case CANCEL:
        return GRPC_CANCELLED;
    case ENHANCE_YOUR_CALM:
        return GRPC_RESOURCE_EXHAUSTED;
    case INADEQUATE_SECURITY:
        return GRPC_PERMISSION_DENIED;
    default:
        return GRPC_INTERNAL;
    }
}

enum grpc_code grpc_code_of_error(int32_t err)
{
    switch (err) {
    case 0:
        return GRPC_OK;
    case MESH_ERR_CANCELLED:
        return GRPC_CANCELLED;
    case MESH_ERR_TIMEOUT:
        return GRPC_DEADLINE_EXCEEDED;
    case MESH_ERR_TOO_LARGE:
    case MESH_ERR_NOMEM:
        return GRPC_RESOURCE_EXHAUSTED;
    case MESH_ERR_PROTOCOL:
    case MESH_ERR_INVALID:
    case MESH_ERR_INTERNAL:
        return GRPC_INTERNAL;
    default:
        return GRPC_UNAVAILABLE;
    }
}

/* ---- grpc-message ---- */

static int value_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that an escape stands for; -1: it is none, or NUL, which would end the text. */
static int escaped(const char *text, size_t len)
{
    int high, low;

    if (len < 3 || text[0] != '%')
        return -1;
    high = value_of(text[1]);
    low = value_of(text[2]);
    return high < 0 || low < 0 || high + low == 0 ? -1 : high << 4 | low;
}

static bool continues_character(char c)
{
    return ((unsigned char) c & 0xc0) == 0x80;
}

void grpc_message_read(const char *text, size_t len, char *out, size_t cap)
{
    size_t n = 0, at = 0;

    while (at < len && n < cap) {
        int byte = escaped(text + at, len - at);

        out[n++] = byte < 0 ? text[at] : (char) byte;
        at += byte < 0 ? 1 : 3;
    }
    if (n == cap) { /* one too many: the cut is before it, and before the character that it continues */
        n--;
        for (size_t back = 0; back < 3 && n > 0 && continues_character(out[n]); back++)
            n--;
    }
    out[n] = '\0';
}
