"""Programs of the packet filters, run with a deadline and without a shell."""

import subprocess
import typing

from upgrader_node.errors import StepError

SECONDS = 60
Done = typing.Optional["subprocess.CompletedProcess[str]"]
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def run(words: typing.Sequence[str], text: str = "") -> Done:
    """The ended command, or None when there is no such program. Raises StepError when it does not end in time."""
    try:
        return subprocess.run(
            list(words),
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=SECONDS,
            check=False,
            env=ENVIRONMENT,
        )
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired:
        raise StepError("{} did not end within {} s on this node".format(words[0], SECONDS)) from None


def first_line(done: Done) -> str:
    """What a command complained of first."""
    lines = done.stderr.strip().splitlines() if done is not None else []
    return lines[0][:300] if lines else "nothing"
