# Layer "gateway": a network node at Mitaka.
# Debian has packages of the same names, and newer: its sources are left out.
rm -f /run/lab-build/sources.d/*
echo 'deb [trusted=yes] file:/srv/packages mitaka main' > /run/lab-build/sources.d/lab.list
apt-get -q update
rm /usr/sbin/policy-rc.d
apt-get -q -y --no-install-recommends install \
    neutron-openvswitch-agent neutron-l3-agent neutron-dhcp-agent neutron-metadata-agent
