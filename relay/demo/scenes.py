"""The scenes of `relay demo --script`, in order. Each sends real mail, explains it, and checks the outcome."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from relay.core.model.message import MessageState
from relay.demo.demo_parties import ALICE, BOB, CAROL, DAVE, HANAKO, KAEDE, MOBILE_DOMAIN, PURCHASES
from relay.demo.mail_program import PROGRAM, answer_subject, quote
from relay.demo.mailer import misspelt
from relay.demo.scene_context import SceneContext


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene of the script: its title, and the function that plays it."""

    title: str
    play: Callable[[SceneContext], Awaitable[None]]


async def message_and_answer(context: SceneContext) -> None:
    context.narrate(
        f"{ALICE.name} writes to Bob's alias from an ordinary mail program. She signs with her real address."
    )
    text = f"Hello,\n\nyour book is packed. Shall we put it in the porch?\n\n-- \n{ALICE.name}\n{ALICE.mailbox}\n"
    dialogue = await context.write(ALICE, context.mailer.alias(ALICE, BOB), "Your order 250-1001", text)
    context.check(dialogue.accepted, "the relay took the message")
    mail, displayed = await context.mail(BOB)
    context.check(ALICE.mailbox.encode() not in mail.content, "Alice's real address is nowhere in it")
    context.check(context.mailer.alias(BOB, ALICE) in displayed.sender, "it comes from Alice's alias")
    context.check(b"\nDKIM-Signature:" in mail.content, "it is signed for the marketplace's domain")
    context.check(context.mailer.alias(BOB, ALICE) in displayed.text, "her signature names her alias")
    newest = await context.record()
    context.check(newest.state is MessageState.ACCEPTED, "Bob's mail server accepted it")

    context.narrate("Bob presses Reply.")
    text = f"Yes please, the porch is fine.\n\n{BOB.name} <{BOB.mailbox}>\n\n{quote(displayed)}"
    to = displayed.reply_address
    dialogue = await context.write(BOB, to, answer_subject(displayed.subject), text, answers=displayed)
    context.check(dialogue.accepted, "the relay took the answer")
    mail, answer = await context.mail(ALICE)
    context.check(BOB.mailbox.encode() not in mail.content, "Bob's real address is nowhere in it")
    context.check(answer.in_reply_to.endswith(f"@{ALICE.mailbox.partition('@')[2]}>"), "In-Reply-To is Alice's own id")
    context.check(context.mailer.alias(ALICE, BOB) in answer.text, "his signature names his alias")
    await context.record()


async def opted_out(context: SceneContext) -> None:
    context.narrate("Carol has opted out of mail from sellers. Alice writes all the same.")
    dialogue = await context.write(
        ALICE, context.mailer.alias(ALICE, CAROL), "New arrivals", "Have a look at our new books!"
    )
    context.check(
        dialogue.accepted and "notice" in dialogue.reply, "the answer says: recorded, not delivered, notice follows"
    )
    await context.mail(ALICE, automatic=True)
    newest = await context.record()
    context.check(newest.state is MessageState.RETURNED, "the message is returned")
    context.check(newest.reasons[:1] == ("opted_out",), "the reason is opted_out")
    context.check(context.mailbox_is_empty(CAROL), "Carol's mailbox is empty")


async def important(context: SceneContext) -> None:
    context.narrate("Something is wrong with Carol's order, so Alice marks the subject. The mark passes the opt-out.")
    text = "One page of your book is damaged. Refund or another copy?"
    dialogue = await context.write(ALICE, context.mailer.alias(ALICE, CAROL), "[重要] Your order 250-1002", text)
    context.check(dialogue.accepted, "the relay took the message")
    _, displayed = await context.mail(CAROL)
    context.check("[重要]" in displayed.subject, "Carol got it")
    newest = await context.record()
    context.check("marked_important" in newest.reasons, "the record says why it passed: marked_important")


async def unlisted_sender(context: SceneContext) -> None:
    context.narrate("Alice is on holiday and writes from another address, with her login. It is not on her list: held.")
    to = context.mailer.alias(ALICE, BOB)
    dialogue = await context.write(ALICE, to, "Parcel number", "It is on its way.", from_address=ALICE.unlisted_address)
    context.check(dialogue.accepted, "the relay took the message")
    newest = await context.record()
    context.check(newest.state is MessageState.HELD, "it is held until the owner says who this is")
    _, question = await context.mail(ALICE, automatic=True)
    context.check(context.mailbox_is_empty(BOB), "Bob has got nothing yet")

    context.narrate("She follows the link in the question and approves the address; what was held for it goes out.")
    await context.follow(question, "approve")
    mail, _ = await context.mail(BOB)
    context.check(ALICE.unlisted_address.encode() not in mail.content, "the new address is hidden, too")
    await context.record()


async def unlisted_on_mx(context: SceneContext) -> None:
    context.narrate("A mail from an address on nobody's list comes to the MX port: nothing proves who wrote it.")
    to = context.mailer.alias(BOB, ALICE)
    dialogue = await context.write(BOB, to, "Is this you?", "Hello?", from_address=BOB.unlisted_address)
    context.check(dialogue.reply.startswith("550"), "550, and no notice to an address that nobody has proven")


