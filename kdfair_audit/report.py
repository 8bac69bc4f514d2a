"""The report: what was found, in the forms it is shown in."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kdfair_audit.errors import AuditError
from kdfair_audit.findings import Findings
from kdfair_audit.markdown import section
from kdfair_audit.merging import replace_file
from kdfair_audit.page import fragment, page
from kdfair_audit.rules import broken

FORMATS = ("html", "json", "md")


@dataclass(frozen=True, eq=False)
class AuditReport(Findings):
    """Result of an audit (see :class:`Findings`): HTML, Markdown, JSON, and rules for a gate."""

    def to_html(self) -> str:
        """The report as one HTML page without other files."""
        return page(self)

    def to_markdown(self, temperature: float | None = None) -> str:
        """A section for a model card: of the student of one temperature, or of all."""
        return section(self, self.known(temperature))

    def _repr_html_(self) -> str:
        return fragment(self)

    def __repr__(self) -> str:
        return "\n".join(self.verdict())

    def save(self, out: str | os.PathLike[str], formats: Iterable[str] = FORMATS) -> list[Path]:
        """Write the report: ``out`` with .html, .json and .md appended, or one of them.

        Each file is written under a temporary name and renamed.

        Raises
        ------
        AuditError
            If a file cannot be written, or the format is unknown.
        """
        out = Path(out)
        if out.suffix[1:] in FORMATS:
            formats, out = [out.suffix[1:]], out.with_suffix("")
        make = {"html": self.to_html, "json": self.to_json, "md": self.to_markdown}
        unknown = sorted(set(formats) - set(make))
        if unknown:
            raise AuditError(f"there is no format {unknown[0]!r}; expected html, json or md")
        texts = {out.with_name(f"{out.name}.{kind}"): make[kind]() for kind in formats}
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AuditError(f"cannot write into {out.parent}: {error.strerror}") from error
        for path, text in texts.items():
            replace_file(path, text.encode("utf-8", "backslashreplace"))
        return list(texts)

    def broken(self, rules: Iterable[str]) -> list[str]:
        """One line for every rule that does not hold; see :mod:`kdfair_audit.rules`."""
        return broken(self, rules)
