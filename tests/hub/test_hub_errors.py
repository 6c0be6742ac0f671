"""What a person is told when the hub, the storage behind it or the connection fails."""

import json
from types import SimpleNamespace

import pytest
from huggingface_hub.errors import OfflineModeIsEnabled

from hf_slt.errors import ConfigurationError
from hf_slt.hub.errors import HubError, explain, hub_errors
from hf_slt.hub.push import full_name


def refusal(status, reason="Why"):
    error = OSError("line one\nline two")
    error.response = SimpleNamespace(status_code=status, headers={"X-Error-Message": reason})
    return error


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, r"expected a token that the hub at .* knows, found status 401 \(Why\); .*settings/tokens"),
        (403, r"expected a token that may write to a/b, found status 403 \(Why\).*a member of 'a'"),
        (404, r"expected the repository a/b, or its branch, found status 404 \(Why\)"),
        (412, r"expected no other push to a/b at the same time, found status 412 \(Why\)"),
        (503, r"expected an answer of the hub, found status 503 \(Why\); .*try again later"),
        (413, r"expected the hub to take this, found status 413 \(Why\): line one; nothing in the repository was"),
    ],
)
def test_a_refusal_says_what_to_do(status, message):
    with pytest.raises(HubError, match=message), hub_errors("a/b"):
        raise refusal(status)


def test_an_upload_that_broke_off_says_that_nothing_was_changed():
    error = RuntimeError("Error while uploading 'model.safetensors' to the Hub.")
    error.__cause__ = refusal(507)
    assert explain(error, "a/b") == (
        "expected to upload all files, found status 507 (Why): Error while uploading 'model.safetensors' to the Hub.; "
        "nothing in the repository was changed: push again, and what has arrived is not sent a second time"
    )


def test_an_upload_to_a_storage_that_gives_no_status_is_told_too():
    assert explain(RuntimeError("chunk lost"), "a/b").startswith(
        "expected to upload all files, found: chunk lost; nothing"
    )


@pytest.mark.parametrize("module", ["requests.exceptions", "httpx", "httpx2._exceptions"])
def test_a_connection_that_fails_is_told_whatever_the_client_talks_through(module):
    error = type("ConnectError", (Exception,), {"__module__": module})("no route to host")
    with pytest.raises(HubError, match=r"expected to reach the hub at .*, found: no route to host; .*HF_ENDPOINT"):
        with hub_errors("a/b"):
            raise error


def test_offline_mode_is_named():
    with pytest.raises(HubError, match="unset HF_HUB_OFFLINE"), hub_errors("a/b"):
        raise OfflineModeIsEnabled("offline")


def test_a_token_that_no_request_can_carry_is_told_without_it():
    with pytest.raises(HubError, match="expected a token of letters, digits and signs, found other") as caught:
        with hub_errors("a/b"):
            "Bearer hf_\u4e2d".encode("latin-1")
    assert "\u4e2d" not in str(caught.value)


def test_an_answer_of_something_that_is_no_hub_is_told():
    with pytest.raises(HubError, match="expected the hub at .* to answer, found what is no JSON; .*check HF_ENDPOINT"):
        with hub_errors("a/b"):
            json.loads("<html>log in</html>")
    with pytest.raises(HubError, match="expected a hub at .*, found an answer without a user"):
        full_name(SimpleNamespace(whoami=dict, token=None), "m")


def test_no_message_repeats_the_token():
    with pytest.raises(HubError, match=r"found status 400 \(no <token>\)"), hub_errors("a/b", "hf_secret"):
        raise refusal(400, "no hf_secret")


def test_other_errors_stay_what_they_are():
    with pytest.raises(ZeroDivisionError), hub_errors("a/b"):
        raise ZeroDivisionError
    with pytest.raises(ConfigurationError, match="^as it is$"), hub_errors("a/b"):
        raise ConfigurationError("as it is")
