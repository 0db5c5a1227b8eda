# Layer "site": what an operator of such a cloud has already. A Salt of 2017 on Python 2.7, of which our own Salt knows nothing,
# and a repository with packages of Ubuntu's names, whose code is the environments of the layers below.
build=/run/lab-build

apt-get -q update
apt-get -q -y --no-install-recommends install apache2 apache2-dev cron
systemctl disable apache2.service cron.service apache-htcacheclean.service

python3 -m venv /tmp/virtualenv
/tmp/virtualenv/bin/pip install -q 'virtualenv<20.22'
/tmp/virtualenv/bin/virtualenv -q -p python2.7 /opt/salt-2017.7
/opt/salt-2017.7/bin/pip install -q --no-deps -r "$build/salt-2017.7.txt"
# Modules of the site's Salt import the clients of OpenStack, as they would from the system's own Python 2.7; last in the path.
echo /opt/ocata/lib/python2.7/site-packages > /opt/salt-2017.7/lib/python2.7/site-packages/zz-system.pth
/opt/salt-2017.7/bin/python -m compileall -q /opt/salt-2017.7/lib > /dev/null || true
/opt/salt-2017.7/bin/salt-call --version | grep -F 2017.7.8

# Debian has no mod_wsgi for Python 2.7 any more.
/tmp/virtualenv/bin/virtualenv -q -p python2.7 /tmp/wsgi
/tmp/wsgi/bin/pip install -q --no-deps --no-binary mod_wsgi mod_wsgi==4.9.4
cp /tmp/wsgi/lib/python2.7/site-packages/mod_wsgi/server/mod_wsgi*.so /opt/salt-2017.7/mod_wsgi.so
apt-get -q -y purge --auto-remove apache2-dev

python3 "$build/build_packages.py" "$build/packages.json" /srv/site/packages
# Debian's own archive is not to be reached from a node: what the packages need of it is installed.
echo 'deb [trusted=yes] file:/srv/site/packages ./' > /etc/apt/sources.list.d/site.list
# Ubuntu starts a service as soon as its package is installed; the layers below forbid it, and a site does not.
rm /usr/sbin/policy-rc.d
rm -rf /root/.cache /root/.local
