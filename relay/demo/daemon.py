"""Runs the real daemon as a separate process, started as a user starts it."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_START_S: Final = 60
_STOP_S: Final = 20


class DaemonError(Exception):
    """Raised if the daemon does not start or a `relay` command fails.

    The message contains the end of the daemon's log or the output of the command.
    """


@dataclass(frozen=True, slots=True)
class ReadyPorts:
    """The ports on which the daemon listens, as named by its ready line."""

    mx: int
    submission: int
    web: int

    @property
    def links(self) -> str:
        """The base URL of the signed links in mail."""
        return f"http://127.0.0.1:{self.web}"


class DemoDaemon:
    """The process `relay serve` with the configuration file `config`. Its log goes to the file `log`."""

    def __init__(self, config: Path, log: Path) -> None:
        self._config = config
        self._log = log
        self._process: Process | None = None

    async def start(self) -> ReadyPorts:
        """Starts the daemon and returns its ports. Raises DaemonError if it does not start."""
        with self._log.open("wb") as log:
            command = self._command("serve", module="relay.demo.parent_watchdog")
            self._process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=log)
        try:
            async with asyncio.timeout(_START_S):
                return await self._ready(self._process)
        except TimeoutError as error:
            await self.stop()
            raise DaemonError(f"the daemon was not ready after {_START_S} s; its log is {self._log}") from error

    async def stop(self) -> None:
        """Stops the daemon gracefully, and kills it if it has not ended after 20 s."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def ended(self) -> str:
        """Waits until the daemon ends without a call of `stop`, and returns the end of its log."""
        assert self._process is not None
        await self._process.wait()
        return self._end_of_log()

    async def run(self, *arguments: str) -> str:
        """Runs one `relay` command while the daemon runs, and returns the command's standard output.

        Raises DaemonError if the command fails.
        """
        process = await asyncio.create_subprocess_exec(*self._command(*arguments), stdout=PIPE, stderr=PIPE)
        out, err = await process.communicate()
        if process.returncode:
            raise DaemonError(f"relay {' '.join(arguments)}: {(err or out).decode(errors='replace').strip()}")
        return out.decode(errors="replace")

    async def _ready(self, process: Process) -> ReadyPorts:
        assert process.stdout is not None
        async for line in process.stdout:
            try:
                report = json.loads(line)
            except ValueError:
                continue
            if isinstance(report, dict) and report.get("ready"):
                ports = report["ports"]
                return ReadyPorts(mx=ports["mx"][0], submission=ports["submission"][0], web=ports["web"])
        await process.wait()
        raise DaemonError(f"the daemon did not start: {self._end_of_log()}")

    def _command(self, *arguments: str, module: str = "relay") -> tuple[str, ...]:
        return (sys.executable, "-m", module, "--config", str(self._config), *arguments)

    def _end_of_log(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n") if self._log.exists() else []
        return "\n".join(lines[-6:]).strip() or "its log is empty"
