"""Replies as the mail programs of people write them: what each does to the mail that it answers, quoted whole.

Written by us after the documented forms. Where they can be read up:
Gmail, Outlook and Thunderbird: mails in public list archives (`gmail_quote_container`, `border-top:solid #E1E1E1`,
`divRplyFwdMsg`, `moz-cite-prefix`); Gmail puts a narrow no-break space into the time. Exchange cuts References and adds
Thread-Index ([MS-OXOMSG] 2.2.1.2). Japanese attribution of Gmail: alfonsrv/mail-parser-reply, pull request 6.
Apple Mail: RFC 3676 with DelSp, `blockquote type="cite"`. i-mode and decomail: what NTT docomo published for senders of
HTML mail (related around alternative, pictures by Content-ID), ISO-2022-JP in seven bits. Phones that count "Re2:" and
leave References out: blogs of their owners from 2007 on.
"""

import base64
import html
import re
from collections.abc import Sequence
from email import policy
from email.header import Header
from email.message import EmailMessage
from urllib.parse import quote

from tests.support.mail_program import Draft, Program, Received, Writer, crlf, first_charset, fits, multipart, part
from tests.support.quoting import as_page, as_text, flowed, marked, wrapped

_GIF = base64.b64decode("R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs=")
_BLOCKS = re.compile(r"(?i)(<(?:/?(?:div|p|blockquote)|br)\b[^>]*>)")
_WEEKDAYS = "月火水木金土日"


class PlainPython(Program):
    """A script that uses the standard library."""

    def message_id(self, draft: Draft) -> str:
        return f"<{draft.number}.{draft.at:%H%M%S}@{draft.writer.machine}>"

    def body(self, draft: Draft) -> bytes:
        message = EmailMessage(policy=policy.SMTP)
        message.set_content(draft.text + "\n\n" + marked(draft.answered.text if draft.answered else ""))
        del message["MIME-Version"]
        return bytes(message)


class Gmail(Program):
    def message_id(self, draft: Draft) -> str:
        return f"<CAKb{draft.at:%j%H%M%S}x{draft.number}=abc@mail.gmail.com>"

    def body(self, draft: Draft) -> bytes:
        page = f'<div dir="ltr">{html.escape(draft.text, quote=False)}</div>'
        text = draft.text + "\n"
        if draft.answered:
            attribution = self._attribution(draft.writer, draft.answered)
            shown = _linked(attribution, draft.answered.address)
            quoted = re.sub(r'<a href="http', r'<a target="_blank" href="http', draft.answered.page)
            quoted = re.sub(r'\bclass="(?!gmail|m_)', 'class="m_-4711', quoted)
            page += (
                '<br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">'
                f'{shown}<br></div><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;'
                f'border-left:1px solid rgb(204,204,204);padding-left:1ex">{quoted}</blockquote></div>'
            )
            below = marked(wrapped(as_text(quoted), 75))
            text += "\n" + wrapped(attribution, 75) + "\n\n" + below + "\n"
        encoding = "quoted-printable" if draft.text.isascii() else "base64"
        return multipart(
            "alternative",
            f"000000000000{draft.at:%j%H%M%S}{draft.number:02}",
            part("text/plain", crlf(text), "UTF-8", encoding),
            part("text/html", page + "\r\n", "UTF-8", encoding),
        )

    def _attribution(self, writer: Writer, answered: Received) -> str:
        who, at = f"{answered.name} <{answered.address}>", answered.at
        if writer.japanese:
            return f"{at:%Y年%-m月%-d日}({_WEEKDAYS[at.weekday()]}) {at:%-H:%M} {who}:"
        return f"On {at:%a, %b %-d, %Y at %-I:%M}\u202f{at:%p} {who} wrote:"


