"""Which font families there are, where their files lie, and which split may use them."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Family:
    """A font family."""

    name: str
    split: Literal["train", "val", "test"]
    """The only split whose lines are set in it by default."""
    package: str
    """Python package that holds it; empty for one that lies beside this file."""
    licence: str
    """SPDX identifier."""


@dataclass(frozen=True)
class FontFile:
    """A file of a family, upright."""

    path: Path
    weight: int | None
    """400 is regular, 700 bold; None where the file holds every weight of an axis."""


# No family of val or test is of the same design as one of train (Roboto Mono and Roboto Slab would
# be): their digits would not be new.
FAMILIES = {
    family.name: family
    for family in (
        Family("OCR-B", "train", "", "OFL-1.1"),
        Family("Abel", "train", "fontpkg_abel", "OFL-1.1"),
        Family("Albert Sans", "train", "fontpkg_albert_sans", "OFL-1.1"),
        Family("Alfa Slab One", "train", "fontpkg_alfa_slab_one", "OFL-1.1"),
        Family("Anton", "train", "fontpkg_anton", "OFL-1.1"),
        Family("Arimo", "train", "fontpkg_arimo", "OFL-1.1"),
        Family("Arvo", "train", "fontpkg_arvo", "OFL-1.1"),
        Family("Asap", "train", "fontpkg_asap", "OFL-1.1"),
        Family("Atkinson Hyperlegible", "train", "fontpkg_atkinson_hyperlegible", "OFL-1.1"),
        Family("Barlow", "train", "fontpkg_barlow", "OFL-1.1"),
        Family("Barlow Condensed", "train", "fontpkg_barlow_condensed", "OFL-1.1"),
        Family("Bebas Neue", "train", "fontpkg_bebas_neue", "OFL-1.1"),
        Family("Bitter", "train", "fontpkg_bitter", "OFL-1.1"),
        Family("Cabin", "train", "fontpkg_cabin", "OFL-1.1"),
        Family("Chakra Petch", "train", "fontpkg_chakra_petch", "OFL-1.1"),
        Family("Comfortaa", "train", "fontpkg_comfortaa", "OFL-1.1"),
        Family("DM Mono", "train", "fontpkg_dm_mono", "OFL-1.1"),
        Family("DM Sans", "train", "fontpkg_dm_sans", "OFL-1.1"),
        Family("Domine", "train", "fontpkg_domine", "OFL-1.1"),
        Family("Dosis", "train", "fontpkg_dosis", "OFL-1.1"),
        Family("Encode Sans", "train", "fontpkg_encode_sans", "OFL-1.1"),
        Family("Exo 2", "train", "fontpkg_exo_2", "OFL-1.1"),
        Family("Fira Code", "train", "fontpkg_fira_code", "OFL-1.1"),
        Family("Fira Sans", "train", "fontpkg_fira_sans", "OFL-1.1"),
        Family("Fjalla One", "train", "fontpkg_fjalla_one", "OFL-1.1"),
        Family("Fredoka", "train", "fontpkg_fredoka", "OFL-1.1"),
        Family("Geist Mono", "train", "fontpkg_geist_mono", "OFL-1.1"),
        Family("Heebo", "train", "fontpkg_heebo", "OFL-1.1"),
        Family("IBM Plex Mono", "train", "fontpkg_ibm_plex_mono", "OFL-1.1"),
        Family("IBM Plex Sans Condensed", "train", "fontpkg_ibm_plex_sans_condensed", "OFL-1.1"),
        Family("IBM Plex Serif", "train", "fontpkg_ibm_plex_serif", "OFL-1.1"),
        Family("Inter", "train", "fontpkg_inter", "OFL-1.1"),
        Family("JetBrains Mono", "train", "fontpkg_jetbrains_mono", "OFL-1.1"),
        Family("Jost", "train", "fontpkg_jost", "OFL-1.1"),
        Family("Karla", "train", "fontpkg_karla", "OFL-1.1"),
        Family("Lato", "train", "fontpkg_lato", "OFL-1.1"),
        Family("Lexend", "train", "fontpkg_lexend", "OFL-1.1"),
        Family("Libre Baskerville", "train", "fontpkg_libre_baskerville", "OFL-1.1"),
        Family("Libre Franklin", "train", "fontpkg_libre_franklin", "OFL-1.1"),
        Family("Manrope", "train", "fontpkg_manrope", "OFL-1.1"),
        Family("Maven Pro", "train", "fontpkg_maven_pro", "OFL-1.1"),
        Family("Montserrat", "train", "fontpkg_montserrat", "OFL-1.1"),
        Family("News Cycle", "train", "fontpkg_news_cycle", "OFL-1.1"),
        Family("Nunito", "train", "fontpkg_nunito", "OFL-1.1"),
        Family("Open Sans", "train", "fontpkg_open_sans", "OFL-1.1"),
        Family("Orbitron", "train", "fontpkg_orbitron", "OFL-1.1"),
        Family("Oswald", "train", "fontpkg_oswald", "OFL-1.1"),
        Family("Outfit", "train", "fontpkg_outfit", "OFL-1.1"),
        Family("Overpass", "train", "fontpkg_overpass", "OFL-1.1"),
        Family("Play", "train", "fontpkg_play", "OFL-1.1"),
        Family("Poppins", "train", "fontpkg_poppins", "OFL-1.1"),
        Family("PT Sans", "train", "fontpkg_pt_sans", "OFL-1.1"),
        Family("PT Sans Narrow", "train", "fontpkg_pt_sans_narrow", "OFL-1.1"),
        Family("Public Sans", "train", "fontpkg_public_sans", "OFL-1.1"),
        Family("Quicksand", "train", "fontpkg_quicksand", "OFL-1.1"),
        Family("Rajdhani", "train", "fontpkg_rajdhani", "OFL-1.1"),
        Family("Red Hat Display", "train", "fontpkg_red_hat_display", "OFL-1.1"),
        Family("Red Hat Text", "train", "fontpkg_red_hat_text", "OFL-1.1"),
        Family("Roboto Condensed", "train", "fontpkg_roboto_condensed", "OFL-1.1"),
        Family("Roboto Mono", "train", "fontpkg_roboto_mono", "OFL-1.1"),
        Family("Roboto Slab", "train", "fontpkg_roboto_slab", "Apache-2.0"),
        Family("Rubik", "train", "fontpkg_rubik", "OFL-1.1"),
        Family("Russo One", "train", "fontpkg_russo_one", "OFL-1.1"),
        Family("Saira", "train", "fontpkg_saira", "OFL-1.1"),
        Family("Saira Condensed", "train", "fontpkg_saira_condensed", "OFL-1.1"),
        Family("Signika", "train", "fontpkg_signika", "OFL-1.1"),
        Family("Sora", "train", "fontpkg_sora", "OFL-1.1"),
        Family("Source Code Pro", "train", "fontpkg_source_code_pro", "OFL-1.1"),
        Family("Source Sans 3", "train", "fontpkg_source_sans_3", "OFL-1.1"),
        Family("Syne", "train", "fontpkg_syne", "OFL-1.1"),
        Family("Teko", "train", "fontpkg_teko", "OFL-1.1"),
        Family("Titillium Web", "train", "fontpkg_titillium_web", "OFL-1.1"),
        Family("Urbanist", "train", "fontpkg_urbanist", "OFL-1.1"),
        Family("Varela Round", "train", "fontpkg_varela_round", "OFL-1.1"),
        Family("Yanone Kaffeesatz", "train", "fontpkg_yanone_kaffeesatz", "OFL-1.1"),
        Family("Zilla Slab", "train", "fontpkg_zilla_slab", "OFL-1.1"),
        Family("Inconsolata", "val", "fontpkg_inconsolata", "OFL-1.1"),
        Family("Work Sans", "val", "fontpkg_work_sans", "OFL-1.1"),
        Family("Archivo Narrow", "test", "fontpkg_archivo_narrow", "OFL-1.1"),
        Family("Oxygen", "test", "fontpkg_oxygen", "OFL-1.1"),
        Family("Share Tech", "test", "fontpkg_share_tech", "OFL-1.1"),
        Family("Space Mono", "test", "fontpkg_space_mono", "OFL-1.1"),
    )
}
"""By name."""


def font_files(font: str) -> list[FontFile]:
    """Find the files of a family, or take a file of one's own.

    Args:
        font: A name of `FAMILIES`, or the path of a .ttf or .otf file.

    Returns:
        Upright files of weight 400 and more, the lightest first.

    Raises:
        ValueError: no such family or file, or its package isn't installed.
    """
    if font not in FAMILIES:
        path = Path(font).expanduser()
        if path.suffix.lower() in (".ttf", ".otf") and path.is_file():
            return [FontFile(path, None)]
        raise ValueError(
            f"no font '{font}': give the path of a .ttf or .otf file, or one of "
            + ", ".join(FAMILIES)
        )
    family = FAMILIES[font]
    if not family.package:
        return [FontFile(_HERE / f"{font}.ttf", 400)]
    found = importlib.util.find_spec(family.package)
    if found is None or not found.submodule_search_locations:
        raise ValueError(
            f"the font {font} comes from the package {family.package.replace('_', '-')}, which "
            f"isn't installed: pip install 'sightline[fonts]'"
        )
    folder = Path(found.submodule_search_locations[0])
    rows = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))["files"]
    files = [
        FontFile(folder / row["path"], None if row["variable"] else int(row["weight"]))
        for row in rows
        if row["style"] == "normal"
    ]
    heavy = [file for file in files if file.weight is None or file.weight >= 400]
    return sorted(heavy, key=lambda file: (file.weight or 0, file.path.name))
