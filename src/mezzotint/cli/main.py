"""`mezzotint VERB …`: finds the verb, parses its options, and turns errors into one line and an exit code.

Exit codes: 0 done; 2 something in the command, a file or the machine is wrong (one line on stderr says what); 130
interrupted; 141 nobody reads the output any more. Anything else that goes wrong is a defect of this program and shows
its traceback.
"""

import atexit
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from mezzotint import __version__
from mezzotint.errors import InputError, MezzotintError

# Verb -> (module with `Options` and `run`, what the overview says). A module is imported when its verb is called.
VERBS = {
    "generate": ("mezzotint.cli.generate", "make pictures from prompts"),
    "edit": ("mezzotint.cli.edit", "change pictures as a prompt says"),
    "inpaint": ("mezzotint.cli.inpaint", "paint a part of a picture anew"),
    "inspect": ("mezzotint.cli.inspect", "say what a picture, a model folder or a weights file holds"),
    "convert": ("mezzotint.cli.convert", "write a component's weights in another format"),
    "models": ("mezzotint.cli.models", "list the models that come with the package"),
    "corpus": ("mezzotint.cli.corpus", "build the mini corpus, or show what one holds"),
    "curate": ("mezzotint.cli.curate", "turn raw pictures into a clean set, with a report of what was dropped"),
    "encode": ("mezzotint.cli.encode", "turn a corpus into latents and caption features for training"),
    "train": ("mezzotint.cli.train", "train a model by the name of its recipe"),
    "evaluate": ("mezzotint.cli.evaluate", "measure a model by the suites and write a report"),
}

FAILED = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells count
UNREAD = 141  # 128 + SIGPIPE


def program() -> NoReturn:
    """`mezzotint` on a command line: `main` as a process whose exit code nothing can change at its end."""
    code = 1  # of a traceback

    def leave() -> None:
        if "daft" in sys.modules:  # its threads can make the interpreter's end abort, with 134 for whatever it was
            with suppress(OSError):
                sys.stdout.flush()
            os._exit(code)

    atexit.register(leave)  # the first that is registered runs last
    code = main()
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()  # here, where a reader that is gone is understood
        return code
    except MezzotintError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt as stop:
        print(str(stop) or "interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has closed it, like `head`; Python would complain at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD


def _dispatch(arguments: list[str]) -> int:
    verb = arguments[0] if arguments else "--help"
    if verb in ("-h", "--help", "help"):
        print(overview())
        return 0
    if verb in ("-V", "--version"):
        print(f"mezzotint {__version__}")
        return 0
    if verb not in VERBS:
        raise InputError(f"there is no command {verb!r}: commands are {', '.join(VERBS)}")
    module, summary = VERBS[verb]
    return _run(verb, summary, module, arguments[1:])


def _run(verb: str, summary: str, module: str, arguments: list[str]) -> int:
    from mezzotint.cli.parsing import parse  # not for the overview, which is to be instant

    command = import_module(module)
    options = parse(command.Options, arguments, f"mezzotint {verb}", command.__doc__ or summary)
    if options is not None:
        command.run(options)
    return 0


def overview() -> str:
    """The text of `mezzotint --help`."""
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {summary}" for verb, (_, summary) in VERBS.items()]
    return "\n".join(
        [
            "usage: mezzotint COMMAND …        mezzotint COMMAND --help says more",
            "",
            "Make pictures from text, and train the models that do.",
            "",
            *lines,
            "",
            "  --version    print the version",
        ]
    )
