"""`relay demo --script`: the scenes one after another on free ports and in a directory of their own."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from relay.demo import market
from relay.demo.daemon import DaemonError
from relay.demo.environment import SceneError, Stage
from relay.demo.life import alive
from relay.demo.scenes import SCENES, Scene


async def play(say: Callable[[str], None], scenes: Sequence[Scene] = SCENES) -> bool:
    """Prints the transcript through `say`; whether every scene went as told. A scene that failed does not keep the
    next ones from being played."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="relay-demo-") as directory:
        async with alive(Path(directory), market.DemoPorts(mx=0, submission=0, web=0, sink=0)) as life:
            stage = Stage(life, say)
            for number, scene in enumerate(scenes, 1):
                title = f"{number}. {scene.title}"
                say(f"\n{title}\n{'=' * len(title)}")
                try:
                    await scene.play(stage)
                except (SceneError, DaemonError) as error:
                    failed += 1
                    say(f"    NOT AS TOLD: {error}")
    say("")
    say(f"{len(scenes) - failed} of {len(scenes)} scenes went as told.")
    return failed == 0
