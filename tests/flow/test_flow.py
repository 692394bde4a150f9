"""The way of a message through the flow, on a real store: what crosses, what comes back, what is recorded."""

from datetime import timedelta

from relay.core.model.event import EventType
from relay.core.model.message import MessageState
from relay.core.model.optout import OptOut
from relay.core.model.party import PartyState, Role
from relay.core.model.policy import Content, Policy
from relay.core.model.sender import SenderState
from relay.ports import Delivery
from tests.support.market_env import BUYER, DOMAIN, MX_IP, SELLER, START, Aligned, MarketEnv, parsed
from tests.support.narrowing import not_none, parts
from tests.support.reports import delivery_report


async def test_a_message_and_its_answer_cross_in_one_thread(market: MarketEnv) -> None:  # R-REW-02, R-REW-03
    [reply] = await market.send(SELLER, market.buyer_alias, Message_ID="<one@pottery.example>")
    assert (reply.code, reply.enhanced) == (250, "2.0.0")
    [to_buyer] = await market.deliver_due()
    first = parsed(to_buyer)
    assert to_buyer.rcpt_to == BUYER
    assert first["From"].addresses[0].addr_spec == market.seller_alias
    assert "pottery" not in to_buyer.content.decode()
    [reply] = await market.send(
        BUYER, market.seller_alias, Subject="Re: About the table", In_Reply_To=str(first["Message-ID"])
    )
    assert reply.code == 250
    [to_seller] = await market.deliver_due()
    answer = parsed(to_seller)
    assert to_seller.rcpt_to == SELLER
    assert answer["In-Reply-To"] == "<one@pottery.example>"
    assert answer["From"].addresses[0].addr_spec == market.buyer_alias
    assert "phone.example" not in to_seller.content.decode()


async def test_a_thread_holds_between_two_mailboxes_of_one_provider(market: MarketEnv) -> None:  # R-REW-03
    await market.send(SELLER, market.buyer_alias, Message_ID="<one@mail.provider.example>")
    [to_buyer] = await market.deliver_due()
    await market.send(
        BUYER,
        market.seller_alias,
        Message_ID="<two@mail.provider.example>",
        In_Reply_To=str(parsed(to_buyer)["Message-ID"]),
        body="My provider is mail.provider.example",
    )
    [to_seller] = await market.deliver_due()
    assert parsed(to_seller)["In-Reply-To"] == "<one@mail.provider.example>"
    assert b"My provider is [hidden]" in to_seller.content


async def test_a_message_id_that_no_header_may_hold_does_not_stop_its_answer(market: MarketEnv) -> None:  # R-REW-03
    raw = f"From: {SELLER}\r\nMessage-ID: <テ@pottery.example>\r\nSubject: x\r\n\r\nGood day\r\n"
    await market.send_raw(raw.encode(), SELLER, market.buyer_alias)
    [to_buyer] = await market.deliver_due()
    await market.send(BUYER, market.seller_alias, In_Reply_To=str(parsed(to_buyer)["Message-ID"]))
    [to_seller] = await market.deliver_due()
    assert to_seller.rcpt_to == SELLER


async def test_the_return_path_is_signed_and_of_the_from_domain(market: MarketEnv) -> None:  # R-REW-10
    await market.send(SELLER, market.buyer_alias)
    [mail] = await market.deliver_due()
    assert mail.mail_from.endswith("@" + DOMAIN)
    assert SELLER.partition("@")[0] not in mail.mail_from
    assert mail.content.startswith(b"DKIM-Signature:")


async def test_an_opted_out_buyers_seller_gets_one_notice(market: MarketEnv) -> None:  # R-POL-03, R-OUT-05, R-OUT-07
    await opt_out(market)
    [reply] = await market.send(SELLER, market.buyer_alias, Message_ID="<two@pottery.example>")
    assert reply.code == 250
    assert "notice follows" in reply.text
    [notice] = await market.deliver_due()
    mail = parsed(notice)
    assert (notice.mail_from, notice.rcpt_to) == ("", SELLER)
    assert mail["In-Reply-To"] == "<two@pottery.example>"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail.get_content_type() == "multipart/report"
    assert BUYER not in notice.content.decode()
    [summary] = await market.store.records.messages()
    assert summary.state is MessageState.RETURNED


