"""A start for CTC: columns are told which character they would show if the text stood evenly.

From random weights, CTC finds for thousands of lines that blanks alone are the best answer: no
place for a character is better than another one yet. But a line's characters lie about evenly over
its picture, as the first alignment of speech recognisers has it (flat start). That is near enough
to learn from what characters look like; where they really stand, CTC finds out then.
"""

from __future__ import annotations

import torch
from torch import Tensor

_REACH = 0.6
"""How unsure a column is which character it shows: standard deviation in characters."""


def even_loss(log_probs: Tensor, targets: Tensor, lengths: Tensor, spans: Tensor) -> Tensor:
    """Cross entropy of the columns inside the pictures with the text spread evenly; no blanks.

    Args:
        log_probs: [B, steps, classes]; the last class is the blank, which is left aside.
        targets: class indices of the texts, end to end.
        lengths: characters of each text, [B].
        spans: where each picture begins and ends in the input, shares of its width, [B, 2].

    Returns:
        Mean over the columns, float32; 0 if there is none.
    """
    _, steps, classes = log_probs.shape
    device = log_probs.device
    columns = (torch.arange(steps, device=device) + 0.5) / steps
    begin, end = spans[:, :1].to(device), spans[:, 1:].to(device)
    inside = (columns > begin) & (columns < end) & (lengths.to(device)[:, None] > 0)
    # In characters; the middle of the first one is 0.
    place = (columns - begin) / (end - begin).clamp_min(1e-6) * lengths.to(device)[:, None] - 0.5
    texts = _padded(targets, lengths).to(device)
    number = torch.arange(texts.shape[1], device=device)
    near = torch.exp(-0.5 * ((place[..., None] - number) / _REACH) ** 2)
    near = near * (number < lengths.to(device)[:, None])[:, None]
    wanted = torch.zeros(*log_probs.shape[:2], classes - 1, device=device)
    wanted.scatter_add_(2, texts[:, None].expand(-1, steps, -1), near)
    wanted = wanted / wanted.sum(2, keepdim=True).clamp_min(1e-6)
    losses = -(wanted * log_probs[..., :-1].float().log_softmax(2)).sum(2)
    mean: Tensor = (losses * inside).sum() / inside.sum().clamp_min(1)
    return mean


def _padded(targets: Tensor, lengths: Tensor) -> Tensor:
    """Lay texts that stand end to end out as rows, filled up with class 0."""
    parts = torch.split(targets, lengths.tolist())
    return torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True)
