from mezzotint.synthesis.language.chinese import counted, listed


def test_two_of_something_are_liang() -> None:
    assert counted(2, "只", "老鼠") == "两只老鼠"
    assert counted(3, "朵", "玫瑰") == "三朵玫瑰"


def test_listed() -> None:
    assert listed(["一只猫"]) == "一只猫"
    assert listed(["一只猫", "一只狗"]) == "一只猫和一只狗"
    assert listed(["一只猫", "一只狗", "两朵玫瑰"]) == "一只猫、一只狗和两朵玫瑰"
