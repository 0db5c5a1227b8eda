"""Jobs on a node without a minion: started over ssh, detached, with their replies kept until they are fetched."""

WITHOUT_MASTER = "upgrader_pillar_given"
"""Salt's option in such a job: no master is asked for anything, and the pillar came with the call."""
