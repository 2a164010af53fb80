/* SPDX-License-Identifier: Apache-2.0 */
/* mesh/response.h: reading a response. */
#include "api/api.h"

int32_t mesh_response_status(const struct mesh_response *response)
{
    return response ? response->status : 0;
}

int32_t mesh_response_body(const struct mesh_response *response, const void **data, size_t *len)
{
    if (!data || !len)
        return MESH_ERR_INVALID;
    *len = response ? buf_len(&response->body) : 0;
    *data = *len > 0 ? buf_bytes(&response->body) : NULL;
    return 0;
}

static const char *find(const struct mesh_response *response, const char *name, bool is_trailer)
{
    return response && name ? response_find(response, name, is_trailer) : NULL;
}

const char *mesh_response_header(const struct mesh_response *response, const char *name)
{
    return find(response, name, false);
}

const char *mesh_response_trailer(const struct mesh_response *response, const char *name)
{
    return find(response, name, true);
}

static size_t field_at(const struct mesh_response *response, size_t index, bool is_trailer, const char **name,
                       const char **value)
{
    const struct response_field *field = response ? response_field_at(response, index, is_trailer) : NULL;

    if (name)
        *name = field ? response_text(response, field->name) : NULL;
    if (value)
        *value = field ? response_text(response, field->value) : NULL;
    if (!response)
        return 0;
    return is_trailer ? response->n_trailers : response->n_fields - response->n_trailers;
}

size_t mesh_response_header_at(const struct mesh_response *response, size_t index, const char **name,
                               const char **value)
{
    return field_at(response, index, false, name, value);
}

size_t mesh_response_trailer_at(const struct mesh_response *response, size_t index, const char **name,
                                const char **value)
{
    return field_at(response, index, true, name, value);
}

int32_t mesh_response_error(const struct mesh_response *response)
{
    return response ? response->err : 0;
}

const char *mesh_response_detail(const struct mesh_response *response)
{
    return response && response->detail ? response->detail : "";
}

uint32_t mesh_response_attempts(const struct mesh_response *response)
{
    return response ? response->attempts : 0;
}

const char *mesh_response_endpoint(const struct mesh_response *response)
{
    return response ? response->endpoint : "";
}

const char *mesh_response_zone(const struct mesh_response *response)
{
    return response ? response->zone : "";
}

uint64_t mesh_response_duration_us(const struct mesh_response *response)
{
    return response ? response->duration_us : 0;
}

const char *mesh_response_explanation(const struct mesh_response *response)
{
    return response ? response->explanation : NULL;
}

void mesh_response_free(struct mesh_response *response)
{
    response_free(response);
}
