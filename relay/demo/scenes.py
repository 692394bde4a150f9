"""The scenes of `relay demo --script`, in order. Each plays one story on the stage and says what must be true of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from relay.core.model.message import MessageState
from relay.demo.cast import ALICE, BOB, CAROL, DAVE, HANAKO, KAEDE, MOBILE_DOMAIN, PURCHASES
from relay.demo.environment import Stage
from relay.demo.letter import PROGRAM, answer_subject, quote
from relay.demo.mailboxes import misspelt


@dataclass(frozen=True, slots=True)
class Scene:
    title: str
    play: Callable[[Stage], Awaitable[None]]


async def message_and_answer(stage: Stage) -> None:
    stage.tell(f"{ALICE.name} writes to Bob's alias from an ordinary mail program. She signs with her real address.")
    text = f"Hello,\n\nyour book is packed. Shall we put it in the porch?\n\n-- \n{ALICE.name}\n{ALICE.mailbox}\n"
    said = await stage.write(ALICE, stage.post.alias(ALICE, BOB), "Your order 250-1001", text)
    stage.check(said.accepted, "the relay took the message")
    mail, reading = await stage.mail(BOB)
    stage.check(ALICE.mailbox.encode() not in mail.content, "Alice's real address is nowhere in it")
    stage.check(stage.post.alias(BOB, ALICE) in reading.sender, "it comes from Alice's alias")
    stage.check(b"\nDKIM-Signature:" in mail.content, "it is signed for the marketplace's domain")
    stage.check(stage.post.alias(BOB, ALICE) in reading.text, "her signature names her alias")
    entry = await stage.record()
    stage.check(entry.state is MessageState.ACCEPTED, "Bob's mail server accepted it")

    stage.tell("Bob presses Reply.")
    text = f"Yes please, the porch is fine.\n\n{BOB.name} <{BOB.mailbox}>\n\n{quote(reading)}"
    to = reading.reply_address
    said = await stage.write(BOB, to, answer_subject(reading.subject), text, answers=reading)
    stage.check(said.accepted, "the relay took the answer")
    mail, answer = await stage.mail(ALICE)
    stage.check(BOB.mailbox.encode() not in mail.content, "Bob's real address is nowhere in it")
    stage.check(answer.in_reply_to.endswith(f"@{ALICE.mailbox.partition('@')[2]}>"), "In-Reply-To is Alice's own id")
    stage.check(stage.post.alias(ALICE, BOB) in answer.text, "his signature names his alias")
    await stage.record()


async def opted_out(stage: Stage) -> None:
    stage.tell("Carol has opted out of mail from sellers. Alice writes all the same.")
    said = await stage.write(ALICE, stage.post.alias(ALICE, CAROL), "New arrivals", "Have a look at our new books!")
    stage.check(said.accepted and "notice" in said.reply, "the answer says: recorded, not delivered, notice follows")
    await stage.mail(ALICE, automatic=True)
    entry = await stage.record()
    stage.check(entry.state is MessageState.RETURNED, "the message is returned")
    stage.check(entry.reasons[:1] == ("opted_out",), "the reason is opted_out")
    stage.check(stage.mailbox_is_empty(CAROL), "Carol's mailbox is empty")


async def important(stage: Stage) -> None:
    stage.tell("Something is wrong with Carol's order, so Alice marks the subject. The mark passes the opt-out.")
    text = "One page of your book is damaged. Refund or another copy?"
    said = await stage.write(ALICE, stage.post.alias(ALICE, CAROL), "[重要] Your order 250-1002", text)
    stage.check(said.accepted, "the relay took the message")
    _, reading = await stage.mail(CAROL)
    stage.check("[重要]" in reading.subject, "Carol got it")
    entry = await stage.record()
    stage.check("marked_important" in entry.reasons, "the record says why it passed: marked_important")


async def unlisted_sender(stage: Stage) -> None:
    stage.tell("Alice is on holiday and writes from another address, with her login. It is not on her list: held.")
    to = stage.post.alias(ALICE, BOB)
    said = await stage.write(ALICE, to, "Parcel number", "It is on its way.", from_address=ALICE.stranger)
    stage.check(said.accepted, "the relay took the message")
    _, notice = await stage.mail(ALICE, automatic=True)
    entry = await stage.record()
    stage.check(entry.state is MessageState.HELD, "it is held until the owner says who this is")
    stage.check(stage.mailbox_is_empty(BOB), "Bob has got nothing yet")

    stage.tell("She follows the link in the notice and approves the address; what was held for it goes out.")
    await stage.follow(notice, "approve")
    mail, _ = await stage.mail(BOB)
    stage.check(ALICE.stranger.encode() not in mail.content, "the new address is hidden, too")
    await stage.record()


async def unlisted_on_mx(stage: Stage) -> None:
    stage.tell("A mail from an address on nobody's list comes to the MX port: nothing proves who wrote it.")
    to = stage.post.alias(BOB, ALICE)
    said = await stage.write(BOB, to, "Is this you?", "Hello?", from_address=BOB.stranger)
    stage.check(said.reply.startswith("550"), "550, and no notice to an address that nobody has proven")


async def wrong_alias(stage: Stage) -> None:
    stage.tell("One letter of the alias is wrong. Its check code shows that without a look into the database.")
    said = await stage.write(ALICE, misspelt(stage.post.alias(ALICE, BOB)), "Your order", "Hello Bob")
    stage.check(said.reply.startswith("550 5.1.1"), "550 5.1.1 at RCPT")


async def refused_mailbox(stage: Stage) -> None:
    stage.tell("Dave's mail server refuses: no such user. The bounce is explained, not forwarded.")
    said = await stage.write(ALICE, stage.post.alias(ALICE, DAVE), "Your order 250-1003", "Your book is ready.")
    stage.check(said.accepted, "the relay took the message")
    mail, _ = await stage.mail(ALICE, automatic=True)
    stage.check(DAVE.mailbox.encode() not in mail.content, "the notice does not tell Dave's real address")
    entry = await stage.record()
    stage.check(entry.state is MessageState.BOUNCED, "the record says: bounced")


async def carrier_mailbox(stage: Stage) -> None:
    stage.tell("花子さんの携帯へ。A Japanese shop writes to a mailbox at a mobile carrier.")
    alias = stage.post.alias(KAEDE, HANAKO)
    stage.check(alias.endswith("@" + MOBILE_DOMAIN), f"Hanako's alias is under {MOBILE_DOMAIN}")
    text = f"佐藤様\n\nご注文の鉋は明日発送いたします。\n\n{KAEDE.name}\n{KAEDE.mailbox}\n"
    said = await stage.write(KAEDE, alias, "ご注文について", text)
    stage.check(said.accepted, "the relay took the message")
    _, reading = await stage.mail(HANAKO)
    stage.check("鉋は明日発送" in reading.text, "the text is whole")
    stage.check(KAEDE.mailbox not in reading.text, "the shop's real address is not in it")
    await stage.record()


async def false_document(stage: Stage) -> None:
    stage.tell("Alice attaches a program that somebody has called invoice.pdf. What counts is what is in it.")
    to = stage.post.alias(ALICE, BOB)
    said = await stage.write(ALICE, to, "Your invoice", "Here is the invoice.", attachment=PROGRAM)
    stage.check("notice" in said.reply, "the answer says: recorded, not delivered, notice follows")
    _, notice = await stage.mail(ALICE, automatic=True)
    stage.check(PROGRAM.name in notice.text, "the notice names the file")
    entry = await stage.record()
    stage.check(entry.reasons == ("attachment_disguised",), "the reason is attachment_disguised")
    stage.check(stage.mailbox_is_empty(BOB), "Bob has got nothing")


async def phone_number(stage: Stage) -> None:
    stage.tell("電話番号は取り次がれません。The shop asks Hanako to call it: contact data come back.")
    to = stage.post.alias(KAEDE, HANAKO)
    await stage.write(KAEDE, to, "ご連絡のお願い", "03-1234-5678までお電話ください。")
    _, notice = await stage.mail(KAEDE, automatic=True)
    stage.check("03-1234-5678" in notice.text, "the notice, in Japanese, shows the place")
    entry = await stage.record()
    stage.check(entry.reasons == ("contact_data",), "the reason is contact_data")

    order = next(purchase.order for purchase in PURCHASES if (purchase.seller, purchase.buyer) == ("kaede", "hanako"))
    stage.tell(f"{order} could be a phone, too. But it is an order of these two, so it passes.")
    await stage.write(KAEDE, to, f"ご注文 {order}", f"{order}の鉋は明日届きます。")
    _, reading = await stage.mail(HANAKO)
    stage.check(order in reading.text, "Hanako reads the order's number")
    await stage.record()


async def asking_first(stage: Stage) -> None:
    stage.tell(
        "May Alice write to Carol, who has opted out? Mail to check+ALIAS is judged, answered and not passed on."
    )
    said = await stage.write(ALICE, "check+" + stage.post.alias(ALICE, CAROL), "New arrivals", "Our new books!")
    stage.check(said.accepted, "the relay took the question")
    _, answer = await stage.mail(ALICE, automatic=True)
    stage.check("[Important] New arrivals" in answer.text, "the answer says what would come back, and what would pass")
    entry = await stage.record()
    stage.check(entry.action == "check", "the record says that it was a question")
    stage.check(stage.mailbox_is_empty(CAROL), "Carol has got nothing")


async def one_click(stage: Stage) -> None:
    stage.tell("Bob has read enough of Alice. His mail program has a button for that: List-Unsubscribe, one click.")
    to = stage.post.alias(ALICE, BOB)
    await stage.write(ALICE, to, "A question", "Do you sail yourself, or is the book a present?")
    _, reading = await stage.mail(BOB)
    await stage.record()
    await stage.unsubscribe(reading)

    stage.tell("Her next mail comes back.")
    await stage.write(ALICE, to, "Another question", "Where do you sail?")
    await stage.mail(ALICE, automatic=True)
    entry = await stage.record()
    stage.check(entry.reasons[:1] == ("opted_out",), "the reason is opted_out")
    stage.check(stage.mailbox_is_empty(BOB), "Bob has got nothing")

    stage.tell("What he must know still reaches him, and he can say that it was not important.")
    text = "The parcel came back. Is the address right?"
    await stage.write(ALICE, to, "[Important] Your order 250-1001", text)
    _, reading = await stage.mail(BOB)
    stage.check("not important" in reading.text, "the mail has a link for that")
    await stage.record()


SCENES: Final = (
    Scene("A message and its answer", message_and_answer),
    Scene("A buyer who opted out", opted_out),
    Scene("[重要] passes the opt-out", important),
    Scene("A sender who is not on the list", unlisted_sender),
    Scene("The same without a login", unlisted_on_mx),
    Scene("A wrong alias", wrong_alias),
    Scene("A mailbox that refuses", refused_mailbox),
    Scene("A mailbox at a mobile carrier", carrier_mailbox),
    Scene("A program under a false name", false_document),
    Scene("A phone number, and an order that looks like one", phone_number),
    Scene("Asking before writing", asking_first),
    Scene("One click stops such mail", one_click),
)
