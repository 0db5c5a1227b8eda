# Layer "bench": every supported Salt beside each other, with pytest, for the functional tests.
apt-get -q update
apt-get -q -y --no-install-recommends install python3-dev iptables
/opt/salt/bin/pip install -q pytest hypothesis
series() {
    python3 -m venv "/opt/salt-$1"
    "/opt/salt-$1/bin/pip" install -q --upgrade pip wheel
    "/opt/salt-$1/bin/pip" install -q --no-compile -r "/run/lab-build/salt-$1.txt"
    "/opt/salt-$1/bin/python" -m compileall -q -j 2 "/opt/salt-$1/lib" || true
    "/opt/salt-$1/bin/salt-call" --local --out=json test.ping | grep -q true
}
series 3006 &
older=$!
series 3007
wait "$older"
/opt/salt/bin/salt-call --local --out=json test.ping | grep -q true
