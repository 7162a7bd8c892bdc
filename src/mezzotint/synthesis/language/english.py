"""English noun phrases."""

NUMERALS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

_ENDS_OF_HEAD = {
    "with", "without", "in", "of", "on", "over", "behind", "holding", "showing", "at", "by", "not", "to", "from",
    "pointing", "raising", "blowing", "done", "tilted", "facing", "between", "and", "wearing", "fluttering",
}  # fmt: skip
_PEOPLE = {"person": 1, "man": 1, "woman": 1, "people": 2, "men": 2, "women": 2}
_PLURALS = {"children", "dice", "teeth", "feet", "mice", "geese", "cacti", "oxen", "biceps", "zs", "glasses"}
_SINGULAR_IN_S = {"lens", "chess", "rhinoceros"}
_UNCOUNTED = {
    "bacon", "bread", "broccoli", "bubble tea", "building construction", "butter", "candy", "canned food",
    "construction", "coral", "custard", "falafel", "fog", "fondue", "fried shrimp", "garlic", "ginger root",
    "ice", "ice cream", "light rail", "lipstick", "luggage", "mate", "mount fuji", "mrs. claus", "oden", "pizza",
    "popcorn", "pouring liquid", "salt", "santa claus", "shaved ice", "soap", "soft ice cream", "sushi",
    "tokyo tower", "wood",
}  # fmt: skip
_UNIQUE = {"statue of liberty", "kaaba", "milky way", "sun"}
_SILENT = ("hour", "honest", "heir")
_CONSONANT_SOUND = ("uni", "use", "ewe", "usu", "euro", "eu", "one", "once", "ut", "u-")
_LETTERS_WITH_VOWEL_SOUND = set("AEFHILMNORSX")


def indefinite(name: str) -> str:
    """The name as one would say it of one picture: "an owl", "a cup of tea", "scissors", "Mount Fuji"."""
    lower = name.lower()
    if lower in _UNIQUE:
        return f"the {name}"
    if lower in _UNCOUNTED or _is_plural(lower):
        return name
    return f"{article(name)} {name}"


def painted(name: str, colour: str) -> str:
    """The name with a colour, as one would say it of one picture: "a red apple", "green grapes", "the yellow sun"."""
    said = indefinite(name)
    if said == name:
        return f"{colour} {name}"
    before = "the" if said.startswith("the ") else article(colour)
    return f"{before} {colour} {name}"


def is_proper(name: str) -> bool:
    """Whether it names one alone, which has no colour to tell it from others: "Mount Fuji", "Statue of Liberty"."""
    return _head(name)[0].isupper()


def article(phrase: str) -> str:
    """ "a" or "an", by the sound of the phrase's first word."""
    word = phrase.lstrip("“‘\"'(").split()[0]
    letters = word.split("-")[0]
    if letters.isupper() and letters.isalpha() and (len(letters) == 1 or not _is_spoken(letters)):
        return "an" if letters[0] in _LETTERS_WITH_VOWEL_SOUND else "a"
    lower = word.lower()
    if lower.startswith(_SILENT) or lower[0] == "8" or lower in {"11", "18"}:
        return "an"
    if lower.startswith(_CONSONANT_SOUND):
        return "a"
    return "an" if lower[0] in "aeiou" else "a"


def counted(count: int, singular: str, plural: str) -> str:
    """ "one mouse", "three mice"."""
    return f"{NUMERALS[count]} {singular if count == 1 else plural}"


def listed(phrases: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def sentence(text: str) -> str:
    """The text with a capital first letter and a full stop."""
    return f"{text[0].upper()}{text[1:]}."


def _is_plural(name: str) -> bool:
    first = name.split()[0]
    if first in _PEOPLE:
        return _PEOPLE[first] > 1
    noun = _head(name)
    if noun in _PLURALS:
        return True
    return noun.endswith("s") and not noun.endswith(("ss", "us", "is", "’s")) and noun not in _SINGULAR_IN_S


def _head(name: str) -> str:
    """The noun that the phrase is about: "glass" in "glass of milk"."""
    words = name.split()
    for position, word in enumerate(words):
        if position and word in _ENDS_OF_HEAD:
            return words[position - 1]
    return words[-1]


def _is_spoken(capitals: str) -> bool:
    """Capitals read as a word ("NEW") and not letter by letter ("ATM")."""
    return capitals in {"BACK", "COOL", "END", "FREE", "NEW", "ON", "SOON", "TOP", "UP"}
