"""`bulkproof completion`: what makes a shell complete commands, options and their values."""

from typing import Final

import click

from mockserver.cli.shared.options import Command

COMPLETE_VARIABLE: Final = "_BULKPROOF_COMPLETE"


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print a script that makes a shell complete what is typed after `bulkproof`.

    Bash and zsh read it where they start, fish from a file of its own:

    bulkproof completion bash >> ~/.bashrc

    bulkproof completion fish > ~/.config/fish/completions/bulkproof.fish
    """
    from click.shell_completion import ShellComplete, get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise LookupError(shell)
    script = made(context.find_root().command, {}, "bulkproof", COMPLETE_VARIABLE)
    click.echo(ShellComplete.source(script))  # Bash's own would start Bash, to ask for its version
