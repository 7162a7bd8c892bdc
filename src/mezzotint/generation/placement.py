"""In which format a model's weights are, and where they lie while nobody multiplies by them."""

from dataclasses import dataclass

from mezzotint.errors import InputError

OFFLOADS = {
    "none": "every network stays on the device",
    "text-encoder": "the text encoder is on the device while it reads the prompts",
    "model": "each network is on the device while it runs",
    "block": "so is it, and of the transformer and the text encoder two blocks at a time",
}


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How a model is loaded.

    Attributes:
        quantize: A name in `models.quantization.NAMES`; None leaves the weights in the working dtype.
        offload: A name in `OFFLOADS`. What is away lies in memory, or where the device is the processor, in a file.

    Raises:
        InputError: There is no such format or offload.
    """

    quantize: str | None = None
    offload: str = "none"

    def __post_init__(self) -> None:
        from mezzotint.models.quantization import check_format

        check_format(self.quantize)
        if self.offload not in OFFLOADS:
            raise InputError(f"there is no offload {self.offload!r}: there are {', '.join(OFFLOADS)}")

    @property
    def transformer_leaves(self) -> bool:
        return self.offload in ("model", "block")

    @property
    def text_leaves(self) -> bool:
        return self.offload != "none"

    @property
    def by_block(self) -> bool:
        return self.offload == "block"

    @property
    def changes_weights(self) -> bool:
        """Whether the transformer's weights are other tensors than its files', or not there all the time."""
        return self.quantize is not None or self.transformer_leaves


PLAIN = Placement()
