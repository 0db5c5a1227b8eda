"""What a nova-api lists, counted over its real HTTP API. For the rehearsal's own API (noauth2) on this node."""

import json
import time
import typing
import urllib.error
import urllib.request

from upgrader_conf import StepError

TOKEN = "admin:admin"  # noauth2 takes user:project here; it is no secret
PAGE = 1000
POLL = 0.5
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, timeout: float) -> typing.Dict[str, typing.Any]:
    """One GET, past any proxy. Raises StepError with the status, or with what kept us from an answer."""
    request = urllib.request.Request(url, headers={"X-Auth-Token": TOKEN, "Accept": "application/json"})
    try:
        with _DIRECT.open(request, timeout=timeout) as reply:
            return dict(json.loads(reply.read().decode("utf-8")))
    except urllib.error.HTTPError as error:
        raise StepError(
            "GET {0} answered {1} {2}; see the journal of nova-api on this node".format(url, error.code, error.reason)
        ) from None
    except (OSError, ValueError) as error:
        raise StepError("GET {0} had no usable answer: {1}".format(url, getattr(error, "reason", error))) from None


def wait(url: str, patience: float) -> None:
    """Until the API answers at all; a fresh nova-api needs about five seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            get(url, 5.0)
            return
        except StepError as error:
            if time.monotonic() >= deadline:
                raise StepError(
                    "nova-api does not answer within {0:.0f} s, last seen: {1}".format(patience, error)
                ) from None
        time.sleep(POLL)


def count_pages(base: str, path: str, key: str, timeout: float, page: int = PAGE) -> int:
    """Number of items of a list, page by page by marker; a page that repeats its marker is an error, not a loop."""
    total, marker = 0, ""
    while True:
        joined = "&" if "?" in path else "?"
        url = "{0}{1}{2}limit={3}{4}".format(base, path, joined, page, "&marker=" + marker if marker else "")
        items = get(url, timeout)[key]
        total += len(items)
        if not items:
            return total
        if items[-1]["id"] == marker:
            raise StepError("GET {0} repeats its last page; the API's paging is broken".format(url))
        marker = items[-1]["id"]


def counts(base: str, own_hosts: typing.Sequence[str], timeout: float, page: int = PAGE) -> typing.Dict[str, int]:
    """Flavors (private ones too), servers of all projects, and services but for those of ``own_hosts``."""
    services = get(base + "/os-services", timeout)["services"]
    return {
        "flavors": count_pages(base, "/flavors?is_public=none", "flavors", timeout, page),
        "servers": count_pages(base, "/servers?all_tenants=1", "servers", timeout, page),
        "services": len([service for service in services if service["host"] not in own_hosts]),
    }