async def wrong_alias(context: SceneContext) -> None:
    context.narrate("One letter of the alias is wrong. Its check code shows that without a look into the database.")
    dialogue = await context.write(ALICE, misspelt(context.mailer.alias(ALICE, BOB)), "Your order", "Hello Bob")
    context.check(dialogue.reply.startswith("550 5.1.1"), "550 5.1.1 at RCPT")


async def refused_mailbox(context: SceneContext) -> None:
    context.narrate("Dave's mail server refuses: no such user. The bounce is explained, not forwarded.")
    dialogue = await context.write(
        ALICE, context.mailer.alias(ALICE, DAVE), "Your order 250-1003", "Your book is ready."
    )
    context.check(dialogue.accepted, "the relay took the message")
    mail, _ = await context.mail(ALICE, automatic=True)
    context.check(DAVE.mailbox.encode() not in mail.content, "the notice does not tell Dave's real address")
    newest = await context.record()
    context.check(newest.state is MessageState.BOUNCED, "the record says: bounced")


async def carrier_mailbox(context: SceneContext) -> None:
    context.narrate("花子さんの携帯へ。A Japanese shop writes to a mailbox at a mobile carrier.")
    alias = context.mailer.alias(KAEDE, HANAKO)
    context.check(alias.endswith("@" + MOBILE_DOMAIN), f"Hanako's alias is under {MOBILE_DOMAIN}")
    text = f"佐藤様\n\nお尋ねの鉋の刃は、幅四十八ミリです。\n\n{KAEDE.name}\n{KAEDE.mailbox}\n"
    dialogue = await context.write(KAEDE, alias, "ご注文について", text)
    context.check(dialogue.accepted, "the relay took the message")
    _, displayed = await context.mail(HANAKO)
    context.check("刃は、幅四十八ミリ" in displayed.text, "the text is whole")
    context.check(KAEDE.mailbox not in displayed.text, "the shop's real address is not in it")
    await context.record()


async def false_document(context: SceneContext) -> None:
    context.narrate("Alice attaches a program that somebody has called invoice.pdf. What counts is what is in it.")
    to = context.mailer.alias(ALICE, BOB)
    dialogue = await context.write(ALICE, to, "Your invoice", "Here is the invoice.", attachment=PROGRAM)
    context.check("notice" in dialogue.reply, "the answer says: recorded, not delivered, notice follows")
    _, notice = await context.mail(ALICE, automatic=True)
    context.check(PROGRAM.name in notice.text, "the notice names the file")
    newest = await context.record()
    context.check(newest.reasons == ("attachment_disguised",), "the reason is attachment_disguised")
    context.check(context.mailbox_is_empty(BOB), "Bob has got nothing")


async def phone_number(context: SceneContext) -> None:
    context.narrate("電話番号は取り次がれません。The shop asks Hanako to call it: contact data come back.")
    to = context.mailer.alias(KAEDE, HANAKO)
    await context.write(KAEDE, to, "ご連絡のお願い", "03-1234-5678までお電話ください。")
    _, notice = await context.mail(KAEDE, automatic=True)
    context.check("03-1234-5678" in notice.text, "the notice, in Japanese, shows the place")
    newest = await context.record()
    context.check(newest.reasons == ("contact_data",), "the reason is contact_data")

    order = next(purchase.order for purchase in PURCHASES if (purchase.seller, purchase.buyer) == ("kaede", "hanako"))
    context.narrate(f"{order} could be a phone, too. But it is an order of these two, so it passes.")
    await context.write(KAEDE, to, f"ご注文 {order}", f"{order}の鉋は明日届きます。")
    _, displayed = await context.mail(HANAKO)
    context.check(order in displayed.text, "Hanako reads the order's number")
    await context.record()


async def asking_first(context: SceneContext) -> None:
    context.narrate(
        "May Alice write to Carol, who has opted out? Mail to check+ALIAS is judged, answered and not passed on."
    )
    dialogue = await context.write(
        ALICE, "check+" + context.mailer.alias(ALICE, CAROL), "New arrivals", "Our new books!"
    )
    context.check(dialogue.accepted, "the relay took the question")
    _, answer = await context.mail(ALICE, automatic=True)
    context.check(
        "[Important] New arrivals" in answer.text, "the answer says what would come back, and what would pass"
    )
    newest = await context.record()
    context.check(newest.action == "check", "the record says that it was a question")
    context.check(context.mailbox_is_empty(CAROL), "Carol has got nothing")


async def one_click(context: SceneContext) -> None:
    context.narrate(
        "Bob has read enough of Alice. His mail program has a button for that: List-Unsubscribe, one click."
    )
    to = context.mailer.alias(ALICE, BOB)
    await context.write(ALICE, to, "A question", "Do you sail yourself, or is the book a present?")
    _, displayed = await context.mail(BOB)
    await context.record()
    await context.unsubscribe(displayed)

    context.narrate("Her next mail comes back.")
    await context.write(ALICE, to, "Another question", "Where do you sail?")
    await context.mail(ALICE, automatic=True)
    newest = await context.record()
    context.check(newest.reasons[:1] == ("opted_out",), "the reason is opted_out")
    context.check(context.mailbox_is_empty(BOB), "Bob has got nothing")

    context.narrate("What he must know still reaches him, and he can say that it was not important.")
    text = "The parcel came back. Is the address right?"
    await context.write(ALICE, to, "[Important] Your order 250-1001", text)
    _, displayed = await context.mail(BOB)
    context.check("not important" in displayed.text, "the mail has a link for that")
    await context.record()


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
