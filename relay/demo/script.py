"""Runs `relay demo --script`: plays all scenes one after another, on free ports and in a temporary directory."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from relay.demo import market
from relay.demo.daemon import DaemonError
from relay.demo.running import running_demo
from relay.demo.scene_context import SceneContext, SceneError
from relay.demo.scenes import SCENES, Scene


async def play(write_line: Callable[[str], None], scenes: Sequence[Scene] = SCENES) -> bool:
    """Plays all scenes, even if one of them fails, and returns whether all of them succeeded.

    `write_line` prints one line of the transcript.
    """
    failed = 0
    with tempfile.TemporaryDirectory(prefix="relay-demo-") as directory:
        async with running_demo(Path(directory), market.DemoPorts(mx=0, submission=0, web=0, sink=0)) as demo:
            context = SceneContext(demo, write_line)
            for number, scene in enumerate(scenes, 1):
                title = f"{number}. {scene.title}"
                write_line(f"\n{title}\n{'=' * len(title)}")
                try:
                    await scene.play(context)
                except (SceneError, DaemonError) as error:
                    failed += 1
                    write_line(f"    FAILED: {error}")
    write_line("")
    write_line(f"{len(scenes) - failed} of {len(scenes)} scenes succeeded.")
    return failed == 0
