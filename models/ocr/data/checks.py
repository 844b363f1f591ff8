"""Hold texts and pictures of lines against what training needs, and set aside what doesn't fit."""

from __future__ import annotations

from collections import defaultdict

from models.data.preparing import note_rewritten, read_to_the_end
from models.data.raw import Findings
from models.ocr.data.options import PrepareOptions
from models.ocr.data.texts import Checked, CheckedSplits, Raw, wrong_with
from models.outcomes import Rejected
from models.reporting import Reporter


def check(
    raw: Raw, options: PrepareOptions, findings: Findings, reporter: Reporter
) -> CheckedSplits:
    """Set aside lines whose text or picture can't be trusted.

    Args:
        raw: what a reader found.
        options: among others the vocabulary.
        findings: takes what was set aside or mended.
        reporter: told about progress.

    Returns:
        The good lines by split, ordered by name.
    """
    checked: CheckedSplits = {split: [] for split in raw.splits}
    for split, picture, facts in read_to_the_end(raw, options.workers, findings, reporter):
        if reason := wrong_with(picture.text, options.vocabulary, options.max_length):
            findings.rejected.append(Rejected(picture.name, reason))
            continue
        note_rewritten(picture.name, facts, findings)
        checked[split].append(Checked(picture, facts))
    return _agreed(checked, findings)


def _agreed(checked: CheckedSplits, findings: Findings) -> CheckedSplits:
    """Set aside files of the same bytes that say different things: which is right can't be told."""
    said: dict[str, dict[str, str]] = defaultdict(dict)
    for found in checked.values():
        for one in found:
            said[one.facts.digest].setdefault(one.picture.text, one.picture.name)
    kept: CheckedSplits = {}
    for split, found in checked.items():
        kept[split] = []
        for one in found:
            texts = said[one.facts.digest]
            if len(texts) == 1:
                kept[split].append(one)
                continue
            other = next(text for text in texts if text != one.picture.text)
            reason = f"its text is '{one.picture.text}', but the same picture says '{other}' as "
            findings.rejected.append(Rejected(one.picture.name, f"{reason}{texts[other]}"))
    return kept
