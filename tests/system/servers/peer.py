"""An HTTP/2 server that misbehaves on purpose: frames by hyperframe and hpack (Debian's python3-hyperframe, python3-hpack),
the order of them ours. A program of its own, so that a flood costs the tests nothing:

    python3 peer.py MODE

Prints its port, then for each connection that had a request one JSON object when it is over: how much the client took.
"""

import contextlib
import itertools
import json
import socket
import ssl
import sys
import threading
import time

from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    ExtensionFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CHUNK = 64 << 10
MOST_S = 15  # longest flood
END_STREAM = "END_STREAM"
END_HEADERS = "END_HEADERS"


def encoded(headers):
    """A header block that changes no table: it may be sent again and again, on any connection."""
    return Encoder().encode([(name, value, True) for name, value in headers])


def literal(name, value):
    """One field without indexing, as bytes (RFC 7541 6.2.2; both shorter than 127)."""
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value


HEAD = encoded([(":status", "200")])


def headers(stream, block=HEAD, flags=(END_HEADERS,)):
    return HeadersFrame(stream, data=block, flags=flags).serialize()


def continuation(stream, block, flags=()):
    return ContinuationFrame(stream, data=block, flags=flags).serialize()


def data(stream, content=b"", flags=()):
    return DataFrame(stream, data=content, flags=flags).serialize()


