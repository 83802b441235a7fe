#!/usr/bin/env python3
"""PyTorch's attention on a GPU: what ci/gpu.sh sets beside clattn's figures. One line a problem and peer.

Median of RUNS launches by device events, random normal inputs, peers in turn; TFLOP/s of visible pairs (4 D each).
"""
import sys

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

RUNS = 20
SHAPES = [(2, 16, 8192, 128, False), (2, 16, 8192, 128, True), (2, 16, 8192, 64, False), (2, 16, 8192, 64, True),
          (2, 16, 8192, 256, True)]
BLOCK = 128


def median_ms(call):
    for _ in range(4):
        call()
    torch.cuda.synchronize()
    times = []
    for _ in range(RUNS):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        call()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return sorted(times)[RUNS // 2]


def report(name, what, gflop, call):
    try:
        ms = median_ms(call)
        print(f"{gflop / ms:8.1f} TFLOP/s  {ms:8.3f} ms  {name:12s} {what}", flush=True)
    except Exception as error:  # a backend that refuses a problem is a line, too
        print(f"       -                          {name:12s} {what}: {str(error).splitlines()[0][:90]}", flush=True)


def tensors(b, h, n, d):
    return [torch.randn(b, h, n, d, device="cuda", dtype=torch.bfloat16) for _ in range(3)]


def sdpa(backend, q, k, v, causal):
    def call():
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    return call


def sparse(b, h, n, d):
    """Window of 512 keys and 128 global keys, whole blocks, causal."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    def rule(_b, _h, i, j):
        bi, bj = i // BLOCK, j // BLOCK
        return (i >= j) & ((bi - bj < 4) | (bj == 0))

    mask = create_block_mask(rule, None, None, n, n, device="cuda", BLOCK_SIZE=BLOCK)
    i = torch.arange(n, device="cuda")
    pairs = sum(int(rule(0, 0, i[at:at + 1024, None], i[None, :]).sum()) for at in range(0, n, 1024))
    q, k, v = tensors(b, h, n, d)
    compiled = torch.compile(flex_attention)
    return 4e-9 * d * pairs * b * h, lambda: compiled(q, k, v, block_mask=mask)


def main():
    if not torch.cuda.is_available():
        print("no CUDA device", file=sys.stderr)
        return 77
    torch.manual_seed(1)
    torch.set_grad_enabled(False)
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}")
    for b, h, n, d, causal in SHAPES:
        what = f"b={b} h={h} n={n} d={d} causal={int(causal)}"
        gflop = 4e-9 * d * b * h * (n * (n + 1) // 2 if causal else n * n)
        q, k, v = tensors(b, h, n, d)
        report("cudnn", what, gflop, sdpa(SDPBackend.CUDNN_ATTENTION, q, k, v, causal))
        report("flash", what, gflop, sdpa(SDPBackend.FLASH_ATTENTION, q, k, v, causal))
    try:
        gflop, call = sparse(2, 16, 8192, 128)
        report("flex", "b=2 h=16 n=8192 d=128 window 512 + 128 global, 128-blocks, causal", gflop, call)
    except Exception as error:
        print("flex:", str(error).splitlines()[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
