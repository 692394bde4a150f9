"""Ordinary mail of buyers and shops, with the trace fields that their providers write.

Each trace is combined with each text, so that there are more than 500 mails.
"""

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage, Message
from typing import Final, NamedTuple

from tests.support.mail_traces import DATE, TRACES, Trace


class Words(NamedTuple):
    """A text as people write it, with a subject and the name of an attached file ("" for none)."""

    subject: str
    text: str
    file_name: str = ""


TEXTS: Final = (
    Words("About the blue bowl", "Is there a second bowl? If there is none, I keep this one.", "wishlist.txt"),
    Words("Login", "The form asked for a userid. Which userid do you mean? My user name is dave.", "userid.txt"),
    Words("List", "My wish list is attached. Please list all parts, from the first to the last.", "list-of-parts.txt"),
    Words("Picture", "See broken.png and IMG_2041.jpg: the mail was broken on its way, unknown to me.", "broken.png"),
    Words("Mail", "I use mail by phone; the smtp server of my provider is slow. Localhost is no answer.", "mail.txt"),
    Words(
        "ご注文について",
        "お世話になっております。青い器は一つだけでしょうか。よろしくお願いいたします。",
        "注文リスト.txt",
    ),
    Words("お届け", "届きました。ありがとうございます。箱の中に list.pdf とありますが、何でしょうか。", "list.pdf"),
    Words("Versions", "It runs on 4.97.1 and 8.17.1, model LX-2200, firmware 14.3.123.4 or 3.5.6.", "log-4.97.1.txt"),
    Words("Mots", "Bonjour, la liste est là : bol bleu, tasse, plat. Merci de me répondre par courriel.", "liste.txt"),
    Words("Frage", "Gibt es die Schale auch in Grün? Von Hand gemacht, steht da. Grüße, Anna", "Schale grün.txt"),
    Words("Consulta", "¿Está disponible el cuenco azul? Lo quiero para mi madre. Gracias, José", "cuenco.txt"),
    Words(
        "問い合わせ", "localhost や userid という名前のファイルは届いていません。plain の文字だけです。", "plain.txt"
    ),
    Words(
        "Server", "Our relay of the lamp clicks; the test with the meter shows 12 V. The host of the party is me.", ""
    ),
    Words("Re: Colours", "On 6 Jul 2026 at 10:00, the shop wrote:\r\n> Which colour?\r\n\r\nBlue, from the list.", ""),
    Words("Sizes", "10:15:00 is the time, 2026.07.06 the day, and 127.0.0.1 a joke of my son. ::1 too.", "sizes.csv"),
    Words("Phone", "I write from my iphone and from a notebook; on the tablet the mail looks odd.", "notebook.jpg"),
    Words(
        "Invited", "Sonic and Hermes are my cats. They were invited, invoked and authenticated by nobody.", "hermes.png"
    ),
    Words("Providers", "I have an address at gmail.com, one at yahoo.co.jp and one at icloud.com. Which is best?", ""),
    Words("Browser", "I read it at mail.google.com and at mail.yahoo.com, and outlook.com shows no picture.", ""),
    Words("携帯", "docomo.ne.jp と ezweb.ne.jp の両方で受け取れます。i.softbank.jp は使っていません。", ""),
    Words(
        "Bits", "The bits of the drill and the bolts are by the door; the fuse is plain. Hello from Kobe.", "bits.txt"
    ),
    Words(
        "Names", "It is for Hanako Yamada and José Muñoz, care of Mr. List. Shop there? Dave will.", "Yamada Hanako.txt"
    ),
)
"""Texts with words that are common as names of machines, in prose and in file names."""


class OrdinaryMail(NamedTuple):
    trace: Trace
    words: Words
    content: bytes
    text: str
    """The text of the mail, as a program shows it."""


def ordinary_mails() -> Iterator[OrdinaryMail]:
    """Yields one mail for each trace and each text, in one of several forms."""
    for at, trace in enumerate(TRACES):
        for number, words in enumerate(TEXTS):
            text = f"{words.text}\r\n\r\n{' '.join(trace.common)}\r\n"
            yield OrdinaryMail(trace, words, _mail(trace, words, text, form=at + number), text)


def mail_that_names(trace: Trace, text: str) -> bytes:
    return _mail(trace, Words("Hello", "", ""), text, form=0)


def _mail(trace: Trace, words: Words, text: str, *, form: int) -> bytes:
    message = EmailMessage(policy=email.policy.SMTP)
    charset = "iso-2022-jp" if form % 3 == 1 and _fits(text + words.subject) else "utf-8"
    message["From"] = "Hanako Yamada <hanako.yamada@phone.example>"
    message["To"] = "alias@market.example"
    message["Subject"] = words.subject
    message["Date"] = DATE
    message.set_content(text, charset=charset)
    if form % 2:
        paragraphs = "".join(f"<p>{line}</p>\r\n" for line in text.replace("> ", "&gt; ").split("\r\n"))
        message.add_alternative(f"<html><body>{paragraphs}</body></html>", subtype="html", charset="utf-8")
    if words.file_name:
        cid = f"<{words.file_name}>" if words.file_name.isascii() and " " not in words.file_name else None
        message.add_attachment(b"octets", maintype="application", subtype="pdf", filename=words.file_name, cid=cid)
    fields = "".join(f"{field}\r\n" for field in trace.fields)
    return fields.encode() + message.as_bytes()


def _fits(text: str) -> bool:
    try:
        text.encode("iso-2022-jp")
    except UnicodeEncodeError:
        return False
    return True


def shown(content: bytes) -> tuple[str, list[str], list[str]]:
    """Returns the subject, the texts and the file names of a mail, as the standard library reads them."""
    message: Message = email.message_from_bytes(content, policy=email.policy.SMTP)
    leaves = [part for part in message.walk() if not part.is_multipart()]
    texts = [str(part.get_content()) for part in leaves if isinstance(part, EmailMessage) and _is_text(part)]
    names = [name for part in leaves if (name := part.get_filename())]
    return str(message["Subject"]), [text.replace("\r\n", "\n") for text in texts], names


def _is_text(part: EmailMessage) -> bool:
    return part.get_content_maintype() == "text" and not part.get_filename()
