/* SPDX-License-Identifier: Apache-2.0 */
/* mesh/conf.h and mesh/log.h: configuration. */
#include "api/api.h"

struct mesh_conf *mesh_conf_new(void)
{
    return (struct mesh_conf *) conf_new();
}

static int32_t tell(int32_t code, const struct fault *fault, char *err, size_t err_len)
{
    fault_tell(fault, err, err_len);
    return code;
}

int32_t mesh_conf_set(struct mesh_conf *conf, const char *key, const char *value, char *err, size_t err_len)
{
    struct fault fault = { 0 };

    if (!conf || !key || !value)
        return tell(MESH_ERR_INVALID, &(struct fault){ .text = "conf, key or value is NULL" }, err, err_len);
    return tell(conf_set(api_conf(conf), key, value, &fault), &fault, err, err_len);
}

int32_t mesh_conf_read_env(struct mesh_conf *conf, char *err, size_t err_len)
{
    struct fault fault = { 0 };

    if (!conf)
        return tell(MESH_ERR_INVALID, &(struct fault){ .text = "conf is NULL" }, err, err_len);
    return tell(conf_read_env(api_conf(conf), &fault), &fault, err, err_len);
}

int32_t mesh_conf_read_file(struct mesh_conf *conf, const char *path, char *err, size_t err_len)
{
    struct fault fault = { 0 };

    if (!conf || !path)
        return tell(MESH_ERR_INVALID, &(struct fault){ .text = "conf or path is NULL" }, err, err_len);
    return tell(conf_read_file(api_conf(conf), path, &fault), &fault, err, err_len);
}

int32_t mesh_conf_describe(const struct mesh_conf *conf, int32_t all, char **out)
{
    if (!out)
        return MESH_ERR_INVALID;
    *out = NULL;
    if (!conf)
        return MESH_ERR_INVALID;
    *out = conf_describe(api_conf(conf), all != 0);
    return *out ? 0 : MESH_ERR_NOMEM;
}

int32_t mesh_conf_keys(char **out)
{
    if (!out)
        return MESH_ERR_INVALID;
    *out = conf_keys();
    return *out ? 0 : MESH_ERR_NOMEM;
}

int32_t mesh_conf_set_log(struct mesh_conf *conf, mesh_log_fn fn, void *user)
{
    if (!conf)
        return MESH_ERR_INVALID;
    conf_set_log(api_conf(conf), fn, user);
    return 0;
}

void mesh_conf_free(struct mesh_conf *conf)
{
    conf_free(api_conf(conf));
}
