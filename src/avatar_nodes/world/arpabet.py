"""The phones of American English dictionaries and synthesisers (ARPAbet) as IPA."""

from __future__ import annotations

_IPA = {
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "axr": "ɚ", "ay": "aɪ",
    "b": "b", "ch": "tʃ", "d": "d", "dh": "ð", "dx": "ɾ", "eh": "ɛ", "el": "l", "em": "m",
    "en": "n", "er": "ɚ", "ey": "eɪ", "f": "f", "g": "ɡ", "hh": "h", "hv": "h", "ih": "ɪ",
    "iy": "i", "jh": "dʒ", "k": "k", "l": "l", "m": "m", "n": "n", "ng": "ŋ", "nx": "n", "ow": "oʊ",
    "oy": "ɔɪ", "p": "p", "r": "ɹ", "s": "s", "sh": "ʃ", "t": "t", "th": "θ", "uh": "ʊ", "uw": "u",
    "v": "v", "w": "w", "y": "j", "z": "z", "zh": "ʒ",
}  # fmt: skip
_PAUSES = frozenset({"pau", "sil", "h#", "brth", "+spn+", "+nsn+", "+noise+", "+breath+"})


def ipa_of(phone: str) -> str:
    """IPA of one phone, '' for a pause; stress digits are left out.

    Raises:
        KeyError: there is no such phone.
    """
    name = phone.lower().rstrip("012")
    return "" if name in _PAUSES else _IPA[name]
