"""The signer among keys that change under it."""

from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from relay.core import dkim
from relay.core.dkim import KeyState
from relay.edge.signing import BatchSigner
from relay.ports import DkimKey, DkimKeyStore, UnavailableError
from tests.support.fakes import ManualClock

HEADER, BODY = b"From: a@m.example\r\n", b"text\r\n"


class FakeKeyStore:
    """The store as the signer knows it."""

    def __init__(self) -> None:
        self.keys: list[DkimKey] = []
        self.reads = 0
        self.away = False

    def put(self, selector: str, state: KeyState = KeyState.ACTIVE) -> None:
        der = dkim.generate("ed25519-sha256")
        key = DkimKey(domain="m.example", selector=selector, algorithm="ed25519-sha256", private_der=der, state=state)
        self.keys.append(key)

    async def of_domain(self, domain: str) -> Sequence[DkimKey]:
        self.reads += 1
        if self.away:
            raise UnavailableError("away")
        return list(self.keys)


@pytest.fixture
def key_store() -> FakeKeyStore:
    key_store = FakeKeyStore()
    key_store.put("old")
    return key_store


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def signer(key_store: FakeKeyStore, clock: ManualClock) -> AsyncIterator[BatchSigner]:
    signer = BatchSigner(
        dkim_keys=cast("DkimKeyStore", key_store), clock=clock, algorithms=["ed25519-sha256"], expire_s=60
    )
    yield signer
    signer.close()


async def _selectors(signer: BatchSigner) -> list[bytes]:
    signatures = await signer.sign("m.example", HEADER, BODY)
    return [line.split(b";")[0].strip() for line in signatures.split(b"\r\n") if line.startswith(b" s=")]


async def test_active_keys_sign_and_no_others(key_store: FakeKeyStore, signer: BatchSigner) -> None:  # R-REW-10
    for state in (KeyState.PREPARED, KeyState.REPLACED, KeyState.RETIRED):
        key_store.put(str(state), state)
    assert await _selectors(signer) == [b"s=old"]


async def test_a_rotation_is_seen_within_half_a_minute_without_a_word(
    key_store: FakeKeyStore, clock: ManualClock, signer: BatchSigner
) -> None:
    await _selectors(signer)
    key_store.keys.clear()
    key_store.put("new")
    clock.forward(29)
    assert await _selectors(signer) == [b"s=old"]
    assert key_store.reads == 1
    clock.forward(2)
    assert await _selectors(signer) == [b"s=new"]


async def test_a_rotation_is_seen_at_once_on_a_word(key_store: FakeKeyStore, signer: BatchSigner) -> None:
    await _selectors(signer)
    key_store.keys.clear()
    key_store.put("new")
    signer.forget()
    assert await _selectors(signer) == [b"s=new"]


async def test_known_keys_sign_on_while_the_store_is_away(
    key_store: FakeKeyStore, clock: ManualClock, signer: BatchSigner
) -> None:
    await _selectors(signer)
    key_store.away = True
    clock.forward(60)
    assert await _selectors(signer) == [b"s=old"]
    signer.forget()
    with pytest.raises(UnavailableError):  # unsigned mail would not be taken for ours
        await _selectors(signer)
