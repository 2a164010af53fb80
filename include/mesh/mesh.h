/* SPDX-License-Identifier: Apache-2.0 */
/** @file mesh/mesh.h
 *  libmesh: calls between services, by name, with everything a sidecar does - inside the process.
 *
 *      #include <mesh/mesh.h>
 *
 *      struct mesh_request_opts opts = { .size = sizeof opts, .service = "users", .path = "/v1/users/42" };
 *      struct mesh_response *response;
 *      if (mesh_request(NULL, &opts, &response) == 0)
 *          printf("%d\n", mesh_response_status(response));
 *      mesh_response_free(response);
 *
 *  with  MESH_SERVICES='users=h2c://10.0.0.1:80@zone-a,10.0.0.2:80@zone-b'  in the environment.
 */
#ifndef MESH_MESH_H
#define MESH_MESH_H

#include <mesh/client.h>
#include <mesh/conf.h>
#include <mesh/error.h>
#include <mesh/export.h>
#include <mesh/log.h>
#include <mesh/loop.h>
#include <mesh/queue.h>
#include <mesh/request.h>
#include <mesh/response.h>
#include <mesh/stream.h>
#include <mesh/version.h>
#include <mesh/xds.h>

#endif
