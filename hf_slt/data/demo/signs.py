"""The lexicon of the demo language: what each sign looks like, channel by channel.

The language is invented. It is built around minimal pairs: two signs of one category that differ in a single channel,
so that a model that cannot see this channel cannot tell them apart, and no context helps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

REST_SHAPE = "relaxed"
HANDSHAPES = ("fist", "index", "vee", "five", "flat", "ell", "ring", "wye", REST_SHAPE)
MOUTHS = ("neutral", "open", "wide", "pout")
CATEGORIES = ("time", "place", "object", "adjective", "subject", "verb", "negation")
# Which channel is visible in which stream; nothing else shows it.
STREAM_OF_CHANNEL = {"right": "right_hand", "left": "left_hand", "mouth": "face", "movement": "pose"}


@dataclass(frozen=True)
class Sign:
    """One sign.

    Attributes:
        gloss: Its name in the `gloss` column.
        category: One of `CATEGORIES`; the grammar orders signs by it.
        right: Shape of the right hand (seen in the right hand's crops only).
        movement: Path of the wrists, key of `hf_slt.data.demo.signer.MOVEMENTS` (seen in the pose only).
        mouth: Mouth shape (seen in the face crops only).
        left: Shape of the left hand, or `REST_SHAPE` for a one-handed sign (seen in the left hand's crops only).
        head: `"shake"`, `"nod"` or None (seen in the face and in the pose).
        frames: Length at normal speed, in frames.
    """

    gloss: str
    category: str
    right: str
    movement: str
    mouth: str = "neutral"
    left: str = REST_SHAPE
    head: str | None = None
    frames: int = 4


_ALL = (
    Sign("AYER", "time", "index", "backward"),
    Sign("MAÑANA", "time", "index", "upward"),
    Sign("HOY", "time", "wye", "both_down", left="wye"),
    Sign("AQUÍ", "place", "index", "downward", "wide", head="nod"),
    Sign("CASA", "place", "flat", "both_apart", "open", left="flat", frames=5),
    Sign("MANZANA", "object", "fist", "chin", "open"),
    Sign("PERA", "object", "fist", "chin", "wide"),
    Sign("PAN", "object", "wye", "wave", frames=5),
    Sign("PESCADO", "object", "flat", "wave", frames=5),
    Sign("LIBRO", "object", "flat", "on_base", left="flat"),
    Sign("CARTA", "object", "flat", "on_base", left="fist"),
    Sign("PELOTA", "object", "flat", "on_base", left="ring"),
    Sign("FLOR", "object", "ring", "upward", "pout"),
    Sign("ROJO", "adjective", "index", "chin", "wide"),
    Sign("VERDE", "adjective", "ell", "chin", "wide"),
    Sign("GRANDE", "adjective", "five", "both_apart", left="five", frames=5),
    Sign("PEQUEÑO", "adjective", "five", "both_together", left="five", frames=5),
    Sign("NIÑO", "subject", "flat", "low_side", "open"),
    Sign("NIÑA", "subject", "flat", "low_side", "wide"),
    Sign("SEÑOR", "subject", "vee", "forehead"),
    Sign("MAESTRA", "subject", "vee", "chest"),
    Sign("ABUELO", "subject", "fist", "circle", "pout", frames=5),
    Sign("MAMÁ", "subject", "five", "circle", "pout", frames=5),
    Sign("COMPRAR", "verb", "ell", "sweep", frames=5),
    Sign("BUSCAR", "verb", "wye", "sweep", frames=5),
    Sign("VER", "verb", "vee", "backward", "open"),
    Sign("COMER", "verb", "ring", "chin", "open"),
    Sign("QUERER", "verb", "ring", "downward", "open"),
    Sign("LLEVAR", "verb", "five", "both_down", "wide", left="five", frames=5),
    Sign("NO", "negation", "index", "wave", head="shake", frames=5),
)
SIGNS: dict[str, Sign] = {sign.gloss: sign for sign in _ALL}


def signs_of(category: str) -> list[str]:
    """Return the glosses of a category, in the order of the lexicon."""
    return [sign.gloss for sign in _ALL if sign.category == category]


def minimal_pairs() -> dict[str, list[tuple[str, str]]]:
    """Return, for each channel (key of `STREAM_OF_CHANNEL`), the pairs of one category that differ in it alone."""
    pairs: dict[str, list[tuple[str, str]]] = {channel: [] for channel in STREAM_OF_CHANNEL}
    for first, second in combinations(_ALL, 2):
        differing = [name for name in STREAM_OF_CHANNEL if getattr(first, name) != getattr(second, name)]
        if first.category == second.category and first.head == second.head and len(differing) == 1:
            pairs[differing[0]].append((first.gloss, second.gloss))
    return pairs
