"""One object of each kind, made, read and deleted again; what an earlier, killed check left behind goes as well."""

import json
import secrets
import time
import typing

from upgrader_node.host.findings import Finding, finding, some
from upgrader_node.verify.client import Answer, CallFailed, Client, outcome
from upgrader_node.verify.resources import PREFIX

SECONDS = 60


class Kind(typing.NamedTuple):
    """What is made: in which collection of which service, from what body, and under which key its answer has it."""

    kind: str
    service_type: str
    path: str
    body: Answer
    key: str

    def inside(self, answer: Answer) -> Answer:
        """The object itself in a body or an answer."""
        return answer[self.key] if self.key else answer


OBJECTS = (
    Kind("flavor", "compute", "/flavors", {"flavor": {"name": "", "ram": 64, "vcpus": 1, "disk": 0}}, "flavor"),
    Kind("keypair", "compute", "/os-keypairs", {"keypair": {"name": ""}}, "keypair"),
    Kind("image", "image", "/v2/images", {"name": "", "disk_format": "raw", "container_format": "bare"}, ""),
    Kind("network", "network", "/v2.0/networks", {"network": {"name": "", "admin_state_up": False}}, "network"),
    Kind("volume type", "volumev3", "/types", {"volume_type": {"name": ""}}, "volume_type"),
    Kind("project", "identity", "/projects", {"project": {"name": "", "domain_id": "default"}}, "project"),
)


def made_and_deleted(cloud: Client, kind: Kind) -> Answer:
    """Create, read, delete one object. ``found`` of the answer is how many were swept."""
    started, swept, wrong = time.monotonic(), 0, []
    try:
        swept = _sweep(cloud, kind)
        _once(cloud, kind)
    except (CallFailed, cloud.errors.ClientException, KeyError, TypeError) as error:
        swept = 0
        wrong.append(_failed(kind, " ".join(str(error).split())[:300]))
    return outcome(kind.kind, "create, show and delete", started, swept, wrong)


def _once(cloud: Client, kind: Kind) -> None:
    name, body = PREFIX + secrets.token_hex(4), json.loads(json.dumps(kind.body))
    kind.inside(body)["name"] = name
    made = kind.inside(cloud.call("POST", kind.service_type, kind.path, SECONDS, body))
    path = "{}/{}".format(kind.path, name if kind.kind == "keypair" else made["id"])
    try:
        if kind.inside(cloud.call("GET", kind.service_type, path, SECONDS))["name"] != name:
            raise CallFailed("{} is read back under another name".format(path))
    finally:
        cloud.call("DELETE", kind.service_type, path, SECONDS)
    status = cloud.status_of(kind.service_type, path, SECONDS)
    if status != 404:
        raise CallFailed("deleted, and GET still answers HTTP {}".format(status))


def _sweep(cloud: Client, kind: Kind) -> int:
    """Delete what carries our prefix, each by its id (a keypair has none: by its name, of our own user), and nothing else."""
    before = _listed(cloud, kind)
    ours = [one for one, name in before.items() if name.startswith(PREFIX)]
    for one in ours:
        cloud.call("DELETE", kind.service_type, "{}/{}".format(kind.path, one), SECONDS)
    gone = sorted(set(before) - set(_listed(cloud, kind)) - set(ours)) if ours else []
    if gone:
        words = "{} of an earlier check were deleted ({}), and {} more are gone that nobody named: {}"
        raise CallFailed(words.format(len(ours), some(ours), len(gone), some(gone)))
    return len(ours)


def _listed(cloud: Client, kind: Kind) -> typing.Dict[str, str]:
    """Names by id. Listing goes by page where the API does; all names are looked at."""
    plural = {"": "images", "keypair": "keypairs"}.get(kind.key, kind.key + "s")
    pages = kind.service_type in ("image", "compute") and kind.key != "keypair"
    items = cloud.call("GET", kind.service_type, kind.path + ("?limit=1000" if pages else ""), SECONDS)[plural]
    objects = [item.get("keypair", item) for item in items]
    return {str(one.get("id") or one["name"]): str(one.get("name") or "") for one in objects}


def _failed(kind: Kind, why: str) -> Finding:
    return finding(
        kind.kind,
        "{} cannot be made, read and deleted: {}".format(kind.kind, why),
        "see the journal of the service on the node; its name began with {}".format(PREFIX),
    )
