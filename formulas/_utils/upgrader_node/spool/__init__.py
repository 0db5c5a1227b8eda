"""Jobs on a node without a minion: started over ssh, detached, with their replies kept until they are fetched."""
