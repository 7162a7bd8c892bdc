import pytest

from mezzotint.curation.profiling.captions import caption_language, caption_tokens, invalid_caption


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("a red apple on the table", "en"),
        ("red apple", "en"),
        ("一个红苹果在桌子上", "zh"),
        ("3D render of 苹果手机 with 玻璃", "zh"),
        ("テーブルの上の赤いりんご", "ja"),
        ("탁자 위의 사과", "ko"),
        ("красное яблоко", "ru"),
        ("ein roter Apfel auf dem Tisch", "de"),
        ("une pomme rouge dans les mains", "fr"),
        ("una manzana roja con los niños", "es"),
        ("łąka", "und"),
        ("123 -- 45", "und"),
        ("", "und"),
    ],
)
def test_the_language_of_a_text(text: str, language: str) -> None:
    assert caption_language(text) == language


def test_tokens_are_counted_and_no_text_has_none() -> None:
    assert caption_tokens("") == 0
    one, two = caption_tokens("a red apple"), caption_tokens("a red apple, a red apple")
    assert 3 <= one < two <= 2 * one + 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" …!? 12 ", "empty"),
        ("https://example.com/a.jpg", "address"),
        ("IMG_2041", "file name"),
        ("IMG 2041 (2)", "file name"),
        ("DSC01234.JPG", "file name"),
        ("red-apple_01.png", "file name"),
        ("screenshot 2024-01-01", "file name"),
        ("image", "template"),
        ("A photo.", "template"),
        ("Click to enlarge", "template"),
        ("No description available", "template"),
        ("{{ title }}", "template"),
        ("<img src=x>", "template"),
        ("图片", "template"),
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("As an AI language model, I see nothing.", "refusal"),
        ("抱歉，我无法描述这张图片。", "refusal"),
        ("这张图片我不能识别。", "refusal"),
    ],
)
def test_what_is_no_caption_says_why(text: str, reason: str) -> None:
    assert invalid_caption(text) == reason


@pytest.mark.parametrize(
    "text",
    [
        "a red apple",
        "photo of a red apple on a table",
        "Image of the Moon, taken in 1969",
        "鞠躬，不好意思，对不起，惭愧，感谢",
        "a well-known actor",
        "apple",
        "a robot, drawn as an AI would be",
        "苹果",
        "一张苹果的图片",
        "Boeing 747 at the airport",
        "波音747飞机",
        "1949年北京天安门",
        "a man says sorry to a dog",
    ],
)
def test_captions_are_let_through(text: str) -> None:
    assert invalid_caption(text) is None
