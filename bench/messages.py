"""The test mails: a marketplace question in the form of a big webmail provider, at 5 KB and at 50 KB.

There is a signed form too, with the DNS records that prove it.
"""

import base64
import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from relay.core import dkim

SIZES: Final = {"5k": 5_120, "50k": 51_200}
WRITER: Final = "alice.buyer@example.net"
SIGNED: Final = 10
"""The number of different signed mails."""

_WEEK_S: Final = 604_800
_SIGNATURE: Final = re.compile(r"DKIM-Signature:.*\n(?:[ \t].*\n)+")

_WORDS: Final = """the table you show has four legs and a drawer could you tell me how deep that is and whether it fits
behind a door of eighty centimetres i would pick it up on saturday if the rain stops many thanks""".split()  # noqa: SIM905


def write_all(directory: Path) -> None:
    """Writes `m5k.eml` and `m50k.eml` with LF line ends, as smtp-source reads them; the same bytes in each run."""
    for name, size in SIZES.items():
        (directory / f"m{name}.eml").write_text(_message(size, random.Random(7)), encoding="ascii")


def write_signed(directory: Path) -> Mapping[str, str]:
    """Writes `signed-0.eml` and so on, about 5 KB each, and returns the TXT records that prove them, by name.

    No two mails have a line of text in common. SPF uses one include, as big providers do.
    """
    domain = WRITER.rpartition("@")[2]
    key = dkim.SigningKey.load(dkim.generate("rsa-sha256"), domain=domain, selector="s1")
    for number in range(SIGNED):
        text = _SIGNATURE.sub("", _message(SIZES["5k"], random.Random(number)))
        content = text.replace("CAAbcd1234xyz", f"CAAbcd1234xyz{number}").replace("\n", "\r\n").encode("ascii")
        header, _, body = content.partition(b"\r\n\r\n")
        field = dkim.sign(header + b"\r\n", body, [key], datetime.now(UTC), _WEEK_S)
        (directory / f"signed-{number}.eml").write_bytes((field + content).replace(b"\r\n", b"\n"))
    return {
        domain: f"v=spf1 include:_spf.{domain} -all",
        f"_spf.{domain}": "v=spf1 ip4:192.0.2.0/24 ip4:127.0.0.0/8 -all",
        f"s1._domainkey.{domain}": dkim.public_record(key),
        f"_dmarc.{domain}": "v=DMARC1; p=reject; adkim=r; aspf=r",
    }


_JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xda\x00\x02"
"""Without its beginning a file called photo.jpg comes back: its content contradicts its name."""


def _message(size: int, chance: random.Random) -> str:
    header = _header(chance)
    if size <= SIZES["5k"]:
        header += 'Content-Type: multipart/alternative; boundary="alt1"\n\n'
        return header + _alternative(size - len(header) - 250, chance)
    header += 'Content-Type: multipart/mixed; boundary="mix1"\n\n'
    text = '--mix1\nContent-Type: multipart/alternative; boundary="alt1"\n\n' + _alternative(3_000, chance)
    pixels = chance.randbytes(int((size - len(header) - len(text) - 260) * 57 / 77))
    photo = base64.encodebytes(_JPEG + pixels).decode()
    part = (
        '\n--mix1\nContent-Type: image/jpeg; name="photo.jpg"\n'
        'Content-Disposition: attachment; filename="photo.jpg"\nContent-Transfer-Encoding: base64\n\n'
    )
    return header + text + part + photo + "--mix1--\n"


def _header(chance: random.Random) -> str:
    signature = base64.b64encode(chance.randbytes(256)).decode()
    folded = "\n         ".join(signature[i : i + 60] for i in range(0, len(signature), 60))
    state = base64.b64encode(chance.randbytes(60)).decode()
    return f"""Received: from out49.mail.example.net (out49.mail.example.net [192.0.2.49])
\tby mx1.example.net (Postfix) with ESMTPS id 4XyZ123abc
\tfor <pair@relay.test>; Mon, 23 Nov 2026 01:00:00 +0000 (UTC)
Received: by out49.mail.example.net with SMTP id a640c23a62f3a-aa51abcdef0so123456866b.1
        for <pair@relay.test>; Sun, 22 Nov 2026 17:00:00 -0800 (PST)
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
        d=example.net; s=20230601; t=1732300000; x=1732904800;
        h=to:subject:message-id:date:from:mime-version:from:to:cc:subject
         :date:message-id:reply-to;
        bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;
        b={folded}
X-Gm-Message-State: AOJu0Yw{state}
X-Originating-IP: [192.0.2.77]
X-Mailer: ExampleMail 16.0
MIME-Version: 1.0
From: "Alice Buyer" <{WRITER}>
Date: Sun, 22 Nov 2026 17:00:00 -0800
Message-ID: <CAAbcd1234xyz+5@mail.example.net>
Subject: Re: [Item 88213] =?utf-8?q?Is_the_caf=C3=A9_table_still_available=3F?=
To: "Seller" <pair@relay.test>
In-Reply-To: <order-88213.555@relay.test>
References: <order-88213.111@relay.test> <order-88213.555@relay.test>
"""


def _alternative(size: int, chance: random.Random) -> str:
    plain = _text(size // 3, chance)
    html = f'<html><body><div dir=3D"ltr">{_text(size - size // 3 - 60, chance)}</div></body></html>'
    kind = 'charset="UTF-8"\nContent-Transfer-Encoding: quoted-printable\n\n'
    return f"--alt1\nContent-Type: text/plain; {kind}{plain}\n--alt1\nContent-Type: text/html; {kind}{html}\n--alt1--\n"


def _text(size: int, chance: random.Random) -> str:
    lines: list[str] = []
    length = 0
    while length < size:
        lines.append(" ".join(chance.choice(_WORDS) for _ in range(12)))
        length += len(lines[-1]) + 1
    return "\n".join(lines)[:size]
