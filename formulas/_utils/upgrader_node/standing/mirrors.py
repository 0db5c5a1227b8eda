"""Whether the package sources of a node answer: each of apt's own addresses is asked for its index, without a download.

apt itself says which they are (``apt-get --print-uris update``, which fetches nothing) and by which proxy it goes (``apt-config``).
"""

import re
import typing
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from upgrader_node.errors import StepError, redact
from upgrader_node.host import pipeline
from upgrader_node.host.findings import INFO, WARNING, Findings, of_node

SECONDS = 10.0
TOGETHER = 8
INDEX = re.compile(r"^'([^']+/(?:InRelease|Release))'", re.M)
_PROXY = re.compile(r'^Acquire::(https?)::Proxy(?:::(\S+))? "([^"]*)";$', re.M)
Answer = typing.Dict[str, typing.Any]
Ask = typing.Callable[[str], str]
"""An address to why it does not answer; "" for one that does."""


def state(node: str, ask: typing.Optional[Ask] = None) -> Answer:
    """Every source that does not answer. A node without apt has none."""
    try:
        sources = indexes(pipeline.output(["apt-get", "--print-uris", "update"], 60.0))
        proxies = proxies_of(pipeline.output(["apt-config", "dump"], 30.0))
    except StepError as error:
        what = "cannot say what its package sources are ({})".format(error)
        return {
            "comment": what,
            "findings": [of_node(node, what, "mend apt's sources there", WARNING, id="package-sources")],
        }
    ask = ask or (lambda address: answers(address, proxies))
    with ThreadPoolExecutor(TOGETHER) as pool:
        said = dict(zip(sources, pool.map(ask, sources)))
    return {"comment": "{} package sources asked".format(len(sources)), "findings": judge(node, said)}


def indexes(text: str) -> typing.List[str]:
    """The addresses of the index of each source, each once: apt names InRelease, and Release where it looks for that first."""
    found = {}  # type: typing.Dict[str, str]
    for address in INDEX.findall(text):
        found.setdefault(address.rpartition("/")[0], address)
    return list(found.values())


def proxies_of(text: str) -> typing.Dict[str, str]:
    """``{scheme or host: proxy}``; ``DIRECT`` means none."""
    return {host or scheme: proxy for scheme, host, proxy in _PROXY.findall(text)}


def answers(address: str, proxies: typing.Mapping[str, str], seconds: float = SECONDS) -> str:
    """Why a source does not answer. Only http and https are asked; others are apt's own affair."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https"):
        return ""
    proxy = proxies.get(parts.hostname or "", proxies.get(parts.scheme, proxies.get("http", "")))
    handler = urllib.request.ProxyHandler({parts.scheme: proxy} if proxy and proxy != "DIRECT" else {})
    request = urllib.request.Request(address, method="HEAD")
    try:
        with urllib.request.build_opener(handler).open(request, timeout=seconds):
            return ""
    except urllib.error.HTTPError as error:
        return "HTTP {}".format(error.code) if error.code not in (405, 501) else ""
    except urllib.error.URLError as error:
        return str(getattr(error.reason, "strerror", None) or error.reason)
    except OSError as error:
        return error.strerror or "no answer within {:.0f} s".format(seconds)


def judge(node: str, said: typing.Mapping[str, str]) -> Findings:
    """One finding for all that are silent; none at all is told too, because packages have to come from somewhere."""
    if not said:
        what = "has no package source"
        return [
            of_node(
                node, what, "name one in pillar linux:system:repo, or in apt's own files", INFO, id="package-sources"
            )
        ]
    silent = ["{} ({})".format(redact(address.rpartition("/")[0]), why) for address, why in said.items() if why]
    if not silent:
        return []
    what = "cannot reach {} of its {} package sources".format(len(silent), len(said))
    remedy = "mend them or the way to them: packages of the new release come from there"
    return [of_node(node, what, remedy, WARNING, id="package-sources", rows=silent, count=len(silent))]
