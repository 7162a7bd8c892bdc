"""The exception tree. A message is one line: what is wrong, with what, and what would do.

The command line prints it as `error: …` and exits with code 2; anything outside this tree is a defect and keeps its
traceback.
"""


class MezzotintError(Exception):
    """Every error that a user, a file or a machine can cause."""


class InputError(MezzotintError, ValueError):
    """An argument, a prompt or a size that cannot be used."""


class MissingFileError(MezzotintError, FileNotFoundError):
    """A file or folder that should be there and is not."""


class FileFormatError(MezzotintError, ValueError):
    """A file that is there and is broken, or is not what it should be."""


class UnknownModelError(MezzotintError, LookupError):
    """A model name that nothing answers to."""


class OutputError(MezzotintError, OSError):
    """A result that cannot be written where it was asked for."""


class MissingDependencyError(MezzotintError, ImportError):
    """A part that needs a package which is not installed."""


class PackageError(MezzotintError, RuntimeError):
    """A package of pictures or weights that could not be fetched, or is not the pinned one."""
