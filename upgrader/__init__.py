"""Takes an OpenStack Mitaka cloud to Ocata, stage by stage, with a journal and a way back."""

# First of all: it makes the modules that both sides share importable in a bare checkout.
from upgrader import content as content

__version__ = "0.1.0"
