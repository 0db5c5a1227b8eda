"""SLS files of the formulas rendered without Salt: what a test of their text needs, and quick."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml
from upgrader_node.host import pillar as host_pillar
from upgrader_node.host import quick_yaml
from upgrader_node.model import held_back, policy, written
from upgrader_node.service import required

FORMULAS = Path(__file__).parents[2] / "formulas"


def _source(path: str) -> str:
    """A template; Salt's own tag ``import_yaml`` becomes the assignment that it stands for."""
    return re.sub(r"import_yaml (.+?) as (\w+)", r"set \2 = load_yaml(\1)", (FORMULAS / path).read_text())


@cache
def _held(path: Path) -> Any:
    return quick_yaml.load(yaml, path.read_text())


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        extensions=["jinja2.ext.do"],
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["json"] = json.dumps
    environment.tests["match"] = lambda text, pattern: bool(re.match(pattern, text))
    environment.globals["load_yaml"] = lambda path: copy.deepcopy(_held(FORMULAS / path))
    return environment


def render(path: str, pillar: Mapping[str, Any] = {}, **context: Any) -> str:
    """A template below formulas/ as text."""

    def get(key: str, default: Any = "") -> Any:
        return host_pillar.value(pillar, key, default)

    salt = {"pillar.get": get, "file.dirname": os.path.dirname, **model(pillar)}
    template = _environment().get_template(path, globals={"salt": salt, "pillar": pillar, "grains": {"id": "upg01"}})
    return template.render(**context)


def model(pillar: Mapping[str, Any]) -> dict[str, Any]:
    """The functions of module ``upgrader_model`` that templates call, over the node package itself."""
    return {
        "upgrader_model.foundation": lambda service: required.foundation(pillar, service),
        "upgrader_model.role": lambda service: held_back.role(pillar, service),
        "upgrader_model.is_copy": lambda service: held_back.is_copy(pillar, service),
        "upgrader_model.configuration": lambda *words, **more: written.configuration(pillar, *words, **more),
        "upgrader_model.domain": lambda name: written.domain(pillar, name),
        "upgrader_model.policy": lambda service: policy.text(pillar, service),
    }


def states(sls: str, pillar: Mapping[str, Any] = {}) -> dict[str, Any]:
    """The states of an SLS, by id, with ``include`` among them where it has one."""
    path = FORMULAS / sls.replace(".", "/")
    file = path.with_suffix(".sls") if path.with_suffix(".sls").is_file() else path / "init.sls"
    return dict(quick_yaml.load(yaml, render(str(file.relative_to(FORMULAS)), pillar)))


def arguments(state: Mapping[str, Any], function: str) -> dict[str, Any]:
    """What one function of a state is given."""
    return {key: value for one in state[function] for key, value in one.items()}
