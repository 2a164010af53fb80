# SPDX-License-Identifier: Apache-2.0
"""The servers that misbehave, each a process on a port that stays its own, and the packet filter in front of them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading

WITH_US = ("setpriv", "--pdeathsig", "KILL")  # in front of a command: it ends when we end, however that happens


class Port:
    """A free port of 127.0.0.1 that nobody else gets: bound without listening; a server may bind it again."""

    def __init__(self):
        self.holder = socket.socket()
        self.holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.holder.bind(("127.0.0.1", 0))
        self.number = self.holder.getsockname()[1]

    def close(self):
        self.holder.close()


class Server:
    """One endpoint. settings: those of struct settings in server.h; set() changes them while it runs."""

    def __init__(self, program, folder, zone, settings):
        self.program, self.zone, self.settings = program, zone, dict(settings)
        self.port = Port()
        self.ledger = folder / f"ledger-{self.port.number}"
        self.process = None

    @property
    def endpoint(self):
        return f"127.0.0.1:{self.port.number}"

    def start(self):
        words = [self.program, self.port.number, self.ledger]
        for name, value in self.settings.items():
            words += [name, value]
        self.process = subprocess.Popen(
            [str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        if not self.process.stdout.readline():
            raise RuntimeError(f"the server on {self.endpoint} did not start")
        return self

    def set(self, **settings):
        """Returns when they hold."""
        self.settings.update(settings)
        self.process.stdin.write("".join(f"{name} {value}\n" for name, value in settings.items()))
        self.process.stdin.flush()
        for _ in settings:
            if self.process.stdout.readline() != "ok\n":
                raise RuntimeError(f"the server on {self.endpoint} does not obey")

    def kill(self):
        self.process.kill()
        self.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def drain(self):
        """SIGTERM: a GOAWAY, and what runs is finished; waits for its end."""
        self.process.terminate()
        self.wait()

    def wait(self):
        self.process.wait(20)
        self.process.stdin.close()  # not before: the server ends with it
        self.process.stdout.close()

    def stop(self):
        if self.process and self.process.returncode is None:
            self.thaw()
            self.kill()
        self.port.close()


class Filter:
    """nft in a network namespace of our own. Ports can be cut off, and connection attempts are counted."""

    RULES = """
        table inet faults {
            set cut { type inet_service; }
            set dials { type inet_service; flags dynamic; }
            chain out {
                type filter hook output priority 0;
                tcp flags & (syn | ack) == syn add @dials { tcp dport counter }
                tcp dport @cut drop
                tcp sport @cut drop
            }
        }
    """

    def __init__(self):
        self.lock = threading.Lock()
        self.nft(self.RULES)

    def nft(self, text):
        with self.lock:
            subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)

    def cut(self, servers):
        self.nft(f"add element inet faults cut {{ {', '.join(str(server.port.number) for server in servers)} }}")

    def mend(self, servers):
        self.nft(f"delete element inet faults cut {{ {', '.join(str(server.port.number) for server in servers)} }}")

    def dials(self, servers):
        """Connection attempts to them so far."""
        with self.lock:
            told = subprocess.run(["nft", "-j", "list", "set", "inet", "faults", "dials"], capture_output=True, check=True)
        elements = json.loads(told.stdout)["nftables"][-1]["set"].get("elem", [])
        counts = {one["elem"]["val"]: one["elem"]["counter"]["packets"] for one in elements}
        return sum(counts.get(server.port.number, 0) for server in servers)


INSIDE = "MESH_FAULTS_NAMESPACE"  # set in the process that runs in it


def enter_namespace(command):
    """Runs the command again in a network namespace of its own, if that is possible here; there, makes its loopback work."""
    if os.environ.get(INSIDE):
        os.environ.pop(INSIDE)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return Filter()
    unshare = ["unshare", "--net"] if os.getuid() == 0 else ["unshare", "--map-root-user", "--net"]
    able = all(shutil.which(tool) for tool in ("unshare", "ip", "nft"))
    if not able or subprocess.run([*unshare, "nft", "add", "table", "inet", "faults"], capture_output=True).returncode != 0:
        return None
    os.environ[INSIDE] = "1"
    os.execvp("unshare", [*unshare, *command])
