"""Times the matrix products of mlc's kernels and PyTorch's (MKL) on the same shapes, interleaved.

    cargo bench -p mlc-kernels --bench gemm --no-run
    python benches/products.py --python VENV/bin/python --rounds 5

Each round runs our benchmark of a shape and then PyTorch's; ratios are of the best rates within a round.
"""
import argparse
import json
import re
import statistics
import subprocess

SHAPES = [
    "32,128,784", "784,128,32 A^T", "32,784,128 B^T", "64,512,160", "64,20,64", "768,128,128", "4096,384,384",
    "4096,1536,384", "4096,384,1536", "96 x 256,256,64", "96 x 256,64,256", "36864,64,288", "2048,2048,2048",
]

PEER = r"""
import json, sys, time
import torch
for line in sys.stdin:
    b, m, n, k, at, bt, threads = json.loads(line)
    torch.set_num_threads(threads)
    lead = [b] if b > 1 else []
    a = torch.rand(*lead, *((k, m) if at else (m, k)))
    w = torch.rand(*lead, *((n, k) if bt else (k, n)))
    a = a.transpose(-1, -2) if at else a
    w = w.transpose(-1, -2) if bt else w
    out = torch.empty(*lead, m, n)
    run = torch.bmm if b > 1 else torch.mm
    flops = 2.0 * b * m * n * k
    repeats = max(1, int(5e7 / flops))
    times, end = [], time.perf_counter() + 0.5
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        for _ in range(repeats):
            run(a, w, out=out)
        times.append((time.perf_counter() - start) / repeats)
    times.sort()
    print(json.dumps([flops / times[0] * 1e-9, flops / times[len(times) // 2] * 1e-9]), flush=True)
"""


def parse(name):
    batch, sizes = re.match(r"(?:(\d+) x )?(\d+,\d+,\d+)", name).groups()
    return [int(batch or 1), *map(int, sizes.split(",")), "A^T" in name, "B^T" in name]


def ours(name):
    """The best rate on one thread and on two."""
    command = ["cargo", "bench", "-q", "-p", "mlc-kernels", "--bench", "gemm", "--", name]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    line = next(line for line in lines if line[:24].strip() == name)
    rates = re.findall(r"([\d.]+) \( *[\d.]+\)", line[24:])
    return float(rates[0]), float(rates[1])


def main():
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--python", default="python")
    cli.add_argument("--rounds", type=int, default=5)
    args = cli.parse_args()
    peer = subprocess.Popen([args.python, "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def theirs(name, threads):
        print(json.dumps([*parse(name), threads]), file=peer.stdin, flush=True)
        return json.loads(peer.stdout.readline())[0]

    print(f"{'m,n,k':18} threads   mlc  PyTorch  GFLOP/s, medians of the best; ratio: median (least to most)")
    for name in SHAPES:
        rounds = [(ours(name), [theirs(name, threads) for threads in (1, 2)]) for _ in range(args.rounds)]
        for i, threads in enumerate((1, 2)):
            mine, other = [r[0][i] for r in rounds], [r[1][i] for r in rounds]
            ratios = [x / y for x, y in zip(mine, other)]
            print(f"{name:18} {threads}       {statistics.median(mine):6.1f}   {statistics.median(other):6.1f}  "
                  f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)


if __name__ == "__main__":
    main()
