"""What dpkg says is on this node: every package with its version, whether it is held, and whether it is whole."""

import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pipeline
from upgrader_node.host.findings import some

FORMAT = "${db:Status-Want}\t${db:Status-Status}\t${db:Status-Eflag}\t${binary:Package}\t${Package}\t${Architecture}\t${Version}\n"
WHOLE, GONE = "installed", ("not-installed", "config-files")
SECONDS = 120.0


class Package(typing.NamedTuple):
    """One package. ``name`` is as apt takes it: with its architecture where that is not the node's own. ``state`` is dpkg's word."""

    name: str
    version: str
    state: str
    held: bool = False
    damaged: bool = False

    @property
    def whole(self) -> bool:
        return self.state == WHOLE and not self.damaged

    @property
    def gone(self) -> bool:
        return self.state in GONE and not self.damaged


Packages = typing.Dict[str, Package]


def read() -> Packages:
    """Every package that dpkg knows, by name. Raises StepError when it cannot say."""
    native = pipeline.output(["dpkg", "--print-architecture"], SECONDS).strip()
    text = pipeline.output(["dpkg-query", "--show", "--showformat=" + FORMAT], SECONDS)
    found = parse(text, native)
    if not found:
        raise StepError("dpkg-query names no package ({}): look at /var/lib/dpkg/status".format(text.strip()[-200:]))
    return found


def parse(text: str, native: str) -> Packages:
    """dpkg-query's lines by name; lines of another form are none of its."""
    found = {}  # type: Packages
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) == 7:
            want, state, flag, _, plain, architecture, version = fields
            name = plain if architecture in (native, "all", "") else "{}:{}".format(plain, architecture)
            found[name] = Package(name, version, state, want == "hold", flag != "ok")
    return found


def broken(packages: Packages) -> typing.List[str]:
    """Packages that dpkg has not brought to an end, in words."""
    return [
        "{} is {}".format(one.name, "to be installed again" if one.damaged else one.state)
        for one in sorted(packages.values())
        if not (one.whole or one.gone)
    ]


def demand_whole(packages: Packages) -> None:
    """Raises StepError for packages that somebody else left half done."""
    wrong = broken(packages)
    if wrong:
        what = "dpkg has not finished with {}: run 'dpkg --configure -a' and 'apt-get -f install' on this node and see what they say"
        raise StepError(what.format(some(wrong)))


def older(one: str, than: str) -> bool:
    """Whether a version is older than another, by dpkg's own rules."""
    ended = pipeline.run([["dpkg", "--compare-versions", one, "lt", than]], timeout=SECONDS)[0]
    return ended.code == 0
