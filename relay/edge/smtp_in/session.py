"""The dialogue around transactions: greeting, TLS, login, XCLIENT, and the loop that answers each command.

A command that is refused raises `ProtocolFault`. Any other exception becomes a 451 without details for the client, and
the session continues. Replies carry enhanced status codes, except greetings and 3xx, which have none (RFC 2034 §4).
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from aiosmtpd.smtp import AuthResult, LoginPassword

from relay import ports
from relay.edge.smtp_in import grammar, proxy
from relay.edge.smtp_in.connection import Hangup, ListenerContext
from relay.edge.smtp_in.grammar import ProtocolFault
from relay.edge.smtp_in.guard import Address
from relay.edge.smtp_in.transaction import Transaction

_LOGIN_TRIES: Final = 5

_log = structlog.get_logger(__name__)


class ServerSession(Transaction):
    """One session with a client: the commands outside of transactions, and the table of all commands."""

    AuthLoginUsernameChallenge = "Username:"
    AuthLoginPasswordChallenge = "Password:"

    def __init__(self, context: ListenerContext, client: Address | None = None) -> None:
        super().__init__(context, client)
        self._commands = 0
        self._errors = 0
        self._failed_logins = 0
        self._may_use_xclient = False

    # ------------------------------------------------------------ the loop

    async def _converse(self) -> None:
        # `_client` is the peer, or the client in the PROXY header: a load balancer passes on bytes of any client.
        self._may_use_xclient = self._context.guard.is_front(self._client)
        self._greet()
        while True:
            try:
                await self._execute(await self._read_line())
            except ProtocolFault as refused:
                self._context.count_refusal(refused.reason)
                self.say(refused.reply)
                self._count_error()
            except Hangup:
                raise
            except Exception as error:  # noqa: BLE001 (unknown means temporary, and the daemon stays up)
                self.say(self._fault(error))

    async def _execute(self, line: str) -> None:
        self._commands += 1
        if self._commands > self._limits.commands_per_session:
            raise Hangup("commands", "421 4.7.0 too many commands, closing")
        verb, _, argument = line.partition(" ")
        command = _COMMANDS.get(verb.upper())
        if command is None:
            raise ProtocolFault(500, "5.5.1", "command not recognised")
        await command(self, argument.strip(" "))

    def _count_error(self) -> None:
        self._errors += 1
        if self._errors >= self._limits.errors_per_session:
            raise Hangup("errors", "421 4.7.0 too many errors, closing")

    def _refuse_in_transaction(self) -> None:
        if self.envelope.mail_from is not None:
            raise ProtocolFault(503, "5.5.1", "this command is not allowed within a transaction", reason="sequence")

    # ------------------------------------------------------------ greetings

    def _greet(self) -> None:
        protocol = "LMTP" if self._context.listener.kind == "lmtp" else "ESMTP"
        self.say(f"220 {self._context.hostname} {protocol} relay")

    async def hello_esmtp(self, argument: str) -> None:
        self._hello(argument, lmtp=False, extended=True)

    async def hello_smtp(self, argument: str) -> None:
        self._hello(argument, lmtp=False, extended=False)

    async def hello_lmtp(self, argument: str) -> None:
        self._hello(argument, lmtp=True, extended=True)

    def _hello(self, argument: str, *, lmtp: bool, extended: bool) -> None:
        if lmtp != (self._context.listener.kind == "lmtp"):  # RFC 2033 §4.1
            raise ProtocolFault(500, "5.5.1", "this port says EHLO" if lmtp else "this port says LHLO")
        self._helo = grammar.greeting_name(argument)
        self._extended = extended
        self._set_rset_state()
        *lines, last = [self._context.hostname, *(self._offers() if extended else [])]
        for line in lines:
            self.say(f"250-{line}")
        self.say(f"250 {last}")

    def _offers(self) -> list[str]:
        offers = ["PIPELINING", f"SIZE {self._limits.message_bytes}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        if self._context.tls is not None and self._context.listener.tls == "starttls" and not self._tls:
            offers.append("STARTTLS")
        if self._context.listener.kind == "submission" and self._may_log_in_here():
            offers.append("AUTH PLAIN LOGIN")
        if self._may_use_xclient:
            offers.append("XCLIENT " + " ".join(proxy.XCLIENT_ATTRIBUTES))
        return offers

    # ------------------------------------------------------------ TLS, login, client

    async def starttls(self, argument: str) -> None:
        grammar.no_argument(argument)
        if self._tls:
            raise ProtocolFault(503, "5.5.1", "TLS is already active", reason="sequence")
        if self._context.tls is None or self._context.listener.tls != "starttls":
            raise ProtocolFault(502, "5.5.1", "TLS is not offered", reason="sequence")
        if not self._pause_for_tls():
            raise Hangup("starttls_injection", "421 4.7.0 commands sent before TLS began are refused, closing")
        self.say("220 2.0.0 go ahead")
        await self._start_tls()
        self._forget()

    def _may_log_in_here(self) -> bool:
        return self._tls or (self._context.plain_auth and self._client.is_loopback)

    async def auth(self, argument: str) -> None:
        if self._context.listener.kind != "submission":
            raise ProtocolFault(502, "5.5.1", "this port offers no login")
        if not self._extended:
            raise ProtocolFault(503, "5.5.1", "say EHLO first", reason="sequence")
        if not self._may_log_in_here():
            raise ProtocolFault(538, "5.7.11", "login needs TLS", reason="login_in_clear")
        if self._login_party_id is not None:
            raise ProtocolFault(503, "5.5.1", "the client is already logged in", reason="sequence")
        self._refuse_in_transaction()
        words = argument.split()
        method = self._auth_methods.get(words[0].upper()) if len(words) in (1, 2) else None
        if method is None:
            raise ProtocolFault(504, "5.5.4", "only PLAIN and LOGIN are offered")
        result = await method.method(self, words)
        if not isinstance(result.auth_data, LoginPassword):  # the client has got an error reply already
            self._count_error()
            return
        await self._log_in(result.auth_data)

    async def _log_in(self, given: LoginPassword) -> None:
        try:
            party_id = await self._context.intake.login(given.login.decode(), given.password.decode())
        except UnicodeDecodeError:
            party_id = None
        except ports.UnavailableError as error:
            self._fault(error)
            self.say("454 4.7.0 temporary failure, try again later")  # RFC 4954 §6
            return
        if party_id is not None:
            self._login_party_id = party_id
            self.say("235 2.7.0 welcome")
            return
        self._failed_logins += 1
        await asyncio.sleep(self._context.guard.failed_login(self._client))
        if self._failed_logins >= _LOGIN_TRIES:
            raise Hangup("login", "421 4.7.0 too many failed logins, closing")
        raise ProtocolFault(535, "5.7.8", "user name or password is wrong", reason="login")

    def _authenticate(self, mechanism: str, auth_data: Any) -> AuthResult:  # noqa: ARG002 (aiosmtpd's signature)
        """Accepts the credentials that PLAIN and LOGIN have read.

        `_log_in` checks them, because this call cannot wait.
        """
        return AuthResult(success=True, auth_data=auth_data)

    async def challenge_auth(
        self,
        challenge: str | bytes,
        encode_to_b64: bool = True,
        log_client_response: bool = False,  # noqa: ARG002 (aiosmtpd's signature)
    ) -> bytes:
        """Sends a challenge and returns the client's answer, decoded. Raises ProtocolFault.

        It replaces aiosmtpd's method, to use the line reader and its limits.
        """
        raw = challenge.encode() if isinstance(challenge, str) else challenge
        self.say("334 " + (b64encode(raw) if encode_to_b64 else raw).decode("ascii"))
        answer = await self._read_line()
        if answer == "*":
            raise ProtocolFault(501, "5.7.0", "the client cancelled the login", reason="login")
        try:
            return b64decode(answer, validate=True)
        except ValueError:
            raise ProtocolFault(501, "5.5.2", "the answer is not base64") from None

    async def xclient(self, argument: str) -> None:
        if not self._may_use_xclient:
            raise ProtocolFault(550, "5.7.0", "this client may not use XCLIENT", reason="xclient")
        self._refuse_in_transaction()
        given = proxy.xclient(argument)
        if "ADDR" in given:
            self.admit(proxy.xclient_address(given["ADDR"]))
        self._forget()
        self._named_helo = grammar.greeting_name(given["HELO"]) if "HELO" in given else ""
        self._greet()

    # ------------------------------------------------------------ the rest

    async def noop(self, _argument: str) -> None:
        self.say("250 2.0.0 OK")

    async def help(self, _argument: str) -> None:
        self.say("214 2.0.0 see RFC 5321")

    async def vrfy(self, argument: str) -> None:
        if not argument:
            raise ProtocolFault(501, "5.5.4", "VRFY needs an address")
        self.say("252 2.5.0 addresses are not verified here, but mail is accepted")  # RFC 5321 §7.3

    async def expn(self, _argument: str) -> None:
        raise ProtocolFault(502, "5.5.1", "EXPN is not offered")

    async def quit(self, argument: str) -> None:
        grammar.no_argument(argument)
        raise Hangup("quit", "221 2.0.0 bye")


_COMMANDS: Final[dict[str, Callable[[ServerSession, str], Awaitable[None]]]] = {
    "EHLO": ServerSession.hello_esmtp,
    "HELO": ServerSession.hello_smtp,
    "LHLO": ServerSession.hello_lmtp,
    "STARTTLS": ServerSession.starttls,
    "AUTH": ServerSession.auth,
    "XCLIENT": ServerSession.xclient,
    "MAIL": ServerSession.mail,
    "RCPT": ServerSession.rcpt,
    "DATA": ServerSession.data,
    "RSET": ServerSession.rset,
    "NOOP": ServerSession.noop,
    "HELP": ServerSession.help,
    "VRFY": ServerSession.vrfy,
    "EXPN": ServerSession.expn,
    "QUIT": ServerSession.quit,
}
