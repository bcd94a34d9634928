"""Completion in bash. click's own script splits words where bash does, at `@` and `:`, and completes no file names."""

import os

from click.shell_completion import BashComplete, add_completion_class, split_arg_string

_SCRIPT = """\
%(complete_func)s() {
    local head="${COMP_LINE:0:COMP_POINT}" word prefix="" kind value
    word="${head##*[[:space:]]}"
    # bash replaces only what follows the last of its word breaks.
    case "$word" in *[@:]*) [[ $COMP_WORDBREAKS == *[@:]* ]] && prefix="${word%%"${word##*[@:]}"}" ;; esac
    COMPREPLY=()
    while IFS=, read -r kind value; do
        [[ $kind == plain ]] && COMPREPLY+=("${value#"$prefix"}")
    done < <(COMP_HEAD="$head" %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o default -o bashdefault -o nosort -F %(complete_func)s %(prog_name)s
"""


class Bash(BashComplete):
    """Sees the line up to the cursor; where nothing of ours fits, bash completes file names by itself."""

    source_template = _SCRIPT

    def get_completion_args(self) -> tuple[list[str], str]:
        """Returns the whole arguments, and the one that is being typed."""
        head = os.environ.get("COMP_HEAD", "")
        words = split_arg_string(head)
        incomplete = words.pop() if words and not head[-1:].isspace() else ""
        return words[1:], incomplete


def register() -> None:
    """Puts it in the place of click's."""
    add_completion_class(Bash)
