"""Regular expressions against RE2 itself: what is taken means the same, and nothing is taken that RE2 refuses."""

import json
import random
import subprocess

import pytest

from servers import tools
from servers.process import GUARD_S

PACKAGE = "google-re2==1.1.20251105"
# Run by the Python that has it: the same lines as of tests/system/inside/regex.c.
RE2 = r"""
import json, re2, sys
options = re2.Options()
options.log_errors = False
for line in sys.stdin:
    asked = json.loads(line)
    try:
        regex = re2.compile(asked["pattern"], options)
    except re2.error as why:
        print(json.dumps({"refused": str(why)}))
        continue
    replaced = regex.sub(lambda match: f"<{match[0]}>", asked["text"])
    print(json.dumps({"matches": bool(regex.fullmatch(asked["text"])), "replaced": replaced}))
"""
ATOMS = [
    *"abcAB01-_/. :#é", "É", "ß", ".", "{", "}", "\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "\\.", "\\/", "\\-", "\\_", "[a-c]", "[^a]",
    "[[:alpha:]]", "[[:word:]]", "[[:^digit:]]", "[]a]", "[^]a]", "[a\\-c]", "[\\d_]", "[a-]", "[-a]", "[[:a]", "\\x41", "\\x{e9}",
    "\\pL", "\\PL", "\\p{^Greek}", "\\b", "^", "$", "\\A", "\\z", "\\Qa.b\\E", "\\t", "\\n", "\\012",
]  # fmt: skip
STRANGE = ["\\e", "\\1", "\\h", "\\Z", "\\K", "(?=a)", "(?>a)", "[[:foo:]]", "{2}", "[a", "(", ")", "\\", "[b-a]", "[a-\\d]", "*"]
OFTEN = ["", "", "", "*", "+", "?", "*?", "+?", "{2}", "{1,3}", "{0,2}?", "{2,}"]
SELDOM = ["*+", "**", "{1001}", "{2}{2}"]
FLAGS = ["(?i)", "(?s)", "(?m)", "(?U)", "(?i:", "(?-i:", "(?sm-i:"]
# RE2 knows them, and libmesh says no: repeated assertions, "[:alpha:]" for seven characters, and the like. Not in the patterns above
# are \C and \v, which are refused, too, "(?i)" for \p{Lu}, and "??", of which another match counts where it is repeated.
NOT_TAKEN = ["quantifier does not follow a repeatable item", "an incomplete repetition", "nothing to repeat", "POSIX named classes"]


def pattern(dice, depth=3):
    kind = dice.random()
    if depth == 0 or kind < 0.45:
        piece = dice.choice(ATOMS if dice.random() < 0.97 else STRANGE)
    elif kind < 0.6:
        piece = f"({pattern(dice, depth - 1)})"
    elif kind < 0.68:
        piece = f"(?:{pattern(dice, depth - 1)})"
    elif kind < 0.74:
        flags = dice.choice(FLAGS)
        piece = flags + pattern(dice, depth - 1) + (")" if flags.endswith(":") else "")
    elif kind < 0.9:
        return pattern(dice, depth - 1) + pattern(dice, depth - 1)
    else:
        return f"{pattern(dice, depth - 1)}|{pattern(dice, depth - 1)}"
    return piece + dice.choice(OFTEN if dice.random() < 0.98 else SELDOM)


def short_text(dice):
    pieces = [*"abcAB01-_/. :#{}\n\t", "é", "É", "ß", "α", "a.b", "aaa"]
    return "".join(dice.choice(pieces) for _ in range(dice.randrange(8)))


def long_text(dice):
    """Of one piece again and again, with something else behind it: what makes patterns go back and forth."""
    return short_text(dice)[:3] * dice.randrange(2000) + dice.choice(["", "", short_text(dice)])


def run(command, asked):
    lines = "".join(f"{json.dumps(one)}\n" for one in asked)
    done = subprocess.run([*map(str, command)], input=lines, capture_output=True, text=True, timeout=GUARD_S * 4)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def has_empty_match(answer):
    """Python replaces an empty match behind another one, RE2's GlobalReplace() does not."""
    return "<>" in answer["replaced"]


def is_wrong(ours, theirs):
    if "refused" in ours:
        return "refused" not in theirs and not any(words in ours["refused"] for words in NOT_TAKEN)
    if "refused" in theirs or ours["matches"] != theirs["matches"]:
        return True
    return ours["replaced"] is not None and not has_empty_match(theirs) and ours["replaced"] != theirs["replaced"]


@pytest.mark.parametrize(("text", "n"), [(short_text, 20000), (long_text, 1000)])
def test_patterns_mean_what_they_mean_to_re2(program, text, n):
    folder = tools.or_skip(tools.venv, "re2", PACKAGE)
    dice = random.Random(n)
    asked = [{"pattern": pattern(dice), "text": text(dice)} for _ in range(n)]
    ours, theirs = run([program("regex")], asked), run([folder / "bin" / "python", "-c", RE2], asked)
    wrong = [
        f"{one}\n  libmesh: {mine}\n  RE2:     {other}"
        for one, mine, other in zip(asked, ours, theirs, strict=True)
        if is_wrong(mine, other)
    ]
    assert not wrong, f"{len(wrong)} of {n}:\n" + "\n".join(text[:600] for text in wrong[:10])
    taken = [answer for answer in ours if "refused" not in answer]
    assert len(taken) > n / 2
    assert sum(answer["matches"] for answer in taken) > n / 50
    assert sum(answer["replaced"] is not None for answer in taken) > len(taken) * 0.9
