# SPDX-License-Identifier: Apache-2.0
"""Watches the machine while a fault is shown: how long a process that only wants to wake up is kept waiting.

Whoever shares the machine holds up servers and clients alike, and then a figure tells of the machine, not of a client. Where that
is allowed, servers and clients therefore go before everything else; they need little of it."""

import contextlib
import os
import subprocess
import sys
import time

EVERY = 0.005


def go_first():
    """This thread and what it starts. Priorities would not do: Linux shares processors among sessions first."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def go_with_others():
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


class Watch(contextlib.AbstractContextManager):
    """A process of its own, so that the work of this one does not count. stall: the longest wait in seconds, at the end."""

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        told, _ = self.process.communicate()
        self.stall = float(told)


def watch():
    """Until stdin ends."""
    import select

    worst = 0.0
    while True:
        due = time.monotonic() + EVERY
        if select.select([sys.stdin], [], [], EVERY)[0]:
            return worst
        worst = max(worst, time.monotonic() - due)


if __name__ == "__main__":
    print(watch())
