"""How much electricity a training took: an estimate, with its formula and its assumptions.

energy = time x devices x power, after Green Algorithms (arXiv:2007.07610), here without memory, cooling and
the rest of the building. The power of a busy device is taken to be its thermal design power.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What the Green Algorithms calculator assumes of hardware it does not know (its tables TDP_cpu and TDP_gpu, "Any")
CORE_WATTS, GPU_WATTS = 12.0, 200.0
# Makers' data sheets; names as torch.cuda.get_device_name() has them, the first that fits counts.
BOARDS = (
    (r"\bH[12]00 PCIe", 350),
    (r"\bH200 NVL", 600),
    (r"\bH[12]00\b", 700),
    (r"\bA100-SXM", 400),
    (r"\bA100 80GB PCIe", 300),
    (r"\bA100-PCIE-40GB", 250),
    (r"\bV100-SXM", 300),
    (r"\bV100-PCIE", 250),
    (r"\bT4\b", 70),
    (r"\bL4\b", 72),
    (r"\bL40S\b", 350),
    (r"\bA10\b", 150),
    (r"\bA40\b", 300),
    (r"\bRTX A6000\b", 300),
    (r"\bRTX 6000 Ada\b", 300),
    (r"\bRTX 3090$", 350),
    (r"\bRTX 4090$", 450),
)


@dataclass(frozen=True)
class Estimate:
    """kWh, and what they were made of."""

    kwh: float
    hours: float
    devices: int
    watts: float  # of one device
    device: str  # what is counted
    source: str  # where the watts come from


def estimate(minutes: float, environment: Mapping[str, Any]) -> Estimate:
    """Of a training of so many minutes; `environment` as environment.json has it."""
    processes = int(environment.get("processes") or 1)
    gpu = environment.get("gpu")
    if gpu:
        known = next((watts for pattern, watts in BOARDS if re.search(pattern, str(gpu))), None)
        sheet = "its maker's data sheet" if known else "what the Green Algorithms calculator takes for an unknown GPU"
        devices, watts, device, source = processes, known or GPU_WATTS, "GPU", sheet
    else:
        threads = int(environment.get("threads") or environment.get("cores") or 1)
        devices, watts, device = processes * threads, CORE_WATTS, "processor core"
        source = "what the Green Algorithms calculator takes for an unknown processor"
    hours = minutes / 60
    return Estimate(hours * devices * watts / 1000, hours, devices, float(watts), device, source)
