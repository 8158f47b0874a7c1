"""`nadi` and `python -m flows`: the door of the command line."""

from __future__ import annotations

import os


def main() -> None:
    """Runs one command; its exit status is the process's: 0 done, 1 failed, 2 wrong usage."""
    from flows.children import die_with_parent

    die_with_parent(os.environ)  # before the slow imports: a child must not outlive who started it
    from flows.cli.app import run

    run()


if __name__ == "__main__":
    main()
