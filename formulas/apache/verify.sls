# Apache serves where its pillar says. Changes nothing.
apache_verified:
  upgrader_serving.verified:
    - name: apache
