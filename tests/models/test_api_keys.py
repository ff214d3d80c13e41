"""API keys: created once, stored as a hash, refused once revoked or expired, never shown again."""

import hashlib
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from models.access import api_keys
from models.access.api_keys import ApiKey, BadKey, ExpiredKey, MalformedKey, RevokedKey, UnknownKey
from models.core.errors import InvalidRecord, NotFound
from models.records.serializers import table
from tests.databases import Store


def make(
    store: Store, name: str = "Anna", role: str = "curator", expires: str | None = None
) -> tuple[api_keys.Key, str]:
    with store.database.write() as connection:
        return api_keys.create_key(
            connection, api_keys.parse_key_request({"name": name, "role": role, "expires": expires})
        )


def test_a_key_authenticates_and_only_its_hash_is_stored(empty: Store) -> None:
    made, plain = make(empty)
    assert re.fullmatch(r"claimbase_[0-9A-Za-z]{8}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}", plain)
    with empty.database.read() as connection:
        assert api_keys.authenticate(connection, plain) == made
        row = connection.execute(select(table(ApiKey))).mappings().one()
    assert row["hash"] == hashlib.sha256(plain.encode()).hexdigest()
    secret = plain.split("_")[2]
    assert not any(secret in str(value) for value in row.values())
    assert secret not in repr(made)


def test_keys_are_unique(empty: Store) -> None:
    made = [make(empty) for _ in range(20)]
    assert len({plain for _, plain in made}) == len({key.id for key, _ in made}) == 20
    with empty.database.read() as connection:
        assert {key.id for key in api_keys.list_keys(connection)} == {key.id for key, _ in made}
        assert all(api_keys.authenticate(connection, plain).id == key.id for key, plain in made)


def other(character: str) -> str:
    """Return another digit of the same kind."""
    return "a" if character != "a" else "b"


def test_a_mistyped_key_is_detected_without_the_database(empty: Store) -> None:
    _, plain = make(empty)
    for place in range(len(plain)):
        mistyped = plain[:place] + other(plain[place]) + plain[place + 1 :]
        assert api_keys.key_id(mistyped) is None, mistyped
    for wrong in (
        "",
        " ",
        plain + "x",
        plain[:-1],
        f" {plain}",
        plain + "\n",
        plain.swapcase(),
        "Bearer",
        "é" * 58,
    ):
        assert api_keys.key_id(wrong) is None
        with empty.database.read() as connection, pytest.raises(MalformedKey):
            api_keys.authenticate(connection, wrong)


def forged(plain: str) -> str:
    """Return a well-formed key with the same id and another secret."""
    prefix, identity, secret, _ = plain.split("_")
    begun = f"{prefix}_{identity}_{secret[:-1]}{other(secret[-1])}"
    return f"{begun}_{api_keys._checksum(begun)}"


def test_a_forged_secret_and_an_unknown_id_are_unknown_keys(empty: Store) -> None:
    _, plain = make(empty)
    elsewhere = "claimbase_AAAAAAAA_" + "B" * 32
    for wrong in (forged(plain), f"{elsewhere}_{api_keys._checksum(elsewhere)}"):
        assert api_keys.key_id(wrong) is not None
        with empty.database.read() as connection, pytest.raises(UnknownKey) as caught:
            api_keys.authenticate(connection, wrong)
        assert caught.value.key is None


def test_a_revoked_key_is_refused_and_keeps_its_time_of_revocation(empty: Store) -> None:
    made, plain = make(empty)
    with empty.database.write() as connection:
        revoked = api_keys.revoke_key(connection, made.id)
    assert revoked.revoked is not None
    with empty.database.write() as connection:
        assert api_keys.revoke_key(connection, made.id) == revoked
    with empty.database.read() as connection, pytest.raises(RevokedKey) as caught:
        api_keys.authenticate(connection, plain)
    assert caught.value.key == revoked
    with empty.database.write() as connection, pytest.raises(NotFound):
        api_keys.revoke_key(connection, "AAAAAAAA")


def test_an_expired_key_is_refused(empty: Store) -> None:
    made, plain = make(empty, expires="1d")
    with empty.database.read() as connection:
        assert api_keys.authenticate(connection, plain).id == made.id
    with empty.database.write() as connection:
        connection.execute(update(table(ApiKey)).values(expires="2020-01-01T00:00:00.000000Z"))
    with empty.database.read() as connection, pytest.raises(ExpiredKey):
        api_keys.authenticate(connection, plain)
    with empty.database.write() as connection:
        api_keys.revoke_key(connection, made.id)
    with empty.database.read() as connection, pytest.raises(RevokedKey):
        api_keys.authenticate(connection, plain)


def test_all_bad_keys_get_the_same_message_except_expired_ones() -> None:
    told = {kind: kind().detail for kind in (MalformedKey, UnknownKey, RevokedKey, ExpiredKey)}
    assert told[MalformedKey] == told[UnknownKey] == told[RevokedKey] != told[ExpiredKey]
    assert len({kind.reason for kind in told}) == 4
    assert all(issubclass(kind, BadKey) for kind in told)


