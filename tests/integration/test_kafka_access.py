"""A broker that speaks TLS and asks who is there: every client of the floor gets in by the address alone, and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from deploy.local import children, jars
from deploy.local.kafka import Broker, tool
from deploy.local.stack import jars_folder
from services.routing.balancer.app import ASKED_ON, faust_app, group_of, heard_out
from shared.contracts.message import Topic
from shared.runtime.errors import TransientError
from shared.runtime.kafka_access import access_of
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.log import Outgoing, Record
from shared.runtime.noted import ends, note
from shared.runtime.topics import ensure_topics
from tests.conftest import open_folder

ANSWER_SECONDS: Final = 60.0
USER, PASSWORD = "floor", 'odd"pass\\word'
TOPICS: Final[dict[str, Topic]] = {topic.name: topic for topic in ASKED_ON}


@dataclass(frozen=True)
class Guarded(Broker):
    """The same broker with a second door, which is encrypted and asks for a login."""

    door: int
    identity: Path

    def properties(self) -> str:
        """Its first door stays: brokers and who makes users come by it."""
        rows = {
            key: value for key, _, value in (row.partition("=") for row in Broker.properties(self).splitlines() if row)
        }
        rows["listeners"] += f",OUTER://{children.LOOPBACK}:{self.door}"
        rows["advertised.listeners"] += f",OUTER://{children.LOOPBACK}:{self.door}"
        rows["listener.security.protocol.map"] += ",OUTER:SASL_SSL"
        rows |= {
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.outer.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.identity),
        }
        return "".join(f"{key}={value}\n" for key, value in rows.items())


@dataclass(frozen=True)
class Doors:
    """The door that asks, and the files of who may come in."""

    outer: str
    folder: Path

    def address(self, *, user: str = USER, password: str = "password", ca: str = "ca.pem") -> str:
        return f"kafka+ssl://{user}@{self.outer}?ca={self.folder / ca}&password={self.folder / password}"


def write_authority(folder: Path, name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A new authority, its certificate in a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    found = certificate(name, key, None, (name, key))
    (folder / f"{name}.pem").write_bytes(found.public_bytes(Encoding.PEM))
    return found, key


def certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    address: str | None,
    by: tuple[str, ec.EllipticCurvePrivateKey],
) -> x509.Certificate:
    """One certificate, of an authority or of a server at an address."""
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by[0])]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=address is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by[1].public_key()), critical=False)
    )
    if address is not None:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        built = built.add_extension(names, critical=False)
    return built.sign(by[1], hashes.SHA256())


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    """A broker with a door that asks, and one user."""
    with open_folder() as folder:
        _, authority = write_authority(folder, "ca")
        write_authority(folder, "stranger")
        own = ec.generate_private_key(ec.SECP256R1())
        chain = certificate("broker", own, children.LOOPBACK, ("ca", authority)).public_bytes(Encoding.PEM)
        secret = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "broker.pem").write_bytes(secret + chain)
        (folder / "password").write_text(PASSWORD + "\n")
        (folder / "wrong").write_text("guess\n")
        inner, controller, outer = (children.free_port() for _ in range(3))
        broker = Guarded(folder / "kafka", jars.ensure(jars_folder()), inner, controller, outer, folder / "broker.pem")
        broker.format()
        pid = broker.start(owned=True)
        try:
            make_user(f"{children.LOOPBACK}:{inner}", folder)
            yield Doors(f"{children.LOOPBACK}:{outer}", folder)
        finally:
            children.end(pid, broker.mark, signal.SIGKILL)


def make_user(inner: str, folder: Path) -> None:
    """Let the broker know the one user, with Kafka's own tool."""
    words = ["--alter", "--entity-type", "users", "--entity-name", USER]
    words += ["--add-config", f"SCRAM-SHA-512=[password={PASSWORD}]"]
    assert tool("configs", access_of(inner), words, folder / "tools", jars_folder()) == 0


async def test_every_client_comes_in_by_the_address_alone(doors: Doors, tmp_path: Path) -> None:
    """Topics are made, a fact is published, a tail reads it, Faust hears it, a group's offsets are noted."""
    address, name = doors.address(), ASKED_ON[0].name
    assert name in await ensure_topics(address, 1, TOPICS)
    log = KafkaLog(address)
    assert await log.partitions(name) == 1
    instance, heard = uuid.uuid4().hex[:8], list[Record]()
    await note(address, group_of(instance), await ends(address, [topic.name for topic in ASKED_ON]))
    publisher, tail = log.publisher(), log.tail([name])
    await publisher.start()
    await tail.start()
    listening = asyncio.create_task(heard_out(faust_app(address, instance, heard.append, tmp_path)))
    try:
        assert not await publisher.publish({(name, 0): [Outgoing(b"key", b"value", (), 1)]})
        read = list[Record]()
        async with asyncio.timeout(ANSWER_SECONDS):
            while not (read and heard):
                read += await tail.fetch(10, 0.2)
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
        await tail.stop()
        await publisher.stop()
    assert [record.value for record in (*read, *heard)] == [b"value", b"value"]


def test_kafkas_own_tools_come_in_too(doors: Doors, capfd: pytest.CaptureFixture[str]) -> None:
    """An ops engineer's `opsfloor stack kafka topics --list`."""
    status = tool("topics", access_of(doors.address()), ["--list"], doors.folder / "tools", jars_folder())
    assert status == 0, capfd.readouterr()


@pytest.mark.parametrize(
    "words", [{"password": "wrong"}, {"user": "nobody"}, {"ca": "stranger.pem"}], ids=["password", "user", "authority"]
)
async def test_nobody_else_comes_in(doors: Doors, words: dict[str, str]) -> None:
    """Neither who guesses; nor do we give our password to a broker that no authority of ours vouches for."""
    with pytest.raises(TransientError):
        await KafkaLog(doors.address(**words)).publisher().start()
