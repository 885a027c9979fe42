"""The command line: a command's module is imported when the command is called."""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperCommand
from typer.main import get_command

from app.cli.commands import PAYFLOW, Group, check_names
from app.host.processes import keep_files_ours
from workflows.shared.errors import DeclarationError


def function_at(place: str) -> Callable[..., object]:
    """Return the function of a command; imports its module."""
    module, _, name = place.partition(":")
    return getattr(import_module(f"app.cli.{module}"), name)


def _lazy(place: str) -> type[TyperCommand]:
    """Return the class of a command whose module is imported when the command is called."""

    class Lazy(TyperCommand):
        def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002  whole, never cut
            return self.help or ""

        def make_context(
            self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
        ) -> Any:
            one = _command_of(function_at(place))
            return one.make_context(info_name, args, parent, **extra)

    return Lazy


def _command_of(function: Callable[..., object]) -> TyperCommand:
    one = typer.Typer(add_completion=False, rich_markup_mode=None)
    one.command()(function)
    return cast("TyperCommand", get_command(one))


def _declared() -> None:
    """The placeholder of a function that is not imported yet."""


def _typer(group: Group, *, completion: bool = False) -> typer.Typer:
    # Plain help: with `rich`, typer imports Markdown and Pygments, 0.4 CPU seconds a page.
    group_app = typer.Typer(
        no_args_is_help=True, help=group.help, add_completion=completion, rich_markup_mode=None
    )
    for name, one in group.commands.items():
        if isinstance(one, Group):
            group_app.add_typer(_typer(one), name=name)
        else:
            group_app.command(name, cls=_lazy(one.place), help=one.help)(_declared)
    return group_app


app = _typer(PAYFLOW, completion=True)


def main() -> None:
    """Run the command line; ends with one line when what is declared contradicts itself."""
    keep_files_ours()
    try:
        check_names()
        app()
    except DeclarationError as error:
        sys.exit(f"payflow: {error}")
