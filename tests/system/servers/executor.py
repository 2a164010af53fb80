"""What executes requests behind the servers that are killed: HTTP/1.1, it outlives them, and counts by request id."""

import asyncio
import collections
import threading


class Executor:
    """Notes each request when it has been read, works on it for a moment, answers; or closes without an answer."""

    host = "127.0.0.1"

    def __init__(self, work_s=0.002, answers=True):
        self.work_s = work_s
        self.answers = answers
        self.executed = collections.Counter()
        self.attempts = collections.defaultdict(list)  # id: values of x-mesh-attempt
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(started,))
        self.thread.start()
        started.wait()

    def run(self, started):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self.serve, self.host, 0))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self.loop.run_forever()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    async def serve(self, reader, writer):
        try:
            while await self.exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def exchange(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = [line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line]
        headers = {name.lower(): value for name, value in lines}
        await reader.readexactly(int(headers.get("content-length", 0)))
        name = headers.get("x-request-id", "")
        self.executed[name] += 1
        self.attempts[name].append(headers.get("x-mesh-attempt", ""))
        if not self.answers:
            return False
        if self.work_s:
            await asyncio.sleep(self.work_s)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n")
        await writer.drain()
        return headers.get("connection", "").lower() != "close" and not head.split("\r\n")[0].endswith("1.0")
