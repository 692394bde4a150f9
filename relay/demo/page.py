"""The demo's page: mailboxes beside the relay's record, and a form to write with.

One page, rendered on the server, whole without JavaScript; a small script fetches it again and swaps in what changed.
It listens on the loopback interface, answers to its own names only, and takes forms from itself only.
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

from relay.core.address import AddressError, split
from relay.core.model.sender import SenderState
from relay.demo import chronicle, view
from relay.demo.cast import BY_REF, CAST, MARKETPLACE, OPERATOR, Character
from relay.demo.life import Life
from relay.demo.texts import LANGUAGES, language, translator
from relay.demo.view import Form
from relay.demo.wire import Dialogue
from relay.edge.web.headers import SecurityHeaders

_CSP: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HOSTS: Final = ["127.0.0.1", "localhost"]
_FORM_BYTES: Final = 1_000_000
_TEXT_CHARS: Final = 100_000
_SUBJECT_CHARS: Final = 200


def build(life: Life) -> Starlette:
    page = Page(life)
    return Starlette(
        routes=[
            Route("/", page.show),
            Route("/send", page.send, methods=["POST"]),
            Route("/approve", page.approve, methods=["POST"]),
            Mount("/static", StaticFiles(directory=Path(__file__).with_name("static"))),
        ],
        middleware=[
            Middleware(SecurityHeaders, csp=_CSP),
            Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS, www_redirect=False),
        ],
    )


class Page:
    def __init__(self, life: Life) -> None:
        self._life = life
        self._said: deque[tuple[int, Dialogue]] = deque(maxlen=50)
        environment = Environment(
            loader=PackageLoader("relay.demo"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._template = environment.get_template("page.html")

    async def show(self, request: Request) -> Response:
        return await self._render(request, request.query_params)

    async def send(self, request: Request) -> Response:
        """Submits the form over real SMTP and shows what was said."""
        fields = await _form(request)
        writer, typed, problem = self._typed(fields)
        if writer is None or problem:
            return await self._render(request, fields, typed=typed, problem=problem)
        answered = next((m for m in view.mails(self._life.sink, writer.ref) if m.number == typed.answers), None)
        dialogue = await self._life.post.write(
            writer,
            typed.to,
            typed.subject,
            typed.text,
            from_address=writer.stranger if typed.stranger else "",
            answers=answered.reading if answered else None,
        )
        number = self._said[-1][0] + 1 if self._said else 1
        self._said.append((number, dialogue))
        return _back(writer.ref, fields.get("lang", ""), said=str(number))

    async def approve(self, request: Request) -> Response:
        """The owner's word for the pending senders of one party; what was held for them goes out."""
        fields = await _form(request)
        owner = BY_REF.get(fields.get("owner", ""))
        party = await self._life.store.party(MARKETPLACE, owner.role, owner.ref) if owner else None
        if party is None:
            raise HTTPException(400)
        for sender in await self._life.store.senders(party.id):
            if sender.state is SenderState.UNKNOWN:
                await self._life.store.put_sender(party.id, sender.address, SenderState.APPROVED, added_by="demo")
        return _back(fields.get("box", ""), fields.get("lang", ""))

    def _typed(self, fields: Mapping[str, str]) -> tuple[Character | None, Form, str]:
        """Who writes, what was typed, and the text key of what is wrong with it ("" when nothing is)."""
        writer = BY_REF.get(fields.get("box", ""))
        answers = fields.get("answers", "")
        typed = Form(
            to=fields.get("to", "").strip(),
            stranger=fields.get("from") == "stranger" and bool(writer and writer.stranger),
            subject=fields.get("subject", "").strip(),
            text=fields.get("text", "").replace("\r\n", "\n"),
            answers=int(answers) if answers.isdecimal() and len(answers) < 9 else 0,
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
        life = self._life
        code = language(asked.get("lang", ""), request.headers.get("accept-language", ""))
        t = translator(code)
        box = asked.get("box", "")
        writer = BY_REF.get(box) or (None if box == OPERATOR else CAST[0])
        ref = writer.ref if writer else OPERATOR
        form = typed
        if writer and not form:
            answer = asked.get("reply", "")
            number = int(answer) if answer.isdecimal() and len(answer) < 9 else 0
            form = view.form(life.town, life.sink, writer, t, preset=asked.get("try", ""), answer=number)
        html = self._template.render(
            t=t,
            lang=code,
            languages=LANGUAGES,
            name_of=lambda who: view.name_of(who, t),
            query=lambda **changed: "?" + urlencode({"box": ref, "lang": code} | changed),
            presets=view.PRESETS,
            boxes=view.boxes(life.sink, t),
            ref=ref,
            writer=writer,
            mails=view.mails(life.sink, ref),
            choices=view.choices(writer, life.town.aliases) if writer else [],
            form=form,
            problem=t("bad", why=t(problem)) if problem else "",
            dialogue=next((said for number, said in self._said if str(number) == asked.get("said")), None),
            entries=await chronicle.entries(life.store),
        )
        return HTMLResponse(html, status_code=422 if problem else 200, headers={"Cache-Control": "no-store"})


def _back(box: str, lang: str, **more: str) -> Response:
    """See Other, so that a reload of the page does not send the form again."""
    return RedirectResponse("/?" + urlencode({"box": box, "lang": lang} | more), status_code=303)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form that this page itself has sent."""
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
