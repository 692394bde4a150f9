"""Contains the texts of the demo's page, English and Japanese side by side.

Codes of reasons and events are not translated, because logs, SMTP replies and notices contain the same codes.
"""

from collections.abc import Callable
from typing import Final

LANGUAGES: Final = {"en": "English", "ja": "日本語"}

_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "title": ("Relay demo", "リレーのデモ"),
    "lead": (
        "Write as one party and watch the message cross. Both real addresses stay hidden.",
        "一人になってメールを書き、届くまでをご覧ください。双方の本当のアドレスは相手に伝わりません。",
    ),
    "skip": ("Skip to the mailbox", "メールボックスへ移動"),
    "language": ("Language", "言語"),
    "live": ("live", "自動更新中"),
    "stopped": ("the demo has stopped", "デモは停止しています"),
    "news": ("New mail for {name}", "{name}に新着メール"),
    "try": ("Things to try", "試してみましょう"),
    "try.answer": ("A message and its answer", "メッセージと返信"),
    "try.opted_out": ("A buyer who opted out", "受信を停止した購入者"),
    "try.important": ("[重要] passes the opt-out", "［重要］は届きます"),
    "try.unlisted": ("A sender not on the list", "未登録の差出人"),
    "try.attachment": ("A program called .pdf", "PDFを装ったプログラム"),
    "try.contact": ("A phone number", "電話番号"),
    "try.number": ("An order id like a phone number, to a mobile", "電話番号に似た注文番号（携帯あて）"),
    "try.check": ("May I write to her?", "送ってよいか確認"),
    "try.wrong": ("A wrong address", "まちがったアドレス"),
    "try.gone": ("A mailbox that refuses", "受け取りを拒否する宛先"),
    "mailboxes": ("Mailboxes", "メールボックス"),
    "seller": ("seller", "出品者"),
    "buyer": ("buyer", "購入者"),
    "desk": ("operator", "運営"),
    "desk.name": ("Operator's desk", "運営窓口"),
    "opted_out": ("opted out", "受信停止"),
    "gone": ("refuses mail", "受信不可"),
    "mobile": ("mobile carrier", "携帯メール"),
    "mailbox_of": ("{name}'s mailbox", "{name}のメールボックス"),
    "real_address": ("Real address, seen only here", "本当のアドレス（ここにだけ表示）"),
    "empty": ("No mail yet.", "メールはまだありません。"),
    "from": ("From", "差出人"),
    "to": ("To", "宛先"),
    "reply_to": ("Reply-To", "返信先"),
    "subject": ("Subject", "件名"),
    "date": ("Date", "日時"),
    "message_id": ("Message-ID", "Message-ID"),
    "in_reply_to": ("In-Reply-To", "In-Reply-To"),
    "attachments": ("Also in it", "その他の部分"),
    "html": ("HTML part, shown without scripts and remote content", "HTML部分（スクリプトと外部の内容は表示しません）"),
    "raw": ("Raw source", "ソースを表示"),
    "notice": ("notice", "お知らせ"),
    "reply": ("Reply", "返信する"),
    "unsubscribe": ("Unsubscribe, in one click", "ワンクリックで受信を停止"),
    "write": ("Write as {name}", "{name}として書く"),
    "reply_as": ("Reply as {name}", "{name}として返信する"),
    "own": ("registered", "登録済み"),
    "stranger": ("not on the list", "未登録"),
    "wrong": ("one letter wrong", "一文字まちがい"),
    "check": ("only asks what would become of it", "届くかどうかの確認だけ"),
    "attach": ("Attach a program that is called {name}", "{name}という名前のプログラムを添付する"),
    "order": ("order", "注文"),
    "text": ("Message", "本文"),
    "send": ("Send", "送信"),
    "cancel": ("Write a new one", "新しく書く"),
    "said": ("What was said on the wire", "通信のやりとり"),
    "said.ok": ("The relay took it.", "リレーが受け付けました。"),
    "said.no": ("The relay refused it.", "リレーが受け取りを拒否しました。"),
    "said.none": ("The relay could not be reached.", "リレーに接続できませんでした。"),
    "record": ("The relay's record", "リレーの記録"),
    "record.lead": ("Newest first. Real addresses are not in it.", "新しい順。本当のアドレスは含まれません。"),
    "record.empty": ("Nothing yet. Write the first message.", "まだありません。最初のメールを書いてみましょう。"),
    "someone": ("a stranger", "見知らぬ差出人"),
    "no_subject": ("(no subject)", "（件名なし）"),
    "reasons": ("Reasons", "理由"),
    "changes": ("What was changed", "変更した箇所"),
    "events": ("Events", "経過"),
    "release": ("Release it, as staff would", "担当者として配信を許可する"),
    "state.received": ("received", "受付"),
    "state.held": ("held", "保留"),
    "state.queued": ("queued", "送信待ち"),
    "state.deferred": ("deferred", "再送待ち"),
    "state.accepted": ("accepted", "受領済み"),
    "state.bounced": ("bounced", "宛先不明で戻り"),
    "state.returned": ("returned", "差し戻し"),
    "state.refused": ("refused", "受信拒否"),
    "foot": (
        "Everything here is made up and stays on this computer.",
        "登場する人物や店舗はすべて架空で、このコンピューターの中だけで動いています。",
    ),
    "bad": ("The form was not complete: {why}", "入力に不備があります：{why}"),
    "bad.who": ("choose a mailbox", "メールボックスを選んでください"),
    "bad.to": ("that is not an e-mail address", "メールアドレスが正しくありません"),
    "bad.subject": ("the subject is one line of at most 200 characters", "件名は200字以内の1行で入力してください"),
    "bad.text": ("the message is empty or longer than 100,000 characters", "本文が空か、10万字を超えています"),
    "sample.subject": ("Your order {order}", "ご注文{order}について"),
    "sample.text": (
        "Hello,\n\nyour parcel leaves tomorrow. Please tell me if anybody is at home.\n\n-- \n{name}\n{address}",
        "お客様\n\nご注文の品は明日発送いたします。ご在宅のお時間をお知らせください。\n\n-- \n{name}\n{address}",
    ),
    "sample.contact": (
        "Hello,\n\nplease call me at 03-1234-5678 about your order.\n\n-- \n{name}\n{address}",
        "お客様\n\nご注文の件で、03-1234-5678までお電話ください。\n\n-- \n{name}\n{address}",
    ),
    "sample.promotion": ("New arrivals this week", "今週の新着のご案内"),
    "sample.important": ("[重要] About your order {order}", "【重要】ご注文{order}について"),
    "sample.buyer": (
        "Hello,\n\nwhen will my parcel arrive?\n\n-- \n{name}\n{address}",
        "こんにちは。\n\n荷物はいつ届きますか。\n\n-- \n{name}\n{address}",
    ),
}

Translate = Callable[..., str]


def language(asked: str, accept_language: str) -> str:
    """Returns `asked` if it is supported, else the first supported language of the browser, else English."""
    if asked in LANGUAGES:
        return asked
    wanted = (part.split(";")[0].strip()[:2].lower() for part in accept_language.split(","))
    return next((code for code in wanted if code in LANGUAGES), "en")


def translator(code: str) -> Translate:
    """Returns a function that returns the text for a key in the language `code`."""
    index = list(LANGUAGES).index(code)

    def translate(key: str, **values: str) -> str:
        text = _TEXTS[key][index]
        return text.format(**values) if values else text

    return translate


def names() -> frozenset[str]:
    """Returns all text keys."""
    return frozenset(_TEXTS)
