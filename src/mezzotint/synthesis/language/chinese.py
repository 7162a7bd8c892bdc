"""Chinese noun phrases."""

NUMERALS = ("零", "一", "两", "三", "四", "五", "六", "七", "八", "九", "十")


def counted(count: int, measure: str, noun: str) -> str:
    """ "三只老鼠". Two of something are 两, not 二."""
    return f"{NUMERALS[count]}{measure}{noun}"


def listed(phrases: list[str]) -> str:
    """ "甲", "甲和乙", "甲、乙和丙"."""
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{'、'.join(phrases[:-1])}和{phrases[-1]}"
