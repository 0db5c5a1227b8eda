"""One piece of work in a child process whose result comes back as JSON. Python 2.7 too: services' own Pythons run this."""

import json
import os
import sys

if sys.version_info >= (3,):
    import typing  # noqa: F401 (for type comments: Python 2.7 has neither annotations nor this module)


def fork(share):
    # type: (typing.Callable[[], typing.Dict[str, typing.Any]]) -> typing.Tuple[int, typing.IO[str]]
    """Run ``share`` in a child; its result comes as JSON through a pipe. The child inherits the step's lock and group."""
    out, into = os.pipe()
    pid = os.fork()
    if pid:
        os.close(into)
        return pid, os.fdopen(out)
    status = 1
    try:
        text = json.dumps(share())
        with os.fdopen(into, "w") as pipe:
            pipe.write(text)
        status = 0
    finally:
        if status:
            import traceback

            traceback.print_exc()
        sys.stderr.flush()
        os._exit(status)


def result(pid, pipe):
    # type: (int, typing.IO[str]) -> typing.Optional[typing.Dict[str, typing.Any]]
    """What the child had to say; None when it died, whatever it had written before."""
    with pipe:
        text = pipe.read()
    if os.waitpid(pid, 0)[1] or not text:
        return None
    found = json.loads(text)  # type: typing.Dict[str, typing.Any]
    return found
