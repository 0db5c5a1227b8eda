"""One authenticated session that asks a cloud the eight questions, looks at its catalogue and makes, reads and deletes.

Run by a Python that has keystoneauth1 (the OpenStack client library for sessions); Salt's own need not have it, so nothing
here runs, or is imported, when Salt loads the file. The order comes as JSON on stdin, with the password; the last line of
stdout is the result. The calls run side by side, each with a timeout of its own.
"""

import concurrent.futures
import importlib
import json
import os
import secrets
import sys
import threading
import time
import typing

import upgrader_verify_compare
from upgrader_verify_resources import PREFIX, RESOURCES, Resource

WORKERS = 8
POLL = 0.5
WARM_SECONDS = 10.0
Answer = typing.Dict[str, typing.Any]


class CallFailed(Exception):
    """What one call ended with, in a few words."""


class Cloud:
    """A session for each kind of service, and the few verbs that the checks need.

    Each has a token of its own. Services share what they know of a token by the cache (``memcached_servers``), so that a
    service whose own account is wrong answers all the same once another one has validated the token (seen with placement).
    """

    def __init__(self, order: Answer) -> None:
        self.auth, self.ksession = (
            importlib.import_module("keystoneauth1." + name) for name in ("identity.v3", "session")
        )
        self.order = order
        self.region = order["auth"].get("region")
        self.lock = threading.Lock()
        self.sessions = {}  # type: typing.Dict[str, typing.Any]
        self.errors = importlib.import_module("keystoneauth1.exceptions")
        self.session = self.session_of("identity")

    def session_of(self, kind: str) -> typing.Any:
        """The session in which services of this type are asked."""
        with self.lock:
            if kind not in self.sessions:
                self.sessions[kind] = self._first() if not self.sessions else self._another()
            return self.sessions[kind]

    def _first(self) -> typing.Any:
        given = self.order["auth"]
        password = self.auth.Password(
            given["auth_url"],
            username=given["username"],
            password=given["password"],
            **_domain(given, "user_domain"),
            **self._project(),
        )
        return self.ksession.Session(password, verify=given.get("verify", True), timeout=120)

    def _another(self) -> typing.Any:
        """A token in exchange for the first one: keystone takes its time over a password, and hardly any over a token."""
        given = self.order["auth"]
        token = self.auth.Token(given["auth_url"], self.session.get_token(), **self._project())
        return self.ksession.Session(token, verify=given.get("verify", True), timeout=120)

    def _project(self) -> typing.Dict[str, str]:
        given = self.order["auth"]
        return dict(_domain(given, "project_domain"), project_name=given["project_name"])

    def call(
        self, method: str, kind: str, path: str, timeout: float, body: typing.Any = None, **more: typing.Any
    ) -> typing.Any:
        """One request. Raises CallFailed with the status and the service's own words."""
        where = {"service_type": kind, "interface": self.order.get("interface", "public"), "region_name": self.region}
        try:
            reply = self.session_of(kind).request(
                path,
                method,
                endpoint_filter=where,
                json=body,
                raise_exc=False,
                timeout=timeout,
                connect_retries=0,
                **more,
            )
        except self.errors.ClientException as error:
            raise CallFailed(" ".join(str(error).split())[:300]) from None
        if reply.status_code >= 400:
            raise CallFailed(
                "HTTP {} of {} {}: {}".format(reply.status_code, method, path.split("?")[0], _words(reply))
            )
        return reply.json() if reply.content and "json" in reply.headers.get("Content-Type", "") else None

    def pages(self, resource: Resource) -> typing.List[typing.Any]:
        """All items of a list, page by page; a page that leads back to itself is an error, not a loop."""
        items, path, seen = [], resource.path, set()
        while path:
            if path in seen:
                raise CallFailed("its pages lead back to {}".format(path))
            seen.add(path)
            answer = self.call("GET", resource.service_type, path, resource.timeout)
            items += answer[resource.key]
            path = _next(answer, resource, bool(answer[resource.key]))
        return items

    def catalogue(self) -> typing.List[typing.Any]:
        access = self.session.auth.get_access(self.session)
        return list(access.service_catalog.catalog)


def _domain(given: Answer, kind: str) -> typing.Dict[str, str]:
    """By name where only that is given, else by id."""
    name = given.get(kind + "_name")
    return {kind + "_name": name} if name else {kind + "_id": given.get(kind + "_id", "default")}


def _words(reply: typing.Any) -> str:
    """The service's own message in an error reply."""
    try:
        held = reply.json()
        values = list(held.values()) if isinstance(held, dict) else []
        # Heat says "currently unavailable" first, and why in the part that the others give alone.
        told = [value["message"] for value in values if isinstance(value, dict) and value.get("message")]
        text = (told or values or [held])[0]
    except ValueError:
        text = reply.text
    return " ".join(str(text).split())[:200]


