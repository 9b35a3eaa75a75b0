"""One run of the peers' harness in PyTorch's autocast to bfloat16: the arguments and the line of its `peers.py`.

    python benches/autocast.py DIR --peer torch --work gpt_mini --threads 2 --seconds 2
"""
import os
import sys

harness, sys.argv = sys.argv[1], ["peers.py", *sys.argv[2:]]
threads = sys.argv[sys.argv.index("--threads") + 1]
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = threads
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:int(threads)])
sys.path.insert(0, harness)

import torch  # noqa: E402: after the limits above, which it reads when it loads

import peers  # noqa: E402

with torch.autocast("cpu", dtype=torch.bfloat16):
    peers.main()
