"""What the status page says, one file per language. A new language is a file here and a line in ``LANGUAGES``."""

from __future__ import annotations

from collections.abc import Mapping

from wifimgr.views.locale import de, en

LANGUAGES: Mapping[str, Mapping[str, str]] = {"de": de.TEXTS, "en": en.TEXTS}
"""Language to its texts. A text may hold ``{names}``; which ones is the same in every language."""
