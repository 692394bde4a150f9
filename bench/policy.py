"""The cost of `decide`: CPU milliseconds with the shipped policy, and for the worst hostile text of 100 KB.

Run it by `python -m bench.policy`. The targets are 0.3 ms for a text of 5 KB, of which 0.15 ms for its kind, linear
growth, and at most 100 ms for any 100 KB.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from relay.core.identify import Writer
from relay.core.mail.mime import MimeLimits, split
from relay.core.policy.case import Case
from relay.core.policy.content import reading, with_texts
from relay.core.policy.decide import decide
from relay.core.policy.rule import Stage
from relay.core.policy.stages import STAGES
from tests.support import hostile
from tests.support.mail_builder import mail
from tests.support.mail_case import MailCase

_ENGLISH: Final = """Thank you for your question about the table. It has four legs and one drawer, and the drawer is
forty centimetres deep. It fits behind a door of eighty. The order 250-1234567-1234567 has two parts, the second one
comes on Monday 2026-07-06 and costs 1,980 yen more; does that suit you? The lamp is in the same box, model LX-2200.

"""
_JAPANESE: Final = """お問い合わせいただきありがとうございます。机の引き出しの奥行きは四十センチで、
幅八十センチの扉の奥に収まります。ご注文 250-1234567-1234567 は二つに分かれており、二つ目は7月6日(月)に届きます。
差額は1,980円ですが、よろしいでしょうか。ランプは同じ箱にお入れしました。型番はLX-2200です。

"""
SIZES: Final = {"5 KB": 5_120, "50 KB": 51_200, "500 KB": 512_000}
LARGE: Final = 100_000


def main() -> None:
    print(f"{'':28}{'decide':>12}{'content alone':>16}{'kind alone':>14}")
    for language, words in (("English", _ENGLISH), ("Japanese", _JAPANESE)):
        for name, size in SIZES.items():
            print(f"{name + ' ' + language:28}" + "".join(f"{ms:>11.3f} ms" for ms in _costs(_text(words, size))))
    html = "".join(f"<p>{line}</p>\n" for line in _text(_ENGLISH, SIZES["5 KB"]).splitlines())
    print(f"{'5 KB HTML':28}" + "".join(f"{ms:>11.3f} ms" for ms in _costs(None, html)))
    for name, texts in (("text", hostile.TEXTS), ("html", hostile.MARKUP)):
        worst = max((_once(_case(**{name: make(LARGE)})), piece) for piece, make in texts.items())
        print(f"worst hostile {name} of 100 KB: {worst[0]:.1f} ms, {worst[1]!r} of {len(texts)}")


def _text(words: str, size: int) -> str:
    octets = (words * (size // len(words.encode()) + 1)).encode()[:size]
    return octets.decode("utf-8", "ignore")


def _case(text: str | None = None, html: str | None = None) -> Case:
    mail_case = MailCase(raw=mail(text=text, html=html))
    writer = mail_case.writer()
    assert isinstance(writer, Writer)
    root = split(mail_case.incoming.content, MimeLimits())
    return Case(
        incoming=mail_case.incoming,
        head=mail_case.head,
        root=root,
        facts=mail_case.facts,
        writer=writer,
        policy=mail_case.policy,
        now=mail_case.now,
    )


def _costs(text: str | None, html: str | None = None) -> tuple[float, float, float]:
    case = _case(text, html)
    values = (case.incoming, case.head, case.root, case.facts, case.writer, case.policy, case.now)
    read = replace(case, texts=tuple(reading.read(case)))
    return _best(lambda: decide(*values)), _best(lambda: _content(case)), _best(lambda: with_texts(read))


def _best(work: Callable[[], object]) -> float:
    """Returns the CPU milliseconds of one call, the best of some rounds."""
    work()
    rounds = []
    for _ in range(5):
        start, calls = time.process_time(), 0
        while (spent := time.process_time() - start) < 0.1:
            work()
            calls += 1
        rounds.append(1_000 * spent / calls)
    return min(rounds)


def _content(case: Case) -> None:
    for rule in STAGES[Stage.CONTENT]:
        list(rule.judge(case))


def _once(case: Case) -> float:
    start = time.process_time()
    _content(case)
    return 1_000 * (time.process_time() - start)


if __name__ == "__main__":
    main()
