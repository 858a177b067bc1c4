"""The engines that are compared: their worker processes, one line of JSON a request."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CLAT = HERE.parents[1] / "clat"

# What an expert gives a framework on CPUs: pinned threads, an allocator that keeps its memory
# (otherwise large tensors are mapped and faulted in anew on every call), and huge pages.
TUNED = {
    "OMP_PROC_BIND": "true", "OMP_PLACES": "cores", "THP_MEM_ALLOC_ENABLE": "1",
    "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_MMAP_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456"}

TORCH = {f"torch-{mode}-{layout}": (mode, layout)
         for mode in ("eager", "inductor", "expert", "folded") for layout in ("nchw", "cl")}
OURS = {"clat": "compiled", "clat-eager": "eager"}
ENGINES = (*OURS, *TORCH, "jax")

# Where a mode does nothing that eager does not do.
ONLY = {"torch-expert": ("clat",), "torch-folded": ("forward", "pgd", "pgd-at", "clat")}


def serves(engine, work):
    return work in ONLY.get(engine.rsplit("-", 1)[0], (work,))


class Worker:
    """A process that runs one case's work on request and idles in between."""

    def __init__(self, engine, case, work, options):
        self.engine = engine
        environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
        if engine not in OURS:
            environment |= TUNED
        self.process = subprocess.Popen(
            command(engine, case, work, options), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=environment, cwd=HERE)

    def run(self, name):
        """Runs once; a dictionary with `seconds` and `peak_bytes`."""
        self.process.stdin.write(json.dumps({"run": name}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"compare: {self.engine} stopped with code {self.process.wait()}")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def command(engine, case, work, options):
    critical = ",".join(str(i) for i in case.critical)
    if engine in OURS:
        return [CLAT, "benchmark", "--serve", "--engine", OURS[engine], "--model", case.model,
                "--batch", str(case.batch), "--work", work, "--critical", critical,
                "--steps", str(options.steps), "--threads", str(options.threads)]
    python, script = (
        (options.jax_python, ["jax_worker.py"]) if engine == "jax"
        else (options.torch_python, ["torch_worker.py", *TORCH[engine]]))
    return [python, *script, case.model, str(case.batch), critical, str(options.steps),
            str(options.threads)]
