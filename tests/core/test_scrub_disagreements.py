"""Where programs do not agree on what a message says, none of their readings holds a secret."""

from tests.support.scrubbing import BUYER, BUYER_ALIAS, scrubbed

LOCAL, DOMAIN = BUYER.encode().split(b"@")


def test_a_section_of_xml_hides_no_part_of_an_address() -> None:  # R-REW-01, R-REW-04
    content = b"Content-Type: text/xml\r\n\r\n<to>" + LOCAL + b"<![CDATA[@]]>" + DOMAIN + b"</to>\r\n"
    out = scrubbed(content)
    assert DOMAIN not in out
    assert b"<to>" + BUYER_ALIAS.encode() in out
