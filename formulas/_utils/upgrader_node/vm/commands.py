"""Programs of a hypervisor, run with a deadline and without a shell. Exit code and words are judged together by who asked."""

import subprocess
import typing

from upgrader_node.errors import StepError

SECONDS = 60
# The words are read: they must be English whatever the minion's own language is.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C",
    "LC_ALL": "C",
    "HOME": "/root",
}


class Ran(typing.NamedTuple):
    """An ended program: its exit code and what it said."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """What it complained of, in one line."""
        return " ".join((self.err.strip() or self.out.strip() or "it said nothing").split())[:300]


def run(command: typing.Sequence[str], timeout: float = SECONDS, text: str = "") -> Ran:
    """The ended program, whatever its exit code; ``text`` is what it reads. Raises StepError when it is not there or does not
    end in time."""
    try:
        done = subprocess.run(
            list(command),
            input=text.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=timeout,
            check=False,
            env=ENVIRONMENT,
        )
    except FileNotFoundError:
        raise StepError("this node has no program {}: install it, then run this again".format(command[0])) from None
    except subprocess.TimeoutExpired:
        what = "{} did not end within {:.0f} s: look at what holds it up, then run this again"
        raise StepError(what.format(" ".join(command[:6]), timeout)) from None
    return Ran(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def must(command: typing.Sequence[str], what: str, timeout: float = SECONDS, text: str = "") -> str:
    """What a program printed that has to end well. ``what`` did not come about if it does not, and stands before its words."""
    ran = run(command, timeout, text)
    if ran.code != 0:
        raise StepError("{}: {} ended with exit code {}: {}".format(what, command[0], ran.code, ran.words))
    return ran.out
