"""A table as a page that can be sent to a colleague: what is in it, and what codes say of it.

Findings are gathered as numbers first (`_gathering`, `_unusual`), and then shown (`_page`).
"""

from skae.reporting._findings import Findings
from skae.reporting._report import Report, report

__all__ = ["Findings", "Report", "report"]
