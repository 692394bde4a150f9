"""The dialogue around transactions: greeting, TLS, login, XCLIENT, and the loop that answers each command.

A command that is refused raises `ProtocolFault`. Any other exception becomes a 451 without details for the client, and
the session continues. Replies have enhanced status codes, except greetings and 3xx replies (RFC 2034 §4).
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, NoReturn

from relay import ports
from relay.core.networks import Address
from relay.edge.smtp_in import grammar, proxy
from relay.edge.smtp_in.connection import AUTH_LINE_BYTES, Hangup, ListenerContext
from relay.edge.smtp_in.grammar import ProtocolFault
from relay.edge.smtp_in.transaction import Transaction

_LOGIN_TRIES: Final = 5
_TURN: Final = 8
"""The number of commands after which other sessions get a turn of the event loop."""


@dataclass(frozen=True, slots=True)
class _Credentials:
    """A user name and its password.

    `is_for_another` means that the client asks to act as another user, which nobody may do.
    """

    username: str
    password: str
    is_for_another: bool = False


def _text(octets: bytes) -> str:
    """Returns octets as text.

    Octets that are not UTF-8, and NUL, give a text that is the user name or password of no party.
    """
    return octets.decode("utf-8", "backslashreplace").replace("\0", "\\0")


def _too_many_logins() -> Hangup:
    return Hangup("logins", "421 4.7.0 too many failed logins, try again later")


class ServerSession(Transaction):
    """One session with a client: the commands outside of transactions, and the table of all commands."""

    def __init__(self, context: ListenerContext, client: Address | None = None) -> None:
        super().__init__(context, client)
        self._commands = 0
        self._errors = 0
        self._failed_logins = 0
        self._may_use_xclient = False

    # ------------------------------------------------------------ the loop

    async def _converse(self) -> None:
        # `_client` is the client in the PROXY header if there is one, because a load balancer passes on bytes of any
        # client.
        self._may_use_xclient = self._context.guard.clients.is_front(self._client)
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
            except Exception as error:  # noqa: BLE001 (an unknown error is temporary, and the daemon continues)
                self.say(self._fault(error))

    async def _execute(self, line: str) -> None:
        self._commands += 1
        if self._commands > self._limits.commands_per_session:
            raise Hangup("commands", "421 4.7.0 too many commands, closing")
        if self._commands % _TURN == 0:  # a client that sends many at once does not keep the others waiting
            await asyncio.sleep(0)
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
        mechanism, _, initial = argument.partition(" ")
        match mechanism.upper():
            case "PLAIN" if " " not in initial:
                given = await self._plain(initial or None)
            case "LOGIN" if " " not in initial:
                given = await self._login(initial or None)
            case _:
                raise ProtocolFault(504, "5.5.4", "only PLAIN and LOGIN are offered")
        if given.is_for_another:
            if not self._context.guard.begin_login(self._client, given.username):
                raise _too_many_logins()
            await self._refuse_login()
        await self._log_in(given)

    async def _log_in(self, given: "_Credentials") -> None:
        try:
            party_id = await self._interruptible(None, partial(self._authenticated, given))
        except ports.BusyError:
            self._context.count_refusal("logins_waiting")
            self.say("454 4.7.0 too many logins at the moment, try again later")
            return
        except ports.UnavailableError as error:
            self._fault(error)
            self.say("454 4.7.0 temporary failure, try again later")  # RFC 4954 §6
            return
        if party_id is None:
            await self._refuse_login()
        self._login_party_id = party_id
        self.note_progress()
        self.say("235 2.7.0 welcome")

    async def _authenticated(self, given: "_Credentials") -> str | None:
        """Returns the id of the party that has logged in, or None. Raises Hangup, UnavailableError.

        The try is counted before the password is checked. The count is taken back if the password is right or was not
        checked. If the client disconnects meanwhile, its try counts.
        """
        intake, guard = self._context.intake, self._context.guard
        if party_id := await intake.remembered_login(given.username, given.password):
            return party_id
        async with guard.login_turn(self._client):
            # Another connection of the client may just have proven the same password.
            if party_id := await intake.remembered_login(given.username, given.password):
                return party_id
            if not guard.begin_login(self._client, given.username):
                raise _too_many_logins()
            try:
                party_id = await intake.login(given.username, given.password)
            except Exception:
                guard.withdraw_login(self._client, given.username)
                raise
            if party_id is not None:
                guard.withdraw_login(self._client, given.username)
            return party_id

    async def _refuse_login(self) -> NoReturn:
        """Answers a wrong password, with a delay that grows with each wrong password.

        Raises ProtocolFault or Hangup.
        """
        self._failed_logins += 1
        await self._delay(self._context.guard.failed_login_delay_s(self._client))
        if self._failed_logins >= _LOGIN_TRIES:
            raise Hangup("login", "421 4.7.0 too many failed logins, closing")
        raise ProtocolFault(535, "5.7.8", "user name or password is wrong", reason="login")

    async def _plain(self, initial: str | None) -> "_Credentials":
        """Returns the credentials of the mechanism PLAIN (RFC 4616 §2). Raises ProtocolFault."""
        message = (await self._response("", initial)).split(b"\0")
        if len(message) != 3:
            raise ProtocolFault(501, "5.5.2", "the answer has not three parts")
        authorization, username, password = message
        return _Credentials(_text(username), _text(password), is_for_another=authorization not in (b"", username))

    async def _login(self, initial: str | None) -> "_Credentials":
        """Returns the credentials of the mechanism LOGIN. Raises ProtocolFault."""
        username = await self._response("Username:", initial)
        return _Credentials(_text(username), _text(await self._response("Password:", None)))

    async def _response(self, challenge: str, initial: str | None) -> bytes:
        """Returns the client's decoded response: the initial response if there is one, else the next line.

        Raises ProtocolFault.
        """
        if initial is None:
            self.say("334 " + b64encode(challenge.encode()).decode("ascii"))
            initial = await self._read_line(AUTH_LINE_BYTES)
            if initial == "*":
                raise ProtocolFault(501, "5.7.0", "the client cancelled the login", reason="login")
        elif initial == "=":  # this means an empty initial response (RFC 4954 §4)
            initial = ""
        try:
            return b64decode(initial, validate=True)
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

    async def data(self, argument: str) -> None:
        await super().data(argument)
        self.note_progress()

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
