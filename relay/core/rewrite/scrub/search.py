"""Searches a text for hidden values in all its readings, and maps each occurrence to the text as written."""

from typing import Final

from relay.core.mail.layers import BLOCKS, TAG, TAGS, UNSEEN
from relay.core.mail.readings import Reading, Ways, readings
from relay.core.rewrite.scrub.find import HiddenValues
from relay.core.rewrite.scrub.occurrence import Occurrence, merged

# An override character, `<bdo>` and its style make programs show the text after them backwards (UAX #9).
_OVERRIDES: Final = ("\u202e", "\u2067", "\u202b")
_OVERRIDE_ENTITIES: Final = ("&#8238", "&#x202e")


def occurrences(
    text: str, secrets: HiddenValues, ways: Ways, *, whole: bool = True, label: bool = False
) -> list[Occurrence]:
    """Returns the occurrences in the text and in every reading of it, as spans of `text`.

    They are sorted and do not overlap. Tags that stand inside an address are put after its alias. `whole` and `label`
    have the meanings that they have in `HiddenValues.find`.
    """
    found = _search(text, secrets, ways, whole=whole, label=label)
    if (not text.isascii() or "&" in text or "<" in text) and _may_run_backwards(text):
        mirrored = _search(text[::-1], secrets, ways, whole=whole, label=label)
        length = len(text)
        found += (Occurrence(length - hit.end, length - hit.start, hit.replacement[::-1], hit.kind) for hit in mirrored)
    return merged(found) if len(found) > 1 else found


def _may_run_backwards(text: str) -> bool:
    low = text.lower()
    if "bdo" in low or "bidi-override" in low:
        return True
    if "&" in low and any(sign in low for sign in _OVERRIDE_ENTITIES):
        return True
    return not text.isascii() and any(sign in text for sign in _OVERRIDES)


def _search(text: str, secrets: HiddenValues, ways: Ways, *, whole: bool, label: bool) -> list[Occurrence]:
    found = secrets.find(text, whole=whole, label=label)
    for reading in readings(text, ways):
        found += [_led_back(hit, reading) for hit in secrets.find(reading.text, whole=whole, label=label)]
    return found


def _led_back(hit: Occurrence, reading: Reading) -> Occurrence:
    start, end, replacement = hit.start, hit.end, hit.replacement
    for step in reading.steps(start, end):
        start, end = step.start, step.end
        if step.layer in (TAGS, BLOCKS, UNSEEN):
            replacement += "".join(tag[0] for tag in TAG.finditer(step.text, start, end))
    return Occurrence(start, end, replacement, hit.kind)
