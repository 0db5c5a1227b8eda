#!/usr/bin/env bash
# All tests: style, types, unit, functional (real Salt, MariaDB and nova in a node), lab (whole stages on nodes).
# `./test.sh unit` (or functional, lab, static) runs one layer.
set -euo pipefail
cd "$(dirname "$0")"
./setup.sh test

static() { .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy; }
unit() { .venv/bin/python -m pytest tests/unit; }
functional() { .venv/bin/python -m tests.support.bench; }
lab() { .venv/bin/python -m pytest tests/lab; }

if [ $# -gt 0 ]; then
    "$1"
else
    static && unit && functional && lab
fi
