"""Builds request specs and keypair records in bulk, run by nova's own Python (2.7), with nova's own objects.

nova-manage spends 10 to 15 ms on a request spec: half of it asks, one instance at a time, whether there is a server
group, and reads back what was just written. Here instances are read by the hundred and rows written with one statement;
what stands in a row is made by the very functions of that nova that ``migrate_instances_add_request_spec`` and
``migrate_instance_keypairs`` call. Whatever is unusual is left alone, counted by reason, and falls to nova-manage.

The order comes as JSON on stdin and holds no secret: nova.conf is read by nova itself, and must still name the databases
that the order names. Each statement commits by itself and skips what is there, so it may be killed and run again at any
moment. The last line of stdout is the result. Nothing here runs when Salt imports the file.
"""

import collections
import functools
import json
import resource
import sys

from upgrader_node.host import children
from upgrader_node.nova.door import Door, novas, quoted
from upgrader_node.nova.records import KeyPairs, Specs

if sys.version_info >= (3,):
    import typing  # noqa: F401 (for type comments: Python 2.7 has neither annotations nor this module)

BATCH = 250
REFUSED = 3


class Refusal(Exception):
    """Why nothing is done here at all."""


def chunks(items, size):
    # type: (typing.Sequence[typing.Any], int) -> typing.List[typing.Sequence[typing.Any]]
    """``items`` in pieces of at most ``size``."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def start_nova(order):
    # type: (typing.Mapping[str, typing.Any]) -> typing.Any
    """nova's configuration, read by nova; refuses another nova and other databases than those the driver has judged."""
    version = novas("pkg_resources").get_distribution("nova").version
    if not version.startswith(order["code"] + "."):
        raise Refusal("the installed nova is {0}, the fast path knows {1} only".format(version, order["code"]))
    novas("nova.config").parse_args(["nova-manage", "--config-file", order["config_file"]])
    novas("nova.objects").register_all()
    conf = novas("nova.conf").CONF
    for section, wanted in (("database", order["main"]), ("api_database", order["api"])):
        url = novas("sqlalchemy.engine.url").make_url(conf[section].connection)
        place = [url.host, url.port or 3306, url.database]
        if place != wanted:
            raise Refusal(
                "[{0}]/connection names {2}:{3}/{4} instead of {1}".format(
                    section, "{0}:{1}/{2}".format(*wanted), *place
                )
            )
    return conf


def to_do(order, main):
    # type: (typing.Mapping[str, typing.Any], Door) -> typing.Tuple[typing.List[int], typing.List[int]]
    """Ids of instances without request spec (but deferred deletions, which nova skips) and of extras without keypairs.

    Extras come ordered by their instance's user and key, so that those which get the same text stand together.
    """
    schema, other = quoted(order["main"][2]), quoted(order["api"][2])
    specs = (
        "SELECT i.id FROM {0}.instances i WHERE i.deleted = 0 AND (i.vm_state IS NULL OR i.vm_state <> 'soft-delete')"
        " AND NOT EXISTS (SELECT 1 FROM {1}.request_specs s WHERE s.instance_uuid = i.uuid) ORDER BY i.id"
    )
    extras = (
        "SELECT e.id FROM {0}.instance_extra e JOIN {0}.instances i ON i.uuid = e.instance_uuid"
        " WHERE e.deleted = 0 AND e.keypairs IS NULL ORDER BY i.user_id, i.key_name, e.id"
    )
    return main.column(specs.format(schema, other)), main.column(extras.format(schema))


def work(order, conf, specs, extras):
    # type: (typing.Mapping[str, typing.Any], typing.Any, typing.Sequence[typing.Any], typing.Sequence[typing.Any]) -> typing.Dict[str, typing.Any]
    """One process's share."""
    main, api, admin = (
        Door(conf.database.connection),
        Door(conf.api_database.connection),
        novas("nova.context").get_admin_context(),
    )
    result = {"specs": 0, "keypairs": 0, "left": collections.Counter()}  # type: typing.Dict[str, typing.Any]
    keypairs = KeyPairs(admin, main, order)
    for chunk in extras:
        keypairs.migrate(chunk, result)
    builder = Specs(admin, main, api, order)
    for chunk in specs:
        builder.migrate(chunk, result)
    result["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return result


def conduct(order):
    # type: (typing.Mapping[str, typing.Any]) -> typing.Dict[str, typing.Any]
    """Share the work among processes; the result names how many of them died."""
    conf = start_nova(order)
    door = Door(conf.database.connection)
    specs, extras = to_do(order, door)
    door.close()
    total = {"specs": 0, "keypairs": 0, "left": collections.Counter(), "memory": 0, "died": 0}  # type: typing.Dict[str, typing.Any]
    many, forked = order["processes"], []
    for number in range(many):
        mine = (chunks(specs, BATCH)[number::many], chunks(extras, BATCH)[number::many])
        forked.append(children.fork(functools.partial(work, order, conf, *mine)))
    for pid, pipe in forked:
        share = children.result(pid, pipe)
        if share is None:
            total["died"] += 1
            continue
        total["left"].update(share["left"])
        total["specs"], total["keypairs"] = total["specs"] + share["specs"], total["keypairs"] + share["keypairs"]
        total["memory"] = max(total["memory"], share["memory"])
    return total


def main():
    # type: () -> int
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    order = json.load(sys.stdin)
    try:
        result = conduct(order)
    except Refusal as reason:
        sys.stdout.write(json.dumps({"refused": str(reason)}) + "\n")
        return REFUSED
    sys.stdout.write(json.dumps(result, sort_keys=True) + "\n")
    return 1 if result["died"] else 0


if __name__ == "__main__":
    sys.exit(main())
