"""Which of sacrebleu's tokenizers the sentences of a language need."""

from __future__ import annotations

import re

from hf_slt.errors import ConfigurationError

_CODES = {
    "zh": ("zh", "zho", "chi", "cmn", "yue"),
    "ja-mecab": ("ja", "jpn"),
    "ko-mecab": ("ko", "kor"),
    "none": ("gloss",),
}
_TOKENIZERS = {code: tokenizer for tokenizer, codes in _CODES.items() for code in codes}
_CODE = re.compile(r"[a-z]{2,3}(-[a-z0-9]+)*")


def tokenizer_for_language(language: str | None) -> str:
    """Return sacrebleu's tokenizer for a language.

    Args:
        language: ISO 639-1 or 639-3 code, with a region or script perhaps (`zh-TW`), or `gloss`; None: not known.

    Returns:
        `zh` for Chinese (Mandarin and Cantonese too), `ja-mecab` for Japanese, `ko-mecab` for Korean, `none` for
        glosses, else `13a`.

    Raises:
        ConfigurationError: Something else than a code: a name such as `Japanese` would get the wrong tokenizer.
    """
    code = (language or "en").strip().lower().replace("_", "-")
    if code != "gloss" and not _CODE.fullmatch(code):
        raise ConfigurationError(
            f"expected the code of a language such as 'es' or 'zh', or 'gloss', found '{language}'; "
            f"take its ISO 639-1 or 639-3 code"
        )
    return _TOKENIZERS.get(code.split("-")[0], "13a")
