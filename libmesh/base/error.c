/* SPDX-License-Identifier: Apache-2.0 */
/* One table makes names, classes and texts of the error codes. */
#include "base/error.h"

#define ENTRY(name, class, text) \
    {                            \
        name, class, #name, text \
    }

static const struct error_entry table[] = {
    ENTRY(MESH_OK, MESH_CLASS_NONE, "no error"),
    ENTRY(MESH_ERR_INVALID, MESH_CLASS_CALLER, "an argument, option or configuration value is wrong"),
    ENTRY(MESH_ERR_TOO_NEW, MESH_CLASS_CALLER, "a struct has a field set that this version of libmesh does not know"),
    ENTRY(MESH_ERR_NOMEM, MESH_CLASS_CALLER, "out of memory"),
    ENTRY(MESH_ERR_AGAIN, MESH_CLASS_CALLER, "not possible now without waiting; an event will tell"),
    ENTRY(MESH_ERR_INTERRUPTED, MESH_CLASS_CALLER, "a signal ended the wait"),
    ENTRY(MESH_ERR_CANCELLED, MESH_CLASS_CALLER, "the request was cancelled"),
    ENTRY(MESH_ERR_CLOSING, MESH_CLASS_CALLER, "the client is being closed"),
    ENTRY(MESH_ERR_INTERNAL, MESH_CLASS_CALLER, "a defect of libmesh; please report it with the log"),
    ENTRY(MESH_ERR_IO, MESH_CLASS_CALLER, "the operating system refused a file, descriptor or thread"),
    ENTRY(MESH_ERR_NO_ROUTE, MESH_CLASS_CONFIG, "no service, route or cluster for the name"),
    ENTRY(MESH_ERR_NO_HEALTHY, MESH_CLASS_LOCAL, "the cluster has no endpoint to send to"),
    ENTRY(MESH_ERR_DNS, MESH_CLASS_NETWORK, "the name was not resolved"),
    ENTRY(MESH_ERR_CONNECT, MESH_CLASS_NETWORK, "no connection: refused, unreachable or no answer in time"),
    ENTRY(MESH_ERR_TLS, MESH_CLASS_NETWORK, "no trust: certificate, name or handshake"),
    ENTRY(MESH_ERR_RESET, MESH_CLASS_NETWORK, "the connection or the stream ended before the answer did"),
    ENTRY(MESH_ERR_PROTOCOL, MESH_CLASS_NETWORK, "the peer broke the protocol"),
    ENTRY(MESH_ERR_TIMEOUT, MESH_CLASS_TIME, "the deadline passed"),
    ENTRY(MESH_ERR_TOO_LARGE, MESH_CLASS_TIME, "the answer exceeds a limit of size"),
    ENTRY(MESH_ERR_OVERFLOW, MESH_CLASS_LOCAL, "a limit of the circuit breaker is reached; nothing was sent"),
    ENTRY(MESH_ERR_RATE_LIMITED, MESH_CLASS_LOCAL, "the service's rate limit is reached; nothing was sent"),
    ENTRY(MESH_ERR_THROTTLED, MESH_CLASS_LOCAL, "the service is overloaded and was spared; nothing was sent"),
};

const struct error_entry *error_entry_at(size_t index)
{
    return index < sizeof table / sizeof *table ? &table[index] : NULL;
}

const struct error_entry *error_entry(int32_t code)
{
    const struct error_entry *entry;

    for (size_t i = 0; (entry = error_entry_at(i)); i++)
        if (entry->code == code)
            return entry;
    return NULL;
}

const char *error_name(int32_t code)
{
    const struct error_entry *entry = error_entry(code);

    return entry ? entry->name : "MESH_ERR_UNKNOWN";
}

const char *error_text(int32_t code)
{
    const struct error_entry *entry = error_entry(code);

    return entry ? entry->text : "no error of libmesh has this number";
}
