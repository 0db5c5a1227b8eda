"""Runs a module of this package by another Python of the node: a service's own environment, Python 2.7 included."""

import os
import typing

FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# The folder goes to the end of the path: nothing of ours may stand before what that Python has of its own.
START = """\
import runpy, sys
folder, module = sys.argv[1:3]
del sys.argv[1:3]
sys.path.append(folder)
runpy.run_module(module, run_name='__main__', alter_sys=True)
"""


def argv(python: str, module: str, folder: str = FOLDER) -> typing.List[str]:
    """The command that runs ``module`` as a program; what it is told goes over stdin. No bytecode is left behind."""
    return [python, "-B", "-c", START, folder, module]
