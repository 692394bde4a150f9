"""Reads the text of a configuration or policy file."""

from pathlib import Path

from relay.config.problem import ConfigError, Problem


def read_text(path: Path, *, if_missing: str) -> str:
    """Returns the text of a UTF-8 file, without its byte order mark.

    Raises ConfigError if the file does not exist, cannot be read or is not UTF-8. `if_missing` is the fix that the
    error contains if the file does not exist.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(str(path), [Problem("file", "does not exist", if_missing)]) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(str(path), [Problem("file", reason, "let this user read it")]) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(str(path), [Problem("file", f"not UTF-8 in line {line}", "save it as UTF-8")]) from None
