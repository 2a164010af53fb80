"""Calls by grpcio, as told on standard input: one JSON object a line, one line of JSON for each back.

    {"target": "xds:///name"}                                        where the next calls go
    {"calls": 100, "path": "/a/b", "metadata": [["k", "v"]], "timeout": 5, "parallel": 1}

Runs in an environment that has grpcio; GRPC_XDS_BOOTSTRAP says where the control plane is.
"""

import json
import sys
from collections import deque

import grpc


def start(channel, request):
    call = channel.unary_unary(request["path"], request_serializer=bytes, response_deserializer=bytes)
    metadata = [tuple(pair) for pair in request.get("metadata", [])]
    return call.future(b"", timeout=request["timeout"], metadata=metadata)


def end(call):
    """What came of it: the backend's own words, or status and sentence."""
    try:
        return {"status": "OK", "told": json.loads(call.result())}
    except grpc.RpcError as error:
        return {"status": error.code().name, "message": error.details()}


def calls(channel, request):
    under_way = deque()
    results = []
    for _ in range(request["calls"]):
        if len(under_way) >= request["parallel"]:
            results.append(end(under_way.popleft()))
        under_way.append(start(channel, request))
    return results + [end(call) for call in under_way]


def main():
    channel = None
    for line in sys.stdin:
        request = json.loads(line)
        if "target" in request:
            channel = grpc.insecure_channel(request["target"])
            answer = {}
        else:
            answer = calls(channel, request)
        print(json.dumps(answer), flush=True)


main()
