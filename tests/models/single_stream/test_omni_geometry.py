from dataclasses import replace

import pytest
import torch
from diffusers import ZImageTransformer2DModel
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.single_stream.oracle import small_config

from mezzotint.errors import InputError
from mezzotint.models.single_stream.geometry import padded
from mezzotint.models.single_stream.omni_geometry import (
    OmniSizes,
    caption_parts,
    omni_geometry,
    picture_parts,
    vision_parts,
)

CONFIG = replace(small_config(), siglip_feat_dim=24)
CPU = torch.device("cpu")
SIZES = st.tuples(st.integers(1, 8), st.integers(1, 8))


@st.composite
def pictures(draw: st.DrawFn) -> tuple[OmniSizes, tuple[int, int]]:
    """One picture with up to three references, told of by vision or not."""
    references = tuple(draw(st.lists(SIZES, max_size=3)))
    segments = tuple(draw(st.integers(1, 40)) for _ in range(len(references) + draw(st.integers(1, 2))))
    vision = tuple(draw(SIZES) for _ in references) if draw(st.booleans()) else ()
    return OmniSizes(segments, references, vision), draw(SIZES)


@given(pictures())
@settings(max_examples=60, deadline=None)
def test_positions_are_the_published_ones(picture: tuple[OmniSizes, tuple[int, int]]) -> None:
    """The published code gives too many positions where a segment is padded, and cuts them later."""
    sizes, target = picture
    p = CONFIG.patch_size
    with torch.device("meta"):
        oracle = ZImageTransformer2DModel.from_config(CONFIG.to_json())
    latents = [torch.zeros(4, 1, p * rows, p * columns) for rows, columns in (*sizes.references, target)]
    seen = [torch.zeros(rows, columns, 24) for rows, columns in sizes.vision]
    made = oracle.patchify_and_embed_omni(
        [latents],
        [[torch.zeros(length, CONFIG.cap_feat_dim) for length in sizes.segments]],
        [[*seen, None] if seen else None],
        p,
        1,
        [[0] * len(sizes.references) + [1]],
    )
    captions, told = caption_parts(sizes), vision_parts(CONFIG, sizes)
    positions = picture_parts(sizes, target).positions
    assert torch.equal(positions, made[4][0].long())
    assert torch.equal(captions.positions, made[5][0].long()[: len(captions.positions)])
    expected = made[6][0].long() if seen else torch.zeros(0, 3, dtype=torch.long)
    assert torch.equal(told.positions, expected)

    geometry = omni_geometry(CONFIG, (sizes,), (target,), CPU)
    assert geometry.picture.rows is not None
    assert geometry.joint.rows is not None
    noisy = 1 - geometry.picture.rows.flatten()  # row 0 is the target's time, row 1 that of clean pictures
    assert noisy.tolist() == made[11][0]
    assert (1 - geometry.joint.rows.flatten()).tolist() == made[12][0] + made[11][0] + (made[13][0] if seen else [])


@given(st.lists(pictures(), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_joint_sequences_hold_captions_pictures_and_vision(
    batch: list[tuple[OmniSizes, tuple[int, int]]],
) -> None:
    sizes, targets = zip(*batch, strict=True)
    geometry = omni_geometry(CONFIG, sizes, targets, CPU)

    # Label each embedded token by (picture, kind, part, place) and run the labels through the network's moves.
    def labels(picture: int, kind: int, part: int, count: int) -> torch.Tensor:
        head = torch.tensor([picture, kind, part]).expand(count, 3)
        return torch.cat([head, torch.arange(count)[:, None]], dim=1)

    counts = [rows * columns for rows, columns in targets]
    references = [[rows * columns for rows, columns in one.references] for one in sizes]
    embedded = [labels(i, 1, k, n) for i, one in enumerate(references) for k, n in enumerate(one)]
    embedded += [labels(i, 1, len(references[i]), n) for i, n in enumerate(counts)]
    packed = torch.cat(embedded)
    if geometry.filling is not None:
        packed = torch.where(geometry.filling.is_pad, -1, packed[geometry.filling.source])
    captions = [len(caption_parts(one).positions) for one in sizes]
    told = [len(vision_parts(CONFIG, one).positions) for one in sizes]
    conditions = [labels(i, 0, 0, n) for i, n in enumerate(captions)] + [labels(i, 2, 0, n) for i, n in enumerate(told)]
    joint = torch.cat([packed, *conditions])[geometry.join]

    patches = joint[geometry.patches]
    assert torch.equal(patches, torch.cat(embedded[-len(counts) :]))
    assert geometry.patch_rows is not None
    assert torch.equal(geometry.patch_rows[0], patches[:, 0])
    lengths = [length for count, length in geometry.joint.groups for _ in range(count)]
    for sequence in joint.split(lengths):
        i = int(sequence[0, 0])
        expected = [labels(i, 0, 0, captions[i])]
        for k, n in enumerate((*references[i], counts[i])):
            expected += [labels(i, 1, k, n), torch.full((padded(n) - n, 4), -1)]
        assert torch.equal(sequence, torch.cat([*expected, labels(i, 2, 0, told[i])]))


def test_is_computed_once() -> None:
    sizes = (OmniSizes((4, 5), ((2, 2),), ()),)
    with torch.inference_mode():
        first = omni_geometry(CONFIG, sizes, ((3, 3),), CPU)
    assert omni_geometry(CONFIG, sizes, ((3, 3),), CPU) is first
    assert not first.joint.rotary.cos.is_inference()


@pytest.mark.parametrize(
    ("sizes", "axis"),
    [
        (OmniSizes((250, 5), ((2, 2),), ()), "order"),
        (OmniSizes((4, 5), ((33, 1),), ()), "row"),
        (OmniSizes((4, 5), ((1, 18),), ((2, 2),)), "column"),
    ],
    ids=["caption", "reference", "what vision tells"],
)
def test_refuses_positions_beyond_the_tables(sizes: OmniSizes, axis: str) -> None:
    with pytest.raises(InputError, match=axis):
        omni_geometry(CONFIG, (sizes,), ((2, 2),), CPU)