_OWN_LINK = "How to wash it: https://pottery.example/care"


async def test_a_link_to_the_writers_own_site_goes_and_the_writer_is_warned_once_for_a_pair(
    market: MarketEnv,
) -> None:  # R-REW-01, R-REW-08
    for number in range(3):
        message_id = f"<{number}@pottery.example>"
        [reply] = await market.send(SELLER, market.buyer_alias, Message_ID=message_id, body=_OWN_LINK)
        assert "link_removed" in reply.text
    mails = await market.deliver_due()
    assert [mail.rcpt_to for mail in mails].count(SELLER) == 1
    to_buyer = [parsed(mail) for mail in mails if mail.rcpt_to == BUYER]
    assert len(to_buyer) == 3
    for mail in to_buyer:
        assert mail.get_content().startswith("How to wash it: [link removed]\r\n")
        assert "pottery.example" not in mail.as_string()


async def test_a_buyer_is_warned_of_a_removed_link_too(market: MarketEnv) -> None:  # R-REW-01
    body = "My pictures: https://hanako.private.example/bowl"
    await market.send(BUYER, market.seller_alias, Message_ID="<1@hanako.private.example>", body=body)
    mails = await market.deliver_due()
    assert {mail.rcpt_to for mail in mails} == {BUYER, SELLER}
    assert "hanako.private.example" not in next(m for m in mails if m.rcpt_to == SELLER).content.decode()


async def test_a_check_tells_of_a_removed_link_beforehand(market: MarketEnv) -> None:  # R-POL-19, R-REW-01
    [reply] = await market.send(SELLER, f"check+{market.buyer_alias}", Message_ID="<1@pottery.example>", body=_OWN_LINK)
    assert "checked" in reply.text
    [answer] = await market.deliver_due()
    assert "a link to the domain from which your mail is sent" in " ".join(parsed(answer).get_content().split())


async def test_a_site_that_the_policy_allows_stays(market: MarketEnv) -> None:  # R-REW-01, R-POL-08
    content = Content(allowed_domains=frozenset({"pottery.example"}))
    await market.set_marketplace(policies=(Policy(content=content),))
    await market.send(SELLER, market.buyer_alias, Message_ID="<1@pottery.example>", body=_OWN_LINK)
    [mail] = await market.deliver_due()
    assert _OWN_LINK in parsed(mail).as_string()


async def test_a_marked_subject_passes_the_opt_out(market: MarketEnv) -> None:  # R-POL-04
    await opt_out(market)
    await market.send(SELLER, market.buyer_alias, Subject="[重要] ご住所について")
    [mail] = await market.deliver_due()
    assert mail.rcpt_to == BUYER


async def test_a_question_of_the_buyer_opens_the_door_for_its_answer(market: MarketEnv) -> None:  # R-POL-04
    await opt_out(market)
    await market.send(BUYER, market.seller_alias, Subject="When?")
    await market.deliver_due()
    await market.send(SELLER, market.buyer_alias, Subject="Re: When?")
    [answer] = await market.deliver_due()
    assert answer.rcpt_to == BUYER
    market.clock.forward(60)
    await market.send(SELLER, market.buyer_alias, Subject="By the way")
    [notice] = await market.deliver_due()
    assert notice.rcpt_to == SELLER


async def test_an_opt_out_takes_effect_on_queued_mail(market: MarketEnv) -> None:  # R-POL-02
    await market.send(SELLER, market.buyer_alias)
    await opt_out(market)
    [notice] = await market.deliver_due()
    assert notice.rcpt_to == SELLER
    [summary] = await market.store.records.messages()
    assert summary.state is MessageState.RETURNED


