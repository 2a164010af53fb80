"""README.md is true: its program compiles, its commands run in their order, and what they print is what it shows.

How its code blocks are read:
  ```c        a file, named by the last `name.c` before it
  ```sh       run; each line must succeed, and after a change of MESH_ variables the configuration must be accepted
  ```console  lines behind "$ " are run, the lines below are what must come out: "..." stands for anything, times, rates
              and numbers in thousands may be others, and runs of blanks are one
  ```text     not run
The installation comes first. Commands that need root have stand-ins; ports are exchanged for free ones."""

import os
import re
import shutil
import signal
import subprocess

import pytest

from conftest import ROOT, need
from servers import tools
from servers.process import GUARD_S, accepts, eventually

README = (ROOT / "README.md").read_text()
BUILD_S = 900
END = "--- end of a command:"

SUDO = '#!/bin/sh\nexec "$@"\n'
# Nothing is installed by a test: whoever runs it has scripts/deps do that.
APT_GET = """#!/bin/sh
test "$1" = install && shift
for package in "$@"; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package") in
    installed) ;;
    *) echo "$package is not installed" >&2; exit 1 ;;
    esac
done
"""
LDCONFIG = "#!/bin/sh\n"


class Block:
    def __init__(self, language, text, section, before):
        self.language, self.text, self.section, self.before = language, text, section, before


def blocks():
    """The fenced blocks, those that install first."""
    found, section, end = [], "", 0
    for match in re.finditer(r"^## ([^\n]*)$|^```(\w*)\n(.*?)^```$", README, re.M | re.S):
        if match[1]:
            section = match[1]
            continue
        found.append(Block(match[2], match[3], section, README[end : match.start()]))
        end = match.end()
    return sorted(found, key=lambda block: block.section != "Install")


def session(text):
    """(command, expected lines) of a console block."""
    steps = []
    for line in text.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return steps


def pattern_of(lines):
    """The lines as a regular expression."""
    whole = []
    for line in lines:
        if line == "...":
            whole.append(r"(?:.*\n)*?")
            continue
        one = re.escape(re.sub(r"\s+", " ", line.rstrip()))
        one = one.replace(r"\.\.\.", ".*").replace(r"\ ", " ")
        one = re.sub(r"\b\d+(\\\.\d+)? (us|ms|s)\b", r"[\\d.]+ (us|ms|s)", one)
        one = re.sub(r"\b\d+(,\d{3})+", r"[\\d,]+", one)
        one = re.sub(r"(?<=in )\[\\d\.\]\+ \(us\|ms\|s\)", r"[\\d.]+ s", one)
        one = re.sub(r'(?<=duration_us":)\d+', r"\\d+", one)
        one = re.sub(r"(?<= p50| p99| max) ", " +", one)
        whole.append(one + r"\n")
    return "".join(whole)


