"""The hub of the tests refuses the metadata that huggingface.co refuses."""

import pytest
import yaml
from hub_metadata import metadata_errors

RESULT = {
    "task": {"type": "translation"},
    "dataset": {"type": "d", "name": "D"},
    "metrics": [{"type": "bleu", "value": 1.5}],
}


def card(**data):
    return f"---\n{yaml.safe_dump(data)}---\n\n# A model\n"


def test_a_whole_card_is_taken():
    whole = {"license": "other", "license_name": "mine", "language": ["es", "gsg"], "datasets": ["a/b"], "tags": ["x"]}
    index = [{"name": "m", "results": [RESULT]}]
    assert metadata_errors(card(**whole, base_model="google/t5", **{"model-index": index})) == []
    assert metadata_errors("Words of a person") == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"license": "research only"}, '"license" must be one of'),
        ({"language": ["Spanish"]}, "\"language\" must be an ISO 639 code, found 'Spanish'"),
        ({"base_model": ["/home/a/t5"]}, '"base_model" must be the id of a repository'),
        ({"datasets": "My corpus!"}, '"datasets" must be the id of a repository'),
        ({"tags": [3]}, '"tags" must be strings'),
        ({"model-index": {}}, '"model-index" must be an array'),
        ({"model-index": [{"results": [RESULT]}]}, '"model-index[0].name" is required'),
        ({"model-index": [{"name": "m", "results": []}]}, 'results" must be an array that is not empty'),
        (
            {"model-index": [{"name": "m", "results": [{**RESULT, "dataset": {"type": "d"}}]}]},
            '"model-index[0].results[0].dataset.name" is required',
        ),
        (
            {"model-index": [{"name": "m", "results": [{**RESULT, "metrics": [{"type": "bleu", "value": None}]}]}]},
            '"model-index[0].results[0].metrics[0].value" is required',
        ),
    ],
)
def test_what_the_hub_would_not_take_is_named(data, message):
    (found,) = metadata_errors(card(**data))
    assert found.startswith(message) or found.endswith(message)


def test_metadata_that_is_no_mapping_is_refused():
    assert metadata_errors("---\n- a\n---\n") == ["the metadata is no mapping"]
    assert len(metadata_errors("---\na: [\n---\n")) == 1
