"""The pages of signed links, errors and changelogs, as HTML in the language of the reader."""

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from relay.core.notice.texts import LANGUAGES, Catalogue, text
from relay.core.signed_link import Purpose
from relay.ports.signed_links import FACTS, LINK_WORDS, Changelog, LinkFault, Offer

_CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "Content-Security-Policy": _CSP,
    "Vary": "Accept-Language",
}
NOT_HERE: Final = "none"
BUSY: Final = "busy"
UNAVAILABLE: Final = "away"
FORM: Final = "form"
PROBLEMS: Final = (*LinkFault, NOT_HERE, BUSY, UNAVAILABLE, FORM)
"""The problems for which an error page is shown. Each has a title and a text in the catalogue."""
KEYS: Final = (
    *(
        f"page.{purpose.name.lower()}.{word}"
        for purpose, words in LINK_WORDS.items()
        for word in ("title", "lead", *words.states, *words.choices)
    ),
    *(f"page.about.{fact}" for fact in FACTS),
    *(f"page.problem.{problem}.{part}" for problem in PROBLEMS for part in ("title", "text")),
    "page.done",
    "page.help",
    "page.languages",
    *(f"page.language.{language}" for language in LANGUAGES),
    "page.report.words",
    "page.policy.title",
    "page.policy.lead",
    "page.policy.version",
    "page.policy.in_force",
    "page.policy.effective",
    "page.policy.changes",
    "page.policy.first",
)
"""The keys of all texts of these pages. The names of kinds are the same as in notices."""


class Pages:
    """Renders the pages with the texts of the catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._environment = Environment(
            loader=PackageLoader("relay.edge.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def offer(self, offer: Offer) -> Response:
        values = {"kind": self._catalogue(offer.locale).gettext(f"kind.{offer.kind}")}
        return self._page(
            "offer.html",
            offer.locale,
            200,
            values | {"marketplace": offer.marketplace},
            offer=offer,
            name=offer.purpose.name.lower(),
            takes_words=offer.purpose is Purpose.REPORT,
        )

    def changelog(self, changelog: Changelog) -> Response:
        values = {"marketplace": changelog.marketplace}
        return self._page("policy.html", changelog.locale, 200, values, changelog=changelog)

    def problem(self, problem: str, status: int, locale: str, help_url: str = "", **headers: str) -> Response:
        page = self._page("problem.html", locale, status, {}, problem=problem, help_url=help_url)
        page.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        return page

    def _page(self, template: str, locale: str, status: int, values: Mapping[str, str], **shown: Any) -> Response:
        translations = self._catalogue(locale)

        def say(name: str, **more: str) -> str:
            return text(translations, f"page.{name}", {**values, **more})

        html = self._environment.get_template(template).render(
            say=say, language=translations.gettext("language"), **shown
        )
        return HTMLResponse(html, status_code=status, headers=_HEADERS)
