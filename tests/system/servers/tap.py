"""A relay in front of one server that passes every byte on and notes when each HEADERS frame of a client arrives.

It keeps running when the server behind it is frozen, so it sees what a client still sends to a hung peer, and when."""

import selectors
import socket
import threading
import time

PREFACE = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
HEADERS = 1
MOST = 1 << 20


class Frames:
    """Counts frames in the bytes of one direction, whatever pieces they come in."""

    def __init__(self, skip):
        self.skip = skip
        self.head = b""

    def feed(self, data):
        """The types of the frames that begin in these bytes."""
        types = []
        at = 0
        while at < len(data):
            if self.skip:
                step = min(self.skip, len(data) - at)
                self.skip -= step
                at += step
                continue
            step = 9 - len(self.head)
            self.head += data[at : at + step]
            at += step
            if len(self.head) == 9:
                types.append(self.head[3])
                self.skip = int.from_bytes(self.head[:3], "big")
                self.head = b""
        return types


class Pipe:
    """One direction of one connection."""

    def __init__(self, source, sink, frames=None):
        self.source, self.sink, self.frames = source, sink, frames
        self.buffer = b""
        self.ended = False


class Tap:
    host = "127.0.0.1"

    def __init__(self, server):
        self.server = server
        self.requests = []  # time.monotonic() of each
        self.connections = 0
        self.listener = socket.create_server((self.host, 0))
        self.port = self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.pipes = {}  # socket: (pipe it feeds, pipe it drains)
        self.ends = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    @property
    def endpoint(self):
        return f"{self.host}:{self.port}"

    def requests_after(self, moment):
        return [at for at in list(self.requests) if at > moment]

    def stop(self):
        self.ends = True
        self.thread.join()
        for one in [*self.pipes, self.listener]:
            one.close()

    def run(self):
        while not self.ends:
            for key, events in self.selector.select(0.05):
                if key.fileobj is self.listener:
                    self.accept()
                else:
                    self.serve(key.fileobj, events)

    def accept(self):
        client, _ = self.listener.accept()
        self.connections += 1
        try:
            server = socket.create_connection(self.server.address)
        except OSError:
            client.close()
            return
        there, back = Pipe(client, server, Frames(PREFACE)), Pipe(server, client)
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pipes[client] = (there, back)
        self.pipes[server] = (back, there)
        self.refresh(client)
        self.refresh(server)

    def refresh(self, end):
        """Watches an end for what can be done with it just now."""
        feeds, drains = self.pipes[end]
        wanted = (selectors.EVENT_READ if not feeds.ended and len(feeds.buffer) < MOST else 0) | (
            selectors.EVENT_WRITE if drains.buffer else 0
        )
        if end in self.selector.get_map():
            self.selector.unregister(end)
        if wanted:
            self.selector.register(end, wanted)

    def serve(self, end, events):
        if end not in self.pipes:
            return
        feeds, drains = self.pipes[end]
        try:
            if events & selectors.EVENT_READ:
                self.read(feeds)
            if events & selectors.EVENT_WRITE:
                self.write(drains)
        except OSError:
            self.drop(feeds)
            return
        if feeds.ended and drains.ended and not feeds.buffer and not drains.buffer:
            self.drop(feeds)
            return
        self.refresh(feeds.source)
        self.refresh(feeds.sink)

    def read(self, pipe):
        data = pipe.source.recv(65536)
        if not data:
            pipe.ended = True
        elif pipe.frames:
            now = time.monotonic()
            self.requests += [now for kind in pipe.frames.feed(data) if kind == HEADERS]
        pipe.buffer += data
        self.write(pipe)

    def write(self, pipe):
        try:
            while pipe.buffer:
                pipe.buffer = pipe.buffer[pipe.sink.send(pipe.buffer) :]
        except BlockingIOError:
            return
        if pipe.ended:
            pipe.sink.shutdown(socket.SHUT_WR)

    def drop(self, pipe):
        for end in (pipe.source, pipe.sink):
            if end in self.selector.get_map():
                self.selector.unregister(end)
            self.pipes.pop(end, None)
            end.close()
