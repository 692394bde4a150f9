"""Harmless texts of shops with numbers, dates, names and links in the forms in which people and programs write them."""

import itertools
from collections.abc import Iterator
from typing import Final

_ATTRIBUTIONS: Final = (
    "On {}, the buyer wrote:", "Am {} schrieb der Käufer:", "Le {}, l'acheteur a écrit :", "El {}, el comprador escribió:",
    "Il {} l'acquirente ha scritto:", "Em {}, o comprador escreveu:", "Op {} schreef de koper:", "Den {} skrev köparen:",
    "Den {} skrev køberen:", "{} skrev kjøperen:", "Ostaja kirjoitti {}:", "W dniu {} kupujący napisał:",
    "Dne {} kupující napsal:", "Dňa {} kupujúci napísal:", "{}-kor a vevő ezt írta:", "În {}, cumpărătorul a scris:",
    "На {} купувачът написа:", "{} покупатель написал:", "{} покупець написав:", "Στις {}, ο αγοραστής έγραψε:",
    "{} tarihinde alıcı şunu yazdı:", "ב-{} הקונה כתב:", "في {} كتب المشتري:", "{} को खरीदार ने लिखा:", "เมื่อ {} ผู้ซื้อเขียนว่า:",
    "Vào {}, người mua đã viết:", "Pada {}, pembeli menulis:", "{} 구매자 작성:", "{}，买家写道：", "{}、購入者様より：",
    "Dana {} kupac je napisao:", "{} kupec je napisal:", "{} pircējs rakstīja:", "{} pirkėjas rašė:", "{} kirjutas ostja:",
    "At {}, X wrote:",
)  # fmt: skip
_DATES: Final = (
    "13:06 06/08/2002", "06.08.2026 um 09:05", "2026-07-06 10:00:00 +0900", "06/07/2026 10:00", "2026/07/06 10:00:15",
    "6.7.2026, 08:15:02", "2026年7月6日(月) 10:00", "06-07-2026 08.15",
)  # fmt: skip
_SENTENCES: Final = (
    "The book has the {}, is that the edition you mean?",
    "ご質問の件、{} と記載がございます。",
    "Please compare it with {} on the label.",
    "Es steht {} auf dem Etikett.",
)
_VALUES: Final = (
    "ISBN 0-306-40615-2", "ISBN 978-4-06-519981-7", "ISBN-10: 0735613788", "JAN 4901234567894", "EAN 0049012345678",
    "ASIN B07XJ8C8F5", "IBAN DE89 3704 0044 0532 0130 00", "IBAN GB29 NWBK 6016 1331 9268 19", "IBAN FR14 2004 1010 0505 0001 3M02 606",
    "size 120 x 80 x 45 mm", "0.5 x 0.75 x 1.25 cm", "price ¥12,800", "EUR 1.234,56", "$1,299.00", "合計 12,345円",
    "version 10.15.7", "v2.0.14.1", "build 19041.1052", "model LX-2200-030", "part no. 415-555-2671", "serial no. 0332124567",
    "tracking number 1234-5678-9012", "追跡番号 0312-3456-7890", "伝票番号 031234567890", "waybill no. 0332124567",
    "order 250-1234567-1234567", "invoice no. 0312345678", "〒100-0001", "1-2-3 丸の内 101号", "the code 0120 of the lock",
    "12 V, 0.85 A, 50/60 Hz", "RGB 0 128 255", "temperature -10 to 40 C", "0-10, 10-20, 20-30", "7/8, 3/4, 1/2 inch",
    "MIT License, Copyright (c) 2012-2026", "RFC 5322, RFC 2045-2049", "GPL-3.0-or-later", "Apache-2.0", "ISO 9001:2015",
    "https://books.example/detail?product_id=0735613788&lang=en", "https://parts.example/p/0312345678/view",
    "https://shop.example/t/090-1234-5678.html", "www.maps.example/place/0332124567", "rev. 03/1234/5678-A",
    "lot 20260706-001", "the years 1978 1979 1980 1981", "0x0312345678", "md5 0312345678abcdef0312345678abcdef", "the score 10 9 8 7 6",
)  # fmt: skip
_PROSE: Final = (
    "Please send me your online ID: AB12345 of the order page.", "Get a free address @yahoo.fr today !",
    "Une adresse @orange.fr est gratuite.", "The dot com years are over.", "It was a dot com shop once.",
    "Please visit our website for the manual.", "The underline ID is on the page.", "Deadline ID 5 passed.",
    "2 bowls @ 12.50 each", "See you @ noon.", "The admin team looks after it.", "The paddle, the handle and the middle part fit.",
    "The line is 5 m long, the id plate is below.", "Look at home first.", "オンラインでお手続きください。", "ドット柄の器です。",
    "アットホームなお店です。", "あっという間に届きました。", "パイプラインの番号：A-1", "5 DM coins are included in the set.",
    "The headline: number one.", "Are the airline and account names right?",
)  # fmt: skip


def harmless_texts() -> Iterator[str]:
    for attribution, date in itertools.product(_ATTRIBUTIONS, _DATES):
        yield f"{attribution.format(date)}\n> Is it blue?\n\nYes, it is."
    for sentence, value in itertools.product(_SENTENCES, _VALUES):
        yield sentence.format(value)
    yield from _PROSE
