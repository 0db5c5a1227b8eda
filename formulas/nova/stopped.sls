# Nothing of the copy runs: databases may be dropped and filled again.
nova_api_stopped:
  service.dead:
    - name: nova-api
    - enable: false
