"""A viewer on the command line: a websockets client of the gateway that keeps its position and comes back after a cut."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection, connect

LOST_AFTER_S = 5.0
"""Without any frame: heartbeats come each 2 s."""
BACK_OFF_S = (0.5, 30.0)
TERMINAL = range(4500, 5000)
"""Close codes after which coming back would not help."""
Frame = dict[str, Any]


class Ended(Exception):
    """The gateway does not want this viewer; the message says why."""


def frames(
    url: str, token: str, subscription: dict[str, str], note: Callable[[str], None], open_s: float = 5.0, once: bool = False
) -> Iterator[Frame]:
    """All frames from `welcome` on, through cuts and restarts of the gateway, resumed by position. Raises Ended.

    `once`: a cut ends it instead. The caller closes the iterator to leave.
    """
    position: dict[str, Any] | None = None
    wait_s = BACK_OFF_S[0]
    while True:
        why = ""
        try:
            with connect(url, open_timeout=open_s, close_timeout=1, compression=None, proxy=None, max_size=None) as socket:
                for frame in _session(socket, token, subscription, position):
                    wait_s = BACK_OFF_S[0]
                    position = _moved(position, frame)
                    yield frame
        except ConnectionClosed as error:
            code, reason = (error.rcvd.code, error.rcvd.reason) if error.rcvd else (1006, "cut")
            if code in TERMINAL:
                raise Ended(f"the gateway closed with {code}: {reason or 'no reason given'}") from None
            why = f"closed with {code} {reason}".strip()
        except InvalidURI:
            raise Ended(f"{url!r} is no address of a gateway: ws://host:port/ws") from None
        except (OSError, TimeoutError, InvalidHandshake) as error:
            why = str(error) or type(error).__name__
        if once:
            raise Ended(f"{url}: {why}")
        pause_s = random.uniform(0.5, 1.0) * wait_s
        note(f"not connected to {url} ({why}); again in {pause_s:.1f} s")
        time.sleep(pause_s)
        wait_s = min(2 * wait_s, BACK_OFF_S[1])


def _session(socket: ClientConnection, token: str, subscription: dict[str, str], position: dict[str, Any] | None) -> Iterator[Frame]:
    socket.send(json.dumps({"t": "auth", "token": token}))
    asked = False
    while True:
        frame: Frame = json.loads(socket.recv(timeout=LOST_AFTER_S))
        if frame.get("t") == "welcome" and not asked:
            socket.send(json.dumps({"t": "sub", **subscription} | ({"pos": position} if position else {})))
            asked = True
        yield frame


def _moved(position: dict[str, Any] | None, frame: Frame) -> dict[str, Any] | None:
    """The position after a frame: a key says it whole, an event moves its shard."""
    kind = frame.get("t")
    if kind == "key":
        found = frame.get("pos")
        return dict(found) if isinstance(found, dict) else position
    if kind == "ev" and position is not None:
        offsets = list(position["offsets"])
        offsets[frame["s"]] = max(offsets[frame["s"]], frame["o"] + 1)
        return position | {"offsets": offsets}
    return position
