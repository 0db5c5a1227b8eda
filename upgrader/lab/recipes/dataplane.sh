# Layer "dataplane": Open vSwitch with the userspace datapath, what neutron's agents call, and a repository with the packages of two
# releases, whose code is the environment of a layer below.
build=/run/lab-build

apt-get -q update
apt-get -q -y --no-install-recommends install openvswitch-switch iptables ipset conntrack dnsmasq-base dnsmasq-utils iputils-arping \
    sudo ebtables arptables bridge-utils keepalived radvd kmod
update-alternatives --set iptables /usr/sbin/iptables-legacy
update-alternatives --set ip6tables /usr/sbin/ip6tables-legacy
systemctl disable openvswitch-switch.service ovs-vswitchd.service ovsdb-server.service ovs-record-hostname.service keepalived.service \
    radvd.service || true
# One for every node that stands on this image, else.
rm -f /etc/openvswitch/system-id.conf /etc/openvswitch/conf.db /var/lib/openvswitch/*/conf.db

# Neutron asks for 0.4.12, which takes the answer of today's kernels to a neighbour that is gone for an error.
/opt/ocata/bin/pip install -q --no-deps pyroute2==0.5.19

mkdir -p /usr/local/lib/lab /srv/packages
cp "$build/build_packages.py" "$build/build_suites.py" "$build/suites.json" /usr/local/lib/lab/
python3 /usr/local/lib/lab/build_suites.py /usr/local/lib/lab/suites.json /srv/packages
rm -rf /usr/local/lib/lab/__pycache__ /root/.cache