def repeated(frame):
    """The same frame for ever, many at a time."""
    yield from itertools.repeat(frame * max(1, CHUNK // len(frame)))


# ---- what is sent when a request has come: pieces of bytes, for ever or until they end ----


def sane(stream):
    yield headers(stream) + data(stream, b"hello\n", [END_STREAM])


def flood_continuation(stream):
    yield headers(stream, HEAD, [])
    yield from repeated(continuation(stream, literal(b"x-filler", b"y" * 100) * 100))


def flood_continuation_empty(stream):
    yield headers(stream, HEAD, [])
    yield from repeated(continuation(stream, b""))


def flood_headers_without_end(stream):
    """As many fields as fit, all of them legal, in blocks as large as frames can be."""
    yield headers(stream, HEAD + literal(b"x-filler", b"y" * 100) * 140, [])
    yield from repeated(continuation(stream, literal(b"x-filler", b"y" * 100) * 140))


def flood_ping(stream):
    yield from repeated(PingFrame(0, opaque_data=b"12345678").serialize())


def flood_settings(stream):
    yield from repeated(SettingsFrame(0, settings={SettingsFrame.MAX_CONCURRENT_STREAMS: 100}).serialize())


def flood_settings_empty(stream):
    yield from repeated(SettingsFrame(0).serialize())


def flood_rst(stream):
    yield from repeated(RstStreamFrame(stream, error_code=8).serialize())


def flood_empty_data(stream):
    yield headers(stream)
    yield from repeated(data(stream))


def flood_empty_padded_data(stream):
    yield headers(stream)
    yield from repeated(DataFrame(stream, data=b"", pad_length=0, flags=["PADDED"]).serialize())


def flood_1xx(stream):
    yield from repeated(headers(stream, encoded([(":status", "103"), ("link", "</style.css>")])))


def flood_trailers(stream):
    """A trailer block that never ends."""
    yield headers(stream) + data(stream, b"hello\n")
    yield headers(stream, literal(b"x-filler", b"y" * 100) * 140, [END_STREAM])
    yield from repeated(continuation(stream, literal(b"x-filler", b"y" * 100) * 140))


def flood_trailer_blocks(stream):
    """One trailer block after the other, none the last."""
    yield headers(stream) + data(stream, b"hello\n")
    yield from repeated(headers(stream, literal(b"x-filler", b"y"), [END_HEADERS]))


def flood_hpack(stream):
    """An entry of 4000 bytes in the table, then references to it: 16 KB say 64 MB (RFC 7541: indexed field 62 is 0xbe)."""
    encoder = Encoder()
    entry = encoder.encode([(":status", "200"), ("x-large", "y" * 3900)])
    yield headers(stream, entry + b"\xbe" * (16000 - len(entry)), [])
    yield from repeated(continuation(stream, b"\xbe" * 16000))


def flood_window_update(stream):
    yield from repeated(WindowUpdateFrame(0, window_increment=1).serialize())


def flood_priority(stream):
    yield from repeated(PriorityFrame(stream, depends_on=0, stream_weight=3).serialize())


def flood_goaway(stream):
    yield from repeated(GoAwayFrame(0, last_stream_id=0x7FFFFFFF).serialize())


def flood_unknown(stream):
    yield from repeated(ExtensionFrame(type=0x77, stream_id=0, flag_byte=0, body=b"").serialize())


def flood_push(stream):
    yield from repeated(
        PushPromiseFrame(stream, promised_stream_id=2, data=encoded([(":path", "/")]), flags=[END_HEADERS]).serialize()
    )


def endless_body(stream):
    """Until it is reset."""
    yield headers(stream)
    yield from repeated(data(stream, b"z" * 16384))


flood_data = endless_body  # floods take no notice of a reset


# ---- who answers over HTTP/1.1 only ----


HTTP_1_1_REQUIRED = 0xD


def http1_required(stream):
    yield RstStreamFrame(stream, error_code=HTTP_1_1_REQUIRED).serialize()


def http1_required_goaway(stream):
    yield GoAwayFrame(0, last_stream_id=0, error_code=HTTP_1_1_REQUIRED).serialize()


# ---- what is sent by peers that are alive but of no use ----


def silent(stream):
    """Answers PINGs, nothing else."""
    yield b""


def deaf(stream):
    """Says nothing at all once it has its request."""
    yield b""


def head_only(stream):
    yield headers(stream)


def dripping_head(stream):
    """A header block whose bytes come one by one, without an end."""
    yield headers(stream, HEAD, [])
    while True:
        block = literal(b"x-filler", b"y" * 100) * 10
        frame = continuation(stream, block)
        for at in range(len(frame)):
            time.sleep(0.02)
            yield frame[at : at + 1]


def dripping_body(stream):
    yield headers(stream)
    while True:
        yield data(stream, b".")
        time.sleep(0.02)


def dripping_1xx(stream):
    while True:
        yield headers(stream, encoded([(":status", "103")]))
        time.sleep(0.02)


def pinging(stream):
    while True:
        yield PingFrame(0, opaque_data=b"12345678").serialize()
        time.sleep(0.05)


def refused(stream):
    yield RstStreamFrame(stream, error_code=7).serialize()


def half_a_frame(stream):
    yield headers(stream)[:5]


# Who answers nothing once the request has come: it would break what is being sent, or the silence.
MUTE = ("deaf", "dripping_head", "half_a_frame")
FIRST_SETTINGS = {"no_settings": None, "zero_window": {SettingsFrame.INITIAL_WINDOW_SIZE: 0}}
UNREAD = "_unread"  # at the end of a mode: nothing of the client's is read once the request has come


class Connection:
    def __init__(self, sock, mode):
        self.sock = sock
        self.mode = mode
        self.reads = not mode.endswith(UNREAD)
        self.act = globals().get(mode.removesuffix(UNREAD), silent)
        self.buffer = b""
        self.floods = mode.startswith("flood")
        self.lock = threading.Lock()
        self.senders = []
        self.reset = set()
        self.report = {"mode": mode, "taken": 0, "goaway": None, "debug": "", "end": "open"}

    def run(self):
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.selected_alpn_protocol() == "http/1.1":
            self.run_http1()
            return
        settings = FIRST_SETTINGS.get(self.mode, {})
        if settings is not None:
            self.write(SettingsFrame(0, settings=settings).serialize())
        if settings is None:
            while self.sock.recv(CHUNK):
                pass
            return
        if not self.read_exactly(len(PREFACE)):
            return
        stream = self.until_request()
        if not stream:
            return
        self.serve(stream)
        if self.reads:
            self.read_on()
        for sender in self.senders:
            sender.join()
        if not self.reads and not self.floods:
            time.sleep(MOST_S)  # still there, and as deaf
        report(self.report)

    def run_http1(self):
        """Requests with a content-length or without a body, one after the other."""
        while True:
            while b"\r\n\r\n" not in self.buffer:
                received = self.sock.recv(CHUNK)
                if not received:
                    return
                self.buffer += received
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            told = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            if self.read_exactly(int(told[0]) if told else 0) is None:
                return
            self.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
            report({"http1": head.split(b" ")[0].decode()})

    def write(self, piece):
        with self.lock:
            self.sock.sendall(piece)

    def serve(self, stream):
        self.senders.append(threading.Thread(target=self.send, args=(stream,)))
        self.senders[-1].start()

    def send(self, stream):
        end = time.monotonic() + MOST_S
        try:
            for piece in self.act(stream):
                if stream in self.reset:
                    break
                self.write(piece)
                self.report["taken"] += len(piece)
                if time.monotonic() > end:
                    self.report["end"] = "flood over"
                    break
        except OSError as error:
            self.report["end"] = type(error).__name__

    def read_exactly(self, n):
        while len(self.buffer) < n:
            received = self.sock.recv(CHUNK)
            if not received:
                return None
            self.buffer += received
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def frame(self):
        head = self.read_exactly(9)
        if head is None:
            return None
        frame, length = Frame.parse_frame_header(memoryview(head))
        body = self.read_exactly(length)
        if body is None:
            return None
        if isinstance(frame, (GoAwayFrame, SettingsFrame, PingFrame)):
            frame.parse_body(memoryview(body))
        return frame

    def until_request(self):
        """The stream of the first HEADERS; SETTINGS are acknowledged on the way."""
        while frame := self.frame():
            if isinstance(frame, HeadersFrame):
                return frame.stream_id
            self.answer(frame)
        return None

    def answer(self, frame):
        reply = None
        if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            reply = SettingsFrame(0, flags=["ACK"])
        elif isinstance(frame, PingFrame) and "ACK" not in frame.flags:
            reply = PingFrame(0, opaque_data=frame.opaque_data, flags=["ACK"])
        if reply:
            with contextlib.suppress(OSError):
                self.write(reply.serialize())

    def read_on(self):
        """To the end; what a GOAWAY says is reported. Who floods only reads."""
        try:
            while frame := self.frame():
                if isinstance(frame, GoAwayFrame):
                    self.report["goaway"] = frame.error_code
                    self.report["debug"] = frame.additional_data.decode(errors="replace")
                elif self.floods or self.mode in MUTE:
                    continue
                elif isinstance(frame, HeadersFrame):
                    self.serve(frame.stream_id)
                elif isinstance(frame, RstStreamFrame):
                    self.reset.add(frame.stream_id)
                else:
                    self.answer(frame)
            self.report["end"] = "eof"
        except OSError as error:
            self.report["end"] = type(error).__name__
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


def report(what):
    """A line at a time, whichever thread it comes from."""
    with reporting:
        print(json.dumps(what), flush=True)


reporting = threading.Lock()


def main():
    mode, *tls = sys.argv[1:]
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        context.set_alpn_protocols(["h2", "http/1.1"] if mode.startswith("http1_required") else ["h2"])
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    while True:
        sock, _ = listener.accept()
        if context:
            sock = context.wrap_socket(sock, server_side=True)
        threading.Thread(target=serve, args=(Connection(sock, mode),), daemon=True).start()


def serve(connection):
    with contextlib.suppress(OSError), connection.sock:
        connection.run()


if __name__ == "__main__":
    main()
