/* SPDX-License-Identifier: Apache-2.0 */
/* What the headers of an answer say about a call: whether it is gRPC's at all, how messages are compressed, how it ended. Pure.
 *
 * A status stands in the trailers, or in the head of an answer without a body ("Trailers-Only"). */
#ifndef GRPC_ANSWER_H
#define GRPC_ANSWER_H

#include "base/base.h"
#include "grpc/frame.h"
#include "grpc/status.h"

/* Zeroed is one of which nothing has come. */
struct grpc_answer {
    int http_status;
    bool is_foreign;  /* by its content-type */
    bool has_trailer; /* or a body: the head's status does not count */
    enum grpc_encoding encoding;
    char type[64];       /* the foreign one */
    unsigned n_statuses; /* how often grpc-status came */
    bool unreadable;
    uint64_t code;
    char said[24]; /* the value of grpc-status */
    char message[GRPC_MESSAGE_MOST + 1];
    struct buf details;
};

/* MESH_ERR_NOMEM, or 0. */
int32_t grpc_answer_header(struct grpc_answer *answer, const char *name, size_t name_len, const char *value,
                           size_t value_len, bool is_trailer);
/* The head is whole. */
void grpc_answer_head(struct grpc_answer *answer, int http_status);
/* A piece of a body has come. */
void grpc_answer_body(struct grpc_answer *answer);
/* The head says that no message of gRPC can follow. */
bool grpc_answer_is_other(const struct grpc_answer *answer);
/* How the call ended, if nothing more comes. Its details lie in the answer. */
void grpc_answer_judge(const struct grpc_answer *answer, struct grpc_status *status);
void grpc_answer_free(struct grpc_answer *answer);

#endif
