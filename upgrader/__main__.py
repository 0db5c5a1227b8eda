"""``python -m upgrader`` is the installed command."""

from upgrader.cli.main import entry

if __name__ == "__main__":
    entry()
