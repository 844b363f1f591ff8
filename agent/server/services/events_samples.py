"""Plots and debug images: by metric, by iteration, and one after the other."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from ..errors import BadRequestError
from ..events import samples
from ..events.samples import Key
from ..registry import Call, Data, Mode, action
from .events_requests import (
    TOTAL,
    encode_scroll,
    owner_of,
    owners_of,
    selection,
    table_scrolled,
)


def _latest(call: Call) -> int:
    iters = call.integer("iters", 1)
    if iters < 0:
        raise BadRequestError("iters must be 0 (all) or more")
    return iters


def _page(call: Call, found: list[Key]) -> tuple[list[Data], Data]:
    """The next plots of a scroll, and what the answer says about them."""
    start = table_scrolled(call).get("next", 0)
    start = start if type(start) is int and start >= 0 else 0
    plots = samples.documents(call.db, found[start : start + TOTAL])
    scroll = None if call.flag("no_scroll") else encode_scroll({"next": start + len(plots)})
    return plots, {"returned": len(plots), "total": len(found), "scroll_id": scroll}


@action("events.get_task_plots", mode=Mode.SCAN)
def get_task_plots(call: Call) -> Data:
    """The plots of a task, the last iterations of each."""
    wanted = selection(call.tables("metrics"))
    found = samples.latest(call.db, owner_of(call), samples.PLOT, _latest(call), wanted)
    plots, counts = _page(call, found)
    return {"plots": plots, **counts}


@action("events.get_multi_task_plots", mode=Mode.SCAN)
def get_multi_task_plots(call: Call) -> Data:
    """The plots of several tasks: `{metric: {variant: {task: {iteration: {name, plots}}}}}`."""
    names = owners_of(call)
    wanted = selection(call.tables("metrics"))
    found = [
        key
        for owner in names
        for key in samples.latest(call.db, owner, samples.PLOT, _latest(call), wanted)
    ]
    plots, counts = _page(call, found)
    answer: Data = {}
    for plot in plots:
        variants = answer.setdefault(plot["metric"], {}).setdefault(plot["variant"], {})
        owner = plot["task"]
        place = variants.setdefault(owner, {}).setdefault(
            str(plot["iter"]), {"name": names[owner], "plots": []}
        )
        place["plots"].append(plot)
    return {"plots": answer, **counts}


@action("events.debug_images", mode=Mode.SCAN)
def debug_images(call: Call) -> Data:
    """Debug images by task and iteration, the latest first."""
    return _by_iteration(call, samples.IMAGE)


@action("events.plots", mode=Mode.SCAN)
def plots(call: Call) -> Data:
    """Plots by task and iteration, the latest first."""
    return _by_iteration(call, samples.PLOT)


def _by_iteration(call: Call, kind: str) -> Data:
    wanted: dict[str, list[Data]] = {}
    for item in call.tables("metrics"):
        if not isinstance(item.get("task"), str):
            raise BadRequestError("metrics: each entry needs a task")
        wanted.setdefault(item["task"], []).append(item)
    reached = {} if call.flag("refresh") else table_scrolled(call)
    earlier = call.flag("navigate_earlier", True)
    limit = max(1, call.integer("iters", 1))
    answer = []
    for owner, items in wanted.items():
        low, high = _window(reached.get(owner))
        found = samples.iterations(
            samples.keys(call.db, owner, kind, selection(items)),
            limit,
            before=low if earlier else None,
            after=None if earlier else (-(2**62) if high is None else high),
        )
        if found:
            numbers = [number for number, _ in found]
            reached[owner] = [min(numbers), max(numbers)]
        answer.append(
            {
                "task": owner,
                "iterations": [
                    {"iter": number, "events": samples.documents(call.db, keys)}
                    for number, keys in found
                ],
            }
        )
    return {"metrics": answer, "scroll_id": encode_scroll(reached)}


def _window(state: object) -> tuple[int | None, int | None]:
    """The first and the last iteration of the page before."""
    if isinstance(state, list) and len(state) == 2 and all(type(number) is int for number in state):
        return state[0], state[1]
    return None, None


@action("events.get_debug_image_sample", mode=Mode.SCAN)
def get_debug_image_sample(call: Call) -> Data:
    """The debug image of a variant at an iteration, the latest one if none is given."""
    metric, variant = call.need("metric"), call.need("variant")
    return _sample(call, samples.IMAGE, metric, variant)


@action("events.get_plot_sample", mode=Mode.SCAN)
def get_plot_sample(call: Call) -> Data:
    """The plots of a metric at an iteration, the latest one if none is given."""
    return _sample(call, samples.PLOT, call.need("metric"), call.text("variant"))


def _sample(call: Call, kind: str, metric: str, variant: str | None) -> Data:
    owner = owner_of(call)
    variants = set() if variant is None else {variant}
    found = samples.keys(call.db, owner, kind, {metric: variants})
    place = len(found) - 1
    if call.body.get("iteration") is not None:
        # The last one up to that iteration: a slider may stand where nothing was reported.
        iteration = call.integer("iteration", 0)
        place = bisect_right(found, iteration, key=lambda key: key.iteration) - 1
    one = call.flag("navigate_current_metric", True)
    state = {"metric": metric, "variant": variant, "one": one}
    return _shown(call, kind, found, found[place] if place >= 0 else None, state)


@action("events.next_debug_image_sample", mode=Mode.SCAN)
def next_debug_image_sample(call: Call) -> Data:
    """The image after (or before) that of the scroll, or that of the next iteration."""
    return _next(call, samples.IMAGE)


@action("events.next_plot_sample", mode=Mode.SCAN)
def next_plot_sample(call: Call) -> Data:
    """The plots after (or before) those of the scroll, or those of the next iteration."""
    return _next(call, samples.PLOT)


def _next(call: Call, kind: str) -> Data:
    owner = owner_of(call)
    call.need("scroll_id")
    state = table_scrolled(call)
    metric, variant, at = state.get("metric"), state.get("variant"), state.get("at")
    if not isinstance(metric, str) or not isinstance(variant, str | None):
        raise BadRequestError("scroll_id: get a sample first")
    found = samples.keys(call.db, owner, kind, {metric: set()} if state.get("one") else None)
    if kind == samples.PLOT:  # plots of one metric and iteration are shown together
        found = [
            key
            for place, key in enumerate(found)
            if place == 0 or (key.iteration, key.metric) != _place(found[place - 1])
        ]
    if type(at) is not int:
        return _shown(call, kind, found, None, state)
    earlier = call.flag("navigate_earlier", True)
    if call.flag("next_iteration"):
        chosen = _beside(found, at, metric, variant, earlier=earlier)
    else:
        here = (at, metric) if kind == samples.PLOT else (at, metric, variant or "")
        width = len(here)
        names = [(key.iteration, key.metric, key.variant)[:width] for key in found]
        place = bisect_left(names, here) - 1 if earlier else bisect_right(names, here)
        chosen = found[place] if 0 <= place < len(found) else None
    return _shown(call, kind, found, chosen, state)


def _place(key: Key) -> tuple[int, str]:
    return key.iteration, key.metric


def _beside(
    found: list[Key], at: int, metric: str, variant: str | None, *, earlier: bool
) -> Key | None:
    """The sample of the next iteration: the same variant's if it has one, else the first."""
    others = [key for key in found if (key.iteration < at if earlier else key.iteration > at)]
    if not others:
        return None
    number = (max if earlier else min)(key.iteration for key in others)
    group = [key for key in others if key.iteration == number]
    for key in group:
        if key.metric == metric and variant in (None, key.variant):
            return key
    return group[-1] if earlier else group[0]


def _shown(call: Call, kind: str, found: list[Key], chosen: Key | None, state: Data) -> Data:
    """The answer with a sample, and the range of iterations in which there are more."""
    plots = kind == samples.PLOT
    if chosen is None:
        empty: Data = {"events": []} if plots else {"event": None}
        return {**empty, "min_iteration": None, "max_iteration": None,
                "scroll_id": encode_scroll(state)}  # fmt: skip
    owner = owner_of(call)
    variants = set() if plots else {chosen.variant}
    same = samples.keys(call.db, owner, kind, {chosen.metric: variants})
    together = [key for key in same if key.iteration == chosen.iteration] if plots else [chosen]
    events = samples.documents(call.db, together)
    state = {**state, "metric": chosen.metric, "at": chosen.iteration}
    if not plots:
        state["variant"] = chosen.variant
    return {
        **({"events": events} if plots else {"event": events[0] if events else None}),
        "min_iteration": same[0].iteration,
        "max_iteration": same[-1].iteration,
        "scroll_id": encode_scroll(state),
    }
