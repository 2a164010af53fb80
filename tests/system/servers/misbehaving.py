"""Runs peer.py and reads what it reports."""

import json
import pathlib
import subprocess
import sys
import threading


class Peer:
    host = "127.0.0.1"

    def __init__(self, mode, certificate=None):
        files = [certificate.chain, certificate.key] if certificate else []
        program = pathlib.Path(__file__).with_name("peer.py")
        # The Python that has the frames: Debian's.
        self.process = subprocess.Popen(
            [sys.executable, str(program), mode, *map(str, files)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.port = int(self.process.stdout.readline())
        self.reports = []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    @property
    def endpoint(self):
        return f"{self.host}:{self.port}"

    def read(self):
        for line in self.process.stdout:
            self.reports.append(json.loads(line))

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