async def test_an_opt_out_spares_queued_mail_that_passes_it(market: MarketEnv) -> None:  # R-POL-02, R-POL-04
    await market.send(SELLER, market.buyer_alias, Subject="[Important] your address")
    await opt_out(market)
    [mail] = await market.deliver_due()
    assert mail.rcpt_to == BUYER


async def test_an_unlisted_from_with_a_login_is_held_and_released_by_approval(market: MarketEnv) -> None:  # R-SND-02
    [reply] = await market.send("helper@pottery.example", market.buyer_alias, login=Role.SELLER, trusted=False)
    assert reply.code == 250
    assert "held" in reply.text
    [question] = await market.deliver_asked()
    assert question.rcpt_to == SELLER
    seller = market.pair.seller.party.id
    await market.store.senders.put(seller, "helper@pottery.example", SenderState.APPROVED)
    [mail] = await market.deliver_due()
    assert mail.rcpt_to == BUYER
    assert "helper" not in mail.content.decode()


async def test_an_approved_but_unproven_from_is_held_until_staff_release_it(market: MarketEnv) -> None:  # R-IN-09
    [reply] = await market.send(SELLER, market.buyer_alias, trusted=False)
    assert (reply.code, reply.enhanced) == (550, "5.7.1")
    [question] = await market.deliver_asked()
    assert question.rcpt_to == SELLER
    summary = (await market.store.records.messages())[-1]
    assert await market.store.holds.release(summary.id, "dana")
    [mail] = await market.deliver_due()
    assert mail.rcpt_to == BUYER


async def test_an_opt_out_during_a_hold_stops_what_is_released(market: MarketEnv) -> None:  # R-POL-02
    await market.send("helper@pottery.example", market.buyer_alias, login=Role.SELLER)
    await market.deliver_due()
    await opt_out(market)
    await market.store.senders.put(market.pair.seller.party.id, "helper@pottery.example", SenderState.APPROVED)
    [notice] = await market.deliver_due()
    assert (notice.mail_from, notice.rcpt_to) == ("", SELLER)


async def test_one_recipients_refusal_does_not_lose_another(market: MarketEnv) -> None:  # R-IN-05
    second = await market.store.parties.put("market", Role.BUYER, "B2", mailbox="second@phone.example")
    seller = market.pair.seller.party.id
    other = await market.store.pairs.put("market", second.id, seller, dict.fromkeys(Role, DOMAIN))
    await opt_out(market)
    replies = await market.send(SELLER, market.buyer_alias, other.buyer.alias.address)
    assert [reply.code for reply in replies] == [250, 250]
    assert sorted(mail.rcpt_to for mail in await market.deliver_due()) == ["second@phone.example", SELLER]


async def test_a_recipient_refused_beside_one_that_is_taken_is_told_by_a_notice(market: MarketEnv) -> None:  # R-REW-05
    stranger = await market.store.parties.put("market", Role.SELLER, "S2", mailbox="other@shop.example")
    buyer = market.pair.buyer.party.id
    foreign = await market.store.pairs.put("market", buyer, stranger.id, dict.fromkeys(Role, DOMAIN))
    refused = foreign.buyer.alias.address
    replies = await market.send(SELLER, market.buyer_alias, refused)
    assert [reply.code for reply in replies] == [250, 550]
    mails = {mail.rcpt_to: mail for mail in await market.deliver_due()}
    assert set(mails) == {BUYER, SELLER}
    assert refused.encode() in mails[SELLER].content
    assert BUYER.encode() not in mails[SELLER].content


async def test_reply_all_brings_no_second_copy_and_loses_nobody(market: MarketEnv) -> None:  # R-REW-05
    replies = await market.send(
        SELLER, market.seller_alias, market.buyer_alias, f"{market.buyer_alias.replace('@', '+o1@')}"
    )
    assert len({reply.text for reply in replies}) == 1
    [mail] = await market.deliver_due()
    assert mail.rcpt_to == BUYER
    [summary] = await market.store.records.messages()
    merged = [event for event in await market.store.records.history(summary.id) if event.type is EventType.COPY_MERGED]
    assert len(merged) == 2


