"""What gpu.py sets beside clattn: PyTorch's attention and, where it can be imported, fla's. On a GPU, or on a CPU to try the code.

A maker takes a Shape and returns a call without arguments; it raises what the peer says if it cannot do the problem.
Each result is compared with float arithmetic over the same mask in some rows before it is timed.
"""
import contextlib
import importlib.util
import statistics
import time

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

RUNS, WARM = 24, 3
ROWS = 5               # rows of the last head that are compared
TOLERANCE = 0.02       # of a row: length of the error over length of the row; bf16 gives 0.005
COPY_BYTES = 2 << 30   # read once, written once


class Shape:
    """Sizes of a problem's keys, and its blocks where it has a list of them."""

    def __init__(self, keys, mask, device):
        pair = lambda one, two, name: int(keys.get(one, keys.get(name, two)))  # noqa: E731
        self.b, self.hq, self.hk = int(keys.get("b", 1)), pair("hq", 1, "h"), pair("hk", 1, "h")
        self.nq, self.nk, self.d = pair("nq", 1, "n"), pair("nk", 1, "n"), pair("dqk", 64, "d")
        self.causal, self.block = keys.get("causal") == "1", int(keys.get("block", 0))
        self.mask, self.device = mask, device

    def tensors(self):
        make = lambda h, n: torch.randn(self.b, h, n, self.d, device=self.device, dtype=torch.bfloat16)  # noqa: E731
        return make(self.hq, self.nq), make(self.hk, self.nk), make(self.hk, self.nk)

    def visible(self, rows):
        """[rows, keys]: what these queries see."""
        keys = torch.arange(self.nk, device=self.device)
        seen = torch.ones(len(rows), self.nk, dtype=torch.bool, device=self.device)
        if self.mask is not None:
            seen = self.mask.to(self.device)[rows // self.block][:, keys // self.block]
        return seen & (keys <= rows[:, None]) if self.causal else seen


def near(wanted, got):
    error = float(((got.float() - wanted).norm(dim=-1) / wanted.norm(dim=-1)).max())
    if not error < TOLERANCE:
        raise RuntimeError(f"its result is off by {error:.2g} of a row")


def some_rows(shape):
    return torch.linspace(0, shape.nq - 1, ROWS, device=shape.device).long()


def compare(shape, q, k, v, o):
    rows = some_rows(shape)
    scores = q[-1, -1, rows].float() @ k[-1, -1].float().T / shape.d ** 0.5
    weights = scores.masked_fill(~shape.visible(rows), -torch.inf).softmax(-1)
    near(weights @ v[-1, -1].float(), o[-1, -1, rows])


def compare_linear(shape, q, k, v, decay, o):
    """[B, N, H, D]; decay: its logarithm, a head."""
    rows = some_rows(shape)
    back = rows[:, None] - torch.arange(shape.nk, device=shape.device)
    weights = (q[-1, rows, -1].float() @ k[-1, :, -1].float().T) * torch.exp(decay[-1] * back.clamp(min=0)) * (back >= 0)
    near(weights @ v[-1, :, -1].float(), o[-1, rows, -1])


def sdpa(backend):
    def make(shape):
        q, k, v = shape.tensors()

        def call():
            with sdpa_kernel(backend):
                return F.scaled_dot_product_attention(q, k, v, is_causal=shape.causal)

        compare(shape, q, k, v, call())
        return call
    return make


def sdpa_backward(backend):
    """Of a forward pass done before: backward alone is timed, dq, dk and dv together."""
    def make(shape):
        with torch.enable_grad():
            q, k, v = (x.requires_grad_() for x in shape.tensors())
            with sdpa_kernel(backend):
                o = F.scaled_dot_product_attention(q, k, v, is_causal=shape.causal)
        compare(shape, q.detach(), k.detach(), v.detach(), o.detach())
        g = torch.randn_like(o)
        return lambda: torch.autograd.grad(o, (q, k, v), g, retain_graph=True)
    return make


def block_mask(shape):
    """The same lists, every block whole: no element mask on either side."""
    from torch.nn.attention.flex_attention import BlockMask
    mask = shape.mask.to(shape.device)
    number = mask.sum(-1, dtype=torch.int32)[None, None]
    order = torch.argsort(mask.int(), dim=-1, descending=True, stable=True).to(torch.int32)[None, None]
    none = torch.zeros_like(number), torch.zeros_like(order)
    return BlockMask.from_kv_blocks(*none, number, order, BLOCK_SIZE=shape.block, seq_lengths=(shape.nq, shape.nk))


def flex(shape):
    from torch.nn.attention.flex_attention import flex_attention
    if shape.causal or shape.mask is None:
        raise RuntimeError("only whole blocks are compared")
    torch._dynamo.reset()
    q, k, v = shape.tensors()
    mask = block_mask(shape)
    # its default tiles are 128 rows high and refuse smaller blocks
    options = {"BLOCK_M": shape.block, "BLOCK_N": shape.block, "num_warps": 4} if shape.block < 128 and shape.device == "cuda" else None
    compiled = torch.compile(flex_attention, dynamic=False)
    call = lambda: compiled(q, k, v, block_mask=mask, kernel_options=options)  # noqa: E731
    compare(shape, q, k, v, call())
    return call


def fla(shape):
    if importlib.util.find_spec("fla") is None:
        raise RuntimeError("fla cannot be imported")
    if shape.device != "cuda":
        raise RuntimeError("Triton needs a GPU")
    from fla.ops.simple_gla import chunk_simple_gla
    q, k, v = (torch.randn(shape.b, shape.nq, shape.hq, shape.d, device="cuda", dtype=torch.bfloat16) for _ in range(3))
    decay = -torch.tensor([2.0 ** (-8.0 * (h + 1) / shape.hq) for h in range(shape.hq)], device="cuda")
    compare_linear(shape, q, k, v, decay, chunk_simple_gla(q, k, v, g_gamma=decay, scale=1.0)[0])
    return lambda: chunk_simple_gla(q, k, v, g_gamma=decay, scale=1.0)


def copy(shape):
    """Not a peer but the bound of decode: bytes are COPY_BYTES read and written."""
    size = COPY_BYTES if shape.device == "cuda" else COPY_BYTES // 32
    a = torch.empty(size // 4, device=shape.device).normal_()
    b = torch.empty_like(a)
    call = lambda: b.copy_(a)  # noqa: E731
    call.gigabytes = 2e-9 * size
    return call


MAKERS = {"cuDNN": sdpa(SDPBackend.CUDNN_ATTENTION), "FA2": sdpa(SDPBackend.FLASH_ATTENTION),
          "cuDNN backward": sdpa_backward(SDPBackend.CUDNN_ATTENTION), "FA2 backward": sdpa_backward(SDPBackend.FLASH_ATTENTION), "Flex": flex, "fla": fla, "copy": copy}


def seconds_gpu(call):
    """From the end of one run to the end of the next, both enqueued together: as `clattn bench` does it."""
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    call()
    begin.record()
    call()
    end.record()
    torch.cuda.synchronize()
    return 1e-3 * begin.elapsed_time(end)


def seconds_cpu(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(name, keys, mask, device):
    """{ms, ...} of one peer, or {error}."""
    try:
        once, runs = (seconds_gpu, RUNS) if device == "cuda" else (seconds_cpu, 3)
        with torch.no_grad():
            torch.manual_seed(1)
            call = MAKERS[name](Shape(keys, None if mask is None else torch.from_numpy(mask.astype(bool)), device))
            for _ in range(WARM):
                once(call)
            ms = 1e3 * statistics.median(once(call) for _ in range(runs))
        found = {"ms": ms, "runs": runs}
        if hasattr(call, "gigabytes"):
            found["gbps"] = call.gigabytes / ms * 1e3
        return found
    except Exception as error:  # a peer that refuses a problem says why, and the others are asked
        return {"error": (str(error).strip() or type(error).__name__).splitlines()[0][:200]}
    finally:
        call = None  # its tensors, before the cache is emptied
        if device == "cuda":
            with contextlib.suppress(Exception):  # after an illegal access every call fails, this one, too
                torch.cuda.empty_cache()


def versions():
    triton = importlib.util.find_spec("triton")
    return f"PyTorch {torch.__version__}" + (f", Triton {__import__('triton').__version__}" if triton else "")


def default_device():
    return "cuda" if torch.cuda.is_available() else "cpu"
