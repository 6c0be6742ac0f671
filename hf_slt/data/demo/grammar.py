"""Sentences of the demo language and their Spanish: topic first in the signs, subject first in the Spanish."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hf_slt.data.demo.signs import SIGNS, signs_of
from hf_slt.errors import ConfigurationError

MAX_SIGNS = 6
_EDIBLE = ("MANZANA", "PERA", "PAN", "PESCADO")
_FEMININE = ("MANZANA", "PERA", "CARTA", "PELOTA", "FLOR")
_SUBJECTS = {
    "NIÑO": "el niño",
    "NIÑA": "la niña",
    "SEÑOR": "el señor",
    "MAESTRA": "la maestra",
    "ABUELO": "el abuelo",
    "MAMÁ": "la mamá",
}
_OBJECTS = {
    "MANZANA": "una manzana",
    "PERA": "una pera",
    "PAN": "pan",
    "PESCADO": "un pescado",
    "LIBRO": "un libro",
    "CARTA": "una carta",
    "PELOTA": "una pelota",
    "FLOR": "una flor",
}
_ADJECTIVES = {  # masculine, feminine
    "ROJO": ("rojo", "roja"),
    "VERDE": ("verde", "verde"),
    "GRANDE": ("grande", "grande"),
    "PEQUEÑO": ("pequeño", "pequeña"),
}
_VERBS = {  # present, past
    "COMPRAR": ("compra", "compró"),
    "BUSCAR": ("busca", "buscó"),
    "VER": ("ve", "vio"),
    "COMER": ("come", "comió"),
    "QUERER": ("quiere", "quiso"),
    "LLEVAR": ("lleva", "llevó"),
}
_TIMES = {"AYER": "ayer", "HOY": "hoy", "MAÑANA": "mañana"}
_PLACES = {"AQUÍ": "aquí", "CASA": "en casa"}
# Chance of each optional part: with them every sign comes at least 40 times in 600 sentences.
_P_TIME, _P_PLACE, _P_OBJECT, _P_ADJECTIVE, _P_NEGATION = 0.5, 0.2, 0.8, 0.42, 0.2


@dataclass(frozen=True)
class Sentence:
    """A signed sentence: its glosses in signing order, and its one Spanish translation."""

    glosses: tuple[str, ...]

    @property
    def text(self) -> str:
        """The Spanish sentence, for example `la niña come una manzana roja mañana.`."""
        return translate(self.glosses)


def translate(glosses: tuple[str, ...]) -> str:
    """Return the Spanish of a sign sequence.

    Signs come as TIME PLACE OBJECT ADJECTIVE SUBJECT VERB NO (all but subject and verb optional); the Spanish order
    is subject, `no`, verb, object, adjective, place, time. The verb is in the past with AYER, otherwise in the present;
    the adjective agrees with the object.
    """
    by_category = {SIGNS[gloss].category: gloss for gloss in glosses}
    thing, time = by_category.get("object"), by_category.get("time")
    words = [_SUBJECTS[by_category["subject"]]]
    if "negation" in by_category:
        words.append("no")
    words.append(_VERBS[by_category["verb"]][time == "AYER"])
    if thing is not None:
        words.append(_OBJECTS[thing])
    if "adjective" in by_category:
        words.append(_ADJECTIVES[by_category["adjective"]][thing in _FEMININE])
    if "place" in by_category:
        words.append(_PLACES[by_category["place"]])
    if time is not None:
        words.append(_TIMES[time])
    return " ".join(words) + "."


def random_sentence(rng: np.random.Generator) -> Sentence:
    """Draw one sentence of 2 to 6 signs."""

    def one_of(glosses: list[str]) -> str:
        return glosses[int(rng.integers(len(glosses)))]

    # Every draw is made whether it is used or not: a sentence always takes the same number of them.
    chosen = {category: one_of(signs_of(category)) for category in ("time", "place", "object", "adjective")}
    subject, verb, edible = one_of(signs_of("subject")), one_of(signs_of("verb")), one_of(list(_EDIBLE))
    takes = dict(zip(("time", "place", "object", "adjective", "negation"), rng.random(5), strict=True))
    if verb == "COMER":
        chosen["object"] = edible
    glosses = [chosen["time"]] if takes["time"] < _P_TIME else []
    if takes["object"] < _P_OBJECT:
        glosses.append(chosen["object"])
        if takes["adjective"] < _P_ADJECTIVE:
            glosses.append(chosen["adjective"])
    glosses += [subject, verb]
    if takes["negation"] < _P_NEGATION:
        glosses.append("NO")
    if takes["place"] < _P_PLACE and len(glosses) < MAX_SIGNS:
        glosses.insert(1 if glosses[0] in _TIMES else 0, chosen["place"])
    return Sentence(tuple(glosses))


def draw_sentences(count: int, seed: int) -> list[Sentence]:
    """Draw `count` sentences that are all different.

    Raises:
        ConfigurationError: The grammar does not hold that many within a reasonable number of draws.
    """
    rng = np.random.default_rng([seed, 0])
    found: dict[Sentence, None] = {}
    for _ in range(100 * count + 1000):
        if len(found) == count:
            break
        found.setdefault(random_sentence(rng))
    if len(found) < count:
        raise ConfigurationError(
            f"expected at most about {len(found)} different demo sentences, found a request for {count}; "
            f"ask for fewer clips"
        )
    return list(found)
