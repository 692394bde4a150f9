"""Serves the demo's web page: the mailboxes beside the relay's record, and a form to write mail.

The page is rendered on the server and works without JavaScript; a small script fetches it again and replaces the parts
that changed. It is served on the loopback interface. Requests must name one of its own hosts, and forms must come from
the page itself.
"""

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from relay.core.mail.address import AddressError, split
from relay.demo import browser, mail_program, record_view, view
from relay.demo.demo_parties import BY_REF, OPERATOR, PARTIES, DemoParty
from relay.demo.running import RunningDemo
from relay.demo.smtp_client import Dialogue
from relay.demo.texts import LANGUAGES, language, translator
from relay.demo.view import Form
from relay.edge.web.headers import SecurityHeaders

_CSP: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HOSTS: Final = ["127.0.0.1", "localhost"]
_FORM_BYTES: Final = 1_000_000
_TEXT_CHARS: Final = 100_000
_SUBJECT_CHARS: Final = 200


def build(demo: RunningDemo) -> Starlette:
    """Returns the web application for `demo`."""
    page = Page(demo)
    return Starlette(
        routes=[
            Route("/", page.show),
            Route("/send", page.send, methods=["POST"]),
            Route("/release", page.release, methods=["POST"]),
            Route("/unsubscribe", page.unsubscribe, methods=["POST"]),
            Mount("/static", StaticFiles(directory=Path(__file__).with_name("static"))),
        ],
        middleware=[
            Middleware(SecurityHeaders, csp=_CSP),
            Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS, www_redirect=False),
        ],
    )


class Page:
    """The handlers of the page. The last 50 dialogues are kept, so that the page can show them after a redirect."""

    def __init__(self, demo: RunningDemo) -> None:
        self._demo = demo
        self._own = demo.ports.links
        self._dialogues: deque[tuple[int, Dialogue]] = deque(maxlen=50)
        environment = Environment(
            loader=PackageLoader("relay.demo"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["linked"] = lambda text: mail_program.linked(text, self._own)
        self._template = environment.get_template("page.html")

    async def show(self, request: Request) -> Response:
        return await self._render(request, request.query_params)

    async def send(self, request: Request) -> Response:
        """Sends the mail in the form over SMTP and shows the dialogue."""
        fields = await _form(request)
        writer, typed, problem = self._typed(fields)
        if writer is None or problem:
            return await self._render(request, fields, typed=typed, problem=problem)
        dialogue = await self._demo.mailer.write(
            writer,
            typed.to,
            typed.subject,
            typed.text,
            from_address=writer.unlisted_address if typed.unlisted else "",
            answers=self._displayed_mail(writer.ref, typed.answers),
            attachment=mail_program.PROGRAM if typed.attached else None,
        )
        return self._show_dialogue(dialogue, fields)

    async def unsubscribe(self, request: Request) -> Response:
        """Unsubscribes as a mail program does. A mail without an unsubscribe link gets the answer 400."""
        fields = await _form(request)
        displayed = self._displayed_mail(fields.get("box", ""), _number(fields.get("mail", "")))
        if displayed is None or not mail_program.own_links(self._own).fullmatch(displayed.unsubscribe):
            raise HTTPException(400)
        return self._show_dialogue((await browser.unsubscribe(displayed.unsubscribe)).dialogue, fields)

    async def release(self, request: Request) -> Response:
        """Releases one held message, as the operator's staff can."""
        fields = await _form(request)
        await self._demo.store.holds.release(fields.get("message", ""), by="demo")
        return _back(fields)

    def _displayed_mail(self, ref: str, number: int) -> mail_program.DisplayedMail | None:
        shown = view.mails(self._demo.sink, ref, self._own)
        return next((mail.displayed for mail in shown if mail.number == number), None)

    def _show_dialogue(self, dialogue: Dialogue, fields: Mapping[str, str]) -> Response:
        number = self._dialogues[-1][0] + 1 if self._dialogues else 1
        self._dialogues.append((number, dialogue))
        return _back(fields, said=str(number))

    def _typed(self, fields: Mapping[str, str]) -> tuple[DemoParty | None, Form, str]:
        """Returns the writer, the form as typed, and the text key of the first problem ("" if there is no problem)."""
        writer = BY_REF.get(fields.get("box", ""))
        typed = Form(
            to=fields.get("to", "").strip(),
            unlisted=fields.get("from") == "stranger" and bool(writer and writer.unlisted_address),
            attached="attach" in fields,
            subject=fields.get("subject", "").strip(),
            text=fields.get("text", "").replace("\r\n", "\n"),
            answers=_number(fields.get("answers", "")),
        )
        checks = {
            "bad.who": writer is not None,
            "bad.to": _is_address(typed.to),
            "bad.subject": len(typed.subject) <= _SUBJECT_CHARS and typed.subject.isprintable(),
            "bad.text": 0 < len(typed.text.strip()) <= _TEXT_CHARS,
        }
        return writer, typed, next((key for key, holds in checks.items() if not holds), "")

    async def _render(
        self, request: Request, asked: Mapping[str, str], *, typed: Form | None = None, problem: str = ""
    ) -> Response:
        demo = self._demo
        code = language(asked.get("lang", ""), request.headers.get("accept-language", ""))
        t = translator(code)
        box = asked.get("box", "")
        writer = BY_REF.get(box) or (None if box == OPERATOR else PARTIES[0])
        ref = writer.ref if writer else OPERATOR
        form = typed
        if writer and not form:
            answer = _number(asked.get("reply", ""))
            form = view.form(demo.market, demo.sink, writer, t, preset=asked.get("try", ""), answer=answer)
        html = self._template.render(
            t=t,
            lang=code,
            languages=LANGUAGES,
            name_of=lambda who: view.name_of(who, t),
            query=lambda **changed: "?" + urlencode({"box": ref, "lang": code} | changed),
            presets=view.PRESETS,
            boxes=view.mailboxes(demo.sink, t),
            ref=ref,
            writer=writer,
            mails=view.mails(demo.sink, ref, self._own),
            program=mail_program.PROGRAM.name,
            choices=view.choices(writer, demo.market.aliases) if writer else [],
            form=form,
            problem=t("bad", why=t(problem)) if problem else "",
            dialogue=next((said for number, said in self._dialogues if str(number) == asked.get("said")), None),
            entries=await record_view.newest_messages(demo.store),
        )
        return HTMLResponse(html, status_code=422 if problem else 200, headers={"Cache-Control": "no-store"})


def _back(fields: Mapping[str, str], **more: str) -> Response:
    """Returns a redirect (303), so that a reload of the page does not send the form again."""
    query = {name: fields.get(name, "") for name in ("box", "lang")} | more
    return RedirectResponse("/?" + urlencode(query), status_code=303)


def _number(text: str) -> int:
    """Returns the number in `text`, or 0 if it is not a number."""
    return int(text) if text.isdecimal() and len(text) < 9 else 0


async def _form(request: Request) -> dict[str, str]:
    """Returns the fields of a form.

    Raises HTTPException for a form that another site sent (403), that is too large (413) or that cannot be read (400).
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = site in {"same-origin", "none"} if site else origin is None or urlsplit(origin).netloc == request.url.netloc
    if not own:
        raise HTTPException(403)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_BYTES:
            raise HTTPException(413)
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError as error:
        raise HTTPException(400) from error
    return {name: values[0] for name, values in fields.items()}


def _is_address(text: str) -> bool:
    try:
        split(text)
    except AddressError:
        return False
    return True