@pytest.mark.parametrize(
    "name",
    [
        *("Anna", "x", "é" * 100, "build script 2", "李雷", "O'Neil, PhD", "administrator"),
        # A joiner that cannot be seen, where Persian needs it.
        "می\u200cخواهم",
    ],
)
def test_valid_names_are_accepted(name: str) -> None:
    assert api_keys.parse_key_request({"name": name, "role": "admin"}).name == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            "x" * 101,
            "a\nb",
            "a\x00b",
            "a\u200bb",
            "a\u2800b",
            "ab\u2800",
            "\u202eanna",
            "an\u2066na",
            "an\xadna",
            "anna\ufe0f",
            "anna\u200c",
            "an\u034fna",
            "anna\u3164",
            "\u2800",
            "\u3000",
            "anna\ue000",
            "anna\U000e0041",
            "\uff21\uff4e\uff4e\uff41",
            "\uff53\uff45\uff45\uff44",
            "\ufb01nn",
            "anna\xa0b",
            "a\tb",
            "seed",
            "SEED",
            " Import ",
            "rebuild",
        ),
        *("claimbase", "Claimbase bot", "admin-cli", "migrate", "\ud800", None, 5, ["Anna"]),
    ],
)
def test_invalid_names_are_refused(name: object) -> None:
    with pytest.raises(InvalidRecord) as caught:
        api_keys.parse_key_request({"name": name, "role": "admin"})
    assert [fault.at for fault in caught.value.faults] == ["/name"]


def test_the_error_for_an_unknown_role_lists_the_roles() -> None:
    with pytest.raises(InvalidRecord) as caught:
        api_keys.parse_key_request({"name": "Anna", "role": "currator"})
    (fault,) = caught.value.faults
    assert (fault.at, fault.suggestion) == ("/role", "curator")
    assert fault.allowed == ["contributor", "curator", "admin"]


@pytest.mark.parametrize(
    "given", [None, [], "text", 5, {}, {"name": "Anna"}, {"name": "A", "role": "admin", "id": "x"}]
)
def test_an_invalid_description_of_a_key_is_refused(given: object) -> None:
    with pytest.raises(InvalidRecord) as caught:
        api_keys.parse_key_request(given)
    assert caught.value.faults


def test_an_expiry_is_a_day_a_time_or_a_number_of_days() -> None:
    def until(expires: str) -> str | None:
        return api_keys.parse_key_request(
            {"name": "Anna", "role": "admin", "expires": expires}
        ).expires

    assert until("2099-01-01") == "2099-01-01T00:00:00.000000Z"
    assert until("2099-01-01T12:30:00+02:00") == "2099-01-01T10:30:00.000000Z"
    ninety = datetime.now(UTC) + timedelta(days=90)
    ends = until("90d")
    assert ends is not None
    assert abs((datetime.fromisoformat(ends) - ninety).total_seconds()) < 60
    for wrong in (
        "2020-01-01",
        "0d",
        "-1d",
        "90",
        "90 days",
        "99999d0",
        "2099-02-30",
        "tomorrow",
        "",
        "99999d" * 9,
    ):
        with pytest.raises(InvalidRecord) as caught:
            until(wrong)
        assert [fault.at for fault in caught.value.faults] == ["/expires"]


def test_roles_are_ranked(empty: Store) -> None:
    may = {role: make(empty, role=role)[0].may for role in ("contributor", "curator", "admin")}
    assert {role: [asked for asked in may if may[role](asked)] for role in may} == {
        "contributor": ["contributor"],
        "curator": ["contributor", "curator"],
        "admin": ["contributor", "curator", "admin"],
    }


def test_only_the_id_of_a_key_remains_in_a_redacted_text(empty: Store) -> None:
    made, plain = make(empty)
    secret = plain.split("_")[2]
    encoded = plain.replace("_", "%5F")
    for text in (
        plain,
        f"a {plain}.",
        f"x={plain[:-7]}&y",
        plain[:30],
        encoded,
        encoded.replace("%", "%25"),
        plain.upper(),
    ):
        redacted = api_keys.redact_keys(text)
        assert secret[:8].lower() not in redacted.lower(), text
        assert made.id.lower() in redacted.lower()
    assert (
        api_keys.redact_keys(f"({plain}) and {plain}")
        == f"(claimbase_{made.id}_…) and claimbase_{made.id}_…"
    )
    for harmless in (
        "claimbase",
        "claimbase_production",
        "postgresql://claimbase:x@h/claimbase_test_1",
        "claimbase keys",
    ):
        assert api_keys.redact_keys(harmless) == harmless


def test_a_name_in_wide_letters_is_told_its_common_form() -> None:
    with pytest.raises(InvalidRecord, match="write it 'Anna B'"):
        api_keys.parse_key_request({"name": "\uff21\uff4e\uff4e\uff41\u3000B", "role": "admin"})


@pytest.mark.parametrize("spelling", ["ANNA", "An na", "\uff21\uff4e\uff4e\uff41", "an\u200cna"])
def test_spellings_that_look_alike_mean_one_person(spelling: str) -> None:
    assert api_keys.same_person("Anna", spelling)
