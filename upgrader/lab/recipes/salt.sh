# Layer "salt": Salt and what the `upgrader` package needs at run time, in a venv of its own on every node.
# One of Salt's dependencies (timelib) has no wheel: the compiler is there for this build only.
apt-get -q update
apt-get -q -y --no-install-recommends install gcc libc6-dev python3-dev
python3 -m venv /opt/salt
/opt/salt/bin/pip install -q --upgrade pip wheel
/opt/salt/bin/pip install -q --no-compile -r /run/lab-build/requirements.txt
apt-get -q -y purge --auto-remove gcc libc6-dev python3-dev
/opt/salt/bin/python -m compileall -q -j 2 /opt/salt/lib || true
for command in /opt/salt/bin/salt*; do
    ln -s "$command" "/usr/local/bin/${command##*/}"
done
mkdir -p /etc/salt/pki /srv/salt
cat > /etc/systemd/system/salt-master.service <<'UNIT'
[Unit]
Description=Salt master
After=network.target lab-network.service
[Service]
Type=notify
NotifyAccess=all
LimitNOFILE=100000
ExecStart=/opt/salt/bin/salt-master
TimeoutStopSec=5
[Install]
WantedBy=multi-user.target
UNIT
cat > /etc/systemd/system/salt-minion.service <<'UNIT'
[Unit]
Description=Salt minion
After=network.target lab-network.service salt-master.service
[Service]
Type=notify
NotifyAccess=all
KillMode=process
LimitNOFILE=8192
ExecStart=/opt/salt/bin/salt-minion
TimeoutStopSec=5
Restart=on-failure
RestartSec=1
[Install]
WantedBy=multi-user.target
UNIT
/opt/salt/bin/salt-call --version
