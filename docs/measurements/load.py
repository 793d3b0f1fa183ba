"""A load on a GPU that is switched at known times: what `board` (tests/src/bin/board.rs) drives.

Each line on stdin names a kind of work and for how long, as `matmul 0.090`. The work is done and waited for, and
`done` is printed. Needs PyTorch.
"""
import sys
import time
from collections import deque

import torch

device = torch.device("cuda")
single = torch.randn(2048, 2048, device=device)
half = torch.randn(4096, 4096, device=device, dtype=torch.bfloat16)
source = torch.randn(64 * 1024 * 1024, device=device)
target = torch.empty_like(source)
single_out, half_out = torch.empty_like(single), torch.empty_like(half)

# One thread that counts cycles; products in single precision and in bfloat16; copies in the board's memory. What comes
# between them keeps the board below its power limit, where the power of one kind depends on what ran before it.


def spin(cycles: int) -> None:
    torch.cuda._sleep(cycles)


def matmul() -> None:
    torch.mm(single, single, out=single_out)
    spin(400_000)


def tensor() -> None:
    torch.mm(half, half, out=half_out)
    spin(150_000)


def copy() -> None:
    target.copy_(source)
    spin(1_000_000)


WORK = {"spin": lambda: spin(100_000), "matmul": matmul, "tensor": tensor, "copy": copy}


def work(kind: str, seconds: float) -> None:
    end = time.perf_counter() + seconds
    queued = deque()
    while time.perf_counter() < end:
        WORK[kind]()
        event = torch.cuda.Event()
        event.record()
        queued.append(event)
        # Two stay queued, so that the board does not wait for this program.
        if len(queued) > 2:
            queued.popleft().synchronize()
    torch.cuda.synchronize()


for line in sys.stdin:
    kind, seconds = line.split()
    if kind == "idle":
        time.sleep(float(seconds))
    else:
        work(kind, float(seconds))
    print("done", flush=True)
