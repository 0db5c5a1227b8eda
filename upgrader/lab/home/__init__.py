"""An operator's own inventory on the lab's nodes, for a rehearsal at home."""