async def test_mail_to_the_own_alias_alone_comes_back_with_a_notice(market: MarketEnv) -> None:  # R-REW-05
    """The answer is the one to an unlisted sender; the party that wrote gets the notice, and the other side none."""
    market.services.authenticator = Aligned()
    [reply] = await market.send(SELLER, market.seller_alias, trusted=False)
    assert "(sender_pending)" in reply.text
    [notice] = await market.deliver_due()
    assert (notice.mail_from, notice.rcpt_to) == ("", SELLER)
    assert "own_alias" in notice.content.decode()
    market.clock.forward(20 * 86_400)
    assert await market.deliver_due() == []


async def test_the_same_message_id_twice_is_two_messages(market: MarketEnv) -> None:  # R-IN-03
    for _ in range(2):
        await market.send(SELLER, market.buyer_alias, Message_ID="<same@pottery.example>")
    first, second = await market.deliver_due()
    assert parsed(first)["Message-ID"] != parsed(second)["Message-ID"]


async def test_a_refused_mailbox_is_told_once_with_its_reason(market: MarketEnv) -> None:  # R-OUT-03, R-OUT-05
    said = f"5.1.1 <{BUYER}> no such user"
    market.courier.answers[BUYER] = Delivery(
        accepted=False, permanent=True, code=550, enhanced="5.1.1", text=said, phase="rcpt", host="mx", tls=""
    )
    await market.send(SELLER, market.buyer_alias)
    [notice] = await market.deliver_due()
    assert notice.rcpt_to == SELLER
    assert BUYER not in notice.content.decode()
    [summary] = await market.store.records.messages()
    assert summary.state is MessageState.BOUNCED
    events = await market.store.records.history(summary.id)
    assert [event.type for event in events] == [
        EventType.RECEIVED,
        EventType.QUEUED,
        EventType.BOUNCED,
        EventType.NOTICE_QUEUED,
        EventType.ACCEPTED,
    ]
    assert dict(events[-1].data)["item"] == "notice"
    assert BUYER not in str(events)


async def test_what_a_server_says_is_recorded_without_the_mailbox_in_any_form(market: MarketEnv) -> None:  # R-OUT-03
    local, _, domain = BUYER.partition("@")
    said = f"{local}: mailbox over quota at {domain}"
    market.courier.answers[BUYER] = Delivery(
        accepted=False, permanent=True, code=552, enhanced="5.2.2", text=said, phase="rcpt", host="mx", tls=""
    )
    await market.send(SELLER, market.buyer_alias)
    await market.deliver_due()
    [summary] = await market.store.records.messages()
    events = await market.store.records.history(summary.id)
    assert "mailbox over quota" in str(events)
    assert local not in str(events)
    assert domain not in str(events)


async def test_a_message_that_stays_away_is_told_late_and_then_given_up(market: MarketEnv) -> None:  # R-OUT-02
    market.courier.answers[BUYER] = Delivery(
        accepted=False, permanent=False, code=451, enhanced="4.3.0", text="later", phase="data", host="mx", tls=""
    )
    await market.send(SELLER, market.buyer_alias)
    notices = []
    while market.clock.now() < START + timedelta(days=6):
        notices += [parsed(mail) for mail in await market.deliver_due()]
        market.clock.forward(3_600)
    status = [parts(parts(mail)[1])[1]["Action"] for mail in notices]
    assert status == ["delayed", "failed"]
    [summary] = await market.store.records.messages()
    assert summary.state is MessageState.BOUNCED


async def test_a_bounce_that_comes_back_later_is_told_too(market: MarketEnv) -> None:  # R-OUT-04, R-OUT-05
    await market.send(SELLER, market.buyer_alias)
    [mail] = await market.deliver_due()
    report = delivery_report(mail.mail_from)
    for _ in range(2):
        [reply] = await market.send_raw(report, "", mail.mail_from, client_ip=MX_IP)
        assert reply.code == 250
    [notice] = await market.deliver_due()
    assert notice.rcpt_to == SELLER
    [summary] = await market.store.records.messages()
    assert summary.state is MessageState.BOUNCED


