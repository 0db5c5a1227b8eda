"""The one error of code on a node, and how a Salt module turns it into the one that Salt shows as a sentence.

Nothing here imports Salt or a database driver: a module passes in what it raises and whose errors it has to expect.
"""

import contextlib
import re
import typing
from urllib.parse import quote

_SECRET_IN_URL = re.compile(r"(?P<start>[a-zA-Z][\w+.-]*://[^\s:/@'\"|]*:)(?P<password>[^\s|'\"]*)(?=@[^\s@/|'\"]*)")
Errors = typing.Tuple[typing.Type[BaseException], ...]
TRACE = "Traceback (most recent call last)"


class StepError(Exception):
    """A refusal or a failure, told in one sentence that names the thing and the remedy. Holds no password.

    A class of its own only where somebody reacts to it otherwise than by telling it.
    """


@contextlib.contextmanager
def told_as(
    kind: typing.Type[Exception],
    what: str = "",
    driver: typing.Any = None,
    secrets: typing.Iterable[str] = (),
) -> typing.Iterator[None]:
    """Our own error, and the database driver's, as ``kind`` (a module passes ``CommandExecutionError``), without secrets.

    :param what: what did not come about, before the sentence, e.g. ``backup not taken``
    :param driver: the DB-API module that the block works with; an error of its connections says what the server said
    :param secrets: passwords that a tool may have repeated; those in URLs are found without being named
    """
    head = what + ": " if what else ""
    try:
        yield
    except StepError as error:
        raise kind(head + redact(str(error), secrets)) from None
    except driver_errors(driver) as error:
        words = redact(str(error), secrets)
        raise kind(
            "{}the database server broke off ({}); look at its log, then run this again".format(head, words)
        ) from None


def driver_errors(driver: typing.Any) -> Errors:
    """What to catch of a driver: the classes its connections really raise, and those its module names now.

    They are not always the same: when Salt loads all of its modules in one process (``sys.doc`` does), PyMySQL's ``err``
    is put in place anew, and an ``except pymysql.err.MySQLError`` lets every error through.
    """
    return (driver.connections.Connection.Error, driver.err.MySQLError) if driver else ()


def redact(text: str, secrets: typing.Iterable[str] = ()) -> str:
    """``text`` with the password of every URL in it, and every given secret in any spelling, replaced by ``***``."""
    for secret in secrets:
        for spelling in {secret, quote(secret, safe=""), quote(secret)}:
            if len(spelling) > 2:
                text = text.replace(spelling, "***")
    return _SECRET_IN_URL.sub(lambda match: match.group("start") + "***", text)


def one_line(text: str) -> str:
    """``text`` as a sentence. Of a stack trace its last line, which says what was raised, behind what stood before it."""
    before, trace, after = text.partition(TRACE)
    lines = [line for line in after.splitlines() if line.strip()] if trace else []
    return " ".join([*before.split(), *(lines[-1].split() if lines else [])])
