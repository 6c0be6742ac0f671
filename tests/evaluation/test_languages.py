"""Which tokenizer a language gets, and what a missing one says."""

import sys
from types import SimpleNamespace
from urllib.error import URLError

import pytest

from hf_slt.errors import ConfigurationError, MissingDependencyError
from hf_slt.evaluation.languages import tokenizer_for_language
from hf_slt.evaluation.pairs import check_bleu_tokenizer
from hf_slt.evaluation.translation_scores import compute_translation_metrics


@pytest.mark.parametrize(
    ("language", "tokenizer"),
    [
        (None, "13a"),
        ("es", "13a"),
        ("de-AT", "13a"),
        ("zh", "zh"),
        ("zh_Hant_TW", "zh"),
        ("ZH-cn", "zh"),
        ("zho", "zh"),
        ("chi", "zh"),
        ("cmn-Hans", "zh"),
        ("yue", "zh"),
        ("jpn", "ja-mecab"),
        ("kor", "ko-mecab"),
        ("deu", "13a"),
        ("ja", "ja-mecab"),
        ("ko", "ko-mecab"),
        ("gloss", "none"),
    ],
)
def test_tokenizer_of_a_language(language, tokenizer):
    assert tokenizer_for_language(language) == tokenizer


@pytest.mark.parametrize("language", ["Japanese", "z", "zh!"])
def test_what_is_no_code_is_refused(language):
    with pytest.raises(ConfigurationError, match=f"found '{language}'; take its ISO 639-1 or 639-3 code"):
        tokenizer_for_language(language)


@pytest.mark.parametrize(("tokenize", "extra"), [("ja-mecab", "ja"), ("ko-mecab", "ko")])
def test_a_tokenizer_without_its_package_says_what_to_install(tokenize, extra, monkeypatch):
    module = f"sacrebleu.tokenizers.tokenizer_{tokenize.replace('-', '_')}"
    monkeypatch.delitem(sys.modules, module, raising=False)
    for package in ("MeCab", "mecab_ko"):
        monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(MissingDependencyError, match=rf"pip install 'sacrebleu\[{extra}\]'"):
        check_bleu_tokenizer(tokenize)
    monkeypatch.delitem(sys.modules, module, raising=False)


def test_a_tokenizer_with_a_model_names_its_package_and_its_download(monkeypatch, tmp_path):
    from sacrebleu.tokenizers import tokenizer_spm

    def fail(*args):
        raise URLError("no network")

    both = "pip install sentencepiece.* and a model that sacrebleu downloads at its first use"
    monkeypatch.setitem(sys.modules, "sentencepiece", None)  # as if it were not installed
    with pytest.raises(MissingDependencyError, match=f"'flores200' needs, found that it does not import; .*{both}"):
        check_bleu_tokenizer("flores200")
    monkeypatch.setitem(sys.modules, "sentencepiece", SimpleNamespace(SentencePieceProcessor=object))
    monkeypatch.setattr(tokenizer_spm, "SACREBLEU_DIR", str(tmp_path))
    monkeypatch.setattr(tokenizer_spm, "download_file", fail)
    with pytest.raises(MissingDependencyError, match=f"found: .*no network.*; .*{both}"):
        check_bleu_tokenizer("flores200")


def test_chinese_is_split_into_characters():
    pair = (["明天北方下雨"], ["明天南方下雨"])
    assert compute_translation_metrics(*pair, tokenize="zh")["bleu1"] == pytest.approx(100 * 5 / 6)
    assert compute_translation_metrics(*pair)["bleu1"] == 0
