"""Takes an OpenStack Mitaka cloud to Ocata, stage by stage, with a journal and a way back."""

__version__ = "0.1.0"
