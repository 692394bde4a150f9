"""What names its owner beside the text: keys, signatures and pictures, as the marketplace's settings say."""

import io
from email.message import EmailMessage
from email.policy import SMTP

from PIL import Image

from relay.core.model.marketplace import Naming
from tests.support.market_env import BUYER, SELLER, MarketEnv, parsed

_SIGNED = (
    f"From: {SELLER}\r\nSubject: Signed\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary="b"\r\n\r\n'
    "--b\r\nContent-Type: text/plain\r\n\r\nThe glaze is blue\r\n"
    "--b\r\nContent-Type: application/pgp-signature\r\n\r\n"
    "-----BEGIN PGP SIGNATURE-----\r\n\r\niQEzBAEBCAAdFiEE\r\n-----END PGP SIGNATURE-----\r\n--b--\r\n"
).encode()


async def test_a_signature_is_taken_off_by_default(market: MarketEnv) -> None:  # R-REW-06 R-REW-08
    await market.send_raw(_SIGNED, SELLER, market.buyer_alias)
    [mail] = await market.deliver_due()
    assert b"The glaze is blue" in mail.content
    assert b"PGP SIGNATURE" not in mail.content


async def test_where_the_marketplace_says_so_it_comes_back(market: MarketEnv) -> None:  # R-REW-06 R-POL-16
    await market.set_marketplace(signatures=Naming.RETURN)
    await market.send_raw(_SIGNED, SELLER, market.buyer_alias)
    [notice] = await market.deliver_due()
    assert notice.rcpt_to == SELLER
    assert "signature_names_owner" in notice.content.decode("ascii")


async def test_a_picture_loses_what_its_camera_wrote(market: MarketEnv) -> None:  # R-REW-06
    for images, kept in ((Naming.STRIP, False), (Naming.PASS, True)):
        await market.set_marketplace(images=images)
        await market.send_raw(_with_picture(), SELLER, market.buyer_alias)
        [mail] = await market.deliver_due()
        assert mail.rcpt_to == BUYER
        [picture] = [part for part in parsed(mail).walk() if part.get_content_type() == "image/jpeg"]
        assert (b"Hanako's camera" in picture.get_payload(decode=True)) is kept


def _with_picture() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Hanako's camera"
    written = io.BytesIO()
    Image.new("RGB", (8, 8), "blue").save(written, "JPEG", exif=exif)
    message = EmailMessage(policy=SMTP)
    message["From"], message["Subject"] = SELLER, "A picture"
    message.set_content("Here it is")
    message.add_attachment(written.getvalue(), maintype="image", subtype="jpeg", filename="cup.jpg")
    return bytes(message)
