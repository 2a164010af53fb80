/* SPDX-License-Identifier: Apache-2.0 */
/** @file mesh/conf.h
 *  Configuration as keys and values; docs/configuration.md lists every key.
 *
 *      struct mesh_conf *conf = mesh_conf_new();
 *      mesh_conf_set(conf, "services.users.target", "h2c://users.internal:80", why, sizeof why);
 *      mesh_conf_set(conf, "retry.attempts", "2", why, sizeof why);      // the default of all services
 *      mesh_client_new(conf, &client, why, sizeof why);
 *      mesh_conf_free(conf);
 *
 *  What was set here wins over the environment, the environment over a file, a file over the defaults - whatever the
 *  order of the calls. The same key set twice here: the last one.
 */
#ifndef MESH_CONF_H
#define MESH_CONF_H

#include <stddef.h>
#include <stdint.h>
#include <mesh/error.h>
#include <mesh/export.h>

MESH_BEGIN_DECLS

struct mesh_conf;

/**
 * An empty configuration: every value at its default, the environment not read.
 *
 * @return owned by the caller (mesh_conf_free()); NULL: out of memory.
 * Threads: any. Since 0.1.
 */
MESH_API struct mesh_conf *mesh_conf_new(void);

/**
 * Set one key.
 *
 * @param conf     borrowed; unchanged on failure.
 * @param key      "retry.attempts" (default of all services), "services.users.retry.attempts", "zone", ...; borrowed.
 * @param value    text; lists and objects as JSON; borrowed.
 * @param err, err_len  where a sentence about a failure goes: key, value, what is allowed, the nearest key. May be NULL, 0.
 * @return 0, MESH_ERR_INVALID, MESH_ERR_NOMEM.
 * Threads: one at a time for one conf. Since 0.1.
 */
MESH_API int32_t mesh_conf_set(struct mesh_conf *conf, const char *key, const char *value, char *err, size_t err_len);

/**
 * Take MESH_* variables from the environment, MESH_CONFIG's file or JSON included.
 *
 * @param conf     borrowed; unchanged on failure.
 * @param err, err_len  where a sentence about a failure goes. May be NULL, 0.
 * @return 0, MESH_ERR_INVALID, MESH_ERR_IO (the file), MESH_ERR_NOMEM. An unknown MESH_ variable is a warning in the log.
 * Threads: one at a time for one conf, and nobody changes the environment meanwhile. Since 0.1.
 */
MESH_API int32_t mesh_conf_read_env(struct mesh_conf *conf, char *err, size_t err_len);

/**
 * Read a JSON file. A client made from the configuration watches it and takes changes up. There is one such file: a
 * second one replaces the first, and one that the key "config" or MESH_CONFIG names is used instead.
 *
 * @param conf     borrowed; unchanged on failure.
 * @param path     file, borrowed; relative names in it are relative to its folder.
 * @param err, err_len  where a sentence about a failure goes: file, line, key. May be NULL, 0.
 * @return 0, MESH_ERR_INVALID, MESH_ERR_IO, MESH_ERR_NOMEM.
 * Threads: one at a time for one conf. Since 0.1.
 */
MESH_API int32_t mesh_conf_read_file(struct mesh_conf *conf, const char *path, char *err, size_t err_len);

/**
 * The effective configuration as one JSON object: each key with its value and its origin
 * ("set", "environment MESH_…", "file …", "default").
 *
 * @param conf  borrowed.
 * @param all   1: also the keys that stand at their default; 0: only what was given.
 * @param out   JSON text, owned by the caller (mesh_string_free()); NULL on failure.
 * @return 0, MESH_ERR_INVALID, MESH_ERR_NOMEM.
 * Threads: one at a time for one conf. Since 0.1.
 */
MESH_API int32_t mesh_conf_describe(const struct mesh_conf *conf, int32_t all, char **out);

/**
 * Every key that exists, as one JSON array: name, environment name, type, range, default, help.
 *
 * @param out   JSON text, owned by the caller (mesh_string_free()); NULL on failure.
 * @return 0, MESH_ERR_INVALID, MESH_ERR_NOMEM.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_conf_keys(char **out);

/**
 * Free a configuration. Clients made from it have their own copy.
 *
 * @param conf  consumed; NULL is fine.
 * Threads: any, one at a time. Since 0.1.
 */
MESH_API void mesh_conf_free(struct mesh_conf *conf);

MESH_END_DECLS

#endif
