"""Times mlc and its peers on the same work, interleaved, and prints the ratios.

    cargo build --release
    python benches/compare.py --harness DIR --python VENV/bin/python --rounds 7

DIR holds the peers' harness (`peers.py`, `limits.py`). Each round runs mlc and then every peer once, so
that all see the same machine; ratios are taken within a round. The last line of a work is about the
fastest peer of each round, and about the machine's measured peak of matrix products.
"""
import argparse
import json
import pathlib
import statistics
import subprocess

HERE = pathlib.Path(__file__).parent


def one(command, folder):
    lines = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    return json.loads(lines.strip().splitlines()[-1])


def spread(ratios):
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def peak(args):
    limits = one([args.python, "limits.py", args.threads], args.harness)
    return max(rates["best"] for name, rates in limits.items() if name.startswith("gemm_gflops"))


def compare(work, args, peak):
    common = ["--seconds", args.seconds, "--threads", args.threads]
    spec = str(HERE / "specs" / f"{work}.mlspec")
    mlc = str(pathlib.Path(args.mlc).resolve())
    runs = {name: [] for name in ["mlc", *args.peers]}
    for _ in range(args.rounds):
        precision = ["--set", f"train.precision={args.precision}"]
        runs["mlc"].append(one([mlc, "bench", spec, "--json", *precision, *common], HERE))
        for peer in args.peers:
            script = ["peers.py"] if args.precision == "f32" else [str(HERE.resolve() / "autocast.py"), "."]
            command = [args.python, *script, "--peer", peer, "--work", work, *common]
            runs[peer].append(one(command, args.harness))
    own = [run["step_ms"] for run in runs["mlc"]]
    for name, found in runs.items():
        middle = lambda key: statistics.median(run[key] for run in found)
        ratios = [run["step_ms"] / ms for run, ms in zip(found, own)]
        print(f"{work:13} {name:13} {middle('step_ms'):9.4f}  {min(run['best_ms'] for run in found):9.4f}  "
              f"{middle('first_step_s'):12.2f}  {middle('peak_rss_mb'):7.0f}   {spread(ratios)}")
    if args.peers:
        fastest = [min(args.peers, key=lambda peer: runs[peer][i]["step_ms"]) for i in range(args.rounds)]
        ratios = [runs[peer][i]["step_ms"] / own[i] for i, peer in enumerate(fastest)]
        usual = statistics.mode(fastest)
        rate = statistics.median(run["gflops"] for run in runs["mlc"])
        print(f"{work:13} fastest peer {usual}: {spread(ratios)}; mlc at {rate:.0f} GFLOP/s, "
              f"{100 * rate / peak:.0f} % of the peak", flush=True)


def main():
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--harness", required=True)
    cli.add_argument("--python", default="python")
    cli.add_argument("--mlc", default="target/release/mlc")
    cli.add_argument("--works", nargs="+", default=sorted(s.stem for s in (HERE / "specs").glob("*.mlspec")))
    cli.add_argument("--peers", nargs="*", default=["jax", "torch", "torch-compile", "keras-jit"])
    cli.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="of PyTorch bf16 is its autocast")
    cli.add_argument("--rounds", type=int, default=7)
    cli.add_argument("--seconds", default="2")
    cli.add_argument("--threads", default="2")
    args = cli.parse_args()
    most = peak(args)
    print(f"peak of matrix products: {most} GFLOP/s on {args.threads} threads")
    print("work          peer            step ms    best ms  first step s  peak MB   ratio to mlc: median (least to most)")
    for work in args.works:
        compare(work, args, most)


if __name__ == "__main__":
    main()
