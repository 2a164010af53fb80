/* SPDX-License-Identifier: Apache-2.0 */
/* The door of grpc/: calls of gRPC on HTTP/2 connections that somebody else keeps. It knows no services, balancing, retries or
 * protobuf: a method is a path, a message is bytes.
 *
 *   stream.h    a call: open, send, receive, end. All that is used from elsewhere in most cases.
 *   metadata.h  names and values that go along
 *   status.h    how it ended: codes, and what HTTP statuses, resets and errors mean as codes
 *   frame.h     messages in the bytes of a body
 *   answer.h    what an answer's headers say
 *   timeout.h   the value of grpc-timeout
 *   base64.h, inflate.h
 *
 * All but stream.h are pure: no loop, no clock, no connection. */
#ifndef GRPC_GRPC_H
#define GRPC_GRPC_H

#include "grpc/metadata.h"
#include "grpc/status.h"
#include "grpc/stream.h"
#include "grpc/timeout.h"

#endif
