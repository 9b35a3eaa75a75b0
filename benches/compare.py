"""Times mlc and its peers on the same work, interleaved, and prints the ratios.

    cargo build --release
    python benches/compare.py --harness DIR --python VENV/bin/python --rounds 7

DIR holds the peers' harness (`peers.py`). Each round runs mlc and then every
peer once, so that all see the same machine; ratios are taken within a round.
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


def main():
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--harness", required=True)
    cli.add_argument("--python", default="python")
    cli.add_argument("--mlc", default="target/release/mlc")
    cli.add_argument("--works", nargs="+", default=sorted(s.stem for s in (HERE / "specs").glob("*.mlspec")))
    cli.add_argument("--peers", nargs="+", default=["jax", "torch", "keras"])
    cli.add_argument("--rounds", type=int, default=7)
    cli.add_argument("--seconds", default="2")
    cli.add_argument("--threads", default="2")
    args = cli.parse_args()
    mlc = str(pathlib.Path(args.mlc).resolve())
    common = ["--seconds", args.seconds, "--threads", args.threads]
    print("work       peer      step ms   best ms  first step s  peak MB   ratio to mlc: median (least to most)")
    for work in args.works:
        runs = {name: [] for name in ["mlc", *args.peers]}
        spec = str(HERE / "specs" / f"{work}.mlspec")
        for _ in range(args.rounds):
            runs["mlc"].append(one([mlc, "bench", spec, "--json", *common], HERE))
            for peer in args.peers:
                runs[peer].append(one([args.python, "peers.py", "--peer", peer, "--work", work, *common], args.harness))
        for name, found in runs.items():
            middle = lambda key: statistics.median(r[key] for r in found)
            ratios = [r["step_ms"] / m["step_ms"] for r, m in zip(found, runs["mlc"])]
            print(f"{work:10} {name:8} {middle('step_ms'):8.4f}  {min(r['best_ms'] for r in found):8.4f}  "
                  f"{middle('first_step_s'):12.2f}  {middle('peak_rss_mb'):7.0f}   "
                  f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
