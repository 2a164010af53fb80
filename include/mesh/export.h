/* SPDX-License-Identifier: Apache-2.0 */
/** @file mesh/export.h
 *  Marks what the library exports; nothing else is visible outside it. */
#ifndef MESH_EXPORT_H
#define MESH_EXPORT_H

#if defined(__GNUC__) || defined(__clang__)
#define MESH_API __attribute__((visibility("default")))
#else
#define MESH_API
#endif

#ifdef __cplusplus
#define MESH_BEGIN_DECLS extern "C" {
#define MESH_END_DECLS   }
#else
#define MESH_BEGIN_DECLS
#define MESH_END_DECLS
#endif

#endif