class Outlook(Program):
    """Outlook for desktops with Exchange. It tries `charsets` before UTF-8. `encoding` is that of both texts."""

    threads = "parent"

    def __init__(self, *charsets: str, encoding: str = "quoted-printable") -> None:
        self._charsets, self._encoding = charsets, encoding
        self._header_charsets = (*charsets, "utf-8")

    def subject(self, answered: str) -> str:
        return "RE: " + re.sub(r"(?i)^re: ?", "", answered)

    def message_id(self, draft: Draft) -> str:
        return f"<TYAPR01MB{draft.at:%j%H%M%S}{draft.number:03}@{draft.writer.machine}>"

    def body(self, draft: Draft) -> bytes:
        text, page = draft.text + "\n", self._own(draft)
        if draft.answered:
            block = _header_block(draft.answered, japanese=draft.writer.japanese)
            text += "\n" + "\n".join(f"{name} {value}" for name, value in block) + "\n\n"
            page += self._separated(block) + (quoted := self._taken(draft.answered.page))
            text += as_text(quoted, link="{label}<{url}>", quote="") + "\n"
        page = self._framed(page)
        charset = first_charset(text + page, "us-ascii", *self._charsets, "utf-8")
        index = base64.b64encode(b"\x01" * 22 + b"\x02" * 5 * draft.number).decode()
        topic = Header(re.sub(r"(?i)^re: ?", "", draft.subject), "utf-8").encode()
        fields = (
            f"Thread-Topic: {topic}\nThread-Index: {index}\nX-Originating-IP: [{draft.writer.ip}]\n"
            f"x-ms-exchange-transport-crosstenantheadersstamped: {draft.writer.machine}\n"
        )
        return crlf(fields).encode("ascii") + multipart(
            "alternative",
            f"_000_TYAPR01MB{draft.number:04}{draft.writer.machine}_",
            part("text/plain", crlf(text), charset, self._encoding),
            part("text/html", crlf(page), charset, self._encoding),
        )

    def _own(self, draft: Draft) -> str:
        return (
            f"<p class=MsoNormal>{html.escape(draft.text)}<o:p></o:p></p>\n<p class=MsoNormal><o:p>&nbsp;</o:p></p>\n"
        )

    def _separated(self, block: Sequence[tuple[str, str]]) -> str:
        lines = "<br>\n".join(f"<b>{name}</b> {html.escape(value)}" for name, value in block)
        return (
            "<div>\n<div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0mm 0mm 0mm'>\n"
            f"<p class=MsoNormal>{lines}<o:p></o:p></p>\n</div>\n</div>\n<p class=MsoNormal><o:p>&nbsp;</o:p></p>\n"
        )

    def _taken(self, page: str) -> str:
        """Returns the page with each line as a paragraph of Word, in the colour of its block."""
        taken, colour = "", ""
        for run in re.split(_BLOCKS, re.sub(r'\b(class|lang)="(\w+)"', r"\1=\2", page)):
            if not _BLOCKS.fullmatch(run):
                inner = run.strip().removesuffix("<o:p></o:p>")
                inner = (
                    f"<span style='font-size:10.0pt;{colour}'>{inner}<o:p></o:p></span>"
                    if colour
                    else f"{inner}<o:p></o:p>"
                )
                taken += f"<p class=MsoNormal>{inner}</p>\n" if run.strip() else ""
            elif "color:" in run:
                colour = "color:#666666"
                taken += "<div style='margin-top:12.0pt'>\n"
            elif not re.match(r"</?(?:br|p)\b", run):
                colour = ""
                taken += run + "\n"
        return taken

    def _framed(self, page: str) -> str:
        return (
            '<html xmlns:o="urn:schemas-microsoft-com:office:office" xmlns="http://www.w3.org/TR/REC-html40">\n<head>'
            '<meta name=Generator content="Microsoft Word 15 (filtered medium)">\n<style><!--\np.MsoNormal\n'
            "\t{margin:0mm;font-size:11.0pt;}\n--></style></head>\n<body lang=EN-US link=blue>\n"
            f"<div class=WordSection1>\n{page}</div>\n</body>\n</html>\n"
        )


