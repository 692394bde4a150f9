"""Verifies one message with OpenDKIM, with keys from a table in place of DNS."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path


def verified(directory: Path, message: bytes, records: Mapping[str, str]) -> dict[str, str]:
    """Returns OpenDKIM's result for each signature, by selector. `records` maps names of TXT records to values."""
    (directory / "mail.eml").write_bytes(message)
    (directory / "keys").write_text("".join(f"{name} {value}\n" for name, value in records.items()))
    config = directory / "opendkim.conf"
    config.write_text(f"Mode v\nAlwaysAddARHeader yes\nTestPublicKeys {directory}/keys\n")
    done = subprocess.run(
        ["opendkim", "-x", str(config), "-t", str(directory / "mail.eml"), "-vvv"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    results = re.findall(r"dkim=(\w+)[^;]*header\.s=(\S+)", done.stdout)
    assert results, done.stdout + done.stderr
    return {selector: result for result, selector in results}
