"""Finds telephone numbers that are written in digits, in kanji numerals or in words (R-POL-09).

A number is a hit if it can be dialled, which means that it is valid in libphonenumber's numbering plans, in Japan or
internationally. A number from the pair's orders is not a hit, and neither is a price, a date, a postcode, a tracking
number or another number that a label before it explains.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Final

import phonenumbers

from relay.core.model.reason import ReasonCode
from relay.core.policy.content.finding import Hit

_MOST: Final = 1_000
"""The maximum number of look-ups in libphonenumber for one text; each look-up takes 20 microseconds."""

_KANJI: Final = "〇零一二三四五六七八九"
_FIGURE: Final = rf"(?:[0-9{_KANJI}]|[oO](?=[-0-9oO]))"
# The pattern begins with the first character of a number, and only then checks the character before it, so that the
# search skips all other places.
_RUN: Final = re.compile(
    rf"[+(0-9oO{_KANJI}](?<![A-Za-z0-9_{_KANJI}][\s\S])(?:(?<![+(oO])|(?<=[+(]) ?[0-9{_KANJI}]|(?<=[oO])(?=[-0-9oO]))"
    rf"(?>(?:[-_.()/,・の ‐-―−ーｰ\t\u3000]{{0,3}}+{_FIGURE}){{7,16}})(?![A-Za-z0-9{_KANJI}])"
)
_WORD_DIGITS: Final = {
    "zero": "0", "oh": "0", "o": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
    "seven": "7", "eight": "8", "nine": "9", "ゼロ": "0", "イチ": "1", "ニ": "2", "サン": "3", "ヨン": "4", "ゴ": "5",
    "ロク": "6", "ナナ": "7", "ハチ": "8", "キュウ": "9", "キュー": "9",
}  # fmt: skip
_WORD: Final = "|".join(sorted(_WORD_DIGITS, key=len, reverse=True))
_SPELT: Final = re.compile(
    rf"(?<![A-Za-zァ-ヴ])(?:{_WORD})(?>(?:[\s,、・ー-]{{0,3}}+(?:{_WORD})){{8,14}})(?![A-Za-zァ-ヴ])", re.IGNORECASE
)
_ONE_WORD: Final = re.compile(_WORD, re.IGNORECASE)
_FIGURES: Final = {ord(kanji): figure for kanji, figure in zip(_KANJI, "00123456789", strict=True)} | {
    ord("o"): "0",
    ord("O"): "0",
}
_NOT_FIGURES: Final = re.compile(r"[^0-9]+")

_LABEL: Final = re.compile(
    r"(?:伝票|追跡|問い?合わ?せ(?:伝票)?番号|送り状|荷物|配送番号|注文|受注|型番|品番|商品コード|管理番号|登録番号|口座|会員番号|製造番号|シリアル|"
    r"tracking|waybill|shipment|consignment|parcel|order|invoice|receipt|serial|model|item|part|sku|jan|ean|upc|isbn(?:-1[03])?|asin|lot|rev(?:ision)?|ref(?:erence)?|account|customs)"
    r"\s?(?:番号|コード|ナンバー|no|number|id|code|nr|is|was|#|の?は|は|が)?[\s.:：=＝#№（(「\[は番号is]{0,12}\Z",
    re.IGNORECASE,
)
_MOBILE: Final = re.compile(r"0[5789]0[-\s.]?[0-9]{4}[-\s.]?[0-9]{4}\Z")
_DATE: Final = re.compile(
    r"(?<![0-9])(?:(?:19|20)[0-9]{2}[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12][0-9]|3[01])|(?:0?[1-9]|[12][0-9]|3[01])[-/.](?:0?[1-9]|[12][0-9]|3[01])[-/.](?:19|20)[0-9]{2})(?![0-9])"
)
_MONEY_BEFORE: Final = re.compile(r"(?:[¥￥$€£]|JPY|USD|EUR|円)\s?\Z", re.IGNORECASE)
_MONEY_AFTER: Final = re.compile(r"\s?(?:円|yen\b|jpy\b|usd\b|ドル|ユーロ|個|枚|mm|cm|kg)", re.IGNORECASE)
_CALL: Final = re.compile(
    r"(?:call|phone|tel|mobile|cell|text|ring|dial|電話|携帯|ＴＥＬ|℡)[^\n]{0,20}\Z", re.IGNORECASE
)
_CALL_ME: Final = re.compile(r"\b(?:call|ring|dial) (?:me|us)\b|お電話", re.IGNORECASE)
_CALL_THERE: Final = re.compile(
    r"[\s)）」]{0,2}(?:まで|へ|に)[\s、]?(?:どうぞ|お?電話|ご?連絡|お?問い?合わ?せ|ショートメール|SMS|お掛け|おかけ)"
)
_LINK: Final = re.compile(r"(?:https?://|www\.)[^\s<>\"「」（）、。]*\Z", re.IGNORECASE)
"""A link that reaches up to a number: the number is a part of the link."""
_AMERICAN: Final = re.compile(r"\(?[2-9][0-9]{2}\)?[-.\s]{1,2}[2-9][0-9]{2}[-.\s][0-9]{4}\Z")
_CARRIERS: Final = re.compile(
    r"ヤマト|クロネコ|佐川|日本郵便|郵便局|ゆうパック|西濃|福山通運|yamato|sagawa|japan post|dhl|fedex|\bups\b",
    re.IGNORECASE,
)
_FREE: Final = re.compile(r"0(?:120|800|570)")


def found(text: str, known: tuple[str, ...]) -> Iterator[Hit]:
    """Yields a hit for each telephone number in `text` that is not in `known`, the texts of the pair's orders."""
    runs = list(_RUN.finditer(text))
    numbers = frozenset(_NOT_FIGURES.sub("", word) for word in known) if runs else frozenset()
    taken = _spans_of(text, known) if runs else []
    left = _MOST
    for match in runs:
        start, end = match.span()
        figures = _NOT_FIGURES.sub("", match[0].translate(_FIGURES))
        number, region = _dialled(text, start, match[0], figures)
        if not number or figures in numbers or any(a < end and start < b for a, b in taken):
            continue
        if _is_something_else(text, start, end, match[0]):
            continue
        left -= 1
        if left < 0:
            return
        if not _is_valid(number, region):
            continue
        hidden = _is_hidden(match[0])
        yield Hit(ReasonCode.CONTACT_DISGUISED if hidden else ReasonCode.CONTACT_DATA, start, end, "phone")


