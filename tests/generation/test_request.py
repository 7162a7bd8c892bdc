from dataclasses import replace
from typing import Any

import pytest

from mezzotint.errors import InputError
from mezzotint.generation.request import Job, Request, as_negatives, as_prompts, random_seed
from mezzotint.generation.settings import Settings

SETTINGS = Settings(steps=2, guidance=0.0, width=32, height=32)


def request(**changes: Any) -> Request:
    values = {"prompts": ("a", "b"), "negatives": ("", ""), "seed": 5, "count": 2, "settings": SETTINGS}
    return Request(**(values | changes))


def test_every_prompt_starts_again_at_the_seed() -> None:
    assert request().jobs == [Job(0, 0, 5), Job(0, 1, 6), Job(1, 0, 5), Job(1, 1, 6)]


def test_given_noise_has_no_seeds() -> None:
    assert [job.seed for job in request(seed=None).jobs] == [None] * 4


def test_what_no_guidance_is_depends_on_how_the_model_counts_it() -> None:
    def guided(guidance: float, unguided: float) -> bool:
        return request(settings=replace(SETTINGS, guidance=guidance, unguided=unguided)).guided

    assert [guided(g, 0.0) for g in (0.0, 0.5, 1.0)] == [False, True, True]
    assert [guided(w, 1.0) for w in (0.0, 1.0, 1.5)] == [False, False, True]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prompts": (), "negatives": ()}, "there is no prompt"),
        ({"negatives": ("",)}, "1 negative prompts do not match 2 prompts"),
        ({"count": 0}, "count is 0"),
        ({"settings": Settings(steps=-3, guidance=0.0, width=32, height=32)}, "steps is -3"),
        ({"settings": Settings(steps=1, guidance=-1.0, width=32, height=32)}, r"guidance is -1\.0"),
        ({"settings": Settings(steps=1, guidance=float("nan"), width=32, height=32)}, "guidance is nan"),
        ({"sampler": "heun"}, "no sampler 'heun': samplers are euler, multistep"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63 - 1}, "below 2"),
    ],
)
def test_the_impossible_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        request(**changes)


def test_prompts_and_negatives() -> None:
    assert as_prompts("a") == ("a",)
    assert as_prompts(["a", "b"]) == ("a", "b")
    assert as_negatives(None, 2) == ("", "")
    assert as_negatives(None, 2, default=" ") == (" ", " ")
    assert as_negatives("", 2, default=" ") == ("", "")
    assert as_negatives("x", 2) == ("x", "x")
    assert as_negatives(["x", "y"], 2) == ("x", "y")
    with pytest.raises(InputError, match="a prompt is a text, not 3"):
        as_prompts(["a", 3])  # type: ignore[list-item]


def test_random_seeds_differ() -> None:
    assert len({random_seed() for _ in range(20)}) > 10
