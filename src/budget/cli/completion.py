"""`budget completion`: what makes a shell complete commands and options."""

from typing import Annotated, Final, Literal

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.face import Face

Shell = Literal["bash", "zsh", "fish"]

_HOW: Final = {
    "bash": "budget completion bash > ~/.local/share/bash-completion/completions/budget",
    "zsh": "budget completion zsh > ~/.zfunc/_budget   # a folder in $fpath",
    "fish": "budget completion fish > ~/.config/fish/completions/budget.fish",
}


def completion(shell: Shell, /, *, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Print what makes a shell complete commands and options.

    Parameters
    ----------
    shell:
        bash, zsh or fish.
    """
    from budget.cli.app import make_app

    script = make_app().generate_completion(prog_name="budget", shell=shell)
    if face.json:
        face.print_json({"shell": shell, "script": script})
        return exits.OK
    face.print(script)
    if face.pretty:
        face.note(f"To keep it: {_HOW[shell]}")
    return exits.OK
