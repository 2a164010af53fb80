"""A gRPC server (Debian's python3-grpcio) whose messages are plain bytes: what a call says decides how it is answered.

    python3 grpc_server.py

Prints its port, serves until its standard input ends. Methods of /test.Echo/:

    Unary     answers with the request; metadata "x-..." comes back in the head and, as "t-...", in the trailers
    Count     server streaming: "N SIZE" gives N messages of SIZE bytes, N 0 endless
    Bidi      each message comes back
    Sleep     answers never; the time that it is told of comes back in the head as "left-ms"
    Fail      "CODE text" ends with it; status details and a binary trailer go along
    Gzip      like Unary, compressed
"""

import concurrent.futures
import itertools
import sys
import threading

import grpc

stopping = threading.Event()


def unary(request, context):
    given = [(key, value) for key, value in context.invocation_metadata() if key.startswith("x-")]
    context.send_initial_metadata(given)
    context.set_trailing_metadata([("t-" + key, value) for key, value in given])
    return request


def count(request, context):
    n, size = map(int, request.split())
    for i in itertools.count() if n == 0 else range(n):
        if not context.is_active():
            return
        yield bytes([i % 256]) * size


def bidi(requests, context):
    yield from requests


def sleep(request, context):
    left = context.time_remaining()
    context.send_initial_metadata([("left-ms", str(round(left * 1000)) if left is not None else "none")])
    gone = threading.Event()
    context.add_callback(gone.set)
    while not gone.wait(0.1) and not stopping.is_set():
        pass
    return b""


def fail(request, context):
    code, _, text = request.decode().partition(" ")
    context.set_trailing_metadata([("grpc-status-details-bin", b"\x08\x05"), ("why-bin", b"\x00\xff")])
    context.abort(next(c for c in grpc.StatusCode if c.value[0] == int(code)), text)


def zipped(request, context):
    context.set_compression(grpc.Compression.Gzip)
    return request


METHODS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Bidi": grpc.stream_stream_rpc_method_handler(bidi),
    "Sleep": grpc.unary_unary_rpc_method_handler(sleep),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Gzip": grpc.unary_unary_rpc_method_handler(zipped),
}


def main():
    limits = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), options=limits)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Echo", METHODS)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    stopping.set()
    server.stop(None)


main()
