# Layer "bench": every supported Salt beside each other, with pytest, for the functional tests.
apt-get -q update
apt-get -q -y --no-install-recommends install python3-dev iptables
/opt/salt/bin/pip install -q pytest hypothesis
for series in 3006 3007; do
    python3 -m venv "/opt/salt-$series"
    "/opt/salt-$series/bin/pip" install -q --upgrade pip wheel
    "/opt/salt-$series/bin/pip" install -q --no-compile -r "/run/lab-build/salt-$series.txt"
    "/opt/salt-$series/bin/python" -m compileall -q -j 2 "/opt/salt-$series/lib" || true
    "/opt/salt-$series/bin/salt-call" --local --out=json test.ping | grep -q true
done
/opt/salt/bin/salt-call --local --out=json test.ping | grep -q true
