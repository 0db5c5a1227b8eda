"""Damages of the tree: files that are gone, doubled, links, pipes, names."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

from tests.support.damage.damage import NAMED, SAME, TAKEN, Damage, classes_of, every, kind, nodes_of, relative


def class_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root / "classes").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "init" else parts)


def _gone(root: Path, path: Path, name: str) -> Damage:
    return Damage(name, relative(path, root), class_name(path, root), lands="/")


@kind
def class_gone(root: Path, chance: random.Random) -> Damage:
    path = chance.choice(classes_of(root))
    path.unlink()
    return _gone(root, path, "class-gone")


@kind
def class_renamed(root: Path, chance: random.Random) -> Damage:
    path = chance.choice(classes_of(root))
    path.rename(path.with_suffix(chance.choice((".yml.bak", ".txt", ".YML", ".yml~"))))
    return _gone(root, path, "class-renamed")


@kind
def folder_gone(root: Path, chance: random.Random) -> Damage:
    folder = chance.choice(classes_of(root)).parent
    shutil.rmtree(folder)
    return Damage(
        "folder-gone", relative(folder, root), ".".join(folder.relative_to(root / "classes").parts), lands="/"
    )


@kind
def node_gone(root: Path, chance: random.Random) -> Damage:
    """Of a node that the model names under upgrader:nodes."""
    name = chance.choice(("dbs01", "dbs02", "dbs03"))
    [path] = [one for one in nodes_of(root) if one.name.startswith(name)]
    path.unlink()
    return Damage("node-gone", "classes/cluster/mcp/init.yml", path.stem)


@kind
def node_twice(root: Path, chance: random.Random) -> Damage:
    path = chance.choice(nodes_of(root))
    other = root / "nodes" / "old" / path.name
    other.parent.mkdir()
    shutil.copy(path, other)
    return Damage("node-twice", relative(path, root), path.stem)


@kind
def class_twice(root: Path, chance: random.Random) -> Damage:
    path = chance.choice([one for one in classes_of(root) if one.name != "init.yml"])
    other = path.with_suffix("") / "init.yml"
    other.parent.mkdir(exist_ok=True)
    shutil.copy(path, other)
    return Damage("class-twice", relative(path, root), class_name(path, root))


@kind
def link_to_itself(root: Path, chance: random.Random) -> Damage:
    path = chance.choice(every(root))
    path.unlink()
    path.symlink_to(path)
    return Damage("link-to-itself", relative(path, root))


@kind
def link_to_nothing(root: Path, chance: random.Random) -> Damage:
    path = chance.choice(every(root))
    path.unlink()
    path.symlink_to("/nonexistent/place.yml")
    return Damage("link-to-nothing", relative(path, root))


@kind
def link_to_a_folder(root: Path, chance: random.Random) -> Damage:
    path = chance.choice(every(root))
    path.unlink()
    path.symlink_to("/proc")
    return Damage("link-to-a-folder", relative(path, root), lands="/")


@kind
def folder_in_a_files_place(root: Path, chance: random.Random) -> Damage:
    path = chance.choice(classes_of(root))
    path.unlink()
    path.mkdir()
    return _gone(root, path, "folder-in-a-files-place")


@kind
def pipe(root: Path, chance: random.Random) -> Damage:
    """Whoever opens it waits for ever."""
    path = chance.choice(every(root))
    path.unlink()
    os.mkfifo(path)
    return Damage("pipe", relative(path, root))


@kind
def folders_in_a_circle(root: Path, chance: random.Random) -> Damage:
    """One link to a folder above, or two of them: each is followed as deep as the kernel lets."""
    folders = sorted({path.parent for path in classes_of(root)} | {root / "nodes"})
    path = chance.choice(folders) / "again"
    path.symlink_to(path.parent)
    once = chance.random() < 0.5 and path.parent != root / "nodes"
    if not once:
        path.with_name("again-and-again").symlink_to(path.parent)
    return Damage("folders-in-a-circle", relative(path, root), outcome=SAME if once else NAMED, asked=False)


@kind
def whole_folder_gone(root: Path, chance: random.Random) -> Damage:
    name = chance.choice(("nodes", "classes"))
    shutil.rmtree(root / name)
    if chance.random() < 0.5:
        (root / name).write_text("a file\n")
    return Damage("whole-folder-gone", name)


@kind
def empty_folder(root: Path, chance: random.Random) -> Damage:
    name = chance.choice(("nodes", "classes"))
    shutil.rmtree(root / name)
    (root / name).mkdir()
    return Damage("empty-folder", name)


@kind
def name_that_is_no_text(root: Path, chance: random.Random) -> Damage:
    """Bytes that are no UTF-8, in the name of a file that nobody asks for, or of a node."""
    folder = chance.choice((root / "nodes", root / "classes"))
    name = os.fsencode(folder) + b"/k\xf6ln.yml"
    with open(name, "w") as file:
        file.write("classes: [nowhere.at.all]\n" if folder.name == "nodes" else "parameters: {}\n")
    return Damage("name-that-is-no-text", folder.name, outcome=TAKEN)


@kind
def stray_files(root: Path, chance: random.Random) -> Damage:
    """Files of editors and of version control beside the model's."""
    path = chance.choice(classes_of(root)).parent
    for name in chance.sample(
        (".init.yml.swp", "README.md", "init.yml~", "#init.yml#", "unused.yml", ".hidden", "Ünused.yml"), 3
    ):
        (path / name).write_text("a: [" if not name.endswith(".yml") else "parameters: {zz: 1}\n")
    return Damage("stray-files", relative(path, root), outcome=TAKEN)


@kind
def options_file(root: Path, chance: random.Random) -> Damage:
    texts = ("a: [", "- a\n", "text", "storage_type: mixed\n", "nodes_uri: elsewhere\n", "class_mappings: 5\n", "nodes_uri: [a]\n",
             "compose_node_name: [a]\n", "class_mappings: ['/(/ x']\n", "reference_sentinels: x\n", "group_errors: maybe\n")  # fmt: skip
    text = chance.choice(texts)
    (root / "reclass-config.yml").write_text(text)
    landed = "nodes/" if "/(/" in text else ""  # told of each node that it is to be matched with
    return Damage(
        "options-file",
        "reclass-config.yml",
        text.partition(":")[0] if ": " in text and "[\n" not in text else "",
        lands=landed,
        asked=False,
    )
