"""A name server that knows no name and says so at once. A lab's node runs this file as it is, with Debian's own Python.

Every name of a lab is in every node's hosts file. But eventlet has a resolver of its own that asks a name server for the
addresses of the other family, and waits for the answer: a minute at the first request that glance validates a token for.
EVENTLET_NO_GREENDNS does not help there: eventlet 0.20.0, which is Pike's, ignores it (0.19.0 and 0.24.1 do not).
"""

from __future__ import annotations

import socket

HEADER = 12
PLACE = ("127.0.0.1", 53)


def answer(question: bytes) -> bytes:
    """No record of that kind, for the one name that was asked for; b"" for what is no question."""
    end = HEADER
    while end < len(question) and question[end]:
        end += question[end] + 1
    end += 5  # the root's empty label, type and class
    if len(question) < end:
        return b""
    # A response, recursion available, no error; one question, no answer, nothing else.
    return question[:2] + b"\x81\x80" + b"\0\1" + b"\0\0" * 3 + question[HEADER:end]


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(PLACE)
        while True:
            question, asker = server.recvfrom(512)
            if told := answer(question):
                server.sendto(told, asker)


if __name__ == "__main__":
    main()
