"""The observer that writes progress to stderr: live on a terminal, plain lines when piped. stdout is left to the result."""

from __future__ import annotations

import time

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.text import Text

from upgrader.engine.events import (
    BatchFinished,
    Event,
    ObserverDropped,
    RunFinished,
    RunStarted,
    StepFinished,
    StepPassed,
    StepStarted,
    StepWaiting,
)
from upgrader.report.outcome import unreached_lines
from upgrader.report.said import result_line, warnings
from upgrader.report.wording import duration, node_list, progress_text

HEARTBEAT = 30.0


class ConsoleObserver:
    """Says in one line what is being done and to which node, then in one line what came of it."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._open: dict[str, str] = {}
        self._told_last = ""
        self._said = 0.0
        self._passed_last = ("", "")

    def notify(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, StepStarted):
            self._step_started(event)
        elif isinstance(event, StepWaiting):
            self._waiting(event)
        elif isinstance(event, StepFinished):
            self._stop_status()
            self._finished(event)
            self._show_open()
        elif isinstance(event, StepPassed):
            self._passed(event)
        elif isinstance(event, RunStarted):
            self._run_started(event)
        elif isinstance(event, BatchFinished) and (event.failed or not event.step.batch):
            failed = f", {event.failed} failed" if event.failed else ""
            self._print(f"        {event.done} of {event.total} nodes done{failed}")
        elif isinstance(event, RunFinished):
            self._stop_status()
            self._run_finished(event)
        elif isinstance(event, ObserverDropped):
            self._print(f"        {escape(event.observer)} hears nothing any more: {escape(event.error)}")

    def close(self) -> None:
        """Take the live line away, also when a run ends in an exception."""
        self._stop_status()

    def _passed(self, event: StepPassed) -> None:
        """Steps of one batch that are passed for the same reason are told in one line: there may be hundreds."""
        name = f"batch {event.step.batch}" if event.step.batch else event.step.id
        if (name, event.why) != self._passed_last:
            self._print(f"{_count(event.number, event.total)} [dim]{escape(name)}: {escape(event.why)}[/dim]")
        self._passed_last = (name, event.why)

    def _run_started(self, event: RunStarted) -> None:
        plan, verb = event.plan, "resuming" if event.resumed else "starting"
        stages = ", ".join(stage.name for stage in plan.stages)
        self._print(
            f"{verb} run [bold]{event.run_id}[/bold]: {plan.part} {stages} of cloud {plan.cloud}, "
            f"{plan.source} to {plan.target}, plan {plan.digest[:12]}"
        )

    def _run_finished(self, event: RunFinished) -> None:
        """Of a run that failed: each step that did, and what was not reached because of which."""
        for step, reason in event.failed.items():
            self._print(f"[bold red]failed[/bold red] {escape(step)}: {escape(reason)}")
        for line in unreached_lines(event.not_reached):
            self._print(escape(line))

    def _step_started(self, event: StepStarted) -> None:
        self._said = time.monotonic()
        again = "waiting again for " if event.reattached else ""
        line = f"{_count(event.number, event.total)} {again}{escape(event.step.title)} [dim]({node_list(event.step.call.nodes)})[/dim]"
        self._open[event.step.id], self._told_last = line, event.step.id
        if self._console.is_terminal:
            self._show_open()
        else:
            self._print(line)

    def _show_open(self) -> None:
        """The live line: of lanes beside each other the step that was heard of last."""
        if self._open and self._console.is_terminal:
            if self._status is None:
                self._status = self._console.status("", spinner="line")
                self._status.start()
            self._status.update(self._beside(list(self._open.values())[-1]))

    def _beside(self, line: str) -> str:
        others = len(self._open) - 1
        return f"{line} [dim]and {others} beside it[/dim]" if others else line

    def _waiting(self, event: StepWaiting) -> None:
        text = f"{escape(event.step.title)}: {duration(event.seconds)}, waiting for {node_list(event.missing)}"
        if event.progress is not None:
            text += f", {escape(progress_text(event.progress))}"
        if self._status is not None:
            self._status.update(self._beside(text))
        elif time.monotonic() - self._said > HEARTBEAT:
            self._said = time.monotonic()
            self._print(f"        ... {text}")

    def _finished(self, event: StepFinished) -> None:
        mark = "[green]done[/green]" if event.ok else "[bold red]failed[/bold red]"
        self._open.pop(event.step.id, None)
        alone = not self._console.is_terminal and self._told_last == event.step.id
        head = "        " if alone else f"{_count(event.number, event.total)} {escape(event.step.title)} "
        self._told_last = ""
        replies = {node: reply.to_json() for node, reply in event.replies.items()}
        said = result_line(event.step.call.nodes, replies) if event.ok else ""
        self._print(f"{head}{mark} in {duration(event.seconds)}{escape(f': {said}' if said else '')}")
        for line in warnings(replies):
            self._print(f"        [yellow]warning[/yellow]: {escape(line)}")

    def _print(self, line: str) -> None:
        """Broken between words on a terminal; one line stays one line in a file or a pipe."""
        if self._console.is_terminal:
            self._console.print(line)
        else:
            self._console.file.write(f"{Text.from_markup(line).plain}\n")
            self._console.file.flush()

    def _stop_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


def _count(number: int, total: int) -> str:
    return escape(f"[{number:>2}/{total}]")
