"""Those who watch a run. None of them can stand in its way."""

from __future__ import annotations

from collections.abc import Iterable

from upgrader.engine.events import Event, Observer, ObserverDropped


class Audience:
    """Tells every observer. One that raises is dropped, and the others hear of it."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = list(observers)

    def tell(self, event: Event) -> None:
        """Each observer hears the event before this returns."""
        for observer in list(self._observers):
            if observer not in self._observers:
                continue  # it could not bear the notice about one before it
            try:
                observer.notify(event)
            except Exception as error:  # noqa: BLE001  whatever a screen or a page cannot do, the run between intent and effect goes on
                self._observers.remove(observer)
                self.tell(ObserverDropped(type(observer).__name__, f"{type(error).__name__}: {error}"))
