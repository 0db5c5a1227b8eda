"""One kind's rows, judged by a service's own code: equal rows once, each refused row by name with the code's own reason."""

import sys

from upgrader_node.probe.kind import ITSELF, OWNER, Row, digest  # noqa: F401 (Row: in type comments)

if sys.version_info >= (3,):
    import typing  # noqa: F401 (for type comments: Python 2.7 has neither annotations nor this module)

KEPT, LONGEST = 50000, 240
_UNSAID = {ITSELF: "its own uuid", OWNER: "its own project"}


class Verdicts(object):
    """``judge`` raises over a row that its service refuses. ``refused`` holds the first ``listed`` of them: key, name, reason."""

    def __init__(self, judge, listed):
        # type: (typing.Callable[..., typing.Any], int) -> None
        self._judge, self._listed = judge, listed
        self._known = {}  # type: typing.Dict[bytes, str]
        self.rows, self.judged, self.count = 0, 0, 0
        self.refused = []  # type: typing.List[typing.List[typing.Any]]

    def hear(self, rows):
        # type: (typing.Iterable[Row]) -> None
        """Judge some rows more."""
        for row in rows:
            self.rows += 1
            reason = self.reason(row.values)
            if reason:
                self.count += 1
                if len(self.refused) < self._listed:
                    self.refused.append([row.key, row.name, reason])

    def reason(self, values):
        # type: (typing.Sequence[typing.Any]) -> str
        """Why the code refuses these values, or ""; what it was asked before it is not asked again."""
        mark = digest(values)
        if mark not in self._known:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[mark] = said(self._judge, values)
            self.judged += 1
        return self._known[mark]

    def told(self):
        # type: () -> typing.Dict[str, typing.Any]
        return {"rows": self.rows, "judged": self.judged, "count": self.count, "refused": self.refused}


def said(judge, values):
    # type: (typing.Callable[..., typing.Any], typing.Sequence[typing.Any]) -> str
    """Class and message of what the service's code raises over the values, in one line; "" when it takes them.

    Anything that it raises is its reason: what a pickle or an object may raise is named nowhere. Imports were done before.
    """
    try:
        judge(*values)
    except Exception as error:  # noqa: BLE001
        return in_one_line(error)
    return ""


def in_one_line(error):
    # type: (BaseException) -> str
    try:
        text = "{0}".format(error)
    except UnicodeError:  # Python 2 and a message of other octets
        text = repr(error)[:LONGEST]
        text = text if not isinstance(text, bytes) else text.decode("ascii", "replace")
    for stand_in, words in _UNSAID.items():
        text = text.replace(stand_in, words)
    words = " ".join(text.split())
    words = words if len(words) <= LONGEST else words[:LONGEST] + " ..."
    return "{0}: {1}".format(type(error).__name__, words) if words else "{0}".format(type(error).__name__)
