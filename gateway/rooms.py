"""Who is subscribed to what: one room a client, a ward or a patient."""

from __future__ import annotations

from collections.abc import Collection

from gateway.client import Client, Room


class Rooms:
    """Members of each room that has any."""

    def __init__(self) -> None:
        self._members: dict[Room, set[Client]] = {}

    def members(self, room: Room) -> Collection[Client]:
        """Those in a room; a copy, so that some may be closed meanwhile."""
        return tuple(self._members.get(room, ()))

    def showing(self, patient: str, ward: str | None) -> list[Room]:
        """Rooms with members that show this patient, who is in `ward`."""
        both: list[Room] = [("ward", ward or ""), ("patient", patient)]
        return [room for room in both if room in self._members]

    def patients(self) -> list[str]:
        """Patients who have a room of their own."""
        return [name for kind, name in self._members if kind == "patient"]

    def enter(self, client: Client, room: Room) -> None:
        """The client has its key and sees from now on what happens in the room."""
        self._members.setdefault(room, set()).add(client)

    def leave(self, client: Client) -> None:
        """Ends the client's subscription."""
        room, client.room, client.waiting = client.room, None, False
        client.held.clear()
        members = self._members.get(room) if room is not None else None
        if room is not None and members is not None:
            members.discard(client)
            if not members:
                del self._members[room]
