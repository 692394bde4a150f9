"""Texts that make a parser as slow as possible, each as a function of its length."""

from collections.abc import Callable


def _of(piece: str) -> Callable[[int], str]:
    return lambda length: (piece * (length // len(piece) + 1))[:length]


_PIECES = (
    "a", " ", "\n", "0", "9", "0 ", "0-", "(0", "+8", "090-", "0901234567 ", "09012345678\n", "03-3212-4567 ", "+81 3 3212 4567 ",
    "@", "a@", "@a", "a@b.", "a@b.com ", "a.b@c.d@", ".", "a.", ".com", "a.com ", "a-.", "www.", "https://", "https://a", "https://a.com/ ",
    "http://a@", "//", "/", "\\", ":", "(", ")", "[", "]", "((((", "[at]", " at ", "a at b dot ", "a at b dot com ", "アット", "aアットgmail",
    "ドット", "a dot com ", "LINE", "LINE ID", "LINE ID: abc12 ", "line id ", "インスタ", "whatsapp ", "contact us on whatsapp ", "友だち追加",
    "〇", "〇九〇", "一二三", "の", "０", "０９０－", "Ａ", "\u200b", "a\u200b", "\u200b0", "\u202e", "а", "aа", "аa.", "аa.com ", "α.", "のの.", "аб.аб", "a.me ", "ab.de/ ", "みん.みんな ", "a.xn--a ",
    "zero ", "zero nine ", "one,two,", "ゼロ", "ニ", "クーポン", "coupon ", "sale 20% off ", "レビューを書いて", "prizeプレゼント",
    "発送しました", "ご注文ありがとうございます", "> ", ">", ">>>>\n", "-----Original Message-----\n", "--- ", "Ａ＠ｂ．ｃ", "ﬀ", "㍿", "👩\u200d",
    "begin 644 a.exe\nM", "2026/07/01 ", "¥1,980 ", "1,", "1.", "=", "%40", "&#64;", "&amp;", "&", "&#", "<", ">", "<>",
)  # fmt: skip
_MARKUP = (
    "<b>", "<b></b>", "<div>", "<p>", "</p>", "<a href=", "<a href=https://a.com>", "<a href=https://a.com><img src=//b.com>", "<a href='",
    '<a href="', "<img src=//a.com width=1 height=1>", "<img src='https://a.com'>", "<!--", "-->", "<!", "<style>", "<style", "</style>",
    "<script>", "<blockquote>", "</blockquote>", "<blockquote></blockquote>", "<table><tr><td>", "<a", "<a ", "<a b=c ", "href=", "href='a",
    "url(", "url(//a.com ", "<x style='display:none'>", "<svg><style>", "&#x200b;", "&nbsp;", "0<b>", "09<i>0</i>", "<a href=mailto:a@b.com>",
    "<a href=tel:0>", "<font color=red>a</font> ", "<a><a>",
)  # fmt: skip

TEXTS: dict[str, Callable[[int], str]] = {piece: _of(piece) for piece in _PIECES}
MARKUP: dict[str, Callable[[int], str]] = {
    piece: _of(piece) for piece in (*_MARKUP, "a", "0 ", "<", ">", "&", "a.", "@")
}
