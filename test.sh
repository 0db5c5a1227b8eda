#!/usr/bin/env bash
# All tests: style, types, unit, functional (real Salt, MariaDB and nova in a node), lab (whole stages on nodes); but ./test.sh ssh.
# `./test.sh unit` (or functional, lab, ssh, static) runs one layer; `./test.sh soak` everything with the longest matrices whole, for hours.
set -euo pipefail
cd "$(dirname "$0")"
./setup.sh test

# What takes long is named at the end of each part.
slowest=(--durations=20 --durations-min=10)

static() { .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && derived; }
# What is derived from the templates is what they ask for now. Each of them is rendered many times for that.
derived() {
    .venv/bin/python tools/derive_pillar_keys.py | cmp - formulas/upgrader/openstack/files/pillar_keys.json ||
        { echo "pillar_keys.json is not what the templates ask for: python tools/derive_pillar_keys.py > formulas/upgrader/openstack/files/pillar_keys.json" >&2; return 1; }
}
# Journals are fsynced line by line: in memory the unit tests do not wait for a disk.
unit() { PYTEST_DEBUG_TEMPROOT=$([ -w /dev/shm ] && echo /dev/shm || echo /tmp) .venv/bin/python -m pytest -q -n auto --dist loadfile tests/unit; }
functional() { .venv/bin/python -m tests.support.bench; }

# Two processes with labs of their own side by side: most of a stage's time is spent waiting. What the second one says is shown at its end.
# The second begins with the lab's own life, which counts what is left on this machine: nobody else uses loop devices by then, and
# networks are not the machine's. Files with labs of their own come before those that share one, so that no lab stands idle beside them.
second=(tests/lab/test_{lab_lifecycle,site_rehearsal,backup,restore,kept_member}.py)
lab() {
    local said other status=0
    said=$(mktemp)
    UPGRADER_LAB_TEST_NAME=citestb .venv/bin/python -m pytest "${slowest[@]}" "${second[@]}" >"$said" 2>&1 &
    other=$!
    .venv/bin/python -m pytest "${slowest[@]}" tests/lab "${second[@]/#/--ignore=}" || status=$?
    wait "$other" || status=$?
    cat "$said"
    rm "$said"
    return "$status"
}

# The smoke test of transport ssh: a lab without Salt. Under three minutes once the images are built; a job of its own (.ci/ssh).
ssh() { UPGRADER_LAB_TEST_NAME=${UPGRADER_LAB_TEST_NAME:-citestssh} .venv/bin/python -m pytest "${slowest[@]}" tests/ssh; }

# The functional tests keep one processor busy while the labs wait. Their nodes stand in a network of their own and use loop
# devices at their end only.
together() {
    local said other status=0
    said=$(mktemp)
    functional >"$said" 2>&1 &
    other=$!
    lab || status=$?
    wait "$other" || status=$?
    cat "$said"
    rm "$said"
    return "$status"
}

# Style and unit tests first; the lab's images are built beside them. Whoever needs one that is not there yet waits for it, or builds it.
everything() {
    local said images status=0
    said=$(mktemp)
    .venv/bin/upgrader lab build >"$said" 2>&1 &
    images=$!
    if static && unit; then together || status=$?; else status=$?; kill "$images" 2>/dev/null || true; fi
    wait "$images" || { status=$((status ? status : 1)); cat "$said"; }
    rm "$said"
    return "$status"
}

# One of each kind is enough for every day; here all of them are tried, one part after the other.
soak() {
    export UPGRADER_SOAK=1
    static && unit && functional && lab && ssh
}

if [ $# -gt 0 ]; then
    "$1"
else
    everything
fi
