# The copy's databases. What its API lists is compared by upgrader_verify.calls, with an account. Changes nothing.
nova_verified:
  upgrader_nova.verified: []
