"""The wall clock may jump (case X18): what has a time to live keeps it by the clock that does not."""

import json
import subprocess

import pytest

from servers.process import eventually
from xds import resources as r

# Adds what stands in the file JUMP, in seconds, to the wall clock of the process.
JUMPING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *out)
{
    static int (*real)(clockid_t, struct timespec *);
    FILE *file;
    long by = 0;
    int rc;

    if (!real)
        real = (int (*)(clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime");
    rc = real(id, out);
    if (id != CLOCK_REALTIME || rc != 0 || !(file = fopen(getenv("JUMP"), "r")))
        return rc;
    if (fscanf(file, "%ld", &by) == 1)
        out->tv_sec += by;
    fclose(file);
    return rc;
}
"""
YEAR = 365 * 24 * 3600


@pytest.fixture
def jumping(tmp_path, sanitized):
    """Variables for a process whose wall clock jumps, and how: jump(seconds)."""
    if sanitized:
        pytest.skip("a sanitizer wants to be the first library")
    (tmp_path / "jump.c").write_text(JUMPING)
    library, by = tmp_path / "jump.so", tmp_path / "jump"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "jump.c", "-ldl"], check=True)

    def jump(seconds):
        by.with_suffix(".new").write_text(str(seconds))
        by.with_suffix(".new").rename(by)

    jump(0)
    return {"LD_PRELOAD": str(library), "JUMP": str(by)}, jump


@pytest.mark.parametrize("seconds", [YEAR, -YEAR])
def test_jump_during_a_time_to_live(plane, backends, client, jumping, seconds):
    variables, jump = jumping
    control, back = plane(), backends(1)
    control.set(r.service("users", [back.port]), ttl_ms=3000)
    caller = client("mesh", control, variables=variables)
    assert caller.calls(5).ok == 5
    jump(seconds)
    before = len(control.streams()[0]["responses"])
    eventually(lambda: len(control.streams()[0]["responses"]) >= before + 4, "heartbeats after the jump")
    assert caller.calls(5).ok == 5, "nothing ended early"
    control.behave(silent=True)
    eventually(lambda: caller.calls(2).failures == {"MESH_ERR_NO_ROUTE": 2}, "what nobody renews ends")

    def years():
        return {json.loads(line)["timestamp"][:4] for line in caller.events.read_text().splitlines()}

    eventually(lambda: len(years()) == 2, "lines of another year: the clock did jump")
