"""How a client reaches the bus: one address says where the brokers are, whether what is sent is encrypted, and as whom.

`host:port,host:port` is spoken to in the clear. `kafka+ssl://[USER@]host:port,host:port[?NAME=FILE&…]` is encrypted; with a
user its clients log in (SASL/SCRAM), with `cert` and `key` they show a certificate. Secrets are named as files and never
stand in it.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from shared.runtime.errors import TransientError, in_words

SCHEME: Final = "kafka+ssl"
RIGHTS_REMEDY: Final = "give the floor's user the rights that docs/deployment.md names, DescribeConfigs among them"
FILES: Final = ("ca", "cert", "key", "password")
MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256")  # the first, unless `login` says otherwise
FORM: Final = (
    f"host:port,… or {SCHEME}://[USER@]host:port,…[?ca=FILE&cert=FILE&key=FILE&password=FILE&login={MECHANISMS[0]}]"
)
_HOST: Final = re.compile(r"[\w.-]+|\[[0-9A-Fa-f:.%]+\]")
"""A name or an IPv4 address, or an IPv6 address in brackets."""


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """What an address says. Shape: `bootstrap` is `host:port,…`; without a `ca` the machine's own authorities count."""

    bootstrap: str
    encrypted: bool = False
    user: str = ""
    mechanism: str = MECHANISMS[0]
    files: Mapping[str, Path] = field(default_factory=dict)

    def context(self) -> ssl.SSLContext | None:
        """The terms of encryption: an authority must vouch for the broker and its name. None in the clear.

        Holds:   files are read each time, so that a client made after a certificate was renewed has the new one.
        Errors:  `TransientError` names the files that cannot be used.
        """
        if not self.encrypted:
            return None
        try:
            context = ssl.create_default_context(cafile=self.files.get("ca"))
            if "cert" in self.files:
                context.load_cert_chain(self.files["cert"], self.files["key"])
        except OSError as error:  # so is `ssl.SSLError`
            named = ", ".join(f"{name}={self.files[name]}" for name in FILES[:3] if name in self.files)
            raise TransientError(f"Expected certificates in PEM as {named}, found {in_words(error)}") from error
        return context

    def password(self) -> str:
        """The first line of the password's file. Errors: `TransientError`."""
        try:
            return self.files["password"].read_text().splitlines()[0]
        except (OSError, IndexError, UnicodeDecodeError) as error:
            raise TransientError(f"Expected a password in {self.files['password']}, found {in_words(error)}") from error

    def words(self) -> dict[str, Any]:
        """What any client of aiokafka is to be made with. Errors: `TransientError` for files that cannot be used."""
        words: dict[str, Any] = {"bootstrap_servers": self.bootstrap}
        if self.encrypted:
            words |= {"security_protocol": "SASL_SSL" if self.user else "SSL", "ssl_context": self.context()}
        if self.user:
            words |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password(),
            }
        return words

    def properties(self) -> str:
        """The same for Kafka's own tools, as the file that they read. Holds: it has the password in it."""
        lines = [f"security.protocol={'SASL_SSL' if self.user else 'SSL'}"] if self.encrypted else []
        if "ca" in self.files:
            lines += ["ssl.truststore.type=PEM", f"ssl.truststore.location={self.files['ca']}"]
        if "cert" in self.files:
            lines.append("ssl.keystore.type=PEM")
            for name, at in (("ssl.keystore.certificate.chain", "cert"), ("ssl.keystore.key", "key")):
                lines.append(f"{name}={_on_one_line(self.files[at].read_text())}")
        if self.user:
            user, password = _quoted(self.user), _quoted(self.password())
            module = "org.apache.kafka.common.security.scram.ScramLoginModule"
            lines.append(f"sasl.mechanism={self.mechanism}")
            lines.append(_escaped(f"sasl.jaas.config={module} required username={user} password={password};"))
        return "".join(f"{line}\n" for line in lines)


def access_of(kafka: str) -> KafkaAccess:
    """What an address says. Errors: `ValueError` says which part is amiss; files are not looked at."""
    if "://" not in kafka:
        return KafkaAccess(_servers(kafka))
    parts = urlsplit(kafka)
    if parts.scheme != SCHEME or parts.path not in {"", "/"} or parts.fragment:
        raise ValueError(f"Expected {FORM}, found {kafka!r}")
    who, at, servers = parts.netloc.rpartition("@")
    said = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    if unknown := said.keys() - {*FILES, "login"}:
        raise ValueError(f"Expected of {', '.join((*FILES, 'login'))}, found {', '.join(sorted(unknown))}")
    if ":" in who or bool(at) is not bool(who):
        raise ValueError("Expected a user alone before the @, found more: the password goes in a file, password=FILE")
    if bool(who) is not ("password" in said):
        raise ValueError("Expected a user and the file of the password, or neither, found one of them")
    if ("cert" in said) is not ("key" in said):
        raise ValueError("Expected the files of a certificate and of its key, or neither, found one of them")
    mechanism = said.get("login", MECHANISMS[0])
    if mechanism not in MECHANISMS:
        raise ValueError(f"Expected to log in by one of {', '.join(MECHANISMS)}, found {mechanism!r}")
    files: dict[str, Path] = {name: Path(said[name]) for name in FILES if name in said}
    return KafkaAccess(_servers(servers), True, unquote(who), mechanism, files)


def words_of(kafka: str) -> dict[str, Any]:
    """What any client of aiokafka is to be made with to reach an address. Errors: `ValueError`, `TransientError`."""
    return access_of(kafka).words()


def checked(kafka: str) -> str:
    """The address, when clients can be made for it now. Errors: `ValueError` in a sentence."""
    try:
        words_of(kafka)
    except TransientError as error:
        raise ValueError(str(error)) from error
    return kafka


def _servers(text: str) -> str:
    """Errors: `ValueError` for what is no list of host:port."""
    for server in text.split(","):
        host, colon, port = server.strip().rpartition(":")
        if not (_HOST.fullmatch(host) and colon and port.isdecimal() and 0 < int(port) < 65_536):
            raise ValueError(f"Expected host:port, found {server!r}")
    return text


def _on_one_line(pem: str) -> str:
    """A PEM text as one value of a properties file."""
    return pem.strip().replace("\n", "\\n\\\n")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(line: str) -> str:
    """A properties file reads a backslash as the begin of an escape."""
    return line.replace("\\", "\\\\")
