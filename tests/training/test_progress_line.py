import pytest

from mezzotint.training.progress_line import ProgressLine, scaled


def test_the_line_says_rates_over_the_time_since_the_last(capsys: pytest.CaptureFixture):
    line = ProgressLine(100)
    for _ in range(10):
        line.add(samples=32, seconds=0.5, flops=2e11)
    line.show(10, 0.25)
    assert capsys.readouterr().err == "step 10/100  loss 0.2500  64.0 samples/s  400 GFLOP/s  0:00:45 left\n"
    line.add(samples=32, seconds=1.0, flops=0)
    line.show(11, 0.25)
    assert capsys.readouterr().err == "step 11/100  loss 0.2500  32.0 samples/s  0:01:29 left\n"


@pytest.mark.parametrize(("number", "text"), [(12.0, "12 "), (1.5e12, "1.5 T"), (9.9e17, "990 P")])
def test_scaled(number: float, text: str):
    assert scaled(number) == text
