"""The lanes of one process (R-OUT-01, R-OUT-02): a slow server delays only the mail to itself.

Each destination has a lane. Its organization (the registered domain) has a lane too, and so has each address of a
server, where all addresses of an IPv6 /64 network share one lane. A lane has a window, which is the number of attempts
that it may have at once. The window of a new lane is one. Each quick answer doubles the window, up to the limit for
each destination. If an attempt times out, the window becomes one and the lane is closed for a while. With each further
time-out the lane is closed for longer, until a server answers again.

A quarter of all places is reserved for lanes that are open, so that new lanes cannot take every place. Lanes that timed
out lately may use at most a quarter of all places. An attempt that takes longer than `slow_after_s` is counted among
these slow ones; if they already use their whole quarter, the attempt is cut off. Therefore the other places are never
occupied for long, whatever the number of servers that do not answer. The memory for big contents is shared in the same
way (`LaneMemory`), and no lane gets more than a quarter of it. The time in which the relay itself works on a content,
or waits for its own workers, does not count.

After the final dot a server may have accepted the message. If the attempt were cut off then, the message could be sent
twice. Therefore the attempt keeps its places in its lanes until the courier has the answer, or stops waiting for it. If
the attempt is slow, and the slow attempts use their whole quarter, it only frees its part of all places, so that other
attempts can begin. At most `concurrency` attempts wait in this way.

A destination with a configured route always has the whole window, because the administrator has chosen its server and
no stranger can choose it.

`lane` has the lanes and their states, `places` counts the items in hand and gives them their turns, `attempt` is one
delivery, and `process` implements the port.
"""

from relay.steps.lanes.lane import LaneLimits
from relay.steps.lanes.places import ItemInHand, is_whole_domain
from relay.steps.lanes.process import ProcessLanes

__all__ = ["ItemInHand", "LaneLimits", "ProcessLanes", "is_whole_domain"]