class Outlook365(Outlook):
    """Outlook in the browser, behind a scanner that replaces links."""

    def _own(self, draft: Draft) -> str:
        return (
            '<div style="font-family: Calibri, Arial, Helvetica, sans-serif; font-size: 12pt; color: rgb(0, 0, 0);">\n'
            f"{html.escape(draft.text)}</div>\n"
        )

    def _separated(self, block: Sequence[tuple[str, str]]) -> str:
        lines = "<br>\n".join(f"<b>{name}</b> {html.escape(value)}" for name, value in block)
        return (
            '<div id="appendonsend"></div>\n<hr style="display:inline-block;width:98%" tabindex="-1">\n'
            '<div id="divRplyFwdMsg" dir="ltr"><font face="Calibri, sans-serif" style="font-size:11pt" color="#000000">'
            f"{lines}</font>\n<div>&nbsp;</div>\n</div>\n"
        )

    def _taken(self, page: str) -> str:
        scanner = "https://apc01.safelinks.protection.outlook.example/?url="
        page = re.sub(
            r'href="(http[^"]*)"',
            lambda m: (
                f'href="{scanner}{quote(html.unescape(m[1]), safe="")}&amp;data=05%7C02&amp;reserved=0" '
                f'originalsrc="{m[1]}" data-auth="NotApplicable"'
            ),
            page,
        )
        return "<div>" + re.sub(r'\b(class|id)="(?!x_)', r'\1="x_', page) + "</div>\n"

    def _framed(self, page: str) -> str:
        return f'<html>\n<head>\n<meta http-equiv="Content-Type" content="text/html">\n</head>\n<body dir="ltr">\n{page}</body>\n</html>\n'


class AppleMail(Program):
    def message_id(self, draft: Draft) -> str:
        return f"<9A1EA6A5-4FD3-4AD0-8DFD-{draft.at:%j%H%M%S}{draft.number:03}@{draft.writer.machine}>"

    def body(self, draft: Draft) -> bytes:
        text, page = draft.text + "\n", html.escape(draft.text, quote=False)
        if draft.answered:
            attribution = self._attribution(draft.writer, draft.answered)
            text += "\n" + marked(f"{attribution}\n\n{draft.answered.text}")
            page += (
                f'<br id="lineBreakAtBeginningOfMessage"><div><br><blockquote type="cite"><div>'
                f'{_linked(attribution, draft.answered.address)}</div><br class="Apple-interchange-newline"><div>'
                f"{draft.answered.page}</div></blockquote></div><br>"
            )
        charset = first_charset(text + page, "us-ascii", "utf-8")
        encoding = "7bit" if charset == "us-ascii" else "quoted-printable"
        return multipart(
            "alternative",
            f"Apple-Mail=_{draft.at:%j%H%M%S}-{draft.number:04}",
            part("text/plain", flowed(text, delsp=True), charset, encoding, "; format=flowed; delsp=yes"),
            part(
                "text/html",
                f'<html><head></head><body style="overflow-wrap: break-word;">{page}</body></html>',
                charset,
                "quoted-printable",
            ),
        )

    def _attribution(self, writer: Writer, answered: Received) -> str:
        who, at = f"{answered.name} <{answered.address}>", answered.at
        if writer.japanese:
            return f"{at:%Y/%m/%d %-H:%M}、{who}のメール:"
        return f"On {at:%-d %b %Y, at %-H:%M}, {who} wrote:"


class Thunderbird(Program):
    """Thunderbird with plain text, and the answer below the quote."""

    def message_id(self, draft: Draft) -> str:
        return f"<4f79b73c-{draft.at:%j%H%M%S}-{draft.number:03}@{draft.writer.machine}>"

    def body(self, draft: Draft) -> bytes:
        answered = draft.answered
        above = (
            f"On {answered.at:%m/%d/%y %H:%M}, {answered.name} wrote:\n{marked(answered.text)}\n" if answered else ""
        )
        fields = f"User-Agent: Mozilla Thunderbird\r\nX-Mozilla-Draft-Info: {draft.writer.machine}\r\n".encode()
        text = flowed(above + draft.text + "\n", delsp=False)
        return fields + part("text/plain", text, "UTF-8", "7bit" if text.isascii() else "8bit", "; format=flowed")


