#!/usr/bin/env bash
# Builds the environment in which the peers are measured: llama.cpp (compiled here, for this processor), Transformers
# and OpenVINO GenAI.
#
#   setup.sh VENV_DIR          about 10 minutes of two cores and 3 GB
#
# A compiler, cmake and ninja come from PyPI or are found; set CC and CXX to compile llama.cpp with others.
set -euo pipefail
if [[ $# -ne 1 ]]; then
  echo "usage: setup.sh VENV_DIR" >&2
  exit 2
fi
venv=$1
[[ -x $venv/bin/python ]] || python3 -m venv "$venv"
python="$venv/bin/python"
install() { "$python" -m pip install --quiet "$@"; }

install cmake ninja numpy
# GGML_NATIVE: every instruction of this processor, which is what the product's kernels use too.
CMAKE_ARGS="-DGGML_NATIVE=ON -DGGML_OPENMP=ON -DLLAMA_CURL=OFF" CMAKE_GENERATOR=Ninja \
  install --no-binary llama-cpp-python llama-cpp-python gguf

# A CPU-only PyTorch where the index carries one.
install 'torch==2.13.0+cpu' || install 'torch==2.13.0'
install --no-deps 'torchvision==0.28.0'
# optimum-intel converts Qwen2.5-VL with Transformers 4.
install 'transformers<5' accelerate pillow safetensors psutil
install openvino openvino-genai openvino-tokenizers optimum-intel nncf || echo "OpenVINO GenAI cannot be installed here" >&2

# Transformers itself is measured in its newest release, beside the one that converts.
install --target "$venv/transformers5" 'transformers>=5'

# A torchvision built for CUDA registers two operators that a CPU PyTorch lacks; declaring them is enough.
"$python" - <<'PYTHON'
import importlib.util
import pathlib

source = pathlib.Path(importlib.util.find_spec("torchvision").origin).parent / "_meta_registrations.py"
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
"$python" -m pip freeze | grep -iE '^(llama|gguf|torch|transformers|openvino|optimum|nncf)'
