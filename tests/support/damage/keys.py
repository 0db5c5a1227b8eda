"""Damages of what a file says: keys that are missing, doubled, of another type, and references that lead wrong."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import yaml

from tests.support.damage.damage import NAMED, SAME, TAKEN, Damage, classes_of, held, kind, leaves, put, relative
from tests.support.models import PARAMETERS

INIT = "classes/cluster/mcp/init.yml"
NO_TEXT = ([["a", "b"]], {"a": "b"}, True, None, 1.5, "")


def _parameter(root: Path, chance: random.Random, value: Any, name: str) -> Damage:
    path = root / INIT
    said = held(path)
    parameter = chance.choice(PARAMETERS)
    said["parameters"]["_param"][parameter] = value
    path.write_text(yaml.safe_dump(said, allow_unicode=True, sort_keys=False))
    return Damage(name, INIT, f"_param:{parameter}")


@kind
def parameter_of_another_type(root: Path, chance: random.Random) -> Damage:
    return _parameter(root, chance, chance.choice(NO_TEXT), "parameter-of-another-type")


@kind
def parameter_gone(root: Path, chance: random.Random) -> Damage:
    path = root / INIT
    said = held(path)
    parameter = chance.choice(PARAMETERS)
    del said["parameters"]["_param"][parameter]
    path.write_text(yaml.safe_dump(said, sort_keys=False))
    return Damage("parameter-gone", INIT, f"_param:{parameter}", lands="/")


@kind
def parameter_misspelt(root: Path, chance: random.Random) -> Damage:
    path = root / INIT
    said = held(path)["parameters"]["_param"]
    parameter = chance.choice(PARAMETERS)
    letter = chance.choice(("а", "е", "_", "\u200b", "É", "\u202e"))
    said[parameter[:-1] + letter] = said.pop(parameter)
    path.write_text(yaml.safe_dump({"parameters": {"_param": said}}, allow_unicode=True, sort_keys=False))
    return Damage("parameter-misspelt", INIT, f"_param:{parameter}", lands="/")


@kind
def reference_to_nothing(root: Path, chance: random.Random) -> Damage:
    word = chance.choice(
        ("_param:nowhere", "no:where", "_param:ключ", "x" * 400, "_param:a b", "_param:" + "y:" * 50 + "z")
    )
    one = _parameter(root, chance, f"${{{word}}}", "reference-to-nothing")
    return Damage(one.kind, one.file, word, lands="/")


@kind
def reference_to_itself(root: Path, chance: random.Random) -> Damage:
    path = root / INIT
    said = held(path)
    parameter = chance.choice(PARAMETERS)
    hops = [parameter, *(f"hop{n}" for n in range(chance.choice((0, 1, 2, 30))))]
    for here, there in zip(hops, [*hops[1:], parameter], strict=False):
        said["parameters"]["_param"][here] = f"${{_param:{there}}}"
    path.write_text(yaml.safe_dump(said, sort_keys=False))
    return Damage("reference-to-itself", INIT, "_param:")


@kind
def long_chain_of_references(root: Path, chance: random.Random) -> Damage:
    """Valid, and as long as a chain can be before what follows it gives up."""
    path = root / INIT
    said = held(path)["parameters"]["_param"]
    long = chance.choice((50, 3000))
    outcome = NAMED if long > 50 else TAKEN
    said |= {f"hop{n}": f"${{_param:hop{n + 1}}}" for n in range(long)} | {f"hop{long}": "end"}
    path.write_text(yaml.safe_dump({"parameters": {"_param": said}}, sort_keys=False))
    return Damage("long-chain-of-references", INIT, "_param:hop", outcome)


@kind
def reference_cut_off(root: Path, chance: random.Random) -> Damage:
    value = chance.choice(("${", "${_param:cluster_name", "a${b", "${}", "${${}}", "$[", "${a}}${", "hunter2${"))
    return _parameter(root, chance, value, "reference-cut-off")


@kind
def class_list_of_another_type(root: Path, chance: random.Random) -> Damage:
    path = chance.choice(classes_of(root))
    said = held(path)
    wrong = ("cluster.mcp", 5, True, {"a": "b"}, [5], [None], [["a"]], [{"a": "b"}], [""], [True], [1.5], "")
    said["classes"] = chance.choice(wrong)
    path.write_text(yaml.safe_dump(said))
    return Damage("class-list-of-another-type", relative(path, root))


@kind
def parameters_of_another_type(root: Path, chance: random.Random) -> Damage:
    path = chance.choice(classes_of(root))
    said = held(path)
    said["parameters"] = chance.choice(("text", 5, True, ["a"], [{"a": "b"}], 1.5))
    path.write_text(yaml.safe_dump(said))
    return Damage("parameters-of-another-type", relative(path, root))


@kind
def other_part_of_another_type(root: Path, chance: random.Random) -> Damage:
    path = chance.choice(classes_of(root))
    said = held(path)
    said[chance.choice(("applications", "exports"))] = chance.choice((5, True, {"a": 5}, [5], [None], 1.5))
    path.write_text(yaml.safe_dump(said))
    return Damage("other-part-of-another-type", relative(path, root))


@kind
def class_that_is_nowhere(root: Path, chance: random.Random) -> Damage:
    path = chance.choice(classes_of(root))
    said = held(path)
    word = chance.choice(
        (
            "no.where",
            "../../etc/passwd",
            "класс",
            "a b",
            "..",
            ".no",
            "x" * 3000,
            "${_param:nowhere}",
            "cluster..mcp",
            "🌩",
        )
    )
    said["classes"] = [*(said.get("classes") or []), word]
    path.write_text(yaml.safe_dump(said, allow_unicode=True))
    return Damage("class-that-is-nowhere", relative(path, root), word.strip("."), lands="/")


@kind
def classes_in_a_circle(root: Path, chance: random.Random) -> Damage:
    """reclass takes each class once, so the order alone may change."""
    path = root / INIT
    said = held(path)
    said["classes"] = [chance.choice(("cluster.mcp", "cluster.mcp.openstack", "cluster.mcp.infra"))]
    path.write_text(yaml.safe_dump(said))
    return Damage("classes-in-a-circle", INIT)


@kind
def mapping_over_text(root: Path, chance: random.Random) -> Damage:
    """A later class says another type than an earlier one: reclass cannot merge them."""
    path = root / "classes/cluster/mcp/infra/config.yml"
    said = held(path)
    parameter = chance.choice([*PARAMETERS, "cluster_name", "cluster_domain"])
    put(said, ("parameters", "_param", parameter), chance.choice(({"a": "b"}, ["a"])))
    path.write_text(yaml.safe_dump(said))
    return Damage("mapping-over-text", relative(path, root), f"_param:{parameter}", lands="/")


@kind
def text_over_mapping(root: Path, chance: random.Random) -> Damage:
    path = root / "classes/cluster/mcp/infra/config.yml"
    said = held(path)
    where = chance.choice((("upgrader",), ("upgrader", "nodes"), ("upgrader", "databases"), ("reclass", "storage"), ("upgrader", "release"),
                           ("upgrader", "databases", "clones"), ("upgrader", "backup"), ("upgrader", "backup", "server")))  # fmt: skip
    put(said, ("parameters", *where), chance.choice(("text", 5, True, ["a"])))
    path.write_text(yaml.safe_dump(said))
    return Damage("text-over-mapping", relative(path, root), ":".join(where), lands="/")


@kind
def wrong_word(root: Path, chance: random.Random) -> Damage:
    """A value of the right type that means nothing: a release, a node, a deployment, a name that is none."""
    path = root / "classes/cluster/mcp/infra/config.yml"
    said = held(path)
    where, value = chance.choice((
        (("upgrader", "release", "source"), "kilo"), (("upgrader", "release", "target"), "queens"), (("upgrader", "cloud"), "../../etc"),
        (("upgrader", "cloud"), "云"), (("upgrader", "deployment"), "puppet"), (("upgrader", "nodes", "databse"), ["dbs01.mcp.local"]),
        (("upgrader", "nodes", "control"), "ctl01.mcp.local"), (("upgrader", "nodes", "control"), ["ctl09.mcp.local"]),
        (("upgrader", "nodes", "control"), ["ctl01.mcp.local", "ctl01.mcp.local"]), (("upgrader", "nodes", "kvm"), [5]),
        (("upgrader", "nodes", "control"), []), (("upgrader", "nodes", "compute"), {"a": "b"}), (("upgrader", "nodes", "master"), ["a.b", "c.d"]),
    ))  # fmt: skip
    put(said, ("parameters", *where), value)
    path.write_text(yaml.safe_dump(said, allow_unicode=True))
    return Damage("wrong-word", relative(path, root), ":".join(where))


@kind
def key_twice(root: Path, chance: random.Random) -> Damage:
    """YAML takes the last of two: what stood under the first is gone without a word."""
    path = root / chance.choice((INIT, "classes/cluster/mcp/openstack/init.yml"))
    text = path.read_text().rstrip("\n")
    name, _value = chance.choice(
        [(at, value) for at, value in leaves(held(path)) if at[:2] == ("parameters", "_param")]
    )
    path.write_text(f"{text}\n    {name[-1]}: another\n")
    return Damage("key-twice", relative(path, root), name[-1])


@kind
def key_twice_with_one_value(root: Path, chance: random.Random) -> Damage:
    path = root / INIT
    name, value = chance.choice([(at, value) for at, value in leaves(held(path)) if at[:2] == ("parameters", "_param")])
    path.write_text(f"{path.read_text().rstrip()}\n    {name[-1]}: {value}\n")
    return Damage("key-twice-with-one-value", INIT, name[-1], outcome=SAME)


@kind
def block_twice(root: Path, chance: random.Random) -> Damage:
    """A second ``parameters`` at the end of a file: everything of the first is gone."""
    path = chance.choice([one for one in classes_of(root) if "parameters" in held(one)])
    path.write_text(path.read_text().rstrip("\n") + "\nparameters:\n  _param:\n    zz: 1\n")
    return Damage("block-twice", relative(path, root), "parameters")


@kind
def huge_value(root: Path, chance: random.Random) -> Damage:
    """Nobody reads the key, so nothing changes but the time."""
    path = root / INIT
    said = held(path)
    values: tuple[Any, ...] = (
        "x" * 5_000_000,
        list(range(100_000)),
        {f"k{n}": n for n in range(20_000)},
        "ж" * 1_000_000,
    )
    said["parameters"]["_param"]["zz" * chance.choice((1, 20_000))] = chance.choice(values)
    path.write_text(
        yaml.dump(said, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), allow_unicode=True, sort_keys=False)
    )
    return Damage("huge-value", INIT, outcome=TAKEN)


@kind
def odd_values(root: Path, chance: random.Random) -> Damage:
    """What YAML knows and JSON does not, under a key that nobody asks for."""
    path = root / INIT
    values = (
        "2017-01-01",
        "2017-01-01T10:00:00Z",
        ".nan",
        ".inf",
        "!!binary aGVsbG8=",
        "!!set {a, b}",
        "1:30:00",
        "0o17",
        "0x1f",
        "null",
        "!!omap [a: b]",
    )
    text = path.read_text().rstrip("\n")
    path.write_text(
        f"{text}\n    zz: {chance.choice(values)}\n    {chance.choice(('5', 'true', 'null', '2017-01-01', '1.5'))}: {chance.choice(values)}\n"
    )
    return Damage("odd-values", INIT, outcome=TAKEN)


@kind
def service_key_of_another_type(root: Path, chance: random.Random) -> Damage:
    """Of a service whose settings the upgrade node takes over."""
    path = root / "classes/system/nova/control/cluster.yml"
    said = held(path)
    where = chance.choice(
        (("database",), ("message_queue",), ("database", "host"), ("message_queue", "host"), ("enabled",), ("version",))
    )
    put(said, ("parameters", "nova", "controller", *where), chance.choice((["a"], 5, True, None, {"a": "b"}, "text")))
    path.write_text(yaml.safe_dump(said))
    return Damage("service-key-of-another-type", relative(path, root), ":".join(("nova", "controller", *where)), TAKEN)
