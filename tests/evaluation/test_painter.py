from collections.abc import Callable, Sequence

import torch

from mezzotint.data.buckets import Bucket
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.painter import Painter, Task


def test_a_picture_is_that_of_its_prompt_and_seed_in_any_batch(examine: Callable[[], Examination]):
    painter = examine().painter
    tasks = [Task("a dog", 1), Task("一只狗", 1), Task("a dog", 2), Task("a dog", 1), Task("a cat", 9)]
    painted = painter.paint(tasks)
    assert torch.equal(painted[0], painted[3])
    assert not torch.equal(painted[0], painted[2])
    alone = painter.pipeline("a cat", seed=9, output_type="pt").images[0] * 2 - 1
    torch.testing.assert_close(painted[4], alone, rtol=1e-4, atol=1e-4)


def test_what_was_painted_is_remembered_and_sizes_are_kept_apart(examine: Callable[[], Examination]):
    calls: list[Task] = []

    class Counting(Painter):
        def _run(self, tasks: Sequence[Task]) -> torch.Tensor:
            calls.extend(tasks)
            return super()._run(tasks)

    painter = Counting(examine().painter.pipeline, batch=4)
    wide = Task("a dog", 1, Bucket(64, 32))
    assert painter.paint([Task("a dog", 1)]).shape[-2:] == (48, 32)  # the tiny model's own
    assert painter.paint([wide]).shape[-2:] == (32, 64)
    painter.paint([Task("a dog", 1)])
    assert calls == [Task("a dog", 1), wide]
