"""Knot DNS: authoritative for "mesh.test", on a port without privileges; its zone changes while it runs."""

import contextlib
import re
import socket
import subprocess

from .process import Server

CONFIGURATION = """
server:
    rundir: "{folder}"
    listen: {host}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: info
database:
    storage: "{folder}"
mod-stats:
  - id: all
    query-type: on
    request-protocol: on
template:
  - id: default
    global-module: mod-stats/all
zone:
  - domain: mesh.test
    file: "{folder}/mesh.test.zone"
    zonefile-load: whole
    journal-content: none
"""

# The numbers of the SOA: no answer is cached for more than a second, bad ones neither.
HEAD = """
$ORIGIN mesh.test.
$TTL {ttl}
@ 1 SOA ns hostmaster {serial} 3600 600 86400 1
@ NS ns
ns A 127.0.0.1
"""


def free_for_both(ports):
    """A port of ours (TCP) that nobody has for UDP either."""
    while True:
        port = ports.take()
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", port))
            return port


class Knot(Server):
    """One DNS server. Records are lines of a zone file, names relative to mesh.test."""

    def __init__(self, folder, port):
        super().__init__(folder, port, "knot")
        self.serial = 0
        self.conf = folder / "knot.conf"
        self.conf.write_text(CONFIGURATION.format(folder=folder, host=self.host, port=port))
        self.write([], 1)

    def command(self):
        return ["knotd", "-c", str(self.conf)]

    def accepts(self):
        """Questions and commands."""
        return super().accepts() and self.try_control("status").returncode == 0

    def try_control(self, *args):
        command = ["knotc", "-b", "-c", str(self.conf), *args]
        return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)

    def control(self, *args):
        done = self.try_control(*args)
        assert done.returncode == 0, f"knotc {args}: {done.stdout}{done.stderr}"
        return done.stdout

    def write(self, records, ttl):
        self.serial += 1
        head = HEAD.format(ttl=ttl, serial=self.serial)
        (self.folder / "mesh.test.zone").write_text(head + "".join(record + "\n" for record in records))

    def set(self, *records, ttl=1):
        """From now on these records and no others."""
        self.write(records, ttl)
        if self.process and self.process.poll() is None:
            self.control("zone-reload", "mesh.test")

    def queries(self, kind):
        """How many there were, by "query-type" ("A", "SRV", ...) or "request-protocol" ("udp4", "tcp4")."""
        counted = self.control("stats", f"mod-stats.{kind}")
        return {name: int(n) for name, n in re.findall(r"\[(\S+)\] = (\d+)", counted)}


def srv(server, host, priority=0, weight=1, name="_http._tcp.users"):
    """The record that leads to a server by the name of a host."""
    return f"{name} SRV {priority} {weight} {server.port} {host}"
