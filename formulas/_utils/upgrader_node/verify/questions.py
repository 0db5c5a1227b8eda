"""The questions to an upgraded cloud: the eight lists, compared with the baseline, and placement, which none of them asks."""

import time
import typing

from upgrader_node.host.findings import BLOCKER, WARNING, Finding, Findings, finding
from upgrader_node.verify import compare
from upgrader_node.verify.client import POLL, Answer, CallFailed, Client, outcome
from upgrader_node.verify.resources import Resource

SECONDS = 60.0
SERVER_ERROR = 500
NOT_YET = ("Unable to establish connection", "HTTP 503")


def started(cloud: Client, resource: Resource, deadline: float) -> None:
    """Until the service answers a small question, whatever it says: it may have been started a moment ago, before keystone."""
    path = resource.path.replace("limit=1000", "limit=1")
    while time.monotonic() < deadline:
        try:
            cloud.call("GET", resource.service_type, path, SECONDS)
            return
        except CallFailed as error:
            if not any(words in str(error) for words in NOT_YET):
                return
        time.sleep(POLL)


def listed(cloud: Client, resource: Resource, baseline: Answer, own: typing.Sequence[str], patience: float) -> Answer:
    """One of the eight calls, compared. Until an engine of heat's has reported, heat is asked again."""
    deadline = time.monotonic() + patience
    before = baseline.get(resource.name)
    started(cloud, resource, deadline)
    while True:
        begun = time.monotonic()
        count, wrong, again = _compared(cloud, resource, before, own)
        if not again or time.monotonic() >= deadline:
            break
        time.sleep(POLL)
    expected = len(before) if before is not None else None
    return outcome(resource.name, resource.command, begun, count, wrong, expected)


def _compared(
    cloud: Client, resource: Resource, before: typing.Optional[Answer], own: typing.Sequence[str]
) -> typing.Tuple[int, Findings, bool]:
    """How many items there are, what is wrong with them, and whether another look may find it mended."""
    try:
        pages, told = _asked(cloud, resource)
        items = [resource.record(item) for item in pages]
    except CallFailed as error:
        return 0, [_failed(resource, str(error))], False
    except (KeyError, TypeError, ValueError) as error:
        return 0, [_failed(resource, "an answer without {}".format(error))], False
    wrong = compare.findings(resource, before, items, own)
    return len(items), told + wrong, bool(wrong) and resource.name == compare.ENGINES


def _asked(cloud: Client, resource: Resource) -> typing.Tuple[typing.List[typing.Any], Findings]:
    """The list, and a warning where the service failed once.

    Straight after its start a service may answer 500 to one of many questions asked side by side (seen once with nova's list of
    servers on a busy machine), so it is asked once more. Raises CallFailed when it fails again.
    """
    try:
        return cloud.pages(resource), []
    except CallFailed as error:
        if error.status != SERVER_ERROR:
            raise
        once = _failed(resource, "{} (once; asked again it answered)".format(error), WARNING)
    time.sleep(POLL)
    return cloud.pages(resource), [once]


def _failed(resource: Resource, why: str, severity: str = BLOCKER) -> Finding:
    remedy = "see the journal of the {} services on the node".format(resource.service)
    return finding(resource.name, "{}: {}".format(resource.name, why), remedy, severity)


def placement(cloud: Client) -> Answer:
    """Placement answers an authenticated request, which none of the eight commands makes."""
    started, wrong, count = time.monotonic(), [], 0
    try:
        count = len(cloud.call("GET", "placement", "/resource_providers", SECONDS)["resource_providers"])
    except (CallFailed, KeyError, TypeError) as error:
        remedy = "see the journal of nova-placement-api, and [placement] of nova.conf"
        wrong.append(finding("placement", "placement: {}".format(error), remedy))
    return outcome("placement", "openstack resource provider list", started, count, wrong)