def _next(answer: Answer, resource: Resource, some: bool) -> str:
    """Path of the next page, relative to the endpoint: the first path's own, with the marker that the service gives."""
    link = answer.get("next") or next(
        (one["href"] for one in answer.get(resource.key + "_links", []) if one.get("rel") == "next"), ""
    )
    if not link or not some or "marker=" not in link:
        return ""
    marker = link.split("marker=", 1)[1].split("&", 1)[0]
    return "{}{}marker={}".format(resource.path, "&" if "?" in resource.path else "?", marker)


def wait_for(cloud: Cloud, patience: float) -> None:
    """Until keystone gives a token; a fresh one needs some ten seconds for its first answer."""
    deadline = time.monotonic() + patience
    while True:
        try:
            cloud.session.get_token()
            return
        except cloud.errors.Unauthorized:
            raise CallFailed("keystone does not accept user {}".format(cloud.order["auth"]["username"])) from None
        except cloud.errors.ClientException as error:
            if time.monotonic() >= deadline:
                raise CallFailed(
                    "keystone at {} gives no token within {:.0f} s: {}".format(
                        cloud.order["auth"]["auth_url"], patience, " ".join(str(error).split())[:200]
                    )
                ) from None
        time.sleep(POLL)


def warm(cloud: Cloud, resource: Resource, deadline: float) -> None:
    """Until the service answers a small question quickly, whatever it says.

    A service that was started with its keystone a moment ago may let its first request hang; the question that counts is
    asked after that, with all the time that it may need.
    """
    path = resource.path.replace("limit=1000", "limit=1")
    while time.monotonic() < deadline:
        try:
            cloud.call("GET", resource.service_type, path, WARM_SECONDS)
            return
        except CallFailed as error:
            if not any(words in str(error) for words in ("timed out", "Unable to establish connection", "HTTP 503")):
                return
        time.sleep(POLL)


def listed(cloud: Cloud, resource: Resource, baseline: Answer, own: typing.Sequence[str], patience: float) -> Answer:
    """One of the eight calls, compared. Until an engine of heat's has reported, heat is asked again."""
    deadline = time.monotonic() + patience
    before = baseline.get(resource.name)
    warm(cloud, resource, deadline)
    while True:
        begun, items = time.monotonic(), []  # type: float, typing.List[typing.Tuple[str, Answer]]
        try:
            items = [resource.record(item) for item in cloud.pages(resource)]
            found = upgrader_verify_compare.findings(resource, before, items, own)
            if not found or resource.name != "orchestration services" or time.monotonic() >= deadline:
                break
        except CallFailed as error:
            found = [_failed(resource, str(error))]
            break
        except (KeyError, TypeError, ValueError) as error:
            found = [_failed(resource, "an answer without {}".format(error))]
            break
        time.sleep(POLL)
    return {
        "call": resource.name,
        "command": resource.command,
        "found": len(items),
        "expected": len(before) if before is not None else None,
        "seconds": round(time.monotonic() - begun, 2),
        "findings": found,
    }


def _failed(resource: Resource, why: str) -> Answer:
    return {
        "severity": "blocker",
        "subject": resource.name,
        "what": "{}: {}".format(resource.name, why),
        "remedy": "see the journal of the {} services on the node".format(resource.service),
    }


# Kind, service type, collection, what is made, where its id is in the answer.
OBJECTS = (
    ("flavor", "compute", "/flavors", {"flavor": {"name": "", "ram": 64, "vcpus": 1, "disk": 0}}, "flavor"),
    ("keypair", "compute", "/os-keypairs", {"keypair": {"name": ""}}, "keypair"),
    ("image", "image", "/v2/images", {"name": "", "disk_format": "raw", "container_format": "bare"}, ""),
    ("network", "network", "/v2.0/networks", {"network": {"name": "", "admin_state_up": False}}, "network"),
    ("volume type", "volumev3", "/types", {"volume_type": {"name": ""}}, "volume_type"),
    ("project", "identity", "/projects", {"project": {"name": "", "domain_id": "default"}}, "project"),
)


