"""The one error that a person sees from this package: what is wrong, where, and what to do."""

from __future__ import annotations


class Unreadable(Exception):
    """A file or folder that cannot be read as what it was given for.

    `what` and `do` are phrases without a full stop; `where` is a path, perhaps with a place inside the file.
    """

    def __init__(self, what: str, where: str, do: str) -> None:
        super().__init__(what, where, do)
        self.what = what
        self.where = where
        self.do = do

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.do}."
