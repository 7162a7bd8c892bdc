from collections.abc import Callable, Iterator, Mapping

import pytest
import torch
from torch import Tensor

from mezzotint.errors import FileFormatError
from mezzotint.models.fused_weights import Fusion, Part
from mezzotint.models.rotary import pairs_to_halves

HEAD = 4
FUSION = Fusion(
    {
        "qkv": [
            Part("q.weight", (8, 6), "heads"),
            Part("k.weight", (8, 6), "heads"),
            Part("v.weight", (8, 6)),
        ],
        "bias": [Part("a.bias", (3,)), Part("b.bias", (2,))],
        "norm": [Part("norm.weight", (HEAD,), "heads")],
        "pad": [Part("pad_token", (1, 6), "token")],
        "out": [Part("out.weight", (6, 8))],
    },
    HEAD,
)


@pytest.fixture
def published() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in FUSION.published_shapes().items()}


def test_parts_lie_one_below_the_other_in_our_order(published: dict[str, Tensor]) -> None:
    ours = dict(FUSION.stream_published(published))
    assert ours.keys() == FUSION.parts.keys()
    q, k, v = ours["qkv"].split(8)
    assert torch.equal(q, pairs_to_halves(published["q.weight"], 2))
    assert torch.equal(k, pairs_to_halves(published["k.weight"], 2))
    assert torch.equal(v, published["v.weight"])
    assert torch.equal(ours["bias"], torch.cat([published["a.bias"], published["b.bias"]]))
    assert ours["norm"].tolist() == published["norm.weight"][[0, 2, 1, 3]].tolist()
    assert torch.equal(ours["pad"], published["pad_token"][0])
    assert ours["out"].data_ptr() == published["out.weight"].data_ptr()  # as it is: no copy


def test_the_way_back_is_exact_and_shares_no_memory(published: dict[str, Tensor]) -> None:
    ours = dict(FUSION.stream_published(published))
    back = FUSION.to_published(ours)
    assert back.keys() == published.keys()
    assert all(torch.equal(back[name], published[name]) for name in published)
    mine = {tensor.untyped_storage().data_ptr() for tensor in ours.values()}
    assert len(mine | {tensor.untyped_storage().data_ptr() for tensor in back.values()}) == len(ours) + len(back)


def test_each_tensor_is_asked_for_once_when_its_turn_comes(published: dict[str, Tensor]) -> None:
    asked: list[str] = []

    class Recording(Mapping[str, Tensor]):
        def __getitem__(self, name: str) -> Tensor:
            asked.append(name)
            return published[name]

        def __contains__(self, name: object) -> bool:
            return name in published

        def __iter__(self) -> Iterator[str]:
            return iter(published)

        def __len__(self) -> int:
            return len(published)

    first = next(iter(published))  # which a check of types at run time may look at, too
    stream = FUSION.stream_published(Recording())
    next(stream)
    assert list(dict.fromkeys(asked)) == ["q.weight", "k.weight", "v.weight"]
    assert dict(stream).keys() == FUSION.parts.keys() - {"qkv"}
    assert [asked.count(name) for name in published if name != first] == [1] * (len(published) - 1)


def test_every_published_matrix_is_found_in_ours(published: dict[str, Tensor]) -> None:
    ours, places = dict(FUSION.stream_published(published)), FUSION.matrix_rows()
    assert places.keys() == {"q.weight", "k.weight", "v.weight", "out.weight"}
    for name, (parameter, start, stop, order) in places.items():
        assert torch.equal(ours[parameter][start:stop], published[name][order]), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("norm.weight"), "norm.weight missing"),
        (lambda state: state.update(extra=torch.zeros(1)), "extra unknown"),
        (lambda state: state.update(pad_token=torch.zeros(1, 5)), r"pad_token \(1, 5\) for \(1, 6\) of a wrong shape"),
        (lambda state: state.clear(), "and 5 more missing"),
    ],
)
def test_refuses_other_weights_in_one_line(
    published: dict[str, Tensor], change: Callable[[dict[str, Tensor]], object], message: str
) -> None:
    change(published)
    with pytest.raises(FileFormatError, match=message) as caught:
        dict(FUSION.stream_published(published))
    assert "\n" not in str(caught.value)
