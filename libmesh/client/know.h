/* SPDX-License-Identifier: Apache-2.0 */
/* A service that somebody wants to look at: resolved, and connected if wanted. Private to client/. */
#ifndef CLIENT_KNOW_H
#define CLIENT_KNOW_H

#include "client/client.h"

/* Zeroed, then the first group set; on the stack of who asks. */
struct knowing {
    struct lane *lane;
    struct route_request what;
    bool is_cluster; /* what.service is the key of one */
    bool connect;
    uint64_t until_us;

    struct cluster *cluster;    /* a reference; NULL: not known, or the route answers itself */
    struct route_choice choice; /* once it is known; routes: a reference */
    bool is_known;
    struct fault fault;
    struct request_env *env;
    struct loop_timer look;
    struct loop_waiter waiter;
    int32_t err;
};

/* Waits until the endpoints are known, or the time is over. MESH_ERR_TIMEOUT, MESH_ERR_NO_ROUTE, ... with a sentence; a cluster
 * that is known is given all the same. */
int32_t know_service(struct knowing *knowing);
/* Gives back what it found. Inside the lane. */
void know_forget(struct knowing *knowing);
/* "error": null, or an object of code and detail. */
void know_write_error(struct json_writer *w, const struct fault *fault);
const char *know_state_name(enum model_endpoints_state state);

#endif