def spelt(text: str) -> Iterator[Hit]:
    """Yields a hit for each telephone number that is written in words, such as "zero nine zero"."""
    for match in itertools.islice(_SPELT.finditer(text), _MOST):
        figures = "".join(_WORD_DIGITS[word.lower()] for word in _ONE_WORD.findall(match[0]))
        region = "JP" if figures.startswith("0") else "US"
        if len(figures) in {10, 11} and _is_valid(figures, region):
            yield Hit(ReasonCode.CONTACT_DISGUISED, *match.span(), "phone")


def _spans_of(text: str, known: tuple[str, ...]) -> list[tuple[int, int]]:
    """Returns the spans `(start, end)` in `text` of the order texts in `known` that are longer than 3 characters."""
    spans: list[tuple[int, int]] = []
    for word in known:
        at = text.find(word) if len(word) > 3 else -1
        while at >= 0 and len(spans) < _MOST:
            spans.append((at, at + len(word)))
            at = text.find(word, at + len(word))
    return spans


def _is_something_else(text: str, start: int, end: int, number: str) -> bool:
    before = text[max(0, start - 40) : start]
    if _MONEY_BEFORE.search(before) or _MONEY_AFTER.match(text, end):
        return True
    if _DATE.search(number) or before.endswith(":") or _LINK.search(text, max(0, start - 300), start):
        return True
    if _LABEL.search(before) and not _MOBILE.match(number) and not _is_to_be_called(before, text, end):
        return True
    line = text[max(0, text.rfind("\n", 0, start), start - 60) : end + 20]
    return bool(_FREE.match(number) and _CARRIERS.search(line))


def _is_to_be_called(before: str, text: str, end: int) -> bool:
    """Returns whether the words around a number ask people to call it, whatever its label says."""
    return bool(_CALL_ME.search(before) or _CALL_THERE.match(text, end))


def _dialled(text: str, start: int, number: str, figures: str) -> tuple[str, str | None]:
    """Returns the number to dial and its region, which is None for a number with a country code.

    `number` begins at `start` in `text`; `figures` are its digits. The returned number is "" if people would not dial
    it. A foreign number must begin with `+` or `00`, or must follow a word such as "call".
    """
    if number.startswith("+") and 8 <= len(figures) <= 15:
        return "+" + figures, None
    if figures.startswith("00") and 10 <= len(figures) <= 17:
        return "+" + figures[2:], None
    if figures.startswith("0"):
        return (figures if 10 <= len(figures) <= 11 else ""), "JP"
    if figures.startswith("81") and len(figures) in {11, 12} and _CALL.search(text[max(0, start - 30) : start]):
        return "+" + figures, None
    if _AMERICAN.match(number) and _CALL.search(text[max(0, start - 30) : start]):
        return figures, "US"
    return "", None


def _is_valid(number: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


def _is_hidden(number: str) -> bool:
    """Returns whether the number is written so that only people recognise it.

    Such a number has figures other than 0 to 9, or at least six figures that stand alone.
    """
    if any(char in number for char in _KANJI + "oOの・"):
        return True
    groups = [group for group in _NOT_FIGURES.split(number) if group]
    return sum(len(group) == 1 for group in groups) >= 6
