#!/usr/bin/env bash
# Builds the environment in which the reference runs: Transformers 4.49.0, the release that
# introduced Qwen2.5-VL, with qwen-vl-utils 0.0.11, on a CPU build of PyTorch.
#
#   setup.sh VENV_DIR          about 2 minutes and 2 GB
#
# The versions are pinned because the reference is a definition, not a dependency: later
# releases of Transformers compute other position ids for video.
set -euo pipefail
if [[ $# -ne 1 ]]; then
  echo "usage: setup.sh VENV_DIR" >&2
  exit 2
fi
venv=$1
python3 -m venv "$venv"
python="$venv/bin/python"

# Indices that carry CPU-only builds have a "+cpu" version; elsewhere the plain one serves.
"$python" -m pip install --quiet 'torch==2.13.0+cpu' || "$python" -m pip install --quiet 'torch==2.13.0'
# Without its dependencies, or it would pull in a second PyTorch.
"$python" -m pip install --quiet --no-deps 'torchvision==0.28.0'
"$python" -m pip install --quiet 'numpy==2.2.6' 'pillow==13.0.0' 'safetensors==0.8.0' 'tokenizers==0.21.4' \
  'transformers==4.49.0' 'qwen-vl-utils==0.0.11' 'av==18.1.0' 'decord==0.6.0' 'accelerate==1.15.0'

# A torchvision built for CUDA registers two operators in a library that a CPU PyTorch cannot
# load, and then refuses to be imported. Declaring them is enough: nothing here calls them.
"$python" - <<'PYTHON'
import importlib.util
import pathlib

package = pathlib.Path(importlib.util.find_spec("torchvision").origin).parent
source = package / "_meta_registrations.py"
text = source.read_text()
mark = "# declared for a CPU build of PyTorch"
if mark not in text:
    declaration = f'''import torch
_declarations = torch.library.Library("torchvision", "DEF")  {mark}
_declarations.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
_declarations.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
'''
    source.write_text(text.replace("import torch\n", declaration, 1))
PYTHON

"$python" - <<'PYTHON'
import qwen_vl_utils  # noqa: F401
import torch, torchvision, transformers
from transformers import Qwen2_5_VLForConditionalGeneration  # noqa: F401

assert transformers.__version__ == "4.49.0", transformers.__version__
print(f"reference ready: transformers {transformers.__version__}, torch {torch.__version__}, torchvision {torchvision.__version__}")
PYTHON
