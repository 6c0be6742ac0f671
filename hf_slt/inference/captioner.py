"""Live captions: what of a translation that still changes with every frame is said for good.

The window of a segment grows, and is translated again every `hop` seconds. What several translations in a row agree on
is said, and never taken back (local agreement: Liu et al. 2020, "Low-Latency Sequence-to-Sequence Speech Recognition
and Translation by Partial Hypothesis Selection"; with two translations, LA-2, as in Polak et al. 2022, "CUNI-KIT System
for Simultaneous Speech Translation"), but for their last word (hold-n of Liu et al.): it is the one that ends the
sentence, and a decoder that has to begin with an ended sentence says nothing more. Where the signer rests, or the
window is used up, the rest is said and a new segment begins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

from hf_slt.errors import ConfigurationError
from hf_slt.inference.streaming import LiveFrame, TemporalBuffer, hands_raised

# Scripts without spaces between words: each character is a word of its own.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_WORD = re.compile(rf"\s*(?:[{_UNSPACED}]|[^\s{_UNSPACED}]+)")
_MIN_SIGNING = 0.3  # seconds of raised hands; less is the way to a rest position, or an error of the detector

Translate = Callable[[Sequence[LiveFrame], str], str]


def split_words(text: str) -> list[str]:
    """Return the words of a text, each with the space before it; joined they are the text."""
    return _WORD.findall(text.strip())


class LocalAgreement:
    """The part of a changing text that is said for good.

    Args:
        agreement: Texts in a row that have to agree.
        hold: Words at the end of a text that are not sure yet, whoever agrees on them.

    Raises:
        ConfigurationError: `agreement` below 1.
    """

    def __init__(self, agreement: int = 2, hold: int = 1):
        if agreement < 1:
            raise ConfigurationError(f"expected an agreement of 1 or more texts, found {agreement}")
        self.agreement = agreement
        self.hold = hold
        self.said: list[str] = []
        self._last: list[list[str]] = []

    @property
    def text(self) -> str:
        """What was said so far."""
        return "".join(self.said)

    def add(self, text: str) -> list[str]:
        """Take the next text, and return the words that are said now."""
        self._last = [*self._last, split_words(text)][-self.agreement :]
        if len(self._last) < self.agreement:
            return []
        shared = [words[0] for words in takewhile(_are_equal, zip(*self._last, strict=False))]
        shared = shared[: max(0, min(map(len, self._last)) - self.hold)]
        return self._say(shared)

    def finish(self, text: str | None = None) -> list[str]:
        """Take the last text, by default the latest one, and return all words that were not said yet."""
        last = split_words(text) if text is not None else (self._last[-1] if self._last else [])
        return self._say(last)

    def _say(self, words: list[str]) -> list[str]:
        # A later text may begin in another way than what was said: its words go on at the same place.
        new = words[len(self.said) :]
        self.said += new
        return new


def _are_equal(words: Sequence[str]) -> bool:
    return len(set(words)) == 1


@dataclass(frozen=True)
class Caption:
    """Words that are said for good.

    Attributes:
        text: The new words.
        segment: Number of the segment, from 0.
        start: Where the segment starts, seconds of the clip.
        end: Time of the latest frame that was read, seconds of the clip: when the words were said.
        is_final: Whether they end the segment.
        words: How many there are.
        arrival: When the latest frame arrived, in seconds of `time.perf_counter`.
    """

    text: str
    segment: int
    start: float
    end: float
    is_final: bool
    words: int
    arrival: float = 0.0

    def __str__(self) -> str:
        return f"[{self.end:.2f} s] {self.text}"

    def to_dict(self) -> dict[str, Any]:
        """Return the caption as a plain dictionary, times in milliseconds' precision, without the arrival."""
        values = asdict(self)
        del values["arrival"]
        return {**values, "start": round(self.start, 3), "end": round(self.end, 3)}