def made_and_deleted(cloud: Cloud, kind: str, service_type: str, path: str, body: Answer, key: str) -> Answer:
    """Create, read, delete one object; what an earlier, killed check left behind goes as well."""
    started, name, found = time.monotonic(), PREFIX + secrets.token_hex(4), []
    held = json.loads(json.dumps(body))
    (held[key] if key else held)["name"] = name
    try:
        swept = _sweep(cloud, service_type, path, key)
        answer = cloud.call("POST", service_type, path, 60, held)
        made = answer[key] if key else answer
        identity = name if kind == "keypair" else made["id"]
        try:
            read = cloud.call("GET", service_type, "{}/{}".format(path, identity), 60)
            if (read[key] if key else read)["name"] != name:
                raise CallFailed("{} is read back under another name".format(identity))
        finally:
            cloud.call("DELETE", service_type, "{}/{}".format(path, identity), 60)
        gone = cloud.session_of(service_type).get(
            "{}/{}".format(path, identity),
            endpoint_filter={
                "service_type": service_type,
                "interface": cloud.order.get("interface", "public"),
                "region_name": cloud.region,
            },
            raise_exc=False,
            timeout=60,
        )
        if gone.status_code != 404:
            raise CallFailed("deleted, and GET still answers HTTP {}".format(gone.status_code))
    except (CallFailed, cloud.errors.ClientException, KeyError, TypeError) as error:
        swept = 0
        found.append(
            {
                "severity": "blocker",
                "subject": kind,
                "what": "{} cannot be made, read and deleted: {}".format(kind, " ".join(str(error).split())[:300]),
                "remedy": "see the journal of the service on the node; its name began with {}".format(PREFIX),
            }
        )
    return {
        "call": kind, "command": "create, show and delete", "seconds": round(time.monotonic() - started, 2),
        "found": swept, "expected": None, "findings": found,
    }  # fmt: skip


def _sweep(cloud: Cloud, service_type: str, path: str, key: str) -> int:
    """Delete what carries our prefix. Listing goes by name where the API can; otherwise all names are looked at."""
    plural = {"": "images", "keypair": "keypairs"}.get(key, key + "s")
    asked = path + ("?limit=1000" if service_type in ("image", "compute") and key != "keypair" else "")
    items = cloud.call("GET", service_type, asked, 60)[plural]
    found = [item.get("keypair", item) for item in items]
    ours = [item for item in found if str(item.get("name") or "").startswith(PREFIX)]
    for item in ours:
        cloud.call("DELETE", service_type, "{}/{}".format(path, item.get("id") or item["name"]), 60)
    return len(ours)


def placement(cloud: Cloud) -> Answer:
    """Placement answers an authenticated request, which none of the eight commands makes."""
    started, found, count = time.monotonic(), [], 0
    try:
        count = len(cloud.call("GET", "placement", "/resource_providers", 60)["resource_providers"])
    except (CallFailed, KeyError, TypeError) as error:
        found.append(
            {
                "severity": "blocker",
                "subject": "placement",
                "what": "placement: {}".format(error),
                "remedy": "see the journal of nova-placement-api, and [placement] of nova.conf",
            }
        )
    return {
        "call": "placement", "command": "openstack resource provider list", "found": count, "expected": None,
        "seconds": round(time.monotonic() - started, 2), "findings": found,
    }  # fmt: skip


def verify(order: Answer) -> Answer:
    """Everything, in two rounds: first what only reads, then what makes and deletes."""
    started = time.monotonic()
    baseline = {}
    if order.get("baseline"):
        with open(order["baseline"], encoding="utf-8") as opened:
            baseline = json.load(opened)["resources"]
    cloud = Cloud(order)
    wait_for(cloud, order["patience"])
    own = order["own"]
    entries = cloud.catalogue()
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        first = [pool.submit(listed, cloud, one, baseline, own, order["patience"]) for one in RESOURCES]
        first.append(pool.submit(placement, cloud))
        rounds = [job.result() for job in first]
        if order.get("change", True):
            second = [pool.submit(made_and_deleted, cloud, *one) for one in OBJECTS]
            rounds += [job.result() for job in second]
    places = order["own"] if order.get("copy") else ()
    rounds.insert(
        0,
        {
            "call": "catalogue", "command": "openstack catalog list", "found": len(entries), "expected": None, "seconds": 0.0,
            "findings": upgrader_verify_compare.catalogue(entries, order["kinds"], places),
        },
    )  # fmt: skip
    return {"calls": rounds, "seconds": round(time.monotonic() - started, 2)}


def main() -> int:
    """Read the order, do it, print the result as the last line."""
    try:
        result = verify(json.load(sys.stdin))
    except CallFailed as error:
        result = {"failed": str(error)}
    except ImportError as error:
        result = {"failed": "this Python has no keystoneauth1 ({}); {}".format(error, sys.executable)}
    sys.stdout.write("\n" + json.dumps(result) + "\n")
    sys.stdout.flush()
    os._exit(0)  # a call that outlived its timeout must not keep the process


if __name__ == "__main__":
    main()
