/* SPDX-License-Identifier: Apache-2.0 */
/* How a call ended: gRPC's codes, their names, and what else - HTTP statuses, reset codes, errors of ours - means as a code. Pure. */
#ifndef GRPC_STATUS_H
#define GRPC_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "statuscodes.md" of gRPC. */
enum grpc_code {
    GRPC_OK = 0,
    GRPC_CANCELLED = 1,
    GRPC_UNKNOWN = 2,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_NOT_FOUND = 5,
    GRPC_ALREADY_EXISTS = 6,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_FAILED_PRECONDITION = 9,
    GRPC_ABORTED = 10,
    GRPC_OUT_OF_RANGE = 11,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14,
    GRPC_DATA_LOSS = 15,
    GRPC_UNAUTHENTICATED = 16,
};

enum {
    GRPC_CODES = 17,
    GRPC_MESSAGE_MOST = 1024,    /* bytes of a message that are kept */
    GRPC_DETAILS_MOST = 8 << 10, /* bytes of details; larger ones are left out */
};

struct grpc_status {
    enum grpc_code code;
    bool from_peer;                      /* it stood in the answer's grpc-status; else this side found it */
    char message[GRPC_MESSAGE_MOST + 1]; /* a peer's own bytes, whatever they are: escape before showing them */
    const uint8_t *details;              /* google.rpc.Status of grpc-status-details-bin; NULL: none */
    size_t n_details;
};

/* A status that this side found. */
void grpc_status_set(struct grpc_status *status, enum grpc_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "UNAVAILABLE"; "?" for unknown numbers. */
const char *grpc_code_name(int code);
/* Of an answer without grpc-status. Never GRPC_OK. */
enum grpc_code grpc_code_of_http(int status);
/* Of a peer's RST_STREAM. */
enum grpc_code grpc_code_of_reset(uint32_t error_code);
/* Of a MESH_ERR_*. */
enum grpc_code grpc_code_of_error(int32_t err);

/* Decodes a grpc-message: wrong escapes, and %00, stay as they are. Cut at cap - 1 bytes, not within a character of UTF-8. */
void grpc_message_read(const char *text, size_t len, char *out, size_t cap);

#endif
