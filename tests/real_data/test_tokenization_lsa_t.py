"""8,459 real Spanish and 8,257 real German sentences go through the tokenizers trained on them."""

import csv
import time

import pytest

from hf_slt.data.tokenization import check_round_trip, train_unigram_tokenizer, train_word_tokenizer

pytestmark = pytest.mark.real_data


def test_lsa_t_round_trips_every_sentence(real_data_dir):
    with open(real_data_dir / "text" / "lsa_t_meta.csv", encoding="utf-8-sig", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file, delimiter=";")]
    assert len(texts) == 8459
    assert sum(any(letter in text for letter in "áéíóúüñ") for text in texts) > 6000
    start = time.perf_counter()
    tokenizer = train_unigram_tokenizer(texts)
    assert len(tokenizer) == 4000
    check_round_trip(tokenizer, texts)
    assert time.perf_counter() - start < 60
    decoded = tokenizer.batch_decode(tokenizer(texts)["input_ids"], skip_special_tokens=True)
    assert decoded == [" ".join(text.split()) for text in texts]


@pytest.mark.parametrize(("column", "train"), [("text", train_unigram_tokenizer), ("gloss", train_word_tokenizer)])
def test_phoenix_round_trips_its_training_split(real_data_dir, column, train):
    with open(real_data_dir / "text" / "phoenix14t_train.tsv", encoding="utf-8", newline="") as file:
        texts = [row[column] for row in csv.DictReader(file, delimiter="\t")]
    assert len(texts) == 7096
    check_round_trip(train(texts), texts)
