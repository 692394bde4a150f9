"""Making a session with a server that is ready for mail: TCP, greeting, EHLO, TLS and AUTH, with aiosmtplib.

Each failure of the remote server becomes a DialError with its text and its phase.
"""

import asyncio
import socket
import ssl
from dataclasses import dataclass
from typing import Literal, cast

import aiosmtplib

from relay.core.smtp_reply import RemoteReply
from relay.edge.smtp_client import ClientSession, Phase

TlsMode = Literal["opportunistic", "required", "implicit", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DialTarget:
    """A server and the way to connect to it. It is also the key under which open connections are kept.

    The server's certificate must contain `name`. `password` is sent only under TLS, to a loopback address, or if the
    configuration turns TLS off for this route.
    """

    name: str
    port: int
    lmtp: bool = False
    tls: TlsMode = "opportunistic"
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Target({self.name}:{self.port})"


class DialError(Exception):
    """Raised if the connection attempt failed, so that there is no session.

    `reply` is the server's reply, None if it sent none. `permanent` is True if the server refused the mail with a 5xx
    reply. `timed_out` is True if the server did not answer in time.
    """

    def __init__(
        self,
        phase: Phase,
        text: str,
        reply: RemoteReply | None = None,
        *,
        permanent: bool = False,
        timed_out: bool = False,
    ) -> None:
        super().__init__(text)
        self.phase = phase
        self.text = text
        self.reply = reply
        self.permanent = permanent
        self.timed_out = timed_out


class Dialler:
    """Opens sessions.

    `helo` is the relay's host name. `verified` is the TLS context for the modes `required` and `implicit`.
    """

    def __init__(
        self,
        *,
        helo: str,
        bind_ip: str,
        connect_timeout_s: float,
        greeting_timeout_s: float,
        command_timeout_s: float,
        final_reply_timeout_s: float,
        verified: ssl.SSLContext,
    ) -> None:
        self._helo = helo
        self._bind_ip = bind_ip
        self._connect_timeout_s = connect_timeout_s
        self._greeting_timeout_s = greeting_timeout_s
        self._command_timeout_s = command_timeout_s
        self._final_reply_timeout_s = final_reply_timeout_s
        self._verified = verified
        self._unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._unverified.check_hostname = False
        self._unverified.verify_mode = ssl.CERT_NONE

    async def dial(self, target: DialTarget, address: str) -> ClientSession:
        """Returns a new session with the target at this IP address. Raises DialError."""
        try:
            return await self._attempt(target, address, starttls=target.tls != "none")
        except DialError as error:
            if error.phase != "tls" or target.tls != "opportunistic":
                raise
        # RFC 7435 §3: after a failed handshake mail may be sent without TLS, but over a new connection.
        return await self._attempt(target, address, starttls=False)

    async def _attempt(self, target: DialTarget, address: str, *, starttls: bool) -> ClientSession:
        client = aiosmtplib.SMTP(
            hostname=target.name,
            sock=await self._connect(address, target.port),
            local_hostname=self._helo,
            timeout=min(self._greeting_timeout_s, self._command_timeout_s),
            use_tls=target.tls == "implicit",
            start_tls=False,
            tls_context=self._unverified if target.tls == "opportunistic" else self._verified,
        )
        phase: Phase = "tls" if target.tls == "implicit" else "connect"
        try:
            await client.connect()
            client.timeout = self._command_timeout_s
            phase = "connect"
            await _greet(client, target, self._helo)
            if target.tls != "implicit" and starttls:
                phase = "tls"
                await _start_tls(client, target, self._helo)
            phase = "connect"
            if target.username:
                await _log_in(client, target, address)
            return _session(client, target, address, self._command_timeout_s, self._final_reply_timeout_s)
        except BaseException as error:
            client.close()
            if isinstance(error, (aiosmtplib.SMTPException, OSError, ValueError)):
                raise _dial_error(error, phase) from error
            raise

    async def _connect(self, address: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = None
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._bind_ip and (":" in self._bind_ip) == (":" in address):
                sock.bind((self._bind_ip, 0))
            async with asyncio.timeout(self._connect_timeout_s):
                await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except BaseException as error:
            if sock is not None:
                sock.close()
            if isinstance(error, TimeoutError):
                raise DialError("connect", "the connection attempt timed out", timed_out=True) from error
            if isinstance(error, OSError):
                raise DialError("connect", error.strerror or "the connection attempt failed") from error
            raise
        return sock


async def _greet(client: aiosmtplib.SMTP, target: DialTarget, helo: str) -> None:
    if target.lmtp:
        response = await client.execute_command(b"LHLO", helo.encode("ascii"))  # RFC 2033 §4.1
        if response.code != 250:
            raise aiosmtplib.SMTPHeloError(response.code, response.message)
        client.last_ehlo_response = response
        return
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError as error:
        if error.code < 500:
            raise
        await client.helo()  # RFC 5321 §4.1.4


async def _start_tls(client: aiosmtplib.SMTP, target: DialTarget, helo: str) -> None:
    if not client.supports_extension("starttls"):
        if target.tls == "required":
            raise DialError("tls", "TLS is required, but the server does not offer it")
        return
    await client.starttls()
    await _greet(client, target, helo)  # RFC 3207 §4.2: extensions offered before TLS do not count


async def _log_in(client: aiosmtplib.SMTP, target: DialTarget, address: str) -> None:
    is_clear = client.get_transport_info("sslcontext") is None
    if is_clear and target.tls != "none" and not address.startswith(("127.", "::1")):
        raise DialError("tls", "the password is not sent without TLS")
    await client.login(target.username, target.password)


def _session(
    client: aiosmtplib.SMTP, target: DialTarget, address: str, timeout_s: float, final_reply_timeout_s: float
) -> ClientSession:
    # isinstance would fail, because uvloop's transports do not inherit from those of asyncio.
    transport = cast("asyncio.Transport | None", client.transport)
    if transport is None or transport.is_closing():
        raise aiosmtplib.SMTPServerDisconnected("the connection was closed")
    tls = transport.get_extra_info("ssl_object")
    return ClientSession(
        transport,
        host=target.name,
        address=address,
        offers=dict(client.esmtp_extensions),
        tls=(tls.version() or "") if tls else "",
        lmtp=target.lmtp,
        timeout_s=timeout_s,
        final_reply_timeout_s=final_reply_timeout_s,
    )


def _dial_error(error: Exception, phase: Phase) -> DialError:
    if isinstance(error, aiosmtplib.SMTPResponseException) and 400 <= error.code < 600:
        reply = RemoteReply.of(error.code, error.message.split("\n"))
        # A failed login is a fault of the relay's configuration, so the message is tried again.
        refused = error.code >= 500 and not isinstance(error, aiosmtplib.SMTPAuthenticationError)
        return DialError(phase, reply.text, reply, permanent=refused and phase != "tls")
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return DialError("tls", f"the certificate is not accepted: {cause.verify_message}")
        if isinstance(cause, ssl.SSLError):
            return DialError("tls", f"the TLS handshake failed: {cause.reason}")
        cause = cause.__cause__
    if isinstance(error, TimeoutError):
        return DialError(phase, "the server did not answer in time", timed_out=True)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return DialError(phase, "the answer is not an SMTP reply")
    if isinstance(error, ConnectionError):
        return DialError(phase, "the connection was closed")
    return DialError(phase, str(error))
