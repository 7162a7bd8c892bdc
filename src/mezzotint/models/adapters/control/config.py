"""The sizes of a ControlNet, the released ones written out, and their public form (diffusers' `config.json`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mezzotint.errors import FileFormatError
from mezzotint.models.published_config import reading
from mezzotint.models.single_stream import SingleStreamConfig

CLASS_NAME = "ZImageControlNetModel"
PUBLISHED_ONLY_AS = {"all_f_patch_size": [1], "qk_norm": True}
Refiner = Literal["alone", "control_layers", "control_noise_refiner"]


@dataclass(frozen=True, kw_only=True)
class ControlConfig:
    """Sizes of one ControlNet; what it shares with the network that it leads is that network's.

    Attributes:
        in_channels: Of the control's latents; more than the network's when it sees a mask and what is kept as well.
        places: The layers of the network that are led, one for each layer of the control.
        refiner: How the control is refined before it meets the caption: alone (the first release), by its own layers
            beside the picture (2.0), or by layers made for it (2.1).
        refiner_places: The blocks of the noise refiner that are led then, in the control's own copy of the picture.
        patch_size, dim, n_heads, n_refiner_layers: As the network's.
    """

    in_channels: int
    places: tuple[int, ...]
    refiner: Refiner
    refiner_places: tuple[int, ...]
    patch_size: int
    dim: int
    n_heads: int
    n_refiner_layers: int

    @classmethod
    def from_json(cls, values: Mapping[str, Any], network: SingleStreamConfig) -> "ControlConfig":
        """Read diffusers' `config.json`.

        What a single file does not tell is as in every release: so many `control_layers` are spread evenly over the
        network's layers, and all blocks of its noise refiner are led.

        Raises:
            FileFormatError: A key is missing, has the wrong type, or it is not for this network.
        """
        if values.get("_class_name", CLASS_NAME) != CLASS_NAME:
            raise FileFormatError(f"config is of a {values['_class_name']}, not of a {CLASS_NAME}")
        for key, only in PUBLISHED_ONLY_AS.items():
            if values.get(key, only) != only:
                raise FileFormatError(f"config: {key} = {values[key]!r} is not supported, only {only!r} is")
        with reading("config"):
            (patch_size,) = values["all_patch_size"]
            refiner = _refiner(values)
            refiner_layers = values["n_refiner_layers"]
            config = cls(
                in_channels=int(values["control_in_dim"]),
                places=_places(values, network.n_layers),
                refiner=refiner,
                refiner_places=() if refiner == "alone" else _refiner_places(values, network.n_refiner_layers),
                patch_size=int(patch_size),
                dim=int(values["dim"]),
                n_heads=int(values["n_heads"]),
                n_refiner_layers=network.n_refiner_layers if refiner_layers is None else int(refiner_layers),
            )
        config.check_leads(network)
        return config

    def check_leads(self, network: SingleStreamConfig) -> None:
        """
        Raises:
            FileFormatError: This ControlNet is for another network.
        """
        for name in ("dim", "n_heads", "n_refiner_layers", "patch_size"):
            own, wanted = getattr(self, name), getattr(network, name)
            if own != wanted:
                raise FileFormatError(
                    f"the ControlNet is for another network: {name} is {own}, the model's is {wanted}"
                )
        for places, most in ((self.places, network.n_layers), (self.refiner_places, network.n_refiner_layers)):
            if places and not 0 <= min(places) <= max(places) < most:
                raise FileFormatError(f"the ControlNet leads layers {list(places)}; the model has {most}")
        if self.in_channels < network.in_channels:
            raise FileFormatError(
                f"the ControlNet has {self.in_channels} channels; the model's latents have {network.in_channels}"
            )

    def to_json(self) -> dict[str, Any]:
        """The same in diffusers' form."""
        return {
            "_class_name": CLASS_NAME,
            "all_patch_size": [self.patch_size],
            **PUBLISHED_ONLY_AS,
            "control_in_dim": self.in_channels,
            "control_layers_places": list(self.places),
            "control_refiner_layers_places": list(self.refiner_places) or None,
            "add_control_noise_refiner": None if self.refiner == "alone" else self.refiner,
            "dim": self.dim,
            "n_heads": self.n_heads,
            "n_kv_heads": self.n_heads,
            "n_refiner_layers": self.n_refiner_layers,
            "norm_eps": 1e-5,
        }


def _places(values: Mapping[str, Any], n_layers: int) -> tuple[int, ...]:
    places = values.get("control_layers_places")
    if places is not None:
        return tuple(int(place) for place in places)
    count = int(values["control_layers"])
    return tuple(place * n_layers // count for place in range(count))


def _refiner_places(values: Mapping[str, Any], n_refiner_layers: int) -> tuple[int, ...]:
    places = values.get("control_refiner_layers_places")
    return tuple(range(n_refiner_layers)) if places is None else tuple(int(place) for place in places)


def _refiner(values: Mapping[str, Any]) -> Refiner:
    match values.get("add_control_noise_refiner"):
        case None:
            return "alone"
        case "control_layers":
            return "control_layers"
        case "control_noise_refiner":
            return "control_noise_refiner"
        case other:
            raise FileFormatError(f"config: add_control_noise_refiner is {other!r}, which is no release's")


UNION_1 = ControlConfig(
    in_channels=16,
    places=(0, 5, 10, 15, 20, 25),
    refiner="alone",
    refiner_places=(),
    patch_size=2,
    dim=3840,
    n_heads=30,
    n_refiner_layers=2,
)
UNION_2_0 = ControlConfig(
    in_channels=33,
    places=tuple(range(0, 30, 2)),
    refiner="control_layers",
    refiner_places=(0, 1),
    patch_size=2,
    dim=3840,
    n_heads=30,
    n_refiner_layers=2,
)
UNION_2_1 = ControlConfig(
    in_channels=33,
    places=tuple(range(0, 30, 2)),
    refiner="control_noise_refiner",
    refiner_places=(0, 1),
    patch_size=2,
    dim=3840,
    n_heads=30,
    n_refiner_layers=2,
)
