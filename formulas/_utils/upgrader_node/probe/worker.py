"""Judges rows by a service's own code, run by that service's own Python (2.7 too): all rows of a copy, or texts that it is given.

It becomes the user whom the order names before it touches anything of the service: a pickle is loaded as heat would load it.

The order comes as JSON on stdin and holds no secret: the configuration file names the databases and the account, and they must
be those that the order names. The sessions are told to refuse every write. Pages are shared among processes; of a page no more
stands in memory than its rows. The last line of stdout is the result. Nothing here runs when Salt imports the file.
"""

import functools
import json
import os
import resource
import sys

from upgrader_node.host import children
from upgrader_node.nova.door import Door, novas
from upgrader_node.probe import cinder_code, heat_code, kind, kinds, nova_code
from upgrader_node.probe.verdicts import Verdicts

if sys.version_info >= (3,):
    import typing  # noqa: F401 (for type comments: Python 2.7 has neither annotations nor this module)

REFUSED = 3
STRIDE = 5
"""Pages that one process reads on end."""
DISTRIBUTIONS = {"heat": "openstack-heat"}


class Refusal(Exception):
    """Why nothing is done here at all."""


def judges(service):
    # type: (str) -> typing.Dict[str, typing.Callable[..., typing.Any]]
    """The service's code, imported; Refusal where it is not whole."""
    try:
        if service == "heat":
            return heat_code.judges(kinds.of_service(service))
        return {"nova": nova_code, "cinder": cinder_code}[service].judges()
    except ImportError as error:
        raise Refusal("the installed {0} cannot be imported: {1}".format(service, error))  # noqa: B904 (Python 2.7)


def version(service):
    # type: (str) -> str
    name = DISTRIBUTIONS.get(service, service)
    return "{0} {1}".format(service, novas("pkg_resources").get_distribution(name).version)


def urls(order):
    # type: (typing.Mapping[str, typing.Any]) -> typing.Dict[str, str]
    """The databases' URLs, from the service's configuration file by oslo.config; Refusal for others than the order names."""
    cfg = novas("oslo_config.cfg")
    conf, found = cfg.ConfigOpts(), {}
    for section in {place[0] for place in order["places"].values()}:
        conf.register_opt(cfg.StrOpt("connection", secret=True), group=section)
    conf(["--config-file", order["config_file"]], project="upgrader", default_config_files=[])
    for role, (section, host, port, database) in order["places"].items():
        url = novas("sqlalchemy.engine.url").make_url(conf[section].connection)
        if [url.host, url.port or 3306, url.database] != [host, port, database]:
            raise Refusal("[{0}]/connection does not name {1}:{2}/{3}".format(section, host, port, database))
        found[role] = conf[section].connection
    return found


def opened(url):
    # type: (str) -> Door
    """A session in which the server refuses every write (error 1792)."""
    door = Door(url)
    door.rows("SET SESSION TRANSACTION READ ONLY")
    return door


def spans(door, wanted, words):
    # type: (Door, typing.Sequence[kind.Kind], typing.Mapping[str, str]) -> typing.Iterator[typing.Tuple[kind.Kind, typing.Any, typing.Any]]
    """Ranges of keys that cover every row of every kind: kind, after, until (None at the end)."""
    for one in wanted:
        after, statement = one.first, one.boundary(words, STRIDE * one.page)
        while True:
            found = door.rows(statement, (after,))
            yield one, after, found[0][0] if found else None
            if not found:
                break
            after = found[0][0]


def work(order, url, shares):
    # type: (typing.Mapping[str, typing.Any], str, typing.Sequence[typing.Tuple[kind.Kind, typing.Any, typing.Any]]) -> typing.Dict[str, typing.Any]
    """One process's share: what it says of each kind, and the most memory that it had."""
    door, words, code = opened(url), kind.words_of(order["databases"]), judges(order["service"])
    heard = {}  # type: typing.Dict[str, Verdicts]
    for one, after, until in shares:
        verdicts = heard.setdefault(one.id, Verdicts(code[one.judge], order["listed"]))
        while True:
            rows = kind.rows_after(door.rows, one, words, after, until)
            verdicts.hear(rows)
            if len(rows) < one.page:
                break
            after = rows[-1].key
    door.close()
    told = {identity: verdicts.told() for identity, verdicts in heard.items()}
    return {"kinds": told, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


def conduct(order):
    # type: (typing.Mapping[str, typing.Any]) -> typing.Dict[str, typing.Any]
    """All rows of a copy, shared among processes; the result says how many of these died."""
    judges(order["service"])  # once, so that the children need not import again
    url = urls(order)["main"]
    door, wanted = opened(url), kinds.of_service(order["service"])
    shares = list(spans(door, wanted, kind.words_of(order["databases"])))
    door.close()
    many = order["processes"]
    forked = [children.fork(functools.partial(work, order, url, shares[number::many])) for number in range(many)]
    total = {"version": version(order["service"]), "memory": 0, "died": 0, "kinds": {}}  # type: typing.Dict[str, typing.Any]
    for pid, pipe in forked:
        share = children.result(pid, pipe)
        if share is None:
            total["died"] += 1
        else:
            total["memory"] = max(total["memory"], share["memory"])
            _add(total["kinds"], share["kinds"], order["listed"])
    return total


def _add(total, share, listed):
    # type: (typing.Dict[str, typing.Any], typing.Mapping[str, typing.Any], int) -> None
    """One process's word added to what the others said."""
    for identity, told in share.items():
        mine = total.setdefault(identity, {"rows": 0, "judged": 0, "count": 0, "refused": []})
        for number in ("rows", "judged", "count"):
            mine[number] += told[number]
        mine["refused"] = sorted(mine["refused"] + told["refused"])[:listed]


def given(order):
    # type: (typing.Mapping[str, typing.Any]) -> typing.Dict[str, typing.Any]
    """Why each of the texts of each page is refused, in their order; "" for those that are taken. No database is opened."""
    service, code, reasons = order["service"], judges(order["service"]), []
    for page in order["pages"]:
        verdicts = Verdicts(code[kinds.named(service, page["kind"]).judge], 0)
        reasons.append([verdicts.reason(values) for values in page["texts"]])
    return {"version": version(service), "reasons": reasons}


def become(user):
    # type: (typing.Optional[typing.Sequence[typing.Any]]) -> None
    """From here on the service's own user: uid, gid, groups. Not before, for Salt's cache, where this file is, is root's alone."""
    if user is not None:
        uid, gid, groups = user
        os.setgroups(groups)
        os.setgid(gid)
        os.setuid(uid)


def main():
    # type: () -> int
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    order = json.load(sys.stdin)
    become(order["user"])
    try:
        result = given(order) if "pages" in order else conduct(order)
    except Refusal as reason:
        sys.stdout.write(json.dumps({"refused": str(reason)}) + "\n")
        return REFUSED
    sys.stdout.write(json.dumps(result, sort_keys=True) + "\n")
    return 1 if result.get("died") else 0


if __name__ == "__main__":
    sys.exit(main())
