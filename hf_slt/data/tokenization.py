"""Small tokenizers trained on the training sentences, and the check that a tokenizer can hold a text at all.

Both tokenizers keep case, accents and every character as it is: the only thing they change is white space (a run of it
becomes one space, none at either end). Token ids: `<pad>` 0, `</s>` 1, `<unk>` 2; `</s>` is appended to every sentence.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hf_slt.errors import ConfigurationError, Problem, TokenizerRoundTripError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

SPECIAL_TOKENS = ("<pad>", "</s>", "<unk>")
PAD_ID, EOS_ID, UNK_ID = range(3)

_SPACE_MARK = "▁"  # what Metaspace writes in the place of a space
_WHITE_SPACE = r"[\s\x1c-\x1f\x85]+"  # the characters that str.split() splits at
_TRAINER_PENALTY = 1e-4  # step between the scores that the trainer of `tokenizers` gives to rare characters
_SCORE_DIGITS = 6
_CHECK_BATCH = 1024


def train_unigram_tokenizer(texts: Iterable[str], vocab_size: int = 4000) -> PreTrainedTokenizerFast:
    """Train a unigram subword tokenizer (Kudo, 2018) that gives back its training text exactly, up to white space.

    Every character of the training text is in the vocabulary, so that none becomes `<unk>`. The same texts in the same
    order give the same `tokenizer.json`.

    Args:
        texts: Training sentences.
        vocab_size: Upper bound of the vocabulary, special tokens included; a small corpus gives a smaller one.

    Returns:
        A tokenizer that `save_pretrained` and `AutoTokenizer.from_pretrained` round-trip.

    Raises:
        ConfigurationError: No text, or a `vocab_size` that the characters alone fill.
    """
    from tokenizers import decoders, models, pre_tokenizers

    sentences = _collapsed(texts)
    vocabulary = _train_unigram_vocabulary(sentences, vocab_size)
    tokenizer = _backend(models.Unigram(vocabulary, UNK_ID, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=_SPACE_MARK, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement=_SPACE_MARK, prepend_scheme="always")
    return _wrap(tokenizer)


def train_word_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Make a tokenizer of whole words between white space, for gloss text such as `JOHN IX-1P SEE`.

    A word that is not in `texts` becomes `<unk>`. Ids go by falling frequency, then by the word.

    Args:
        texts: Training sentences.

    Raises:
        ConfigurationError: No text.
    """
    from tokenizers import models, pre_tokenizers

    counts = Counter(word for sentence in _collapsed(texts) for word in sentence.split(" "))
    words = sorted(set(counts) - set(SPECIAL_TOKENS), key=lambda word: (-counts[word], word))
    ids = {word: i for i, word in enumerate([*SPECIAL_TOKENS, *words])}
    tokenizer = _backend(models.WordLevel(ids, unk_token=SPECIAL_TOKENS[UNK_ID]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _wrap(tokenizer)


def _collapse(text: str) -> str:
    return " ".join(text.split())


def _collapsed(texts: Iterable[str]) -> list[str]:
    sentences = [sentence for sentence in map(_collapse, texts) if sentence]
    if not sentences:
        raise ConfigurationError("expected at least one sentence to train a tokenizer on, found none")
    return sentences


def _train_unigram_vocabulary(sentences: list[str], vocab_size: int) -> list[tuple[str, float]]:
    """Return `(piece, log probability)`, the special tokens first, then by falling probability."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    alphabet = sorted(set("".join(sentences)) - {" "} | {_SPACE_MARK})
    needed = len(alphabet) + len(SPECIAL_TOKENS)
    if vocab_size < needed:
        raise ConfigurationError(
            f"expected a vocabulary of at least {needed} (the text has {len(alphabet)} characters), found "
            f"vocab_size {vocab_size}; raise it"
        )
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=_SPACE_MARK, prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        unk_token=SPECIAL_TOKENS[UNK_ID],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(sentences, trainer)
    pieces = json.loads(tokenizer.to_str())["model"]["vocab"]
    return [(token, 0.0) for token in SPECIAL_TOKENS] + _canonical(pieces[len(SPECIAL_TOKENS) :])


def _canonical(pieces: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Take the accidents of one training run out of the scores, so that two runs give the same vocabulary.

    The trainer finds the same pieces each time, but walks hash tables in random order: sums differ in their last bits,
    ties come in any order, and characters too rare for a probability of their own get the lowest score plus 0, 1, 2 ...
    penalty steps, handed out in that random order.
    """
    lowest = min(score for _, score in pieces)
    characters = [piece for piece, _ in pieces if len(piece) == 1]
    rare = lowest + _TRAINER_PENALTY * len(characters)
    scores = {
        piece: round(lowest if len(piece) == 1 and score <= rare else score, _SCORE_DIGITS) for piece, score in pieces
    }
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def _backend(model: object) -> Tokenizer:
    from tokenizers import AddedToken, Regex, Tokenizer, normalizers, processors

    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(_WHITE_SPACE), " "), normalizers.Strip(left=True, right=True)]
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    eos = SPECIAL_TOKENS[EOS_ID]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {eos}", pair=f"$A {eos} $B {eos}", special_tokens=[(eos, EOS_ID)]
    )
    return tokenizer


