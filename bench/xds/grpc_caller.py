# SPDX-License-Identifier: Apache-2.0
"""What caller.c does, by grpcio; the same words on standard input. Runs in an environment that has grpcio."""

import json
import sys
import threading
import time

import grpc

PATIENCE_S = 120
OPTIONS = [("grpc.max_receive_message_length", -1)]
HANG_GUARD_S = 60


class Prober:
    """Calls at a steady rate, from when each was due to its end."""

    def __init__(self):
        self.lock = threading.Lock()
        self.taken()

    def taken(self):
        with self.lock:
            seen = getattr(self, "seen", None)
            self.seen = {"calls": 0, "failed": 0, "longest_ms": 0.0}
        return seen

    def note(self, due, call):
        took = (time.monotonic() - due) * 1000
        with self.lock:
            self.seen["calls"] += 1
            self.seen["failed"] += call.code() != grpc.StatusCode.OK
            self.seen["longest_ms"] = max(self.seen["longest_ms"], took)

    def run(self, service, rate):
        due = time.monotonic()
        while True:
            time.sleep(max(0, due - time.monotonic()))
            future = method(service, "/bench/probe").future(b"", timeout=PATIENCE_S)
            future.add_done_callback(lambda call, due=due: self.note(due, call))
            due += 1 / rate

    def start(self, service, rate):
        threading.Thread(target=self.run, args=(service, rate), daemon=True).start()


channels = {}


def method(service, path):
    if service not in channels:
        channels[service] = grpc.insecure_channel(service, options=OPTIONS)
    return channels[service].unary_unary(path, request_serializer=bytes, response_deserializer=bytes)


def answers(call, text):
    try:
        return text in call(b"", timeout=PATIENCE_S).decode()
    except grpc.RpcError:
        return False


def call_until(service, path, text):
    call, end, calls = method(service, path), time.monotonic() + HANG_GUARD_S, 1
    while not answers(call, text):
        assert time.monotonic() < end, f"no answer to {path} has {text}"
        time.sleep(0.0005)
        calls += 1
    return {"at_us": int(time.time() * 1e6), "calls": calls}


def obey(prober, what, *words):
    if what == "probe":
        return prober.start(words[0], int(words[1])) or {}
    if what == "until":
        return call_until(*words)
    seen = prober.taken()
    return seen if what == "stall" else {}


def main():
    prober = Prober()
    for line in sys.stdin:
        print(json.dumps(obey(prober, *line.split())), flush=True)


main()
