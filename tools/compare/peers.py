"""The PyTorch peers: each returns a call without arguments and its useful GFLOP (4 D for every visible pair).

Heads H, one batch, [1, H, N, D]. Visible pairs are counted exactly, so that a peer that computes whole blocks
is charged for the pairs outside the pattern, as clattn is.
"""
import math
import os

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OMP_PROC_BIND", "true")

CPUS = os.sched_getaffinity(0)  # before OpenMP binds this thread to one of them

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
torch.set_grad_enabled(False)

TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
BLOCK = 64
SIDE = 4        # blocks seen on each side: with the diagonal 9 blocks, 576 keys
GLOBAL = 2      # blocks at the start seen by all and seeing all: 128 tokens
WINDOW = 512    # the token pattern: 256 keys on each side, and GLOBAL * BLOCK keys at the start


def tensors(h, n, d, dtype):
    generator = torch.Generator().manual_seed(1)
    make = lambda: torch.randn(1, h, n, d, generator=generator).to(TYPES[dtype])  # noqa: E731
    return make(), make(), make()


def sdpa(h, n, d, dtype, causal):
    q, k, v = tensors(h, n, d, dtype)
    pairs = n * (n + 1) // 2 if causal else n * n
    return lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal), 4e-9 * d * pairs * h


def sdpa_backward(h, n, d, dtype, causal):
    """Backward alone: five products where forward has two."""
    q, k, v = (x.requires_grad_() for x in tensors(h, n, d, dtype))
    with torch.enable_grad():
        o = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    g = torch.randn_like(o)
    pairs = n * (n + 1) // 2 if causal else n * n
    return lambda: torch.autograd.grad(o, (q, k, v), g, retain_graph=True), 1e-8 * d * pairs * h


def block_pattern(b, h, i, j):
    """bslongformer at block 64: a window of whole blocks, and whole blocks that are global both ways."""
    bi, bj = i // BLOCK, j // BLOCK
    return ((bi - bj).abs() <= SIDE) | (bj < GLOBAL) | (bi < GLOBAL)


def token_pattern(b, h, i, j):
    """A window of tokens and the first tokens for every query."""
    return ((i - j).abs() <= WINDOW // 2) | (j < GLOBAL * BLOCK)


def count(pattern, n):
    total, j = 0, torch.arange(n)
    for start in range(0, n, 1024):
        i = torch.arange(start, min(start + 1024, n))
        total += int(pattern(0, 0, i[:, None], j[None, :]).sum())
    return total


def flex(h, n, d, dtype, pattern, size):
    """Compiled FlexAttention; `size` is its own block size."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    torch._dynamo.reset()
    q, k, v = tensors(h, n, d, dtype)
    mask = create_block_mask(pattern, None, None, n, n, device="cpu", BLOCK_SIZE=size)
    compiled = torch.compile(flex_attention, dynamic=False)
    call = lambda: compiled(q, k, v, block_mask=mask)  # noqa: E731
    call()
    return call, 4e-9 * d * count(pattern, n) * h


def lightning(h, n, d, dtype, chunk, form):
    """Chunked linear attention with a decay for each head. form `loop`: one chunk after the other with a running state;
    `batch`: every chunk at once, only the states one after the other."""
    q, k, v = (x[0] for x in tensors(h, n, d, dtype))
    slope = torch.tensor([2.0 ** (-8.0 * (i + 1) / h) for i in range(h)])[:, None]
    at = torch.arange(chunk)
    inside = torch.exp(-slope[:, None] * (at[:, None] - at[None, :]).clamp(min=0)) * (at[:, None] >= at[None, :])
    before = torch.exp(-slope * (at + 1))[:, :, None]
    after = torch.exp(-slope * (chunk - 1 - at))[:, :, None]
    whole = torch.exp(-slope * chunk)[:, :, None]
    inside, before, after, whole = (x.to(q.dtype) for x in (inside, before, after, whole))

    def loop():
        state = torch.zeros(h, d, v.shape[-1], dtype=q.dtype)
        out = torch.empty_like(v)
        for s in range(0, n, chunk):
            qc, kc, vc = (x[:, s:s + chunk] for x in (q, k, v))
            out[:, s:s + chunk] = torch.baddbmm(torch.bmm(qc * before, state), torch.bmm(qc, kc.mT) * inside, vc)
            state = torch.baddbmm(state * whole, (kc * after).mT, vc)
        return out

    def batch():
        qc, kc, vc = (x.view(h, n // chunk, chunk, d) for x in (q, k, v))
        add = (kc * after[:, None]).mT @ vc
        states = torch.zeros_like(add)
        for c in range(1, n // chunk):
            torch.add(add[:, c - 1], states[:, c - 1] * whole, out=states[:, c])
        return (((qc @ kc.mT) * inside[:, None]) @ vc + (qc * before[:, None]) @ states).view(h, n, d)

    # useful work of the recurrence as clattn counts it is not comparable between chunk sizes: time per token is
    return (loop if form == "loop" else batch), float("nan")


def copy_gbps(mib=256):
    """Read plus write of a plain copy."""
    import time
    a = torch.ones(mib * 262144)
    b = torch.empty_like(a)
    best = math.inf
    for _ in range(7):
        start = time.perf_counter()
        b.copy_(a)
        best = min(best, time.perf_counter() - start)
    return 2e-9 * a.numel() * 4 / best