class YahooJapan(Program):
    """Yahoo! Japan in the browser, with plain text and a copy to the writer."""

    threads = "parent"
    copies = True

    def __init__(self, charset: str) -> None:
        self._wanted = charset
        self._header_charsets = (charset, "utf-8")

    def message_id(self, draft: Draft) -> str:
        return f"<{draft.number}{draft.at:%j%H%M%S}.16530.qm@web101.{draft.writer.machine}>"

    def body(self, draft: Draft) -> bytes:
        answered = draft.answered
        text = draft.text + "\n"
        if answered:
            text += f"\n--- {answered.name} <{answered.address}> wrote:\n\n{marked(wrapped(answered.text, 70))}\n"
        charset = first_charset(text, self._wanted, "utf-8")
        fields = f"Received: from [{draft.writer.ip}] by web101.{draft.writer.machine} via HTTP\r\n".encode()
        return fields + part("text/plain", crlf(text), charset, "7bit" if charset == "iso-2022-jp" else "base64")


class Docomo(Program):
    """A phone with i-mode: no thread fields, and the answered mail below a line or with quote marks (`mark`)."""

    threads = ""
    _header_charsets = ("iso-2022-jp", "utf-8")

    def __init__(self, mark: str = "") -> None:
        self._mark = mark

    def subject(self, answered: str) -> str:
        return answered if answered.startswith("Re:") else f"Re:{answered}"

    def message_id(self, draft: Draft) -> str:
        return f"<{draft.at:%j%H%M%S}{draft.number:03}.imt@{draft.writer.machine}>"

    def body(self, draft: Draft) -> bytes:
        return part("text/plain", crlf(_of_phone(self._text(draft))), "iso-2022-jp", "7bit")

    def _text(self, draft: Draft) -> str:
        if not draft.answered:
            return draft.text + "\n"
        below = "".join(f"{self._mark}{line}\n" for line in draft.answered.text.splitlines())
        return f"{draft.text}\n\n{'' if self._mark else '----------------' + chr(10)}{below}"


class Decomail(Docomo):
    """docomo's HTML mail with pictures. The phone keeps the colours and drops all other markup."""

    def body(self, draft: Draft) -> bytes:
        text = _of_phone(self._text(draft))
        page = (
            '<HTML><HEAD></HEAD><BODY BGCOLOR="#ffffff"><IMG SRC="cid:01@'
            f'{draft.writer.machine}"><FONT COLOR="#ff0000">{as_page(text)}</FONT></BODY></HTML>'
        )
        picture = (
            f'Content-Type: image/gif; name="20261123.gif"\r\nContent-ID: <01@{draft.writer.machine}>\r\n'
            "Content-Transfer-Encoding: base64\r\n\r\n"
        ).encode() + base64.encodebytes(_GIF).replace(b"\n", b"\r\n")
        boundary = f"----_{draft.writer.machine}_{draft.number}"
        texts = multipart(
            "alternative",
            f"{boundary}.2",
            part("text/plain", crlf(text), "iso-2022-jp", "7bit"),
            part("text/html", page + "\r\n", "shift_jis", "base64"),
        )
        return multipart("related", f"{boundary}.1", texts, picture)


class Au(Docomo):
    """A phone of au: it counts its answers in the subject, and names the answered mail."""

    threads = "parent"

    def subject(self, answered: str) -> str:
        counted = re.match(r"Re(\d*): ?", answered)
        return f"Re{int(counted[1] or 1) + 1}:{answered[counted.end() :]}" if counted else f"Re:{answered}"

    def message_id(self, draft: Draft) -> str:
        return f"<{draft.at:%j%H%M%S}.{draft.number:03}.au@nx.{draft.writer.machine}>"


# ---------------------------------------------------------------- texts


def _header_block(answered: Received, *, japanese: bool) -> list[tuple[str, str]]:
    who, at = f"{answered.name} <{answered.address}>", answered.at
    if japanese:
        names, sent = ("差出人:", "送信日時:", "宛先:", "件名:"), f"{at:%Y年%-m月%-d日 %-H:%M}"
    else:
        names, sent = ("From:", "Sent:", "To:", "Subject:"), f"{at:%A, %B %-d, %Y %-I:%M %p}"
    return list(zip(names, (who, sent, f"{answered.to} <{answered.to}>", answered.subject), strict=True))


def _of_phone(text: str) -> str:
    """Returns the text with a geta mark for each character that the phone cannot encode."""
    return "".join(char if fits(char, "iso-2022-jp") else "〓" for char in text)


def _linked(attribution: str, address: str) -> str:
    link = f'<a href="mailto:{address}">{address}</a>'
    return html.escape(attribution, quote=False).replace(address, link)
