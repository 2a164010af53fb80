/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets as the kernel knows them: opened, told how to behave, connecting. */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <stdbool.h>

#include "base/base.h"

/* Begins to connect, without waiting. The descriptor, which is the caller's, with *error 0 (connected) or EINPROGRESS (writable
 * when that has an end: net_socket_outcome()); or -1 with *error saying why not. */
int net_socket_connect(const struct addr *addr, int *error);
/* How connecting ended: 0 or an errno. */
int net_socket_outcome(int fd, const struct addr *addr);
/* True when this process or machine is to blame for the errno, not the address. */
bool net_socket_error_is_ours(int error);
/* The errno as part of a sentence, with what to do where that is known. Returns out. */
const char *net_socket_error_text(int error, char out[FAULT_TEXT]);

#endif
