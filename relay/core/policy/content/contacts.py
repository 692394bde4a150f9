"""Finds contact data: mail addresses, and accounts at messengers and social networks.

The writer's own addresses and the aliases of the pair are left out. The real addresses of the other side are contact
data like any other address, because an exception for them would confirm a guess. An honest seller does not quote them,
because the rewrite replaces them in all mail that the seller receives.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Final

from relay.core.model.facts import Proof
from relay.core.model.reason import ReasonCode
from relay.core.policy.case import Case
from relay.core.policy.content import hosts
from relay.core.policy.content.finding import Hit

_MOST: Final = 300
"""The maximum number of addresses, of names of networks, and of signs for `@` that are examined in one text."""

_ADDRESS: Final = re.compile(
    r"(?<![A-Za-z0-9._%+-])(?<!//)[A-Za-z0-9_](?:[A-Za-z0-9._%+-]{0,63}+)@((?:[A-Za-z0-9-]{1,63}+\.)+[A-Za-z]{2,24}+)(?![A-Za-z0-9])"
)
_NAME: Final = re.compile(
    r"(?<![A-Za-z])LINE(?![A-Za-z])|(?<![ァ-ヴー])ライン(?![ァ-ヴー])|"
    r"(?i:(?<![A-Za-z])line(?= ?id\b)|whats ?app|ワッツアップ|telegram|テレグラム|we ?chat|微信|ウィーチャット|kakao ?(?:talk)?|カカオ(?:トーク)?|skype|スカイプ"
    r"|instagram|インスタ(?:グラム)?|twitter|ツイッター|facebook|フェイスブック|messenger|discord|ディスコード|viber|tiktok|snapchat)"
)
_AFTER: Final = re.compile(
    r"[\s]{0,2}(?:の|公式)?\s?(?:"
    r"(?:id|アイディー|アカウント|ユーザー名|account|handle|user ?name|番号|number)[\s:：=はis「『@＠\"']{1,6}(?=[A-Za-z0-9._+-]*[A-Za-z])[A-Za-z0-9._+-]{4,40}"
    r"|(?:id|アカウント|番号|number)?\s?[:：=]\s?@?[A-Za-z0-9._+-]{3,40}"
    r"|[(（]?\s?@[A-Za-z0-9._-]{3,40}"
    r"|(?:id|アカウント|公式)?(?:で|に|から|へ|を|の)[^。\n]{0,14}?(?:ご?連絡|メッセージ|お?問い?合わ?せ|ご?相談|追加|登録|フォロー|検索|お話|やり取り|やりとり)"
    r"|(?:instead|for (?:faster|quicker|direct))"
    r")",
    re.IGNORECASE,
)
_BEFORE: Final = re.compile(
    r"(?:(?:contact|message|reach|text|add|follow|find|dm|write|call|chat|talk|ask|continue|ping)[^.\n]{0,24}?\b(?:us|me|with us|with me|here)?\s?(?:on|via|by|at|over|through|using|to|in)"
    r"|(?:add|follow) (?:us|me|our|my)(?: on| at)?|(?:our|my))\s(?:our |my )?\Z",
    re.IGNORECASE,
)
_OWN: Final = re.compile(r"(?:our|my)\s\Z", re.IGNORECASE)
_OWN_AFTER: Final = re.compile(r"\s?(?:id|account|handle|number|is|page|:)", re.IGNORECASE)
_FRIENDS: Final = re.compile(r"(?:友だち|友達|ともだち)(?:登録|追加)")

_HANDLE: Final = re.compile(
    r"(?<![A-Za-z])(?:DM|ダイレクトメッセージ)(?![A-Za-z])[^@\n]{0,20}@[A-Za-z0-9_.]{3,40}"
    r"|@[A-Za-z0-9_.]{3,40}\s?(?:に|へ|まで|の)\s?(?:DM|ダイレクトメッセージ)(?![A-Za-z])",
    re.IGNORECASE,
)
"""The name of an account beside a request to write there, whatever the network is."""

_AT: Final = re.compile(
    r"アットマーク|アット|あっと|[(\[{<]\s?(?:at|アット|@)\s?[)\]}>]|(?<=[A-Za-z0-9]) at (?=[A-Za-z0-9])|(?<=\s)@(?=\s)|@",
    re.IGNORECASE,
)
_LOCAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{1,63}\s{0,2}\Z")
_DOT: Final = r"(?:\s?[(\[{<]\s?(?:dot|ドット|\.)\s?[)\]}>]\s?|\s?ドット\s?|\s?どっと\s?| dot | \. |\.)"
_DOMAIN: Final = re.compile(
    rf"\s{{0,2}}([A-Za-z0-9-]{{1,63}})((?:{_DOT}[A-Za-z0-9-]{{1,63}}){{1,4}})(?![A-Za-z0-9])", re.IGNORECASE
)
_PLAIN_DOTS: Final = re.compile(r"(?:\.[A-Za-z0-9-]+)+\Z")
_LAST: Final = re.compile(r"[A-Za-z0-9-]+\Z")
_PROVIDER: Final = re.compile(
    r"\s{0,2}(?:gmail|g-mail|yahoo|hotmail|outlook|icloud|docomo|softbank|ezweb|qq|ジーメール|Ｇメール|Gメール|ヤフー|アイクラウド|ドコモ|ホットメール)(?![a-z])",
    re.IGNORECASE,
)
_HIDDEN_DOT: Final = re.compile(
    r"(?<![A-Za-z0-9.-])[A-Za-z0-9-]{2,63}+(?:\s?[(\[{<]\s?(?:dot|ドット|\.)\s?[)\]}>]\s?|\s?ドット\s?)(?:com|net|org|jp|co|info|biz|shop|コム|ネット)(?![A-Za-z])"
    r"|(?<![A-Za-z0-9.-])(?!(?:the|a|an|any|this|that|every|old|new|your|our|my|big|is|was) )[A-Za-z0-9-]{2,63}+ dot (?:com|co dot jp|co dot uk|jp|org)(?![A-Za-z])",
    re.IGNORECASE,
)


def addresses(text: str, own: frozenset[str], allowed: frozenset[str]) -> Iterator[Hit]:
    others = (match.span() for match in _ADDRESS.finditer(text) if not is_own(match[0], own, allowed))
    for start, end in itertools.islice(others, _MOST):
        yield Hit(ReasonCode.CONTACT_DATA, start, end, "email")


def own_addresses(case: Case) -> frozenset[str]:
    """Returns the addresses, in lower case, that do not count as contact data in this mail.

    They are the aliases of the pair, the operator's address, the address in From, and the addresses on the account's
    list of senders. The list is left out for an unlisted writer without a login, because this writer may be anybody,
    even the other side, and an exception for the addresses on the list would confirm a guess.
    """
    pair, writer = case.facts.pair, case.writer
    is_known = writer.registered or writer.proof is Proof.LOGIN
    listed = case.author.addresses if is_known else frozenset[str]()
    aliases = {pair.buyer.alias.address, pair.seller.alias.address}
    # The address in From may not be on the list yet; the rewrite replaces it with the alias too.
    return listed | aliases | {case.facts.from_address, case.facts.marketplace.operator.lower()}


def is_own(address: str, own: frozenset[str], allowed: frozenset[str]) -> bool:
    folded = address.lower()
    return folded in own or hosts.is_under(folded.rpartition("@")[2], allowed)


def accounts(text: str) -> Iterator[Hit]:
    for name in itertools.islice(_NAME.finditer(text), _MOST):
        start, end = name.span()
        after = _AFTER.match(text, end, end + 70)
        window = text[max(0, start - 50) : start]
        before = _BEFORE.search(window)
        if after:
            yield Hit(ReasonCode.CONTACT_DATA, start, after.end(), "account")
        elif before and (not _OWN.search(before[0]) or _OWN_AFTER.match(text, end)):
            yield Hit(ReasonCode.CONTACT_DATA, start - len(window) + before.start(), end, "account")
    for match in itertools.islice(_HANDLE.finditer(text), _MOST):
        yield Hit(ReasonCode.CONTACT_DATA, *match.span(), "account")
    for match in itertools.islice(_FRIENDS.finditer(text), _MOST):
        yield Hit(ReasonCode.CONTACT_DATA, *match.span(), "account")


def spelt_addresses(text: str) -> Iterator[Hit]:
    """Yields hits for addresses spelt in words ("name at domain dot com", 「アット」) and hosts with a spelt dot."""
    for sign in itertools.islice(_AT.finditer(text), _MOST):
        window = text[max(0, sign.start() - 66) : sign.start()]
        local = _LOCAL.search(window)
        domain = _DOMAIN.match(text, sign.end(), sign.end() + 160)
        start = sign.start() - len(window) + (local.start() if local else len(window))
        if local and domain and _is_spelt_out(sign[0], local[0], domain):
            yield Hit(ReasonCode.CONTACT_DISGUISED, start, domain.end(), "email")
        elif local and not sign[0].isascii() and (provider := _PROVIDER.match(text, sign.end())):
            yield Hit(ReasonCode.CONTACT_DISGUISED, start, provider.end(), "email")
    for match in itertools.islice(_HIDDEN_DOT.finditer(text), _MOST):
        yield Hit(ReasonCode.CONTACT_DISGUISED, *match.span(), "other")


def _is_spelt_out(sign: str, local: str, domain: re.Match[str]) -> bool:
    last = _LAST.search(domain[2])
    if not last or not hosts.has_suffix(last[0]):
        return False
    is_plain = bool(_PLAIN_DOTS.match(domain[2]))
    if sign == "@":  # a plain address is no disguise
        # A word before "@provider.example", as in "a free address @yahoo.fr", is no name of a mailbox.
        is_apart = local[-1].isspace() and (domain[0][0].isspace() or not local.strip().isalpha())
        return not is_plain or is_apart or (domain[0][0].isspace() and not local[-1].isspace())
    return not is_plain or sign.lower() != " at "
