/* SPDX-License-Identifier: Apache-2.0 */
/** @file mesh/version.h
 *  The version at build time (macros), at run time (functions), and per feature. */
#ifndef MESH_VERSION_H
#define MESH_VERSION_H

#include <stdint.h>
#include <mesh/export.h>

#define MESH_VERSION_MAJOR 0
#define MESH_VERSION_MINOR 1
#define MESH_VERSION_PATCH 0

MESH_BEGIN_DECLS

/**
 * The version of the library that is loaded, which may be newer than the header a program was built with.
 *
 * @return major * 10000 + minor * 100 + patch; 0.1.0 is 100.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_version(void);

/**
 * The version of the loaded library as text, for example "0.1.0".
 *
 * @return a constant string; never NULL.
 * Threads: any. Since 0.1.
 */
MESH_API const char *mesh_version_string(void);

/**
 * Whether the loaded library has a feature.
 *
 * @param feature  "h2", "h1", "tls", "dns", "srv", "streams", "threadless"; others are unknown and answer 0. Borrowed; NULL is 0.
 * @return 1 when it has, else 0.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_has(const char *feature);

MESH_END_DECLS

#endif
