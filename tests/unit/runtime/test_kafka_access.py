"""What an address of the bus says, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.runtime.errors import TransientError
from shared.runtime.kafka_access import MECHANISMS, access_of, checked, words_of


def test_hosts_and_ports_are_spoken_to_in_the_clear() -> None:
    """As before there was anything else."""
    assert words_of("a:9092,b:9093") == {"bootstrap_servers": "a:9092,b:9093"}


def test_a_login_is_told_with_the_first_line_of_its_file(tmp_path: Path) -> None:
    """Whoever writes a secret by hand ends it with a new line."""
    (tmp_path / "password").write_text("s3cret\n")
    words = words_of(f"kafka+ssl://flo%40r@a:9093,b:9093?password={tmp_path / 'password'}")
    assert words.pop("ssl_context").check_hostname
    assert words == {
        "bootstrap_servers": "a:9093,b:9093",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": MECHANISMS[0],
        "sasl_plain_username": "flo@r",
        "sasl_plain_password": "s3cret",
    }


def test_without_a_user_there_is_encryption_alone() -> None:
    """The machine's own authorities vouch for the broker."""
    words = words_of("kafka+ssl://a:9093")
    assert (words["security_protocol"], "sasl_mechanism" in words) == ("SSL", False)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("nonsense", "host:port"),
        ("a:99999", "host:port"),
        ("a:9092,", "host:port"),
        ("kafka://a:9092", "kafka+ssl://"),
        ("kafka+ssl://a:9093/topic", "kafka+ssl://"),
        ("kafka+ssl://a", "host:port"),
        ("kafka+ssl://floor:secret@a:9093", "in a file"),
        ("kafka+ssl://@a:9093", "a user alone"),
        ("kafka+ssl://floor@a:9093", "file of the password"),
        ("kafka+ssl://a:9093?password=/p", "file of the password"),
        ("kafka+ssl://a:9093?cert=/c", "certificate and of its key"),
        ("kafka+ssl://floor@a:9093?password=/p&login=PLAIN", "SCRAM-SHA-512"),
        ("kafka+ssl://a:9093?pasword=/p", "pasword"),
        ("kafka+ssl://a:9093?ca", "bad query field"),
    ],
)
def test_what_is_amiss_is_said(address: str, found: str) -> None:
    """A slip is no other meaning: nothing is passed over."""
    with pytest.raises(ValueError, match=found.replace("+", r"\+")):
        access_of(address)


@pytest.mark.parametrize("name", ["ca", "password"])
def test_a_file_that_is_not_there_is_waited_for_and_told_at_the_start(name: str, tmp_path: Path) -> None:
    """A secret that is being renewed is away for a moment; a command that begins without it says so."""
    (tmp_path / "password").write_text("p")
    files = {"password": tmp_path / "password"} | {name: tmp_path / "nothing"}
    address = "kafka+ssl://floor@a:9093?" + "&".join(f"{key}={at}" for key, at in files.items())
    with pytest.raises(TransientError, match="nothing"):
        words_of(address)
    with pytest.raises(ValueError, match="nothing"):
        checked(address)


def test_kafkas_own_tools_get_it_as_properties(tmp_path: Path) -> None:
    """What is odd in a password stays what it is through both readers of the file."""
    (tmp_path / "password").write_text('a"b\\c')
    said = access_of(f"kafka+ssl://floor@a:9093?ca=/ca.pem&password={tmp_path / 'password'}").properties()
    assert said.splitlines() == [
        "security.protocol=SASL_SSL",
        "ssl.truststore.type=PEM",
        "ssl.truststore.location=/ca.pem",
        "sasl.mechanism=SCRAM-SHA-512",
        "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="floor" password="a\\\\"b\\\\\\\\c";',
    ]
    assert access_of("a:9092").properties() == ""