async def test_automatic_replies_pass_once_a_day_and_get_no_notice(market: MarketEnv) -> None:  # R-POL-14, R-OUT-08
    for _ in range(3):
        [reply] = await market.send(BUYER, market.seller_alias, Auto_Submitted="auto-replied")
        assert reply.code == 250
    [mail] = await market.deliver_due()
    assert mail.rcpt_to == SELLER
    market.clock.forward(86_401)
    await market.send(BUYER, market.seller_alias, Auto_Submitted="auto-replied")
    assert len(await market.deliver_due()) == 1


async def test_our_own_mail_coming_back_is_a_loop_without_a_notice(market: MarketEnv) -> None:  # R-OUT-08
    await market.send(SELLER, market.buyer_alias)
    [mail] = await market.deliver_due()
    mark = parsed(mail)["X-Relay-Loop"]
    [reply] = await market.send(BUYER, market.seller_alias, X_Relay_Loop=str(mark))
    assert reply.code == 250
    assert await market.deliver_due() == []


async def test_a_closed_buyer_is_unavailable_in_neutral_words(market: MarketEnv) -> None:  # R-SND-07
    await market.store.parties.put("market", Role.BUYER, "B1", state=PartyState.CLOSED)
    await market.send(SELLER, market.buyer_alias)
    [notice] = await market.deliver_due()
    text = not_none(parsed(notice).get_body(("plain",))).get_content()
    assert notice.rcpt_to == SELLER
    assert "closed" not in text.lower()


async def test_a_notice_reaches_its_reader_whatever_became_of_either_party(
    market: MarketEnv,
) -> None:  # R-SND-07, R-OUT-07
    await market.store.parties.put("market", Role.BUYER, "B1", state=PartyState.CLOSED)
    await market.send(SELLER, market.buyer_alias, trusted=False)
    [question] = await market.deliver_asked()
    assert question.rcpt_to == SELLER
    summary = (await market.store.records.messages())[-1]
    await market.store.holds.release(summary.id, "dana")
    [returned] = await market.deliver_due()
    assert (returned.mail_from, returned.rcpt_to) == ("", SELLER)
    await market.store.parties.put("market", Role.SELLER, "S1", state=PartyState.SUSPENDED)
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER)
    [suspended] = await market.deliver_due()
    assert (suspended.mail_from, suspended.rcpt_to) == ("", SELLER)


async def test_mail_follows_the_current_mailbox(market: MarketEnv) -> None:  # R-ADR-04
    await market.send(SELLER, market.buyer_alias)
    await market.store.parties.put("market", Role.BUYER, "B1", mailbox="new.home@mail.example")
    [mail] = await market.deliver_due()
    assert mail.rcpt_to == "new.home@mail.example"
    assert parsed(mail)["To"] == "new.home@mail.example"


async def test_reject_at_data_says_it_in_the_dialogue_and_by_no_notice(market: MarketEnv) -> None:  # R-POL-16
    await market.set_marketplace(reject_at_data=True)
    await opt_out(market)
    [reply] = await market.send(SELLER, market.buyer_alias)
    assert (reply.code, reply.enhanced) == (550, "5.7.1")
    assert await market.deliver_due() == []


async def test_notices_beyond_the_quota_wait_for_the_next_hour(market: MarketEnv) -> None:  # R-OUT-07
    await opt_out(market)
    for _ in range(32):
        await market.send(SELLER, market.buyer_alias)
    assert len(await market.deliver_due()) == 30
    market.clock.forward(3_601)
    assert len(await market.deliver_due()) == 2


async def opt_out(market: MarketEnv) -> None:
    await market.store.opt_outs.put(
        OptOut(
            buyer_id=market.pair.buyer.party.id,
            seller_id=None,
            kind=None,
            source="test",
            changed_at=market.clock.now(),
        ),
        out=True,
    )
