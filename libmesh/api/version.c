/* SPDX-License-Identifier: Apache-2.0 */
/* mesh/version.h and mesh/error.h: constants with function twins. */
#include <string.h>

#include "api/api.h"

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x

int32_t mesh_version(void)
{
    return MESH_VERSION_MAJOR * 10000 + MESH_VERSION_MINOR * 100 + MESH_VERSION_PATCH;
}

const char *mesh_version_string(void)
{
    return TEXT_OF(MESH_VERSION_MAJOR) "." TEXT_OF(MESH_VERSION_MINOR) "." TEXT_OF(MESH_VERSION_PATCH);
}

int32_t mesh_has(const char *feature)
{
    static const char *const features[] = { "h2", "h1", "tls", "dns", "srv", "streams", "threadless" };

    for (size_t i = 0; feature && i < COUNT_OF(features); i++)
        if (strcmp(feature, features[i]) == 0)
            return 1;
    return 0;
}

const char *mesh_strerror(int32_t err)
{
    return error_text(err);
}

const char *mesh_error_name(int32_t err)
{
    return error_name(err);
}

int32_t mesh_error_class(int32_t err)
{
    const struct error_entry *entry = error_entry(err);

    return entry ? entry->class : MESH_CLASS_CALLER;
}
