"""What the networks are built of: two convolutions around a shortcut, and pixels that become channels."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def places(image: Tensor, px: int) -> Tensor:
    """(N, 1, S, S) to (N, px * px, S / px, S / px): pixels as channels, ordered as by `PixelUnshuffle`."""
    count, _, height, width = image.shape
    cells = image.reshape(count, height // px, px, width // px, px)
    return cells.permute(0, 2, 4, 1, 3).reshape(count, px * px, height // px, width // px)


class Block(nn.Module):
    """Two 3x3 convolutions with batch normalization and SiLU around a shortcut."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inward, outward, 3, padding=1, bias=False)
        self.norm_first = nn.BatchNorm2d(outward)
        self.second = nn.Conv2d(outward, outward, 3, padding=1, bias=False)
        self.norm_second = nn.BatchNorm2d(outward)
        self.shortcut = nn.Conv2d(inward, outward, 1, bias=False) if inward != outward else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inward, H, W) to (N, outward, H, W)."""
        y = functional.silu(self.norm_first(self.first(x)))
        y = self.norm_second(self.second(y))
        return functional.silu(y + self.shortcut(x))
