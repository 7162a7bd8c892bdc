import signal

import pytest

from mezzotint.training import interruption
from mezzotint.training.interruption import polite_stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_wish_and_the_handlers_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with polite_stop() as asked:
        assert not asked()
        signal.raise_signal(number)
        assert asked()
    assert signal.getsignal(number) is before


def test_a_launcher_that_passes_the_same_ctrl_c_on_does_not_interrupt() -> None:
    with polite_stop() as asked:
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
        assert asked()


def test_a_later_ctrl_c_interrupts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "SAME_WISH", 0.0)
    with polite_stop():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
