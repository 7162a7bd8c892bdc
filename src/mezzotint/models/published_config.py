"""What every network's `config.json` is checked for, whoever published it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mezzotint.errors import FileFormatError

LARGEST = 2**21  # of sizes and counts; the longest position table that is published has 2^17
DEPTHS = (
    "depth",
    "layers_per_block",
    "n_layers",
    "n_refiner_layers",
    "num_hidden_layers",
    "num_layers",
    "num_res_blocks",
)


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Say of a value that is missing or of the wrong form what it is of.

    Raises:
        FileFormatError: There is one.
    """
    try:
        yield
    except FileFormatError:
        raise
    except KeyError as cause:
        raise FileFormatError(f"{what}: {cause.args[0]} is missing") from cause
    except (AttributeError, OverflowError, TypeError, ValueError) as cause:
        raise FileFormatError(f"{what}: a value has the wrong form ({cause})") from cause


def check_sizes(config: Mapping[str, Any], tensors: int) -> None:
    """That a network of so many tensors can be built at all, before anybody tries.

    Raises:
        FileFormatError: A size is beyond that of any network, or there are more layers than tensors.
    """
    for name, value in config.items():
        if isinstance(value, Mapping):
            check_sizes(value, tensors)
            continue
        most = tensors if name in DEPTHS else LARGEST
        numbers = value if isinstance(value, list) else [value]
        if any(type(number) is int and number > most for number in numbers):
            raise FileFormatError(f"config: {name} is {value!r}; with {tensors} tensors at most {most} is"[:300])
