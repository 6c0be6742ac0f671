"""Trained tokenizers hold their text, are reproducible and save; the round-trip check names what gets lost."""

import json
import subprocess
import sys

import pytest
import transformers
from tokenizers import decoders

from hf_slt.data.tokenization import check_round_trip, train_unigram_tokenizer, train_word_tokenizer
from hf_slt.errors import ConfigurationError, TokenizerRoundTripError

SENTENCES = [
    "Mañana llueve en el norte.",
    "El año pasado NEVÓ mucho en la montaña!",
    "¿Dónde vive tu hermana?",
    "Überschwemmungen sind möglich, heißt es .",
    "A las 10:30 h (más o menos) sale el pingüino.",
]
GLOSSES = ["JOHN IX-1P SEE", "JOHN LIKE MARY", "IX-1P SEE JOHN"]


@pytest.fixture(scope="module")
def tokenizer():
    return train_unigram_tokenizer(SENTENCES)


@pytest.fixture(params=["fast", "slow"])
def lossy(request, tmp_path):
    """A stock tokenizer that lower-cases, strips accents and knows the letters a-z alone."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + letter for letter in letters)]
    (tmp_path / "vocab.txt").write_text("\n".join(tokens) + "\n")
    kind = transformers.BertTokenizerFast if request.param == "fast" else transformers.BertTokenizer
    return kind(str(tmp_path / "vocab.txt"), do_lower_case=True)


def test_special_ids_and_appended_eos(tokenizer):
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (0, 1, 2)
    assert tokenizer.convert_ids_to_tokens([0, 1, 2]) == ["<pad>", "</s>", "<unk>"]
    encoded = tokenizer(["Mañana llueve", "El"], padding=True)
    assert set(encoded) == {"input_ids", "attention_mask"}
    long, short = encoded["input_ids"]
    assert long[-1] == 1
    assert short.index(1) == sum(encoded["attention_mask"][1]) - 1
    assert set(short[short.index(1) + 1 :]) == {0}


def test_training_text_comes_back_exactly(tokenizer):
    ids = tokenizer(SENTENCES)["input_ids"]
    assert 2 not in [token for row in ids for token in row]
    assert tokenizer.batch_decode(ids, skip_special_tokens=True) == SENTENCES


def test_white_space_collapses(tokenizer):
    ids = tokenizer("  El  año\u00a0\tpasado\n")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "El año pasado"


def test_case_and_accents_have_ids_of_their_own(tokenizer):
    vocabulary = tokenizer.get_vocab()
    characters = {character for sentence in SENTENCES for character in sentence} - {" "}
    assert characters - set(vocabulary) == set()


def test_unseen_character_is_unk(tokenizer):
    assert 2 in tokenizer("字")["input_ids"]


def test_decomposed_accents_stay_as_they_are():
    decomposed = "man\u0303ana"
    tokenizer = train_unigram_tokenizer([decomposed])
    assert tokenizer.decode(tokenizer(decomposed)["input_ids"], skip_special_tokens=True) == decomposed


def test_vocabulary_size_is_an_upper_bound():
    texts = [f"{a}{b}{c} {c}{a}" for a in "abcdef" for b in "abcdef" for c in "abcdef"]
    assert len(train_unigram_tokenizer(texts, vocab_size=30)) == 30
    assert len(train_unigram_tokenizer(SENTENCES, vocab_size=100_000)) < 200


def test_vocabulary_too_small_for_the_characters():
    # 3 special tokens, the space mark, a, b
    assert len(train_unigram_tokenizer(["ab ba"], vocab_size=6)) == 6
    with pytest.raises(ConfigurationError, match="at least 6 .*found vocab_size 5"):
        train_unigram_tokenizer(["ab ba"], vocab_size=5)


@pytest.mark.parametrize("train", [train_unigram_tokenizer, train_word_tokenizer])
def test_no_text(train):
    with pytest.raises(ConfigurationError, match="at least one sentence"):
        train(["", "  "])


def test_same_text_gives_the_same_file(tmp_path):
    """The trainer walks hash tables in an order of its own, per run and per process."""
    code = (
        "import json, sys; from hf_slt.data.tokenization import train_unigram_tokenizer as train; "
        "train(json.loads(sys.argv[1])).save_pretrained(sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", code, json.dumps(SENTENCES), str(tmp_path / "other")], check=True)
    expected = (tmp_path / "other" / "tokenizer.json").read_bytes()
    for run in range(5):
        train_unigram_tokenizer(SENTENCES).save_pretrained(tmp_path / str(run))
        assert (tmp_path / str(run) / "tokenizer.json").read_bytes() == expected


@pytest.mark.parametrize(("train", "texts"), [(train_unigram_tokenizer, SENTENCES), (train_word_tokenizer, GLOSSES)])
def test_save_and_load(tmp_path, train, texts):
    tokenizer = train(texts)
    tokenizer.save_pretrained(tmp_path)
    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert loaded(texts)["input_ids"] == tokenizer(texts)["input_ids"]
    assert loaded.batch_decode(loaded(texts)["input_ids"], skip_special_tokens=True) == texts
    assert (loaded.pad_token_id, loaded.eos_token_id, loaded.unk_token_id) == (0, 1, 2)
    assert set(loaded("x")) == {"input_ids", "attention_mask"}


def test_word_tokenizer():
    tokenizer = train_word_tokenizer(GLOSSES)
    assert tokenizer.convert_ids_to_tokens(range(len(tokenizer))) == (
        ["<pad>", "</s>", "<unk>", "JOHN", "IX-1P", "SEE", "LIKE", "MARY"]
    )
    assert tokenizer("MARY SEE BILL")["input_ids"] == [7, 5, 2, 1]
    check_round_trip(tokenizer, GLOSSES)


def test_round_trip_of_a_tokenizer_that_holds_the_text(tokenizer):
    check_round_trip(tokenizer, [f"  {sentence}\n" for sentence in SENTENCES] * 500)


def test_round_trip_names_each_lost_character_once(tokenizer):
    texts = ["el año", "el ŵ es el ŵ", "Ω ŵ", "la casa"]
    with pytest.raises(TokenizerRoundTripError, match="cannot hold the text: 2 problems") as caught:
        check_round_trip(tokenizer, texts, where="train.csv")
    first, second = caught.value.problems
    assert first.where == "train.csv, character 'ŵ' (U+0175 LATIN SMALL LETTER W WITH CIRCUMFLEX)"
    assert first.found.startswith("lost 3 times, for example 'el ŵ es el ŵ' became 'el es el'")
    assert second.where == "train.csv, character 'Ω' (U+03A9 GREEK CAPITAL LETTER OMEGA)"
    assert second.found.startswith("lost 1 time, for example 'Ω ŵ' became ''")


def test_round_trip_of_stock_tokenizers(lossy):
    check_round_trip(lossy, ["el anio", "una casa"])
    with pytest.raises(TokenizerRoundTripError) as caught:
        check_round_trip(lossy, ["El año", "mañana", "vivió"])
    assert [problem.where for problem in caught.value.problems] == [
        "training text, character 'ñ' (U+00F1 LATIN SMALL LETTER N WITH TILDE)",
        "training text, character 'ó' (U+00F3 LATIN SMALL LETTER O WITH ACUTE)",
    ]
    assert caught.value.problems[0].found == "lost 2 times, for example 'El año' became 'el ano'"


def test_round_trip_blames_the_unknown_character_not_the_word_it_takes_along(lossy):
    with pytest.raises(TokenizerRoundTripError) as caught:
        check_round_trip(lossy, ["la straße"], where="text")
    (problem,) = caught.value.problems
    assert problem.where == "text, character 'ß' (U+00DF LATIN SMALL LETTER SHARP S)"
    assert problem.found == "lost 1 time, for example 'la straße' became 'la'"


def test_round_trip_of_case_alone_names_the_sentence(lossy):
    with pytest.raises(TokenizerRoundTripError) as caught:
        check_round_trip(lossy, ["hola", "Hola"], where="text")
    (problem,) = caught.value.problems
    assert (problem.where, problem.expected, problem.found) == ("text, sentence 1", "'Hola'", "'hola'")
    assert "case" in problem.fix


def test_round_trip_of_spacing_alone_names_the_sentence():
    words = train_word_tokenizer(["a b"])
    words.backend_tokenizer.decoder = decoders.Fuse()
    with pytest.raises(TokenizerRoundTripError, match="text, sentence 0") as caught:
        check_round_trip(words, ["a b"], where="text")
    assert "spacing" in caught.value.problems[0].fix


def test_round_trip_of_a_special_token_in_the_text():
    texts = ["dijo </s> y calló"]
    with pytest.raises(TokenizerRoundTripError, match="take </s> out of the text") as caught:
        check_round_trip(train_unigram_tokenizer(texts), texts)
    assert [problem.where for problem in caught.value.problems] == ["training text, sentence 0"]


def test_round_trip_of_the_space_mark_itself():
    texts = ["uno▁dos"]
    with pytest.raises(TokenizerRoundTripError, match=r"U\+2581"):
        check_round_trip(train_unigram_tokenizer(texts), texts)
