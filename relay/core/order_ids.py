"""Finds the order of a pair that a tag or a text names by its id (R-ADR-05).

An order id is the marketplace's free text. It is compared as people type it: width and case do not matter, all dashes
are equal, and a `#` before it may be left out. In a text the id must be a whole token, so `250-1001` is not named by
`1250-1001` or `250-1001-2`. An id that other words or numbers may equal by chance, such as `15`, counts only beside a
word for "order".
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from relay.core.mail.layers import FOLDED_FOR_PERSON
from relay.core.model.order import Order

_REACH: Final = 40
"""The number of characters before an id in which a word for "order" is looked for."""
_MANY: Final = 40
_FEW_DIGITS: Final = 4

_DIGITS: Final = re.compile("[0-9]+")
_WIDE: Final = re.compile("[０-９Ａ-Ｚａ-ｚ]")
# In a Japanese text the sign for a long vowel is often typed as a dash.
_DASHES: Final = re.compile("[\u2010-\u2015\u2212]|(?<=[0-9a-z])[ー\uff70](?=[0-9a-z])")
# Ids without a digit, of fewer than four characters, of fewer than six digits alone, and in the form of a date.
_COMMON: Final = re.compile(
    r"""
    [^0-9]* | .{1,3}
    | \W* (?: [0-9] \W* ){1,5}
    | (?: 19 | 20 ) [0-9]{2} ([-/.]?) (?: 0? [1-9] | 1 [0-2] ) \1 (?: 0? [1-9] | [12] [0-9] | 3 [01] )
    """,
    re.VERBOSE | re.DOTALL,
)
_BESIDE_ORDER: Final = re.compile(
    r"""
    (?: 注文 | オーダー | 受注 | 発注 | (?<![a-z]) (?: order | purchase | po ) )
    (?: (?P<number> 番号 | ナンバー | コード | [#№] | (?<![a-z]) (?: numbers? | nos? | nrs? | id | code ) (?![a-z]) )
      | (?<![a-z]) is (?![a-z])
      | [ :.\-=("'「【『（〔\[はがの、・→]
    )*
    \Z
    """,
    re.VERBOSE,
)
_ORDER_AFTER: Final = re.compile("番?の(?:ご)?(?:注文|オーダー)")
# A short word for "number" or "order" that is written directly before a number, as in "No.250-1001" and "ID250".
_LABEL: Final = re.compile(r"(?<![0-9a-z]) (?: no | nr | id | order | po ) [.\-_]? \Z", re.VERBOSE)
_AMOUNT_BEFORE: Final = re.compile(r"[¥$€£〒][ ]?\Z|[0-9][.,]\Z")
_AMOUNT_AFTER: Final = re.compile(
    r"[,.]?[0-9]|[個点枚冊台脚円年月日件時%]|本(?!日|件)|[ ]?(?:yen|jpy|usd|eur|pcs|pieces)(?![a-z])"
)
_JOINS: Final = "-_"


class _Place(NamedTuple):
    """The place of a piece in an id: the number of characters before the piece, and the length of the whole id."""

    before: int
    length: int


class OrderIds:
    """The ids of one pair's orders, in the form in which tags and texts are looked up."""

    __slots__ = ("_by_id", "_places")

    def __init__(self, orders: Iterable[Order]) -> None:
        self._by_id: dict[str, list[Order]] = {}
        self._places: dict[str, dict[_Place, None]] = {}
        """The places of each piece in the ids that contain it. The piece of an id is its first number, or else all."""
        for order in orders:
            name = _folded_id(order.external_id)
            self._by_id.setdefault(name, []).append(order)
            number = _DIGITS.search(name)
            piece, before = (number[0], number.start()) if number else (name, 0)
            self._places.setdefault(piece, {})[_Place(before, len(name))] = None

    def tagged(self, tag: str) -> Order | None:
        """Returns the order whose id is the tag, or None.

        Some mail programs write addresses in lower case. Therefore ids that differ only in case, width or dashes count
        as equal, unless two orders of the pair have such ids; then the tag must be exactly one of them.
        """
        return _the_one(self._by_id.get(_folded_id(tag), []), lambda external_id: external_id == tag)

    def may_be_in(self, text: str) -> bool:
        """Returns whether the text may name an order.

        The test is quick: if it returns False, `first_in` finds nothing in the text or in a part of it.
        """
        pieces = self._places
        if len(pieces) > _MANY:
            return not pieces.keys().isdisjoint(_DIGITS.findall(text)) or self._has_words or _has_wide(text)
        return any(piece in text for piece in pieces) or self._has_words or _has_wide(text)

    @property
    def _has_words(self) -> bool:
        """Whether an id of the pair has no digit. Such an id may be written in any case and width."""
        return any(not _DIGITS.match(piece) for piece in self._places)

    def first_in(self, text: str) -> Order | None:
        """Returns the order that the text names first, or None.

        If several ids begin at the same character, the longest one is meant.
        """
        folded = _folded(text)
        found = min(self._found(folded), key=lambda span: (span[0], -span[1]), default=None)
        if found is None:
            return None
        return _the_one(self._by_id[folded[slice(*found)]], lambda external_id: external_id in text)

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        """Yields the span of each mention in a folded text."""
        for piece, at in self._pieces(text):
            for before, length in self._places[piece]:
                start, end = at - before, at - before + length
                orders = self._by_id.get(text[max(0, start) : end], [])
                if orders and start >= 0 and _is_mention(text, start, end, orders):
                    yield start, end

    def _pieces(self, text: str) -> Iterator[tuple[str, int]]:
        for number in _DIGITS.finditer(text):
            if number[0] in self._places:
                yield number[0], number.start()
        for piece in self._places:
            if not _DIGITS.match(piece):
                at = text.find(piece)
                while at >= 0:
                    yield piece, at
                    at = text.find(piece, at + 1)


def _the_one(alike: list[Order], is_exact: Callable[[str], bool]) -> Order | None:
    """Returns the order of `alike`, orders with equal folded ids; of several the only one whose id is exact."""
    exact = alike if len(alike) == 1 else [order for order in alike if is_exact(order.external_id)]
    return exact[0] if len(exact) == 1 else None


def _is_mention(text: str, start: int, end: int, orders: list[Order]) -> bool:
    """Returns whether `text[start:end]`, the folded id of `orders`, is a whole token and is meant as an order id."""
    head, name, after = text[max(0, start - _REACH) : start], text[start:end], text[end : end + 2]
    if head.endswith("@") or after.startswith("@") or _continues(after):
        return False
    if _continues(head[:-3:-1]) and not (name[0].isdigit() and _LABEL.search(head)):
        return False
    label = _BESIDE_ORDER.search(head)
    if label and label["number"]:
        return True
    is_number = name.isdigit()
    if is_number and (_AMOUNT_BEFORE.search(head) or _AMOUNT_AFTER.match(text, end)):
        return False
    if not _COMMON.fullmatch(name):
        return not head.endswith("〒")
    if head.endswith("#") and any(order.external_id.startswith(("#", "＃")) for order in orders):
        return True
    if _ORDER_AFTER.match(text, end):
        return True
    return label is not None and not (is_number and len(name) < _FEW_DIGITS and head.isascii())


def _continues(beside: str) -> bool:
    """Returns whether a token continues in the two characters beside it, given from the nearer to the farther one."""
    return _is_letter_or_digit(beside[:1]) or (beside[:1] in _JOINS and _is_letter_or_digit(beside[1:2]))


def _is_letter_or_digit(char: str) -> bool:
    return char.isascii() and char.isalnum()


def _has_wide(text: str) -> bool:
    return not text.isascii() and bool(_WIDE.search(text))


def _folded(text: str) -> str:
    """Returns the text in the form in which ids are compared, with one plain space for each run of white space."""
    return _DASHES.sub("-", " ".join(FOLDED_FOR_PERSON.read(text).casefold().split()))


@lru_cache(maxsize=4_096)
def _folded_id(external_id: str) -> str:
    name = _folded(external_id)
    return name.lstrip("# ") or name
