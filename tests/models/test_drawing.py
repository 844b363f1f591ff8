import numpy as np
import pytest

from models.drawing import class_colour, draw_boxes


def canvas() -> np.ndarray:
    return np.full((120, 160, 3), 90, np.uint8)


def test_a_box_is_drawn_on_a_copy() -> None:
    image = canvas()
    drawn = draw_boxes(image, [[20, 30, 100, 90]], [""], [(255, 0, 0)], thickness=1)
    assert (image == 90).all()
    red = (drawn == (255, 0, 0)).all(axis=2)
    rows, columns = np.nonzero(red)
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (20, 30, 99, 89)
    assert red.sum() == 2 * 80 + 2 * 58


@pytest.mark.parametrize("name", ["cat", "кошка", "中文", "قط", "\U0001f408", "a\nb", "x" * 200])
@pytest.mark.parametrize("box", [[0, 0, 160, 120], [150, 110, 160, 120], [5, 60, 5, 60]])
def test_any_caption_is_drawn_anywhere(name: str, box: list[int]) -> None:
    drawn = draw_boxes(canvas(), [box], [name])
    plain = draw_boxes(canvas(), [box], [""])
    assert drawn.shape == plain.shape
    assert not np.array_equal(drawn, plain)


def test_letters_no_font_has_are_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from models import drawing

    monkeypatch.setattr(drawing, "_FONTS", ())
    text, _ = drawing.writable("a中", 12)
    assert text == "a\\u4e2d"


def test_no_boxes() -> None:
    assert np.array_equal(draw_boxes(canvas(), [], []), canvas())


def test_colours_differ() -> None:
    colours = [class_colour(i) for i in range(12)]
    assert len(set(colours)) == 12