class Captioner:
    """Translate a stream of frames, and say what is sure.

    Args:
        translate: Window and what of its translation was said -> the whole translation.
        window: Longest segment in seconds; a longer one is cut.
        hop: Seconds between two translations of a segment.
        pause: Seconds of rest that end a segment; 0: only the window does, and rest is not told from signing.
        overlap: Seconds of a segment that was cut which the next one sees again.
        agreement: Translations in a row that have to agree.

    Raises:
        ConfigurationError: Values that cannot work.
    """

    def __init__(
        self,
        translate: Translate,
        window: float = 8.0,
        hop: float = 0.5,
        pause: float = 0.8,
        overlap: float = 0.0,
        agreement: int = 2,
    ):
        if not hop > 0 or not pause >= 0:
            raise ConfigurationError(
                f"expected a hop above 0 s and a pause of 0 s or more, found {hop:g} and {pause:g}"
            )
        self.translate = translate
        self.buffer = TemporalBuffer(window, overlap)
        self.hop = hop
        self.pause = pause
        self.segment = 0
        self._agreement = agreement
        self._agreed = LocalAgreement(agreement)
        self._before: list[str] = []  # words of the segment before, where this one sees a part of it again
        self._active_from = 0.0
        self._active_until: float | None = None  # None: the signer rests
        self._translated_at = 0.0

    def add(self, frame: LiveFrame, may_translate: bool = True) -> list[Caption]:
        """Take the next frame, and return what is said now.

        Args:
            frame: The frame.
            may_translate: Whether there is time to; without it, the translation comes with a later frame.
        """
        said = self._end_segment(is_cut=True) if self._active_until is not None and self.buffer.is_full else []
        self.buffer.append(frame)
        if not self.pause or hands_raised(frame):
            if self._active_until is None:
                self._active_from = self._translated_at = frame.time
            self._active_until = frame.time
        if self._active_until is None:
            self.buffer.keep_last(self.pause / 2)  # the way to the first sign belongs to it
            return said
        if self.pause and frame.time - self._active_until >= self.pause:
            return said + self._end_segment(is_cut=False)
        if may_translate and self._is_signing() and frame.time - self._translated_at >= self.hop - 1e-9:
            self._translated_at = frame.time
            said += self._captions(self._agreed.add(self._translation()), is_final=False)
        return said

    def finish(self) -> list[Caption]:
        """Return what is left to say at the end of the stream."""
        return self._end_segment(is_cut=False) if self._active_until is not None else []

    def _is_signing(self) -> bool:
        return self._active_until is not None and self._active_until - self._active_from >= _MIN_SIGNING - 1e-9

    def _translation(self) -> str:
        text = self.translate(self.buffer.frames, self._agreed.text)
        return "".join(drop_repeated(split_words(text), self._before)) if self._before else text

    def _end_segment(self, is_cut: bool) -> list[Caption]:
        said: list[Caption] = []
        if self._agreed.said or self._is_signing():
            said = self._captions(self._agreed.finish(self._translation()), is_final=True)
            self.segment += 1
        self._before = self._agreed.said if is_cut and self.buffer.overlap else []
        self._agreed = LocalAgreement(self._agreement)
        self._translated_at = self.buffer.end
        self._active_from = self.buffer.end  # of a segment that was cut: a moment of signing after it is none
        if not is_cut:
            self._active_until = None
        self.buffer.restart()
        return said

    def _captions(self, words: list[str], is_final: bool) -> list[Caption]:
        if not words and not is_final:
            return []
        last = self.buffer.frames[-1]
        text = "".join(words).strip()
        return [Caption(text, self.segment, self.buffer.start, last.time, is_final, len(words), last.arrival)]


def drop_repeated(words: list[str], before: Sequence[str]) -> list[str]:
    """Return words without those at their start that ended the segment before."""
    plain, ended = [word.strip().casefold() for word in words], [word.strip().casefold() for word in before]
    for count in range(min(len(plain), len(ended)), 0, -1):
        if plain[:count] == ended[-count:]:
            return words[count:]
    return words