class Shell:
    """A bash to which commands are given one by one; ports of the text become free ones, and back."""

    def __init__(self, folder, environment, ports):
        self.ports = {port: str(ports.take()) for port in sorted(set(re.findall(r"\b900\d\b", README)))}
        self.process = subprocess.Popen(
            ["bash", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        self.process.stdin.write("set -m\n")

    def run(self, command):
        """Exit code and output."""
        here = command
        for port, free in self.ports.items():
            here = re.sub(rf"\b{port}\b", free, here)
        stdin = self.process.stdin
        # Signs of life and death that a person at a prompt waits for without knowing it.
        dying = re.match(r"kill (%\d+)", command)
        after = f"wait {dying[1]}" if dying else "true"
        quoted = here.replace("'", "'\\''")
        stdin.write(f"eval '{quoted}' 2>&1 </dev/null\ncode=$?\n{after}; jobs >/dev/null\necho; echo '{END}' $code\n")
        stdin.flush()
        output = []
        for line in self.process.stdout:
            if line.startswith(END):
                break
            output.append(line)
        else:
            raise AssertionError(f"the shell ended in {command!r}")
        text = "".join(output)[:-1]
        for port, free in self.ports.items():
            text = text.replace(free, port)
        if re.search(r"&(\s*#.*)?$", command):
            for port in re.findall(r"\b900\d\b", command):
                eventually(lambda: accepts(("127.0.0.1", int(self.ports[port]))), f"{command} accepts")
        return int(line.split()[-1]), text

    def stop(self):
        self.process.stdin.write("kill $(jobs -p); wait\nexit\n")
        self.process.stdin.close()
        try:
            self.process.wait(GUARD_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def checkout(tmp_path):
    """A place that looks like the checkout, and may be written to."""
    folder = tmp_path / "libmesh"
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in ("build", ".git") and not entry.name.startswith("build-"):
            (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture
def shell(checkout, tmp_path, environment, ports):
    """The README's shell: what root would install goes below tmp_path."""
    for command in ("nghttpd", "pkg-config", "cmake", "ninja", "cc"):
        if not shutil.which(command):
            need(command)
    go = os.path.dirname(tools.or_skip(tools.go))
    stand_ins = tmp_path / "stand-ins"
    stand_ins.mkdir()
    for name, text in (("sudo", SUDO), ("apt-get", APT_GET), ("ldconfig", LDCONFIG)):
        (stand_ins / name).write_text(text)
        (stand_ins / name).chmod(0o755)
    local = tmp_path / "root" / "usr" / "local"
    shell = Shell(
        checkout,
        environment(
            DESTDIR=tmp_path / "root",
            PATH=f"{stand_ins}:{local}/bin:{go}:{os.environ['PATH']}",
            PKG_CONFIG_PATH=local / "lib" / "pkgconfig",
            LD_LIBRARY_PATH=local / "lib",
        ),
        ports,
    )
    yield shell
    shell.stop()


def run_lines(shell, text):
    """Each line of a block, or all of it where lines belong together."""
    commands = [text] if "<<" in text else [line for line in text.splitlines() if not line.startswith("#")]
    for command in commands:
        code, output = shell.run(command)
        assert code == 0, f"{command}\n{output}"
        if "export MESH_" in command:
            code, output = shell.run("mesh config")
            assert code == 0, f"{command}\n{output}"
            assert "configuration_warning" not in output, output


def run_session(shell, text):
    for command, expected in session(text):
        _, output = shell.run(command)
        flat = "".join(re.sub(r"\s+", " ", line.rstrip()) + "\n" for line in output.splitlines())
        assert re.fullmatch(pattern_of(expected), flat), f"$ {command}\n{output}\nand not\n" + "\n".join(expected)


def test_commands(shell, checkout):
    for block in blocks():
        if block.language == "c":
            name = re.findall(r"`(\w+\.c)`", block.before)[-1]
            (checkout / name).write_text(block.text)
        elif block.language == "sh":
            run_lines(shell, block.text)
        elif block.language == "console":
            run_session(shell, block.text)
        else:
            assert block.language == "text", f"what is to be done with ```{block.language}?"


def words(text):
    return re.findall(r"\w+|[^\w\s]", re.sub(r"/\*.*?\*/", "", text, flags=re.S))


def test_program_is_short_and_an_example():
    """At most ten lines; the same as examples/get.c but for comments and line breaks."""
    [program] = [block.text for block in blocks() if block.language == "c"]
    assert len([line for line in program.splitlines() if line]) <= 10
    assert words(program) == words((ROOT / "examples" / "get.c").read_text())


def test_packages():
    """The packages to install are those that scripts/deps installs to build."""
    told = re.search(r"apt-get install (.*)", README)[1].split()
    listed = re.search(r'^build="(.*?)"', (ROOT / "scripts" / "deps").read_text(), re.M | re.S)[1].split()
    assert told == [entry.split(":")[0] for entry in listed]


def test_links():
    """What is linked to exists; every example and every document is linked to."""
    links = {link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link}
    missing = [link for link in links if not (ROOT / link.split("#")[0]).exists()]
    assert not missing
    documents = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    examples = {f"examples/{path.name}" for path in (ROOT / "examples").glob("*.c")} - {"examples/demo_load.c"}
    assert documents | examples <= links


def test_demo_excerpt():
    """The lines quoted are still what scripts/demo prints."""
    demo = (ROOT / "scripts" / "demo-show").read_text()
    shown = "".join(block.text for block in blocks() if block.language == "text")
    for line in shown.splitlines():
        if line.startswith("== "):
            assert line[3:] in demo
        if line.startswith("   ") and not line[3:6].strip().isdigit() and not line.strip()[0].isdigit():
            assert line.strip() in demo
    assert "while all this happened. 0 failed." in shown and "while all this happened. 0 failed." in demo
