"""Our Salt beside an operator's own: put there and taken away through the site's Salt, touching no file of it.

Everything of ours lies below one folder, with ports of its own; what a node has of it are that folder and one unit.
"""
