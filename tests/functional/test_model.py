"""The model as Salt sees it: its own reclass adapter renders what `upgrader model check` renders, its loader runs the check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import salt.config
import salt.pillar

from tests.functional.bench import Bench
from tests.support.models import inventory, mcp
from upgrader.reclass.inventory import Inventory
from upgrader.reclass.place import find_place
from upgrader.reclass.survey import survey, worse
from upgrader.reclass.writing import write


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The MCP-like model after `prepare --write`, with the node file that state reclass would write."""
    folder = tmp_path_factory.mktemp("model")
    root = mcp(folder, defined=True)
    held = inventory(root)
    found = survey(held)
    write(found.edits, folder / "keep" / "run", lambda: worse(held.place, found.unsound_before))
    (root / "nodes" / "_generated" / "upg01.mcp.local.yml").write_text(
        "classes: [cluster.mcp.openstack.upgrade]\nparameters: {_param: {single_address: 10.20.1.19}}\n"
    )
    return root


def test_prepared_model_is_complete(prepared: Path) -> None:
    assert survey(inventory(prepared)).findings == ()


def test_salt_compiles_the_pillar_that_was_checked(prepared: Path) -> None:
    """From the Salt master's configuration, by Salt's own pillar compiler and loader."""
    config = prepared.parent / "master"
    reclass = {"storage_type": "yaml_fs", "inventory_base_uri": str(prepared)}
    config.write_text(json.dumps({"root_dir": str(prepared.parent), "ext_pillar": [{"reclass": reclass}]}))
    held = Inventory(find_place(config))
    options = salt.config.master_config(str(config))
    ignored = ("__reclass__", "_reclass_")
    for node in held.nodes:
        pillar = salt.pillar.Pillar(options, {"id": node}, node, "base").compile_pillar()
        ours = held.render(node).pillar
        assert ours is not None and "_errors" not in pillar
        assert {k: v for k, v in pillar.items() if k not in ignored} == {
            k: v for k, v in ours.items() if k not in ignored
        }


@pytest.fixture
def nova_alone(bench: Bench) -> Iterator[Bench]:
    """Pillar with nova's keys and nothing of glance's, whichever tests came before."""
    with bench.nova_alone():
        yield bench


def test_node_says_which_keys_its_pillar_lacks(nova_alone: Bench) -> None:
    bench = nova_alone
    assert bench.call("upgrader_model.missing", role="nova:controller") == []
    lacking = {entry["key"] for entry in bench.call("upgrader_model.missing", role="glance:server")}
    assert {"glance:server:identity:password", "glance:server:database:password"} <= lacking


def test_state_refuses_an_incomplete_model_before_anything_is_written(nova_alone: Bench) -> None:
    [ret] = nova_alone.call("state.single", "upgrader_model.complete", name="model", role="glance:server").values()
    assert ret["result"] is False and ret["changes"] == {}
    assert "glance:server:identity:password" in ret["comment"]