def _wrap(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL_TOKENS[PAD_ID],
        eos_token=SPECIAL_TOKENS[EOS_ID],
        unk_token=SPECIAL_TOKENS[UNK_ID],
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    )


def check_round_trip(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], where: str = "training text") -> None:
    """Refuse a tokenizer that cannot give a text back: encode, decode without special tokens, compare.

    White space is compared after collapsing runs of it and stripping both ends. Works with any tokenizer of
    `transformers`, slow or fast, with the decoding settings that it carries.

    Args:
        tokenizer: The tokenizer to check.
        texts: N sentences.
        where: What the texts are, for the message.

    Raises:
        TokenizerRoundTripError: One problem for each character that gets lost (most frequent first), then one for each
            sentence that no character is to blame for: it holds a special token, or differs in spacing, case or
            Unicode form alone.
    """
    differences = [
        (index, expected, found, _missing_characters(tokenizer, expected, found))
        for index, expected, found in _differences(tokenizer, texts)
    ]
    candidates = sorted({character for *_, missing in differences for character in missing})
    # One unknown character can take its whole word along: only those that do not survive alone are to blame.
    unheld = _unheld(tokenizer, candidates)
    lost: Counter[str] = Counter()
    examples: dict[str, tuple[str, str]] = {}
    sentence_problems = []
    for index, expected, found, missing in differences:
        blamed = {character: count for character, count in missing.items() if character in unheld}
        lost.update(blamed)
        for character in blamed:
            examples.setdefault(character, (expected, found))
        if not blamed:
            sentence_problems.append(_sentence_problem(tokenizer, f"{where}, sentence {index}", expected, found))
    ranked = sorted(lost, key=lambda character: (-lost[character], character))
    problems = [_character_problem(where, character, lost[character], *examples[character]) for character in ranked]
    if problems or sentence_problems:
        raise TokenizerRoundTripError(problems + sentence_problems)


def _differences(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Iterable[tuple[int, str, str]]:
    """Yield `(index, text, text after encoding and decoding)` where the two differ, white space collapsed."""
    for start in range(0, len(texts), _CHECK_BATCH):
        batch = list(texts[start : start + _CHECK_BATCH])
        ids = tokenizer(batch)["input_ids"]
        decoded = tokenizer.batch_decode(ids, skip_special_tokens=True)
        for index, (text, back) in enumerate(zip(batch, decoded, strict=True), start=start):
            expected, found = _collapse(text), _collapse(back)
            if expected != found:
                yield index, expected, found


def _unheld(tokenizer: PreTrainedTokenizerBase, characters: list[str]) -> set[str]:
    return {expected for _, expected, found in _differences(tokenizer, characters) if _bare(expected) != _bare(found)}


def _missing_characters(tokenizer: PreTrainedTokenizerBase, expected: str, found: str) -> Counter[str]:
    # A special token in the text swallows characters that the tokenizer can hold, so no character is to blame.
    if _special_tokens_in(tokenizer, expected) or _bare(expected) == _bare(found):
        return Counter()
    return Counter(expected.replace(" ", "")) - Counter(found.replace(" ", ""))


def _bare(text: str) -> str:
    # lower() and not casefold(), which would call "ss" the same as "ß"
    return unicodedata.normalize("NFC", text).lower().replace(" ", "")


def _special_tokens_in(tokenizer: PreTrainedTokenizerBase, text: str) -> list[str]:
    return [token for token in tokenizer.all_special_tokens if token in text]


def _character_problem(where: str, character: str, count: int, expected: str, found: str) -> Problem:
    name = unicodedata.name(character, "no name")
    return Problem(
        where=f"{where}, character {character!r} (U+{ord(character):04X} {name})",
        expected="text that is the same after encoding and decoding",
        found=f"lost {count} time{'s' if count != 1 else ''}, for example {expected!r} became {found!r}",
        fix="use a tokenizer that holds this character, train one on this text, or replace the character in the text",
    )


def _sentence_problem(tokenizer: PreTrainedTokenizerBase, where: str, expected: str, found: str) -> Problem:
    special = _special_tokens_in(tokenizer, expected)
    if special:
        fix = f"take {', '.join(special)} out of the text: the tokenizer reads it as a special token"
    else:
        fix = "use a tokenizer that keeps spacing, case and Unicode form, or train one on this text"
    return Problem(where=where, expected=repr(expected), found=repr(found), fix=fix)
