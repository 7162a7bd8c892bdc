"""`python -m mezzotint` is `mezzotint`."""

from mezzotint.cli.main import program

program()
