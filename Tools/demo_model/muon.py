"""Muon (Keller Jordan and others, 2024) for matrices: momentum, made orthogonal by five Newton-Schulz steps.

As torch.optim.Muon, but in float32 where the weights are: its bfloat16 products run at a hundredth of the speed on
processors without such instructions.
"""
import torch

COEFFICIENTS = 3.4445, -4.7750, 2.0315
STEPS = 5


def orthogonal(x):
    """Of the nearest orthogonal matrix what five steps give: singular values between about 0.7 and 1.2."""
    a, b, c = COEFFICIENTS
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(STEPS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Updates as large as AdamW's, by their mean square."""

    def __init__(self, matrices, lr=1e-3, weight_decay=0.0, momentum=0.95):
        super().__init__(matrices, dict(lr=lr, weight_decay=weight_decay, momentum=momentum))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for w in (w for w in group["params"] if w.grad is not None):
                past = self.state[w].setdefault("momentum_buffer", torch.zeros_like(w))
                past.lerp_(w.grad, 1 - group["momentum"])
                update = orthogonal(w.grad.lerp(past, group["momentum"]))
                w.mul_(1 - group["lr"] * group["weight_decay"])
                w.add_(update, alpha=-group["lr"] * 0.2 * max(w.shape) ** 0.5)
